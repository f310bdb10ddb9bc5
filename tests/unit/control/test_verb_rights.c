/* Which user may give which command: root all of the table, members of help_desk_group those that
 * it gives them. The kernel names the user, and each command is checked. */
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/operator_commands.h"
#include "rig.h"

enum { HELP_DESK = 60100, OTHER = 60200, MEMBER = 60001, STRANGER = 60002, GROUPS_MAX = 200 };

static const char needs_root[] =
    "queue delete needs root; members of the group desk may only look, and remove blocks\n";

static void
send_help_desk_group(struct control_rig *r, const char *number)
{
	struct message_grant m = {.kind = GRANT_HELP_DESK, .name = str_of(number)};

	cr_assert_eq(channel_send(r->main, MESSAGE_GRANT, &m, -1), 0);
	send_config(r, "help_desk_group = \"desk\";\n");
}

/* Only this thread becomes another user while it connects: the kernel records the user at that
 * time. */
static int
connect_as(const struct control_rig *r, uid_t uid, size_t group_count, const gid_t *groups)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	cr_assert_eq(chmod(r->directory, 0755), 0);
	cr_assert_eq(chmod(r->address.sun_path, 0666), 0);
	cr_assert_eq(syscall(SYS_setgroups, group_count, groups), 0);
	cr_assert_eq(syscall(SYS_setresuid, -1, uid, -1), 0);
	cr_assert_eq(connect(fd, (const struct sockaddr *)&r->address, sizeof r->address), 0);
	cr_assert_eq(syscall(SYS_setresuid, -1, 0, -1), 0);
	cr_assert_eq(syscall(SYS_setgroups, 0, NULL), 0);
	return fd;
}

static void
use_tool(struct control_rig *r, int fd)
{
	unsigned before = r->hello_count;

	control_rig_use_tool(r, fd);
	wait_for_count(r, &r->hello_count, before + 1);
}

/* Connects as a member, by the last one of many groups. */
static void
use_member_tool(struct control_rig *r)
{
	gid_t groups[GROUPS_MAX];

	for (gid_t i = 0; i < GROUPS_MAX; i++)
		groups[i] = 50000 + i;
	groups[GROUPS_MAX - 1] = HELP_DESK;
	use_tool(r, connect_as(r, MEMBER, GROUPS_MAX, groups));
}

static void
start_with_help_desk(struct control_rig *r)
{
	if (geteuid() != 0)
		cr_skip_test("needs root to be several users");
	control_rig_start(r);
	send_help_desk_group(r, "60100");
	wait_for_config(r);
	expect_working(r);
}

static void
expect_refused(struct control_rig *r, const char *verb, const char *text)
{
	unsigned request_count = r->request_count;

	run_command(r, verb);
	cr_expect_eq(r->exit_code, 77, "%s: %u", verb, r->exit_code);
	cr_expect_str_eq(r->text, text);
	cr_expect_eq(r->request_count, request_count, "%s was passed on", verb);
}

/* 0: an owner answered; 69: its owner does not run in this test, so the command was allowed. */
static bool
is_passed_on(const struct control_rig *r)
{
	return r->exit_code == 0 || r->exit_code == 69;
}

Test(control_rights, each_command_has_its_right, .timeout = 60)
{
	static struct control_rig r;
	char text[200];

	start_with_help_desk(&r);
	for (size_t i = 0; i < operator_commands_count; i++) {
		if (!operator_commands[i].verb)
			continue;
		run_command(&r, operator_commands[i].verb);
		cr_expect(is_passed_on(&r), "root: %s: %u", operator_commands[i].verb, r.exit_code);
	}
	use_member_tool(&r);
	for (size_t i = 0; i < operator_commands_count; i++) {
		const struct operator_command *command = &operator_commands[i];

		if (!command->verb)
			continue;
		snprintf(text, sizeof text,
		    "%s needs root; members of the group desk may only look, and remove blocks\n",
		    command->words);
		if (command->right == OPERATOR_ACT) {
			expect_refused(&r, command->verb, text);
			continue;
		}
		run_command(&r, command->verb);
		cr_expect(is_passed_on(&r), "member: %s: %u", command->verb, r.exit_code);
	}
	control_rig_stop(&r);
}

