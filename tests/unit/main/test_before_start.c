/* Messages from another role that arrive before START stay in the socket: no role handles them
 * before it is in its sandbox and has created what it works with.  A role that cannot receive a
 * grant of main ends before START, and asks for all of them later. */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/auth.h"
#include "control/control.h"
#include "ipc/role.h"
#include "keys/keys.h"
#include "queue/queue.h"
#include "relay/relay.h"
#include "submission/submission.h"
#include "support/fault_channel.h"

enum { TIMEOUT_S = 30, PINGS = 3 };

static const struct role_spec *const specs[ROLE_KINDS] = {
    [ROLE_KEYS] = &keys_role,
    [ROLE_AUTH] = &auth_role,
    [ROLE_WORKER] = &worker_role,
    [ROLE_ACCOUNTS] = &accounts_role,
    [ROLE_SUBMISSION] = &submission_role,
    [ROLE_QUEUE] = &queue_role,
    [ROLE_RELAY] = &relay_role,
    [ROLE_CONTROL] = &control_role,
};

struct main_end {
	struct event_base *base;
	struct channel *channel;
	pid_t pid;
	unsigned pongs;
	unsigned ready, lost_grants, taken;
	bool is_lost;
};

static void
receive_other_role(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct main_end *m = arg;

	(void)c;
	m->pongs += p->type == MESSAGE_PONG;
	m->ready += p->type == MESSAGE_READY;
	m->lost_grants += p->type == MESSAGE_GRANT_LOST;
	m->taken += p->type == MESSAGE_ALERT;
}

static void
lose(struct channel *c, void *arg)
{
	struct main_end *m = arg;

	(void)c;
	m->is_lost = true;
	event_base_loopbreak(m->base);
}

static void
begin_between(struct main_end *m, enum role_kind kind, const int ends[2])
{
	*m = (struct main_end){.base = event_base_new()};
	m->pid = fork();
	if (m->pid == 0) {
		close(ends[0]);
		_exit(role_run(specs[kind], kind, 0, ends[1], true));
	}
	close(ends[1]);
	m->channel = channel_new(m->base, ends[0], receive_other_role, lose, m);
}

static void
begin(struct main_end *m, enum role_kind kind)
{
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	begin_between(m, kind, ends);
}

static void
end(struct main_end *m)
{
	channel_free(&m->channel);
	if (m->pid) {
		kill(m->pid, SIGKILL);
		waitpid(m->pid, NULL, 0);
	}
	event_base_free(m->base);
}

/* Sends a PEER whose other end has already sent a message.  Returns a descriptor that shows whether
 * it was read. */
static int
send_peer(struct main_end *m, enum role_kind kind)
{
	struct message_peer peer = {.role = (uint8_t)kind};
	struct message_hello hello = {.build = STR("x")};
	struct channel *other;
	int ends[2], watched;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	other = channel_new(m->base, ends[0], receive_other_role, lose, m);
	cr_assert_eq(channel_send(other, MESSAGE_HELLO, &hello, -1), 0);
	channel_free(&other);
	cr_assert_eq(channel_send(m->channel, MESSAGE_PEER, &peer, ends[1]), 0);
	watched = dup(ends[1]);
	close(ends[1]);
	return watched;
}

/* Waits for answers from several turns of the role's loop, in each of which it could have read. */
static void
wait_for_turns(struct main_end *m)
{
	struct timeval limit = {.tv_sec = TIMEOUT_S};

	for (unsigned i = 1; i <= PINGS; i++) {
		struct message_ping ping = {.number = i};

		cr_assert_eq(channel_send(m->channel, MESSAGE_PING, &ping, -1), 0);
		event_base_loopexit(m->base, &limit);
		while (m->pongs < i && !m->is_lost && !event_base_got_exit(m->base))
			event_base_loop(m->base, EVLOOP_ONCE);
		cr_assert_eq(m->pongs, i);
	}
}

Test(before_start, no_role_reads_a_message_of_another_role, .timeout = 120)
{
	for (enum role_kind kind = ROLE_KEYS; kind < ROLE_KINDS; kind++) {
		int watched[ROLE_KINDS];
		struct main_end m;
		char byte;

		begin(&m, kind);
		for (enum role_kind from = ROLE_KEYS; from < ROLE_KINDS; from++)
			watched[from] = send_peer(&m, from);
		wait_for_turns(&m);
		for (enum role_kind from = ROLE_KEYS; from < ROLE_KINDS; from++) {
			cr_expect_eq(recv(watched[from], &byte, 1, MSG_PEEK | MSG_DONTWAIT), 1,
			    "%s has read the message of %s", role_name(kind), role_name(from));
			close(watched[from]);
		}
		end(&m);
	}
}

/* Main has connected the two again meanwhile. */
Test(before_start, the_newest_channel_to_a_peer_is_kept, .timeout = 120)
{
	struct message_peer peer = {.role = ROLE_SUBMISSION};
	int other[2];
	struct main_end m;
	char byte;

	begin(&m, ROLE_AUTH);
	for (int i = 0; i < 2; i++) {
		int ends[2];

		cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
		peer.number = (uint32_t)i;
		cr_assert_eq(channel_send(m.channel, MESSAGE_PEER, &peer, ends[1]), 0);
		close(ends[1]);
		other[i] = ends[0];
	}
	wait_for_turns(&m);
	cr_expect_eq(recv(other[0], &byte, 1, MSG_DONTWAIT), 0, "closed");
	cr_expect_eq(recv(other[1], &byte, 1, MSG_DONTWAIT), -1, "open");
	close(other[0]);
	close(other[1]);
	end(&m);
}

/* ---- grants ---- */

