/*
 * simdisk: a disk in memory that can lose its cache.  When the power fails, what was written and
 * not synced is kept, dropped, torn at sectors or reordered; so are changes of the directory.  It
 * can also refuse any operation, by its number, with any errno.  Everything is decided by one seed.
 */
#ifndef TESTS_SIMDISK_H
#define TESTS_SIMDISK_H

#include "base/fsio.h"
#include "base/str.h"

enum simdisk_act {
	SIMDISK_WRITE = 1,
	SIMDISK_SYNC = 2,
	SIMDISK_SYNC_DIRECTORY = 4,
	SIMDISK_RENAME = 8,
	SIMDISK_UNLINK = 16,
	SIMDISK_NAME = 32,
	SIMDISK_OPEN = 64,
	SIMDISK_READ = 128,
	SIMDISK_INSPECT = 256,
	SIMDISK_DURABLE = 63,            /* all that change the disk */
};

struct simdisk;

struct simdisk *simdisk_new(uint64_t seed);
void simdisk_free(struct simdisk **d);
struct fsio *simdisk_io(struct simdisk *d);
uint64_t simdisk_draw(struct simdisk *d, uint64_t below);

/* Operations of these kinds are counted; at number `at` (from 1, counted from now) the power
 * fails. */
void simdisk_cut(struct simdisk *d, uint64_t at);
bool simdisk_is_cut(const struct simdisk *d);
/* The durable content after the power cut; all descriptors and the lock are gone. */
void simdisk_restart(struct simdisk *d);

/* Operation number `at` of that kind, and the `times` - 1 after it, fail with this errno; 0:
 * none. */
struct simdisk_fault {
	unsigned acts;
	uint64_t at;
	uint64_t times;
	int error;
};
void simdisk_fail(struct simdisk *d, struct simdisk_fault fault);
/* How often that happened. */
uint64_t simdisk_struck(const struct simdisk *d);
/* The place of the last inspect, open or read: the name of the file, and the offset of a read, else
 * 0. */
const char *simdisk_struck_name(const struct simdisk *d);
uint64_t simdisk_struck_at(const struct simdisk *d);

/* All files together may not grow beyond this. */
void simdisk_limit(struct simdisk *d, uint64_t bytes);
/* sync_data succeeds and does nothing. */
void simdisk_ignore_syncs(struct simdisk *d);
/* Some writes are shortened, at a sector. */
void simdisk_write_short(struct simdisk *d);
/* Some reads return fewer bytes than were requested. */
void simdisk_read_short(struct simdisk *d);
/* One read in `in` fails with EIO; 0: none. */
void simdisk_read_fail_at_random(struct simdisk *d, unsigned in);
/* Reads of these bytes of the file fail with EIO, even when it is renamed; to 0: none. */
void simdisk_bad_place(struct simdisk *d, const char *name, size_t from, size_t to);
/* Its free space cannot be read (EIO). */
void simdisk_hide_space(struct simdisk *d, bool is_hidden);
/* Writes to this file fail with EIO, even when it is renamed; NULL: none. */
void simdisk_refuse_writes(struct simdisk *d, const char *name);

/* For damage: the file's bytes; NULL if there is no such name. */
struct str simdisk_bytes(struct simdisk *d, const char *name);
void simdisk_truncate(struct simdisk *d, const char *name, size_t bytes);
unsigned simdisk_open_count(const struct simdisk *d);

#endif