/* Commands that change something are for root, except removing a block. */
Test(control_rights, only_removing_a_block_is_for_members)
{
	static const char *const for_root[] = {"queue.delete", "test.auth", "config.show"};

	for (size_t i = 0; i < operator_commands_count; i++)
		cr_expect_eq(operator_commands[i].right == OPERATOR_HELP,
		    strcmp(operator_commands[i].words, "block remove") == 0, "%s",
		    operator_commands[i].words);
	for (size_t i = 0; i < sizeof for_root / sizeof *for_root; i++)
		cr_expect_eq(
		    operator_commands_find_verb(str_of(for_root[i]))->right, OPERATOR_ACT);
	cr_expect_null(operator_commands_find_verb(STR("queue.")));
	cr_expect_null(operator_commands_find_verb(STR("queue.lists")));
	cr_expect_null(operator_commands_find_verb(STR("")));
}

Test(control_rights, an_unknown_command_is_refused, .timeout = 60)
{
	static struct control_rig r;
	static const char *const verbs[] = {"queue.purge", "queue", "main.", "reloads", ""};
	unsigned request_count;

	start_with_help_desk(&r);
	request_count = r.request_count;
	for (int who = 0; who < 2; who++) {
		for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
			run_command(&r, verbs[i]);
			cr_expect_eq(r.exit_code, 64, "%s: %u", verbs[i], r.exit_code);
		}
		use_member_tool(&r);
	}
	cr_expect_eq(r.request_count, request_count);
	control_rig_stop(&r);
}

/* Also if the value is empty, or follows another value of the same key. */
Test(control_rights, only_root_may_read_a_body, .timeout = 60)
{
	static struct control_rig r;
	static const struct str values[] = {STR("id\0001\0body\0001\0"), STR("body\0\0id\0001\0"),
	    STR("id\0001\0body\0\0body\0001\0")};
	unsigned request_count;

	start_with_help_desk(&r);
	use_member_tool(&r);
	request_count = r.request_count;
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		struct message_admin m = {.verb = STR("queue.show"), .values = values[i]};
		unsigned before = r.answer_count;

		(void)ask_pooled(r.tool, MESSAGE_COMMAND, &m, on_tool_answer, &r);
		wait_for_count(&r, &r.answer_count, before + 1);
		cr_expect_eq(r.exit_code, 77, "%zu", i);
		cr_expect(
		    strstr(r.text, "queue show with --body or --raw needs root"), "%s", r.text);
	}
	cr_expect_eq(r.request_count, request_count);
	control_rig_stop(&r);
}

/* The owner gets the uid that the kernel gives, whatever the tool sends. */
Test(control_rights, the_owner_gets_the_callers_name, .timeout = 60)
{
	static struct control_rig r;
	struct message_admin m = {.verb = STR("queue.list"), .by = STR("root")};
	unsigned before;

	start_with_help_desk(&r);
	cr_expect_str_eq(r.by, "root");
	use_member_tool(&r);
	before = r.answer_count;
	(void)ask_pooled(r.tool, MESSAGE_COMMAND, &m, on_tool_answer, &r);
	wait_for_count(&r, &r.answer_count, before + 1);
	cr_expect_str_eq(r.by, "uid:60001");
	control_rig_stop(&r);
}

/* A connected member has the right until the configuration removes it. */
Test(control_rights, each_command_is_checked_again, .timeout = 60)
{
	static struct control_rig r;

	start_with_help_desk(&r);
	use_member_tool(&r);
	expect_working(&r);
	expect_refused(&r, "queue.delete", needs_root);
	send_help_desk_group(&r, "60200");
	wait_for_config(&r);
	expect_refused(&r, "queue.list", "queue list needs root\n");
	send_help_desk_group(&r, "");
	wait_for_config(&r);
	expect_refused(&r, "queue.list", "queue list needs root\n");
	send_help_desk_group(&r, "60100");
	wait_for_config(&r);
	expect_working(&r);
	control_rig_stop(&r);
}

