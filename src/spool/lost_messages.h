/*
 * lost_messages: collects and reports what is known of messages that a damaged spool has lost.
 * What is left of a damaged record is not reliable by itself; later statuses are: so nothing is
 * reported before the whole log was read.  It runs during a start only, and changes nothing on the
 * disk.
 */
#ifndef SPOOL_LOST_MESSAGES_H
#define SPOOL_LOST_MESSAGES_H

#include "spool/replay_types.h"

/* The bytes of the segment are damaged from `from` to the end of `bytes`: its messages are
 * remembered, as far as the remains of their frames show them. */
void lost_messages_scan_damage(
    struct replay *r, const struct segment *g, struct str bytes, uint32_t from);
/* The same for a file that is not read and is set aside: an undamaged message in it is not lost. */
void lost_messages_scan_file(struct replay *r, const struct segment *g, struct str bytes);
/* The same for a range of the log, which was read up to there.  If the remains do not name all
 * messages of the range, the report says where in the log to look for the others. */
void lost_messages_scan_stretch(
    struct replay *r, const struct segment *g, struct str bytes, uint32_t from);
/* Logs the remains of a write that was, as far as is known, never acknowledged. */
void lost_messages_log_unfinished(const struct replay *r, const struct segment *g, uint32_t at);
/* The segment of this generation is missing, or its end is; 0: it is not known which one. */
void lost_messages_add_gap(struct replay *r, uint64_t generation);
/* For each message of the log, in its order. */
void lost_messages_pass_stored(struct replay *r, struct msgid id, uint64_t generation);
/* For each status of the log: it may concern a message that was remembered or, when segments are
 * missing, one that the log does not contain. */
void lost_messages_pass_status(struct replay *r, const struct spool_entry *e);

/* When the log was read.  Reports by name the remembered messages that are lost, and the recipients
 * of missing messages that were still waiting by their last status: 200 of each kind, in the order
 * of ids.  Counts the rest of each kind, and the messages whose delivery was finished.  Says where
 * in the log to look for the others. */
void lost_messages_report(struct replay *r);
/* Frees what was collected. */
void lost_messages_clear(struct replay *r);
/* Logs an error, which is also passed to the spool's user (spool_recovery).  what: the id of a
 * message, or a description of what is lost. */
void lost_messages_report_line(const struct spool *s, struct str what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
