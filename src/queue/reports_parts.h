/*
 * reports_parts: the files of reports: reports.c decides when, reports_delays.c when of a message
 * that waits, reports_store.c composes and stores.
 */
#ifndef QUEUE_REPORTS_PARTS_H
#define QUEUE_REPORTS_PARTS_H

#include "queue/dsn.h"
#include "queue/reports.h"

enum report_state {
	REPORT_ROUND,   /* until the round is over */
	REPORT_WAITING, /* for the entry's records, or the next attempt's end */
	REPORT_READY,   /* for its turn, in that order */
	REPORT_BUSY,    /* the message is being read, the report stored */
	REPORT_UNREAD,  /* the message could not be read; it is tried again */
	REPORT_LATE,    /* could not be stored; is tried again */
};

/* What one message owes. */
struct report {
	TAILQ_ENTRY(report) link;
	struct queue *queue;
	struct msgid id; /* of the message */
	enum report_state state;
	int64_t since_ms; /* monotonic */
	unsigned reads;   /* that failed */
	struct timer again; /* UNREAD: monotonic */
	struct spool_reading reading; /* of the message */
	bool is_given_up; /* no room: settled without telling anyone */
	/* being stored */
	bool is_warning;
	uint32_t *numbers; /* of the recipients told of */
	size_t count;
	struct queued_message
	    *entry; /* the report itself, goes into the book with the batch; NULL: none */
};

TAILQ_HEAD(report_list, report);

struct reports {
	struct event *round_event, *late_event, *warning_event, *unread_event;
	struct report_list of_state[REPORT_LATE + 1];
	unsigned busy_count;
	struct timers warnings; /* of entries, by the clock */
	struct timers unread;   /* of reports, monotonic */
	int64_t pause_ms; /* before the next try of the late ones; 0: none is late */
};

/* Reads, composes, appends; reports_stored tells how it ended. */
void report_begin(struct report *r);
/* The message could not be read: the report is made later, the others go on. */
void reports_unread(struct report *r, int error);
/* It waits, its sender allows to be told so, and was not. */
bool reports_is_warned_of(const struct queued_message *e, uint32_t number);
/* error 0: durable, or nothing was left to tell; ECANCELED: a record came in between; ENOENT: the
 * message is gone; else it is late. */
void reports_stored(struct report *r, int error);

void reports_arm(struct event *event, int64_t ms);
/* When its sender is to be told that it waits, if ever. */
void reports_set_warning(struct queue *q, struct queued_message *e);
/* Of the event. */
void reports_on_warning(evutil_socket_t fd, short what, void *arg);

#endif
