/* Any bytes of a host: the client ends or waits, in bounded memory, and every recipient that it
 * settles has a sound status.  The first byte chooses the options, the second how the stream is
 * cut. */
#include <stdlib.h>

#include "base/mem.h"
#include "relay/smtp_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECIPIENTS = 3, OUTPUT_MAX = 1 << 20 };

static void
check_results(const struct client *c)
{
	const struct client_result *r = client_results(c);

	for (size_t i = 0; r && i < RECIPIENTS; i++)
		if (r[i].status.code &&
		    (r[i].status.code < 200 || r[i].status.code > 599 || !r[i].reason))
			abort();
}

/* Sends, fills and secures as an owner would; false: nothing more can happen. */
static bool
follow(struct client *c, enum client_step step, struct outgoing *message, unsigned *sent)
{
	while (step == CLIENT_WAIT && client_has_more(c)) {
		buf_reset(client_output(c));
		step = client_fill(c);
	}
	if (client_output(c)->n > OUTPUT_MAX)
		abort();
	buf_reset(client_output(c));
	if (step == CLIENT_SECURE)
		return follow(c, client_secured(c, true), message, sent);
	if (step == CLIENT_READY) {
		check_results(c);
		return (*sent)++ < 4 && follow(c, client_send(c, message), message, sent);
	}
	return step == CLIENT_WAIT;
}

static void
converse(struct client *c, struct str in, size_t piece, struct outgoing *message)
{
	unsigned sent = 0;
	size_t used;

	if (!follow(c, CLIENT_WAIT, message, &sent))
		return;
	while (in.n) {
		struct str now = str_upto(in, piece);
		enum client_step step = client_take(c, now, &used);

		if (used > now.n)
			abort();
		if (!follow(c, step, message, &sent))
			return;
		in = str_from(in, used ? used : now.n);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t numbers[RECIPIENTS] = {1, 2, 3};
	struct recipient to[RECIPIENTS] = {{.address = STR("a@example.net")},
	    {.address = STR("b@example.net"), .notify = NOTIFY_FAILURE},
	    {.address = STR("\xc3\xbc@example.net")}};
	struct envelope e = {.sender = STR("s@example.com"),
	    .recipients = to,
	    .recipient_count = RECIPIENTS,
	    .smtputf8 = true};
	struct outgoing message = {.envelope = &e,
	    .numbers = numbers,
	    .count = RECIPIENTS,
	    .header = STR("Subject: \xc3\xbc\r\n"),
	    .body = STR("one\r\n.two\r\n")};
	struct client_options o = {.hostname = STR("gw.example.com")};
	struct client *c;

	if (size < 2)
		return 0;
	while (outgoing_look(&message) == OUTGOING_MORE)
		;
	o.is_lmtp = data[0] & 1;
	o.without_chunking = data[0] & 2;
	o.tls = (enum client_tls)(data[0] >> 2 & 3);
	if (data[0] & 16)
		o.username = o.password = STR("us");
	c = client_new(&o);
	if (o.tls == CLIENT_TLS_STANDS)
		(void)client_secured(c, true);
	converse(
	    c, str_make((const char *)data + 2, size - 2), data[1] ? data[1] : SIZE_MAX, &message);
	(void)client_expired(c);
	check_results(c);
	client_free(&c);
	outgoing_clear(&message);
	return 0;
}
