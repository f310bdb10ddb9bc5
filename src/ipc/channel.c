/*
 * channel: see the header.  Sending tries the kernel first and queues what it does not take.  A
 * dead channel tells its owner from the loop only.
 */
#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ipc/wire.h"

enum {
	TURNS = 8, /* batches of packets in one turn of the loop */
	SLOT_BITS = 20, /* of a call's number: slot; above: how often the slot was used */
	CALLS_MAX = 1 << SLOT_BITS,
};

struct waiting {
	STAILQ_ENTRY(waiting) link;
	int fd;
	size_t n;
	char bytes[];
};

struct call {
	answer_fn *fn; /* NULL: free */
	void *arg;
	uint32_t uses;
	uint32_t next_free;
};

struct channel {
	int fd;
	struct event *readable;
	struct event *writable;
	channel_fn *fn;
	channel_lost_fn *lost;
	void *arg;
	STAILQ_HEAD(, waiting) queue;
	size_t waiting_bytes;
	struct call *calls;
	uint32_t call_count;
	uint32_t first_free; /* index + 1; 0: none */
	struct buf out;
	char *in;
	bool is_dead;
	bool is_deaf; /* the peer takes no more; what it said before is still read */
	bool holds_secret; /* in `in` */
	bool *freed; /* set by channel_free during a turn of the loop */
};

/* ---- sending ---- */

static void
drop_waiting(struct channel *c)
{
	struct waiting *w = STAILQ_FIRST(&c->queue);

	STAILQ_REMOVE_HEAD(&c->queue, link);
	c->waiting_bytes -= w->n;
	if (w->fd >= 0)
		close(w->fd);
	if (wire_is_secret(str_make(w->bytes, w->n)))
		mem_wipe(w->bytes, w->n);
	mem_free(w);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct channel *c = arg;
	struct waiting *w;

	(void)fd;
	(void)what;
	while ((w = STAILQ_FIRST(&c->queue))) {
		if (wire_send(c->fd, str_make(w->bytes, w->n), w->fd) != 0) {
			if (errno != EAGAIN && errno != ENOBUFS)
				c->is_deaf = true;
			else
				event_add(c->writable, NULL);
			return;
		}
		drop_waiting(c);
	}
}

static int
wait_for_room(struct channel *c, struct str packet, int fd)
{
	struct waiting *w;

	if (c->waiting_bytes + packet.n > CHANNEL_WAITING_MAX)
		return -1;
	w = mem_new(sizeof *w + packet.n);
	w->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
	if (fd >= 0 && w->fd < 0) {
		mem_free(w);
		return -1;
	}
	w->n = packet.n;
	memcpy(w->bytes, packet.p, packet.n);
	STAILQ_INSERT_TAIL(&c->queue, w, link);
	c->waiting_bytes += packet.n;
	event_add(c->writable, NULL);
	return 0;
}

static int
send_packet(struct channel *c, struct str packet, int fd)
{
	if (!STAILQ_EMPTY(&c->queue))
		return wait_for_room(c, packet, fd);
	if (wire_send(c->fd, packet, fd) == 0)
		return 0;
	if (errno == EAGAIN || errno == ENOBUFS)
		return wait_for_room(c, packet, fd);
	c->is_deaf = true;
	return -1;
}

static int
say(struct channel *c, uint32_t call, bool is_answer, const struct packet *p, const void *message)
{
	int r = -1;

	if (c->is_dead || c->is_deaf)
		return -1;
	if (wire_pack(&c->out, call, is_answer, p->type, message))
		r = send_packet(c, buf_str(&c->out), p->fd);
	if (message_is_secret(p->type) && c->out.p)
		mem_wipe(c->out.p, c->out.n);
	return r;
}

int
channel_send(struct channel *c, enum message_type type, const void *message, int fd)
{
	return say(c, 0, false, &(struct packet){.type = type, .fd = fd}, message);
}

int
channel_answer(
    struct channel *c, uint32_t call, enum message_type type, const void *message, int fd)
{
	return say(c, call, true, &(struct packet){.type = type, .fd = fd}, message);
}

/* ---- calls ---- */

static uint32_t
slot_of(uint32_t call)
{
	return call & (CALLS_MAX - 1);
}

/* The open call of that number, or NULL. */
static struct call *
call_find(struct channel *c, uint32_t call)
{
	struct call *k = slot_of(call) < c->call_count ? &c->calls[slot_of(call)] : NULL;

	return k && k->fn && k->uses << SLOT_BITS == (call & ~(uint32_t)(CALLS_MAX - 1)) ? k : NULL;
}

