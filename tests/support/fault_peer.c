/*
 * fault_peer: see the header.
 */
#include "fault_peer.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

const char *const fault_point_names[FAULT_POINTS] = {"at greeting", "in greeting", "after EHLO",
    "at STARTTLS", "before ClientHello", "in ClientHello", "in handshake", "secured", "in data",
    "after dot", "at QUIT"};
const char *const fault_act_names[FAULT_ACTS] = {"close", "reset", "half record", "junk",
    "junk and reset", "alert", "silence", "dribble", "flood", "half close"};

/* ---- bytes, plain or TLS; false: the connection has ended ---- */

static void
fault_pause(long ms)
{
	nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static bool
fault_send_plain(struct fault_peer *p, const void *bytes, size_t n)
{
	const char *at = bytes;

	while (n) {
		ssize_t r = send(p->fd, at, n, MSG_NOSIGNAL);

		if (r <= 0)
			return false;
		at += r;
		n -= (size_t)r;
	}
	return true;
}

static bool
fault_send(struct fault_peer *p, const void *bytes, size_t n)
{
	const char *at = bytes;

	if (!p->is_up)
		return fault_send_plain(p, bytes, n);
	while (n) {
		ssize_t r = gnutls_record_send(p->session, at, n);

		if (r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED)
			continue;
		if (r <= 0)
			return false;
		at += r;
		n -= (size_t)r;
	}
	return true;
}

static bool
fault_send_text(struct fault_peer *p, const char *text)
{
	return fault_send(p, text, strlen(text));
}

static ssize_t
fault_receive(struct fault_peer *p, char *to, size_t n)
{
	ssize_t r;

	if (!p->is_up)
		return recv(p->fd, to, n, 0);
	do
		r = gnutls_record_recv(p->session, to, n);
	while (r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED);
	return r;
}

/* Reads until `end` was received. */
static bool
fault_await(struct fault_peer *p, const char *end)
{
	size_t want = strlen(end), have = 0;
	char c;

	while (have < want) {
		if (fault_receive(p, &c, 1) != 1)
			return false;
		have = c == end[have] ? have + 1 : c == end[0];
	}
	return true;
}

/* ---- TLS ---- */

/* Sends up to push_max bytes, and returns as if all were sent. */
static ssize_t
fault_push(gnutls_transport_ptr_t arg, const void *bytes, size_t n)
{
	struct fault_peer *p = arg;
	size_t now = n < p->push_max ? n : p->push_max;

	p->push_max -= now;
	if (p->push_max == 0)
		p->stops = true;
	return fault_send_plain(p, bytes, now) ? (ssize_t)n : -1;
}

static ssize_t
fault_pull(gnutls_transport_ptr_t arg, void *to, size_t n)
{
	struct fault_peer *p = arg;

	if (!p->stops)
		return recv(p->fd, to, n, 0);
	gnutls_transport_set_errno(p->session, EAGAIN);
	return -1;
}

static void
fault_begin_tls(struct fault_peer *p)
{
	p->push_max = SIZE_MAX;
	gnutls_init(&p->session, p->is_server ? GNUTLS_SERVER : GNUTLS_CLIENT);
	gnutls_set_default_priority(p->session);
	gnutls_credentials_set(p->session, GNUTLS_CRD_CERTIFICATE, p->credentials);
	gnutls_transport_set_ptr(p->session, p);
	gnutls_transport_set_push_function(p->session, fault_push);
	gnutls_transport_set_pull_function(p->session, fault_pull);
	gnutls_handshake_set_timeout(p->session, GNUTLS_INDEFINITE_TIMEOUT);
}

static bool
fault_handshake(struct fault_peer *p)
{
	int r;

	do
		r = gnutls_handshake(p->session);
	while (r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED);
	p->is_up = r == 0;
	return p->is_up;
}

/* Sends the first n bytes of the first flight; a client does not read the answer. */
static void
fault_half_handshake(struct fault_peer *p, size_t n)
{
	p->push_max = n;
	p->stops = !p->is_server;
	while (gnutls_handshake(p->session) == GNUTLS_E_INTERRUPTED)
		;
}

/* ---- hostile acts ---- */

static void
fault_wait_for_the_end(struct fault_peer *p)
{
	char c[4096];

	while (recv(p->fd, c, sizeof c, 0) > 0)
		;
}

static void
fault_close(struct fault_peer *p, bool resets)
{
	struct linger now = {1, 0};

	if (resets)
		setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(__atomic_exchange_n(&p->fd, -1, __ATOMIC_RELAXED));
}

static void
fault_flood(struct fault_peer *p)
{
	static const char line[] = "250-and so on and so forth, and never an end of it\r\n";
	char block[sizeof line * 100];

	for (size_t i = 0; i + sizeof line - 1 <= sizeof block; i += sizeof line - 1)
		memcpy(block + i, line, sizeof line - 1);
	for (size_t n = 0; n < FAULT_FLOOD_BYTES; n += sizeof block - 100)
		if (!fault_send(p, block, sizeof block - 100))
			break;
	fault_wait_for_the_end(p);
}

static void
fault_half_close(struct fault_peer *p)
{
	if (p->is_up) {
		gnutls_bye(p->session, GNUTLS_SHUT_WR);
		fault_send_plain(p, "MAIL FROM:<evil@example.com>\r\n", 30);
	} else {
		shutdown(p->fd, SHUT_WR);
	}
	fault_wait_for_the_end(p);
}

static void
fault_alert(struct fault_peer *p)
{
	if (p->is_up)
		gnutls_alert_send(p->session, GNUTLS_AL_FATAL, GNUTLS_A_HANDSHAKE_FAILURE);
	else
		fault_send_plain(p, "\x15\x03\x03\0\x02\x02\x28", 7);
	fault_close(p, false);
}

static void
fault_do(struct fault_peer *p)
{
	switch (p->act) {
	case FAULT_CLOSE:
	case FAULT_RESET:
		fault_close(p, p->act == FAULT_RESET);
		return;
	case FAULT_HALF_RECORD:
		fault_send_plain(p, "\x16\x03\x03\x02\0half of a record", 21);
		break;
	case FAULT_JUNK:
		fault_send_plain(p, (char[100]){0}, 100);
		break;
	case FAULT_JUNK_RESET:
		fault_send_plain(p, "\x16\x03\x01\0\x10text, no message", 21);
		fault_pause(5); /* otherwise the reset may arrive first */
		fault_close(p, true);
		return;
	case FAULT_ALERT:
		fault_alert(p);
		return;
	case FAULT_DRIBBLE:
		while (fault_send_plain(p, "2", 1))
			fault_pause(5);
		break;
	case FAULT_FLOOD:
		fault_flood(p);
		break;
	case FAULT_HALF_CLOSE:
		fault_half_close(p);
		break;
	default:
		break;
	}
	while (!__atomic_load_n(&p->is_over, __ATOMIC_RELAXED))
		fault_pause(1);
}

/* ---- the session; false: the point is reached or the connection has ended ---- */

static bool
fault_is_at(struct fault_peer *p, enum fault_point at)
{
	return p->at == at;
}

static bool
fault_data(struct fault_peer *p)
{
	static const char line[101] =
	    "0123456789012345678901234567890123456789012345678901234567890123456789"
	    "0123456789012345678901234567\r\n";

	for (int i = 0; i < FAULT_DATA_BYTES / 100; i++) {
		if (i == FAULT_DATA_BYTES / 200 && fault_is_at(p, FAULT_IN_DATA))
			return false;
		if (!fault_send(p, line, 100))
			return false;
	}
	return fault_send_text(p, ".\r\n");
}

static bool
fault_server_tls(struct fault_peer *p)
{
	char hello[4096];

	if (!fault_send_text(p, "220 go\r\n"))
		return false;
	if (fault_is_at(p, FAULT_BEFORE_HELLO)) {
		fault_pause(20); /* otherwise it may arrive with the 220 and be discarded */
		return false;
	}
	if (fault_is_at(p, FAULT_IN_HELLO)) {
		(void)!recv(p->fd, hello, sizeof hello, 0);
		return false;
	}
	fault_begin_tls(p);
	if (fault_is_at(p, FAULT_IN_HANDSHAKE)) {
		fault_half_handshake(p, 500);
		return false;
	}
	return fault_handshake(p) && !fault_is_at(p, FAULT_SECURED);
}

static bool
fault_server_session(struct fault_peer *p)
{
	char block[1000];
	size_t n = 0;

	if (fault_is_at(p, FAULT_AT_GREETING) || !fault_send_text(p, "220 h") ||
	    fault_is_at(p, FAULT_IN_GREETING) || !fault_send_text(p, "i\r\n") ||
	    !fault_await(p, "EHLO\r\n") || fault_is_at(p, FAULT_AFTER_EHLO) ||
	    !fault_send_text(p, "250 ok\r\n") || !fault_await(p, "STARTTLS\r\n") ||
	    fault_is_at(p, FAULT_AT_STARTTLS) || !fault_server_tls(p))
		return false;
	while (n < FAULT_DATA_BYTES) {
		size_t left = FAULT_DATA_BYTES - n;
		ssize_t r =
		    fault_receive(p, block, left < sizeof block ? left : sizeof block);

		if (r <= 0)
			return false;
		n += (size_t)r;
		if (n > FAULT_DATA_BYTES / 2 && fault_is_at(p, FAULT_IN_DATA))
			return false;
	}
	if (!fault_await(p, ".\r\n") || fault_is_at(p, FAULT_AFTER_DOT) ||
	    !fault_send_text(p, "250 taken\r\n") || !fault_await(p, "QUIT\r\n"))
		return false;
	return !fault_is_at(p, FAULT_AT_QUIT);
}

static bool
fault_client_tls(struct fault_peer *p)
{
	if (!fault_await(p, "220 go\r\n") || fault_is_at(p, FAULT_BEFORE_HELLO))
		return false;
	fault_begin_tls(p);
	if (fault_is_at(p, FAULT_IN_HELLO) || fault_is_at(p, FAULT_IN_HANDSHAKE)) {
		fault_half_handshake(p, p->at == FAULT_IN_HELLO ? 100 : SIZE_MAX);
		return false;
	}
	return fault_handshake(p) && !fault_is_at(p, FAULT_SECURED);
}

static bool
fault_client_session(struct fault_peer *p)
{
	if (fault_is_at(p, FAULT_AT_GREETING) || !fault_await(p, "220 hi\r\n") ||
	    !fault_send_text(p, "EH") || fault_is_at(p, FAULT_IN_GREETING) ||
	    !fault_send_text(p, "LO\r\n") || !fault_await(p, "250 ok\r\n") ||
	    fault_is_at(p, FAULT_AFTER_EHLO) || !fault_send_text(p, "STARTTLS\r\n") ||
	    fault_is_at(p, FAULT_AT_STARTTLS) || !fault_client_tls(p) || !fault_data(p) ||
	    fault_is_at(p, FAULT_AFTER_DOT) || !fault_await(p, "250 taken\r\n") ||
	    !fault_send_text(p, "QUIT\r\n"))
		return false;
	return !fault_is_at(p, FAULT_AT_QUIT);
}

static void *
fault_run(void *arg)
{
	struct fault_peer *p = arg;

	if (p->is_server)
		fault_server_session(p);
	else
		fault_client_session(p);
	fault_do(p);
	return NULL;
}

void
fault_peer_begin(struct fault_peer *p)
{
	p->session = NULL;
	p->is_up = p->is_over = p->stops = false;
	if (pthread_create(&p->thread, NULL, fault_run, p) != 0)
		_exit(99);
}

void
fault_peer_end(struct fault_peer *p)
{
	__atomic_store_n(&p->is_over, true, __ATOMIC_RELAXED);
	if (p->fd >= 0)
		shutdown(p->fd, SHUT_RDWR);
	pthread_join(p->thread, NULL);
	if (p->session)
		gnutls_deinit(p->session);
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}
