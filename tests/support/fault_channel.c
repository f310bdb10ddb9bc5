#include "support/fault_channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ipc/request.h"
#include "ipc/wire.h"

enum { TABLE_MAX = 8, TICK_MS = 2 };

struct fault_packet {
	STAILQ_ENTRY(fault_packet) link;
	int fd;
	bool is_reordered; /* is sent after the next packet */
	int64_t due_ms;
	size_t n;
	char bytes[];
};

struct side {
	int fd;
	STAILQ_HEAD(, fault_packet) fault_packet; /* packets that will be sent here */
};

struct fault_channel {
	pthread_t thread;
	pthread_mutex_t lock;
	struct side sides[2];
	struct fault table[TABLE_MAX];
	unsigned used[TABLE_MAX];
	size_t count;
	bool is_stalled, is_over;
	unsigned seen[MESSAGE_TYPES];
};

/* ---- one packet ---- */

static struct fault_packet *
fault_packet_new(const char *bytes, size_t n, int fd)
{
	struct fault_packet *h = mem_new(sizeof *h + n);

	h->fd = fd;
	h->n = n;
	memcpy(h->bytes, bytes, n);
	return h;
}

static void
fault_packet_free(struct fault_packet *h)
{
	if (h->fd >= 0)
		close(h->fd);
	mem_free(h);
}

/* False: the buffer of the other end is full. */
static bool
fault_packet_send(int to, const struct fault_packet *h, bool has_second)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {0};
	struct iovec v = {(char *)h->bytes, h->n};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	struct cmsghdr *c = (struct cmsghdr *)control;
	int null = has_second ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
	int fds[2] = {h->fd >= 0 ? h->fd : null, null};
	size_t count = has_second ? 2 : h->fd >= 0;
	bool is_full;
	ssize_t n;

	if (count) {
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(count * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	n = sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	is_full = n < 0 && errno == EAGAIN;
	if (null >= 0)
		close(null);
	return !is_full;
}

static enum message_type
fault_packet_type(const struct fault_packet *h)
{
	uint16_t type = MESSAGE_NONE;

	if (h->n >= WIRE_HEAD_BYTES + sizeof type)
		memcpy(&type, h->bytes + WIRE_HEAD_BYTES, sizeof type);
	return type < MESSAGE_TYPES ? (enum message_type)type : MESSAGE_NONE;
}

static struct fault_packet *
retype(struct fault_packet *h, enum message_type type)
{
	union message zero = {0};
	struct fault_packet *other;
	struct buf bytes;

	buf_init(&bytes, WIRE_PACKET_MAX);
	buf_add(&bytes, h->bytes, WIRE_HEAD_BYTES);
	if (!message_encode(type, &zero, &bytes))
		die("no room");
	other = fault_packet_new(bytes.p, bytes.n, -1);
	buf_clear(&bytes);
	fault_packet_free(h);
	return other;
}

/* ---- the table of faults ---- */

static const struct fault *
fault_for(struct fault_channel *f, enum message_type type)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct fault *t = &f->table[i];

		if ((t->type && t->type != type) || (t->count && f->used[i] == t->count))
			continue;
		f->used[i]++;
		return t;
	}
	return NULL;
}

/* NULL: the packet was sent, or is dropped. */
static struct fault_packet *
apply_fault(struct side *to, struct fault_packet *h, const struct fault *t)
{
	switch (t->kind) {
	case FAULT_DELAY:
		h->due_ms = clock_mono_ms() + t->value;
		return h;
	case FAULT_REORDER:
		h->is_reordered = true;
		return h;
	case FAULT_DOUBLE:
		(void)fault_packet_send(to->fd, h, false);
		return h;
	case FAULT_RETYPE:
		return retype(h, (enum message_type)t->value);
	case FAULT_TRUNCATE:
		h->n = WIRE_HEAD_BYTES + (h->n - WIRE_HEAD_BYTES) / 2;
		return h;
	case FAULT_LOSE_FD:
		if (h->fd >= 0)
			close(h->fd);
		h->fd = -1;
		wire_mark_fd_lost(h->bytes);
		return h;
	case FAULT_SECOND_FD:
		(void)fault_packet_send(to->fd, h, true);
		break;
	case FAULT_DROP:
	case FAULT_KINDS:
		break;
	}
	fault_packet_free(h);
	return NULL;
}