static bool
is_closed(int fd)
{
	char byte[64];
	struct timeval patience = {.tv_sec = 20};

	cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
	return recv(fd, byte, sizeof byte, 0) == 0;
}

Test(control_rights, a_user_without_rights_is_disconnected, .timeout = 60)
{
	static struct control_rig r;
	static const gid_t other = OTHER, desk = HELP_DESK;
	int fd;

	start_with_help_desk(&r);
	fd = connect_as(&r, STRANGER, 1, &other);
	cr_expect(is_closed(fd));
	close(fd);
	fd = connect_as(&r, STRANGER, 0, NULL);
	cr_expect(is_closed(fd));
	close(fd);
	/* the kernel shows every user that this namespace does not know as this one */
	fd = connect_as(&r, 65534, 1, &desk);
	cr_expect(is_closed(fd));
	close(fd);
	use_tool(&r, connect_as(&r, STRANGER, 1, &desk));
	control_rig_stop(&r);
}

/* One member has 8 connections, all have 32, and root can still connect. */
Test(control_rights, members_leave_connections_for_root, .timeout = 60)
{
	static struct control_rig r;
	static const gid_t desk = HELP_DESK;
	int fds[64];
	unsigned n = 0, open = 0;

	start_with_help_desk(&r);
	for (uid_t uid = MEMBER; uid < MEMBER + 6; uid++)
		for (unsigned i = 0; i < 10; i++, n++) {
			fds[n] = connect_as(&r, uid, 1, &desk);
			open += !is_closed(fds[n]);
			cr_expect_eq(open,
			    uid < MEMBER + 4 ? (uid - MEMBER) * 8 + (i < 8 ? i + 1 : 8) : 32,
			    "uid %u, number %u: %u", uid, i, open);
		}
	connect_tool(&r);
	expect_working(&r);
	while (n)
		close(fds[--n]);
	control_rig_stop(&r);
}

/* A member that disconnects gets no more commands: the owner still runs those that it gave. */
Test(control_rights, commands_of_a_disconnected_member_count, .timeout = 60)
{
	static struct control_rig r;
	uint64_t calls[8];
	unsigned request_count;

	start_with_help_desk(&r);
	request_count = r.request_count;
	r.is_silent = true;
	use_member_tool(&r);
	for (unsigned i = 0; i < 8; i++) {
		send_command(&r, "queue.list");
		wait_for_count(&r, &r.request_count, request_count + i + 1);
		calls[i] = r.call;
	}
	use_member_tool(&r);
	run_command(&r, "queue.list");
	cr_expect_eq(r.exit_code, 75);
	for (unsigned i = 0; i < 8; i++)
		answer_from_queue(&r, calls[i]);
	use_member_tool(&r);
	expect_working(&r);
	/* also when their owner is lost */
	r.is_silent = true;
	request_count = r.request_count;
	for (unsigned i = 0; i < 8; i++)
		send_command(&r, "queue.list");
	wait_for_count(&r, &r.request_count, request_count + 8);
	connect_queue(&r);
	use_member_tool(&r);
	expect_working(&r);
	control_rig_stop(&r);
}

/* Commands of one member, over all of its connections and after it has disconnected, leave commands
 * for other members; those of all members leave commands for root. */
Test(control_rights, members_leave_commands_for_others_and_for_root, .timeout = 60)
{
	static struct control_rig r;
	static const gid_t desk = HELP_DESK;
	unsigned request_count;

	start_with_help_desk(&r);
	r.is_silent = true;
	for (uid_t uid = MEMBER; uid < MEMBER + 2; uid++) {
		request_count = r.request_count;
		for (unsigned i = 0; i < 8; i++) {
			if (i % 4 == 0)
				use_tool(&r, connect_as(&r, uid, 1, &desk));
			send_command(&r, "queue.list");
			wait_for_count(&r, &r.request_count, request_count + i + 1);
		}
		run_command(&r, "queue.list");
		cr_expect_eq(r.exit_code, 75);
	}
	use_tool(&r, connect_as(&r, MEMBER + 2, 1, &desk));
	run_command(&r, "queue.list");
	cr_expect_eq(r.exit_code, 75, "16 of all members");
	connect_tool(&r);
	expect_working(&r);
	control_rig_stop(&r);
}

