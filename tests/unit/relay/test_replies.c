/* Every kind of reply in every phase: each gives a defined result for the recipient, and the
 * session goes on only if host and client are still in step. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/mem.h"
#include "relay/smtp_client.h"

enum stage {
	GREETING, EHLO, EHLO_TLS, HELO, STARTTLS, STARTTLS_TLS, AUTH, MAIL, RCPT, DATA, FINAL, BDAT,
	STAGES
};

/* The dialogue before the reply that is tested: what the host has sent so far. */
static const struct {
	const char *name, *phase;
	enum smtp_client_tls tls;
	bool has_login, has_chunking, is_sending;
	const char *before[6];
} stages[STAGES] = {
    [GREETING] = {.name = "greeting", .phase = "greeting"},
    [EHLO] = {"EHLO", "EHLO", .before = {"220 hi"}},
    [EHLO_TLS] = {"EHLO, TLS must", "EHLO", .tls = SMTP_CLIENT_TLS_REQUIRED, .before = {"220 hi"}},
    [HELO] = {"HELO", "HELO", .before = {"220 hi", "502 no"}},
    [STARTTLS] = {"STARTTLS", "STARTTLS", .tls = SMTP_CLIENT_TLS_IF_OFFERED,
	.before = {"220 hi", "250-a\r\n250 STARTTLS"}},
    [STARTTLS_TLS] = {"STARTTLS, must", "STARTTLS", .tls = SMTP_CLIENT_TLS_REQUIRED,
	.before = {"220 hi", "250-a\r\n250 STARTTLS"}},
    [AUTH] = {"AUTH", "AUTH", .tls = SMTP_CLIENT_TLS_IMPLICIT, .has_login = true,
	.before = {"220 hi", "250-a\r\n250 AUTH PLAIN"}},
    [MAIL] = {"MAIL", "MAIL", .is_sending = true, .before = {"220 hi", "250 a"}},
    [RCPT] = {"RCPT", "RCPT", .is_sending = true, .before = {"220 hi", "250 a", "250 ok"}},
    [DATA] = {"DATA", "DATA", .is_sending = true,
	.before = {"220 hi", "250 a", "250 ok", "250 ok"}},
    [FINAL] = {"the dot", "final", .is_sending = true,
	.before = {"220 hi", "250 a", "250 ok", "250 ok", "354 go"}},
    [BDAT] = {"BDAT", "final", .is_sending = true,
	.before = {"220 hi", "250-a\r\n250 CHUNKING", "250 ok", "250 ok"}},
};

/* The kinds of replies; `outcomes` has a row of them for each phase. */
enum kind { TEMPORARY, PERMANENT, CLOSING, NONSENSE, KINDS };

static const struct {
	const char *name;
	struct str reply;
	enum kind kind;
	unsigned code;
} answers[] = {
    {"450", STR("450 4.2.0 later\r\n"), TEMPORARY, 450},
    {"450 without text", STR("450\r\n"), TEMPORARY, 450},
    {"450 with a blank", STR("450 \r\n"), TEMPORARY, 450},
    {"450 with LF alone", STR("450 later\n"), TEMPORARY, 450},
    {"450 in two lines", STR("450-later\r\n450 or never\r\n"), TEMPORARY, 450},
    {"554", STR("554 5.7.1 never\r\n"), PERMANENT, 554},
    {"554 without text", STR("554\n"), PERMANENT, 554},
    {"554 in empty lines", STR("554-\r\n554-\r\n554\r\n"), PERMANENT, 554},
    {"554 with NUL, ESC, 8-bit", STR("554 a\0b\x1b[2J\xff\xfe\r\n"), PERMANENT, 554},
    {"554 with a CR", STR("554 a\rSubject: x\r\n"), PERMANENT, 554},
    {"554 as fields of a report", STR("554-Final-Recipient: x\r\n554 Status: 2.0.0\r\n"), PERMANENT,
	554},
    {"421", STR("421 4.3.2 closing\r\n"), CLOSING, 421},
    {"421 without text", STR("421\n"), CLOSING, 421},
    {"mixed codes", STR("250-a\r\n550 b\r\n"), NONSENSE, 0},
    {"mixed refusals", STR("550-a\r\n450 b\r\n"), NONSENSE, 0},
    {"no digits", STR("2x0 ok\r\n"), NONSENSE, 0},
    {"no code", STR("ok\r\n"), NONSENSE, 0},
    {"an empty line", STR("\r\n"), NONSENSE, 0},
    {"two digits", STR("25 ok\r\n"), NONSENSE, 0},
    {"four digits", STR("2500 ok\r\n"), NONSENSE, 0},
    {"000", STR("000 ok\r\n"), NONSENSE, 0},
    {"199", STR("199 ok\r\n"), NONSENSE, 0},
    {"600", STR("600 ok\r\n"), NONSENSE, 0},
    {"999", STR("999 ok\r\n"), NONSENSE, 0},
    {"NUL in the code", STR("25\0 ok\r\n"), NONSENSE, 0},
    {"another protocol", STR("HTTP/1.1 400 Bad Request\r\n"), NONSENSE, 0},
    {"221", STR("221 bye\r\n"), NONSENSE, 0},
    {"214", STR("214 help\r\n"), NONSENSE, 0},
    {"300", STR("300 hm\r\n"), NONSENSE, 0},
    {"399", STR("399 hm\r\n"), NONSENSE, 0},
};

