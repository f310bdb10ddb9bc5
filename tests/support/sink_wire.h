/*
 * sink_wire: one connection of the test sink, blocking, plain or TLS.
 */
#ifndef SUPPORT_SINK_WIRE_H
#define SUPPORT_SINK_WIRE_H

#include <gnutls/gnutls.h>

#include "base/buf.h"

struct sink_wire {
	int fd;
	gnutls_session_t tls; /* NULL: plain */
	struct buf out;
	char in[65536];
	size_t at, n;
	unsigned long bytes_in;
};

/* Takes fd; sink_wire_clear closes it and frees the buffers. */
void sink_wire_init(struct sink_wire *w, int fd);
void sink_wire_clear(struct sink_wire *w);
/* Sends what is in `out`; false: the connection has ended. */
bool sink_wire_flush(struct sink_wire *w);
/* Performs the TLS handshake, and discards what was read before; false: it failed. */
bool sink_wire_secure(struct sink_wire *w, gnutls_certificate_credentials_t credentials);
/* Returns the content of the buffer, after a read when it is empty; empty: the peer has
 * disconnected. */
struct str sink_wire_more(struct sink_wire *w);
/* Removes the first n bytes of the input. */
void sink_wire_drop(struct sink_wire *w, size_t n);
/* Reads a line without its end; false: the peer has disconnected, or the line is longer than 64
 * KiB. */
bool sink_wire_line(struct sink_wire *w, struct buf *line);

#endif
