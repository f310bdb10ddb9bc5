/*
 * The SMTP client sends exactly one line for each command, whatever the stored envelope contains.
 * An envelope that can be decoded does not contain such texts (see
 * tests/unit/mail/test_envelope.c), but the client does not rely on that.
 */
#include <criterion/criterion.h>

#include "relay/smtp_client.h"

#define S(text)                                                                                    \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}

static const struct str hostile[] = {S("a@b>\r\nRCPT TO:<eve@example.org"), S("a@b\nDATA"),
    S("a@b\r"), S("a\0@b"), S("a\x1b@b"), S("a\x7f@b"), S("a\t@b"), S("a\xc2\x85@b"),
    S("a\xe2\x80\xa8@b")};
enum { HOSTILE = sizeof hostile / sizeof *hostile };

struct dialogue {
	struct smtp_client *client;
	struct envelope_recipient to[2];
	uint32_t numbers[2];
	struct envelope envelope;
	struct message_source message;
	struct buf output;
};

static enum smtp_client_step
answer(struct dialogue *d, const char *line)
{
	size_t used;
	enum smtp_client_step step = smtp_client_take_input(d->client, str_of(line), &used);

	buf_adds(&d->output, buf_str(smtp_client_output(d->client)));
	buf_reset(smtp_client_output(d->client));
	return step;
}

/* Plays the session as far as the replies to MAIL and RCPT; `output` is what was sent after
 * EHLO. */
static void
play(struct dialogue *d)
{
	struct smtp_client_options o = {.hostname = STR("gw.example.com")};

	d->numbers[0] = 1;
	d->numbers[1] = 2;
	d->envelope.recipients = d->to;
	d->envelope.recipient_count = 2;
	d->envelope.smtputf8 = true;
	d->message = (struct message_source){.envelope = &d->envelope,
	    .numbers = d->numbers,
	    .count = 2,
	    .header = STR("Subject: x\r\n"),
	    .body = STR("x\r\n")};
	buf_init(&d->output, 1 << 16);
	d->client = smtp_client_new(&o);
	(void)answer(d, "220 hi\r\n");
	(void)answer(d, "250-a\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n250 DSN\r\n");
	buf_reset(&d->output);
	(void)smtp_client_send(d->client, &d->message);
	(void)answer(d, "250 ok\r\n");
}

static unsigned
lines_of(struct str s)
{
	unsigned count = 0;

	for (size_t i = 0; i < s.n; i++)
		count += s.p[i] == '\n';
	return count;
}

static void
end(struct dialogue *d)
{
	smtp_client_free(&d->client);
	buf_clear(&d->output);
}

Test(relay_commands, a_recipient_with_a_control_character_is_refused_alone)
{
	for (size_t i = 0; i < 2 * HOSTILE; i++) {
		struct dialogue d = {.envelope = {.sender = STR("alice@example.com")},
		    .to = {{.address = STR("a@b"), .orcpt = STR("rfc822;a")},
		        {.address = STR("bob@example.net")}}};
		const struct smtp_client_result *r;

		*(i % 2 ? &d.to[0].orcpt : &d.to[0].address) = hostile[i / 2];
		play(&d);
		r = smtp_client_results(d.client);
		cr_expect_eq(r[0].status.code, 554, "%zu: %u", i, r[0].status.code);
		cr_expect_eq(r[1].status.code, 0, "%zu: %u", i, r[1].status.code);
		/* MAIL has SMTPUTF8 if the refused address would have needed it */
		cr_expect(str_starts(buf_str(&d.output), STR("MAIL FROM:<alice@example.com>")) &&
		              str_iends(buf_str(&d.output),
		                  STR("\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n")) &&
		              lines_of(buf_str(&d.output)) == 3,
		    "%zu: %.*s", i, STR_ARG(buf_str(&d.output)));
		end(&d);
	}
}

Test(relay_commands, a_sender_with_a_control_character_is_not_sent)
{
	for (size_t i = 0; i < 2 * HOSTILE; i++) {
		struct dialogue d = {.envelope = {.sender = STR("alice@example.com")},
		    .to = {{.address = STR("bob@example.net")},
		        {.address = STR("carol@example.net")}}};
		const struct smtp_client_result *r;

		*(i % 2 ? &d.envelope.envid : &d.envelope.sender) = hostile[i / 2];
		play(&d);
		r = smtp_client_results(d.client);
		cr_expect(r[0].status.code == 554 && r[1].status.code == 554, "%zu", i);
		cr_expect_eq(d.output.n, 0, "%zu: %.*s", i, STR_ARG(buf_str(&d.output)));
		end(&d);
	}
}
