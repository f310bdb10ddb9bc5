/*
 * channel_pair: creates the two ends of a channel.
 */
#include "ipc/channel.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/wire.h"

int
channel_pair(int ends_out[2])
{
	int error;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends_out) != 0)
		return -1;
	if (wire_grow_send_buffer(ends_out[0]) == 0 && wire_grow_send_buffer(ends_out[1]) == 0)
		return 0;
	error = errno;
	close(ends_out[0]);
	close(ends_out[1]);
	errno = error;
	return -1;
}

size_t
channel_buffer_needed(void)
{
	return wire_send_buffer_needed();
}
