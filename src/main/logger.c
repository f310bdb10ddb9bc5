/*
 * logger: see the header.
 */
#include "main/logger.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"

enum {
	LOGGER_PACKET_BYTES = 65536, /* of one write to stderr by a library; longer ones are cut */
	LOGGER_PACKETS = 16,         /* read at once */
	LOGGER_TURN = 64,            /* lines of one process in a row */
	LOGGER_GATHER_MS = 10,       /* pause between two turns with few lines */
	LOGGER_SOURCES = 16,         /* sockets per turn */
	LOGGER_BUFFER_BYTES = 1 << 20, /* of each process's socket, if the system allows it */
	LOGGER_LAST_TURNS = 1000,
};

struct logger_source {
	int fd;
	pid_t pid;
};

struct logger {
	pthread_t thread;
	int poll_fd;
	int stop_fd;
	struct log_batch lines;
	/* a usual line touches one page of its packet */
	char packets[LOGGER_PACKETS][LOGGER_PACKET_BYTES];
};

int
logger_pair(int ends_out[2])
{
	int wanted = LOGGER_BUFFER_BYTES;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends_out) != 0)
		return -1;
	/* the default holds about 300 lines, which is enough except for bursts */
	if (setsockopt(ends_out[1], SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted) != 0)
		(void)setsockopt(ends_out[1], SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted);
	return 0;
}

static void
logger_drop(struct logger *l, struct logger_source *s)
{
	epoll_ctl(l->poll_fd, EPOLL_CTL_DEL, s->fd, NULL);
	close(s->fd);
	mem_free(s);
}

/* Reads as many packets as are available and fit; 0: end of file, -1 with errno.  Without room for
 * control data the kernel itself closes descriptors that come with a packet. */
static int
logger_receive(struct logger *l, int fd, struct mmsghdr packets[LOGGER_PACKETS])
{
	struct iovec v[LOGGER_PACKETS];

	for (int i = 0; i < LOGGER_PACKETS; i++) {
		v[i] = (struct iovec){l->packets[i], LOGGER_PACKET_BYTES};
		packets[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &v[i], .msg_iovlen = 1}};
	}
	return recvmmsg(fd, packets, LOGGER_PACKETS, MSG_DONTWAIT, NULL);
}

/* False: the socket is to be closed.  An empty packet looks like the end of the file, so it closes
 * the log of its sender. */
static bool
logger_forward(
    struct logger *l, const struct logger_source *s, const struct mmsghdr *packets, int n)
{
	for (int i = 0; i < n; i++) {
		if (packets[i].msg_len == 0)
			return false;
		log_forward(
		    &l->lines, str_make(l->packets[i], packets[i].msg_len), (unsigned)s->pid);
	}
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Returns the number of lines. */
static int
logger_serve(struct logger *l, struct logger_source *s)
{
	struct mmsghdr packets[LOGGER_PACKETS];
	int lines = 0, n = LOGGER_PACKETS;

	while (n == LOGGER_PACKETS && lines < LOGGER_TURN) {
		n = logger_receive(l, s->fd, packets);
		if (!logger_forward(l, s, packets, n)) {
			logger_drop(l, s);
			break;
		}
		lines += n > 0 ? n : 0;
	}
	return lines;
}

/* No process waits for its lines to be written: a pause lets more of them be written at once, with
 * fewer wake-ups of this thread. */
static void
logger_gather(const struct logger *l)
{
	struct pollfd stop = {.fd = l->stop_fd, .events = POLLIN};

	(void)poll(&stop, 1, LOGGER_GATHER_MS);
}

/* False: a stop was requested, and nothing is left to write. */
static bool
logger_turn(struct logger *l, bool *is_stopping)
{
	struct epoll_event found[LOGGER_SOURCES];
	int n = epoll_wait(l->poll_fd, found, LOGGER_SOURCES, *is_stopping ? 0 : -1);
	int lines = 0;

	for (int i = 0; i < n; i++) {
		if (found[i].data.ptr) {
			lines += logger_serve(l, found[i].data.ptr);
			continue;
		}
		*is_stopping = true;
		epoll_ctl(l->poll_fd, EPOLL_CTL_DEL, l->stop_fd, NULL);
	}
	log_batch_write(&l->lines);
	if (!*is_stopping && lines < LOGGER_TURN)
		logger_gather(l);
	return n > 0 || !*is_stopping;
}

static void *
logger_main(void *arg)
{
	bool is_stopping = false;

	for (int last = 0; last < LOGGER_LAST_TURNS && logger_turn(arg, &is_stopping);)
		last += is_stopping;
	return NULL;
}

/* Signals are handled in main's event loop only. */
static int
logger_start_thread(struct logger *l)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&l->thread, NULL, logger_main, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

struct logger *
logger_new(void)
{
	struct logger *l = MEM_NEW(struct logger);
	struct epoll_event stop = {.events = EPOLLIN};
	int error;

	l->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->poll_fd < 0 || l->stop_fd < 0 ||
	    epoll_ctl(l->poll_fd, EPOLL_CTL_ADD, l->stop_fd, &stop) != 0)
		error = errno;
	else
		error = logger_start_thread(l);
	if (!error)
		return l;
	close(l->poll_fd);
	close(l->stop_fd);
	mem_free(l);
	errno = error;
	return NULL;
}

void
logger_add(struct logger *l, int fd, pid_t pid)
{
	struct logger_source *s = MEM_NEW(struct logger_source);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};

	*s = (struct logger_source){fd, pid};
	if (epoll_ctl(l->poll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
		return;
	log_error("the log of process %d cannot be read: %s", (int)pid, error_text(errno));
	close(fd);
	mem_free(s);
}

void
logger_free(struct logger **logger)
{
	struct logger *l = *logger;
	uint64_t one = 1;

	if (!l)
		return;
	if (write(l->stop_fd, &one, sizeof one) == (ssize_t)sizeof one)
		pthread_join(l->thread, NULL);
	close(l->stop_fd);
	close(l->poll_fd);
	mem_free(l);
	*logger = NULL;
}