/* The exit status of a role that got a message of main without its descriptor; -1: it continues. */
static int
status_without_descriptor(enum role_kind kind, enum message_type type, const void *message)
{
	const struct fault lose = {type, FAULT_LOSE_FD, 0, 1};
	const struct message_ping ping = {.number = 1};
	struct fault_channel *between;
	int ends[2], fd = memfd_create("given", MFD_CLOEXEC), status = -1;
	struct main_end m;

	between = fault_channel_new(ends);
	fault_channel_set(between, &lose, 1);
	begin_between(&m, kind, ends);
	cr_assert_eq(channel_send(m.channel, type, message, fd), 0);
	close(fd);
	cr_assert_eq(channel_send(m.channel, MESSAGE_PING, &ping, -1), 0);
	while (!m.is_lost && m.pongs == 0)
		event_base_loop(m.base, EVLOOP_ONCE);
	if (m.is_lost && waitpid(m.pid, &status, 0) == m.pid) {
		cr_assert(WIFEXITED(status));
		status = WEXITSTATUS(status);
		m.pid = 0;
	}
	end(&m);
	fault_channel_free(&between);
	return status;
}

static int
status_without(enum role_kind kind, enum role_grant grant)
{
	struct message_grant m = {.kind = (uint8_t)grant, .name = STR("/etc/x")};

	return status_without_descriptor(kind, MESSAGE_GRANT, &m);
}

/* Otherwise it would treat a file as missing, or keep a key that does not match the new
 * certificate; when it is started again, it gets everything. */
Test(before_start, a_grant_without_its_descriptor_ends_the_role, .timeout = 120)
{
	struct message_config config = {.generation = 1};

	cr_expect_eq(status_without(ROLE_RELAY, GRANT_FILE), ROLE_EXIT_LATER);
	cr_expect_eq(status_without(ROLE_KEYS, GRANT_PRIVATE_KEY), ROLE_EXIT_LATER);
	cr_expect_eq(status_without(ROLE_SUBMISSION, GRANT_CERTIFICATE), ROLE_EXIT_LATER);
	cr_expect_eq(status_without(ROLE_SUBMISSION, GRANT_LISTENER), ROLE_EXIT_LATER);
	cr_expect_eq(status_without(ROLE_QUEUE, GRANT_SPOOL), ROLE_EXIT_LATER);
	cr_expect_eq(status_without_descriptor(ROLE_RELAY, MESSAGE_CONFIG, &config),
	    ROLE_EXIT_LATER, "not a fault of the configuration, which would end the daemon");
	cr_expect_eq(status_without(ROLE_RELAY, GRANT_METRICS), -1, "it works without");
}

/* ---- after the start ---- */

static int
steady_start(struct role *r)
{
	(void)r;
	return 0;
}

/* Reports each file of the state directory that it gets. */
static void
steady_grant(struct role *r, const struct message_grant *grant, int fd)
{
	close(fd);
	role_alert(r, NOTICE_RELOAD, grant->name, "taken");
}

static const struct role_spec steady_role = {
    .name = "steady", .conf = CONF_ALL, .start = steady_start, .grant = steady_grant};

static void
send_steady(struct main_end *m, enum message_type type, const void *message)
{
	static const char text[] =
	    "hostname = \"mail.example.com\";\ndomains = ( { name = \"example.com\"; } );\n"
	    "tls: { certificate = \"/absent.crt\"; private_key = \"/absent.key\"; };\n";
	int fd = memfd_create("given", MFD_CLOEXEC);

	cr_assert_eq(write(fd, text, sizeof text - 1), (ssize_t)sizeof text - 1);
	cr_assert_eq(channel_send(m->channel, type, message, fd), 0);
	close(fd);
}

/* It neither ends, nor takes a grant that came behind the lost one, before main sends all again. */
Test(before_start, a_running_role_asks_for_a_lost_grant_again, .timeout = 120)
{
	const struct fault lose_one = {MESSAGE_GRANT, FAULT_LOSE_FD, 0, 1};
	struct message_grant grant = {.kind = GRANT_STATE, .name = STR("/etc/x")};
	struct message_grants_again again = {0};
	struct message_config config = {.generation = 1};
	struct message_start start = {0};
	struct fault_channel *between;
	int ends[2];
	struct main_end m = {.base = event_base_new()};

	between = fault_channel_new(ends);
	m.pid = fork();
	if (m.pid == 0) {
		close(ends[0]);
		_exit(role_run(&steady_role, ROLE_RELAY, 0, ends[1], true));
	}
	close(ends[1]);
	m.channel = channel_new(m.base, ends[0], receive_other_role, lose, &m);
	send_steady(&m, MESSAGE_CONFIG, &config);
	cr_assert_eq(channel_send(m.channel, MESSAGE_START, &start, -1), 0);
	wait_for_turns(&m);
	cr_assert_eq(m.ready, 1);
	fault_channel_set(between, &lose_one, 1);
	send_steady(&m, MESSAGE_GRANT, &grant);
	send_steady(&m, MESSAGE_GRANT, &grant);
	m.pongs = 0;
	wait_for_turns(&m);
	cr_expect_not(m.is_lost);
	cr_expect_eq(m.lost_grants, 1, "%u", m.lost_grants);
	cr_expect_eq(m.taken, 0);
	cr_assert_eq(channel_send(m.channel, MESSAGE_GRANTS_AGAIN, &again, -1), 0);
	send_steady(&m, MESSAGE_CONFIG, &config);
	send_steady(&m, MESSAGE_GRANT, &grant);
	m.pongs = 0;
	wait_for_turns(&m);
	cr_expect_eq(m.taken, 1);
	cr_expect_eq(m.lost_grants, 1);
	end(&m);
	fault_channel_free(&between);
}
