/*
 * request: the struct is its owner's; while `requests` is set it is in the list of a channel and
 * must not move. What cannot be sent fails a moment later, from the loop. A wrong use, as of a
 * struct that is open already, ends the process: it is a fault of the program.
 */
#include "ipc/request.h"

#include <stdio.h>

#include "base/mem.h"

void
request_init(struct request *r, request_fn *fn, void *arg)
{
	*r = (struct request){.fn = fn, .arg = arg};
}

void
request_quick(struct request *r)
{
	r->is_quick = true;
}

void
request_ask(struct request *r, struct channel *c, enum message_type type, const void *message)
{
	if (!message_question(type) || r->requests)
		die("%s cannot be asked%s", message_name(type), r->requests ? " twice" : "");
	requests_open(channel_requests(c), r, type);
	if (channel_ask(c, r->number, type, message) != 0)
		requests_fail_soon(r, channel_is_open(c) ? REQUEST_ERROR : REQUEST_LOST);
}

void
request_add(struct request *r, struct channel *c, enum message_type type, const void *message)
{
	if (r->requests && !r->is_unsent)
		(void)!channel_ask(c, r->number, type, message);
}

void
request_add_last(
    const struct request *r, struct channel *c, enum message_type type, const void *message)
{
	if (!r->requests && !r->is_unsent)
		(void)!channel_ask(c, r->number, type, message);
}

const char *
request_text(const char *peer_name, const struct request *r, enum request_end end,
    char out[REQUEST_TEXT_BYTES])
{
	const struct message_question *ask = message_question((enum message_type)r->type);
	int deadline_ms = r->is_quick ? ask->quick_ms : ask->deadline_ms;

	if (end == REQUEST_EXPIRED)
		snprintf(out, REQUEST_TEXT_BYTES, "%s did not answer within %d s", peer_name,
		    deadline_ms / 1000);
	else if (end == REQUEST_LOST)
		snprintf(out, REQUEST_TEXT_BYTES, "%s has just ended", peer_name);
	else if (r->is_fd_lost)
		snprintf(out, REQUEST_TEXT_BYTES,
		    "the descriptor in an answer of %s could not be passed: try again", peer_name);
	else
		snprintf(out, REQUEST_TEXT_BYTES, "%s could not take the question or answer it",
		    peer_name);
	return out;
}
