/*
 * ask: the tool's side of the control socket: one request, rows, one final answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ipc/request.h"
#include "ipc/role.h"
#include "ipc/wire.h"
#include "main/directory.h"
#include "tool/print.h"
#include "tool/running_daemon.h"
#include "tool/tool.h"

enum { CONNECT_S = 5, NAME_BYTES_MAX = 64 };

/* loginuid of a process without a login. */
static const unsigned long uid_unset = (uid_t)-1;

struct tool_request {
	const struct tool *tool;
	struct event_base *base;
	struct channel *channel;
	tool_row_fn *row;
	void *arg;
	bool has_rows;
	int exit_code;
	bool has_hello;
	bool is_other_build; /* the daemon is: its messages may not be understood */
	int64_t asked_ms;
	struct request request;
};

static int
connect_daemon(const struct conf *c)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), saved_errno;
	const struct timeval timeout = {.tv_sec = CONNECT_S};

	if (fd < 0)
		return -1;
	snprintf(to.sun_path, sizeof to.sun_path, "%.*s/control.sock", STR_ARG(c->run_directory));
	/* the control role may be stopped, and the queue of its socket full */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0) {
		/* commands that still do not fit end with an error */
		(void)!wire_grow_send_buffer(fd);
		return fd;
	}
	saved_errno = errno;
	close(fd);
	errno = saved_errno;
	return -1;
}

static void
end_tool_request(struct tool_request *a, int exit_code)
{
	a->exit_code = exit_code;
	event_base_loopbreak(a->base);
}

/* HELLO is the daemon's first message, and contains its build. */
static void
receive_daemon_hello(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct tool_request *a = arg;

	(void)c;
	if (p->fd >= 0)
		close(p->fd);
	if (p->type != MESSAGE_HELLO) {
		end_tool_request(a, EX_SOFTWARE);
		return;
	}
	a->has_hello = true;
	a->is_other_build = !str_eq(p->message->hello.build, role_build());
}

static void
end_request_to_other_build(struct tool_request *a)
{
	fputs("sallyport: the running daemon is of another build than this command, and they do "
	      "not understand each other: restart the daemon (systemctl restart sallyport)\n",
	    stderr);
	end_tool_request(a, EX_UNAVAILABLE);
}

static void
tool_connection_lost(struct channel *c, void *arg)
{
	struct tool_request *a = arg;

	(void)c;
	channel_free(&a->channel);
	if (a->is_other_build) {
		end_request_to_other_build(a);
		return;
	}
	fprintf(stderr,
	    "sallyport: the connection to the daemon was closed after %lld s, before the command "
	    "had ended: repeat the command%s\n",
	    (long long)(clock_mono_ms() - a->asked_ms) / 1000,
	    a->has_hello ? ""
			  : "; if that does not help, the daemon is of another build than this "
			    "command: restart it (systemctl restart sallyport)");
	end_tool_request(a, EX_TEMPFAIL);
}

void
tool_print_text(int exit_code, struct str text)
{
	FILE *to = exit_code ? stderr : stdout;

	if (text.n == 0)
		return;
	fwrite(text.p, 1, text.n, to);
	if (text.p[text.n - 1] != '\n')
		fputc('\n', to);
}

void
tool_print_result(const struct tool *t, int exit_code, struct str text, bool has_rows)
{
	struct buf values;

	if (exit_code || (!t->json && !t->quiet)) {
		tool_print_text(exit_code, text);
		return;
	}
	/* the rows have the same information */
	if (!t->json || has_rows || text.n == 0)
		return;
	buf_init(&values, TOOL_VALUES_MAX * 2);
	if (text.p[text.n - 1] == '\n')
		text.n--;
	message_values_add(&values, "text", text);
	print_json(buf_str(&values));
	buf_clear(&values);
}

static void
take_fd(const struct tool_request *a, int fd)
{
	if (fd >= 0 && a->tool->take_fd)
		a->tool->take_fd(fd, a->arg);
	else if (fd >= 0)
		close(fd);
}

/* A row of the queue with several ids is one row for each. */
static void
tool_request_take_ids(const struct tool_request *a, struct str values)
{
	struct str key, value;
	struct buf row;

	buf_init(&row, TOOL_VALUES_MAX);
	while (message_values_next(&values, &key, &value)) {
		if (!str_eq(key, STR("id")))
			continue;
		buf_reset(&row);
		message_values_add(&row, "id", value);
		a->row(buf_str(&row), a->arg);
	}
	buf_clear(&row);
}

static void
tool_request_take_row(const struct tool_request *a, struct str values)
{
	if (!a->row)
		return;
	if (str_eq(message_values_get(values, "row"), STR("ids")))
		tool_request_take_ids(a, values);
	else
		a->row(values, a->arg);
}

static void
tool_request_answered(enum request_end how, const struct channel_packet *p, void *arg)
{
	struct tool_request *a = arg;
	const struct message_admin_done *done;
	char text[REQUEST_TEXT_BYTES];
	bool is_temporary;

	if (how == REQUEST_LOST)
		return; /* tool_connection_lost() follows */
	if (how == REQUEST_ROW) {
		a->has_rows = true;
		take_fd(a, p->fd);
		tool_request_take_row(a, p->message->admin_row.values);
		/* a pager may have blocked for long */
		request_renew(&a->request);
		return;
	}
	if (how == REQUEST_ERROR && a->is_other_build) {
		end_request_to_other_build(a);
		return;
	}
	if (how != REQUEST_ANSWERED) {
		fprintf(stderr, "sallyport: %s\n",
		    request_text("control", &a->request, how, text));
		is_temporary = how == REQUEST_EXPIRED || a->request.is_fd_lost;
		end_tool_request(a, is_temporary ? EX_TEMPFAIL : EX_SOFTWARE);
		return;
	}
	done = &p->message->admin_done;
	if (done->exit_code == 0 || done->exit_code != a->tool->hidden_status)
		tool_print_result(a->tool, done->exit_code, done->text, a->has_rows);
	end_tool_request(a, done->exit_code);
}

