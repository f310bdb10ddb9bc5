/*
 * channel: a message is sent directly to the kernel if nothing waits, and queued otherwise, so the
 * order stays. The loss of a channel is reported to its owner from the loop only. Each callback may
 * free the channel: `freed` tells the turn of the loop. Packets with secrets are wiped after use.
 */
#include "ipc/channel.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "ipc/channel_unsent.h"
#include "ipc/requests.h"
#include "ipc/wire.h"

enum {
	TURNS = 8, /* batches of packets read in one turn of the loop */
	LAST_TURNS = 256, /* when nothing can be sent any more: more than a socket buffer holds */
	NO_MEMORY_MS = 10,  /* the kernel has no memory: the next try is after this time */
};

struct channel {
	int fd;
	struct event *readable;
	struct event *writable;
	struct event *timer; /* for the deadlines of the requests */
	struct event *deferred;  /* closes a channel that cannot send, or tries to send again */
	channel_fn *fn;
	channel_lost_fn *lost;
	channel_emptied_fn *emptied; /* or NULL */
	void *arg;
	STAILQ_HEAD(, channel_unsent) queue;
	size_t waiting_bytes;
	struct requests requests;
	struct buf out;
	char *in;
	bool is_dead;
	bool is_send_closed; /* the peer accepts no more; what it sent before is still read */
	bool holds_secret; /* `in` holds a secret */
	bool *freed; /* set by channel_free during a turn of the loop */
};

/* ---- sending ---- */

static void
channel_drop_unsent(struct channel *c)
{
	struct channel_unsent *w = STAILQ_FIRST(&c->queue);

	STAILQ_REMOVE_HEAD(&c->queue, link);
	c->waiting_bytes -= w->n;
	channel_unsent_free(w);
}

/* A channel that has lost a message cannot go on: what the peer sent is still read, then it
 * closes. */
static void
channel_stop_sending(struct channel *c, const char *why)
{
	struct timeval now = {0};

	if (c->is_send_closed)
		return;
	c->is_send_closed = true;
	if (why)
		log_error("a channel to another process is closed: %s", why);
	while (!STAILQ_EMPTY(&c->queue))
		channel_drop_unsent(c);
	event_del(c->writable);
	evtimer_add(c->deferred, &now);
}

/* 0; EAGAIN: try again when `writable` fires; or the errno for which the channel closes.  *fd is -1
 * when the packet is marked as one that has lost its descriptor: it must not arrive with it later.
 */
static int
channel_send_now(struct channel *c, char *bytes, size_t n, int *fd)
{
	struct timeval delay = {0, NO_MEMORY_MS * 1000};
	int error = wire_send(c->fd, str_make(bytes, n), *fd) == 0 ? 0 : errno;

	if (error_text_is_descriptors(error) || error == EBADF) {
		channel_unsent_lose_fd(bytes, error);
		*fd = -1;
		error = wire_send(c->fd, str_make(bytes, n), -1) == 0 ? 0 : errno;
	}
	if (error == 0)
		return 0;
	if (error == EAGAIN)
		event_add(c->writable, NULL);
	else if (error == ENOBUFS || error == ENOMEM) /* the socket may count as writable */
		evtimer_add(c->deferred, &delay);
	else
		channel_stop_sending(
		    c, error == EPIPE || error == ECONNRESET ? NULL : error_text(error));
	return error == ENOBUFS || error == ENOMEM ? EAGAIN : error;
}

static int
channel_send_first_unsent(struct channel *c, struct channel_unsent *w)
{
	int fd = w->fd, error = channel_send_now(c, w->bytes, w->n, &fd);

	if (c->is_send_closed) /* w is freed, with its descriptor */
		return error;
	if (fd < 0 && w->fd >= 0)
		close(w->fd);
	w->fd = fd;
	return error;
}

static void
channel_send_unsent(struct channel *c)
{
	struct channel_unsent *w;

	while ((w = STAILQ_FIRST(&c->queue)) && channel_send_first_unsent(c, w) == 0)
		channel_drop_unsent(c);
	if (!w && !c->is_send_closed && c->emptied)
		c->emptied(c->arg);
}

static void
on_channel_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	channel_send_unsent(arg);
}

