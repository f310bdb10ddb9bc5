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
#include "ipc/channel.h"
#include "ipc/wire.h"

enum { TABLE_MAX = 8, TICK_MS = 2 };

struct held {
	STAILQ_ENTRY(held) link;
	int fd;
	bool is_reordered; /* waits for another packet to go first */
	int64_t due_ms;
	size_t n;
	char bytes[];
};

struct side {
	int fd;
	STAILQ_HEAD(, held) held; /* what goes out here */
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

static struct held *
held_new(const char *bytes, size_t n, int fd)
{
	struct held *h = mem_new(sizeof *h + n);

	h->fd = fd;
	h->n = n;
	memcpy(h->bytes, bytes, n);
	return h;
}

static void
held_free(struct held *h)
{
	if (h->fd >= 0)
		close(h->fd);
	mem_free(h);
}

/* False: the other end takes nothing now. */
static bool
send_held(int to, const struct held *h, bool has_second)
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
held_type(const struct held *h)
{
	uint16_t type = MESSAGE_NONE;

	if (h->n >= WIRE_HEAD_BYTES + sizeof type)
		memcpy(&type, h->bytes + WIRE_HEAD_BYTES, sizeof type);
	return type < MESSAGE_TYPES ? (enum message_type)type : MESSAGE_NONE;
}

static struct held *
retype(struct held *h, enum message_type type)
{
	union message zero = {0};
	struct held *other;
	struct buf bytes;

	buf_init(&bytes, WIRE_PACKET_MAX);
	buf_add(&bytes, h->bytes, WIRE_HEAD_BYTES);
	if (!message_encode(type, &zero, &bytes))
		die("no room");
	other = held_new(bytes.p, bytes.n, -1);
	buf_clear(&bytes);
	held_free(h);
	return other;
}

/* ---- the table ---- */

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

/* NULL: it has gone, or never will. */
static struct held *
apply_fault(struct side *to, struct held *h, const struct fault *t)
{
	switch (t->kind) {
	case FAULT_DELAY:
		h->due_ms = clock_mono_ms() + t->value;
		return h;
	case FAULT_REORDER:
		h->is_reordered = true;
		return h;
	case FAULT_DOUBLE:
		(void)send_held(to->fd, h, false);
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
		(void)send_held(to->fd, h, true);
		break;
	case FAULT_DROP:
	case FAULT_KINDS:
		break;
	}
	held_free(h);
	return NULL;
}

static void
send_due(struct side *to)
{
	struct held *h, *next;

	while ((h = STAILQ_FIRST(&to->held)) && h->due_ms <= clock_mono_ms()) {
		next = STAILQ_NEXT(h, link);
		if (h->is_reordered && !next)
			return;
		if (h->is_reordered) {
			h->is_reordered = false;
			STAILQ_REMOVE_HEAD(&to->held, link);
			STAILQ_INSERT_AFTER(&to->held, next, h, link);
			continue;
		}
		if (!send_held(to->fd, h, false))
			return;
		STAILQ_REMOVE_HEAD(&to->held, link);
		held_free(h);
	}
}

/* ---- the thread ---- */

static bool
take_one(struct fault_channel *f, int from, char *room)
{
	struct side *to = &f->sides[!from];
	struct wire_packet got;
	const struct fault *t;
	struct held *h;

	if (wire_receive(f->sides[from].fd, room, WIRE_PACKET_MAX, &got, 1) != 1)
		return errno == EAGAIN;
	if (got.bytes.n == 0)
		return false;
	h = held_new(got.bytes.p, got.bytes.n, got.fd);
	f->seen[held_type(h)]++;
	t = fault_for(f, held_type(h));
	if (t)
		h = apply_fault(to, h, t);
	if (h)
		STAILQ_INSERT_TAIL(&to->held, h, link);
	return true;
}

static bool
turn(struct fault_channel *f, struct pollfd *p, char *room)
{
	bool goes_on = !f->is_over;

	for (int i = 0; i < 2 && goes_on; i++)
		if (!f->is_stalled && p[i].revents)
			goes_on = take_one(f, i, room);
	for (int i = 0; i < 2 && !f->is_stalled; i++)
		send_due(&f->sides[i]);
	return goes_on;
}

static void *
run_fault_channel(void *arg)
{
	struct fault_channel *f = arg;
	char *room = mem_new(WIRE_PACKET_MAX);
	bool goes_on = true;

	while (goes_on) {
		struct pollfd p[2] = {{f->sides[0].fd, POLLIN, 0}, {f->sides[1].fd, POLLIN, 0}};
		bool is_stalled;

		pthread_mutex_lock(&f->lock);
		is_stalled = f->is_stalled;
		pthread_mutex_unlock(&f->lock);
		(void)poll(p, is_stalled ? 0 : 2, TICK_MS);
		pthread_mutex_lock(&f->lock);
		goes_on = turn(f, p, room);
		pthread_mutex_unlock(&f->lock);
	}
	shutdown(f->sides[0].fd, SHUT_RDWR);
	shutdown(f->sides[1].fd, SHUT_RDWR);
	mem_free(room);
	return NULL;
}

/* ---- life ---- */

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
		STAILQ_INIT(&f->sides[i].held);
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
	struct held *h;

	if (!f)
		return;
	*p = NULL;
	pthread_mutex_lock(&f->lock);
	f->is_over = true;
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->thread, NULL);
	for (int i = 0; i < 2; i++) {
		while ((h = STAILQ_FIRST(&f->sides[i].held))) {
			STAILQ_REMOVE_HEAD(&f->sides[i].held, link);
			held_free(h);
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
