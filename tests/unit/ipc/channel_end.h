/* channel_end: two connected channels, and what each has received. */
#ifndef TESTS_UNIT_IPC_CHANNEL_END_H
#define TESTS_UNIT_IPC_CHANNEL_END_H

#include "ipc/request.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ipc/wire.h"
#include "support/ask.h"

struct end {
	struct channel *channel;
	struct event_base *base;
	unsigned received, answered, unanswered, lost, emptied;
	uint64_t last_call;
	int last_fd, fd;
	bool is_fd_lost;
	bool answers;      /* answer each request */
	bool frees;        /* free the channel in the handler */
	const char *text; /* of AUTH_STEP, in the buffer of the channel */
	unsigned stop_at;  /* leave the loop after this many messages or answers */
};

void end_on_packet(struct channel *c, const struct channel_packet *p, void *arg);
void end_on_lost(struct channel *c, void *arg);
void end_on_answer(enum request_end end, const struct channel_packet *p, void *arg);
struct event_base *end_pair(struct end *a, struct end *b);
void end_finish(struct event_base *base, struct end *a, struct end *b);
struct request *end_commit(struct end *e);

#endif