/* A tool that sends a command, and reads nothing until its own loop runs. */
struct stalled_tool {
	struct event_base *base;
	struct channel *channel;
	uint64_t call;
	enum request_end end; /* REQUEST_ROW: not ended */
};

static void
on_stalled_answer(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct stalled_tool *t = arg;

	(void)p;
	if (end != REQUEST_ROW)
		t->end = end;
}

static void
on_stalled_lost(struct channel *c, void *arg)
{
	struct stalled_tool *t = arg;

	(void)c;
	channel_free(&t->channel);
}

static void
ignore_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	(void)c;
	(void)p;
	(void)arg;
}

static void
stalled_tool_ask(struct control_rig *r, struct stalled_tool *t, uid_t uid)
{
	struct message_admin m = {.verb = STR("queue.list")};
	static const gid_t desk = HELP_DESK;

	*t = (struct stalled_tool){.base = event_base_new(), .end = REQUEST_ROW};
	t->channel =
	    channel_new(t->base, connect_as(r, uid, 1, &desk), ignore_packet, on_stalled_lost, t);
	(void)ask_pooled(t->channel, MESSAGE_COMMAND, &m, on_stalled_answer, t);
	wait_for_count(r, &r->request_count, r->request_count + 1);
	t->call = r->call;
}

static void
send_rows(struct control_rig *r, uint64_t call, unsigned count)
{
	static char text[50000];
	struct message_admin_row row = {.values = str_make(text, sizeof text)};
	int64_t end = clock_mono_ms() + 20000;

	while (count--) {
		cr_assert_eq(channel_answer(r->queue, call, MESSAGE_ADMIN_ROW, &row, -1), 0);
		while (channel_waiting(r->queue) && clock_mono_ms() < end)
			event_base_loop(r->base, EVLOOP_ONCE);
	}
}

static void
wait_for_end(struct stalled_tool *t)
{
	int64_t end = clock_mono_ms() + 20000;

	while (t->end == REQUEST_ROW && clock_mono_ms() < end) {
		struct timeval tick = {0, 5000};

		event_base_loopexit(t->base, &tick);
		event_base_dispatch(t->base);
	}
}

/* At most 64 MiB of answers may wait for all members together: then control closes the client for
 * which most of them wait, and the others go on. */
Test(control_rights, members_who_do_not_read_are_disconnected, .timeout = 60)
{
	static struct control_rig r;
	struct stalled_tool less, more;

	start_with_help_desk(&r);
	use_member_tool(&r);
	r.is_silent = true;
	stalled_tool_ask(&r, &less, STRANGER);
	stalled_tool_ask(&r, &more, STRANGER);
	send_rows(&r, less.call, 500);
	send_rows(&r, more.call, 700);
	send_rows(&r, less.call, 180);
	expect_working(&r);
	wait_for_end(&more);
	cr_expect_eq(more.end, REQUEST_LOST);
	answer_from_queue(&r, less.call);
	wait_for_end(&less);
	cr_expect_eq(less.end, REQUEST_ANSWERED);
	expect_working(&r);
	channel_free(&less.channel);
	channel_free(&more.channel);
	event_base_free(less.base);
	event_base_free(more.base);
	control_rig_stop(&r);
}

/* However often a member is refused: the log has 60 lines in a minute. */
Test(control_rights, the_log_of_refusals_is_bounded, .timeout = 60)
{
	static struct control_rig r;
	static char text[200000];
	unsigned lines = 0;
	int fd = memfd_create("log", MFD_CLOEXEC);
	ssize_t n;

	start_with_help_desk(&r);
	use_member_tool(&r);
	log_open(fd, LOG_TO_FILE);
	for (unsigned i = 0; i < 100; i++)
		expect_refused(&r, "queue.delete", needs_root);
	n = pread(fd, text, sizeof text - 1, 0);
	cr_assert_gt(n, 0);
	for (const char *at = text; (at = strstr(at, "admin refused")); at++)
		lines++;
	cr_expect_eq(lines, 60, "%u", lines);
	control_rig_stop(&r);
}
