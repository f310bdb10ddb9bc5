/*
 * stream: bytes to and from one socket, plain or TLS, on a libevent loop.  Input is shown as one
 * contiguous view.  Output is queued and sent at once if the kernel accepts it (without waiting for
 * a write event).  There is one absolute deadline at a time.  Buffers are allocated only while they
 * hold data: an idle stream costs the struct, its events and the TLS session.  Connecting, the TLS
 * handshake and the phase after stream_finish end by themselves after a minute when there is no
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
	STREAM_EOF,        /* orderly end by the peer; with TLS: close_notify */
	STREAM_TRUNCATED,        /* TLS: the socket ended without close_notify */
	STREAM_ERROR,      /* errno in stream_error() */
	STREAM_TLS_FAILED, /* handshake or record failure, see stream_error_text() */
	STREAM_EXPIRED,    /* the deadline passed */
};

/* All are called from the loop, never from inside a call to the stream; each may call stream_free.
 * EOF and TRUNCATED come after the input that was received before them, and only while reading is
 * on. */
struct stream_events {
	void (*readable)(struct stream *s, void *arg);  /* more input than before */
	/* stream_connect: the connection is established */
	void (*connected)(struct stream *s, void *arg);
	void (*secured)(struct stream *s, void *arg);   /* stream_start_tls: TLS is established */
	/* output that had to wait (stream_waiting after stream_flush) was accepted by the kernel;
	 * may be NULL */
	void (*drained)(struct stream *s, void *arg);
	/* the deadline passed, and the owner sends a last reply itself; NULL: the stream ends */
	void (*expired)(struct stream *s, void *arg);
	/* called once; only stream_free may follow; input that was shown can still be read */
	void (*ended)(struct stream *s, enum stream_end why, void *arg);
};

enum {
	STREAM_INPUT_MAX = 128 << 10, /* above this reading stops; a single line or block fits */
	STREAM_OUTPUT_MAX = 16 << 20, /* above this the stream ends with ENOBUFS */
};

/* The destination of a connection; source NULL: the kernel chooses. */
struct stream_addresses {
	const struct sockaddr *to;
	socklen_t to_len;
	const struct sockaddr *source;
	socklen_t source_len;
};

/* Owns a connected, non-blocking socket with TCP_NODELAY, which an accepted socket inherits from
 * its listener.  Reading is off until stream_read(s, true). */
struct stream *stream_new(
    struct event_base *base, int fd, const struct stream_events *events, void *arg);
/* Connects; source (may be NULL) is bound first.  Never NULL: failures are reported through
 * `ended`. */
struct stream *stream_connect(struct event_base *base, const struct stream_addresses *ends,
    const struct stream_events *events, void *arg);
/* Closes at once and sends nothing more; no callback follows. */
void stream_free(struct stream **s);

/* The input that was received and not dropped; valid until the next call on the stream. */
struct str stream_input(const struct stream *s);
/* Removes n bytes from the front of the input. */
void stream_drop(struct stream *s, size_t n);
/* Sets whether the owner wants more input; off: nothing is read from the socket, so the peer must
 * wait. */
void stream_read(struct stream *s, bool on);
/* True when the socket or TLS layer holds bytes that were received but not shown yet (for STARTTLS:
 * unread plaintext behind the command is an injection). */
bool stream_has_unseen(struct stream *s);
/* True when everything from the peer has been reported to the owner, including its end. */
bool stream_is_quiet(struct stream *s);

/* Copies to the queue.  Nothing is sent before stream_flush (replies of one group are sent
 * together). */
void stream_write(struct stream *s, struct str bytes);
void stream_flush(struct stream *s);
/* The number of bytes queued and not accepted by the kernel. */
size_t stream_waiting(const struct stream *s);
/* Flushes, ends TLS with close_notify, shuts down sending.  The peer's bytes are ignored from now
 * on, and `ended` comes when all is sent and the peer has closed, at the latest after linger_ms. */
void stream_finish(struct stream *s, int64_t linger_ms);

/* Absolute, clock_mono_ms(); 0: none.  Replaces the previous deadline. */
void stream_deadline(struct stream *s, int64_t mono_ms);

/* Start TLS on a plain stream: flush the written output and discard the input.  During the
 * handshake the socket is read, whatever stream_read set; its setting applies again afterwards.
 * When the stream has ended meanwhile, only `ended` is called. */
void stream_start_tls_server(struct stream *s, struct tls_server *tls);
/* name: for SNI and verification (see tls_client), with or without a final dot; copied. */
void stream_start_tls_client(struct stream *s, struct tls_client *tls, const char *name);

/* Is TLS established? */
bool stream_is_tls(const struct stream *s);
/* "TLSv1.3"; "" without TLS. */
const char *stream_tls_version(const struct stream *s);
/* RFC 9266 tls-exporter: not available in TLS 1.2 without the extended master secret. */
bool stream_tls_has_exporter(const struct stream *s);
/* 32 bytes; false when not available. */
bool stream_tls_exporter(const struct stream *s, unsigned char out[32]) MUST_USE;
/* Client: the certificate was valid for the name (RFC 9525; always checked, but only `verify`
 * requires it). */
bool stream_tls_is_verified(const struct stream *s);
/* The session was resumed with a ticket of an earlier session. */
bool stream_tls_is_resumed(const struct stream *s);
/* The errno of STREAM_ERROR, or 0. */
int stream_error(const struct stream *s);
/* Static text, "" when there is none. */
const char *stream_error_text(const struct stream *s);
/* The address of each end: "203.0.113.7" / "2001:db8::1" (mapped IPv4 shown as IPv4) and port. */
void stream_peer(const struct stream *s, char address_out[INET6_ADDRSTRLEN_], uint16_t *port_out);
void stream_local(const struct stream *s, char address_out[INET6_ADDRSTRLEN_], uint16_t *port_out);

#endif
