/*
 * reason: the closed set of words by which logs and metrics say why a delivery went as it did.
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
#define REASON_BUSY "busy" /* it takes nothing now, whatever the mail: 421, or 4xx before MAIL */
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
#define REASON_DAMAGED "damaged" /* the body is not what was stored */
#define REASON_STOPPING "stopping" /* relay ends; not begun */

/* Of another host's answer to MAIL, RCPT, DATA or the final dot. */
const char *reason_of_reply(const struct smtp_status *s);

#endif
