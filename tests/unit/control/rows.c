/* Control passes on no more rows than the tool takes, and a tool may stand for as long as it likes.
 */
#include "rig.h"

#include <sys/socket.h>

enum { LONG_ROW = 50000, LONG_ROWS = 400, LONG_CEILING = 3 << 20 };

/* A tool whose reader stands: its loop does not run until the test runs it. */
struct standing {
	struct event_base *base;
	struct channel *channel;
	unsigned rows, ended, out_of_order;
	uint8_t exit_code;
};

static void
standing_heard(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct standing *t = arg;
	const struct message_admin_row *row;

	if (end == REQUEST_ROW) {
		row = &p->message->admin_row;
		t->out_of_order += row->values.p[0] != (char)('a' + t->rows % 26);
		t->rows++;
		return;
	}
	t->ended++;
	t->exit_code = end == REQUEST_ANSWERED ? p->message->admin_done.exit_code : 255;
}

static void
standing_hears(struct channel *c, const struct channel_packet *p, void *arg)
{
	(void)c;
	(void)p;
	(void)arg;
}

static void
standing_lost(struct channel *c, void *arg)
{
	struct standing *t = arg;

	(void)c;
	channel_free(&t->channel);
}

static void
standing_begin(struct setting *s, struct standing *t)
{
	struct message_admin m = {.verb = STR("queue.show")};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	*t = (struct standing){.base = event_base_new()};
	cr_assert_eq(connect(fd, (struct sockaddr *)&s->address, sizeof s->address), 0);
	t->channel = channel_new(t->base, fd, standing_hears, standing_lost, t);
	s->long_rows = LONG_ROWS;
	s->long_row_bytes = LONG_ROW;
	(void)ask_pooled(t->channel, MESSAGE_COMMAND, &m, standing_heard, t);
	until(s, &s->long_asked, 1);
	s->long_asked = 0;
}

static void
standing_end(struct standing *t)
{
	channel_free(&t->channel);
	event_base_free(t->base);
}

Test(control_rows, a_tool_that_does_not_read_may_stand, .timeout = 120)
{
	struct timeval pause = {0, 600000}, tick = {0, 2000};
	static struct setting s;
	static struct standing t;

	set_up(&s);
	standing_begin(&s, &t);
	for (int i = 0; i < 20; i++)
		works_as_ever(&s);
	cr_assert_gt(s.long_bytes, 0);
	cr_assert_lt(s.long_bytes, LONG_CEILING, "%zu bytes were asked for", s.long_bytes);
	/* longer than what a process may take for its answer */
	clock_shorten_timeouts(200);
	event_base_loopexit(s.base, &pause);
	event_base_dispatch(s.base);
	clock_shorten_timeouts(1);
	cr_assert_eq(s.gone, 0);
	for (int i = 0; i < 10000 && !t.ended; i++) {
		event_base_loopexit(s.base, &tick);
		event_base_dispatch(s.base);
		event_base_loop(t.base, EVLOOP_NONBLOCK);
	}
	cr_assert_eq(t.ended, 1);
	cr_assert_eq(t.exit_code, 0);
	cr_assert_eq(t.rows, LONG_ROWS, "%u rows", t.rows);
	cr_assert_eq(t.out_of_order, 0);
	standing_end(&t);
	tear_down(&s);
}

Test(control_rows, the_owner_hears_that_a_tool_is_gone, .timeout = 120)
{
	static struct setting s;
	static struct standing t;

	set_up(&s);
	standing_begin(&s, &t);
	standing_end(&t);
	until(&s, &s.gone, 1);
	works_as_ever(&s);
	tear_down(&s);
}
