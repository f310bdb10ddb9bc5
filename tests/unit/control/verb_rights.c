/* Who may give which command: root all of the table, members of help_desk_group what it gives them,
 * judged by the kernel's word and for each command. */
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "control/verb_rights.h"
#include "rig.h"

enum { DESK = 60100, OTHER = 60200, MEMBER = 60001, STRANGER = 60002, GROUPS_MAX = 200 };

static const char needs_root[] =
    "queue delete needs root; members of the group desk may only look, and remove blocks\n";

static void
give_help_desk(struct setting *s, const char *number)
{
	struct message_grant m = {.kind = GRANT_HELP_DESK, .name = str_of(number)};

	cr_assert_eq(channel_send(s->main, MESSAGE_GRANT, &m, -1), 0);
	give_config(s, "help_desk_group = \"desk\";\n");
}

/* Only this thread becomes another user, for as long as it connects: the kernel remembers that. */
static int
connect_as(const struct setting *s, uid_t uid, size_t group_count, const gid_t *groups)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	cr_assert_eq(chmod(s->directory, 0755), 0);
	cr_assert_eq(chmod(s->address.sun_path, 0666), 0);
	cr_assert_eq(syscall(SYS_setgroups, group_count, groups), 0);
	cr_assert_eq(syscall(SYS_setresuid, -1, uid, -1), 0);
	cr_assert_eq(connect(fd, (const struct sockaddr *)&s->address, sizeof s->address), 0);
	cr_assert_eq(syscall(SYS_setresuid, -1, 0, -1), 0);
	cr_assert_eq(syscall(SYS_setgroups, 0, NULL), 0);
	return fd;
}

static void
tool_is(struct setting *s, int fd)
{
	unsigned before = s->tool_greeted;

	rig_use_tool(s, fd);
	until(s, &s->tool_greeted, before + 1);
}

/* The tool of a member, by one of many groups. */
static void
tool_of_member(struct setting *s)
{
	gid_t groups[GROUPS_MAX];

	for (gid_t i = 0; i < GROUPS_MAX; i++)
		groups[i] = 50000 + i;
	groups[GROUPS_MAX - 1] = DESK;
	tool_is(s, connect_as(s, MEMBER, GROUPS_MAX, groups));
}

static void
begin(struct setting *s)
{
	if (geteuid() != 0)
		cr_skip_test("needs root to be several users");
	set_up(s);
	give_help_desk(s, "60100");
	until_conf(s);
	works_as_ever(s);
}

static void
is_refused(struct setting *s, const char *verb, const char *text)
{
	unsigned asked = s->asked;

	command(s, verb);
	cr_expect_eq(s->exit_code, 77, "%s: %u", verb, s->exit_code);
	cr_expect_str_eq(s->text, text);
	cr_expect_eq(s->asked, asked, "%s was passed on", verb);
}

/* 0: an owner answered; 69: its owner does not run in this test, so the command was allowed. */
static bool
is_passed_on(const struct setting *s)
{
	return s->exit_code == 0 || s->exit_code == 69;
}

Test(control_rights, each_command_of_the_table, .timeout = 60)
{
	static struct setting s;
	char text[200];

	begin(&s);
	for (size_t i = 0; i < verb_rights_count; i++) {
		command(&s, verb_rights_table[i].verb);
		cr_expect(is_passed_on(&s), "root: %s: %u", verb_rights_table[i].verb, s.exit_code);
	}
	tool_of_member(&s);
	for (size_t i = 0; i < verb_rights_count; i++) {
		const struct verb_rights *r = &verb_rights_table[i];

		snprintf(text, sizeof text,
		    "%s needs root; members of the group desk may only look, and remove blocks\n",
		    r->words);
		if (r->right == RIGHT_ACT) {
			is_refused(&s, r->verb, text);
			continue;
		}
		command(&s, r->verb);
		cr_expect(is_passed_on(&s), "member: %s: %u", r->verb, s.exit_code);
	}
	tear_down(&s);
}

