/*
 * resources_close: closes resources: the listening sockets, and all descriptors.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "main/resources.h"

/* True if the resources contain the same socket; a listener that is reused has another descriptor
 * of it. */
static bool
resources_has_socket(const struct resources *o, unsigned s, int fd)
{
	struct stat wanted, st;

	if (fstat(fd, &wanted) != 0)
		return true;
	for (unsigned l = 0; l < LISTEN_MAX; l++)
		if (o->listeners[s][l] >= 0 && fstat(o->listeners[s][l], &st) == 0 &&
		    st.st_dev == wanted.st_dev && st.st_ino == wanted.st_ino)
			return true;
	return false;
}

void
resources_shut_listeners(const struct resources *o, const struct resources *current)
{
	for (unsigned s = 0; s < SUBMISSION_MAX; s++)
		for (unsigned l = 0; l < LISTEN_MAX; l++) {
			int fd = o->listeners[s][l];

			if (fd >= 0 && (!current || !resources_has_socket(current, s, fd)))
				(void)shutdown(fd, SHUT_RD);
		}
}

static void
resources_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

void
resources_free(struct resources **resources)
{
	struct resources *o = *resources;

	if (!o)
		return;
	for (int k = 0; k < ROLE_KINDS; k++)
		resources_close(o->configs[k]);
	for (unsigned s = 0; s < SUBMISSION_MAX; s++)
		for (unsigned l = 0; l < LISTEN_MAX; l++)
			resources_close(o->listeners[s][l]);
	for (size_t n = 0; n < o->file_count; n++)
		resources_close(o->files[n].fd);
	if (o->log.fd > 2)
		resources_close(o->log.fd);
	mem_free(o->files);
	mem_free(o->tls);
	conf_drop(&o->conf);
	mem_free(o);
	*resources = NULL;
}
