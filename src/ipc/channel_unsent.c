/*
 * channel_unsent: each packet is one allocation.
 */
#include "ipc/channel_unsent.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "ipc/wire.h"

void
channel_unsent_lose_fd(char *bytes, int error)
{
	log_error("a descriptor cannot be passed to another process: %s", error_text(error));
	metrics_lacks_descriptors();
	wire_mark_fd_lost(bytes);
}

struct channel_unsent *
channel_unsent_new(struct str packet, int fd)
{
	struct channel_unsent *w = mem_new(sizeof *w + packet.n);

	w->n = packet.n;
	memcpy(w->bytes, packet.p, packet.n);
	w->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (fd >= 0 && w->fd < 0)
		channel_unsent_lose_fd(w->bytes, errno);
	return w;
}

void
channel_unsent_free(struct channel_unsent *w)
{
	if (w->fd >= 0)
		close(w->fd);
	if (wire_is_secret(str_make(w->bytes, w->n)))
		mem_wipe(w->bytes, w->n);
	mem_free(w);
}
