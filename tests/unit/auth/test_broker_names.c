/* Login names without a domain: which account they mean, with every mechanism. */
#include <criterion/criterion.h>
#include <sasl/sasl.h>
#include <stdio.h>
#include <unistd.h>

#include "auth/account_names.h"
#include "unit/auth/client.h"
#include "unit/auth/rig.h"

static struct rig_answer
login(struct rig *r, uint64_t session, const char *mechanism, struct str initial)
{
	struct rig_answer a;

	rig_start(r, session, mechanism, &initial, &a);
	rig_until(r, &a.is_done);
	return a;
}

static struct rig_answer
scram(struct rig *r, uint64_t session, const struct client_options *options)
{
	struct client *c = client_new(options);
	struct rig_answer a = login(r, session, "SCRAM-SHA-256", client_first(c));
	struct str message;

	while (a.outcome == AUTH_CONTINUE) {
		cr_assert(client_next(c, str_make(a.challenge, a.challenge_n), &message));
		rig_step(r, session, message, &a);
		rig_until(r, &a.is_done);
	}
	client_free(&c);
	return a;
}

/* With another name, or none, as the authorization identity. */
static const struct {
	struct str message;
	unsigned code;
} plain[] = {
    {STR("\0alice\0wonderland"), 235},
    {STR("\0ALICE\0wonderland"), 235},
    {STR("alice\0alice\0wonderland"), 235},
    {STR("alice@example.com\0alice\0wonderland"), 235},
    {STR("alice\0alice@example.com\0wonderland"), 235},
    {STR("bob\0alice\0wonderland"), 535},
    {STR("alice@example.net\0alice\0wonderland"), 535},
    {STR("\0alice\0x"), 535},
    {STR("\0alice@\0wonderland"), 535},
};

static void
check_names(struct rig *r)
{
	static const struct client_options bare = {.user = "alice", .password = "wonderland"};
	static const struct client_options as = {
	    .user = "alice", .password = "wonderland", .authzid = "alice@example.com"};
	static const struct client_options other = {
	    .user = "alice", .password = "wonderland", .authzid = "bob"};
	struct rig_answer a;

	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
		a = login(r, 10 + i, "PLAIN", plain[i].message);
		cr_expect_eq(a.status.code, plain[i].code, "case %zu: %u", i, a.status.code);
		cr_expect_str_eq(a.user, plain[i].code == 235 ? "alice@example.com" : "");
	}
	a = login(r, 30, "LOGIN", STR("alice"));
	cr_assert_eq(a.outcome, AUTH_CONTINUE);
	rig_step(r, 30, STR("wonderland"), &a);
	rig_until(r, &a.is_done);
	cr_expect_str_eq(a.user, "alice@example.com");
	cr_assert_eq(sasl_client_init(NULL), SASL_OK);
	cr_expect_str_eq(scram(r, 31, &bare).user, "alice@example.com");
	cr_expect_str_eq(scram(r, 32, &as).user, "alice@example.com");
	cr_expect_eq(scram(r, 33, &other).status.code, 535);
}

Test(broker_names, a_single_domain_completes_names, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT "cache = \"0s\";", 1);

	check_names(r);
	rig_free(&r);
}

/* A password in the cache of the full name is also used for the short name. */
Test(broker_names, a_completed_name_uses_the_cache, .timeout = 60)
{
	struct rig *r = rig_with_alice(HIGH_LIMIT, 1);
	struct rig_answer a;

	cr_assert_eq(rig_login(r, 1, "PLAIN", GOOD), 235);
	a = login(r, 2, "PLAIN", STR("\0alice\0wonderland"));
	cr_assert_eq(a.status.code, 235);
	cr_assert(a.from_cache);
	rig_free(&r);
}

Test(broker_names, the_default_domain_completes_names, .timeout = 60)
{
	struct rig *r = rig_new();

	r->more_domains = ", { name = \"example.net\"; }";
	rig_store(r, "alice@example.com", "wonderland", NULL);
	rig_run(r, HIGH_LIMIT "default_domain = \"example.com\";", 1);
	check_names(r);
	rig_free(&r);
}

