/*
 * accounts: prepared statements on one SQLite connection. With the rollback journal and
 * synchronous=EXTRA, a change is on the disk when the call returns, including the journal's
 * directory entry. Exclusive locking makes the connection the only one, and SQLite can answer a
 * lookup from its own pages without a system call.
 */
#include "auth/accounts.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum { KEY_BYTES = 32, BUSY_MS = 2000, APPLICATION_ID = 0x53504143, STORE_VERSION = 1 };

enum statement { FIND, ADD, SET_SECRET, SUSPEND, RESUME, REMOVE, EACH, COUNTS, STATEMENTS };

#define COLUMNS "name, secret, created_ms, changed_ms, suspended_ms, reason"

/* The most frequent iteration counts, ordered by the count. */
#define COUNTS_OF_ITERATIONS \
	"SELECT i, n FROM (SELECT CAST(substr(secret, 15) AS INTEGER) AS i, count(*) AS n " \
	"FROM account GROUP BY i ORDER BY n DESC, i DESC LIMIT ?1) ORDER BY i"

static const char *const texts[STATEMENTS] = {
    [FIND] = "SELECT " COLUMNS " FROM account WHERE name = ?1",
    [ADD] = "INSERT INTO account (name, secret, created_ms, changed_ms) VALUES (?1, ?2, ?3, ?3)",
    [SET_SECRET] = "UPDATE account SET secret = ?2, changed_ms = ?3 WHERE name = ?1",
    [SUSPEND] = "UPDATE account SET reason = CASE WHEN ?2 = '' THEN coalesce(reason, '')"
		" ELSE ?2 END, suspended_ms = coalesce(suspended_ms, ?3) WHERE name = ?1",
    [RESUME] = "UPDATE account SET reason = NULL, suspended_ms = NULL WHERE name = ?1",
    [REMOVE] = "DELETE FROM account WHERE name = ?1",
    [EACH] = "SELECT " COLUMNS " FROM account ORDER BY name",
    [COUNTS] = COUNTS_OF_ITERATIONS,
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS account (name TEXT PRIMARY KEY NOT NULL, secret TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, suspended_ms INTEGER, reason TEXT)"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS installation (one INTEGER PRIMARY KEY CHECK (one = 1),"
    " key BLOB NOT NULL CHECK (length(key) = 32)) STRICT;";

struct accounts {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENTS];
	uint8_t key[KEY_BYTES];
	struct {
		uint32_t iterations;
		uint64_t accounts;
	} counts[ACCOUNTS_COUNTS_MAX]; /* ordered by iterations */
	int counts_n;
	enum accounts_absent absent;
	bool is_new;
	char error[ACCOUNTS_ERROR_BYTES];
};

static enum accounts_result
set_accounts_error(struct accounts *a, const char *what)
{
	snprintf(a->error, sizeof a->error, "%.64s: %.180s", what,
	    a->db ? sqlite3_errmsg(a->db) : "no memory");
	return ACCOUNTS_BROKEN;
}

const char *
accounts_error(const struct accounts *a)
{
	return a->error;
}

bool
accounts_is_new(const struct accounts *a)
{
	return a->is_new;
}

struct str
accounts_key(const struct accounts *a)
{
	return str_make((const char *)a->key, sizeof a->key);
}

/* The name is mapped to a position among as many positions as there are accounts, ordered by
 * iterations: a new account moves few names to another count, and all of them in the same
 * direction. */
uint32_t
accounts_likely_iterations(const struct accounts *a, struct str name)
{
	uint64_t total = 0, position;
	int i;

	if (a->counts_n == 0)
		return 0;
	for (i = 0; i < a->counts_n; i++)
		total += a->counts[i].accounts;
	position = scram_secret_fixed_number(accounts_key(a), "iterations", name) >> 32;
	position = position * total >> 32; /* there are fewer than 2^32 accounts */
	for (i = 0; i < a->counts_n - 1 && position >= a->counts[i].accounts; i++)
		position -= a->counts[i].accounts;
	return a->counts[i].iterations;
}

/* ---- one row ---- */

static struct str
column_text(sqlite3_stmt *s, int column)
{
	const char *p = (const char *)sqlite3_column_text(s, column);

	return str_make(p, (size_t)sqlite3_column_bytes(s, column));
}