static void
send_due(struct side *to)
{
	struct fault_packet *h, *next;

	while ((h = STAILQ_FIRST(&to->fault_packet)) && h->due_ms <= clock_mono_ms()) {
		next = STAILQ_NEXT(h, link);
		if (h->is_reordered && !next)
			return;
		if (h->is_reordered) {
			h->is_reordered = false;
			STAILQ_REMOVE_HEAD(&to->fault_packet, link);
			STAILQ_INSERT_AFTER(&to->fault_packet, next, h, link);
			continue;
		}
		if (!fault_packet_send(to->fd, h, false))
			return;
		STAILQ_REMOVE_HEAD(&to->fault_packet, link);
		fault_packet_free(h);
	}
}

/* ---- the thread ---- */

static bool
receive_fault_packet(struct fault_channel *f, int from, char *buffer)
{
	struct side *to = &f->sides[!from];
	struct wire_packet received;
	const struct fault *t;
	struct fault_packet *h;

	if (wire_receive(f->sides[from].fd, buffer, WIRE_PACKET_MAX, &received, 1) != 1)
		return errno == EAGAIN;
	if (received.bytes.n == 0)
		return false;
	h = fault_packet_new(received.bytes.p, received.bytes.n, received.fd);
	f->seen[fault_packet_type(h)]++;
	t = fault_for(f, fault_packet_type(h));
	if (t)
		h = apply_fault(to, h, t);
	if (h)
		STAILQ_INSERT_TAIL(&to->fault_packet, h, link);
	return true;
}

static bool
turn(struct fault_channel *f, struct pollfd *p, char *buffer)
{
	bool continues = !f->is_over;

	for (int i = 0; i < 2 && continues; i++)
		if (!f->is_stalled && p[i].revents)
			continues = receive_fault_packet(f, i, buffer);
	for (int i = 0; i < 2 && !f->is_stalled; i++)
		send_due(&f->sides[i]);
	return continues;
}

static void *
run_fault_channel(void *arg)
{
	struct fault_channel *f = arg;
	char *buffer = mem_new(WIRE_PACKET_MAX);
	bool continues = true;

	while (continues) {
		struct pollfd p[2] = {{f->sides[0].fd, POLLIN, 0}, {f->sides[1].fd, POLLIN, 0}};
		bool is_stalled;

		pthread_mutex_lock(&f->lock);
		is_stalled = f->is_stalled;
		pthread_mutex_unlock(&f->lock);
		(void)poll(p, is_stalled ? 0 : 2, TICK_MS);
		pthread_mutex_lock(&f->lock);
		continues = turn(f, p, buffer);
		pthread_mutex_unlock(&f->lock);
	}
	shutdown(f->sides[0].fd, SHUT_RDWR);
	shutdown(f->sides[1].fd, SHUT_RDWR);
	mem_free(buffer);
	return NULL;
}

/* ---- creation and end ---- */

struct fault_channel *
fault_channel_new(int ends_out[2])
{
	struct fault_channel *f = MEM_NEW(struct fault_channel);
	int pair[2];

	for (int i = 0; i < 2; i++) {
		if (channel_pair(pair) != 0)
			die("no pair");
		ends_out[i] = pair[0];
		f->sides[i].fd = pair[1];
		STAILQ_INIT(&f->sides[i].fault_packet);
	}
	pthread_mutex_init(&f->lock, NULL);
	if (pthread_create(&f->thread, NULL, run_fault_channel, f) != 0)
		die("no thread");
	return f;
}

void
fault_channel_free(struct fault_channel **p)
{
	struct fault_channel *f = *p;
	struct fault_packet *h;

	if (!f)
		return;
	*p = NULL;
	pthread_mutex_lock(&f->lock);
	f->is_over = true;
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->thread, NULL);
	for (int i = 0; i < 2; i++) {
		while ((h = STAILQ_FIRST(&f->sides[i].fault_packet))) {
			STAILQ_REMOVE_HEAD(&f->sides[i].fault_packet, link);
			fault_packet_free(h);
		}
		close(f->sides[i].fd);
	}
	pthread_mutex_destroy(&f->lock);
	mem_free(f);
}

void
fault_channel_set(struct fault_channel *f, const struct fault *table, size_t count)
{
	pthread_mutex_lock(&f->lock);
	f->count = table && count <= TABLE_MAX ? count : 0;
	memset(f->used, 0, sizeof f->used);
	if (f->count)
		memcpy(f->table, table, f->count * sizeof *table);
	pthread_mutex_unlock(&f->lock);
}

void
fault_channel_stall(struct fault_channel *f, bool is_stalled)
{
	pthread_mutex_lock(&f->lock);
	f->is_stalled = is_stalled;
	pthread_mutex_unlock(&f->lock);
}

unsigned
fault_channel_seen(struct fault_channel *f, enum message_type type)
{
	unsigned n;

	pthread_mutex_lock(&f->lock);
	n = f->seen[type];
	pthread_mutex_unlock(&f->lock);
	return n;
}
