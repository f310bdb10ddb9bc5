/*
 * Logins through the broker and its workers, each in its own process and sandbox: what a client
 * hears, and what it must never hear.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sasl/sasl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/ask.h"
#include "unit/auth/client.h"
#include "unit/auth/rig.h"

#define GOOD STR("\0alice@example.com\0wonderland")
#define WRONG STR("\0alice@example.com\0x")
#define BINDING "0123456789abcdef0123456789abcdef"
#define CALM "failure_limit = \"1000 / 1m\";"

static struct rig *
rig_with_alice(const char *auth, unsigned workers)
{
	struct rig *r = rig_new();

	rig_store(r, "alice@example.com", "wonderland", NULL);
	rig_store(r, "mallory", "pirate", "phished");
	rig_run(r, auth, workers);
	return r;
}

Test(broker, plain_and_the_cache, .timeout = 60)
{
	struct rig *r = rig_with_alice(CALM, 2);
	struct rig_answer a;
	struct str good = GOOD;

	rig_start(r, 1, "PLAIN", &good, &a);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.status.code, 235);
	cr_assert_str_eq(a.user, "alice@example.com");
	cr_assert(!a.from_cache);
	good = STR("\0ALICE@example.com\0wonderland");
	rig_start(r, 2, "PLAIN", &good, &a);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.status.code, 235);
	cr_assert(a.from_cache);
	cr_assert_eq(rig_login(r, 3, "PLAIN", WRONG), 535);
	cr_assert_eq(rig_login(r, 4, "PLAIN", STR("bob\0alice@example.com\0wonderland")), 535,
	    "another identity is refused also by the cache");
	rig_free(&r);
}

Test(broker, the_cache_needs_no_worker, .timeout = 60)
{
	struct rig *r = rig_with_alice(CALM, 1);

	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 235);
	kill(r->workers[0].pid, SIGSTOP);
	cr_assert_eq(rig_login(r, 2, "PLAIN", GOOD), 235);
	rig_free(&r);
}

static void
step_expect(struct rig *r, uint64_t session, struct str response, unsigned code, const char *challenge)
{
	struct rig_answer a;

	rig_step(r, session, response, &a);
	rig_until(r, &a.is_done);
	if (challenge) {
		cr_assert_eq(a.outcome, AUTH_CONTINUE);
		cr_assert(str_eq(str_make(a.challenge, a.challenge_n), str_of(challenge)));
	} else {
		cr_assert_eq(a.status.code, code, "%u", a.status.code);
	}
}

Test(broker, prompts, .timeout = 60)
{
	struct rig *r = rig_with_alice(CALM, 1);
	struct rig_answer a;

	rig_start(r, 1, "LOGIN", NULL, &a);
	rig_until(r, &a.is_done);
	cr_assert(str_eq(str_make(a.challenge, a.challenge_n), STR("Username:")));
	step_expect(r, 1, STR("alice@example.com"), 0, "Password:");
	step_expect(r, 1, STR("wonderland"), 235, NULL);

	cr_assert_eq(rig_login(r, 2, "LOGIN", STR("alice@example.com")), 334);
	step_expect(r, 2, STR("x"), 535, NULL);

	rig_start(r, 3, "PLAIN", NULL, &a);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.outcome, AUTH_CONTINUE);
	cr_assert_eq(a.challenge_n, 0);
	rig_cancel(r, 3);
	step_expect(r, 3, GOOD, 454, NULL);
	cr_assert_eq(rig_login(r, 3, "PLAIN", GOOD), 235, "and once more after the cancel");
	rig_free(&r);
}

/* ---- SCRAM ---- */

struct talk_end {
	unsigned code;
	char first_challenge[512];
};

static struct talk_end
talk(struct rig *r, uint64_t session, const struct client_wish *wish, bool with_initial)
{
	const char *mechanism = wish->binding ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256";
	struct client *c = client_new(wish);
	struct str message = client_first(c);
	struct talk_end end = {0};
	struct rig_answer a;

	rig_start(r, session, mechanism, with_initial ? &message : NULL, &a);
	rig_until(r, &a.is_done);
	if (!with_initial) {
		cr_assert_eq(a.outcome, AUTH_CONTINUE);
		rig_step(r, session, message, &a);
		rig_until(r, &a.is_done);
	}
	snprintf(end.first_challenge, sizeof end.first_challenge, "%.*s", (int)a.challenge_n,
	    a.challenge);
	while (a.outcome == AUTH_CONTINUE) {
		cr_assert(client_next(c, str_make(a.challenge, a.challenge_n), &message));
		rig_step(r, session, message, &a);
		rig_until(r, &a.is_done);
	}
	client_free(&c);
	end.code = a.status.code;
	return end;
}

