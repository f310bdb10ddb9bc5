/*
 * tls_session: one TLS session between two buffers.  Encrypted bytes are fed in, plain ones come
 * out, and what must go to the peer is appended to the output buffer: no socket, no event, no wait.
 */
#ifndef NET_TLS_SESSION_H
#define NET_TLS_SESSION_H

#include "base/buf.h"
#include "net/tls_credentials.h"

struct tls_session;

enum tls_session_result {
	TLS_SESSION_WAIT,   /* all that was fed is used up */
	TLS_SESSION_DONE,   /* the handshake is complete */
	TLS_SESSION_FULL,   /* the reader has enough; something may be left */
	TLS_SESSION_CLOSED, /* close_notify; whatever follows is ignored */
	TLS_SESSION_TRUNCATED,    /* the bytes ended without it */
	TLS_SESSION_FAILED, /* see tls_session_failure_text; an alert may stand in the output */
};

/* out: where encrypted bytes go; it outlives the tunnel.  Each holds a reference to its
 * credentials. */
struct tls_session *tls_session_new_server(struct tls_server *tls, struct buf *out);
/* name is copied. */
struct tls_session *tls_session_new_client(
    struct tls_client *tls, const char *name, struct buf *out);
void tls_session_free(struct tls_session **t);

/* Lends bytes until tls_session_feed_end, which copies what was not used. */
void tls_session_feed(struct tls_session *t, struct str bytes);
void tls_session_feed_end(struct tls_session *t);
/* Drops what was lent and what was kept. */
void tls_session_drop_input(struct tls_session *t);
/* No more bytes will ever come. */
void tls_session_end_input(struct tls_session *t);
/* TLS 1.3: the server's last act in the handshake was a ticket, for which nobody waits. */
bool tls_session_sent_ticket(const struct tls_session *t);
/* Encrypted bytes that no record was made of. */
bool tls_session_has_input(const struct tls_session *t);

/* The handshake is complete, also after a later end or failure. */
bool tls_session_is_established(const struct tls_session *t);
/* The failure is a fatal alert of the peer. */
bool tls_session_has_alert(const struct tls_session *t);

/* After FAILED every call fails at once: nothing is tried twice. */
/* WAIT, DONE or FAILED. */
enum tls_session_result tls_session_handshake(struct tls_session *t) MUST_USE;
/* Appends plain bytes until `in` holds max_bytes or more: all results but DONE. */
enum tls_session_result tls_session_read(
    struct tls_session *t, struct buf *in, size_t max_bytes) MUST_USE;
bool tls_session_write(struct tls_session *t, struct str plain) MUST_USE;
/* Appends close_notify. */
void tls_session_close_notify(struct tls_session *t);

const char *tls_session_version(const struct tls_session *t);
bool tls_session_has_exporter(const struct tls_session *t);
bool tls_session_exporter(const struct tls_session *t, unsigned char out[32]) MUST_USE;
/* Client: the peer's certificate is trusted and valid for the name. */
bool tls_session_is_verified(const struct tls_session *t);
bool tls_session_is_resumed(const struct tls_session *t);
/* What failed; static. */
const char *tls_session_failure_text(const struct tls_session *t);

#endif
