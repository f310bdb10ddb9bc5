/*
 * smtp_command: lines that a client says (RFC 5321 section 4.1, 3461, 1870, 6152, 6531, 3030,
 * 4954). Pure: a line goes in, a struct or the status to answer with comes out.
 */
#ifndef MAIL_SMTP_COMMAND_H
#define MAIL_SMTP_COMMAND_H

#include "mail/envelope.h"
#include "mail/mail_address.h"
#include "mail/smtp_status.h"

enum { SMTP_COMMAND_LINE_MAX = 2048, SMTP_COMMAND_AUTH_LINE_MAX = 12288 }; /* CRLF included */

/* The line without CRLF -> verb, and what follows it without blanks (space, tab) at both ends.
 * False: no verb, or a control character other than TAB. */
bool smtp_command_split(struct str line, struct str *verb_out, struct str *args_out) MUST_USE;

/* EHLO/HELO argument: a domain or an address literal; lenient where clients are (see .c), but never
 * control characters or blanks. */
bool smtp_command_is_helo(struct str args);

struct smtp_command_mail {
	struct mail_address sender; /* text empty: <> */
	bool has_size;
	uint64_t size;
	enum envelope_body body;
	bool smtputf8;
	enum envelope_return ret;
	struct str envid; /* xtext as given, already checked */
	bool has_auth;    /* AUTH=: syntax checked, value not believed */
};

struct smtp_command_rcpt {
	struct mail_address recipient; /* domain empty only for <postmaster> */
	unsigned notify;
	struct str orcpt; /* as given, already checked */
};

/* args: all behind "MAIL " / "RCPT ".  code 250 when it parses, else the refusal: 501 5.5.4, 555
 * 5.5.4, 553 5.1.7 / 5.1.3, 552 5.3.4 for a SIZE beyond 64 bits.  Strings point into args.
 * Addresses beyond ASCII are accepted here; the caller knows whether SMTPUTF8 was asked for. */
struct smtp_status smtp_command_parse_mail(struct str args, struct smtp_command_mail *out);
struct smtp_status smtp_command_parse_rcpt(struct str args, struct smtp_command_rcpt *out);

/* The value of ENVID, ORCPT: as the parsers above accept it. */
bool smtp_command_is_envid(struct str value);
bool smtp_command_is_orcpt(struct str value);
/* A control character, of ASCII or of UTF-8 (header_control_bytes, and TAB): no command may hold
 * one. */
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
	struct str initial; /* still base64; "=" stands for empty and is turned into "" */
};
struct smtp_status smtp_command_parse_auth(struct str args, struct smtp_command_auth *out);

#endif
