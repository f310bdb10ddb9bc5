/*
 * blocklist: networks and logins that the operator has blocked until a given time.  They stand in
 * the file "blocks" of the state directory, so that they hold after a start too; a change is on the
 * disk when its call returns.  What counts who was refused is in memory alone.
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

/* Whom a block is about. */
struct blocklist_target {
	bool is_network;
	struct network network;
	char user[CLAIMED_USER_MAX + 1]; /* canonical, as the account is called */
};

/* Those that a block, or a limit, refused. */
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
	BLOCKLIST_BROKEN, /* nothing was changed; errno says why, if blocklist_error does not */
	BLOCKLIST_UNSURE, /* it is changed, but may not outlive a crash of the system; errno */
};

/* The disk is its own from here (NULL: the directory is not open).  While the file cannot be read,
 * or a line of it makes no sense, blocklist_error says so: what could be read of it holds, and
 * nothing can be changed, so that no line is lost. */
struct blocklist *blocklist_new(struct fsio *disk);
void blocklist_free(struct blocklist **b);
/* False: it was made without one. */
bool blocklist_has_disk(const struct blocklist *b);
/* Empty: all is well. */
const char *blocklist_error(const struct blocklist *b);
/* After an error: perhaps the file is well by now. */
void blocklist_read_again(struct blocklist *b);

/* In place of one of the same target; it is then the newest. */
enum blocklist_result blocklist_add(
    struct blocklist *b, const struct blocklist_entry *block) MUST_USE;
enum blocklist_result blocklist_remove(
    struct blocklist *b, const struct blocklist_target *target) MUST_USE;
/* The block that holds now for a login of this name from this address (NULL: unknown), or NULL. */
struct blocklist_entry *blocklist_find(
    struct blocklist *b, struct str user, const struct network *client);
/* Those that hold now, by time of their making. */
typedef void blocklist_fn(const struct blocklist_entry *block, void *arg);
void blocklist_each(struct blocklist *b, blocklist_fn *fn, void *arg);

/* Who came last; and that it was refused. */
void blocklist_note_last(struct blocklist_refused *r, struct str user, struct str ip);
void blocklist_note_refused(struct blocklist_refused *r, struct str user, struct str ip);
/* An address, a network, or a login name as it is written. */
bool blocklist_target_parse(struct str text, struct blocklist_target *out) MUST_USE;
bool blocklist_target_same(const struct blocklist_target *a, const struct blocklist_target *b);
/* As blocklist_target_parse reads it; the room is for either. */
struct str blocklist_target_text(const struct blocklist_target *t, char buffer[NETWORK_TEXT_BYTES]);

/* For blocklist.c: the file's text, both ways.  blocks has BLOCKLIST_MAX places.  The number of the
 * first line that makes no sense or is one too many, 0: there is none; the others are taken, but
 * for all behind a first line of another format. */
void blocklist_write_text(const struct blocklist_entry *blocks, size_t count, struct buf *out);
size_t blocklist_read_text(
    struct str text, struct blocklist_entry *blocks, size_t *count_out) MUST_USE;

#endif