/* What changes something is for root, but for the end of a block. */
Test(control_rights, few_commands_help)
{
	for (size_t i = 0; i < verb_rights_count; i++)
		cr_expect_eq(verb_rights_table[i].right == RIGHT_HELP,
		    strcmp(verb_rights_table[i].verb, "block.remove") == 0, "%s",
		    verb_rights_table[i].verb);
	cr_expect_eq(verb_rights_find(STR("queue.delete"))->right, RIGHT_ACT);
	cr_expect_eq(verb_rights_find(STR("test.auth"))->right, RIGHT_ACT);
	cr_expect_eq(verb_rights_find(STR("main.config"))->right, RIGHT_ACT);
	cr_expect_null(verb_rights_find(STR("queue.")));
	cr_expect_null(verb_rights_find(STR("queue.lists")));
	cr_expect_null(verb_rights_find(STR("")));
}

Test(control_rights, a_command_that_is_not_in_the_table, .timeout = 60)
{
	static struct setting s;
	static const char *const verbs[] = {"queue.purge", "queue", "main.", "reloads", ""};
	unsigned asked;

	begin(&s);
	asked = s.asked;
	for (int who = 0; who < 2; who++) {
		for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
			command(&s, verbs[i]);
			cr_expect_eq(s.exit_code, 64, "%s: %u", verbs[i], s.exit_code);
		}
		tool_of_member(&s);
	}
	cr_expect_eq(s.asked, asked);
	tear_down(&s);
}

/* Also where its value is empty, or stands behind another one of that name. */
Test(control_rights, the_body_of_a_message_is_for_root, .timeout = 60)
{
	static struct setting s;
	static const struct str values[] = {STR("id\0001\0body\0001\0"), STR("body\0\0id\0001\0"),
	    STR("id\0001\0body\0\0body\0001\0")};
	unsigned asked;

	begin(&s);
	tool_of_member(&s);
	asked = s.asked;
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		struct message_admin m = {.verb = STR("queue.show"), .values = values[i]};
		unsigned before = s.ended;

		(void)ask_pooled(s.tool, MESSAGE_COMMAND, &m, heard, &s);
		until(&s, &s.ended, before + 1);
		cr_expect_eq(s.exit_code, 77, "%zu", i);
		cr_expect(
		    strstr(s.text, "queue show with --body or --raw needs root"), "%s", s.text);
	}
	cr_expect_eq(s.asked, asked);
	tear_down(&s);
}

/* The owner hears the uid that the kernel knows, whatever the tool says. */
Test(control_rights, the_owner_hears_who_asks, .timeout = 60)
{
	static struct setting s;
	struct message_admin m = {.verb = STR("queue.list"), .by = STR("root")};
	unsigned before;

	begin(&s);
	cr_expect_str_eq(s.by, "root");
	tool_of_member(&s);
	before = s.ended;
	(void)ask_pooled(s.tool, MESSAGE_COMMAND, &m, heard, &s);
	until(&s, &s.ended, before + 1);
	cr_expect_str_eq(s.by, "uid:60001");
	tear_down(&s);
}

/* A member that is connected has the right until the configuration takes it away, and no longer. */
Test(control_rights, each_command_is_judged_anew, .timeout = 60)
{
	static struct setting s;

	begin(&s);
	tool_of_member(&s);
	works_as_ever(&s);
	is_refused(&s, "queue.delete", needs_root);
	give_help_desk(&s, "60200");
	until_conf(&s);
	is_refused(&s, "queue.list", "queue list needs root\n");
	give_help_desk(&s, "");
	until_conf(&s);
	is_refused(&s, "queue.list", "queue list needs root\n");
	give_help_desk(&s, "60100");
	until_conf(&s);
	works_as_ever(&s);
	tear_down(&s);
}