static bool
copy_text(struct str from, char *to, size_t bytes)
{
	if (from.n >= bytes)
		return false;
	if (from.n)
		memcpy(to, from.p, from.n);
	to[from.n] = 0;
	return true;
}

static bool
read_account_row(sqlite3_stmt *s, struct account *out)
{
	*out = (struct account){0};
	out->created_ms = sqlite3_column_int64(s, 2);
	out->changed_ms = sqlite3_column_int64(s, 3);
	out->is_suspended = sqlite3_column_type(s, 4) != SQLITE_NULL;
	out->suspended_ms = sqlite3_column_int64(s, 4);
	return copy_text(column_text(s, 0), out->name, sizeof out->name) &&
	    scram_secret_parse(column_text(s, 1), &out->secret) &&
	    copy_text(column_text(s, 5), out->reason, sizeof out->reason);
}

enum accounts_result
accounts_find(struct accounts *a, struct str name, struct account *out)
{
	sqlite3_stmt *s = a->statements[FIND];
	enum accounts_result result = ACCOUNTS_NONE;
	int r;

	sqlite3_bind_text(s, 1, name.p, (int)name.n, SQLITE_STATIC);
	r = sqlite3_step(s);
	if (r == SQLITE_ROW) {
		result = read_account_row(s, out) ? ACCOUNTS_OK : ACCOUNTS_DAMAGED;
	} else if (r != SQLITE_DONE) {
		result = set_accounts_error(a, "lookup");
	}
	sqlite3_reset(s);
	return result;
}

enum accounts_result
accounts_each(struct accounts *a, account_fn *fn, void *arg)
{
	sqlite3_stmt *s = a->statements[EACH];
	enum accounts_result result = ACCOUNTS_OK;
	struct account account;
	int r;

	while ((r = sqlite3_step(s)) == SQLITE_ROW)
		if (read_account_row(s, &account))
			fn(&account, arg);
		else
			log_error("accounts: a damaged account was skipped");
	if (r != SQLITE_DONE)
		result = set_accounts_error(a, "list");
	sqlite3_reset(s);
	return result;
}

/* ---- changes ---- */

static bool
load_iteration_counts(struct accounts *a)
{
	sqlite3_stmt *s = a->statements[COUNTS];
	int r;

	a->counts_n = 0;
	sqlite3_bind_int(s, 1, ACCOUNTS_COUNTS_MAX);
	while ((r = sqlite3_step(s)) == SQLITE_ROW && a->counts_n < ACCOUNTS_COUNTS_MAX) {
		a->counts[a->counts_n].iterations = (uint32_t)sqlite3_column_int64(s, 0);
		a->counts[a->counts_n++].accounts = (uint64_t)sqlite3_column_int64(s, 1);
	}
	sqlite3_reset(s);
	return r == SQLITE_DONE;
}

/* Parameters: ?1 name, ?2 text (if the statement has it), ?3 the time now. */
static enum accounts_result
change_account(struct accounts *a, enum statement which, struct str name, struct str text)
{
	sqlite3_stmt *s = a->statements[which];
	int parameters = sqlite3_bind_parameter_count(s), r;

	sqlite3_bind_text(s, 1, name.p, (int)name.n, SQLITE_STATIC);
	if (parameters >= 2)
		sqlite3_bind_text(s, 2, text.n ? text.p : "", (int)text.n, SQLITE_STATIC);
	if (parameters >= 3)
		sqlite3_bind_int64(s, 3, clock_ms());
	r = sqlite3_step(s);
	if (r != SQLITE_DONE)
		set_accounts_error(a, "change");
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
	if (r == SQLITE_CONSTRAINT)
		return ACCOUNTS_EXISTS;
	if (r != SQLITE_DONE || !load_iteration_counts(a))
		return ACCOUNTS_BROKEN;
	return sqlite3_changes(a->db) ? ACCOUNTS_OK : ACCOUNTS_NONE;
}

static enum accounts_result
change_account_secret(
    struct accounts *a, enum statement which, struct str name, const struct scram_secret *secret)
{
	char text[SCRAM_SECRET_TEXT_BYTES];
	enum accounts_result result;