static const struct {
	struct client_wish wish;
	bool with_initial;
	unsigned code;
} talks[] = {
    {{.user = "alice@example.com", .password = "wonderland"}, true, 235},
    {{.user = "Alice@Example.com", .password = "wonderland"}, false, 235},
    {{.user = "alice@example.com", .password = "wonderland", .binding = BINDING,
	 .type = "tls-exporter"}, true, 235},
    {{.user = "alice@example.com", .password = "wonderland", .binding = "tampered",
	 .type = "tls-exporter"}, true, 535},
    {{.user = "alice@example.com", .password = "wonderland", .binding = BINDING,
	 .type = "tls-unique"}, true, 535},
    {{.user = "alice@example.com", .password = "x"}, true, 535},
    {{.user = "nobody@example.com", .password = "x"}, true, 535},
    {{.user = "mallory", .password = "pirate"}, true, 535},
    {{.user = "alice@example.com", .password = "wonderland", .as = "bob"}, true, 535},
};

Test(broker, scram, .timeout = 120)
{
	struct rig *r = rig_with_alice(CALM, 2);

	cr_assert_eq(sasl_client_init(NULL), SASL_OK);
	for (size_t i = 0; i < sizeof talks / sizeof *talks; i++)
		cr_assert_eq(talk(r, 10 + i, &talks[i].wish, talks[i].with_initial).code,
		    talks[i].code, "case %zu", i);
	rig_free(&r);
}

static void
salt_of(const struct talk_end *end, char salt[64])
{
	const char *s = strstr(end->first_challenge, ",s=");

	cr_assert_not_null(s, "%s", end->first_challenge);
	snprintf(salt, 64, "%s", s);
}

/* The same for each asking, of the same form as a real one, and after a restart as before. */
Test(broker, unknown_users_have_a_salt_too, .timeout = 120)
{
	static const struct client_wish nobody = {.user = "nobody", .password = "x"};
	static const struct client_wish alice = {.user = "alice@example.com", .password = "x"};
	struct rig *r = rig_with_alice(CALM, 1);
	char first[64], second[64], real[64];
	struct talk_end end;

	cr_assert_eq(sasl_client_init(NULL), SASL_OK);
	end = talk(r, 1, &nobody, true);
	salt_of(&end, first);
	end = talk(r, 2, &alice, true);
	salt_of(&end, real);
	cr_assert_eq(strlen(first), strlen(real));
	cr_assert_str_eq(strstr(first, ",i="), strstr(real, ",i="));

	kill(r->broker.pid, SIGKILL);
	waitpid(r->broker.pid, NULL, 0);
	channel_free(&r->broker.main);
	channel_free(&r->submission);
	channel_free(&r->control);
	rig_run(r, CALM, 0);
	end = talk(r, 3, &nobody, true);
	salt_of(&end, second);
	cr_assert_str_eq(first, second);
	rig_free(&r);
}

/* Accounts of two counts, as auth.iterations was changed: names that nobody has show both, about as
 * often, and each always the same. */
Test(broker, iterations_do_not_tell_who_exists, .timeout = 120)
{
	enum { EACH = 10, NAMES = 200 };
	struct rig *r = rig_new();
	char first[64], name[96];
	unsigned low = 0;

	for (int i = 0; i < 2 * EACH; i++) {
		snprintf(name, sizeof name, "user%d", i);
		rig_store_rounds(r, name, i < EACH ? 4096 : 20000);
	}
	rig_run(r, CALM, 0);
	for (unsigned i = 0; i < NAMES; i++) {
		struct rig_answer a[2];

		struct str message = str_make(
		    name, (size_t)snprintf(name, sizeof name, "n,,n=nobody%u,r=abc", i));

		for (unsigned j = 0; j < 2; j++) {
			rig_start(r, 1 + 2 * i + j, "SCRAM-SHA-256", &message, &a[j]);
			rig_until(r, &a[j].is_done);
			a[j].challenge[a[j].challenge_n] = 0;
		}
		snprintf(first, sizeof first, "%s", strstr(a[0].challenge, ",s="));
		cr_assert_str_eq(first, strstr(a[1].challenge, ",s="));
		low += strstr(first, ",i=4096") != NULL;
		cr_assert(strstr(first, ",i=4096") || strstr(first, ",i=20000"), "%s", first);
	}
	cr_assert(low > NAMES * 35 / 100 && low < NAMES * 65 / 100, "%u of %u", low, NAMES);
	rig_free(&r);
}

/* What a worker gets to do is the same for a known, an unknown and a suspended name. */
Test(broker, every_name_costs_the_same, .timeout = 60)
{
	static const struct str logins[] = {STR("\0alice@example.com\0x"), STR("\0nobody\0x"),
	    STR("\0mallory\0pirate")};
	struct rig *r = rig_with_alice(CALM, 0);
	struct rig_answer a[3];

	rig_play(r, 0);
	for (unsigned i = 0; i < 3; i++) {
		rig_start(r, 1 + i, "PLAIN", &logins[i], &a[i]);
		rig_until_count(r, &r->seen_count, i + 1);
		rig_play_honestly(r, i);
	}
	for (unsigned i = 0; i < 3; i++) {
		rig_until(r, &a[i].is_done);
		cr_assert_eq(r->seen[i].secret.iterations, r->seen[0].secret.iterations);
		cr_assert_eq(r->seen[i].secret.salt_n, r->seen[0].secret.salt_n);
		cr_assert_eq(a[i].status.code, 535, "a suspended user's password fits no more");
		cr_assert_str_eq(a[i].status.text, a[0].status.text);
	}
	rig_free(&r);
}

