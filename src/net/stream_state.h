/*
 * stream_state: the inside of a stream, for the files stream*.c only.  A stream is a machine: one
 * state, one function that changes it (stream_enter), one table (stream_table.c) of
 * what each event does in each state, and a list of facts that the owner has not heard or that
 * are still to be done.  The wake-up event is active exactly while stream_due names a fact.
 */
#ifndef NET_STREAM_STATE_H
#define NET_STREAM_STATE_H

#include <event2/event_struct.h>

#include "net/stream.h"
#include "net/tls_session.h"

enum stream_state {
	STREAM_CONNECTING,  /* until the kernel says whether the connection stands */
	STREAM_OPEN,        /* plain bytes */
	STREAM_SECURING,    /* the TLS handshake */
	STREAM_SECURED,     /* TLS */
	STREAM_HALF_CLOSED, /* the peer ended (EOF, CUT), which waits for the reader; may still send
	                     */
	STREAM_FINISHING,   /* the owner has finished: sends the rest, input is dropped */
	STREAM_CLOSING,     /* the rest is sent; waits for the peer's end */
	STREAM_FLUSHING,    /* the owner has finished and the peer has ended: sends the rest */
	STREAM_SEND_FAILED, /* a send failed: what the peer said before is read once */
	STREAM_ENDING,      /* the owner is to hear the end */
	STREAM_ENDED,       /* it has; only stream_free is left */
};

/* What hinders the output from being sent at once. */
enum stream_sending {
	SENDING_FREE,    /* nothing */
	SENDING_TICKET,  /* it is only a ticket: it goes with the next words */
	SENDING_BLOCKED, /* the kernel takes no more: write_event is added */
};

enum stream_fact {
	FACT_CONNECTED = 1, /* to be told: */
	FACT_SECURED = 2,
	FACT_INPUT = 4,
	FACT_DRAINED = 8,
	FACT_END = 16,
	FACT_STALLED = 32,    /* to be done: the tunnel holds more than was shown */
	FACT_FINAL_INPUT = 64, /* to be done: read the socket for the last time */
};

enum stream_life { LIFE_IDLE, LIFE_BUSY, LIFE_FREED };

enum {
	STREAM_INPUT_CAP = STREAM_INPUT_MAX + (96 << 10),  /* the last read may pass the mark */
	STREAM_OUTPUT_CAP = STREAM_OUTPUT_MAX + (2 << 20), /* with what TLS adds */
};

struct stream {
	const struct stream_events *events;
	void *arg;
	struct tls_session *tunnel;
	struct event read_event, write_event, timer_event, wake_event;
	struct buf input;   /* shown to the owner, */
	size_t input_at;    /* but for what it dropped */
	struct buf written; /* not flushed */
	struct buf output;  /* flushed; TLS: records */
	size_t output_at;
	int64_t deadline_ms;
	int64_t timer_ms; /* when the timer fires; 0: it does not */
	const char *text;
	int fd;
	int error;
	uint32_t trail;        /* the last eight states, four bits each, the newest lowest */
	unsigned char state;   /* enum stream_state; written by stream_enter */
	unsigned char sending; /* enum stream_sending */
	unsigned char facts;   /* enum stream_fact */
	unsigned char life;    /* enum stream_life */
	unsigned char end;     /* enum stream_end, from HALF_CLOSED, FLUSHING and SEND_FAILED on */
	unsigned char idle;    /* events in a row that did nothing */
	bool wants_input;      /* the owner's word */
	bool is_flush_held;    /* a flush waits until the connection or TLS stands */
	bool is_own_limit;     /* deadline_ms is the state's own limit, not the owner's */
	bool has_progress;     /* of the event that runs */
};

enum stream_input_rule { INPUT_NEVER, INPUT_WHEN_WANTED, INPUT_ALWAYS };
enum stream_flush_rule { FLUSH_NEVER, FLUSH_LATER, FLUSH_NOW };

/* What happens in a state. */
struct stream_row {
	const char *name;
	unsigned char input; /* enum stream_input_rule: when the socket is read */
	unsigned char flush; /* enum stream_flush_rule; NEVER: the owner's bytes are dropped */
	unsigned char tells; /* facts that a wake-up may tell or do */
	int limit_ms;        /* when the owner sets no deadline; 0: none */
	void (*received)(struct stream *s, struct str bytes);
	void (*peer_ended)(struct stream *s);
	void (*writable)(struct stream *s);
	void (*all_sent)(struct stream *s);
	void (*send_failed)(struct stream *s, int error);
	void (*expired)(struct stream *s);
	void (*finish)(struct stream *s); /* the owner's call */
};

/* How long such a state lasts when the owner sets no deadline. */
enum { STREAM_LIMIT_MS = 60 * 1000 };

extern const struct stream_row stream_rows[];

static inline const struct stream_row *
stream_row(const struct stream *s)
{
	return &stream_rows[s->state];
}

static inline size_t
stream_unread(const struct stream *s)
{
	return s->input.n - s->input_at;
}

/* ---- stream_state.c ---- */

/* The one writer of the state. */
void stream_enter(struct stream *s, enum stream_state state);
/* The facts that can be told or done now. */
unsigned char stream_due(const struct stream *s);
/* Makes the wake-up event active when something is due, and inactive when nothing is. */
void stream_wake(struct stream *s);
void stream_add_fact(struct stream *s, enum stream_fact fact);
/* EOF or CUT: the owner hears it when it reads. */
void stream_end_of_input(struct stream *s, enum stream_end why, const char *text);
/* The owner hears it as soon as the loop turns.  The first end counts. */
void stream_end_now(struct stream *s, enum stream_end why, const char *text);
void stream_end_errno(struct stream *s, int error);
/* A send failed: the same, but what the peer said before may still be there to read. */
void stream_end_after_final_input(struct stream *s, int error);
void stream_set_timer(struct stream *s, int64_t now_ms);

/* ---- stream_input.c ---- */

bool stream_wants_input(const struct stream *s);
/* Listens to the socket when input is wanted. */
void stream_arm(struct stream *s);
void stream_disarm(struct stream *s);
void stream_receive(struct stream *s);
void stream_received_plain(struct stream *s, struct str bytes);
void stream_received_records(struct stream *s, struct str bytes);
void stream_received_handshake(struct stream *s, struct str bytes);
void stream_ended_records(struct stream *s);
void stream_ended_handshake(struct stream *s);
void stream_decrypt(struct stream *s);
void stream_handshake(struct stream *s);
void stream_read_final_input(struct stream *s);

/* ---- stream_output.c ---- */

/* Waits until the socket can be written. */
void stream_block(struct stream *s);
void stream_send(struct stream *s);
/* What the owner wrote is ready to be sent; false: nothing is, or it has to wait. */
bool stream_move(struct stream *s);
/* After a failure inside the tunnel: ends, and tries once to send the alert. */
void stream_tls_session_failed(struct stream *s);

/* ---- stream_loop.c ---- */

/* The four events of a stream whose descriptor is set. */
void stream_loop_init(struct stream *s, struct event_base *base);
/* Frees all but the descriptor and events. */
void stream_destroy(struct stream *s);

#endif