	result = change_account(a, which, name, str_of(scram_secret_text(secret, text)));
	mem_wipe(text, sizeof text);
	return result;
}

enum accounts_result
accounts_add(struct accounts *a, struct str name, const struct scram_secret *s)
{
	return change_account_secret(a, ADD, name, s);
}

enum accounts_result
accounts_set_secret(struct accounts *a, struct str name, const struct scram_secret *s)
{
	return change_account_secret(a, SET_SECRET, name, s);
}

enum accounts_result
accounts_suspend(struct accounts *a, struct str name, struct str reason)
{
	return change_account(a, SUSPEND, name, str_upto(reason, ACCOUNTS_REASON_MAX));
}

enum accounts_result
accounts_resume(struct accounts *a, struct str name)
{
	return change_account(a, RESUME, name, STR(""));
}

enum accounts_result
accounts_remove(struct accounts *a, struct str name)
{
	return change_account(a, REMOVE, name, STR(""));
}

/* ---- opening ---- */

static int
run_accounts_sql(sqlite3 *db, const char *text)
{
	return sqlite3_exec(db, text, NULL, NULL, NULL);
}

static int
read_accounts_pragma(sqlite3 *db, const char *pragma, int64_t *out)
{
	sqlite3_stmt *s;
	int r = sqlite3_prepare_v2(db, pragma, -1, &s, NULL);

	if (r != SQLITE_OK)
		return r;
	r = sqlite3_step(s);
	*out = r == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
	sqlite3_finalize(s);
	return r == SQLITE_ROW ? SQLITE_OK : r;
}

/* A store of a later version must not be written by this one. */
static int
make_accounts_schema(struct accounts *a)
{
	char text[160];
	int64_t version;
	int r = read_accounts_pragma(a->db, "PRAGMA user_version", &version);

	if (r == SQLITE_OK && version > STORE_VERSION) {
		snprintf(a->error, sizeof a->error, "made by a later version of this program");
		return SQLITE_MISMATCH;
	}
	if (r == SQLITE_OK && version < STORE_VERSION && a->absent == ACCOUNTS_REFUSE) {
		snprintf(a->error, sizeof a->error, "accounts.db is empty");
		return SQLITE_NOTFOUND;
	}
	if (r == SQLITE_OK && version < STORE_VERSION) {
		a->is_new = true;
		snprintf(text, sizeof text, "PRAGMA application_id=%d; PRAGMA user_version=%d",
		    APPLICATION_ID, STORE_VERSION);
		r = run_accounts_sql(a->db, schema);
		if (r == SQLITE_OK)
			r = run_accounts_sql(a->db, text);
	}
	return r;
}

/* The key is drawn when the store is made. It never changes, because unknown names would then
 * change their salt. */
static int
make_installation_key(struct accounts *a)
{
	sqlite3_stmt *s;
	int r;

	if (gnutls_rnd(GNUTLS_RND_KEY, a->key, sizeof a->key) != 0)
		die("no random bytes");
	r = sqlite3_prepare_v2(
	    a->db, "INSERT OR IGNORE INTO installation (one, key) VALUES (1, ?1)", -1, &s, NULL);
	if (r != SQLITE_OK)
		return r;
	sqlite3_bind_blob(s, 1, a->key, sizeof a->key, SQLITE_STATIC);
	r = sqlite3_step(s);
	sqlite3_finalize(s);
	if (r != SQLITE_DONE)
		return r;
	r = sqlite3_prepare_v2(a->db, "SELECT key FROM installation", -1, &s, NULL);
	if (r != SQLITE_OK)
		return r;
	r = sqlite3_step(s);
	if (r == SQLITE_ROW && sqlite3_column_bytes(s, 0) == KEY_BYTES)
		memcpy(a->key, sqlite3_column_blob(s, 0), KEY_BYTES);
	else
		r = SQLITE_CORRUPT;
	sqlite3_finalize(s);
	return r == SQLITE_ROW ? SQLITE_OK : r;
}