Test(broker_names, without_a_default_domain_no_name_is_completed, .timeout = 60)
{
	struct rig *r = rig_new();

	r->more_domains = ", { name = \"example.net\"; }";
	rig_store(r, "alice@example.com", "wonderland", NULL);
	rig_run(r, HIGH_LIMIT, 1);
	cr_assert_eq(rig_login(r, 1, "PLAIN", STR("\0alice\0wonderland")), 535);
	cr_assert_eq(rig_login(r, 2, "PLAIN", GOOD), 235);
	rig_free(&r);
}

/* An account of a former version without a domain still works, and the name means it if both
 * accounts exist. */
Test(broker_names, an_account_without_a_domain_still_works, .timeout = 60)
{
	struct rig *r = rig_new();
	struct rig_answer a;

	rig_store(r, "alice@example.com", "wonderland", NULL);
	rig_store(r, "alice", "looking-glass", NULL);
	rig_run(r, HIGH_LIMIT, 1);
	a = login(r, 1, "PLAIN", STR("\0alice\0looking-glass"));
	cr_expect_eq(a.status.code, 235);
	cr_expect_str_eq(a.user, "alice");
	cr_expect_eq(rig_login(r, 2, "PLAIN", STR("\0alice\0wonderland")), 535);
	cr_expect_eq(rig_login(r, 3, "PLAIN", GOOD), 235);
	rig_free(&r);
}

/* Failures of both forms of a name are counted for one login. */
Test(broker_names, limits_use_the_completed_name, .timeout = 60)
{
	struct rig *r = rig_with_alice("login_failure_limit = \"2 / 1h\";", 1);

	cr_assert_eq(rig_login(r, 1, "PLAIN", STR("\0alice\0a")), 535);
	cr_assert_eq(rig_login(r, 2, "PLAIN", STR("\0alice@example.com\0b")), 535);
	cr_assert_eq(rig_login(r, 3, "PLAIN", STR("\0alice\0c")), 454);
	rig_free(&r);
}

/* ---- a store whose lookups fail ---- */

/* After `after` lookups, `faults` lookups fail; the store has one account. */
struct faulty {
	unsigned faults, after;
	const char *account;
};

static enum accounts_result
look_up_faulty(void *store, struct str name, struct account *out)
{
	struct faulty *f = store;

	*out = (struct account){0};
	if (f->after > 0)
		f->after--;
	else if (f->faults > 0)
		return f->faults--, ACCOUNTS_BROKEN;
	return str_eq(name, str_of(f->account)) ? ACCOUNTS_OK : ACCOUNTS_NONE;
}

static const struct {
	struct faulty store;
	const char *name;
	enum accounts_result found;
	const char *user;
} faulty[] = {
    {{0, 0, "alice"}, "alice", ACCOUNTS_OK, "alice"},
    {{0, 0, "alice@example.com"}, "alice", ACCOUNTS_OK, "alice@example.com"},
    {{0, 0, "bob"}, "alice", ACCOUNTS_NONE, "alice@example.com"},
    {{0, 0, "alice"}, "alice@example.com", ACCOUNTS_NONE, "alice@example.com"},
    {{1, 0, "alice"}, "alice", ACCOUNTS_BROKEN, "alice"},
    {{1, 0, "alice@example.com"}, "alice", ACCOUNTS_BROKEN, "alice"},
    {{1, 1, "alice@example.com"}, "alice", ACCOUNTS_BROKEN, "alice"},
    {{1, 0, "alice@example.com"}, "alice@example.com", ACCOUNTS_BROKEN, "alice@example.com"},
};

Test(broker_names, a_failed_lookup_never_means_no_account)
{
	for (size_t i = 0; i < sizeof faulty / sizeof *faulty; i++) {
		struct faulty store = faulty[i].store;
		struct account account;
		struct claimed_identity identity;

		cr_assert(claimed_set_user(str_of(faulty[i].name), &identity));
		cr_expect_eq(account_names_find(
		                 look_up_faulty, &store, STR("example.com"), &identity, &account),
		    faulty[i].found, "case %zu", i);
		cr_expect_str_eq(identity.user, faulty[i].user, "case %zu", i);
	}
}

