/* rig: see the header. */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void *
run_control(void *arg)
{
	struct control_rig *r = arg;

	role_run(&control_role, ROLE_CONTROL, 0, r->main_end, true);
	return NULL;
}

void
wait_for_count(struct control_rig *r, const unsigned *count, unsigned enough)
{
	int64_t end = clock_mono_ms() + 20000;

	while (*count < enough && clock_mono_ms() < end) {
		struct timeval tick = {0, 5000};

		event_base_loopexit(r->base, &tick);
		event_base_dispatch(r->base);
	}
	cr_assert_geq(*count, enough, "the wait has timed out");
}

/* ---- as the queue ---- */

static void
send_answer(const struct control_rig *r, struct channel *owner, uint64_t call)
{
	struct message_admin_row row = {.values = STR("id\0001\0")};
	struct message_admin_done done = {.exit_code = 0, .text = STR("done")};

	cr_assert_eq(channel_answer(owner, call, MESSAGE_ADMIN_ROW, &row, r->row_fd), 0);
	cr_assert_eq(channel_answer(owner, call, MESSAGE_ADMIN_DONE, &done, -1), 0);
}

void
answer_from_queue(struct control_rig *r, uint64_t call)
{
	send_answer(r, r->queue, call);
}

/* Sends rows as long as control allows more bytes, and the end after the last one. */
static void
send_long_rows(struct control_rig *r)
{
	static char text[65536];
	struct message_admin_row row = {.values = {text, r->long_row_bytes}};
	struct message_admin_done done = {0};

	for (; r->window > 0 && r->long_rows_sent < r->long_rows; r->long_rows_sent++) {
		memset(text, 'a' + (int)(r->long_rows_sent % 26), r->long_row_bytes);
		cr_assert_eq(
		    channel_answer(r->queue, r->long_call, MESSAGE_ADMIN_ROW, &row, -1), 0);
		r->window -= (int64_t)r->long_row_bytes;
		r->long_bytes += r->long_row_bytes;
	}
	if (r->long_rows_sent == r->long_rows)
		cr_assert_eq(
		    channel_answer(r->queue, r->long_call, MESSAGE_ADMIN_DONE, &done, -1), 0);
}

static void
on_rows_taken(struct control_rig *r, const struct message_admin_taken *m)
{
	r->window += m->bytes;
	r->tools_gone += m->is_gone;
	if (!m->is_gone)
		send_long_rows(r);
}

static void
on_long_request(struct control_rig *r, uint64_t call)
{
	r->long_call = call;
	r->window = MESSAGE_ROWS_WINDOW;
	r->long_request_count++;
	send_long_rows(r);
}

static void
on_rig_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct control_rig *r = arg;

	r->ready_count += p->type == MESSAGE_READY;
	r->pong_count += p->type == MESSAGE_PONG;
	r->hello_count += c == r->tool && p->type == MESSAGE_HELLO &&
	    str_eq(p->message->hello.build, role_build());
	if (p->type == MESSAGE_ADMIN_TAKEN && p->call == r->long_call)
		on_rows_taken(r, &p->message->admin_taken);
	if (p->type != MESSAGE_ADMIN)
		return;
	if (r->long_rows && str_eq(p->message->admin.verb, STR("queue.show"))) {
		on_long_request(r, p->call);
		return;
	}
	r->request_count++;
	r->call = p->call;
	snprintf(r->by, sizeof r->by, "%.*s", STR_ARG(p->message->admin.by));
	if (!r->is_silent)
		send_answer(r, c, p->call);
}

static void
on_rig_channel_lost(struct channel *c, void *arg)
{
	struct control_rig *r = arg;

	r->queue_lost_count += c == r->queue;
	if (c == r->queue)
		channel_free(&r->queue);
	else if (c == r->tool)
		channel_free(&r->tool);
}

/* ---- as main ---- */

void
connect_queue(struct control_rig *r)
{
	struct message_peer m = {.role = ROLE_QUEUE};
	int ends[2];

	channel_free(&r->queue);
	cr_assert_eq(channel_pair(ends), 0);
	r->queue = channel_new(r->base, ends[0], on_rig_packet, on_rig_channel_lost, r);
	cr_assert_eq(channel_send(r->main, MESSAGE_PEER, &m, ends[1]), 0);
	close(ends[1]);
}

