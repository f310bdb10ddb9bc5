/* Command lines: parsers are total, and nothing they accept holds a control character. */
#include <stdlib.h>

#include "base/encode.h"
#include "mail/smtp_command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must_hold(bool ok)
{
	if (!ok)
		abort();
}

static bool
is_clean(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

static bool
is_clean_but_tabs(struct str s)
{
	struct str part;

	while (str_split(&s, '\t', &part))
		if (!is_clean(part))
			return false;
	return true;
}

static void
check_xtext(struct str s)
{
	struct buf plain;

	buf_init(&plain, 1 << 20);
	must_hold(decode_xtext(&plain, s) && is_clean(buf_str(&plain)));
	buf_clear(&plain);
}

static void
check_mail(struct str args)
{
	struct smtp_command_mail m;
	struct smtp_status s = smtp_command_parse_mail(args, &m);

	must_hold(
	    s.code == 250 || s.code == 501 || s.code == 552 || s.code == 553 || s.code == 555);
	if (s.code != 250)
		return;
	must_hold(
	    is_clean(m.sender.text) && m.sender.text.n <= MAIL_ADDRESS_MAX && m.envid.n <= 100);
	must_hold(m.sender.text.n == 0 || m.sender.domain.n > 0);
	check_xtext(m.envid);
}

static void
check_rcpt(struct str args)
{
	struct smtp_command_rcpt r;
	struct smtp_status s = smtp_command_parse_rcpt(args, &r);

	must_hold(s.code == 250 || s.code == 501 || s.code == 553 || s.code == 555);
	if (s.code != 250)
		return;
	must_hold(is_clean(r.recipient.text) && r.recipient.text.n > 0 && r.orcpt.n <= 500);
	must_hold(!(r.notify & NOTIFY_NEVER) || r.notify == NOTIFY_NEVER);
	check_xtext(str_from(r.orcpt, str_find(r.orcpt, ';') + 1));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str line = str_make((const char *)data, size), verb, args;
	struct smtp_command_bdat b;
	struct smtp_command_auth a;

	check_mail(line);
	check_rcpt(line);
	if (!smtp_command_split(line, &verb, &args))
		return 0;
	must_hold(is_clean_but_tabs(args) && verb.n > 0);
	check_mail(args);
	check_rcpt(args);
	(void)smtp_command_is_helo(args);
	if (smtp_command_parse_bdat(args, &b).code == 250)
		must_hold(char_is_digit(args.p[0]));
	if (smtp_command_parse_auth(args, &a).code == 250)
		must_hold(a.mechanism.n >= 1 && a.mechanism.n <= 20 && is_clean(a.initial));
	return 0;
}
