/*
 * tls_session: GnuTLS with buffers as its transport.  The pull function reads from the bytes of one
 * tls_session_feed, so that one recv can have many records; the push function never blocks.
 */
#include "net/tls_session.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>

#include "base/mem.h"
#include "net/peer_certificate.h"

enum {
	FED_BYTES_MAX = 1 << 20,
	WARNINGS_MAX = 8, /* more warning alerts than this end the session, */
	/* and so do tickets, key updates and empty records without data between them */
	EMPTY_RECORDS_MAX = 64,
	TEXT_BYTES = 192,
};

struct tls_session {
	gnutls_session_t session;
	struct tls_server *server;
	struct tls_client *client;
	char *name;
	struct buf *out;
	struct str fed;
	struct buf unread; /* left over from earlier calls of feed; used before `fed` */
	size_t unread_at;
	const char *text;
	char text_room[TEXT_BYTES]; /* for text */
	unsigned char warnings;
	unsigned char empty_records; /* successive records without data */
	bool is_ended;
	bool sent_ticket;
	bool is_up;
	bool is_failed;
	bool has_alert;
	bool is_verified;
};

static size_t
tls_session_take_unread(struct tls_session *t, char *to, size_t n)
{
	size_t have = t->unread.n - t->unread_at;

	if (n > have)
		n = have;
	if (n == 0)
		return 0;
	memcpy(to, t->unread.p + t->unread_at, n);
	t->unread_at += n;
	if (t->unread_at == t->unread.n) {
		buf_clear(&t->unread);
		t->unread_at = 0;
	}
	return n;
}

static ssize_t
tls_session_pull(gnutls_transport_ptr_t arg, void *to, size_t n)
{
	struct tls_session *t = arg;
	size_t got = tls_session_take_unread(t, to, n);
	size_t more = n - got < t->fed.n ? n - got : t->fed.n;

	if (more) {
		memcpy((char *)to + got, t->fed.p, more);
		t->fed = str_from(t->fed, more);
	}
	if (got + more || t->is_ended)
		return (ssize_t)(got + more);
	gnutls_transport_set_errno(t->session, EAGAIN);
	return -1;
}

static ssize_t
tls_session_push(gnutls_transport_ptr_t arg, const giovec_t *v, int count)
{
	struct tls_session *t = arg;
	ssize_t n = 0;

	for (int i = 0; i < count; i++) {
		buf_add(t->out, v[i].iov_base, v[i].iov_len);
		n += (ssize_t)v[i].iov_len;
	}
	if (buf_ok(t->out))
		return n;
	gnutls_transport_set_errno(t->session, ENOBUFS);
	return -1;
}

static struct tls_session *
tls_session_new(gnutls_session_t session, struct buf *out)
{
	struct tls_session *t = MEM_NEW(struct tls_session);

	t->session = session;
	t->out = out;
	t->text = "";
	buf_init(&t->unread, FED_BYTES_MAX);
	gnutls_transport_set_ptr(session, t);
	gnutls_transport_set_pull_function(session, tls_session_pull);
	gnutls_transport_set_vec_push_function(session, tls_session_push);
	return t;
}

struct tls_session *
tls_session_new_server(struct tls_server *tls, struct buf *out)
{
	struct tls_session *t = tls_session_new(tls_server_begin(tls), out);

	t->server = tls_server_keep(tls);
	return t;
}

/* During the handshake, or after it when verification is not required. */
static int
tls_session_verify(gnutls_session_t session)
{
	struct tls_session *t = gnutls_session_get_ptr(session);

	t->is_verified = peer_certificate_is_valid(session, t->name, &t->text);
	return t->is_verified ? 0 : GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR;
}

/* A final dot does not belong to the name (RFC 6066 section 3). */
struct tls_session *
tls_session_new_client(struct tls_client *tls, const char *name, struct buf *out)
{
	size_t n = strlen(name);
	char *own = mem_text(name, n > 1 && name[n - 1] == '.' ? n - 1 : n);
	struct tls_session *t = tls_session_new(tls_client_begin(tls, own), out);

	t->client = tls_client_keep(tls);
	t->name = own;
	gnutls_session_set_ptr(t->session, t);
	if (tls_client_must_verify(tls))
		gnutls_session_set_verify_function(t->session, tls_session_verify);
	return t;
}

void
tls_session_free(struct tls_session **t)
{
	if (!*t)
		return;
	gnutls_deinit((*t)->session);
	tls_server_drop(&(*t)->server);
	tls_client_drop(&(*t)->client);
	buf_clear(&(*t)->unread);
	mem_free((*t)->name);
	mem_free(*t);
	*t = NULL;
}

void
tls_session_feed(struct tls_session *t, struct str bytes)
{
	t->fed = bytes;
}

