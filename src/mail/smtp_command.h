/*
 * smtp_command: parses the command lines of a client (RFC 5321 section 4.1, 3461, 1870, 6152, 6531,
 * 3030, 4954). It has no state: a line is the input, a struct or the status for the reply is the
 * result.
 */
#ifndef MAIL_SMTP_COMMAND_H
#define MAIL_SMTP_COMMAND_H

#include "mail/envelope_options.h"
#include "mail/mail_address.h"
#include "mail/smtp_status.h"

enum { SMTP_COMMAND_LINE_MAX = 2048, SMTP_COMMAND_AUTH_LINE_MAX = 12288 }; /* CRLF included */

/* Splits a line without CRLF into the verb and its arguments, without blanks (space, tab) at both
 * ends. False: no verb, or a control character other than TAB. */
bool smtp_command_split(struct str line, struct str *verb_out, struct str *args_out) MUST_USE;

/* Whether this is an argument for EHLO or HELO: a domain or an address literal, tolerant of common
 * clients (see the .c file), but never control characters or blanks. */
bool smtp_command_is_helo(struct str args);

struct smtp_command_mail {
	struct mail_address sender; /* text empty: <> */
	bool has_size;
	uint64_t size;
	enum envelope_body body;
	bool smtputf8;
	enum envelope_return ret;
	struct str envid; /* xtext as given, checked */
	bool has_auth;    /* AUTH= was given: its syntax is checked, its value is ignored */
};

struct smtp_command_rcpt {
	struct mail_address recipient; /* domain is empty only for <postmaster> */
	unsigned notify;
	struct str orcpt; /* as given, checked */
};

/* args: all after "MAIL " or "RCPT ". code 250, or the refusal: 501 5.5.4, 555 5.5.4, 553 5.1.7 or
 * 5.1.3, 552 5.3.4 for a SIZE beyond 64 bits. Strings point into args. Addresses beyond ASCII are
 * accepted here; the caller knows whether SMTPUTF8 was requested. */
struct smtp_status smtp_command_parse_mail(struct str args, struct smtp_command_mail *out);
struct smtp_status smtp_command_parse_rcpt(struct str args, struct smtp_command_rcpt *out);

/* Whether the parsers above accept this value of ENVID or ORCPT. */
bool smtp_command_is_envid(struct str value);
bool smtp_command_is_orcpt(struct str value);
/* Whether s has a control character of ASCII or UTF-8 (header_control_bytes, and TAB): no command
 * may hold one. */
bool smtp_command_has_control(struct str s);

struct smtp_command_bdat {
	uint64_t size;
	bool is_last;
};
/* 501 5.5.4 for anything but 1*20DIGIT [SP "LAST"] without overflow. */
struct smtp_status smtp_command_parse_bdat(struct str args, struct smtp_command_bdat *out);

struct smtp_command_auth {
	struct str mechanism; /* 1..20 of A-Z 0-9 - _, as given */
	bool has_initial;
	struct str initial; /* in base64; "=", which means empty, is changed to "" */
};
/* 501 5.5.4 unless args are a mechanism and at most one word. */
struct smtp_status smtp_command_parse_auth(struct str args, struct smtp_command_auth *out);

#endif
