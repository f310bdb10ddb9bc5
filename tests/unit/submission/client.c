/*
 * client: a mail client for the tests; its calls block.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/submission/rig.h"

enum { TIMEOUT_S = 30 };

bool
client_connect(struct client *c, const struct rig *r, unsigned listener)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(r->ports[listener]),
	    .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct timeval limit = {.tv_sec = TIMEOUT_S};

	c->tls = NULL;
	c->in_n = 0;
	if (c->fd <= 0)
		c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	return connect(c->fd, (struct sockaddr *)&to, sizeof to) == 0;
}

bool
client_try_secure(struct client *c)
{
	gnutls_certificate_allocate_credentials(&c->credentials);
	gnutls_init(&c->tls, GNUTLS_CLIENT);
	gnutls_set_default_priority(c->tls);
	gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE, c->credentials);
	gnutls_transport_set_int(c->tls, c->fd);
	return gnutls_handshake(c->tls) == 0;
}

void
client_secure(struct client *c)
{
	cr_assert(client_try_secure(c));
}

void
client_login(struct client *c, const struct rig *r)
{
	c->fd = 0;
	cr_assert(client_connect(c, r, 0));
	client_secure(c);
	client_expect(c, "220");
	client_send(c, "EHLO client.example.com\r\n");
	client_expect(c, "250");
	client_send(c, "AUTH PLAIN AGEAYg==\r\n");
	client_expect(c, "235");
}

void
client_send(struct client *c, const char *text)
{
	size_t n = strlen(text);

	while (n > 0) {
		ssize_t sent = c->tls ? gnutls_record_send(c->tls, text, n)
		                      : send(c->fd, text, n, MSG_NOSIGNAL);

		cr_assert_gt(sent, 0);
		text += sent;
		n -= (size_t)sent;
	}
}

static bool
receive_more(struct client *c)
{
	char *to = c->in + c->in_n;
	size_t space = sizeof c->in - c->in_n;
	ssize_t n = GNUTLS_E_AGAIN;

	/* a session ticket is no data */
	for (int i = 0; i < 8 && n == GNUTLS_E_AGAIN; i++)
		n = c->tls ? gnutls_record_recv(c->tls, to, space) : recv(c->fd, to, space, 0);
	if (n > 0)
		c->in_n += (size_t)n;
	return n > 0;
}

/* Takes one line from the front of the input. */
static struct str
take_line(struct client *c, char line[1024])
{
	struct str all = str_make(c->in, c->in_n);
	size_t end = str_find(all, '\n'), n;

	while (end == all.n) {
		cr_assert(receive_more(c), "closed, or silent, after: %.*s", (int)c->in_n, c->in);
		all = str_make(c->in, c->in_n);
		end = str_find(all, '\n');
	}
	n = end + 1 < 1024 ? end + 1 : 1023;
	memcpy(line, c->in, n);
	c->in_n -= end + 1;
	memmove(c->in, c->in + end + 1, c->in_n);
	return str_make(line, n);
}

void
client_expect(struct client *c, const char *code)
{
	char text[1024];
	struct str line;

	do
		line = take_line(c, text);
	while (line.n > 3 && line.p[3] == '-');
	cr_assert(str_starts(line, str_of(code)), "expected %s, got %.*s", code, STR_ARG(line));
}

bool
client_is_closed(struct client *c)
{
	return c->in_n == 0 && !receive_more(c);
}

void
client_close(struct client *c)
{
	if (c->tls) {
		gnutls_deinit(c->tls);
		gnutls_certificate_free_credentials(c->credentials);
	}
	close(c->fd);
	*c = (struct client){0};
}

void
client_begin_message(struct client *c)
{
	client_send(c, CLIENT_TRANSACTION);
	client_expect(c, "250");
	client_expect(c, "250");
	client_expect(c, "354");
}

void
client_send_message(struct client *c)
{
	client_begin_message(c);
	client_send(c, CLIENT_MESSAGE);
	client_expect(c, "250 2.0.0 Queued as ");
}
