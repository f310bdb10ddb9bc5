/* SCRAM through the broker, and the answers for unknown names. */
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

/* ---- SCRAM ---- */

struct scram_outcome {
	unsigned code;
	char first_challenge[512];
};

static struct scram_outcome
run_scram(struct rig *r, uint64_t session, const struct client_options *options, bool with_initial)
{
	const char *mechanism = options->binding ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256";
	struct client *c = client_new(options);
	struct str message = client_first(c);
	struct scram_outcome end = {0};
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
	struct client_options options;
	bool with_initial;
	unsigned code;
} scram_cases[] = {
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
    {{.user = "alice@example.com", .password = "wonderland", .authzid = "bob"}, true, 535},
};

Test(broker, scram_logins_get_their_codes, .timeout = 120)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 2);

	cr_assert_eq(sasl_client_init(NULL), SASL_OK);
	for (size_t i = 0; i < sizeof scram_cases / sizeof *scram_cases; i++)
		cr_assert_eq(
		    run_scram(r, 10 + i, &scram_cases[i].options, scram_cases[i].with_initial).code,
		    scram_cases[i].code, "case %zu", i);
	rig_free(&r);
}

static void
salt_of(const struct scram_outcome *end, char salt[64])
{
	const char *s = strstr(end->first_challenge, ",s=");

	cr_assert_not_null(s, "%s", end->first_challenge);
	snprintf(salt, 64, "%s", s);
}

/* The salt is the same for each attempt, has the form of a real one, and stays the same after a
 * restart. */
Test(broker, an_unknown_user_has_a_fixed_salt, .timeout = 120)
{
	static const struct client_options nobody = {.user = "nobody", .password = "x"};
	static const struct client_options alice = {.user = "alice@example.com", .password = "x"};
	struct rig *r = rig_with_alice(HIGH_LIMIT, 1);
	char first[64], second[64], real[64];
	struct scram_outcome end;

	cr_assert_eq(sasl_client_init(NULL), SASL_OK);
	end = run_scram(r, 1, &nobody, true);
	salt_of(&end, first);
	end = run_scram(r, 2, &alice, true);
	salt_of(&end, real);
	cr_assert_eq(strlen(first), strlen(real));
	cr_assert_str_eq(strstr(first, ",i="), strstr(real, ",i="));

	kill(r->broker.pid, SIGKILL);
	waitpid(r->broker.pid, NULL, 0);
	channel_free(&r->broker.main);
	channel_free(&r->submission);
	channel_free(&r->control);
	rig_run(r, HIGH_LIMIT, 0);
	end = run_scram(r, 3, &nobody, true);
	salt_of(&end, second);
	cr_assert_str_eq(first, second);
	rig_free(&r);
}

/* The accounts have two counts, because auth.iterations was changed: unknown names show both, about
 * equally often, and each name always the same. */
Test(broker, iterations_do_not_show_which_accounts_exist, .timeout = 120)
{
	enum { EACH = 10, NAMES = 200 };
	struct rig *r = rig_new();
	char first[64], name[96];
	unsigned low = 0;

	for (int i = 0; i < 2 * EACH; i++) {
		snprintf(name, sizeof name, "user%d", i);
		rig_store_iterations(r, name, i < EACH ? 4096 : 20000);
	}
	rig_run(r, HIGH_LIMIT, 0);
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

/* A worker gets the same work for a known, an unknown and a suspended name. */
Test(broker, every_name_needs_the_same_work, .timeout = 60)
{
	static const struct str logins[] = {STR("\0alice@example.com\0x"), STR("\0nobody\0x"),
	    STR("\0mallory\0pirate")};
	struct rig *r = rig_with_alice(HIGH_LIMIT, 0);
	struct rig_answer a[3];

	rig_fake_worker(r, 0);
	for (unsigned i = 0; i < 3; i++) {
		rig_start(r, 1 + i, "PLAIN", &logins[i], &a[i]);
		rig_until_count(r, &r->check_count, i + 1);
		rig_answer_check(r, i);
	}
	for (unsigned i = 0; i < 3; i++) {
		rig_until(r, &a[i].is_done);
		cr_assert_eq(r->checks[i].secret.iterations, r->checks[0].secret.iterations);
		cr_assert_eq(r->checks[i].secret.salt_n, r->checks[0].secret.salt_n);
		cr_assert_eq(a[i].status.code, 535, "a suspended user's password is refused");
		cr_assert_str_eq(a[i].status.text, a[0].status.text);
	}
	rig_free(&r);
}

/* The broker itself checks the proof of SCRAM. */
Test(broker, scram_needs_no_worker, .timeout = 60)
{
	static const struct client_options good = {
	    .user = "alice@example.com", .password = "wonderland"};
	static const struct client_options wrong = {.user = "alice@example.com", .password = "x"};
	struct rig *r = rig_with_alice(HIGH_LIMIT, 0);

	cr_assert_eq(sasl_client_init(NULL), SASL_OK);
	rig_fake_worker(r, 0);
	cr_assert_eq(run_scram(r, 1, &good, true).code, 235);
	cr_assert_eq(run_scram(r, 2, &wrong, true).code, 535);
	cr_assert_eq(r->check_count, 0, "no worker got a check");
	rig_free(&r);
}

/* The account changes between the client's proof and its last empty response. */
Test(broker, a_change_after_the_proof_counts, .timeout = 60)
{
	static const struct client_options good = {
	    .user = "alice@example.com", .password = "wonderland"};
	const char *suspend[][2] = {{"name", "alice@example.com"}, {NULL, NULL}};
	struct rig *r = rig_with_alice(HIGH_LIMIT, 0);
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
	rig_step_expect(r, 1, STR(""), 535, NULL);
	client_free(&c);
	rig_free(&r);
}
