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
	BLOCKS_MAX = 1024,
	BLOCKS_REASON_MAX = 255,
	BLOCKS_BY_BYTES = 32,
	BLOCKS_ERROR_BYTES = 256,
	BLOCKS_FILE_MAX = 2 << 20,
};

struct blocks;

/* Whom a block is about. */
struct block_target {
	bool is_network;
	struct network network;
	char user[CLAIM_USER_MAX + 1]; /* canonical, as the account is called */
};

/* Those that a block, or a limit, refused. */
struct block_refused {
	uint64_t count;
	char last_user[CLAIM_USER_MAX + 1];
	char last_ip[NETWORK_TEXT_BYTES];
};

struct block {
	struct block_target target;
	int64_t since_ms, until_ms; /* UTC */
	char by[BLOCKS_BY_BYTES];
	char reason[BLOCKS_REASON_MAX + 1];
	struct block_refused refused;
};

enum blocks_result {
	BLOCKS_OK,
	BLOCKS_NONE,
	BLOCKS_FULL,
	BLOCKS_BROKEN, /* nothing was changed; errno says why, if blocks_error does not */
	BLOCKS_UNSURE, /* it is changed, but may not outlive a crash of the system; errno */
};

/* The disk is its own from here (NULL: the directory is not open).  While the file cannot be read,
 * or a line of it makes no sense, blocks_error says so: what could be read of it holds, and nothing
 * can be changed, so that no line is lost. */
struct blocks *blocks_new(struct fsio *disk);
void blocks_free(struct blocks **b);
/* False: it was made without one. */
bool blocks_has_disk(const struct blocks *b);
/* Empty: all is well. */
const char *blocks_error(const struct blocks *b);
/* After an error: perhaps the file is well by now. */
void blocks_read_again(struct blocks *b);

/* In place of one of the same target; it is then the newest. */
enum blocks_result blocks_add(struct blocks *b, const struct block *block) MUST_USE;
enum blocks_result blocks_remove(
    struct blocks *b, const struct block_target *target) MUST_USE;
/* The block that holds now for a login of this name from this address (NULL: unknown), or NULL. */
struct block *blocks_find(struct blocks *b, struct str user, const struct network *client);
/* Those that hold now, by time of their making. */
typedef void block_fn(const struct block *block, void *arg);
void blocks_each(struct blocks *b, block_fn *fn, void *arg);

/* Who came last; and that it was refused. */
void block_note_last(struct block_refused *r, struct str user, struct str ip);
void block_note_refused(struct block_refused *r, struct str user, struct str ip);
/* An address, a network, or a login name as it is written. */
bool block_target_parse(struct str text, struct block_target *out) MUST_USE;
bool block_target_same(const struct block_target *a, const struct block_target *b);
/* As block_target_parse reads it; the room is for either. */
struct str block_target_text(const struct block_target *t, char room[NETWORK_TEXT_BYTES]);

/* For blocklist.c: the file's text, both ways.  blocks has BLOCKS_MAX places.  The number of the
 * first line that makes no sense or is one too many, 0: there is none; the others are taken, but
 * for all behind a first line of another format. */
void blocks_write_text(const struct block *blocks, size_t count, struct buf *out);
size_t blocks_read_text(struct str text, struct block *blocks, size_t *count_out) MUST_USE;

#endif
