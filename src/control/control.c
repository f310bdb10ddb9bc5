/*
 * control: the role that takes commands from the tool over a unix socket. It passes each command to
 * the role that can answer it, and passes the rows of the answer back, no more of them than the
 * tool reads. It holds no mail, no key and no password. It decides who may give a command: root,
 * the user that the daemon runs as, and members of help_desk_group for the commands that
 * ipc/operator_commands.h gives them.
 */
#include "control/control.h"

#include <stdio.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/help_desk_rights.h"
#include "ipc/operator_log.h"
#include "ipc/wire.h"

enum {
	EXIT_USAGE = 64,
	EXIT_LATER = 75,
	EXIT_UNAVAILABLE = 69,
	EXIT_FORBIDDEN = 77,
	WORDS_BYTES = 512,
};

static struct control *
control_of(struct role *r)
{
	if (!r->state) {
		struct control *c = MEM_NEW(struct control);

		c->role = r;
		c->listener_fd = -1;
		TAILQ_INIT(&c->clients);
		TAILQ_INIT(&c->detached);
		r->state = c;
	}
	return r->state;
}

/* ---- answers ---- */

/* The queue may send many large rows: it sends no more than control reports as read. The answers of
 * other roles fit in the buffer of a channel. */
static void
control_command_report_taken(struct control_command *q, bool is_gone)
{
	struct message_admin_taken m = {.bytes = q->unreported_bytes, .is_gone = is_gone};
	struct channel *owner = q->control->owners[q->owner];

	if (q->owner != ROLE_QUEUE || !owner)
		return;
	q->unreported_bytes = 0;
	request_add(&q->request, owner, MESSAGE_ADMIN_TAKEN, &m);
}

/* The rows of this command are not read any more: the queue must not wait for that. */
static void
control_command_report_end(const struct control_command *q, enum request_end end)
{
	struct message_admin_taken m = {.is_gone = true};
	struct channel *owner = q->control->owners[q->owner];

	if (q->owner == ROLE_QUEUE && owner && end != REQUEST_ANSWERED && end != REQUEST_LOST)
		request_add_last(&q->request, owner, MESSAGE_ADMIN_TAKEN, &m);
}

static void
control_command_free(struct control_command *q)
{
	struct control_client *client = q->client;

	control_command_report_taken(q, true);
	request_cancel(&q->request);
	TAILQ_REMOVE(client ? &client->commands : &q->control->detached, q, link);
	if (client)
		client->command_count--;
	else
		q->control->detached_count--;
	mem_free(q);
}

/* The owner still runs the command until it answers, so the command still counts: a client that
 * connects again and again has no more commands running than one that stays connected. */
static void
control_command_detach(struct control_command *q)
{
	struct control_client *client = q->client;

	control_command_report_taken(q, true);
	request_renew(&q->request);
	TAILQ_REMOVE(&client->commands, q, link);
	client->command_count--;
	q->client = NULL;
	TAILQ_INSERT_TAIL(&client->control->detached, q, link);
	client->control->detached_count++;
}

static void
control_client_free(struct control_client *client)
{
	struct control_command *q;

	while ((q = TAILQ_FIRST(&client->commands)))
		if (client->caller.may_act)
			control_command_free(q);
		else
			control_command_detach(q);
	TAILQ_REMOVE(&client->control->clients, client, link);
	client->control->client_count--;
	channel_free(&client->channel);
	mem_free(client);
}

static void
refuse_control_command(
    struct control_client *client, uint64_t call, uint8_t exit_code, const char *text)
{
	struct message_admin_done m = {.exit_code = exit_code, .text = str_of(text)};

	(void)!channel_answer(client->channel, call, MESSAGE_ADMIN_DONE, &m, -1);
}

/* Answers which role did not answer, after how long, and what that means for the command. */
static void
control_command_answer_failure(struct control_command *q, enum request_end end)
{
	long long waited_s = (clock_mono_ms() - q->started_ms) / 1000;
	char text[REQUEST_TEXT_BYTES], why[2 * REQUEST_TEXT_BYTES];
	const char *role = role_name(q->owner);

	if (end == REQUEST_LOST)
		snprintf(why, sizeof why, "%s ended after %lld s without an answer and is started "
		    "again: repeat the command", role, waited_s);
	else
		snprintf(why, sizeof why, "%s%s", request_text(role, &q->request, end, text),
		    end == REQUEST_EXPIRED ? "; it may still do what was asked" : "");
	refuse_control_command(q->client, q->call, EXIT_UNAVAILABLE, why);
}

