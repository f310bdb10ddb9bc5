/*
 * stages: the stages of a message whose content is complete, and what its session does meanwhile
 * and afterwards: it waits, refuses the message, or confirms it.
 */
#ifndef SUBMISSION_STAGES_H
#define SUBMISSION_STAGES_H

#include "submission/stage.h"

/* In the order of the work. */
extern const struct stage stages_of_submission[];

/* The content is complete and where the queue can commit it, or it has a fault and all of it was
 * discarded: gives the message to the stages, or refuses it, which ends the transaction. */
enum session_step stages_begin(struct session *s);
/* The service that a stage of this session asked has answered. Nothing happens when none waits. */
enum session_step stages_answered(struct session *s, const void *answer);
/* Withdraws the question of the stage that waits, if one does. */
void stages_cancel(struct session *s);

#endif
