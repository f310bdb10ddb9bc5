/*
 * envelope_options: the values of the options that MAIL and RCPT can set in an envelope: BODY, RET
 * and NOTIFY (RFC 6152, 3461). Only types: the parser of the commands sets them, and the envelope
 * stores them as these numbers.
 */
#ifndef MAIL_ENVELOPE_OPTIONS_H
#define MAIL_ENVELOPE_OPTIONS_H

enum envelope_body { BODY_7BIT, BODY_8BITMIME };
enum envelope_return { RETURN_UNSET, RETURN_FULL, RETURN_HEADERS };
enum envelope_notify { NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8 };

#endif