/* While rows wait for the client, the owner has to wait as well, and no deadline runs. */
static void
control_command_pass_row(struct control_command *q, const struct channel_packet *p)
{
	struct channel *channel = q->client->channel;

	(void)!channel_answer(channel, q->call, p->type, &p->message->admin_row, p->fd);
	q->unreported_bytes += (uint32_t)p->message->admin_row.values.n;
	if (channel_waiting(channel) > 0)
		request_hold(&q->request);
	else if (q->unreported_bytes >= MESSAGE_ROWS_WINDOW / 2)
		control_command_report_taken(q, false);
}

static void
control_command_row(struct control_command *q, const struct channel_packet *p)
{
	struct control_client *client = q->client, *slowest;

	if (!client)
		return;
	control_command_pass_row(q, p);
	slowest = client->caller.may_act ? NULL : desk_rights_slowest_client(client->control);
	if (!slowest)
		return;
	desk_rights_log_refused(client->control, slowest->caller.uid, "answers are not read");
	control_client_free(slowest);
}

static void
control_command_answered(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct control_command *q = arg;

	if (end == REQUEST_ROW) {
		control_command_row(q, p);
		if (p->fd >= 0)
			close(p->fd);
		return;
	}
	if (!q->client)
		; /* no client waits for it */
	else if (end == REQUEST_ANSWERED)
		(void)!channel_answer(
		    q->client->channel, q->call, p->type, &p->message->admin_done, -1);
	else
		control_command_answer_failure(q, end);
	control_command_report_end(q, end);
	control_command_free(q);
}

/* ---- commands ---- */

/* The caller's name from the uid that the kernel gives; what the tool sends is not used. */
static struct str
name_of_uid(uid_t uid, struct buf *out)
{
	if (uid == 0)
		return STR("root");
	buf_addf(out, "uid:%u", (unsigned)uid);
	return buf_str(out);
}

/* `config explain` shows the running value where the caller may see it, and does without it
 * elsewhere: a refusal is the expected answer, not an attempt at anything. */
static bool
control_command_is_optional(const struct message_admin *admin)
{
	return str_eq(admin->verb, STR("config.show")) &&
	       message_values_get(admin->values, "if_allowed").n;
}

/* True: the client has the right to this command. False: the refusal is answered and logged. */
static bool
control_command_is_allowed(struct control_client *client, uint64_t call,
    const struct operator_command *r, const struct message_admin *admin)
{
	bool is_member;
	const char *missing = desk_rights_missing(client, r, admin->values, &is_member);
	char text[WORDS_BYTES];

	if (!missing)
		return true;
	if (is_member)
		snprintf(text, sizeof text, "%s needs root; members of the group %.*s may only "
		    "look, and remove blocks\n", missing,
		    STR_ARG(client->control->role->conf->help_desk_group));
	else
		snprintf(text, sizeof text, "%s needs root\n", missing);
	if (!(is_member && control_command_is_optional(admin)) &&
	    desk_rights_may_log(client->control))
		operator_log_refused(admin);
	refuse_control_command(client, call, EXIT_FORBIDDEN, text);
	return false;
}

static void
control_command_begin(struct control_client *client, uint64_t call,
    const struct operator_command *r, const struct message_admin *admin)
{
	enum role_kind kind = r->owner;
	struct channel *owner =
	    kind == ROLE_MAIN ? client->control->role->main : client->control->owners[kind];
	char text[REQUEST_TEXT_BYTES];
	struct control_command *q;

	if (!owner) {
		snprintf(text, sizeof text, "%s is not running now, and is started again: repeat "
		    "the command", role_name(kind));
		refuse_control_command(client, call, EXIT_UNAVAILABLE, text);
		return;
	}
	q = MEM_NEW(struct control_command);
	*q = (struct control_command){
	    .control = client->control, .client = client, .call = call, .owner = kind,
	    .uid = client->caller.uid};
	q->started_ms = clock_mono_ms();
	TAILQ_INSERT_TAIL(&client->commands, q, link);
	client->command_count++;
	request_init(&q->request, control_command_answered, q);
	if (operator_commands_verb_is_quick(admin->verb))
		request_quick(&q->request);
	request_ask(&q->request, owner, MESSAGE_ADMIN, admin);
}

static void
pass_command_on(struct control_client *client, uint64_t call, const struct message_admin *m)
{
	const struct operator_command *r = operator_commands_find_verb(m->verb);
	struct message_admin admin = *m;
	struct buf name;

	buf_init(&name, 64);
	admin.by = name_of_uid(client->caller.uid, &name);
	if (!r)
		refuse_control_command(client, call, EXIT_USAGE, "no such command\n");
	else if (!control_command_is_allowed(client, call, r, &admin))
		; /* and answered */
	else if (!desk_rights_may_begin(client))
		refuse_control_command(
		    client, call, EXIT_LATER, "too many commands at once: try again later\n");
	else
		control_command_begin(client, call, r, &admin);
	buf_clear(&name);
}

