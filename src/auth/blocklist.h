/*
 * blocklist: networks and logins that an operator has blocked until a given time. They are in the
 * file "blocks" of the state directory, so they also hold after a restart; a change is on the disk
 * when its call returns. The counts of refused logins are only in memory.
 */
#ifndef AUTH_BLOCKLIST_H
#define AUTH_BLOCKLIST_H

#include "auth/claimed_identity.h"
#include "base/buf.h"
#include "base/fsio.h"
#include "conf/network.h"

enum {
	BLOCKLIST_MAX = 1024,
	BLOCKLIST_REASON_MAX = 255,
	BLOCKLIST_BY_BYTES = 32,
	BLOCKLIST_ERROR_BYTES = 256,
	BLOCKLIST_FILE_MAX = 2 << 20,
};

struct blocklist;

/* Which network or login a block is for. */
struct blocklist_target {
	bool is_network;
	struct network network;
	char user[CLAIMED_USER_MAX + 1]; /* canonical, as the name of the account */
};

/* The logins that a block or a limit has refused. */
struct blocklist_refused {
	uint64_t count;
	char last_user[CLAIMED_USER_MAX + 1];
	char last_ip[NETWORK_TEXT_BYTES];
};

struct blocklist_entry {
	struct blocklist_target target;
	int64_t since_ms, until_ms; /* UTC */
	char by[BLOCKLIST_BY_BYTES];
	char reason[BLOCKLIST_REASON_MAX + 1];
	struct blocklist_refused refused;
};

enum blocklist_result {
	BLOCKLIST_OK,
	BLOCKLIST_NONE,
	BLOCKLIST_FULL,
	/* nothing was changed; the reason is in blocklist_error, or else in errno */
	BLOCKLIST_BROKEN,
	/* changed, but a crash of the system may undo it; the reason is in errno */
	BLOCKLIST_UNSURE,
};

/* Takes over the disk (NULL: the directory is not open) and frees it. While the file cannot be
 * read, or a line of it is not valid, blocklist_error has the reason: the blocks that could be read
 * hold, and nothing can be changed, so that no line is lost. */
struct blocklist *blocklist_new(struct fsio *disk);
void blocklist_free(struct blocklist **b);
/* False: it was made without a disk. */
bool blocklist_has_disk(const struct blocklist *b);
/* Empty: there is no error. */
const char *blocklist_error(const struct blocklist *b);
/* After an error: reads the file again, which may be valid now. */
void blocklist_read_again(struct blocklist *b);

/* Adds a block, in place of one with the same target; it becomes the newest. */
enum blocklist_result blocklist_add(
    struct blocklist *b, const struct blocklist_entry *block) MUST_USE;
/* Removes the block with this target; BLOCKLIST_NONE: there is none. */
enum blocklist_result blocklist_remove(
    struct blocklist *b, const struct blocklist_target *target) MUST_USE;
/* The block that now holds for a login with this name from this address (NULL: not known), or NULL.
 */
struct blocklist_entry *blocklist_find(
    struct blocklist *b, struct str user, const struct network *client);
/* Calls fn for each block that holds now, ordered by the time when it was added. */
typedef void blocklist_fn(const struct blocklist_entry *block, void *arg);
void blocklist_each(struct blocklist *b, blocklist_fn *fn, void *arg);

/* Records the login that came last; and that a login was refused. */
void blocklist_note_last(struct blocklist_refused *r, struct str user, struct str ip);
void blocklist_note_refused(struct blocklist_refused *r, struct str user, struct str ip);
/* Parses an address, a network, or a login name. */
bool blocklist_target_parse(struct str text, struct blocklist_target *out) MUST_USE;
/* True: both are the same network, or the same login. */
bool blocklist_target_same(const struct blocklist_target *a, const struct blocklist_target *b);
/* The text that blocklist_target_parse reads; it is in the buffer, or in the target. */
struct str blocklist_target_text(const struct blocklist_target *t, char buffer[NETWORK_TEXT_BYTES]);

/* For blocklist.c: writes and reads the file's text. `blocks` has BLOCKLIST_MAX entries.
 * blocklist_read_text returns the number of the first line that is not valid or is one too many, 0:
 * there is none. The other lines are read, except after a first line that names another format. */
void blocklist_write_text(const struct blocklist_entry *blocks, size_t count, struct buf *out);
size_t blocklist_read_text(
    struct str text, struct blocklist_entry *blocks, size_t *count_out) MUST_USE;

#endif