void
tls_session_feed_end(struct tls_session *t)
{
	if (t->unread_at) {
		buf_drop(&t->unread, t->unread_at);
		t->unread_at = 0;
	}
	if (!buf_adds(&t->unread, t->fed))
		die("tls: input was given twice without a read");
	t->fed = STR_NULL;
}

void
tls_session_drop_input(struct tls_session *t)
{
	buf_clear(&t->unread);
	t->unread_at = 0;
	t->fed = STR_NULL;
}

void
tls_session_end_input(struct tls_session *t)
{
	t->is_ended = true;
}

bool
tls_session_sent_ticket(const struct tls_session *t)
{
	return t->sent_ticket;
}

bool
tls_session_has_input(const struct tls_session *t)
{
	return t->is_ended || t->fed.n || t->unread.n > t->unread_at ||
	       gnutls_record_check_pending(t->session);
}

bool
tls_session_is_established(const struct tls_session *t)
{
	return t->is_up;
}

bool
tls_session_has_alert(const struct tls_session *t)
{
	return t->has_alert;
}

static enum tls_session_result
tls_session_fail_as(struct tls_session *t, const char *text)
{
	t->text = text;
	t->is_failed = true;
	tls_session_drop_input(t);
	return TLS_SESSION_FAILED;
}

/* A client that rejects our certificate may send its alert in TLS 1.3 in clear, or under a key that
 * we do not have yet: OpenSSL does.  It cannot be decrypted, and nothing else comes. */
static bool
tls_session_is_refused(const struct tls_session *t, int error)
{
	return t->server && !t->is_up &&
	    gnutls_protocol_get_version(t->session) == GNUTLS_TLS1_3 &&
	    gnutls_handshake_get_last_out(t->session) == GNUTLS_HANDSHAKE_FINISHED &&
	    (error == GNUTLS_E_DECRYPTION_FAILED || error == GNUTLS_E_UNEXPECTED_PACKET ||
		error == GNUTLS_E_UNEXPECTED_PACKET_LENGTH);
}

/* The alert is more precise than "a fatal alert was received". */
static const char *
tls_session_alert_text(struct tls_session *t)
{
	const char *name = gnutls_alert_get_name(gnutls_alert_get(t->session));

	snprintf(t->text_room, sizeof t->text_room, "the %s said: %s",
	    t->server ? "client" : "host", name ? name : "unknown alert");
	return t->text_room;
}

static const char *
tls_session_error_text(struct tls_session *t, int error)
{
	const char *text = gnutls_strerror(error);

	if (!tls_session_is_refused(t, error))
		return text;
	snprintf(t->text_room, sizeof t->text_room,
	    "the client broke off the handshake: it probably does not accept our certificate (%s)",
	    text);
	return t->text_room;
}

static enum tls_session_result
tls_session_fail(struct tls_session *t, int error)
{
	const char *text;

	t->has_alert = error == GNUTLS_E_FATAL_ALERT_RECEIVED;
	if (t->has_alert)
		text = tls_session_alert_text(t);
	else if (error == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR && t->client)
		text = t->text;
	else
		text = tls_session_error_text(t, error);
	if (!t->has_alert && error != GNUTLS_E_PUSH_ERROR)
		gnutls_alert_send_appropriate(t->session, error);
	return tls_session_fail_as(t, text);
}

/* True: the call must be repeated. */
static bool
tls_session_should_retry(struct tls_session *t, int error)
{
	if (error == GNUTLS_E_INTERRUPTED)
		return true;
	if (error != GNUTLS_E_WARNING_ALERT_RECEIVED)
		return false;
	return ++t->warnings <= WARNINGS_MAX;
}

enum tls_session_result
tls_session_handshake(struct tls_session *t)
{
	int r;

	if (t->is_failed)
		return TLS_SESSION_FAILED;
	do
		r = gnutls_handshake(t->session);
	while (tls_session_should_retry(t, r));
	if (r == GNUTLS_E_AGAIN)
		return TLS_SESSION_WAIT;
	if (r == GNUTLS_E_PREMATURE_TERMINATION)
		return tls_session_fail_as(t, "closed during the TLS handshake");
	if (r < 0)
		return tls_session_fail(t, r);
	/* one ticket instead of the two of GnuTLS; TLS 1.2 sends its ticket within the handshake */
	if (t->server && gnutls_protocol_get_version(t->session) == GNUTLS_TLS1_3) {
		r = gnutls_session_ticket_send(t->session, 1, 0);
		if (r < 0)
			return tls_session_fail(t, r);
		t->sent_ticket = true;
	}
	if (t->client && !tls_client_must_verify(t->client))
		(void)tls_session_verify(t->session);
	t->is_up = true;
	return TLS_SESSION_DONE;
}

