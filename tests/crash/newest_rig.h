/*
 * newest_rig: a small log on a simulated disk, whose files are removed and put back.
 */
#ifndef TESTS_CRASH_NEWEST_RIG_H
#define TESTS_CRASH_NEWEST_RIG_H

#include "model.h"
#include "spool/segment.h"

enum { TURNS = 60, SLOTS = 32, NAME_BYTES = 64, CUTS_MAX = 400 };

bool newest_open(struct model *m, bool accept_damage);
/* A new spool with one segment in use, one ready, and a reserve. */
struct model *newest_begin(uint64_t seed);
/* A spool that has freed segments, and messages in several of those that it has. */
struct model *newest_begin_freed(void);
/* A spool with one segment, that has freed others; name: of its file. */
struct model *newest_begin_single(char name[SEGMENT_NAME_BYTES]);
/* Stores messages until the log has one more segment. */
void newest_fill(struct model *m);
/* From now on the disk has no room for a segment; there is some for bodies. */
void newest_fill_disk(struct model *m);
void newest_crash(struct model *m);
/* The log has one segment more than was ready when the reserve was made; none is ready after it,
 * because the disk is full.  name: of its file; the spool is closed, and may have lost messages. */
struct model *newest_begin_unready(char name[SEGMENT_NAME_BYTES]);
/* A start that accepts damage, and so many turns, with a power cut at operation `cut`; then the
 * next start, which may accept damage too.  Was the cut reached? */
bool newest_accept_through_cut(struct model *m, uint64_t cut, int turns);
/* Calls fn(1), fn(2), ... with a power cut at that operation, until one returns that there was
 * none: were there more than at_least, and is faults still 0? */
bool newest_each_cut(bool (*fn)(uint64_t cut, unsigned *faults), uint64_t at_least);

/* How many names have this end. */
unsigned newest_names(struct model *m, const char *end);
void newest_make(struct model *m, const char *name, struct str bytes);
void newest_remove(struct model *m, const char *name);

/* Nothing names the newest segment, as in a spool of an older version. */
void newest_unname(struct model *m);
/* The start is refused, for that reason, and changes nothing. */
void newest_expect_refusal(struct model *m, const char *words);

struct newest_list {
	const char *begin, *end;
	char name[SLOTS][NAME_BYTES];
	unsigned count;
};

/* Counts the names with this beginning and end. */
struct newest_list newest_list(struct model *m, const char *begin, const char *end);

struct newest_file {
	char name[SEGMENT_NAME_BYTES];
	struct str bytes;
};

struct newest_files {
	struct newest_file file[SLOTS];
	unsigned count;
};

/* Removes the file and adds it to the list. */
void newest_take(struct model *m, uint32_t slot, struct newest_files *out);
/* Puts all of them back, under numbers that are free by now; their bytes are freed. */
void newest_put_back(struct model *m, struct newest_files *files);
void newest_forget(struct newest_files *files);
/* Are these bytes, after the header, in a file that was set aside under a logged name? */
bool newest_is_kept(struct model *m, struct str bytes);
/* Puts them back.  The start that finds them logs that, names their messages that are not in the
 * log, and the names that the files get; the next start has nothing to log.  Returns how many
 * messages were named. */
unsigned newest_expect_kept(struct model *m, struct newest_files *files);

#endif
