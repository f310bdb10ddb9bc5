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
	struct setting *s = arg;

	role_run(&control_role, ROLE_CONTROL, 0, s->main_end, true);
	return NULL;
}

void
until(struct setting *s, const unsigned *count, unsigned enough)
{
	int64_t end = clock_mono_ms() + 20000;

	while (*count < enough && clock_mono_ms() < end) {
		struct timeval tick = {0, 5000};

		event_base_loopexit(s->base, &tick);
		event_base_dispatch(s->base);
	}
	cr_assert_geq(*count, enough, "waited for ever");
}

/* ---- as the queue ---- */

static void
answer_on(const struct setting *s, struct channel *owner, uint64_t call)
{
	struct message_admin_row row = {.values = STR("id\0001\0")};
	struct message_admin_done done = {.exit_code = 0, .text = STR("done")};

	cr_assert_eq(channel_answer(owner, call, MESSAGE_ADMIN_ROW, &row, s->row_fd), 0);
	cr_assert_eq(channel_answer(owner, call, MESSAGE_ADMIN_DONE, &done, -1), 0);
}

void
answer(struct setting *s, uint64_t call)
{
	answer_on(s, s->queue, call);
}

/* Rows as long as control has room for them, and the end behind the last one. */
static void
say_long(struct setting *s)
{
	static char text[65536];
	struct message_admin_row row = {.values = {text, s->long_row_bytes}};
	struct message_admin_done done = {0};

	for (; s->credit > 0 && s->long_told < s->long_rows; s->long_told++) {
		memset(text, 'a' + (int)(s->long_told % 26), s->long_row_bytes);
		cr_assert_eq(
		    channel_answer(s->queue, s->long_call, MESSAGE_ADMIN_ROW, &row, -1), 0);
		s->credit -= (int64_t)s->long_row_bytes;
		s->long_bytes += s->long_row_bytes;
	}
	if (s->long_told == s->long_rows)
		cr_assert_eq(
		    channel_answer(s->queue, s->long_call, MESSAGE_ADMIN_DONE, &done, -1), 0);
}

static void
hear_taken(struct setting *s, const struct message_admin_taken *m)
{
	s->credit += m->bytes;
	s->gone += m->is_gone;
	if (!m->is_gone)
		say_long(s);
}

static void
hear_long(struct setting *s, uint64_t call)
{
	s->long_call = call;
	s->credit = MESSAGE_ROWS_WINDOW;
	s->long_asked++;
	say_long(s);
}

static void
hear(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct setting *s = arg;

	s->ready += p->type == MESSAGE_READY;
	s->pongs += p->type == MESSAGE_PONG;
	s->tool_greeted += c == s->tool && p->type == MESSAGE_HELLO &&
	    str_eq(p->message->hello.build, role_build());
	if (p->type == MESSAGE_ADMIN_TAKEN && p->call == s->long_call)
		hear_taken(s, &p->message->admin_taken);
	if (p->type != MESSAGE_ADMIN)
		return;
	if (s->long_rows && str_eq(p->message->admin.verb, STR("queue.show"))) {
		hear_long(s, p->call);
		return;
	}
	s->asked++;
	s->call = p->call;
	snprintf(s->by, sizeof s->by, "%.*s", STR_ARG(p->message->admin.by));
	if (!s->is_silent)
		answer_on(s, c, p->call);
}

static void
lost(struct channel *c, void *arg)
{
	struct setting *s = arg;

	s->queue_lost += c == s->queue;
	if (c == s->queue)
		channel_free(&s->queue);
	else if (c == s->tool)
		channel_free(&s->tool);
}

/* ---- as main ---- */

void
give_queue(struct setting *s)
{
	struct message_peer m = {.role = ROLE_QUEUE};
	int ends[2];

	channel_free(&s->queue);
	cr_assert_eq(channel_pair(ends), 0);
	s->queue = channel_new(s->base, ends[0], hear, lost, s);
	cr_assert_eq(channel_send(s->main, MESSAGE_PEER, &m, ends[1]), 0);
	close(ends[1]);
}