/* ---- bad input ---- */

static const struct {
	const char *mechanism;
	struct str initial;
	unsigned code;
} bad[] = {
    {"PLAIN", STR(""), 501},
    {"PLAIN", STR("\0"), 501},
    {"PLAIN", STR("\0\0"), 501},
    {"PLAIN", STR("\0alice\0wonderland\0junk"), 501},
    {"PLAIN", STR("\0ali\r\nce\0x"), 501},
    {"LOGIN", STR(""), 501},
    {"LOGIN", STR("a\0b"), 501},
    {"SCRAM-SHA-256", STR("nonsense"), 501},
    {"SCRAM-SHA-256", STR("n,,n=alice=ZZ,r=abc"), 501},
    {"SCRAM-SHA-256", STR("y,,n=alice@example.com,r=abc"), 535},
    {"SCRAM-SHA-256-PLUS", STR("n,,n=alice@example.com,r=abc"), 535},
    {"PLAIN", STR("\0*)(uid=*\0x"), 535},
    {"PLAIN", STR("\0' OR '1'='1\0x"), 535},
    {"PLAIN", STR("\0../../etc/passwd\0x"), 535},
    {"PLAIN-PLUS", GOOD, 504},
    {"plain", GOOD, 504},
    {"CRAM-MD5", STR(""), 504},
    {"", GOOD, 504},
};

Test(broker, bad_input, .timeout = 120)
{
	struct rig *r = rig_with_alice(CALM, 1);
	static char large[20000];

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		cr_assert_eq(rig_login(r, i + 1, bad[i].mechanism, bad[i].initial), bad[i].code,
		    "case %zu", i);
	memset(large, 'x', sizeof large);
	cr_assert_eq(rig_login(r, 90, "PLAIN", str_make(large, sizeof large)), 501);
	cr_assert_eq(rig_login(r, 91, "SCRAM-SHA-256", STR("n,,n=alice@example.com,r=abc")), 334);
	step_expect(r, 91, str_make(large, sizeof large), 501, NULL);
	cr_assert_eq(rig_login(r, 92, "SCRAM-SHA-256", STR("n,,n=alice@example.com,r=abc")), 334);
	step_expect(r, 92, STR("c=biws,r=altered,p=AAAA"), 535, NULL);
	cr_assert_eq(rig_login(r, 93, "PLAIN", GOOD), 235);
	rig_free(&r);
}

Test(broker, only_offered_mechanisms, .timeout = 60)
{
	struct rig *r = rig_with_alice("mechanisms = ( \"SCRAM-SHA-256\" );", 1);

	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 504);
	cr_assert_eq(rig_login(r, 2, "SCRAM-SHA-256", STR("y,,n=alice@example.com,r=abc")), 334,
	    "no -PLUS was offered, so \"y\" is no downgrade");
	rig_free(&r);
}

/* ---- guessing ---- */

Test(broker, guessing_is_slowed_then_stopped, .timeout = 120)
{
	struct rig *r = rig_with_alice("failure_limit = \"3 / 1h\";", 1);
	struct message_auth_start other = {.session = 50, .mechanism = STR("PLAIN"),
	    .has_initial = true, .initial = GOOD, .client = STR("198.51.100.1"), .port = 465,
	    .tls = STR("TLSv1.3"), .hostname = STR("mx.test")};
	struct rig_answer late, quick;
	struct str wrong = WRONG, good = GOOD;

	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 235);
	rig_start(r, 2, "PLAIN", &wrong, &late);
	rig_start(r, 3, "LOGIN", NULL, &quick);
	rig_until(r, &late.is_done);
	cr_assert_eq(late.status.code, 535);
	cr_assert(quick.is_done && quick.order < late.order, "a wrong password waits, others do not");
	cr_assert_eq(rig_login(r, 4, "PLAIN", WRONG), 535);
	cr_assert_eq(rig_login(r, 5, "PLAIN", STR("\0bob\0x")), 535);
	rig_start(r, 6, "PLAIN", &good, &quick);
	rig_until(r, &quick.is_done);
	cr_assert_eq(quick.status.code, 421, "nor may it guess at the cache");
	cr_assert_str_eq(quick.status.text, "Too many failed logins");
	rig_start_as(r, &other, &quick);
	rig_until(r, &quick.is_done);
	cr_assert_eq(quick.status.code, 235, "other networks are let in");
	rig_free(&r);
}

/* All have begun before the first has failed: what comes after the limit hears no more than 421,
 * the right password too. */