/* The step; then the codes of the recipient (0: undecided) and of the session; 1: the code of the
 * reply. */
struct outcome {
	enum smtp_client_step step;
	unsigned result, end;
};

#define CONTINUES {SMTP_CLIENT_WAIT, 0, 0}
#define READY {SMTP_CLIENT_READY, 0, 0}
#define DECIDED {SMTP_CLIENT_READY, 1, 0}
#define OVER(end) {SMTP_CLIENT_OVER, 0, end}
#define MAY_BE_DELIVERED {SMTP_CLIENT_OVER, 451, 451}

static const struct outcome outcomes[STAGES][KINDS] = {
    /*                TEMPORARY   PERMANENT   CLOSING    NONSENSE */
    [GREETING] =     {OVER(1),    OVER(1),    OVER(421), OVER(451)},
    [EHLO] =         {OVER(1),    OVER(1),    OVER(421), OVER(451)},
    [EHLO_TLS] =     {OVER(1),    OVER(1),    OVER(421), OVER(451)},
    [HELO] =         {OVER(1),    OVER(1),    OVER(421), OVER(451)},
    [STARTTLS] =     {READY,      READY,      OVER(421), OVER(451)},
    [STARTTLS_TLS] = {OVER(450),  OVER(450),  OVER(421), OVER(451)},
    [AUTH] =         {OVER(450),  OVER(450),  OVER(421), OVER(451)},
    [MAIL] =         {DECIDED,    DECIDED,    OVER(421), OVER(451)},
    [RCPT] =         {DECIDED,    DECIDED,    OVER(421), OVER(451)},
    [DATA] =         {DECIDED,    DECIDED,    OVER(421), OVER(451)},
    [FINAL] =        {DECIDED,    DECIDED,    OVER(421), MAY_BE_DELIVERED},
    [BDAT] =         {DECIDED,    DECIDED,    OVER(421), MAY_BE_DELIVERED},
};

struct dialogue {
	struct smtp_client *client;
	struct envelope_recipient to;
	struct envelope envelope;
	uint32_t number;
	struct message_source message;
	enum smtp_client_step step;
};

/* Passes input in pieces of this size, and drops the output as an owner would. */
static void
receive(struct dialogue *t, struct str in, size_t piece)
{
	size_t used = 1;

	while (in.n && used && t->step == SMTP_CLIENT_WAIT) {
		t->step = smtp_client_take_input(t->client, str_upto(in, piece), &used);
		in = str_from(in, used);
		buf_reset(smtp_client_output(t->client));
	}
}

static void
receive_line(struct dialogue *t, const char *line)
{
	char text[200];

	snprintf(text, sizeof text, "%s\r\n", line);
	receive(t, str_of(text), sizeof text);
}

static void
begin(struct dialogue *t, enum stage m)
{
	struct smtp_client_options o = {.hostname = STR("gw.example.com"), .tls = stages[m].tls};

	*t = (struct dialogue){.to = {.address = STR("bob@example.net")}, .number = 1};
	if (stages[m].has_login)
		o.username = o.password = STR("secret");
	t->envelope = (struct envelope){
	    .sender = STR("alice@example.com"), .recipients = &t->to, .recipient_count = 1};
	t->message = (struct message_source){.envelope = &t->envelope,
	    .numbers = &t->number,
	    .count = 1,
	    .header = STR("Subject: x\r\n"),
	    .body = STR("x\r\n")};
	t->client = smtp_client_new(&o);
	t->step = SMTP_CLIENT_WAIT;
	if (o.tls == SMTP_CLIENT_TLS_IMPLICIT)
		t->step = smtp_client_secured(t->client, true);
}