static int
channel_keep_unsent(struct channel *c, struct str packet, int fd)
{
	struct channel_unsent *w;

	if (c->waiting_bytes + packet.n > CHANNEL_WAITING_MAX) {
		channel_stop_sending(
		    c, "the other process does not read, and too much waits for it");
		return -1;
	}
	w = channel_unsent_new(packet, fd);
	STAILQ_INSERT_TAIL(&c->queue, w, link);
	c->waiting_bytes += packet.n;
	return 0;
}

static int
channel_send_packet(struct channel *c, struct buf *packet, int fd)
{
	int error = EAGAIN;

	if (STAILQ_EMPTY(&c->queue))
		error = channel_send_now(c, packet->p, packet->n, &fd);
	if (error == EAGAIN)
		return channel_keep_unsent(c, buf_str(packet), fd);
	return error ? -1 : 0;
}

static int
channel_pack_and_send(struct channel *c, const struct wire_head *head,
    const struct channel_packet *p, const void *message)
{
	int r = -1;

	if (c->is_dead || c->is_send_closed)
		return -1;
	if (wire_pack(&c->out, head, p->type, message))
		r = channel_send_packet(c, &c->out, p->fd);
	else
		log_error("%s is too large for a channel", message_name(p->type));
	if (message_is_secret(p->type) && c->out.p)
		mem_wipe(c->out.p, c->out.n);
	return r;
}

int
channel_send(struct channel *c, enum message_type type, const void *message, int fd)
{
	struct wire_head head = {0, WIRE_MESSAGE, false};

	return channel_pack_and_send(
	    c, &head, &(struct channel_packet){.type = type, .fd = fd}, message);
}

int
channel_ask(struct channel *c, uint64_t request, enum message_type type, const void *message)
{
	struct wire_head head = {request, WIRE_MESSAGE, false};

	return channel_pack_and_send(
	    c, &head, &(struct channel_packet){.type = type, .fd = -1}, message);
}

int
channel_answer(
    struct channel *c, uint64_t call, enum message_type type, const void *message, int fd)
{
	struct wire_head head = {call, WIRE_ANSWER, false};

	if (call == 0)
		return 0;
	if (channel_pack_and_send(
	        c, &head, &(struct channel_packet){.type = type, .fd = fd}, message) == 0)
		return 0;
	channel_refuse(c, call);
	return -1;
}

void
channel_refuse(struct channel *c, uint64_t call)
{
	struct wire_head head = {call, WIRE_REFUSAL, false};

	if (call)
		(void)!channel_pack_and_send(
		    c, &head, &(struct channel_packet){.type = MESSAGE_NONE, .fd = -1}, NULL);
}

/* ---- receiving ---- */

static void
channel_report_lost(struct channel *c)
{
	bool freed = false;

	c->is_dead = true;
	event_del(c->readable);
	event_del(c->writable);
	event_del(c->deferred);
	c->freed = &freed;
	requests_lose(&c->requests, &freed);
	if (freed)
		return;
	c->freed = NULL;
	c->lost(c, c->arg);
}

static void
channel_handle_answer(
    struct channel *c, struct channel_packet *p, struct str bytes, enum wire_kind kind)
{
	if (kind == WIRE_REFUSAL || !message_decode(bytes, &p->type, p->message))
		p->type = MESSAGE_NONE;
	requests_answered(&c->requests, p);
}

/* False: the bytes are not a valid packet. */
static bool
channel_handle_packet(struct channel *c, const struct wire_packet *w)
{
	union message message;
	struct channel_packet p = {.message = &message, .fd = w->fd};
	struct str bytes = str_from(w->bytes, WIRE_HEAD_BYTES);
	struct wire_head head;
	bool is_valid = !w->is_invalid && wire_head(w->bytes, &head);

	if (is_valid) {
		p.call = head.request;
		p.is_fd_lost = w->is_fd_lost || head.is_fd_lost;
		if (w->is_fd_lost)
			metrics_lacks_descriptors();
	}
	if (is_valid && head.kind != WIRE_MESSAGE) {
		channel_handle_answer(c, &p, bytes, head.kind);
		return true;
	}
	if (is_valid && message_decode(bytes, &p.type, &message)) {
		c->fn(c, &p, c->arg);
		return true;
	}
	if (p.fd >= 0)
		close(p.fd);
	if (w->bytes.n > 0)
		log_error(
		    "a channel to another process is closed: what came from it is not a valid "
		    "message");
	return false;
}

