/*
 * newest_rig: a small log on a simulated disk, whose files are taken away and put back.
 */
#ifndef TESTS_CRASH_NEWEST_RIG_H
#define TESTS_CRASH_NEWEST_RIG_H

#include "model.h"

enum { TURNS = 60 };

bool newest_open(struct model *m, bool accept_damage);
/* A new spool with one segment in use, one ready, and a reserve. */
struct model *newest_begin(uint64_t seed);
/* A spool that has freed segments, and messages in several of those that it has. */
struct model *newest_begin_freed(void);
/* Messages until the log has one more segment. */
void newest_fill(struct model *m);
/* From now on the disk has no room for a segment; there is some for bodies. */
void newest_fill_disk(struct model *m);
void newest_crash(struct model *m);

/* How many names have this end. */
unsigned newest_names(struct model *m, const char *end);
void newest_make(struct model *m, const char *name, struct str bytes);
void newest_remove(struct model *m, const char *name);
/* In the log. */
unsigned newest_messages(struct model *m);

#endif
