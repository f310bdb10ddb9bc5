/*
 * resources_close: the end of them: the listeners, and all descriptors.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "main/resources.h"

/* A listener that is kept is another descriptor of the same socket. */
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
resources_shut_listeners(const struct resources *o, const struct resources *now)
{
	for (unsigned s = 0; s < SUBMISSION_MAX; s++)
		for (unsigned l = 0; l < LISTEN_MAX; l++) {
			int fd = o->listeners[s][l];

			if (fd >= 0 && (!now || !resources_has_socket(now, s, fd)))
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
resources_free(struct resources **offer)
{
	struct resources *o = *offer;

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
	*offer = NULL;
}