/* The first answer that is not 454. */
static unsigned
login_until_answered(struct rig *r, struct str message)
{
	unsigned code = 454;

	for (int i = 0; i < 300 && code == 454; i++) {
		code = rig_login(r, 100, "PLAIN", message);
		if (code == 454)
			usleep(20000);
	}
	return code;
}

static const struct {
	const char *account;
	struct str plain;
} bare[] = {
    {"alice", STR("\0alice\0right")},
    {"alice@example.com", STR("\0alice\0right")},
    {"alice@example.com", STR("\0alice@example.com\0right")},
};

static void
path_in(const struct rig *r, const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", r->directory, name);
}

/* With this limit any counted failure would show. */
#define ONE_FAILURE "login_failure_limit = \"1 / 1h\"; cache = \"0s\";"

Test(broker_names, a_missing_store_counts_no_failure, .timeout = 120)
{
	for (size_t i = 0; i < sizeof bare / sizeof *bare; i++) {
		struct rig *r = rig_new();
		char path[128], moved_path[128];

		rig_store(r, bare[i].account, "right", NULL);
		path_in(r, "accounts.db", path);
		path_in(r, "away", moved_path);
		cr_assert_eq(rename(path, moved_path), 0);
		r->is_no_first_start = true;
		rig_run(r, ONE_FAILURE, 1);
		cr_expect_eq(rig_login(r, 1, "PLAIN", bare[i].plain), 454, "case %zu", i);
		cr_assert_eq(rename(moved_path, path), 0);
		cr_expect_eq(login_until_answered(r, bare[i].plain), 235, "case %zu", i);
		cr_expect_eq(rig_login(r, 2, "PLAIN", bare[i].plain), 235, "case %zu", i);
		rig_free(&r);
	}
}

/* The row cannot be looked up until it is repaired. */
Test(broker_names, a_damaged_store_counts_no_failure, .timeout = 120)
{
	for (size_t i = 0; i < sizeof bare / sizeof *bare; i++) {
		struct rig *r = rig_new();
		const char *show[][2] = {{"name", "alice"}, {NULL, NULL}};
		struct rig_admin done;
		char byte;

		rig_store(r, bare[i].account, "right", NULL);
		byte = rig_damage(r, bare[i].account, -1, '\177');
		rig_run(r, ONE_FAILURE, 1);
		cr_expect_eq(rig_login(r, 1, "PLAIN", bare[i].plain), 454, "case %zu", i);
		rig_admin(r, "user.show", show, &done);
		cr_expect_eq(done.exit_code, 74, "case %zu: %u", i, done.exit_code);
		(void)rig_damage(r, bare[i].account, -1, byte);
		cr_expect_eq(login_until_answered(r, bare[i].plain), 235, "case %zu", i);
		cr_expect_eq(rig_login(r, 2, "PLAIN", bare[i].plain), 235, "case %zu", i);
		rig_free(&r);
	}
}

/* A result of the damaged store is not used for the store that replaced it. */
Test(broker_names, a_replaced_store_counts_no_failure, .timeout = 120)
{
	for (size_t i = 0; i < sizeof bare / sizeof *bare; i++) {
		struct rig *r = rig_new();
		char path[128], moved_path[128];

		path_in(r, "accounts.db", path);
		path_in(r, "away", moved_path);
		rig_store(r, bare[i].account, "right", NULL);
		cr_assert_eq(rename(path, moved_path), 0);
		rig_store(r, "alice@example.com", "right", NULL);
		(void)rig_damage(r, "alice@example.com", -1, '\177');
		rig_run(r, ONE_FAILURE, 1);
		cr_expect_eq(rig_login(r, 1, "PLAIN", bare[i].plain), 454, "case %zu", i);
		cr_assert_eq(rename(moved_path, path), 0);
		cr_expect_eq(login_until_answered(r, bare[i].plain), 235, "case %zu", i);
		cr_expect_eq(rig_login(r, 2, "PLAIN", bare[i].plain), 235, "case %zu", i);
		rig_free(&r);
	}
}
