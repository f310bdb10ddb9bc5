/* channel_end: two channels, one to the other, and what each has heard. */
#ifndef TESTS_UNIT_IPC_CHANNEL_END_H
#define TESTS_UNIT_IPC_CHANNEL_END_H

#include "ipc/channel.h"
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
	unsigned heard, answered, unanswered, lost, emptied;
	uint64_t last_call;
	int last_fd, fd;
	bool is_fd_lost;
	bool answers;      /* answer each ask */
	bool frees;        /* free the channel in the handler */
	const char *words; /* of AUTH_STEP, in the channel's buffer */
	unsigned stop_at;  /* leave the loop after so many heard or answered */
};

void end_on_packet(struct channel *c, const struct channel_packet *p, void *arg);
void end_on_lost(struct channel *c, void *arg);
void end_on_answer(enum request_end end, const struct channel_packet *p, void *arg);
struct event_base *end_pair(struct end *a, struct end *b);
void end_finish(struct event_base *base, struct end *a, struct end *b);
struct request *end_commit(struct end *e);

#endif
