/*
 * stream: bytes to and from one socket, plain or TLS, on a libevent loop.  Input is seen as one
 * contiguous view; output is queued and sent at once where the kernel takes it (no wait for a
 * write event).  One absolute deadline at a time.  Memory is held only while there is something
 * to hold: an idle stream costs the struct, its event and the TLS session.  Connecting, the TLS
 * handshake and what follows stream_finish end by themselves after a minute when there is no
 * deadline.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <event2/event.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "net/endpoint.h"
#include "net/tls_credentials.h"

struct stream;

enum stream_end {
	STREAM_EOF,        /* orderly end by the peer; for TLS: close_notify */
	STREAM_TRUNCATED,        /* TLS: the socket ended without close_notify */
	STREAM_ERROR,      /* errno in stream_error() */
	STREAM_TLS_FAILED, /* handshake or record failure, see stream_error_text() */
	STREAM_EXPIRED,    /* the deadline passed */
};

/* All are called from the loop, never from inside a call to the stream; the owner may stream_free
 * in each. EOF and CUT come after the input that stood before them, and only while reading is on.
 */
struct stream_events {
	void (*readable)(struct stream *s, void *arg);  /* more input than before */
	void (*connected)(struct stream *s, void *arg); /* stream_connect: the connection stands */
	void (*secured)(struct stream *s, void *arg);   /* stream_start_tls: TLS stands */
	/* output that had to wait (stream_waiting after stream_flush) was taken by the kernel; may
	 * be NULL */
	void (*drained)(struct stream *s, void *arg);
	/* the deadline passed, and the owner says a last word itself; NULL: the stream ends */
	void (*expired)(struct stream *s, void *arg);
	/* once; only stream_free is left; what was shown can still be read */
	void (*ended)(struct stream *s, enum stream_end why, void *arg);
};

enum {
	STREAM_INPUT_MAX = 128 << 10, /* reading stops above; a single line or block fits */
	STREAM_OUTPUT_MAX = 16 << 20, /* beyond: the stream ends with ENOBUFS */
};

/* Where to connect to; source NULL: the kernel chooses. */
struct stream_addresses {
	const struct sockaddr *to;
	socklen_t to_len;
	const struct sockaddr *source;
	socklen_t source_len;
};

/* Takes over a connected, non-blocking socket with TCP_NODELAY set, which an accepted one has from
 * its listener.  Reading is off until stream_read(s, true). */
struct stream *stream_new(
    struct event_base *base, int fd, const struct stream_events *events, void *arg);
/* Connects; source (may be NULL) is bound first.  Never NULL: failures come through `ended`. */
struct stream *stream_connect(struct event_base *base, const struct stream_addresses *ends,
    const struct stream_events *events, void *arg);
/* Sends nothing more, closes at once. */
void stream_free(struct stream **s);

/* What has come in and was not dropped; valid until the next call on the stream. */
struct str stream_input(const struct stream *s);
void stream_drop(struct stream *s, size_t n);
/* Whether the owner wants more; off: nothing is read from the socket, the peer is slowed down. */
void stream_read(struct stream *s, bool on);
/* True when the socket or TLS layer holds bytes that were received but not yet shown (for STARTTLS:
 * unread plaintext behind the command means an injection). */
bool stream_has_unseen(struct stream *s);
/* Nothing at all has come from the peer that the owner has not heard of, no end either. */
bool stream_is_quiet(struct stream *s);

/* Copies to the queue.  Nothing leaves before stream_flush (replies of one group leave together).
 */
void stream_write(struct stream *s, struct str bytes);
void stream_flush(struct stream *s);
/* Bytes queued and not taken by the kernel. */
size_t stream_waiting(const struct stream *s);
/* Flushes, ends TLS with close_notify, shuts down sending; the peer's bytes are ignored from now on
 * and `ended` comes when all is sent and the peer closed, at the latest after linger_ms. */
void stream_finish(struct stream *s, int64_t linger_ms);

/* Absolute, clock_mono_ms(); 0: none.  Replaces the former one. */
void stream_deadline(struct stream *s, int64_t mono_ms);

/* Begin TLS on what is now plain: flushes what was written, and forgets what was read.  The socket
 * is read until TLS stands, whatever stream_read said; then its word counts again.  When
 * the stream has ended meanwhile nothing happens but `ended`. */
void stream_start_tls_server(struct stream *s, struct tls_server *tls);
/* name: for SNI and verification (see tls_client), with or without a final dot; kept by the
 * stream. */
void stream_start_tls_client(struct stream *s, struct tls_client *tls, const char *name);

bool stream_is_tls(const struct stream *s);
/* "TLSv1.3"; "" without TLS. */
const char *stream_tls_version(const struct stream *s);
/* RFC 9266 tls-exporter: there is none in TLS 1.2 without the extended master secret. */
bool stream_tls_has_exporter(const struct stream *s);
/* 32 bytes; false when there is none. */
bool stream_tls_exporter(const struct stream *s, unsigned char out[32]) MUST_USE;
/* Client: the certificate was valid for the name (RFC 9525; always asked, only `verify`
 * insists). */
bool stream_tls_is_verified(const struct stream *s);
/* A ticket of an earlier session was taken. */
bool stream_tls_is_resumed(const struct stream *s);
/* 0 or the errno of STREAM_ERROR. */
int stream_error(const struct stream *s);
/* Static text, "" when there is nothing to say. */
const char *stream_error_text(const struct stream *s);
/* "203.0.113.7" / "2001:db8::1" (mapped IPv4 shown as IPv4) and port. */
void stream_peer(const struct stream *s, char address_out[INET6_ADDRSTRLEN_], uint16_t *port_out);
void stream_local(const struct stream *s, char address_out[INET6_ADDRSTRLEN_], uint16_t *port_out);

#endif
