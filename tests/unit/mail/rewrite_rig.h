/*
 * rewrite_rig: runs headers through header_parse, header_policy_check, header_complete and
 * rewrite_header, as alice@example.com, for the tests of the last three.
 */
#ifndef TESTS_REWRITE_RIG_H
#define TESTS_REWRITE_RIG_H

#include <criterion/criterion.h>

#include "mail/header_complete.h"
#include "mail/header_policy.h"
#include "mail/rewrite.h"

#define NOW_MS 1795280272104
#define ADDED                                                                                      \
	"Date: Sat, 21 Nov 2026 16:57:52 +0000\r\nMessage-ID: "                                    \
	"<1R8K3M7Q4TB2-1@mail.example.com>\r\n"
#define TOP                                                                                        \
	"Received: by mail.example.com (sallyport) with ESMTPSA (TLSv1.3)\r\n\t"                   \
	"id 1R8K3M7Q4TB2-1;\r\n\t"
#define OK_FROM "From: alice@example.com\r\n"
#define OK_REST "Date: x\r\nMessage-ID: <y@z>\r\n"

/* The result of the last run, and the address that it named. */
extern struct buf rewrite_out;
extern struct str rewrite_from;

void rewrite_set_up(void);
void rewrite_tear_down(void);

/* The usual settings: alice, who may also use sales, "a b" and j\xc3\xbc at example.com. */
struct header_origin rewrite_usual(void);
struct smtp_status rewrite_run_with(struct str in, const struct header_origin *o);
struct smtp_status rewrite_run(const char *in);
/* The new header without the Received field at its top. */
struct str rewrite_below_trace(void);
/* The run must be accepted with this result. */
void rewrite_expect(const char *in, const char *result);
/* The run must be refused with this status, and must name the foreign address when the code is
 * 550. */
void rewrite_expect_refusal(struct str in, unsigned code, const char *enhanced);

#endif
