/*
 * intake_room: see the header.
 */
#include "queue/intake_room.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/error_text.h"
#include "base/fsio.h"
#include "base/log.h"
#include "base/metrics.h"
#include "spool/frame.h"
#include "spool/spool_threads.h"

static bool
intake_room_is_sent(const struct queue_peer *peer, const struct message_room *m)
{
	return peer->is_room_sent && peer->room.file_bytes == m->file_bytes &&
	       peer->room.is_full == m->is_full && peer->room.is_failing == m->is_failing;
}

static void
intake_room_send(struct queue_peer *peer, const struct message_room *m)
{
	if (peer->role.kind != ROLE_SUBMISSION || !peer->channel || intake_room_is_sent(peer, m))
		return;
	peer->is_room_sent = channel_send(peer->channel, MESSAGE_ROOM, m, -1) == 0;
	peer->room = *m;
}

static void
intake_room_log(struct queue *q, const char *what)
{
	char text[DISK_SPACE_TEXT_BYTES];
	struct disk_space s;

	spool_space(q->spool, &s);
	log_warn("no room for mail%s: %s: messages%s are answered with 452 until there is more",
	    what, disk_space_format(&s, text), what);
}

/* Logs a change; space that appears only for a moment, until the next message, is not logged. */
static void
intake_room_log_change(struct queue *q, struct intake_room_logged *t, bool is_out, const char *what)
{
	int64_t now_ms = clock_mono_ms();

	if (is_out) {
		t->last_ms = now_ms;
		if (!t->is_logged)
			intake_room_log(q, what);
		t->is_logged = true;
	} else if (t->is_logged && now_ms - t->last_ms >= INTAKE_ROOM_STEADY_MS) {
		t->is_logged = false;
		log_warn("there is room for mail%s again", what);
	}
}

/* When there is no room at all, only that is logged. */
static void
intake_room_log_changes(struct queue *q, const struct message_room *m)
{
	bool is_large_out = m->file_bytes <= MESSAGE_CONTENT_MAX;

	intake_room_log_change(q, &q->no_room, m->is_full, "");
	if (!m->is_full || q->no_room_for_large.is_logged)
		intake_room_log_change(q, &q->no_room_for_large, is_large_out, " above 128 KiB");
}

/* For `sallyport status`. */
static void
intake_room_show_trouble(struct queue *q, int error, const struct message_room *m)
{
	char text[METRICS_TROUBLE_BYTES] = "";

	if (spool_stall_text(q->spool, text, sizeof text))
		; /* the cause is shown, not its consequence */
	else if (fsio_is_full(error))
		snprintf(text, sizeof text,
		    "no room on the disk: messages are answered with 452 until there is");
	else if (error)
		snprintf(text, sizeof text,
		    "the spool cannot be written (%s): no mail is taken or sent",
		    error_text(error));
	else if (m->file_bytes <= MESSAGE_CONTENT_MAX)
		snprintf(text, sizeof text,
		    "no room on the disk for mail above 128 KiB: it is answered with 452 until "
		    "there is");
	metrics_trouble(text);
}

static void
intake_room_on_time(evutil_socket_t fd, short what, void *arg)
{
	struct queue *q = arg;
	uint64_t bytes = spool_bodies_room(q->spool);
	int error = spool_admits(q->spool);
	struct message_room m = {.is_full = fsio_is_full(error)};
	struct queue_peer *peer;

	(void)fd;
	(void)what;
	m.is_failing = error && !m.is_full && error != EAGAIN;
	size_reservations_see_room(&q->size_reservations, bytes);
	/* when the free space is not known, a request for a file gets the error */
	if (bytes < UINT64_MAX)
		bytes =
		    bytes > q->size_reservations.counted ? bytes - q->size_reservations.counted : 0;
	m.file_bytes = bytes < FRAME_BODY_MAX ? bytes : UINT64_MAX;
	intake_room_log_changes(q, &m);
	intake_room_show_trouble(q, m.is_failing || m.is_full ? error : 0, &m);
	LIST_FOREACH(peer, &q->peers, link)
		intake_room_send(peer, &m);
}

void
intake_room_begin(struct queue *q)
{
	struct timeval each = {.tv_sec = INTAKE_ROOM_CHECK_MS / 1000};

	q->room_event = event_new(q->role->base, -1, EV_PERSIST, intake_room_on_time, q);
	evtimer_add(q->room_event, &each);
}

void
intake_room_clear(struct queue *q)
{
	if (q->room_event)
		event_free(q->room_event);
	q->room_event = NULL;
}
