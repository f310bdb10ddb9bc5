/*
 * notices: the postmaster is told by mail of what needs an administrator.  Each event comes here
 * with the words that the log has of it; notice_list decides whether and when it is told.  The
 * queue composes and stores the mail; it is asked until it has.  What is pending is in memory; when
 * which notice was told is also in a file of the state directory, so that a daemon that is started
 * again and again does not tell the same each time.  The file does not name the messages, networks
 * and logins of collected kinds: after a start each of those may be told once more, in at most one
 * notice of the kind in an hour.
 */
#ifndef MAIN_NOTICES_H
#define MAIN_NOTICES_H

#include "main/daemon.h"

enum {
	NOTICES_LOOK_MS = 1000,
	NOTICES_PAUSE_FIRST_MS = 2000, /* after one that could not be stored, doubled ... */
	NOTICES_PAUSE_MAX_MS = 60000,  /* ... up to this */
	NOTICES_STEADY_MS = 10000,     /* what keeps a process from its work is told after that */
};

void notices_start(struct daemon *d);
void notices_stop(struct daemon *d);

/* Every second: asks the queue for what is due. */
void notices_check_all(struct daemon *d);
/* An event.  Nothing for a daemon without notices, as those of tests are. */
void notices_add(
    struct daemon *d, enum notice_kind kind, struct str object, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same, in place of what was to be told of that object. */
void notices_set(
    struct daemon *d, enum notice_kind kind, struct str object, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A process has ended that should run; its region is still there. */
void notices_add_process_end(struct instance *i, const char *how);
/* From a role. */
void notices_handle_alert(struct instance *i, const struct message_alert *m);
/* The queue is there: it is asked at once. */
void notices_queue_is_ready(struct daemon *d);
/* For `sallyport status`: false: there are none. */
bool notices_status(const struct daemon *d, struct buf *values);

#endif
