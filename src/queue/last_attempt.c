/*
 * last_attempt: a fixed head (code, class, subject, detail, time), then four texts with a length
 * byte each, then a byte of flags and the time of an attempt for another message.  Version 0.1.0
 * wrote neither of the last two: it is unknown whether its statuses came from a host.
 */
#include "queue/last_attempt.h"

#include "spool/spool.h"

enum { FLAG_REMOTE = 1 << 0 };
enum { REASON_MAX = 24, ADDRESS_MAX_BYTES = 48, HOST_MAX = 160 };

struct last_attempt_head {
	int64_t at_ms;
	uint16_t code, class, subject, detail;
};

static void
encode_attempt_text(struct buf *out, struct str s, size_t max)
{
	if (s.n > max)
		s.n = max;
	buf_addc(out, (char)s.n);
	buf_adds(out, s);
}

void
last_attempt_encode(const struct last_attempt *attempt, struct buf *out)
{
	const struct smtp_status *s = &attempt->status;
	struct last_attempt_head head = {attempt->at_ms, s->code, s->class, s->subject, s->detail};

	buf_add(out, &head, sizeof head);
	encode_attempt_text(out, attempt->reason, REASON_MAX);
	encode_attempt_text(out, attempt->address, ADDRESS_MAX_BYTES);
	encode_attempt_text(out, attempt->host, HOST_MAX);
	encode_attempt_text(out, str_of(s->text), SMTP_STATUS_TEXT_BYTES - 1);
	buf_addc(out, s->is_remote ? FLAG_REMOTE : 0);
	buf_add(out, &attempt->found_ms, sizeof attempt->found_ms);
}

static struct str
decode_attempt_text(struct str *rest)
{
	size_t n = rest->n ? (unsigned char)rest->p[0] : 0;
	struct str s;

	if (rest->n == 0 || n + 1 > rest->n) {
		*rest = STR_NULL;
		return STR_NULL;
	}
	s = str_make(rest->p + 1, n);
	*rest = str_from(*rest, n + 1);
	return s;
}

void
last_attempt_decode(struct str bytes, struct last_attempt *out)
{
	struct last_attempt_head head;
	struct str text;

	*out = (struct last_attempt){0};
	if (bytes.n < sizeof head)
		return;
	memcpy(&head, bytes.p, sizeof head);
	bytes = str_from(bytes, sizeof head);
	out->at_ms = head.at_ms;
	out->reason = decode_attempt_text(&bytes);
	out->address = decode_attempt_text(&bytes);
	out->host = decode_attempt_text(&bytes);
	text = decode_attempt_text(&bytes);
	out->status = smtp_status_make(head.code, NULL, "%.*s", STR_ARG(text));
	out->status.class = (uint8_t)head.class;
	out->status.subject = head.subject;
	out->status.detail = head.detail;
	out->status.is_remote = bytes.n && (bytes.p[0] & FLAG_REMOTE);
	if (bytes.n > sizeof out->found_ms)
		memcpy(&out->found_ms, bytes.p + 1, sizeof out->found_ms);
}