Test(broker, guesses_sent_at_once, .timeout = 60)
{
	enum { MANY = 4 };
	static const struct client_wish wishes[MANY] = {
	    {.user = "alice@example.com", .password = "x"},
	    {.user = "alice@example.com", .password = "y"},
	    {.user = "nobody", .password = "z"},
	    {.user = "alice@example.com", .password = "wonderland"}};
	struct rig *r = rig_with_alice("failure_limit = \"1 / 1h\";", 0);
	static struct client *clients[MANY];
	static struct rig_answer a[MANY];
	struct str message;

	cr_assert_eq(sasl_client_init(NULL), SASL_OK);
	for (unsigned i = 0; i < MANY; i++) {
		clients[i] = client_new(&wishes[i]);
		message = client_first(clients[i]);
		rig_start(r, 1 + i, "SCRAM-SHA-256", &message, &a[i]);
		rig_until(r, &a[i].is_done);
		cr_assert_eq(a[i].outcome, AUTH_CONTINUE);
	}
	for (unsigned i = 0; i < MANY; i++) {
		struct str challenge = str_make(a[i].challenge, a[i].challenge_n);

		cr_assert(client_next(clients[i], challenge, &message));
		rig_step(r, 1 + i, message, &a[i]);
	}
	for (unsigned i = 0; i < MANY; i++) {
		rig_until(r, &a[i].is_done);
		cr_assert_eq(a[i].status.code, i == 0 ? 535 : 421, "%u: %u", i, a[i].status.code);
		client_free(&clients[i]);
	}
	rig_free(&r);
}

/* ---- one login guessed from many networks ---- */

static void
guess_from(struct rig *r, uint64_t session, struct str initial, struct rig_answer *out)
{
	char client[32];
	int n = snprintf(client, sizeof client, "10.%u.%u.7", (unsigned)session / 256,
	    (unsigned)session % 256);
	struct message_auth_start m = {.session = session, .mechanism = STR("PLAIN"),
	    .has_initial = true, .initial = initial, .client = str_make(client, (size_t)n),
	    .port = 465, .tls = STR("TLSv1.3"), .hostname = STR("mx.test")};

	rig_start_as(r, &m, out);
}

static unsigned
code_from(struct rig *r, uint64_t session, struct str initial)
{
	struct rig_answer a;

	guess_from(r, session, initial, &a);
	rig_until(r, &a.is_done);
	return a.status.code;
}

/* Each of 400 networks is below its own limit. Those beyond the login's limit hear no more whether
 * the guess was right; who was there before is let in at once, and so is everybody else. */
Test(broker, a_login_guessed_from_400_networks, .timeout = 120)
{
	enum { MANY = 400, LIMIT = 4 };
	static struct rig_answer a[MANY];
	struct rig *r = rig_with_alice("cache = \"0s\"; login_failure_limit = \"4 / 1h\";", 1);
	unsigned checked = 0;
	char guess[64];

	cr_assert_eq(rig_login(r, 1000, "PLAIN", GOOD), 235, "from 203.0.113.7");
	for (unsigned i = 0; i < MANY; i++) {
		int n = snprintf(guess, sizeof guess, "%calice@example.com%cx%u", 0, 0, i);

		guess_from(r, 1 + i, str_make(guess, (size_t)n), &a[i]);
	}
	for (unsigned i = 0; i < MANY; i++) {
		rig_until(r, &a[i].is_done);
		checked += a[i].status.code == 535;
		cr_assert(a[i].status.code == 535 || a[i].status.code == 454, "%u: %u", i,
		    a[i].status.code);
	}
	cr_assert_eq(checked, LIMIT, "%u", checked);
	cr_assert_eq(code_from(r, 2000, GOOD), 454, "a new place must wait, even with the password");
	cr_assert_eq(rig_login(r, 2001, "PLAIN", GOOD), 235, "the usual place does not");
	cr_assert_eq(code_from(r, 2002, STR("\0mallory\0pirate")), 535, "other logins are not touched");
	rig_free(&r);
}

/* A name that nobody has is limited as one that somebody has. */
Test(broker, an_unknown_login_is_limited_too, .timeout = 60)
{
	struct rig *r = rig_with_alice("login_failure_limit = \"2 / 1h\";", 1);

	cr_assert_eq(code_from(r, 1, STR("\0nobody\0a")), 535);
	cr_assert_eq(code_from(r, 2, STR("\0nobody\0b")), 535);
	cr_assert_eq(code_from(r, 3, STR("\0nobody\0c")), 454);
	rig_free(&r);
}

/* A program with an old password that asks again and again does not keep its user out elsewhere. */
Test(broker, the_same_wrong_password_counts_once, .timeout = 60)
{
	struct rig *r = rig_with_alice("login_failure_limit = \"2 / 1h\";", 1);

	for (unsigned i = 1; i <= 4; i++)
		cr_assert_eq(code_from(r, i, WRONG), 535);
	cr_assert_eq(code_from(r, 5, GOOD), 235);
	cr_assert_eq(code_from(r, 6, STR("\0alice@example.com\0y")), 535);
	cr_assert_eq(code_from(r, 7, GOOD), 454);
	cr_assert_eq(code_from(r, 5, GOOD), 235, "where it succeeded before");
	rig_free(&r);
}

/* Guesses at what is remembered, and SCRAM's, are held to the same limit. */
Test(broker, a_limited_login_is_limited_in_every_mechanism, .timeout = 60)
{
	struct rig *r = rig_with_alice("login_failure_limit = \"1 / 1h\";", 1);
	struct message_auth_start m = {.session = 9, .mechanism = STR("SCRAM-SHA-256"),
	    .has_initial = true, .initial = STR("n,,n=alice@example.com,r=abc"),
	    .client = STR("10.9.9.9"), .port = 465, .tls = STR("TLSv1.3"), .hostname = STR("mx.test")};
	struct rig_answer a;

	cr_assert_eq(code_from(r, 1, GOOD), 235);
	cr_assert_eq(code_from(r, 2, WRONG), 535);
	cr_assert_eq(code_from(r, 3, GOOD), 454);
	rig_start_as(r, &m, &a);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.status.code, 454);
	rig_free(&r);
}

