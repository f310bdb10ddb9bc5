/*
 * sink_wire: sends the collected replies in one write, when there is nothing left to read.
 */
#include "support/sink_wire.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { OUT_MAX = 1 << 20, LINE_MAX_BYTES = 1 << 16 };

void
sink_wire_init(struct sink_wire *w, int fd)
{
	w->fd = fd;
	w->tls = NULL;
	w->at = w->n = 0;
	w->bytes_in = 0;
	buf_init(&w->out, OUT_MAX);
}

void
sink_wire_clear(struct sink_wire *w)
{
	if (w->tls) {
		gnutls_bye(w->tls, GNUTLS_SHUT_WR);
		gnutls_deinit(w->tls);
	}
	close(w->fd);
	buf_clear(&w->out);
}

static ssize_t
sink_wire_send(struct sink_wire *w, const char *p, size_t n)
{
	if (w->tls)
		return gnutls_record_send(w->tls, p, n);
	return send(w->fd, p, n, MSG_NOSIGNAL);
}

bool
sink_wire_flush(struct sink_wire *w)
{
	size_t at = 0;

	while (at < w->out.n) {
		ssize_t n = sink_wire_send(w, w->out.p + at, w->out.n - at);

		if (n < 0 &&
		    (w->tls ? n == GNUTLS_E_INTERRUPTED || n == GNUTLS_E_AGAIN : errno == EINTR))
			continue;
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	buf_reset(&w->out);
	return true;
}

bool
sink_wire_secure(struct sink_wire *w, gnutls_certificate_credentials_t credentials)
{
	int rc;

	w->at = w->n = 0;
	if (gnutls_init(&w->tls, GNUTLS_SERVER) < 0)
		return false;
	gnutls_set_default_priority(w->tls);
	gnutls_credentials_set(w->tls, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_int(w->tls, w->fd);
	gnutls_handshake_set_timeout(w->tls, 10000);
	do
		rc = gnutls_handshake(w->tls);
	while (rc < 0 && !gnutls_error_is_fatal(rc));
	return rc == 0;
}

struct str
sink_wire_more(struct sink_wire *w)
{
	ssize_t n;

	if (w->at < w->n)
		return str_make(w->in + w->at, w->n - w->at);
	if (!sink_wire_flush(w))
		return STR_NULL;
	do
		n = w->tls ? gnutls_record_recv(w->tls, w->in, sizeof w->in)
		           : recv(w->fd, w->in, sizeof w->in, 0);
	while (n < 0 && (w->tls ? !gnutls_error_is_fatal((int)n) : errno == EINTR));
	w->at = 0;
	w->n = n > 0 ? (size_t)n : 0;
	w->bytes_in += w->n;
	return str_make(w->in, w->n);
}

void
sink_wire_drop(struct sink_wire *w, size_t n)
{
	w->at += n;
}

bool
sink_wire_line(struct sink_wire *w, struct buf *line)
{
	struct str in;
	size_t n;

	buf_reset(line);
	do {
		in = sink_wire_more(w);
		n = str_find(in, '\n');
		if (in.n == 0 || line->n + n > LINE_MAX_BYTES)
			return false;
		buf_add(line, in.p, n);
		sink_wire_drop(w, n < in.n ? n + 1 : n);
	} while (n == in.n);
	if (line->n && line->p[line->n - 1] == '\r')
		line->n--;
	return true;
}
