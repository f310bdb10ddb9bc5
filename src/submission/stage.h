/*
 * stage: a part of the work on a message between the end of its content and its commit, and the run
 * of a message through a table of stages. A stage knows the message and no session, and calls no
 * other stage. One table serves all sessions: a stage keeps nothing outside its message. The owner
 * of a run keeps the deadline of a wait.
 */
#ifndef SUBMISSION_STAGE_H
#define SUBMISSION_STAGE_H

#include "mail/header_policy.h"
#include "submission/session_internal.h"

/* A message while the stages work on it. */
struct stage_message {
	const struct session_services *services; /* what a stage may ask, with arg */
	void *arg;
	const struct conf *conf;
	struct smtpd_transaction *transaction; /* its arena lives as long as the message */
	struct content *content;
	struct header header;          /* the fields, from the stage parse to rewrite */
	struct header_authors authors; /* since the stage policy */
	char id[ID_NUMBER_TEXT_BYTES];
	struct envelope envelope; /* smtputf8: as announced, until the commit */
	struct str helo, tls;     /* of the session */
	/* a refusal */
	struct smtp_status status;
	const char *reason;      /* for the log */
	struct str refused_from; /* an address in From, for the log; may be empty */
};

/* NEXT: the message goes to the next stage. WAIT: the stage has asked a service; it is called again
 * with the answer. REFUSE: the client gets m->status, and no further stage has the message. */
enum stage_step { STAGE_NEXT, STAGE_WAIT, STAGE_REFUSE };

typedef enum stage_step stage_fn(struct stage_message *m);
/* answer: in the form of the service that was asked; never called from inside the asking call. */
typedef enum stage_step stage_answer_fn(struct stage_message *m, const void *answer);
/* Withdraws the question: no answer comes any more. */
typedef void stage_cancel_fn(struct stage_message *m);

struct stage {
	const char *name; /* NULL ends the table */
	stage_fn *begin;
	/* of a stage that waits */
	stage_answer_fn *answered;
	stage_cancel_fn *cancel; /* NULL: the service needs no word about it */
	int64_t wait_ms;         /* for one answer; then the client is told that it timed out */
};

/* Refuses the message: sets what the client and the log are told. Returns REFUSE. */
enum stage_step stage_refuse(
    struct stage_message *m, const char *reason, const struct smtp_status *status);

/* Gives the message to the first stage, and on to the next ones. NEXT: it has passed the last. */
enum stage_step stage_run_begin(
    struct stage_run *r, const struct stage *table, struct stage_message *m);
/* Continues the stage that waits with its answer, and then the ones behind it. Only while
 * stage_run_is_waiting. */
enum stage_step stage_run_answer(struct stage_run *r, const void *answer);
/* Whether a stage waits, and how long it may. */
bool stage_run_is_waiting(const struct stage_run *r);
int64_t stage_run_wait_ms(const struct stage_run *r);
/* Withdraws the question of the stage that waits, if one does: nothing waits any longer. */
void stage_run_cancel(struct stage_run *r);

#endif
