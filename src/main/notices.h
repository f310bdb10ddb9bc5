/*
 * notices: mail to the postmaster about events that need an administrator.  Each event arrives here
 * with the text of its log line; notices_list decides whether and when a notice is sent.  The queue
 * composes and stores the mail; main repeats the request until the queue has stored it.  Pending
 * notices are in memory.  Which notice was sent when is also in a file of the state directory, so
 * that a daemon that is started again and again does not repeat its notices.  That file does not
 * name the messages, networks and logins of collected kinds: after a start each of them may be
 * reported once more, in at most one notice of the kind per hour.
 */
#ifndef MAIN_NOTICES_H
#define MAIN_NOTICES_H

#include "main/daemon.h"

enum {
	NOTICES_CHECK_MS = 1000,
	NOTICES_PAUSE_FIRST_MS = 2000, /* after a failed request, doubled ... */
	NOTICES_PAUSE_MAX_MS = 60000,  /* ... up to this */
	NOTICES_STEADY_MS = 10000,     /* a problem of a process is reported after that time */
};

/* notices_start reads the file and starts the timer; notices_stop frees everything. */
void notices_start(struct daemon *d);
void notices_stop(struct daemon *d);

/* Every second: notes problems of processes, and requests due notices. */
void notices_check_all(struct daemon *d);
/* Adds an event.  Does nothing in a daemon without notices, as in some tests. */
void notices_add(
    struct daemon *d, enum notice_kind kind, struct str object, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same, in place of the pending lines about that object. */
void notices_set(
    struct daemon *d, enum notice_kind kind, struct str object, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* What was reported about that object is over: a notice that is still pending says so too, and the
 * same is reported again when it returns.  Nothing else is sent. */
void notices_over(
    struct daemon *d, enum notice_kind kind, struct str object, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* A process has ended that should run; its metrics region is still mapped. */
void notices_add_process_end(struct instance *i, const char *how);
/* An ALERT of a role. */
void notices_handle_alert(struct instance *i, const struct message_alert *m);
/* The queue is ready: a due notice is requested at once. */
void notices_queue_is_ready(struct daemon *d);
/* Notices that are not mailed yet. */
unsigned notices_pending_count(const struct daemon *d);
/* Adds the row for `sallyport status`; false: there are no notices. */
bool notices_status(const struct daemon *d, struct buf *values);

#endif