void
give_config(struct setting *s, const char *more)
{
	struct message_config m = {.generation = 1};
	int fd = memfd_create("config", MFD_CLOEXEC);

	dprintf(fd, "hostname = \"gw.test\"; domains = ( { name = \"example.com\"; } );\n%s", more);
	cr_assert_eq(channel_send(s->main, MESSAGE_CONFIG, &m, fd), 0);
	close(fd);
}

void
until_conf(struct setting *s)
{
	struct message_ping m = {.number = 1};
	unsigned before = s->pongs;

	cr_assert_eq(channel_send(s->main, MESSAGE_PING, &m, -1), 0);
	until(s, &s->pongs, before + 1);
}

static void
give_listener(struct setting *s)
{
	struct message_grant m = {.kind = GRANT_ADMIN};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(s->directory, sizeof s->directory, "/tmp/test-control.XXXXXX");
	cr_assert(mkdtemp(s->directory));
	s->address.sun_family = AF_UNIX;
	snprintf(s->address.sun_path, sizeof s->address.sun_path, "%s/socket", s->directory);
	cr_assert_eq(bind(fd, (struct sockaddr *)&s->address, sizeof s->address), 0);
	cr_assert_eq(listen(fd, 16), 0);
	cr_assert_eq(channel_send(s->main, MESSAGE_GRANT, &m, fd), 0);
	close(fd);
}

void
rig_use_tool(struct setting *s, int fd)
{
	channel_free(&s->tool);
	s->tool = channel_new(s->base, fd, hear, lost, s);
}

void
connect_tool(struct setting *s)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	cr_assert_eq(connect(fd, (struct sockaddr *)&s->address, sizeof s->address), 0);
	rig_use_tool(s, fd);
}

void
set_up(struct setting *s)
{
	struct message_start m = {.slot = 1};
	int ends[2];

	memset(s, 0, sizeof *s);
	s->row_fd = -1;
	s->base = event_base_new();
	cr_assert_eq(channel_pair(ends), 0);
	s->main_end = ends[1];
	s->main = channel_new(s->base, ends[0], hear, lost, s);
	cr_assert_eq(pthread_create(&s->thread, NULL, run_control, s), 0);
	give_config(s, "");
	give_listener(s);
	give_queue(s);
	cr_assert_eq(channel_send(s->main, MESSAGE_START, &m, -1), 0);
	until(s, &s->ready, 1);
	connect_tool(s);
	until(s, &s->tool_greeted, 1);
}

void
tear_down(struct setting *s)
{
	channel_free(&s->main);
	pthread_join(s->thread, NULL);
	channel_free(&s->queue);
	channel_free(&s->tool);
	unlink(s->address.sun_path);
	rmdir(s->directory);
	event_base_free(s->base);
}

/* ---- as the tool ---- */

void
heard(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct setting *s = arg;

	if (end == REQUEST_ROW) {
		struct stat st = {0};

		s->rows++;
		if (p->fd >= 0) {
			cr_assert_eq(fstat(p->fd, &st), 0);
			close(p->fd);
		}
		s->got_inode = st.st_ino;
		return;
	}
	s->end = end;
	s->ended++;
	if (!p)
		return;
	s->exit_code = p->message->admin_done.exit_code;
	snprintf(s->text, sizeof s->text, "%.*s", STR_ARG(p->message->admin_done.text));
}

void
say(struct setting *s, const char *verb)
{
	struct message_admin m = {.verb = str_of(verb)};

	s->rows = 0;
	(void)ask_pooled(s->tool, MESSAGE_COMMAND, &m, heard, s);
}

void
command(struct setting *s, const char *verb)
{
	unsigned before = s->ended;

	say(s, verb);
	until(s, &s->ended, before + 1);
	cr_assert_eq(s->end, REQUEST_ANSWERED, "%s: end %d", verb, s->end);
}

void
works_as_ever(struct setting *s)
{
	clock_shorten_timeouts(1);
	s->is_silent = false;
	command(s, "queue.list");
	cr_assert_eq(s->rows, 1);
	cr_assert_eq(s->exit_code, 0);
	cr_assert_str_eq(s->text, "done");
}