static enum tls_session_result
read_end(struct tls_session *t, ssize_t r)
{
	switch (r) {
	case 0:
		tls_session_drop_input(t);
		return TLS_SESSION_CLOSED;
	case GNUTLS_E_AGAIN:
		return TLS_SESSION_WAIT;
	case GNUTLS_E_PREMATURE_TERMINATION:
		t->text = "closed without the end of TLS";
		tls_session_drop_input(t);
		return TLS_SESSION_TRUNCATED;
	case GNUTLS_E_REHANDSHAKE:
		gnutls_alert_send(t->session, GNUTLS_AL_FATAL, GNUTLS_A_NO_RENEGOTIATION);
		return tls_session_fail_as(t, "renegotiation refused");
	default:
		return tls_session_fail(t, (int)r);
	}
}

static size_t
waiting_bytes(const struct tls_session *t)
{
	return t->fed.n + t->unread.n - t->unread_at;
}

/* GnuTLS must be called again after a record without data for us (a ticket): more records are
 * already in the buffer, and no event will come for them. */
static bool
has_more(const struct tls_session *t, ssize_t r, size_t before)
{
	return r == GNUTLS_E_AGAIN && waiting_bytes(t) > 0 && waiting_bytes(t) < before;
}

enum tls_session_result
tls_session_read(struct tls_session *t, struct buf *in, size_t max_bytes)
{
	size_t waiting = waiting_bytes(t);
	gnutls_packet_t packet;
	gnutls_datum_t plain;
	ssize_t r;

	if (t->is_failed)
		return TLS_SESSION_FAILED;
	/* one allocation for all records in the buffer */
	if (waiting < in->max - in->n && !buf_room(in, waiting))
		die("tls: no room");
	while (in->n < max_bytes) {
		packet = NULL;
		waiting = waiting_bytes(t);
		r = gnutls_record_recv_packet(t->session, &packet);
		if (r > 0) {
			gnutls_packet_get(packet, &plain, NULL);
			buf_add(in, plain.data, plain.size);
			t->empty_records = 0;
		}
		if (packet)
			gnutls_packet_deinit(packet);
		if (r > 0 && tls_session_has_input(t))
			continue;
		/* skips a call that would only return "again" */
		if (r > 0)
			return TLS_SESSION_WAIT;
		if (!has_more(t, r, waiting) && !tls_session_should_retry(t, (int)r))
			return read_end(t, r);
		if (++t->empty_records > EMPTY_RECORDS_MAX)
			return tls_session_fail(t, GNUTLS_E_TOO_MANY_HANDSHAKE_PACKETS);
	}
	return TLS_SESSION_FULL;
}

bool
tls_session_write(struct tls_session *t, struct str plain)
{
	while (plain.n && !t->is_failed) {
		ssize_t r = gnutls_record_send(t->session, plain.p, plain.n);

		if (r == GNUTLS_E_INTERRUPTED)
			continue;
		if (r > 0)
			plain = str_from(plain, (size_t)r);
		else
			tls_session_fail_as(t, gnutls_strerror((int)r));
	}
	return !t->is_failed;
}

void
tls_session_close_notify(struct tls_session *t)
{
	gnutls_bye(t->session, GNUTLS_SHUT_WR);
}

const char *
tls_session_version(const struct tls_session *t)
{
	switch (gnutls_protocol_get_version(t->session)) {
	case GNUTLS_TLS1_3:
		return "TLSv1.3";
	case GNUTLS_TLS1_2:
		return "TLSv1.2";
	default:
		return "";
	}
}

/* RFC 9266 section 4.2: without the extended master secret two sessions could have the same
 * value. */
bool
tls_session_has_exporter(const struct tls_session *t)
{
	return gnutls_protocol_get_version(t->session) == GNUTLS_TLS1_3 ||
	       gnutls_session_ext_master_secret_status(t->session);
}

bool
tls_session_exporter(const struct tls_session *t, unsigned char out[32])
{
	gnutls_datum_t binding;
	bool ok;

	if (!tls_session_has_exporter(t))
		return false;
	if (gnutls_session_channel_binding(t->session, GNUTLS_CB_TLS_EXPORTER, &binding) != 0)
		return false;
	ok = binding.size == 32;
	if (ok)
		memcpy(out, binding.data, 32);
	gnutls_free(binding.data);
	return ok;
}

bool
tls_session_is_verified(const struct tls_session *t)
{
	return t->is_verified;
}

bool
tls_session_is_resumed(const struct tls_session *t)
{
	return gnutls_session_is_resumed(t->session);
}

const char *
tls_session_failure_text(const struct tls_session *t)
{
	return t->text;
}
