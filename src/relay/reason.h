/*
 * reason: the closed set of words that logs and metrics use for the reason of a delivery result.
 */
#ifndef RELAY_REASON_H
#define RELAY_REASON_H

#include "mail/smtp_status.h"

#define REASON_NONE "none"
#define REASON_GREYLISTED "greylisted"
#define REASON_CONNECT "connect"
#define REASON_TIMEOUT "timeout"
#define REASON_DNS "dns"
#define REASON_TLS "tls"
#define REASON_BUSY "busy" /* the host takes no mail at all now: 421, or 4xx before MAIL */
#define REASON_REFUSED "refused"
#define REASON_PROTOCOL "protocol"
#define REASON_LOST "lost"
#define REASON_LOOP "loop"
#define REASON_UNROUTABLE "unroutable"
#define REASON_MAILBOX "mailbox"
#define REASON_MAILBOX_FULL "mailbox_full"
#define REASON_AUTH "auth"
#define REASON_SIZE "size"
#define REASON_UTF8 "utf8"
#define REASON_8BIT "8bit"
#define REASON_LOCAL "local"
#define REASON_DAMAGED "damaged"   /* the body differs from what was stored */
#define REASON_STOPPING "stopping" /* relay is stopping; the attempt was not started */
#define REASON_RELOADING                                                                           \
	"reloading" /* relay and queue have different configurations; not started */

/* The reason for another host's reply to MAIL, RCPT, DATA or the final dot. */
const char *reason_of_reply(const struct smtp_status *s);

#endif
