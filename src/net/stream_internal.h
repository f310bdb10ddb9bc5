/*
 * stream_internal: the internals of a stream, for the files stream*.c only.  A stream is a state
 * machine: one state, one function that changes it (stream_enter), one table (stream_table.c) with
 * the handling of each event in each state, and a set of facts that are not reported to the owner
 * yet or not handled yet.  The wake-up event is active exactly while stream_due returns a fact.
 */
#ifndef NET_STREAM_INTERNAL_H
#define NET_STREAM_INTERNAL_H

#include <event2/event_struct.h>

#include "net/stream.h"
#include "net/tls_session.h"

enum stream_state {
	STREAM_CONNECTING,  /* until the kernel reports whether the connection is established */
	STREAM_OPEN,        /* plain bytes */
	STREAM_SECURING,    /* the TLS handshake */
	STREAM_SECURED,     /* TLS */
	/* the peer has ended (EOF, TRUNCATED), which is reported when the owner reads; may still
	 * send */
	STREAM_HALF_CLOSED,
	STREAM_FINISHING,   /* the owner has finished: sends the rest, discards input */
	STREAM_CLOSING,     /* all is sent; waits for the end of the peer */
	STREAM_FLUSHING,    /* the owner has finished and the peer has ended: sends the rest */
	STREAM_SEND_FAILED, /* a send failed: what the peer sent before is read once */
	STREAM_ENDING,      /* the end must be reported to the owner */
	STREAM_ENDED,       /* it is reported; only stream_free may follow */
};

/* Why the output cannot be sent at once. */
enum stream_sending {
	SENDING_FREE,    /* nothing */
	SENDING_TICKET,  /* only a ticket: it is sent with the next output */
	SENDING_BLOCKED, /* the kernel accepts no more: write_event is added */
};

enum stream_fact {
	FACT_CONNECTED = 1, /* to be reported: */
	FACT_SECURED = 2,
	FACT_INPUT = 4,
	FACT_DRAINED = 8,
	FACT_END = 16,
	FACT_STALLED = 32,    /* to be handled: the TLS session holds more than was shown */
	FACT_FINAL_INPUT = 64, /* to be handled: read the socket for the last time */
};

enum stream_life { LIFE_IDLE, LIFE_BUSY, LIFE_FREED };

enum {
	STREAM_INPUT_CAP = STREAM_INPUT_MAX + (96 << 10),  /* the last read may exceed the limit */
	STREAM_OUTPUT_CAP = STREAM_OUTPUT_MAX + (2 << 20), /* with the overhead of TLS */
};

struct stream {
	const struct stream_events *events;
	void *arg;
	struct tls_session *tls_session;
	struct event read_event, write_event, timer_event, wake_event;
	struct buf input;   /* shown to the owner, */
	size_t input_at;    /* except for the part that it dropped */
	struct buf written; /* not flushed */
	struct buf output;  /* flushed; TLS: records */
	size_t output_at;
	int64_t deadline_ms;
	int64_t timer_ms; /* when the timer fires; 0: it is not set */
	const char *text;
	int fd;
	int error;
	uint32_t recent_states; /* the last eight states, four bits each, the newest lowest */
	unsigned char state;   /* enum stream_state; only stream_enter writes it */
	unsigned char sending; /* enum stream_sending */
	unsigned char facts;   /* enum stream_fact */
	unsigned char life;    /* enum stream_life */
	unsigned char end;     /* enum stream_end, from HALF_CLOSED, FLUSHING and SEND_FAILED on */
	unsigned char idle;    /* successive events without effect */
	bool wants_input;      /* set by stream_read */
	bool is_flush_held;    /* a flush waits until the connection or TLS is established */
	bool is_own_limit;     /* deadline_ms is the limit of the state, not the owner's */
	bool has_progress;     /* the current event had an effect */
};

enum stream_input_rule { INPUT_NEVER, INPUT_WHEN_WANTED, INPUT_ALWAYS };
enum stream_flush_rule { FLUSH_NEVER, FLUSH_LATER, FLUSH_NOW };