static bool
is_closed(int fd)
{
	char byte[64];
	struct timeval patience = {.tv_sec = 20};

	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
	return recv(fd, byte, sizeof byte, 0) == 0;
}

Test(control_rights, a_stranger_is_closed, .timeout = 60)
{
	static struct setting s;
	static const gid_t other = OTHER, desk = DESK;
	int fd;

	begin(&s);
	fd = connect_as(&s, STRANGER, 1, &other);
	cr_expect(is_closed(fd));
	close(fd);
	fd = connect_as(&s, STRANGER, 0, NULL);
	cr_expect(is_closed(fd));
	close(fd);
	/* the kernel shows every user that this namespace does not know so */
	fd = connect_as(&s, 65534, 1, &desk);
	cr_expect(is_closed(fd));
	close(fd);
	tool_is(&s, connect_as(&s, STRANGER, 1, &desk));
	tear_down(&s);
}

/* One member has 8 connections, all have 32, and root still has one. */
Test(control_rights, members_leave_room_for_root, .timeout = 60)
{
	static struct setting s;
	static const gid_t desk = DESK;
	int fds[64];
	unsigned n = 0, open = 0;

	begin(&s);
	for (uid_t uid = MEMBER; uid < MEMBER + 6; uid++)
		for (unsigned i = 0; i < 10; i++, n++) {
			fds[n] = connect_as(&s, uid, 1, &desk);
			open += !is_closed(fds[n]);
			cr_expect_eq(open,
			    uid < MEMBER + 4 ? (uid - MEMBER) * 8 + (i < 8 ? i + 1 : 8) : 32,
			    "uid %u, number %u: %u", uid, i, open);
		}
	connect_tool(&s);
	works_as_ever(&s);
	while (n)
		close(fds[--n]);
	tear_down(&s);
}

/* Who leaves does not make room for more: the owner is at work for it until it answers. */
Test(control_rights, commands_of_a_member_who_left_count, .timeout = 60)
{
	static struct setting s;
	uint64_t calls[8];
	unsigned asked;

	begin(&s);
	asked = s.asked;
	s.is_silent = true;
	tool_of_member(&s);
	for (unsigned i = 0; i < 8; i++) {
		say(&s, "queue.list");
		until(&s, &s.asked, asked + i + 1);
		calls[i] = s.call;
	}
	tool_of_member(&s);
	command(&s, "queue.list");
	cr_expect_eq(s.exit_code, 75);
	for (unsigned i = 0; i < 8; i++)
		answer(&s, calls[i]);
	tool_of_member(&s);
	works_as_ever(&s);
	/* and those that lose their owner */
	s.is_silent = true;
	asked = s.asked;
	for (unsigned i = 0; i < 8; i++)
		say(&s, "queue.list");
	until(&s, &s.asked, asked + 8);
	give_queue(&s);
	tool_of_member(&s);
	works_as_ever(&s);
	tear_down(&s);
}

/* What one member has under way, by all of its connections and those that it left, keeps no other
 * one out; all of them together leave room for root's. */
Test(control_rights, members_leave_commands_for_others_and_for_root, .timeout = 60)
{
	static struct setting s;
	static const gid_t desk = DESK;
	unsigned asked;

	begin(&s);
	s.is_silent = true;
	for (uid_t uid = MEMBER; uid < MEMBER + 2; uid++) {
		asked = s.asked;
		for (unsigned i = 0; i < 8; i++) {
			if (i % 4 == 0)
				tool_is(&s, connect_as(&s, uid, 1, &desk));
			say(&s, "queue.list");
			until(&s, &s.asked, asked + i + 1);
		}
		command(&s, "queue.list");
		cr_expect_eq(s.exit_code, 75);
	}
	tool_is(&s, connect_as(&s, MEMBER + 2, 1, &desk));
	command(&s, "queue.list");
	cr_expect_eq(s.exit_code, 75, "16 of all members");
	connect_tool(&s);
	works_as_ever(&s);
	tear_down(&s);
}

