/*
 * stream_loop: the inside of a stream, for stream.c only: what happens on the loop (reading,
 * decrypting, sending) and how the owner hears of it.
 */
#ifndef NET_STREAM_LOOP_H
#define NET_STREAM_LOOP_H

#include <event2/event_struct.h>

#include "net/stream.h"
#include "net/tunnel.h"

enum stream_news {
	NEWS_CONNECTED = 1,
	NEWS_SECURED = 2,
	NEWS_INPUT = 4,
	NEWS_DRAINED = 8,
};

struct stream {
	const struct stream_events *events;
	void *arg;
	struct tunnel *tunnel;
	struct event read_event, write_event, timer_event, news_event;
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
	enum stream_end end;
	unsigned char news;
	bool has_ended, is_told, is_broken;
	bool is_connecting, is_securing, is_finishing;
	bool is_reading;  /* the owner wants input */
	bool is_armed;    /* read_event is added */
	bool is_blocked;  /* write_event is added */
	bool is_stalled;  /* the tunnel holds more than was shown */
	bool is_flushing; /* a flush waits until the connection or TLS stands */
	bool is_patient;  /* all that waits to be sent is a ticket: it goes with the next words */
	bool is_busy, is_freed;
};

/* The four events of a stream whose descriptor is set. */
void stream_loop_init(struct stream *s, struct event_base *base);
/* Frees all but the descriptor and events. */
void stream_loop_destroy(struct stream *s);

/* Says later, through the loop, what is there to say. */
void stream_loop_wake(struct stream *s);
/* The first end counts; but one that waits for a reader (EOF, CUT) gives way to others. */
void stream_loop_end(struct stream *s, enum stream_end why, const char *text);
void stream_loop_end_errno(struct stream *s, int error);
/* Nothing more can be sent or received. */
bool stream_loop_is_over(const struct stream *s);
bool stream_loop_may_tell_end(const struct stream *s);

/* Listens to the socket when input is wanted. */
void stream_loop_arm(struct stream *s);
/* Waits until the socket can be written. */
void stream_loop_block(struct stream *s);
bool stream_loop_may_decrypt(const struct stream *s);
void stream_loop_handshake(struct stream *s);
void stream_loop_tunnel_failed(struct stream *s);
void stream_loop_send(struct stream *s);
void stream_loop_set_timer(struct stream *s, int64_t now_ms);

static inline size_t
stream_unread(const struct stream *s)
{
	return s->input.n - s->input_at;
}

#endif
