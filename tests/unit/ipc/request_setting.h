/* request_setting: a role that sends requests, one that answers, and a channel with faults between
 * them. */
#ifndef TESTS_UNIT_IPC_REQUEST_SETTING_H
#define TESTS_UNIT_IPC_REQUEST_SETTING_H

#include "ipc/request.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#include "base/clock.h"
#include "ipc/channel.h"
#include "support/ask.h"
#include "support/fault_channel.h"

enum { AT_ONCE = 200 };

struct other {
	struct channel *channel;
	uint64_t calls[AT_ONCE];
	unsigned call_count;
	bool is_silent, refuses;
};

struct asker {
	struct channel *channel;
	unsigned rows, ends, lost;
	enum request_end end;
	int fd;
};

struct setting {
	struct event_base *base;
	struct fault_channel *between;
	struct other other;
	struct asker asker;
	enum message_type type;
	struct request request;
};

void setting_answer(struct setting *s, uint64_t call);
void setting_ended(enum request_end end, const struct channel_packet *p, void *arg);
void setting_set_up(struct setting *s, enum message_type type);
void setting_tear_down(struct setting *s);
void setting_ask_one(struct setting *s);
void setting_until(struct setting *s, const unsigned *count, unsigned enough);
void setting_linger(struct setting *s);
unsigned setting_descriptors(void);
/* Checks the end, and that there is no second one; then that the same channel still works. */
void setting_ends_with(struct setting *s, enum request_end end, const char *fault);
void setting_works_as_ever(struct setting *s, const char *fault);

#endif
