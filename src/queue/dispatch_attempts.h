/*
 * dispatch_attempts: begin and end of attempts.  At its end an attempt returns what is open of its
 * delivery to the schedule, and is freed; the message may be removed and freed then.
 */
#ifndef QUEUE_DISPATCH_ATTEMPTS_H
#define QUEUE_DISPATCH_ATTEMPTS_H

#include "queue/dispatch_attempt.h"

/* Deliveries whose message is being read. */
enum { DISPATCH_READING_MAX = 64 };

/* The delivery has none yet. */
struct dispatch_attempt *dispatch_attempt_new(
    struct queue *q, uint64_t number, struct delivery *delivery);
/* Its message was read, or is not read any more: further deliveries may begin. */
void dispatch_attempt_read_done(struct dispatch_attempt *attempt);
struct dispatch_attempt *dispatch_attempt_find(const struct queue *q, uint64_t number);
/* All results are in, or no more will come.  Frees the attempt. */
void dispatch_attempt_end(struct dispatch_attempt *attempt);
/* Relay had not begun it: returns it to the schedule; `why` is for the log.  Frees the attempt. */
void dispatch_attempt_requeue(struct dispatch_attempt *attempt, const char *why);
/* Its results are not waited for any more: returns its open recipients to the schedule.  Frees it.
 */
void dispatch_attempt_give_up(struct dispatch_attempt *attempt);
/* The message is removed; later results of its attempt find no delivery. */
void dispatch_detach_delivery(struct delivery *delivery);
/* The channel to relay is lost: the attempts that were sent end.  Those whose message is being read
 * are not in relay yet; they end when the read is done. */
void dispatch_attempts_relay_lost(struct queue *q);

#endif
