/*
 * hello: the greeting, EHLO and HELO, STARTTLS (RFC 3207), and the commands that need no
 * transaction.
 */
#ifndef SUBMISSION_HELLO_H
#define SUBMISSION_HELLO_H

#include "submission/session_internal.h"

session_verb_fn hello_ehlo, hello_helo, hello_starttls, hello_noop, hello_quit, hello_vrfy,
    hello_help;
session_verb_fn hello_unimplemented, hello_http;
/* Sends the greeting. */
enum session_step hello_greet(struct session *s);

#endif