/* A tool that asks, and then takes nothing until its own loop is run. */
struct still {
	struct event_base *base;
	struct channel *channel;
	uint64_t call;
	enum request_end end; /* REQUEST_ROW: none yet */
};

static void
is_ended(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct still *still = arg;

	(void)p;
	if (end != REQUEST_ROW)
		still->end = end;
}

static void
is_lost(struct channel *c, void *arg)
{
	struct still *still = arg;

	(void)c;
	channel_free(&still->channel);
}

static void
hears_nothing(struct channel *c, const struct channel_packet *p, void *arg)
{
	(void)c;
	(void)p;
	(void)arg;
}

static void
still_asks(struct setting *s, struct still *still, uid_t uid)
{
	struct message_admin m = {.verb = STR("queue.list")};
	static const gid_t desk = DESK;

	*still = (struct still){.base = event_base_new(), .end = REQUEST_ROW};
	still->channel =
	    channel_new(still->base, connect_as(s, uid, 1, &desk), hears_nothing, is_lost, still);
	(void)ask_pooled(still->channel, MESSAGE_COMMAND, &m, is_ended, still);
	until(s, &s->asked, s->asked + 1);
	still->call = s->call;
}

static void
send_rows(struct setting *s, uint64_t call, unsigned count)
{
	static char text[50000];
	struct message_admin_row row = {.values = str_make(text, sizeof text)};
	int64_t end = clock_mono_ms() + 20000;

	while (count--) {
		cr_assert_eq(channel_answer(s->queue, call, MESSAGE_ADMIN_ROW, &row, -1), 0);
		while (channel_waiting(s->queue) && clock_mono_ms() < end)
			event_base_loop(s->base, EVLOOP_ONCE);
	}
}

static void
until_end(struct still *still)
{
	int64_t end = clock_mono_ms() + 20000;

	while (still->end == REQUEST_ROW && clock_mono_ms() < end) {
		struct timeval tick = {0, 5000};

		event_base_loopexit(still->base, &tick);
		event_base_dispatch(still->base);
	}
}

/* Members who take no answers may let 64 MiB wait, all of them together: then the one is closed for
 * whom most of it waits, and the others go on. */
Test(control_rights, members_who_take_no_answers, .timeout = 60)
{
	static struct setting s;
	struct still less, more;

	begin(&s);
	tool_of_member(&s);
	s.is_silent = true;
	still_asks(&s, &less, STRANGER);
	still_asks(&s, &more, STRANGER);
	send_rows(&s, less.call, 500);
	send_rows(&s, more.call, 700);
	send_rows(&s, less.call, 180);
	works_as_ever(&s);
	until_end(&more);
	cr_expect_eq(more.end, REQUEST_LOST);
	answer(&s, less.call);
	until_end(&less);
	cr_expect_eq(less.end, REQUEST_ANSWERED);
	works_as_ever(&s);
	channel_free(&less.channel);
	channel_free(&more.channel);
	event_base_free(less.base);
	event_base_free(more.base);
	tear_down(&s);
}

/* A member may be refused as often as it likes: the log has 60 lines of it in a minute. */
Test(control_rights, refusals_do_not_fill_the_log, .timeout = 60)
{
	static struct setting s;
	static char text[200000];
	unsigned lines = 0;
	int fd = memfd_create("log", MFD_CLOEXEC);
	ssize_t n;

	begin(&s);
	tool_of_member(&s);
	log_open(fd, LOG_TO_FILE);
	for (unsigned i = 0; i < 100; i++)
		is_refused(&s, "queue.delete", needs_root);
	n = pread(fd, text, sizeof text - 1, 0);
	cr_assert_gt(n, 0);
	for (const char *at = text; (at = strstr(at, "admin refused")); at++)
		lines++;
	cr_expect_eq(lines, 60, "%u", lines);
	tear_down(&s);
}
