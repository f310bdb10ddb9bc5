/* Control passes on no more rows than the tool reads, and a tool may stop reading for any time. */
#include "rig.h"

#include <sys/socket.h>

enum { LONG_ROW = 50000, LONG_ROWS = 400, LONG_CEILING = 3 << 20 };

/* A tool that does not read: its loop only runs when the test runs it. */
struct slow_tool {
	struct event_base *base;
	struct channel *channel;
	unsigned row_count, answer_count, out_of_order;
	uint8_t exit_code;
};

static void
on_slow_tool_answer(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct slow_tool *t = arg;
	const struct message_admin_row *row;

	if (end == REQUEST_ROW) {
		row = &p->message->admin_row;
		t->out_of_order += row->values.p[0] != (char)('a' + t->row_count % 26);
		t->row_count++;
		return;
	}
	t->answer_count++;
	t->exit_code = end == REQUEST_ANSWERED ? p->message->admin_done.exit_code : 255;
}

static void
ignore_slow_tool_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	(void)c;
	(void)p;
	(void)arg;
}

static void
on_slow_tool_lost(struct channel *c, void *arg)
{
	struct slow_tool *t = arg;

	(void)c;
	channel_free(&t->channel);
}

static void
slow_tool_start(struct control_rig *r, struct slow_tool *t)
{
	struct message_admin m = {.verb = STR("queue.show")};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	*t = (struct slow_tool){.base = event_base_new()};
	cr_assert_eq(connect(fd, (struct sockaddr *)&r->address, sizeof r->address), 0);
	t->channel = channel_new(t->base, fd, ignore_slow_tool_packet, on_slow_tool_lost, t);
	r->long_rows = LONG_ROWS;
	r->long_row_bytes = LONG_ROW;
	(void)ask_pooled(t->channel, MESSAGE_COMMAND, &m, on_slow_tool_answer, t);
	wait_for_count(r, &r->long_request_count, 1);
	r->long_request_count = 0;
}

static void
slow_tool_stop(struct slow_tool *t)
{
	channel_free(&t->channel);
	event_base_free(t->base);
}

Test(control_rows, a_tool_may_stop_reading, .timeout = 120)
{
	struct timeval pause = {0, 600000}, tick = {0, 2000};
	static struct control_rig r;
	static struct slow_tool t;

	control_rig_start(&r);
	slow_tool_start(&r, &t);
	for (int i = 0; i < 20; i++)
		expect_working(&r);
	cr_assert_gt(r.long_bytes, 0);
	cr_assert_lt(r.long_bytes, LONG_CEILING, "%zu bytes were asked for", r.long_bytes);
	/* longer than an owner may take for its answer */
	clock_shorten_timeouts(200);
	event_base_loopexit(r.base, &pause);
	event_base_dispatch(r.base);
	clock_shorten_timeouts(1);
	cr_assert_eq(r.tools_gone, 0);
	for (int i = 0; i < 10000 && !t.answer_count; i++) {
		event_base_loopexit(r.base, &tick);
		event_base_dispatch(r.base);
		event_base_loop(t.base, EVLOOP_NONBLOCK);
	}
	cr_assert_eq(t.answer_count, 1);
	cr_assert_eq(t.exit_code, 0);
	cr_assert_eq(t.row_count, LONG_ROWS, "%u rows", t.row_count);
	cr_assert_eq(t.out_of_order, 0);
	slow_tool_stop(&t);
	control_rig_stop(&r);
}

Test(control_rows, the_owner_is_notified_of_a_disconnected_tool, .timeout = 120)
{
	static struct control_rig r;
	static struct slow_tool t;

	control_rig_start(&r);
	slow_tool_start(&r, &t);
	slow_tool_stop(&t);
	wait_for_count(&r, &r.tools_gone, 1);
	expect_working(&r);
	control_rig_stop(&r);
}