static void
more_slots(struct channel *c)
{
	uint32_t count = c->call_count ? c->call_count * 2 : 64;

	if (count > CALLS_MAX)
		die("more than %d open calls on a channel", CALLS_MAX);
	c->calls = mem_grow(c->calls, count * sizeof *c->calls);
	for (uint32_t i = count; i-- > c->call_count;) {
		c->calls[i] = (struct call){.next_free = c->first_free};
		c->first_free = i + 1;
	}
	c->call_count = count;
}

static uint32_t
call_open(struct channel *c, answer_fn *fn, void *arg)
{
	struct call *k;
	uint32_t slot;

	if (c->first_free == 0)
		more_slots(c);
	slot = c->first_free - 1;
	k = &c->calls[slot];
	c->first_free = k->next_free;
	k->fn = fn;
	k->arg = arg;
	/* 12 bits, never 0: no call has the number 0 */
	k->uses = k->uses % 4095 + 1;
	return k->uses << SLOT_BITS | slot;
}

static void
call_close(struct channel *c, struct call *k)
{
	k->fn = NULL;
	k->next_free = c->first_free;
	c->first_free = (uint32_t)(k - c->calls) + 1;
}

uint32_t
channel_ask(struct channel *c, enum message_type type, const void *message, answer_fn *fn,
    void *arg)
{
	uint32_t call = call_open(c, fn, arg);

	if (say(c, call, false, &(struct packet){.type = type, .fd = -1}, message) == 0)
		return call;
	call_close(c, call_find(c, call));
	return 0;
}

void
channel_cancel(struct channel *c, uint32_t call)
{
	struct call *k = call_find(c, call);

	if (k)
		call_close(c, k);
}

/* ---- receiving ---- */

static void
close_all_calls(struct channel *c, bool *freed)
{
	for (uint32_t i = 0; i < c->call_count && !*freed; i++) {
		struct call k = c->calls[i];

		if (!k.fn)
			continue;
		call_close(c, &c->calls[i]);
		k.fn(NULL, k.arg);
	}
}

static void
tell_lost(struct channel *c)
{
	bool freed = false;

	c->is_dead = true;
	event_del(c->readable);
	event_del(c->writable);
	c->freed = &freed;
	close_all_calls(c, &freed);
	if (freed)
		return;
	c->freed = NULL;
	c->lost(c, c->arg);
}

static void
hear_answer(struct channel *c, const struct packet *p)
{
	struct call *k = call_find(c, p->call);
	struct call copy;

	if (!k) {
		if (p->fd >= 0)
			close(p->fd);
		return;
	}
	copy = *k;
	if (p->type != MESSAGE_ADMIN_ROW)
		call_close(c, k);
	copy.fn(p, copy.arg);
}

/* False: what came is no packet of ours. */
static bool
hear(struct channel *c, struct str bytes, int fd)
{
	union message message;
	struct packet p = {.message = &message, .fd = fd};
	bool is_answer;

	if (!wire_head(bytes, &p.call, &is_answer) ||
	    !message_decode(str_from(bytes, WIRE_HEAD_BYTES), &p.type, &message))
		return false;
	if (is_answer)
		hear_answer(c, &p);
	else
		c->fn(c, &p, c->arg);
	return true;
}

/* What came after the channel died or was freed finds no one. */
static void
hear_all(struct channel *c, const struct wire_packet *got, int count, const bool *freed)
{
	for (int i = 0; i < count; i++) {
		if (!*freed && !c->is_dead) {
			if (!hear(c, got[i].bytes, got[i].fd) && !*freed)
				c->is_dead = true;
		} else if (got[i].fd >= 0) {
			close(got[i].fd);
		}
	}
}

static void
note_secrets(struct channel *c, const struct wire_packet *got, int count)
{
	for (int i = 0; i < count; i++)
		c->holds_secret |= wire_is_secret(got[i].bytes);
}

static void
wipe_secrets(struct channel *c, const struct wire_packet *got, int count)
{
	for (int i = 0; i < count && c->holds_secret; i++)
		if (wire_is_secret(got[i].bytes))
			mem_wipe((char *)got[i].bytes.p, got[i].bytes.n);
	c->holds_secret = false;
}

