/*
 * tls_session: one TLS session between two buffers.  Encrypted bytes are fed in, plain ones come
 * out, and what must go to the peer is appended to the output buffer: no socket, no event, no wait.
 */
#ifndef NET_TLS_SESSION_H
#define NET_TLS_SESSION_H

#include "base/buf.h"
#include "net/tls_credentials.h"

struct tunnel;

enum tunnel_result {
	TUNNEL_WAIT,   /* all that was fed is used up */
	TUNNEL_DONE,   /* the handshake is complete */
	TUNNEL_FULL,   /* the reader has enough; something may be left */
	TUNNEL_CLOSED, /* close_notify; whatever follows is ignored */
	TUNNEL_CUT,    /* the bytes ended without it */
	TUNNEL_FAILED, /* see tunnel_text; an alert may stand in the output */
};

/* out: where encrypted bytes go; it outlives the tunnel.  Each holds a reference to its
 * credentials. */
struct tunnel *tunnel_new_server(struct tls_server *tls, struct buf *out);
/* name is copied. */
struct tunnel *tunnel_new_client(struct tls_client *tls, const char *name, struct buf *out);
void tunnel_free(struct tunnel **t);

/* Lends bytes until tunnel_unlend, which copies what was not used. */
void tunnel_lend(struct tunnel *t, struct str bytes);
void tunnel_unlend(struct tunnel *t);
/* Drops what was lent and what was kept. */
void tunnel_forget(struct tunnel *t);
/* No more bytes will ever come. */
void tunnel_end_input(struct tunnel *t);
/* TLS 1.3: the server's last act in the handshake was a ticket, for which nobody waits. */
bool tunnel_sent_ticket(const struct tunnel *t);
/* Encrypted bytes that no record was made of. */
bool tunnel_has_input(const struct tunnel *t);

/* The handshake is complete, also after a later end or failure. */
bool tunnel_is_up(const struct tunnel *t);
/* The failure is a fatal alert of the peer. */
bool tunnel_has_alert(const struct tunnel *t);

/* After FAILED every call fails at once: nothing is tried twice. */
/* WAIT, DONE or FAILED. */
enum tunnel_result tunnel_handshake(struct tunnel *t) MUST_USE;
/* Appends plain bytes until `in` holds max_bytes or more: all results but DONE. */
enum tunnel_result tunnel_read(struct tunnel *t, struct buf *in, size_t max_bytes) MUST_USE;
bool tunnel_write(struct tunnel *t, struct str plain) MUST_USE;
/* Appends close_notify. */
void tunnel_bye(struct tunnel *t);

const char *tunnel_version(const struct tunnel *t);
bool tunnel_has_exporter(const struct tunnel *t);
bool tunnel_exporter(const struct tunnel *t, unsigned char out[32]) MUST_USE;
/* Client: the peer's certificate is trusted and valid for the name. */
bool tunnel_is_verified(const struct tunnel *t);
bool tunnel_is_resumed(const struct tunnel *t);
/* What failed; static. */
const char *tunnel_text(const struct tunnel *t);

#endif
