/*
 * header_rule: the table; a field that is not in it is passed on, with faults of form repaired.
 */
#include "mail/header_rule.h"

#include "mail/authserv.h"

enum {
	REMOVE = HEADER_RULE_REMOVE,
	ADDRESSES = HEADER_RULE_COMPLETE | HEADER_RULE_PARSED,
	AUTHOR = ADDRESSES | HEADER_RULE_ORIGINATOR,
	ONCE = HEADER_RULE_ONCE,
	SINGLE = HEADER_RULE_SINGLE,
	RESENT = HEADER_RULE_RESENT,
	PARSED = HEADER_RULE_PARSED,
	NEEDS_VALUE = HEADER_RULE_NEEDS_VALUE,
};

#define NAME(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}
static const struct header_rule rules[] = {
    {NAME("From"), AUTHOR | ONCE, HEADER_FROM},
    {NAME("Sender"), AUTHOR | ONCE | SINGLE, HEADER_SENDER},
    {NAME("Date"), PARSED | ONCE | NEEDS_VALUE, HEADER_DATE},
    {NAME("Message-ID"), PARSED | ONCE | NEEDS_VALUE, HEADER_MESSAGE_ID},
    {NAME("Received"), PARSED, HEADER_RECEIVED},
    {NAME("To"), ADDRESSES | ONCE, HEADER_TO},
    {NAME("Cc"), ADDRESSES | ONCE, HEADER_CC},
    {NAME("Reply-To"), ADDRESSES | ONCE, HEADER_REPLY_TO},
    {NAME("Subject"), ONCE, HEADER_SUBJECT},
    {NAME("In-Reply-To"), ONCE, HEADER_IN_REPLY_TO},
    {NAME("References"), ONCE, HEADER_REFERENCES},
    {NAME("Bcc"), REMOVE, HEADER_OTHER},
    {NAME("Authentication-Results"), HEADER_RULE_AUTH_RESULTS, HEADER_OTHER},
    {NAME("Return-Path"), REMOVE, HEADER_OTHER},
    {NAME("Resent-From"), AUTHOR | RESENT, HEADER_RESENT_FROM},
    {NAME("Resent-Sender"), AUTHOR | SINGLE | RESENT, HEADER_OTHER},
    {NAME("Resent-Date"), PARSED | RESENT, HEADER_RESENT_DATE},
    {NAME("Resent-Message-ID"), PARSED | RESENT, HEADER_RESENT_MESSAGE_ID},
    {NAME("Resent-To"), ADDRESSES | RESENT, HEADER_OTHER},
    {NAME("Resent-Cc"), ADDRESSES | RESENT, HEADER_OTHER},
    {NAME("Resent-Reply-To"), ADDRESSES | RESENT, HEADER_OTHER},
    {NAME("Resent-Bcc"), REMOVE | RESENT, HEADER_OTHER},
};
enum { RULES = sizeof rules / sizeof *rules };
static const struct header_rule no_rule = {{"", 0}, 0, HEADER_OTHER};

const struct header_rule *
header_rule_of(const struct header_field *f)
{
	for (size_t i = 0; i < RULES; i++)
		if (f->name.n == rules[i].name.n && str_ieq(f->name, rules[i].name))
			return &rules[i];
	return &no_rule;
}

unsigned
header_rule_bit(const struct header_rule *rule)
{
	return rule == &no_rule ? 0 : 1u << (rule - rules);
}

static bool
is_without_value(const struct header_field *f)
{
	for (size_t i = 0; i < f->body.n; i++)
		if (!strchr(" \t\r\n", f->body.p[i]))
			return false;
	return true;
}

bool
header_rule_ignores(
    const struct header_rule *rule, const struct header_field *f, struct str hostname)
{
	if (rule->flags & HEADER_RULE_AUTH_RESULTS)
		return authserv_may_be(f->body, hostname);
	return (rule->flags & HEADER_RULE_NEEDS_VALUE) && is_without_value(f);
}
