/* rig: the role control in a thread, with the test as its main, as the queue and as the tool. */
#ifndef TESTS_CONTROL_RIG_H
#define TESTS_CONTROL_RIG_H

#include <criterion/criterion.h>
#include <pthread.h>
#include <sys/un.h>

#include "base/clock.h"
#include "control/control.h"
#include "support/ask.h"

struct setting {
	struct event_base *base;
	struct channel *main, *queue, *tool;
	pthread_t thread;
	int main_end;
	struct sockaddr_un address;
	char directory[64];
	unsigned ready, pongs, asked, rows, ended, queue_lost, tool_greeted;
	uint64_t call; /* of the last question to the queue */
	int row_fd; /* with each row; -1: none */
	unsigned long long got_inode; /* of what came with the last row */
	bool is_silent;
	enum request_end end;
	uint8_t exit_code;
	char text[200];
	char by[40];       /* who asked, as the last question to an owner has it */
	/* as the queue: how much it says to queue.show, when long_rows is not 0 */
	uint64_t long_call;
	unsigned long_asked, long_rows, long_told, gone;
	size_t long_row_bytes, long_bytes;
	int64_t credit;
};

void set_up(struct setting *s);
void tear_down(struct setting *s);
/* Runs the loop until the count is as high; for ever is a failure. */
void until(struct setting *s, const unsigned *count, unsigned enough);

/* As main: control's part of the configuration, with more keys behind; a channel to a new queue. */
void give_config(struct setting *s, const char *more);
void give_queue(struct setting *s);
/* All that main said is heard. */
void until_conf(struct setting *s);
/* As the queue. */
void answer(struct setting *s, uint64_t call);

/* As the tool: its connection anew; a question; one, and its answer. */
void connect_tool(struct setting *s);
/* On a socket that is connected. */
void rig_use_tool(struct setting *s, int fd);
void say(struct setting *s, const char *verb);
void command(struct setting *s, const char *verb);
void works_as_ever(struct setting *s);
/* What an answer leaves in the setting. */
void heard(enum request_end end, const struct channel_packet *p, void *arg);

#endif
