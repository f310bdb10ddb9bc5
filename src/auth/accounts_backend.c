/*
 * accounts_backend: the back end "users": the accounts of this installation in accounts.db. Its
 * worker, the role `accounts`, is the only process of the daemon that opens this file, and only it
 * has the installation's key, from which the salts of unknown names come.
 */
#include <stdio.h>
#include <unistd.h>

#include "auth/accounts_store.h"
#include "auth/auth.h"
#include "auth/backend_worker.h"
#include "base/mem.h"

struct accounts_backend {
	struct accounts_store store;
	int directory_fd;
	struct sandbox_path paths[2];
	char trouble[ACCOUNTS_ERROR_BYTES + 80], identity[STORE_FILE_IDENTITY_BYTES];
};

/* SQLite needs a path: this path needs no right to search the directories above. */
static void *
open_accounts_backend(struct role *r, int directory_fd, bool is_new)
{
	struct accounts_backend *a = MEM_NEW(struct accounts_backend);
	struct str directory = r->conf->state_directory;
	char path[40];

	a->store.role = r;
	a->store.absent = is_new ? ACCOUNTS_MAKE : ACCOUNTS_REFUSE;
	a->directory_fd = directory_fd;
	if (directory_fd >= 0)
		directory = str_make(path,
		    (size_t)snprintf(path, sizeof path, "/proc/self/fd/%d", directory_fd));
	a->store.directory = mem_text(directory.p, directory.n);
	return a;
}

static void
prepare_accounts_backend(void *store, struct sandbox *sandbox)
{
	struct accounts_backend *a = store;

	/* SQLite takes random bytes from it */
	a->paths[0] = (struct sandbox_path){.path = "/dev/urandom"};
	a->paths[1] = (struct sandbox_path){.fd = a->directory_fd, .may_write = true};
	if (a->directory_fd < 0)
		a->paths[1].path = a->store.directory;
	sandbox->paths = a->paths;
	sandbox->path_count = sizeof a->paths / sizeof *a->paths;
	store_file_directory_note(&a->store.state_directory, a->store.directory);
}

static void
tick_accounts_backend(void *store)
{
	struct accounts_backend *a = store;

	accounts_store_tick(&a->store);
}

static void
close_accounts_backend(void *store)
{
	struct accounts_backend *a = store;

	accounts_close(&a->store.accounts);
	mem_free(a->store.directory);
	mem_free(a);
}

static bool
is_accounts_backend_usable(void *store)
{
	struct accounts_backend *a = store;

	return accounts_store_current(&a->store) != NULL;
}

/* Takes the same steps for every name. An unknown name shows an iteration count that accounts have,
 * a suspended account its own. */
static void
choose_account_secret(struct accounts_backend *a, struct account *account,
    struct auth_backend_account *out)
{
	uint32_t configured = (uint32_t)a->store.role->conf->auth.iterations;
	struct str name = str_of(out->name), key = accounts_key(a->store.accounts);
	uint32_t likely = accounts_likely_iterations(a->store.accounts, name);
	bool is_found = out->result == AUTH_BACKEND_FOUND;

	scram_secret_fake(key, name, likely ? likely : configured, &out->secret);
	if (is_found && account->is_suspended)
		scram_secret_invalidate(&account->secret, key, name);
	if (is_found)
		out->secret = account->secret;
}

static void
look_up_in_accounts_backend(void *store, struct str name, struct auth_backend_account *out)
{
	static const enum auth_backend_result results[] = {
	    [ACCOUNTS_OK] = AUTH_BACKEND_FOUND,
	    [ACCOUNTS_NONE] = AUTH_BACKEND_NONE,
	    [ACCOUNTS_EXISTS] = AUTH_BACKEND_BROKEN,
	    [ACCOUNTS_DAMAGED] = AUTH_BACKEND_DAMAGED,
	    [ACCOUNTS_BROKEN] = AUTH_BACKEND_BROKEN,
	};
	struct accounts_backend *a = store;
	struct claimed_identity identity;
	struct account account = {0};

	*out = (struct auth_backend_account){.result = AUTH_BACKEND_BROKEN};
	if (!claimed_set_user(name, &identity))
		return;
	out->result = results[accounts_store_find_claimed(&a->store, &identity, &account)];
	memcpy(out->name, identity.user, sizeof out->name);
	out->is_suspended = out->result == AUTH_BACKEND_FOUND && account.is_suspended;
	if (out->result == AUTH_BACKEND_FOUND || out->result == AUTH_BACKEND_NONE)
		choose_account_secret(a, &account, out);
	mem_wipe(&account, sizeof account);
}

static uint8_t
run_in_accounts_backend(void *store, const struct message_admin *m, struct user_admin_out *out)
{
	struct accounts_backend *a = store;

	return accounts_store_run(&a->store, m, out);
}

static void
state_of_accounts_backend(void *store, struct auth_backend_state *out)
{
	struct accounts_backend *a = store;
	const struct accounts_store *s = &a->store;

	a->identity[0] = 0;
	if (s->accounts)
		store_file_identity(&s->store_file, a->identity);
	snprintf(a->trouble, sizeof a->trouble, "%s%s", s->trouble,
	    s->trouble[0] ? accounts_store_advice(s) : "");
	*out = (struct auth_backend_state){.changes = s->changes,
	    .exchanges = s->exchanges,
	    .store = str_of(a->identity),
	    .is_directory_gone = s->state_directory.is_gone,
	    .trouble = str_of(a->trouble)};
}

const struct auth_backend accounts_backend = {
    .name = "users",
    .mechanisms = AUTH_BACKEND_PLAINTEXT | AUTH_BACKEND_SCRAM,
    .open = open_accounts_backend,
    .prepare = prepare_accounts_backend,
    .tick = tick_accounts_backend,
    .close = close_accounts_backend,
    .is_usable = is_accounts_backend_usable,
    .look_up = look_up_in_accounts_backend,
    .run = run_in_accounts_backend,
    .state = state_of_accounts_backend,
};

const struct role_spec accounts_role = {
    .name = "accounts",
    .conf = CONF_AUTH,
    .sandbox = {.needs = SANDBOX_READ | SANDBOX_WRITE},
    .grant = backend_worker_grant,
    .peer = backend_worker_peer,
    .prepare = backend_worker_prepare,
    .start = backend_worker_start,
    .end = backend_worker_end,
};
