/*
 * stream_table: the handling of each event in each state: received bytes, the end of the peer, a
 * writable socket, all sent, a failed send, the deadline, stream_finish of the owner.  The set of
 * facts of a state is what a wake-up may report in it.
 */
#include <errno.h>
#include <sys/socket.h>

#include "net/stream_internal.h"

static void
stream_connected(struct stream *s)
{
	int error = 0;
	socklen_t size = sizeof error;

	event_del(&s->write_event);
	s->sending = SENDING_FREE;
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		error = errno;
	if (error) {
		stream_end_errno(s, error);
		return;
	}
	stream_enter(s, STREAM_OPEN);
	stream_add_fact(s, FACT_CONNECTED);
	stream_arm(s);
	if (s->is_flush_held)
		stream_flush(s);
}

static void
stream_ignore_bytes(struct stream *s, struct str bytes)
{
	(void)s;
	(void)bytes;
}

static void
stream_ended_plain(struct stream *s)
{
	stream_end_of_input(s, STREAM_EOF, "");
}

static void
stream_ended_finishing(struct stream *s)
{
	s->end = STREAM_EOF;
	stream_enter(s, STREAM_FLUSHING);
}

static void
stream_ended_closing(struct stream *s)
{
	stream_end_now(s, STREAM_EOF, "");
}

static void
stream_all_sent_finishing(struct stream *s)
{
	shutdown(s->fd, SHUT_WR);
	stream_enter(s, STREAM_CLOSING);
}

static void
stream_all_sent_flushing(struct stream *s)
{
	shutdown(s->fd, SHUT_WR);
	stream_end_now(s, s->end, s->text);
}

static void
stream_report_expired(struct stream *s)
{
	if (!s->events->expired || s->is_own_limit) {
		stream_end_now(s, STREAM_EXPIRED, "the deadline passed");
		return;
	}
	stream_deadline(s, 0);
	s->has_progress = true;
	s->events->expired(s, s->arg);
}

static void
stream_expired(struct stream *s)
{
	stream_end_now(s, STREAM_EXPIRED, "the deadline passed");
}

static void
stream_finish_connecting(struct stream *s)
{
	stream_end_now(s, STREAM_EOF, "");
}

/* Discards input and facts that were not reported. */
static void
stream_finish_as(struct stream *s, enum stream_state state)
{
	if (s->tls_session && tls_session_is_established(s->tls_session))
		tls_session_close_notify(s->tls_session);
	buf_clear(&s->input);
	s->input_at = 0;
	s->facts = 0;
	stream_enter(s, state);
	if (s->sending != SENDING_BLOCKED)
		stream_send(s);
	stream_arm(s);
}

static void
stream_finish_open(struct stream *s)
{
	stream_finish_as(s, STREAM_FINISHING);
}

static void
stream_finish_half_closed(struct stream *s)
{
	stream_finish_as(s, STREAM_FLUSHING);
}

/* ---- the table ---- */

#define FACTS_TOLD (FACT_CONNECTED | FACT_SECURED | FACT_INPUT | FACT_DRAINED)

/* clang-format off */
const struct stream_row stream_rows[] = {
	/* name, socket is read, owner's bytes, facts for a wake-up, limit */
[STREAM_CONNECTING] = {"connecting", INPUT_NEVER, FLUSH_LATER, 0, STREAM_LIMIT_MS,
	.writable = stream_connected,
	.expired = stream_report_expired,
	.finish = stream_finish_connecting},
[STREAM_OPEN] = {"open", INPUT_WHEN_WANTED, FLUSH_NOW, FACTS_TOLD, 0,
	.received = stream_received_plain,
	.peer_ended = stream_ended_plain,
	.writable = stream_send,
	.send_failed = stream_end_after_final_input,
	.expired = stream_report_expired,
	.finish = stream_finish_open},
[STREAM_SECURING] = {"securing", INPUT_ALWAYS, FLUSH_LATER, FACTS_TOLD, STREAM_LIMIT_MS,
	.received = stream_received_handshake,
	.peer_ended = stream_ended_handshake,
	.writable = stream_send,
	.send_failed = stream_end_after_final_input,
	.expired = stream_report_expired,
	.finish = stream_finish_open},
[STREAM_SECURED] = {"secured", INPUT_WHEN_WANTED, FLUSH_NOW, FACTS_TOLD | FACT_STALLED, 0,
	.received = stream_received_records,
	.peer_ended = stream_ended_records,
	.writable = stream_send,
	.send_failed = stream_end_after_final_input,
	.expired = stream_report_expired,
	.finish = stream_finish_open},
[STREAM_HALF_CLOSED] = {"half closed", INPUT_NEVER, FLUSH_NOW, FACTS_TOLD | FACT_END, 0,
	.writable = stream_send,
	.send_failed = stream_end_errno,
	.expired = stream_report_expired,
	.finish = stream_finish_half_closed},
[STREAM_FINISHING] = {"finishing", INPUT_ALWAYS, FLUSH_NEVER, 0, STREAM_LIMIT_MS,
	.received = stream_ignore_bytes,
	.peer_ended = stream_ended_finishing,
	.writable = stream_send,
	.all_sent = stream_all_sent_finishing,
	.send_failed = stream_end_errno,
	.expired = stream_expired},
[STREAM_CLOSING] = {"closing", INPUT_ALWAYS, FLUSH_NEVER, 0, STREAM_LIMIT_MS,
	.received = stream_ignore_bytes,
	.peer_ended = stream_ended_closing,
	.expired = stream_expired},
[STREAM_FLUSHING] = {"flushing", INPUT_NEVER, FLUSH_NEVER, 0, STREAM_LIMIT_MS,
	.writable = stream_send,
	.all_sent = stream_all_sent_flushing,
	.send_failed = stream_end_errno,
	.expired = stream_expired},
[STREAM_SEND_FAILED] = {"send failed", INPUT_NEVER, FLUSH_NEVER, FACT_FINAL_INPUT, 0,
	.expired = stream_expired},
[STREAM_ENDING] = {"ending", INPUT_NEVER, FLUSH_NEVER, FACTS_TOLD | FACT_END, 0,
	.expired = stream_expired},
[STREAM_ENDED] = {"ended", INPUT_NEVER, FLUSH_NEVER, 0, 0,
	.expired = stream_expired},
};
/* clang-format on */