/* The handling of the events in a state. */
struct stream_row {
	const char *name;
	unsigned char input; /* enum stream_input_rule: when the socket is read */
	unsigned char flush; /* enum stream_flush_rule; NEVER: output of the owner is discarded */
	unsigned char due_facts; /* facts that a wake-up may report or handle */
	int limit_ms;        /* when the owner sets no deadline; 0: none */
	void (*received)(struct stream *s, struct str bytes);
	void (*peer_ended)(struct stream *s);
	void (*writable)(struct stream *s);
	void (*all_sent)(struct stream *s);
	void (*send_failed)(struct stream *s, int error);
	void (*expired)(struct stream *s);
	void (*finish)(struct stream *s); /* called by stream_finish */
};

/* The limit of such a state when the owner sets no deadline. */
enum { STREAM_LIMIT_MS = 60 * 1000 };

extern const struct stream_row stream_rows[];

/* The row of the current state. */
static inline const struct stream_row *
stream_row(const struct stream *s)
{
	return &stream_rows[s->state];
}

/* The number of input bytes that the owner has not dropped. */
static inline size_t
stream_unread(const struct stream *s)
{
	return s->input.n - s->input_at;
}

/* ---- stream_state.c ---- */

/* Changes the state; nothing else writes it. */
void stream_enter(struct stream *s, enum stream_state state);
/* The facts that can be reported or handled now. */
unsigned char stream_due(const struct stream *s);
/* Makes the wake-up event active when something is due, and inactive when nothing is. */
void stream_wake(struct stream *s);
/* Adds a fact, and wakes the stream if needed. */
void stream_add_fact(struct stream *s, enum stream_fact fact);
/* EOF or TRUNCATED: reported when the owner reads. */
void stream_end_of_input(struct stream *s, enum stream_end why, const char *text);
/* Reported in the next turn of the loop.  The first end counts. */
void stream_end_now(struct stream *s, enum stream_end why, const char *text);
void stream_end_errno(struct stream *s, int error);
/* A send failed: the same, but what the peer sent before may still be there to read. */
void stream_end_after_final_input(struct stream *s, int error);
/* Sets the timer for the deadline or the limit of the state. */
void stream_set_timer(struct stream *s, int64_t now_ms);

/* ---- stream_input.c ---- */

/* Should the socket be read in this state? */
bool stream_wants_input(const struct stream *s);
/* Adds the read event if input is wanted; stream_disarm removes it. */
void stream_arm(struct stream *s);
void stream_disarm(struct stream *s);
/* Receives once from the socket, and handles the bytes, the end or the error. */
void stream_receive(struct stream *s);
/* The functions of the table for received bytes and the end of the peer. */
void stream_received_plain(struct stream *s, struct str bytes);
void stream_received_records(struct stream *s, struct str bytes);
void stream_received_handshake(struct stream *s, struct str bytes);
void stream_ended_records(struct stream *s);
void stream_ended_handshake(struct stream *s);
/* Decrypts into the input, until it is full. */
void stream_decrypt(struct stream *s);
/* Continues the handshake. */
void stream_handshake(struct stream *s);
/* Reads the socket for the last time, after a failed send. */
void stream_read_final_input(struct stream *s);

/* ---- stream_output.c ---- */

/* Waits until the socket is writable. */
void stream_block(struct stream *s);
/* Sends the flushed output as far as the kernel accepts it. */
void stream_send(struct stream *s);
/* Moves the written output to the output to be sent; false: there is none, or it has to wait. */
bool stream_move(struct stream *s);
/* After a failure in the TLS session: ends the stream, and tries once to send the alert. */
void stream_tls_session_failed(struct stream *s);

/* ---- stream_loop.c ---- */

/* Creates the four events of a stream whose descriptor is set. */
void stream_loop_init(struct stream *s, struct event_base *base);
/* Frees everything except the descriptor and the events. */
void stream_destroy(struct stream *s);

#endif