/* ---- the operator ---- */

Test(broker, changes_hold_at_once, .timeout = 120)
{
	struct rig *r = rig_with_alice(CALM, 1);
	const char *suspend[][2] = {{"name", "Alice@example.com"}, {"reason", "phished"}, {NULL, NULL}};
	char text[SECRET_TEXT_BYTES];
	struct secret s;
	struct rig_admin done;

	cr_assert(secret_make(STR("new"), 4096, &s));
	const char *password[][2] = {
	    {"name", "alice@example.com"}, {"secret", secret_text(&s, text)}, {NULL, NULL}};

	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 235);
	rig_admin(r, "user.suspend", suspend, &done);
	cr_assert_eq(done.exit_code, 0);
	rig_until_count(r, &r->gone, 1);
	cr_assert_str_eq(r->last_gone, "alice@example.com");
	cr_assert_eq(rig_login(r, 2, "PLAIN", GOOD), 535);
	rig_admin(r, "user.resume", suspend, &done);
	cr_assert_eq(rig_login(r, 3, "PLAIN", GOOD), 235);
	rig_admin(r, "user.password", password, &done);
	cr_assert_eq(done.exit_code, 0);
	cr_assert_eq(rig_login(r, 4, "PLAIN", GOOD), 535);
	cr_assert_eq(rig_login(r, 5, "PLAIN", STR("\0alice@example.com\0new")), 235);
	rig_admin(r, "user.remove", suspend, &done);
	cr_assert_eq(done.exit_code, 0);
	cr_assert_eq(r->gone, 2);
	cr_assert_eq(rig_login(r, 6, "PLAIN", STR("\0alice@example.com\0new")), 535);
	rig_admin(r, "user.remove", suspend, &done);
	cr_assert_eq(done.exit_code, 67);
	rig_free(&r);
}

struct broker_users {
	bool is_done;
	enum request_end end;
	char gone[128];
	size_t gone_n;
};

static void
hear_users(enum request_end end, const struct packet *p, void *arg)
{
	struct broker_users *u = arg;

	u->is_done = true;
	u->end = end;
	if (!p)
		return;
	u->gone_n = p->message->auth_users.gone.n;
	cr_assert_leq(u->gone_n, sizeof u->gone);
	memcpy(u->gone, p->message->auth_users.gone.p, u->gone_n);
}

static void
ask_users(struct rig *r, struct str users, struct broker_users *out)
{
	struct message_auth_users_ask m = {users};

	*out = (struct broker_users){0};
	(void)ask(r->submission, MESSAGE_AUTH_USERS_ASK, &m, hear_users, out);
	rig_until(r, &out->is_done);
}

/* What submission asks after it has a new channel. */
Test(broker, tells_who_of_those_logged_in_is_gone, .timeout = 60)
{
	struct rig *r = rig_new();
	struct broker_users u;

	rig_store(r, "alice@example.com", "right", NULL);
	rig_store(r, "bob@example.com", "right", "phished");
	rig_run(r, CALM, 0);
	ask_users(r, STR("alice@example.com\0bob@example.com\0carol@example.com\0alice@example.com\0"),
	    &u);
	cr_assert_eq(u.end, REQUEST_ANSWERED);
	cr_assert(str_eq(str_make(u.gone, u.gone_n), STR("bob@example.com\0carol@example.com\0")));
	ask_users(r, STR("alice@example.com\0"), &u);
	cr_assert_eq(u.end, REQUEST_ANSWERED);
	cr_assert_eq(u.gone_n, 0);
	rig_free(&r);
}

/* A store that cannot be opened says nothing about anybody. */
Test(broker, a_broken_store_makes_nobody_gone, .timeout = 60)
{
	struct rig *r = rig_new();
	struct broker_users u;

	snprintf(r->directory, sizeof r->directory, "/nonexistent");
	rig_run(r, CALM, 0);
	ask_users(r, STR("alice@example.com\0"), &u);
	cr_assert_eq(u.end, REQUEST_ERROR);
	rig_free(&r);
}

/* The change comes while a worker is at work on the old password. */
Test(broker, a_change_overtakes_a_check, .timeout = 60)
{
	struct rig *r = rig_with_alice(CALM, 0);
	const char *suspend[][2] = {{"name", "alice@example.com"}, {NULL, NULL}};
	struct str good = GOOD;
	struct rig_answer a;
	struct rig_admin done;

	rig_play(r, 0);
	rig_start(r, 1, "PLAIN", &good, &a);
	rig_until_count(r, &r->seen_count, 1);
	rig_admin(r, "user.suspend", suspend, &done);
	rig_play_honestly(r, 0);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.status.code, 535);
	rig_admin(r, "user.resume", suspend, &done);
	rig_start(r, 2, "PLAIN", &good, &a);
	rig_until_count(r, &r->seen_count, 2);
	rig_free(&r);
}