static void
on_control_client_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct control_client *client = arg;

	(void)c;
	if (p->fd >= 0)
		close(p->fd);
	if (p->type == MESSAGE_COMMAND && p->call)
		pass_command_on(client, p->call, &p->message->command);
	else
		control_client_free(client);
}

/* The client has read all rows that waited for it. */
static void
control_client_emptied(void *arg)
{
	struct control_client *client = arg;
	struct control_command *q;

	TAILQ_FOREACH(q, &client->commands, link) {
		request_renew(&q->request);
		control_command_report_taken(q, false);
	}
}

static void
control_client_lost(struct channel *c, void *arg)
{
	(void)c;
	control_client_free(arg);
}

static bool
may_caller_connect(struct control *c, int fd, struct caller *out)
{
	if (!caller_read(fd, out)) {
		log_error("control: the user that connected cannot be determined: %m");
		return false;
	}
	if (out->may_act || desk_rights_may_look(c, fd, out))
		return true;
	desk_rights_log_refused(c, out->uid, NULL);
	return false;
}

/* The build is sent first: a tool of another build may not get any answer that it understands. */
static void
accept_control_client(struct control *c, int fd)
{
	struct message_hello hello = {.build = role_build()};
	struct caller caller;
	struct control_client *client;

	if (!may_caller_connect(c, fd, &caller) || !desk_rights_may_connect(c, &caller)) {
		close(fd);
		return;
	}
	client = MEM_NEW(struct control_client);
	client->control = c;
	client->fd = fd;
	client->caller = caller;
	TAILQ_INIT(&client->commands);
	TAILQ_INSERT_TAIL(&c->clients, client, link);
	c->client_count++;
	/* a large row that does not fit into the buffer is answered with a refusal */
	(void)!wire_grow_send_buffer(fd);
	client->channel =
	    channel_new(c->role->base, fd, on_control_client_packet, control_client_lost, client);
	channel_on_emptied(client->channel, control_client_emptied);
	(void)!channel_send(client->channel, MESSAGE_HELLO, &hello, -1);
}

static void
on_control_connection(evutil_socket_t listener, short what, void *arg)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (fd >= 0)
		accept_control_client(arg, fd);
}

/* ---- owners of commands ---- */

static void
on_owner_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	(void)arg;
	if (p->fd >= 0)
		close(p->fd);
	channel_refuse(c, p->call);
}

static void
on_owner_lost(struct channel *c, void *arg)
{
	struct control *control = arg;

	for (int i = 0; i < ROLE_KINDS; i++)
		if (control->owners[i] == c) {
			channel_free(&control->owners[i]);
			role_peer_lost(control->role, control->owner_peers[i]);
			return;
		}
}

/* ---- the role ---- */

static void
control_grant(struct role *r, const struct message_grant *grant, int fd)
{
	struct control *c = control_of(r);
	uint64_t group;

	if (grant->kind == GRANT_ADMIN && c->listener_fd < 0) {
		c->listener_fd = fd;
		return;
	}
	if (grant->kind == GRANT_HELP_DESK) {
		c->has_help_desk_group = str_u64(grant->name, &group);
		c->help_desk_group = c->has_help_desk_group ? (gid_t)group : 0;
	}
	if (fd >= 0)
		close(fd);
}

static void
control_peer(struct role *r, struct role_peer peer, int fd)
{
	struct control *c = control_of(r);

	if (peer.kind >= ROLE_KINDS || peer.index != 0) {
		close(fd);
		return;
	}
	channel_end(&c->owners[peer.kind]);
	c->owner_peers[peer.kind] = peer;
	c->owners[peer.kind] = channel_new(r->base, fd, on_owner_packet, on_owner_lost, c);
}

static int
control_start(struct role *r)
{
	struct control *c = control_of(r);

	if (c->listener_fd < 0)
		return -1;
	c->listener =
	    event_new(r->base, c->listener_fd, EV_READ | EV_PERSIST, on_control_connection, c);
	return c->listener && event_add(c->listener, NULL) == 0 ? 0 : -1;
}

static void
control_end(struct role *r)
{
	struct control *c = r->state;

	if (!c)
		return;
	while (!TAILQ_EMPTY(&c->clients))
		control_client_free(TAILQ_FIRST(&c->clients));
	while (!TAILQ_EMPTY(&c->detached))
		control_command_free(TAILQ_FIRST(&c->detached));
	for (int i = 0; i < ROLE_KINDS; i++)
		channel_free(&c->owners[i]);
	if (c->listener)
		event_free(c->listener);
	if (c->listener_fd >= 0)
		close(c->listener_fd);
	mem_free(c);
	r->state = NULL;
}

const struct role_spec control_role = {
    .name = "control",
    .conf = CONF_CONTROL,
    .sandbox = {.needs = SANDBOX_ACCEPT},
    .grant = control_grant,
    .peer = control_peer,
    .start = control_start,
    .end = control_end,
};