/* Plays the dialogue up to the point where the reply of that phase is expected. */
static void
reach_stage(struct dialogue *t, enum stage m)
{
	begin(t, m);
	for (size_t i = 0; stages[m].before[i]; i++) {
		receive_line(t, stages[m].before[i]);
		if (t->step == SMTP_CLIENT_READY && stages[m].is_sending)
			t->step = smtp_client_send(t->client, &t->message);
	}
	buf_reset(smtp_client_output(t->client));
	cr_assert_eq(t->step, SMTP_CLIENT_WAIT, "%s", stages[m].name);
	cr_assert_str_eq(smtp_client_phase(t->client), stages[m].phase, "%s", stages[m].name);
}

static void
check(const struct dialogue *t, enum stage m, size_t a, const struct outcome *o)
{
	const struct smtp_client_end *end = smtp_client_end(t->client);
	const struct smtp_client_result *r = smtp_client_results(t->client);
	unsigned result = r ? r->status.code : 0, reply_code = answers[a].code;
	const char *where = stages[m].name, *what = answers[a].name;

	cr_expect_eq(t->step, o->step, "%s to %s: step %d", what, where, t->step);
	cr_expect_eq(
	    result, o->result == 1 ? reply_code : o->result, "%s to %s: %u", what, where, result);
	if (o->step == SMTP_CLIENT_OVER)
		cr_expect_eq(end->status.code, o->end == 1 ? reply_code : o->end, "%s to %s: %u %s",
		    what, where, end->status.code, end->status.text);
	if (result)
		cr_expect_eq(r->status.is_remote, o->result == 1, "%s to %s", what, where);
	if (o->step == SMTP_CLIENT_OVER)
		cr_expect_eq(
		    end->status.is_remote, o->end == 1 || o->end == 421, "%s to %s", what, where);
	for (const char *c = end->status.text; *c; c++)
		cr_expect((unsigned char)*c >= ' ', "%s to %s", what, where);
	for (const char *c = r ? r->status.text : ""; *c; c++)
		cr_expect((unsigned char)*c >= ' ', "%s to %s", what, where);
}

Test(relay_replies, every_phase_and_every_answer)
{
	static const size_t pieces[] = {1, 1 << 20};

	for (unsigned m = 0; m < STAGES; m++)
		for (size_t a = 0; a < 2 * (sizeof answers / sizeof *answers); a++) {
			const struct outcome *o = &outcomes[m][answers[a / 2].kind];
			struct dialogue t;

			reach_stage(&t, (enum stage)m);
			receive(&t, answers[a / 2].reply, pieces[a % 2]);
			check(&t, (enum stage)m, a / 2, o);
			smtp_client_free(&t.client);
		}
}

/* An endless reply of 64 MB in every phase: the session ends after a bounded part of it. */
Test(relay_replies, floods_in_every_phase)
{
	static const struct str floods[] = {STR("250-more\r\n"), STR("550-no\r\n"), STR("xxxxxxxx"),
	    STR("250 xxxx"), STR("\0\0\0\0")};

	for (unsigned m = 0; m < STAGES; m++)
		for (size_t f = 0; f < sizeof floods / sizeof *floods; f++) {
			size_t total = 0;
			struct dialogue t;

			reach_stage(&t, (enum stage)m);
			for (; t.step == SMTP_CLIENT_WAIT && total < 64u << 20;
			     total += floods[f].n)
				receive(&t, floods[f], floods[f].n);
			cr_expect_eq(t.step, SMTP_CLIENT_OVER, "%s", stages[m].name);
			cr_expect_leq(total, 2 * SMTP_REPLY_BYTES_MAX);
			cr_expect_eq(smtp_client_end(t.client)->status.code, 451);
			smtp_client_free(&t.client);
		}
}

/* A lost connection and a timeout, in every phase. */
Test(relay_replies, lost_or_silent_in_every_phase)
{
	for (unsigned m = 0; m < 2 * STAGES; m++) {
		bool may_be_delivered = m / 2 == FINAL || m / 2 == BDAT;
		struct smtp_status s = smtp_status_make(451, "4.4.2", "lost");
		const struct smtp_client_result *r;
		struct dialogue t;

		reach_stage(&t, (enum stage)(m / 2));
		t.step =
		    m % 2 ? smtp_client_lost(t.client, &s, "lost") : smtp_client_expired(t.client);
		r = smtp_client_results(t.client);
		cr_expect_eq(t.step, SMTP_CLIENT_OVER);
		cr_expect_eq(smtp_client_end(t.client)->status.code, 451);
		cr_expect_not(smtp_client_end(t.client)->status.is_remote);
		cr_expect_eq(
		    r ? r->status.code : 0, may_be_delivered ? 451 : 0, "%s", stages[m / 2].name);
		smtp_client_free(&t.client);
	}
}