Test(broker, add_show_list_and_test, .timeout = 60)
{
	struct rig *r = rig_with_alice(CALM, 1);
	char text[SECRET_TEXT_BYTES];
	struct rig_admin done;
	struct secret s;

	cr_assert(secret_make(STR("new"), 4096, &s));
	const char *bob[][2] = {{"name", "bob"}, {"secret", secret_text(&s, text)}, {NULL, NULL}};
	const char *clear[][2] = {{"name", "eve"}, {"secret", "clear"}, {NULL, NULL}};
	const char *good[][2] = {{"user", "bob"}, {"password", "new"}, {NULL, NULL}};
	const char *wrong[][2] = {{"user", "bob"}, {"password", "old"}, {NULL, NULL}};

	rig_admin(r, "user.add", bob, &done);
	cr_assert_eq(done.exit_code, 0);
	rig_admin(r, "user.add", bob, &done);
	cr_assert_eq(done.exit_code, 73);
	rig_admin(r, "user.add", clear, &done);
	cr_assert_eq(done.exit_code, 65);
	rig_admin(r, "user.list", NULL, &done);
	cr_assert_eq(done.rows, 3);
	rig_admin(r, "user.fly", bob, &done);
	cr_assert_eq(done.exit_code, 64);
	rig_admin(r, "test.auth", good, &done);
	cr_assert_eq(done.exit_code, 0);
	cr_assert(str_eq(message_values_get(str_make(done.last_row, done.last_row_n), "outcome"),
	    STR("ok")));
	rig_admin(r, "test.auth", wrong, &done);
	cr_assert_eq(done.exit_code, 1);
	rig_free(&r);
}

/* ---- trouble is 454, never 535 ---- */

Test(broker, no_worker, .timeout = 60)
{
	struct rig *r = rig_with_alice("failure_limit = \"1 / 1h\";", 0);

	for (uint64_t i = 1; i < 5; i++)
		cr_assert_eq(rig_login(r, i, "PLAIN", GOOD), 454);
	rig_worker(r, 0);
	cr_assert_eq(rig_login(r, 9, "PLAIN", GOOD), 235, "trouble of ours counts for nothing");
	rig_free(&r);
}

Test(broker, a_worker_that_hangs, .timeout = 60)
{
	struct rig *r = rig_with_alice(CALM "step_timeout = \"1s\";", 1);

	kill(r->workers[0].pid, SIGSTOP);
	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 454);
	rig_until_count(r, &r->restarts, 1);
	cr_assert_eq(r->last_restart, 0);
	kill(r->workers[0].pid, SIGKILL);
	waitpid(r->workers[0].pid, NULL, 0);
	rig_worker(r, 0);
	cr_assert_eq(rig_login(r, 2, "PLAIN", GOOD), 235);
	rig_free(&r);
}

Test(broker, a_worker_that_dies_in_a_check, .timeout = 60)
{
	struct rig *r = rig_with_alice(CALM, 0);
	struct str good = GOOD;
	struct rig_answer a;

	rig_play(r, 0);
	rig_start(r, 1, "PLAIN", &good, &a);
	rig_until_count(r, &r->seen_count, 1);
	channel_free(&r->played);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.status.code, 454);
	rig_free(&r);
}

/* SCRAM's proof is checked by the broker itself. */
Test(broker, scram_needs_no_worker, .timeout = 60)
{
	static const struct client_wish good = {.user = "alice@example.com", .password = "wonderland"};
	static const struct client_wish wrong = {.user = "alice@example.com", .password = "x"};
	struct rig *r = rig_with_alice(CALM, 0);

	cr_assert_eq(sasl_client_init(NULL), SASL_OK);
	rig_play(r, 0);
	cr_assert_eq(talk(r, 1, &good, true).code, 235);
	cr_assert_eq(talk(r, 2, &wrong, true).code, 535);
	cr_assert_eq(r->seen_count, 0, "no worker heard of it");
	rig_free(&r);
}

/* The password is changed between the client's proof and its last empty line. */
Test(broker, a_change_overtakes_a_proof, .timeout = 60)
{
	static const struct client_wish good = {.user = "alice@example.com", .password = "wonderland"};
	const char *suspend[][2] = {{"name", "alice@example.com"}, {NULL, NULL}};
	struct rig *r = rig_with_alice(CALM, 0);
	struct rig_admin done;
	struct client *c;
	struct rig_answer a;
	struct str message;

	cr_assert_eq(sasl_client_init(NULL), SASL_OK);
	c = client_new(&good);
	message = client_first(c);
	rig_start(r, 1, "SCRAM-SHA-256", &message, &a);
	rig_until(r, &a.is_done);
	cr_assert(client_next(c, str_make(a.challenge, a.challenge_n), &message));
	rig_step(r, 1, message, &a);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.outcome, AUTH_CONTINUE);
	rig_admin(r, "user.suspend", suspend, &done);
	step_expect(r, 1, STR(""), 535, NULL);
	client_free(&c);
	rig_free(&r);
}