/* Handles a packet, unless the channel was closed or freed since it was received. */
static void
channel_handle_packets(
    struct channel *c, const struct wire_packet *got, int count, const bool *freed)
{
	for (int i = 0; i < count; i++) {
		if (!*freed && !c->is_dead) {
			if (!channel_handle_packet(c, &got[i]) && !*freed)
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
channel_receive(struct channel *c, int turns, const bool *freed)
{
	struct wire_packet got[WIRE_BATCH];
	int n = WIRE_BATCH;

	for (int i = 0; i < turns && n == WIRE_BATCH && !c->is_dead; i++) {
		n = wire_receive(c->fd, c->in, WIRE_PACKET_MAX, got, WIRE_BATCH);
		if (n < 0 && errno != EAGAIN)
			c->is_dead = true;
		note_secrets(c, got, n);
		channel_handle_packets(c, got, n, freed);
		if (*freed)
			return;
		wipe_secrets(c, got, n);
	}
}

/* False: the channel was freed. */
static bool
channel_receive_all(struct channel *c, int turns)
{
	bool freed = false;

	c->freed = &freed;
	channel_receive(c, turns, &freed);
	if (!freed)
		c->freed = NULL;
	return !freed;
}

static void
on_channel_readable(evutil_socket_t fd, short what, void *arg)
{
	struct channel *c = arg;

	(void)fd;
	(void)what;
	if (channel_receive_all(c, TURNS) && c->is_dead)
		channel_report_lost(c);
}

static void
on_channel_soon(evutil_socket_t fd, short what, void *arg)
{
	struct channel *c = arg;

	(void)fd;
	(void)what;
	if (!c->is_send_closed)
		channel_send_unsent(c);
	else if (channel_receive_all(c, LAST_TURNS))
		channel_report_lost(c);
}

static void
on_channel_timer(evutil_socket_t fd, short what, void *arg)
{
	struct channel *c = arg;
	bool freed = false;

	(void)fd;
	(void)what;
	c->freed = &freed;
	requests_expire(&c->requests, &freed);
	if (!freed)
		c->freed = NULL;
}

/* ---- creation and end ---- */

struct channel *
channel_new(struct event_base *base, int fd, channel_fn *fn, channel_lost_fn *lost, void *arg)
{
	struct channel *c = MEM_NEW(struct channel);

	*c = (struct channel){.fd = fd, .fn = fn, .lost = lost, .arg = arg};
	evutil_make_socket_nonblocking(fd);
	STAILQ_INIT(&c->queue);
	buf_init(&c->out, WIRE_PACKET_MAX);
	/* its pages are not used before they are needed */
	c->in = mem_grow(NULL, WIRE_BATCH * WIRE_PACKET_MAX);
	c->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_channel_readable, c);
	c->writable = event_new(base, fd, EV_WRITE, on_channel_writable, c);
	c->timer = evtimer_new(base, on_channel_timer, c);
	c->deferred = evtimer_new(base, on_channel_soon, c);
	if (!c->readable || !c->writable || !c->timer || !c->deferred ||
	    event_add(c->readable, NULL) != 0)
		die("no event for a channel");
	requests_init(&c->requests, c->timer);
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
	requests_clear(&c->requests);
	while (!STAILQ_EMPTY(&c->queue))
		channel_drop_unsent(c);
	event_free(c->readable);
	event_free(c->writable);
	event_free(c->timer);
	event_free(c->deferred);
	close(c->fd);
	buf_clear(&c->out);
	if (c->holds_secret)
		mem_wipe(c->in, WIRE_BATCH * WIRE_PACKET_MAX);
	mem_free(c->in);
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
	requests_lose(&c->requests, &freed);
	if (outer)
		*outer = true;
	c->freed = NULL;
	if (!freed)
		channel_free(&c);
}

bool
channel_is_open(const struct channel *c)
{
	return !c->is_dead && !c->is_send_closed;
}

void
channel_step_timeout(struct channel *c, int64_t ms)
{
	c->requests.step_timeout_ms = ms;
}

void
channel_take_late(struct channel *c, channel_late_fn *fn, void *arg)
{
	c->requests.late = fn;
	c->requests.late_arg = arg;
}

struct requests *
channel_requests(struct channel *c)
{
	return &c->requests;
}

size_t
channel_waiting(const struct channel *c)
{
	return c->waiting_bytes;
}

void
channel_on_emptied(struct channel *c, channel_emptied_fn *fn)
{
	c->emptied = fn;
}