static void
on_readable(evutil_socket_t socket_fd, short what, void *arg)
{
	struct wire_packet got[WIRE_BATCH];
	struct channel *c = arg;
	bool freed = false;
	int n = WIRE_BATCH;

	(void)what;
	c->freed = &freed;
	for (int i = 0; i < TURNS && n == WIRE_BATCH && !c->is_dead; i++) {
		n = wire_receive(socket_fd, c->in, WIRE_PACKET_MAX, got, WIRE_BATCH);
		if (n < 0 && errno != EAGAIN)
			c->is_dead = true;
		note_secrets(c, got, n);
		hear_all(c, got, n, &freed);
		if (freed)
			return;
		wipe_secrets(c, got, n);
	}
	c->freed = NULL;
	if (c->is_dead)
		tell_lost(c);
}

/* ---- life ---- */

struct channel *
channel_new(struct event_base *base, int fd, channel_fn *fn, channel_lost_fn *lost, void *arg)
{
	struct channel *c = MEM_NEW(struct channel);

	*c = (struct channel){.fd = fd, .fn = fn, .lost = lost, .arg = arg};
	evutil_make_socket_nonblocking(fd);
	STAILQ_INIT(&c->queue);
	buf_init(&c->out, WIRE_PACKET_MAX);
	c->in = mem_grow(NULL, WIRE_BATCH * WIRE_PACKET_MAX); /* not touched before it is needed */
	c->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable = event_new(base, fd, EV_WRITE, on_writable, c);
	if (!c->readable || !c->writable || event_add(c->readable, NULL) != 0)
		die("no event for a channel");
	return c;
}

void
channel_free(struct channel **p)
{
	struct channel *c = *p;

	if (!c)
		return;
	*p = NULL;
	if (c->freed)
		*c->freed = true;
	while (!STAILQ_EMPTY(&c->queue))
		drop_waiting(c);
	event_free(c->readable);
	event_free(c->writable);
	close(c->fd);
	buf_clear(&c->out);
	if (c->holds_secret)
		mem_wipe(c->in, WIRE_BATCH * WIRE_PACKET_MAX);
	mem_free(c->in);
	mem_free(c->calls);
	mem_free(c);
}

void
channel_end(struct channel **p)
{
	struct channel *c = *p;
	bool freed = false;
	bool *outer;

	if (!c)
		return;
	*p = NULL;
	outer = c->freed;
	c->is_dead = true;
	c->freed = &freed;
	close_all_calls(c, &freed);
	if (outer)
		*outer = true;
	c->freed = NULL;
	if (!freed)
		channel_free(&c);
}

size_t
channel_waiting(const struct channel *c)
{
	return c->waiting_bytes;
}

/* ---- the one blocking call ---- */

static bool
is_answer_to(struct str bytes, uint32_t call)
{
	uint32_t number;
	bool is_answer;

	return wire_head(bytes, &number, &is_answer) && is_answer && number == call;
}

/* Waits for the answer; late answers to calls that were given up are passed over. */
static ssize_t
wait_answer(int fd, uint32_t call, int64_t until_us, struct buf *room)
{
	for (;;) {
		int64_t left_ms = (until_us - clock_mono_us()) / 1000;
		struct pollfd p = {.fd = fd, .events = POLLIN};
		size_t size = room->max < WIRE_PACKET_MAX ? room->max : WIRE_PACKET_MAX;
		char *to = buf_room(room, size);
		struct wire_packet got;

		if (!to || left_ms <= 0 || poll(&p, 1, (int)left_ms) <= 0)
			return -1;
		if (wire_receive(fd, to, size, &got, 1) != 1)
			return -1;
		if (got.fd >= 0)
			close(got.fd);
		if (got.bytes.n == 0)
			return -1;
		if (is_answer_to(got.bytes, call))
			return (ssize_t)got.bytes.n;
	}
}

int
channel_call_blocking(int fd, const struct channel_question *q, struct buf *room,
    enum message_type *type_out, union message *out)
{
	int64_t now_us = clock_mono_us();
	uint32_t call = (uint32_t)now_us | 1;
	ssize_t n;

	if (!wire_pack(room, call, false, q->type, q->message) ||
	    wire_send(fd, buf_str(room), -1) != 0)
		return -1;
	buf_reset(room);
	n = wait_answer(fd, call, now_us + (int64_t)q->timeout_ms * 1000, room);
	if (n < 0)
		return -1;
	room->n = (size_t)n;
	return message_decode(str_from(buf_str(room), WIRE_HEAD_BYTES), type_out, out) ? 0 : -1;
}