static void
damage(struct rig *r)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/accounts.db", r->directory);
	fd = open(path, O_WRONLY | O_TRUNC);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, path, sizeof path), (ssize_t)sizeof path);
	close(fd);
}

Test(broker, a_store_that_is_damaged, .timeout = 60)
{
	struct rig *r = rig_new();
	struct rig_admin done;

	rig_store(r, "alice@example.com", "wonderland", NULL);
	damage(r);
	rig_run(r, CALM, 1);
	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 454);
	cr_assert_eq(rig_login(r, 2, "SCRAM-SHA-256", STR("n,,n=alice@example.com,r=abc")), 454);
	rig_admin(r, "user.list", NULL, &done);
	cr_assert_eq(done.exit_code, 74);
	rig_free(&r);
}

Test(broker, a_store_that_is_missing, .timeout = 60)
{
	struct rig *r = rig_new();

	cr_assert_eq(rmdir(r->directory), 0);
	rig_run(r, CALM, 1);
	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 454);
	rig_free(&r);
}

/* ---- fairness and bounds ---- */

static void
start_from(struct rig *r, uint64_t session, const char *client, struct rig_answer *out)
{
	char plain[64];
	int n = snprintf(plain, sizeof plain, "%cu%u%cx", 0, (unsigned)session, 0);
	struct message_auth_start m = {.session = session, .mechanism = STR("PLAIN"),
	    .has_initial = true, .initial = str_make(plain, (size_t)n), .client = str_of(client),
	    .port = 465, .tls = STR("TLSv1.3"), .hostname = STR("mx.test")};

	rig_start_as(r, &m, out);
}

Test(broker, one_network_does_not_fill_the_queue, .timeout = 60)
{
	enum { MANY = 400, PER_NETWORK = 2, HELD = 256 };
	static struct rig_answer crowd[MANY], other;
	struct rig *r = rig_with_alice(CALM "checks_per_network = 2;", 0);
	unsigned refused = 0;

	rig_play(r, 0);
	for (unsigned i = 0; i < MANY; i++)
		start_from(r, 1 + i, "203.0.113.7", &crowd[i]);
	start_from(r, 1000, "198.51.100.1", &other);
	rig_until_count(r, &r->answers, MANY - PER_NETWORK - HELD);
	for (unsigned i = 0; i < MANY; i++)
		if (crowd[i].is_done) {
			cr_assert_eq(crowd[i].status.code, 454);
			refused++;
		}
	cr_assert_eq(refused, MANY - PER_NETWORK - HELD);
	for (unsigned i = 0; i < PER_NETWORK; i++) {
		rig_until_count(r, &r->seen_count, i + 1);
		rig_play_honestly(r, i);
	}
	rig_until_count(r, &r->seen_count, PER_NETWORK + 1);
	cr_assert_str_eq(r->seen[PER_NETWORK].user, "u1000", "%s", r->seen[PER_NETWORK].user);
	rig_free(&r);
}

/* A worker that was taken over says "yes" to a wrong password: it is not believed, and nothing is
 * remembered of it. */
Test(broker, a_worker_that_lies_lets_nobody_in, .timeout = 60)
{
	static const char key[SECRET_KEY_BYTES + 1] = "0123456789abcdef0123456789abcdef";
	struct rig *r = rig_with_alice(CALM, 0);
	struct str wrong = WRONG;
	struct rig_answer a;

	rig_play(r, 0);
	for (unsigned i = 0; i < 2; i++) {
		rig_start(r, 1 + i, "PLAIN", &wrong, &a);
		rig_until_count(r, &r->seen_count, i + 1);
		rig_play_answer(r, i, AUTH_OK, str_make(key, SECRET_KEY_BYTES));
		rig_until(r, &a.is_done);
		cr_assert_eq(a.status.code, 535, "%u", a.status.code);
	}
	rig_free(&r);
}

/* A "yes" without a key, a "no" with one, a step that no mechanism has: the worker is replaced. */
Test(broker, a_worker_whose_answer_cannot_be_is_given_up, .timeout = 60)
{
	static const struct {
		uint8_t outcome;
		struct str key;
	} answers[] = {{AUTH_OK, STR("")}, {AUTH_OK, STR("short")},
	    {AUTH_FAIL, STR("0123456789abcdef0123456789abcdef")}, {AUTH_CONTINUE, STR("")}, {99, STR("")}};
	struct rig *r = rig_with_alice(CALM, 0);
	struct str wrong = WRONG;
	struct rig_answer a;

	for (unsigned i = 0; i < sizeof answers / sizeof *answers; i++) {
		channel_free(&r->played);
		rig_play(r, 0);
		rig_start(r, 1 + i, "PLAIN", &wrong, &a);
		rig_until_count(r, &r->seen_count, i + 1);
		rig_play_answer(r, i, answers[i].outcome, answers[i].key);
		rig_until(r, &a.is_done);
		cr_assert_eq(a.status.code, 454, "%u: %u", i, a.status.code);
		rig_until_count(r, &r->restarts, i + 1);
	}
	rig_free(&r);
}

