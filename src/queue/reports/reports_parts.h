/*
 * reports_parts: shared by the files of reports: reports.c decides when a report is made,
 * reports_delays.c when a delay report is due, reports_store.c composes and stores.
 */
#ifndef QUEUE_REPORTS_REPORTS_PARTS_H
#define QUEUE_REPORTS_REPORTS_PARTS_H

#include "queue/reports/dsn.h"
#include "queue/reports/reports.h"

enum report_state {
	REPORT_ROUND,   /* until the round is over */
	REPORT_WAITING, /* for status updates, or for the end of the next attempt */
	REPORT_READY,   /* for its turn, in order */
	REPORT_BUSY,    /* the message is being read, or the report stored */
	REPORT_UNREAD,  /* the message could not be read; it is read again later */
	REPORT_LATE,    /* it could not be stored; it is stored again later */
};

/* The report that one message owes. */
struct report {
	TAILQ_ENTRY(report) link;
	struct queue *queue;
	struct msgid id; /* of the message */
	enum report_state state;
	int64_t since_ms; /* monotonic */
	unsigned reads;   /* reads that failed */
	struct timer again; /* UNREAD: the next read, monotonic */
	struct spool_reading reading; /* of the message */
	bool is_given_up; /* no room: settled without a report */
	/* being stored */
	bool is_warning;
	uint32_t *numbers; /* of the recipients in the report */
	size_t count;
	struct queued_message *queued_report; /* queued with the batch; NULL: no report is sent */
};

TAILQ_HEAD(report_list, report);

struct reports {
	struct event *round_event, *late_event, *unread_event;
	struct report_list of_state[REPORT_LATE + 1];
	unsigned busy_count;
	struct map *by_message;   /* the report of a message with has_report */
	struct timers unread;   /* of reports, monotonic */
	int64_t pause_ms; /* before LATE reports are tried; 0: none is LATE */
};

/* Reads, composes, appends; reports_stored gets the result. */
void report_begin(struct report *r);
/* The message could not be read: the report is made later, the others go on. */
void reports_unread(struct report *r, int error);
/* It waits, NOTIFY allows a delay report, and none was sent. */
bool reports_is_warned_of(const struct queued_message *e, uint32_t number);
/* error 0: durable, or there was nothing to report; ECANCELED: a status update came in between;
 * ENOENT: the message is removed; else the report is LATE. */
void reports_stored(struct report *r, int error);

void reports_arm(struct event *event, int64_t ms);

#endif
