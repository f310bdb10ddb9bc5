/*
 * rewrite: each field is copied once, into a buffer that has room for all of them.
 */
#include "mail/rewrite.h"

#include "base/clock.h"

/* ---- trace ---- */

/* The argument of EHLO comes from the client: shown only when every character is harmless. */
static bool
is_plain_helo_name(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!char_is_alpha(s.p[i]) && !char_is_digit(s.p[i]) && s.p[i] != '-' &&
		    s.p[i] != '.')
			return false;
	return s.n > 0 && s.n <= MAIL_ADDRESS_DOMAIN_MAX;
}

static void
rewrite_add_client(struct buf *out, const struct header_origin *o)
{
	const char *tag = str_has(o->client, ':') ? "IPv6:" : "";

	if (is_plain_helo_name(o->helo))
		buf_addf(
		    out, " from %.*s ([%s%.*s])\r\n\t", STR_ARG(o->helo), tag, STR_ARG(o->client));
	else
		buf_addf(out, " from [%s%.*s]\r\n\t", tag, STR_ARG(o->client));
}

/* Nothing for an empty value. */
static void
rewrite_add_clause(struct buf *out, const char *before, struct str value, const char *after)
{
	if (value.n == 0)
		return;
	buf_addz(out, before);
	buf_adds(out, value);
	buf_addz(out, after);
}

static void
rewrite_add_received(struct buf *out, const struct header_origin *o)
{
	char date[CLOCK_TEXT_BYTES];

	buf_addz(out, "Received:");
	if (o->client.n)
		rewrite_add_client(out, o);
	else
		buf_addc(out, ' ');
	rewrite_add_clause(out, "by ", o->hostname, " (sallyport)");
	rewrite_add_clause(out, " with ", o->protocol, "");
	rewrite_add_clause(out, " (", o->tls, ")");
	rewrite_add_clause(out, "\r\n\tid ", o->id, "");
	rewrite_add_clause(out, " for <", o->for_recipient, ">");
	rewrite_add_clause(out, ";\r\n\t", str_of(clock_rfc5322(o->now_ms, date)), "\r\n");
}

/* ---- the header ---- */

static struct smtp_status
check_rewritten_header(const struct buf *out)
{
	struct header_fault fault;

	if (!buf_ok(out))
		return header_too_large();
	if (!header_is_sendable(buf_str(out), &fault))
		return smtp_status_make(
		    554, "5.6.0", "%.*s header field: %s", STR_ARG(fault.name), fault.why);
	return (struct smtp_status){.code = 250};
}

/* Makes room for all fields; when they do not fit, out is over. */
static void
rewrite_make_room(const struct header *h, struct buf *out)
{
	size_t bytes = 0;

	for (size_t i = 0; i < h->count; i++)
		bytes += h->fields[i].raw.n;
	(void)!buf_room(out, bytes);
}

struct smtp_status
rewrite_header(const struct header *h, const struct header_origin *o, struct buf *out)
{
	rewrite_add_received(out, o);
	rewrite_make_room(h, out);
	for (size_t i = 0; i < h->count; i++)
		buf_adds(out, h->fields[i].raw);
	return check_rewritten_header(out);
}