/* A key that is right lets in the account that was asked for, and that one only. */
Test(broker, a_right_key_gives_no_other_identity, .timeout = 60)
{
	struct str other = STR("bob\0alice@example.com\0wonderland");
	struct rig *r = rig_with_alice(CALM, 0);
	struct rig_answer a;

	rig_play(r, 0);
	rig_start(r, 1, "PLAIN", &other, &a);
	rig_until_count(r, &r->seen_count, 1);
	rig_play_honestly(r, 0);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.status.code, 535, "%u", a.status.code);
	rig_free(&r);
}

/* Many sessions with one password cost one check. */
Test(broker, those_who_waited_use_what_the_first_proved, .timeout = 60)
{
	enum { MANY = 50 };
	static struct rig_answer a[MANY];
	struct rig *r = rig_with_alice(CALM, 0);
	struct str good = GOOD;

	rig_play(r, 0);
	for (unsigned i = 0; i < MANY; i++)
		rig_start(r, 1 + i, "PLAIN", &good, &a[i]);
	rig_until_count(r, &r->seen_count, 1);
	rig_play_honestly(r, 0);
	rig_until_count(r, &r->answers, MANY);
	for (unsigned i = 0; i < MANY; i++)
		cr_assert_eq(a[i].status.code, 235);
	cr_assert_eq(r->seen_count, 1);
	rig_free(&r);
}

/* Its worker ends what it is at, and serves the next. */
Test(broker, a_session_that_goes_leaves_its_check, .timeout = 60)
{
	struct rig *r = rig_with_alice(CALM, 0);
	struct str good = GOOD;
	struct rig_answer a, b;

	rig_play(r, 0);
	rig_start(r, 1, "PLAIN", &good, &a);
	rig_until_count(r, &r->seen_count, 1);
	rig_cancel(r, 1);
	rig_start(r, 2, "PLAIN", &good, &b);
	rig_play_answer(r, 0, AUTH_FAIL, STR(""));
	rig_until_count(r, &r->seen_count, 2);
	rig_play_honestly(r, 1);
	rig_until(r, &b.is_done);
	cr_assert_eq(b.status.code, 235);
	rig_free(&r);
}

/* ---- workers that do not answer as they should ---- */

/* A worker is stopped: its client hears 454 at the step's deadline, main is told to end it, and the
 * next worker serves. */
Test(broker_requests, a_stopped_worker_is_given_up, .timeout = 60)
{
	struct rig *r = rig_new();
	struct rig_answer a;

	clock_hurry(50); /* 400 ms */
	rig_store(r, "alice@example.com", "secret", NULL);
	rig_run(r, "", 0);
	rig_play(r, 0);
	rig_start(r, 1, "PLAIN", &STR("\0alice@example.com\0secret"), &a);
	rig_until(r, &a.is_done);
	cr_assert_eq(a.status.code, 454);
	rig_until_count(r, &r->restarts, 1);
	cr_assert_eq(r->last_restart, 0);
	rig_worker(r, 0);
	cr_assert_eq(rig_login(r, 2, "PLAIN", STR("\0alice@example.com\0secret")), 235);
	rig_free(&r);
}

/* An answer of another type, or a refusal: an error, and no worker to keep. */
Test(broker_requests, a_worker_that_makes_no_sense_is_given_up, .timeout = 60)
{
	for (int way = 0; way < 2; way++) {
		struct message_verdict wrong = {.status = status_make(250, NULL, "ok")};
		struct rig *r = rig_new();
		struct rig_answer a;

		rig_store(r, "alice@example.com", "secret", NULL);
		rig_run(r, "", 0);
		rig_play(r, 0);
		rig_start(r, 1, "PLAIN", &STR("\0alice@example.com\0secret"), &a);
		rig_until_count(r, &r->seen_count, 1);
		if (way == 0)
			cr_assert_eq(channel_answer(
					 r->played, r->seen[0].call, MESSAGE_VERDICT, &wrong, -1), 0);
		else
			channel_refuse(r->played, r->seen[0].call);
		rig_until(r, &a.is_done);
		cr_assert_eq(a.status.code, 454);
		rig_until_count(r, &r->restarts, 1);
		rig_worker(r, 0);
		cr_assert_eq(rig_login(r, 2, "PLAIN", STR("\0alice@example.com\0secret")), 235);
		rig_free(&r);
	}
}

/* A session that begins anew, or asks again before the answer: the former question ends. */
Test(broker_requests, a_question_that_is_overtaken_is_refused, .timeout = 60)
{
	struct rig *r = rig_new();
	struct rig_answer first, second, third;

	rig_store(r, "alice@example.com", "secret", NULL);
	rig_run(r, "", 0);
	rig_play(r, 0);
	rig_start(r, 1, "PLAIN", &STR("\0alice@example.com\0secret"), &first);
	rig_until_count(r, &r->seen_count, 1);
	rig_start(r, 1, "PLAIN", &STR("\0alice@example.com\0secret"), &second);
	rig_until(r, &first.is_done);
	cr_assert_eq(first.end, REQUEST_ERROR);
	rig_step(r, 1, STR("more"), &third);
	rig_until(r, &second.is_done);
	cr_assert_eq(second.end, REQUEST_ERROR);
	rig_until(r, &third.is_done);
	cr_assert_eq(third.status.code, 501);
	rig_free(&r);
}
