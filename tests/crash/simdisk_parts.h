/*
 * simdisk_parts: the parts of a simulated disk; for simdisk and its operations only.
 */
#ifndef TESTS_SIMDISK_PARTS_H
#define TESTS_SIMDISK_PARTS_H

#include "simdisk.h"

enum { SECTOR = 512, NAMES = 512, INODES = 1024, DESCRIPTORS = 512 };
enum { FIRST_FD = 1000, NAME_BYTES = 64 };

struct wish {                            /* written, not synced */
	struct wish *next;
	size_t at;
	size_t n;
	char bytes[];
};

struct content_bytes {
	char *p;
	size_t n;
	size_t cap;
};

struct inode {
	bool is_used;
	struct content_bytes cache;
	struct content_bytes platter;
	struct wish *wishes;             /* oldest first */
	struct wish **last;
};

struct entry {
	char name[NAME_BYTES];           /* empty: free */
	int inode;
};

struct change {                          /* of the directory, not synced */
	struct change *next;
	char removed[NAME_BYTES];
	char set[NAME_BYTES];
	int inode;
};

struct descriptor {
	bool is_open;
	bool is_read_only;
	int inode;
};

struct simdisk {
	struct fsio io;
	uint64_t seed;
	struct inode inodes[INODES];
	struct entry cache[NAMES];
	struct entry platter[NAMES];
	struct change *changes;
	struct descriptor descriptors[DESCRIPTORS];
	bool is_locked;
	uint64_t acts;
	uint64_t cut_at;
	bool is_cut;
	struct simdisk_fault fault;
	uint64_t fault_acts;
	uint64_t struck;
	char struck_name[NAME_BYTES];
	uint64_t struck_at;
	bool is_space_hidden;
	uint64_t limit;
	bool ignores_syncs;
	bool writes_short;
	bool reads_short;
	unsigned read_fails_in;
	int bad_inode;
	size_t bad_from;
	size_t bad_to;                   /* 0: no unreadable range */
	int unwritable;                  /* this inode + 1; 0: none */
};

extern const struct fsio_ops simdisk_ops;

/* False: this operation does not happen, errno is the reason. */
bool simdisk_may(struct simdisk *d, enum simdisk_act act);
void simdisk_put(struct content_bytes *c, size_t at, const char *p, size_t n);
/* Decides for each sector of each write whether it reached the disk. */
void simdisk_grant(struct simdisk *d, struct inode *i, unsigned percent);
struct entry *simdisk_find(struct entry *directory, const char *name);
void simdisk_change(struct simdisk *d, const char *removed, const char *set, int inode);
void simdisk_settle(struct simdisk *d, unsigned percent);
/* Frees inodes without a name and a descriptor. */
void simdisk_collect(struct simdisk *d);

#endif
