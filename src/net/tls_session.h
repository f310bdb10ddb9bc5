/*
 * tls_session: one TLS session between two buffers.  Encrypted bytes are given to it, plain bytes
 * are read from it, and bytes for the peer are appended to the output buffer: no socket, no event,
 * no waiting.
 */
#ifndef NET_TLS_SESSION_H
#define NET_TLS_SESSION_H

#include "base/buf.h"
#include "net/tls_credentials.h"

struct tls_session;

enum tls_session_result {
	TLS_SESSION_WAIT,   /* all given bytes are used up */
	TLS_SESSION_DONE,   /* the handshake is complete */
	TLS_SESSION_FULL,   /* the reader has enough; there may be more */
	TLS_SESSION_CLOSED, /* close_notify; everything after it is ignored */
	TLS_SESSION_TRUNCATED,    /* the bytes ended without close_notify */
	TLS_SESSION_FAILED, /* see tls_session_failure_text; the output may contain an alert */
};

/* out: gets the encrypted bytes; it must live longer than the session.  Each session holds a
 * reference to its credentials. */
struct tls_session *tls_session_new_server(struct tls_server *tls, struct buf *out);
/* The same for a client; name is copied. */
struct tls_session *tls_session_new_client(
    struct tls_client *tls, const char *name, struct buf *out);
/* Frees the session and releases the credentials. */
void tls_session_free(struct tls_session **t);

/* Gives it encrypted bytes, which must stay valid until tls_session_feed_end, which copies the
 * unused ones. */
void tls_session_feed(struct tls_session *t, struct str bytes);
void tls_session_feed_end(struct tls_session *t);
/* Discards all input. */
void tls_session_drop_input(struct tls_session *t);
/* There will be no more input. */
void tls_session_end_input(struct tls_session *t);
/* TLS 1.3: the server's last step of the handshake was a ticket, for which no peer waits. */
bool tls_session_sent_ticket(const struct tls_session *t);
/* Is there encrypted input that is no complete record yet? */
bool tls_session_has_input(const struct tls_session *t);

/* The handshake is complete, even if the session ended or failed later. */
bool tls_session_is_established(const struct tls_session *t);
/* The failure is a fatal alert of the peer. */
bool tls_session_has_alert(const struct tls_session *t);

/* After FAILED every call fails at once; nothing is retried. */
/* Continues the handshake.  WAIT, DONE or FAILED. */
enum tls_session_result tls_session_handshake(struct tls_session *t) MUST_USE;
/* Appends plain bytes until `in` holds max_bytes or more: all results except DONE. */
enum tls_session_result tls_session_read(
    struct tls_session *t, struct buf *in, size_t max_bytes) MUST_USE;
/* Encrypts plain bytes to the output. */
bool tls_session_write(struct tls_session *t, struct str plain) MUST_USE;
/* Appends close_notify. */
void tls_session_close_notify(struct tls_session *t);

/* Properties of an established session, as those of stream (net/stream.h). */
const char *tls_session_version(const struct tls_session *t);
bool tls_session_has_exporter(const struct tls_session *t);
bool tls_session_exporter(const struct tls_session *t, unsigned char out[32]) MUST_USE;
/* Client: the peer's certificate is trusted and valid for the name. */
bool tls_session_is_verified(const struct tls_session *t);
bool tls_session_is_resumed(const struct tls_session *t);
/* The text of the failure; static. */
const char *tls_session_failure_text(const struct tls_session *t);

#endif