static int
set_up_accounts(struct accounts *a)
{
	int r;

	sqlite3_extended_result_codes(a->db, 0);
	sqlite3_busy_timeout(a->db, BUSY_MS);
	r = run_accounts_sql(a->db,
	    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA;"
	    "PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF; PRAGMA secure_delete=ON;"
	    "PRAGMA cell_size_check=ON; BEGIN EXCLUSIVE");
	if (r == SQLITE_OK)
		r = make_accounts_schema(a);
	if (r == SQLITE_OK)
		r = make_installation_key(a);
	if (r == SQLITE_OK)
		r = run_accounts_sql(a->db, "COMMIT");
	for (int i = 0; i < STATEMENTS && r == SQLITE_OK; i++)
		r = sqlite3_prepare_v3(a->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
		    &a->statements[i], NULL);
	if (r == SQLITE_OK && !load_iteration_counts(a))
		r = SQLITE_CORRUPT;
	return r;
}

/* Uses the name as it is. SQLite's own function examines every directory above, which this user may
 * not be allowed to enter, while "/proc/self/fd/N" leads directly to the granted directory. */
static int
vfs_plain_name(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
	(void)vfs;
	return snprintf(out, (size_t)size, "%s", name) < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

/* SQLite keeps the VFS for the life of the process. */
static void
register_vfs(void)
{
	static sqlite3_vfs plain;

	plain = *sqlite3_vfs_find("unix");
	plain.zName = "plain";
	plain.xFullPathname = vfs_plain_name;
	sqlite3_vfs_register(&plain, 0);
}

/* A file that root made gets the owner of the directory, because that user reads it next. */
static int
give_file_to_owner(const char *directory)
{
	int fd = geteuid() == 0 ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	struct stat owner, st;
	int file, r = SQLITE_IOERR;

	if (geteuid() != 0)
		return SQLITE_OK;
	/* Only the file that was just made changes its owner, not another file that the owner put
	 * in its place. O_PATH, because closing another descriptor of the file would end SQLite's
	 * lock. */
	file = openat(fd, "accounts.db", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && file >= 0 && fstat(fd, &owner) == 0 && fstat(file, &st) == 0) {
		bool is_new = st.st_uid == 0 && st.st_nlink == 1 && S_ISREG(st.st_mode);

		if (!is_new ||
		    fchownat(file, "", owner.st_uid, owner.st_gid, AT_EMPTY_PATH) == 0)
			r = SQLITE_OK;
	}
	if (file >= 0)
		close(file);
	if (fd >= 0)
		close(fd);
	return r;
}

static int
accounts_open_file(struct accounts *a, const char *directory)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
	char path[PATH_MAX + 16];
	struct stat st;
	int r;

	snprintf(path, sizeof path, "%s/accounts.db", directory);
	if (a->absent == ACCOUNTS_MAKE)
		flags |= SQLITE_OPEN_CREATE;
	r = sqlite3_open_v2(path, &a->db, flags, "plain");
	if (r == SQLITE_OK)
		return set_up_accounts(a);
	if (stat(directory, &st) != 0 || lstat(path, &st) == 0 || errno != ENOENT)
		return r;
	snprintf(a->error, sizeof a->error, "accounts.db is missing");
	return SQLITE_NOTFOUND;
}

struct accounts *
accounts_open(const char *directory, enum accounts_absent absent,
    char error_out[ACCOUNTS_ERROR_BYTES])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct accounts *a = MEM_NEW(struct accounts);
	mode_t mask;
	int r;

	pthread_once(&once, register_vfs);
	a->absent = absent;
	mask = umask(0777 & ~ACCOUNTS_FILE_MODE);
	r = accounts_open_file(a, directory);
	umask(mask);
	if (r == SQLITE_OK)
		r = give_file_to_owner(directory);
	if (r == SQLITE_OK)
		return a;
	if (a->error[0] == 0)
		set_accounts_error(a, "accounts.db");
	snprintf(error_out, ACCOUNTS_ERROR_BYTES, "%s", a->error);
	accounts_close(&a);
	errno = r == SQLITE_BUSY ? EBUSY : r == SQLITE_NOTFOUND ? ENOENT : EIO;
	return NULL;
}

void
accounts_close(struct accounts **p)
{
	struct accounts *a = *p;

	if (!a)
		return;
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(a->statements[i]);
	sqlite3_close(a->db);
	mem_wipe(a->key, sizeof a->key);
	mem_free(a);
	*p = NULL;
}
