/*
 * calls: see the header.
 */
#include "calls.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

__thread struct calls calls;

ssize_t
recv(int fd, void *to, size_t n, int flags)
{
	calls.recv++;
	return syscall(SYS_recvfrom, fd, to, n, flags, NULL, NULL);
}

ssize_t
send(int fd, const void *from, size_t n, int flags)
{
	calls.send++;
	return syscall(SYS_sendto, fd, from, n, flags, NULL, 0);
}

int
epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms)
{
	calls.turns++;
	return (int)syscall(SYS_epoll_pwait, fd, events, max, timeout_ms, NULL, 8);
}

int
epoll_ctl(int fd, int what, int about, struct epoll_event *event)
{
	calls.control++;
	return (int)syscall(SYS_epoll_ctl, fd, what, about, event);
}
