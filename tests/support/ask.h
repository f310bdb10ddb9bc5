/*
 * ask: requests that manage their own memory, for tests that send many at once.
 */
#ifndef TESTS_SUPPORT_ASK_H
#define TESTS_SUPPORT_ASK_H

#include "ipc/request.h"

/* As request_ask.  Returns the request, which may be cancelled. */
struct request *ask_pooled(
    struct channel *c, enum message_type type, const void *message, request_fn *fn, void *arg);

#endif
