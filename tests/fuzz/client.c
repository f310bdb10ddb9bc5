/* Any bytes of a host: the client ends or waits, in bounded memory, and every recipient that it
 * settles has a sound status.  The first byte chooses the options, the second how the stream is
 * cut. */
#include <stdlib.h>

#include "base/mem.h"
#include "relay/smtp_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECIPIENTS = 3, OUTPUT_MAX = 1 << 20 };

static void
check_results(const struct smtp_client *c)
{
	const struct smtp_client_result *r = smtp_client_results(c);

	for (size_t i = 0; r && i < RECIPIENTS; i++)
		if (r[i].status.code &&
		    (r[i].status.code < 200 || r[i].status.code > 599 || !r[i].reason))
			abort();
}

/* Sends, fills and secures as an owner would; false: nothing more can happen. */
static bool
fuzz_follow_client(struct smtp_client *c, enum smtp_client_step step,
    struct message_source *message, unsigned *sent)
{
	while (step == SMTP_CLIENT_WAIT && smtp_client_has_more_content(c)) {
		buf_reset(smtp_client_output(c));
		step = smtp_client_fill(c);
	}
	if (smtp_client_output(c)->n > OUTPUT_MAX)
		abort();
	buf_reset(smtp_client_output(c));
	if (step == SMTP_CLIENT_SECURE)
		return fuzz_follow_client(c, smtp_client_secured(c, true), message, sent);
	if (step == SMTP_CLIENT_READY) {
		check_results(c);
		return (*sent)++ < 4 &&
		       fuzz_follow_client(c, smtp_client_send(c, message), message, sent);
	}
	return step == SMTP_CLIENT_WAIT;
}

static void
converse(struct smtp_client *c, struct str in, size_t piece, struct message_source *message)
{
	unsigned sent = 0;
	size_t used;

	if (!fuzz_follow_client(c, SMTP_CLIENT_WAIT, message, &sent))
		return;
	while (in.n) {
		struct str now = str_upto(in, piece);
		enum smtp_client_step step = smtp_client_take_input(c, now, &used);

		if (used > now.n)
			abort();
		if (!fuzz_follow_client(c, step, message, &sent))
			return;
		in = str_from(in, used ? used : now.n);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t numbers[RECIPIENTS] = {1, 2, 3};
	struct envelope_recipient to[RECIPIENTS] = {{.address = STR("a@example.net")},
	    {.address = STR("b@example.net"), .notify = NOTIFY_FAILURE},
	    {.address = STR("\xc3\xbc@example.net")}};
	struct envelope e = {.sender = STR("s@example.com"),
	    .recipients = to,
	    .recipient_count = RECIPIENTS,
	    .smtputf8 = true};
	struct message_source message = {.envelope = &e,
	    .numbers = numbers,
	    .count = RECIPIENTS,
	    .header = STR("Subject: \xc3\xbc\r\n"),
	    .body = STR("one\r\n.two\r\n")};
	struct smtp_client_options o = {.hostname = STR("gw.example.com")};
	struct smtp_client *c;

	if (size < 2)
		return 0;
	while (message_source_scan(&message) == MESSAGE_SOURCE_SCAN_MORE)
		;
	o.is_lmtp = data[0] & 1;
	o.without_chunking = data[0] & 2;
	o.tls = (enum smtp_client_tls)(data[0] >> 2 & 3);
	if (data[0] & 16)
		o.username = o.password = STR("us");
	c = smtp_client_new(&o);
	if (o.tls == SMTP_CLIENT_TLS_IMPLICIT)
		(void)smtp_client_secured(c, true);
	converse(
	    c, str_make((const char *)data + 2, size - 2), data[1] ? data[1] : SIZE_MAX, &message);
	(void)smtp_client_expired(c);
	check_results(c);
	smtp_client_free(&c);
	message_source_clear(&message);
	return 0;
}
