/*
 * intake_no_room: the answer to submission when something cannot be stored or lent.
 */
#ifndef QUEUE_INTAKE_NO_ROOM_H
#define QUEUE_INTAKE_NO_ROOM_H

#include "mail/smtp_status.h"

/* By errno: see smtp_status_not_stored; EAGAIN: too busy; EILSEQ: the body may not be sent. */
struct smtp_status intake_no_room(int error);

#endif
