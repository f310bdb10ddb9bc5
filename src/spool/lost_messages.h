/*
 * lost_messages: tells what is known of messages that a damaged spool has lost.  What is left of a
 * damaged record is not proven; what later statuses say is, so nothing is told before all was read.
 */
#ifndef SPOOL_LOST_MESSAGES_H
#define SPOOL_LOST_MESSAGES_H

#include "spool/replay.h"

/* From there on, to the end of bytes, stands a damaged place: its messages are remembered, as far
 * as what is left of their frames tells. */
void lost_messages_scan_damage(
    struct replay *r, const struct segment *g, struct str bytes, uint32_t from);
/* The same for a file that is not read, and set aside: what is whole in it is not lost. */
void lost_messages_scan_file(struct replay *r, const struct segment *g, struct str bytes);
/* The same for a stretch of the log, which is read up to there: where what is left of it does not
 * name all that stood in it, it is told where to look for the rest. */
void lost_messages_scan_stretch(
    struct replay *r, const struct segment *g, struct str bytes, uint32_t from);
/* What stands there is left of a write of which nobody was told, for all that is known. */
void lost_messages_log_unfinished(const struct replay *r, const struct segment *g, uint32_t at);
/* The segment of this generation is missing, or its end is; 0: which one is not known. */
void lost_messages_add_gap(struct replay *r, uint64_t generation);
/* A message of the log, in its order. */
void lost_messages_pass_stored(struct replay *r, struct msgid id, uint64_t generation);
/* A status: what became of a message that was remembered, or, where messages are missing, of one
 * that the log does not hold. */
void lost_messages_pass_status(struct replay *r, const struct spool_entry *e);

/* The log was read: names the remembered messages that are lost, and the recipients of missing ones
 * that still waited by their last status, 200 of each kind, in the order of ids; counts the rest of
 * each kind, and the messages that had come to their end; says where to look for the others. */
void lost_messages_report(struct replay *r);
void lost_messages_clear(struct replay *r);
/* An error of the log, which the queue is told too (spool_recovery).  what: the id of a message, or
 * what else is lost. */
void lost_messages_report_line(const struct spool *s, struct str what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