void
send_config(struct control_rig *r, const char *more)
{
	struct message_config m = {.generation = 1};
	int fd = memfd_create("config", MFD_CLOEXEC);

	dprintf(fd, "hostname = \"gw.test\"; domains = ( { name = \"example.com\"; } );\n%s", more);
	cr_assert_eq(channel_send(r->main, MESSAGE_CONFIG, &m, fd), 0);
	close(fd);
}

void
wait_for_config(struct control_rig *r)
{
	struct message_ping m = {.number = 1};
	unsigned before = r->pong_count;

	cr_assert_eq(channel_send(r->main, MESSAGE_PING, &m, -1), 0);
	wait_for_count(r, &r->pong_count, before + 1);
}

static void
send_listener(struct control_rig *r)
{
	struct message_grant m = {.kind = GRANT_ADMIN};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(r->directory, sizeof r->directory, "/tmp/test-control.XXXXXX");
	cr_assert(mkdtemp(r->directory));
	r->address.sun_family = AF_UNIX;
	snprintf(r->address.sun_path, sizeof r->address.sun_path, "%s/socket", r->directory);
	cr_assert_eq(bind(fd, (struct sockaddr *)&r->address, sizeof r->address), 0);
	cr_assert_eq(listen(fd, 16), 0);
	cr_assert_eq(channel_send(r->main, MESSAGE_GRANT, &m, fd), 0);
	close(fd);
}

void
control_rig_use_tool(struct control_rig *r, int fd)
{
	channel_free(&r->tool);
	r->tool = channel_new(r->base, fd, on_rig_packet, on_rig_channel_lost, r);
}

void
connect_tool(struct control_rig *r)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	cr_assert_eq(connect(fd, (struct sockaddr *)&r->address, sizeof r->address), 0);
	control_rig_use_tool(r, fd);
}

void
control_rig_start(struct control_rig *r)
{
	struct message_start m = {.slot = 1};
	int ends[2];

	memset(r, 0, sizeof *r);
	r->row_fd = -1;
	r->base = event_base_new();
	cr_assert_eq(channel_pair(ends), 0);
	r->main_end = ends[1];
	r->main = channel_new(r->base, ends[0], on_rig_packet, on_rig_channel_lost, r);
	cr_assert_eq(pthread_create(&r->thread, NULL, run_control, r), 0);
	send_config(r, "");
	send_listener(r);
	connect_queue(r);
	cr_assert_eq(channel_send(r->main, MESSAGE_START, &m, -1), 0);
	wait_for_count(r, &r->ready_count, 1);
	connect_tool(r);
	wait_for_count(r, &r->hello_count, 1);
}

void
control_rig_stop(struct control_rig *r)
{
	channel_free(&r->main);
	pthread_join(r->thread, NULL);
	channel_free(&r->queue);
	channel_free(&r->tool);
	unlink(r->address.sun_path);
	rmdir(r->directory);
	event_base_free(r->base);
}

/* ---- as the tool ---- */

void
on_tool_answer(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct control_rig *r = arg;

	if (end == REQUEST_ROW) {
		struct stat st = {0};

		r->row_count++;
		if (p->fd >= 0) {
			cr_assert_eq(fstat(p->fd, &st), 0);
			close(p->fd);
		}
		r->row_inode = st.st_ino;
		return;
	}
	r->end = end;
	r->answer_count++;
	if (!p)
		return;
	r->exit_code = p->message->admin_done.exit_code;
	snprintf(r->text, sizeof r->text, "%.*s", STR_ARG(p->message->admin_done.text));
}

void
send_command(struct control_rig *r, const char *verb)
{
	struct message_admin m = {.verb = str_of(verb)};

	r->row_count = 0;
	(void)ask_pooled(r->tool, MESSAGE_COMMAND, &m, on_tool_answer, r);
}

void
run_command(struct control_rig *r, const char *verb)
{
	unsigned before = r->answer_count;

	send_command(r, verb);
	wait_for_count(r, &r->answer_count, before + 1);
	cr_assert_eq(r->end, REQUEST_ANSWERED, "%s: end %d", verb, r->end);
}

void
expect_working(struct control_rig *r)
{
	clock_shorten_timeouts(1);
	r->is_silent = false;
	run_command(r, "queue.list");
	cr_assert_eq(r->row_count, 1);
	cr_assert_eq(r->exit_code, 0);
	cr_assert_str_eq(r->text, "done");
}