bool
tool_daemon_runs(const struct conf *c)
{
	char path[4096];
	bool is_locked;
	int fd;

	snprintf(path, sizeof path, "%.*s", STR_ARG(c->run_directory));
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	is_locked = directory_has_daemon(fd);
	close(fd);
	return is_locked;
}

/* No daemon runs with this run directory: reports one with another run directory, whose accounts
 * and queue may be meant. */
static int
tool_find_other_daemon(const struct tool *t, const struct conf *c)
{
	struct running_daemon p;

	if (!t->config_path || !running_daemon_find(t->config_path, &p))
		return TOOL_NO_DAEMON;
	fprintf(stderr,
	    "sallyport: process %d runs with the configuration file %s, but nobody listens on "
	    "%.*s/control.sock: ", (int)p.pid, t->config_path, STR_ARG(c->run_directory));
	if (p.run_directory[0])
		fprintf(stderr, "it was started with run_directory = \"%s\": give --run-directory "
		    "%s, or restart it\n", p.run_directory, p.run_directory);
	else
		fputs("it was started with another run_directory, or it starts or ends at this "
		      "moment: give the one that it has (--run-directory), or restart it\n",
		    stderr);
	return EX_UNAVAILABLE;
}

/* Reports why the socket cannot be connected to, from errno in `error`. */
static int
tool_report_connect_failure(const struct tool *t, const struct conf *c, int error)
{
	bool is_forbidden = error == EACCES || error == EPERM;

	if ((error == ENOENT || error == ECONNREFUSED) && !tool_daemon_runs(c))
		return tool_find_other_daemon(t, c);
	fprintf(stderr, "sallyport: %s%.*s/control.sock: %s%s\n",
	    is_forbidden ? "" : "the daemon is running, but its control does not answer on ",
	    STR_ARG(c->run_directory), strerror(error),
	    is_forbidden ? ": root may use it, the user that the daemon runs as, and members of "
			   "help_desk_group" : "");
	return is_forbidden ? EX_NOPERM : EX_UNAVAILABLE;
}

/* Describes the person who runs the command, as far as this process can find out: who became root
 * by sudo, and who logged in (/proc/self/loginuid, of the kernel's audit).  The daemon logs it
 * unverified. */
static struct str
tool_describe_caller(char *out, size_t size)
{
	const char *sudo = getenv("SUDO_USER");
	unsigned long login = uid_unset;
	FILE *f = fopen("/proc/self/loginuid", "re");
	int n;

	if (f) {
		if (fscanf(f, "%lu", &login) != 1)
			login = uid_unset;
		fclose(f);
	}
	n = sudo ? snprintf(out, size, "SUDO_USER=%.*s ", NAME_BYTES_MAX, sudo) : 0;
	/* no blank in the name, so that it cannot look like another key */
	for (int i = sizeof "SUDO_USER=" - 1; i < n - 1; i++)
		if ((unsigned char)out[i] <= ' ')
			out[i] = '?';
	if (login == uid_unset)
		snprintf(out + n, size - (size_t)n, "loginuid=-");
	else
		snprintf(out + n, size - (size_t)n, "loginuid=%lu", login);
	return str_of(out);
}

int
tool_ask(
    const struct tool *t, const struct conf *c, const char *verb, tool_row_fn *row, void *arg)
{
	struct message_admin m = {.verb = str_of(verb), .values = buf_str(&t->values)};
	struct tool_request a = {.tool = t, .row = row, .arg = arg, .exit_code = EX_SOFTWARE};
	char caller[NAME_BYTES_MAX + 64];
	int fd = connect_daemon(c);

	if (fd < 0)
		return tool_report_connect_failure(t, c, errno);
	m.claimed_name = tool_describe_caller(caller, sizeof caller);
	a.asked_ms = clock_mono_ms();
	a.base = event_base_new();
	if (!a.base)
		die("no event loop");
	a.channel = channel_new(a.base, fd, receive_daemon_hello, tool_connection_lost, &a);
	request_init(&a.request, tool_request_answered, &a);
	if (t->uses_short_deadline || operator_commands_verb_is_quick(m.verb))
		request_quick(&a.request);
	request_ask(&a.request, a.channel, MESSAGE_COMMAND, &m);
	event_base_dispatch(a.base);
	channel_free(&a.channel);
	event_base_free(a.base);
	return a.exit_code;
}

int
tool_report_no_daemon(const struct tool *t, const struct conf *c)
{
	fprintf(stderr,
	    "sallyport: the daemon is not running (nobody listens on %.*s/control.sock)\n",
	    STR_ARG(c->run_directory));
	if (t->is_config_hidden && !t->run_directory)
		fprintf(stderr,
		    "sallyport: this user may not read %s: where it has another run_directory, say "
		    "which one with --run-directory, or give a file that has it with -c\n",
		    t->config_path);
	return EX_UNAVAILABLE;
}

int
tool_ask_running(struct tool *t, const char *verb, tool_row_fn *row, void *arg)
{
	const struct conf *c = tool_conf_to_ask(t);
	int status = tool_ask(t, c, verb, row, arg);

	return status == TOOL_NO_DAEMON ? tool_report_no_daemon(t, c) : status;
}
