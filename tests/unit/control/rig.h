/* rig: the role control in a thread; the test acts as main, as the queue and as the tool. */
#ifndef TESTS_CONTROL_RIG_H
#define TESTS_CONTROL_RIG_H

#include <criterion/criterion.h>
#include <pthread.h>
#include <sys/un.h>

#include "base/clock.h"
#include "control/control.h"
#include "support/ask.h"

struct control_rig {
	struct event_base *base;
	struct channel *main, *queue, *tool;
	pthread_t thread;
	int main_end;
	struct sockaddr_un address;
	char directory[64];
	unsigned ready_count, pong_count, request_count, row_count, answer_count, queue_lost_count,
	    hello_count;
	uint64_t call; /* of the last request to the queue */
	int row_fd; /* with each row; -1: none */
	unsigned long long row_inode; /* of the descriptor that came with the last row */
	bool is_silent;
	enum request_end end;
	uint8_t exit_code;
	char text[200];
	char by[40]; /* the caller's name in the last request to an owner */
	/* As the queue: the answer to queue.show if long_rows is not 0. */
	uint64_t long_call;
	unsigned long_request_count, long_rows, long_rows_sent, tools_gone;
	size_t long_row_bytes, long_bytes;
	int64_t window;
};

void control_rig_start(struct control_rig *r);
void control_rig_stop(struct control_rig *r);
/* Runs the loop until the count is reached; the test fails after a time. */
void wait_for_count(struct control_rig *r, const unsigned *count, unsigned enough);

/* As main: sends control's part of the configuration, with more keys at the end; connects a new
 * queue. */
void send_config(struct control_rig *r, const char *more);
void connect_queue(struct control_rig *r);
/* Waits until control has received all that main has sent. */
void wait_for_config(struct control_rig *r);
/* As the queue: sends one row and the end. */
void answer_from_queue(struct control_rig *r, uint64_t call);

/* As the tool: connects again; sends a command; sends one and waits for its answer. */
void connect_tool(struct control_rig *r);
/* Uses a socket that is connected. */
void control_rig_use_tool(struct control_rig *r, int fd);
void send_command(struct control_rig *r, const char *verb);
void run_command(struct control_rig *r, const char *verb);
void expect_working(struct control_rig *r);
/* Records an answer in the rig. */
void on_tool_answer(enum request_end end, const struct channel_packet *p, void *arg);

#endif
