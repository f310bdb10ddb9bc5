/*
 * control: the operator's door.  Takes commands from the tool over a unix socket, asks the role
 * that owns the answer, and passes its rows back, no more of them than the tool takes.  It holds no
 * mail, no key and no password; it decides who may ask: root, or the user that the daemon runs as,
 * and for the commands that control/verb_rights.h gives them, members of help_desk_group.
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
		TAILQ_INIT(&c->left);
		r->state = c;
	}
	return r->state;
}

/* ---- answers ---- */

/* The rows of a queue may be many and large: it says no more than it hears of.  The answers of the
 * others fit in what may wait in a channel. */
static void
control_command_report_taken(struct control_command *q, bool is_gone)
{
	struct message_admin_taken m = {.bytes = q->untold_bytes, .is_gone = is_gone};
	struct channel *owner = q->control->owners[q->owner];

	if (q->owner != ROLE_QUEUE || !owner)
		return;
	q->untold_bytes = 0;
	request_add(&q->request, owner, MESSAGE_ADMIN_TAKEN, &m);
}

/* Nobody hears its rows any more, and it must not wait until they are taken. */
static void
control_command_tell_end(const struct control_command *q, enum request_end end)
{
	struct message_admin_taken m = {.is_gone = true};
	struct channel *owner = q->control->owners[q->owner];

	if (q->owner == ROLE_QUEUE && owner && end != REQUEST_ANSWERED && end != REQUEST_LOST)
		request_add_last(&q->request, owner, MESSAGE_ADMIN_TAKEN, &m);
}

static void
control_command_free(struct control_command *q)
{
	struct control_client *k = q->client;

	control_command_report_taken(q, true);
	request_cancel(&q->request);
	TAILQ_REMOVE(k ? &k->commands : &q->control->left, q, link);
	if (k)
		k->command_count--;
	else
		q->control->left_count--;
	mem_free(q);
}

/* Its owner is at work for it until it answers, so it counts on: who connects again and again has
 * no more commands under way than who stays. */
static void
control_command_detach(struct control_command *q)
{
	struct control_client *k = q->client;

	control_command_report_taken(q, true);
	request_renew(&q->request);
	TAILQ_REMOVE(&k->commands, q, link);
	k->command_count--;
	q->client = NULL;
	TAILQ_INSERT_TAIL(&k->control->left, q, link);
	k->control->left_count++;
}

static void
control_client_free(struct control_client *k)
{
	struct control_command *q;

	while ((q = TAILQ_FIRST(&k->commands)))
		if (k->caller.may_act)
			control_command_free(q);
		else
			control_command_detach(q);
	TAILQ_REMOVE(&k->control->clients, k, link);
	k->control->client_count--;
	channel_free(&k->channel);
	mem_free(k);
}

static void
refuse_control_command(struct control_client *k, uint64_t call, uint8_t exit_code, const char *text)
{
	struct message_admin_done m = {.exit_code = exit_code, .text = str_of(text)};

	(void)!channel_answer(k->channel, call, MESSAGE_ADMIN_DONE, &m, -1);
}

/* Which process did not answer, for how long, and what that means for the command. */
static void
control_command_unanswered(struct control_command *q, enum request_end end)
{
	long long waited_s = (clock_mono_ms() - q->asked_ms) / 1000;
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

/* While rows wait for the client its owner has to wait as well, and no deadline runs. */
static void
control_command_pass_row(struct control_command *q, const struct channel_packet *p)
{
	struct channel *client = q->client->channel;

	(void)!channel_answer(client, q->call, p->type, &p->message->admin_row, p->fd);
	q->untold_bytes += (uint32_t)p->message->admin_row.values.n;
	if (channel_waiting(client) > 0)
		request_hold(&q->request);
	else if (q->untold_bytes >= MESSAGE_ROWS_WINDOW / 2)
		control_command_report_taken(q, false);
}

static void
control_command_row(struct control_command *q, const struct channel_packet *p)
{
	struct control_client *k = q->client, *slowest;

	if (!k)
		return;
	control_command_pass_row(q, p);
	slowest = k->caller.may_act ? NULL : desk_rights_slowest_client(k->control);
	if (!slowest)
		return;
	desk_rights_log_refused(k->control, slowest->caller.uid, "answers are not taken");
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
		; /* nobody waits for it */
	else if (end == REQUEST_ANSWERED)
		(void)!channel_answer(
		    q->client->channel, q->call, p->type, &p->message->admin_done, -1);
	else
		control_command_unanswered(q, end);
	control_command_tell_end(q, end);
	control_command_free(q);
}

/* ---- questions ---- */

/* Who asks, as the kernel knows it: the tool's word would not do. */
static struct str
name_of_uid(uid_t uid, struct buf *room)
{
	if (uid == 0)
		return STR("root");
	buf_addf(room, "uid:%u", (unsigned)uid);
	return buf_str(room);
}

/* Whether the client has the right to it; else that is answered and logged. */
static bool
control_command_is_allowed(struct control_client *k, uint64_t call, const struct verb_rights *r,
    const struct message_admin *asked)
{
	bool is_member;
	const char *lacks = desk_rights_missing(k, r, asked->values, &is_member);
	char text[WORDS_BYTES];

	if (!lacks)
		return true;
	if (is_member)
		snprintf(text, sizeof text, "%s needs root; members of the group %.*s may only "
		    "look, and remove blocks\n", lacks,
		    STR_ARG(k->control->role->conf->help_desk_group));
	else
		snprintf(text, sizeof text, "%s needs root\n", lacks);
	if (desk_rights_may_log(k->control))
		operator_log_refused(asked);
	refuse_control_command(k, call, EXIT_FORBIDDEN, text);
	return false;
}

static void
control_command_begin(struct control_client *k, uint64_t call, const struct verb_rights *r,
    const struct message_admin *asked)
{
	enum role_kind kind = r->owner;
	struct channel *owner =
	    kind == ROLE_MAIN ? k->control->role->main : k->control->owners[kind];
	char text[REQUEST_TEXT_BYTES];
	struct control_command *q;

	if (!owner) {
		snprintf(text, sizeof text, "%s is not running now, and is started again: repeat "
		    "the command", role_name(kind));
		refuse_control_command(k, call, EXIT_UNAVAILABLE, text);
		return;
	}
	q = MEM_NEW(struct control_command);
	*q = (struct control_command){
	    .control = k->control, .client = k, .call = call, .owner = kind,
	    .uid = k->caller.uid};
	q->asked_ms = clock_mono_ms();
	TAILQ_INSERT_TAIL(&k->commands, q, link);
	k->command_count++;
	request_init(&q->request, control_command_answered, q);
	if (message_is_quick(asked->verb))
		request_quick(&q->request);
	request_ask(&q->request, owner, MESSAGE_ADMIN, asked);
}

static void
pass_command_on(struct control_client *k, uint64_t call, const struct message_admin *m)
{
	const struct verb_rights *r = verb_rights_find(m->verb);
	struct message_admin asked = *m;
	struct buf name;

	buf_init(&name, 64);
	asked.by = name_of_uid(k->caller.uid, &name);
	if (!r)
		refuse_control_command(k, call, EXIT_USAGE, "no such command\n");
	else if (!control_command_is_allowed(k, call, r, &asked))
		; /* and told */
	else if (!desk_rights_may_begin(k))
		refuse_control_command(
		    k, call, EXIT_LATER, "too many commands at once: try again later\n");
	else
		control_command_begin(k, call, r, &asked);
	buf_clear(&name);
}

static void
on_control_client_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct control_client *k = arg;

	(void)c;
	if (p->fd >= 0)
		close(p->fd);
	if (p->type == MESSAGE_COMMAND && p->call)
		pass_command_on(k, p->call, &p->message->command);
	else
		control_client_free(k);
}

/* It has taken all that waited for it. */
static void
control_client_emptied(void *arg)
{
	struct control_client *k = arg;
	struct control_command *q;

	TAILQ_FOREACH(q, &k->commands, link) {
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
		log_error("control: who connected cannot be asked for: %m");
		return false;
	}
	if (out->may_act || desk_rights_may_look(c, fd, out))
		return true;
	desk_rights_log_refused(c, out->uid, NULL);
	return false;
}

/* The build is said first: a tool of another one cannot know it from an answer that it does not
 * get. */
static void
accept_control_client(struct control *c, int fd)
{
	struct message_hello hello = {.build = role_build()};
	struct caller caller;
	struct control_client *k;

	if (!may_caller_connect(c, fd, &caller) || !desk_rights_may_connect(c, &caller)) {
		close(fd);
		return;
	}
	k = MEM_NEW(struct control_client);
	k->control = c;
	k->fd = fd;
	k->caller = caller;
	TAILQ_INIT(&k->commands);
	TAILQ_INSERT_TAIL(&c->clients, k, link);
	c->client_count++;
	/* large rows that do not fit in are answered with a refusal */
	(void)!wire_grow_send_buffer(fd);
	k->channel =
	    channel_new(c->role->base, fd, on_control_client_packet, control_client_lost, k);
	channel_tell_emptied(k->channel, control_client_emptied);
	(void)!channel_send(k->channel, MESSAGE_HELLO, &hello, -1);
}

static void
on_control_connection(evutil_socket_t listener, short what, void *arg)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (fd >= 0)
		accept_control_client(arg, fd);
}

/* ---- owners ---- */

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

	for (int k = 0; k < ROLE_KINDS; k++)
		if (control->owners[k] == c) {
			channel_free(&control->owners[k]);
			role_peer_lost(control->role, control->owner_peers[k]);
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
		c->has_help_desk = str_u64(grant->name, &group);
		c->help_desk = c->has_help_desk ? (gid_t)group : 0;
	}
	if (fd >= 0)
		close(fd);
}

static void
control_peer(struct role *r, struct role_peer who, int fd)
{
	struct control *c = control_of(r);

	if (who.kind >= ROLE_KINDS || who.index != 0) {
		close(fd);
		return;
	}
	channel_end(&c->owners[who.kind]);
	c->owner_peers[who.kind] = who;
	c->owners[who.kind] = channel_new(r->base, fd, on_owner_packet, on_owner_lost, c);
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
	while (!TAILQ_EMPTY(&c->left))
		control_command_free(TAILQ_FIRST(&c->left));
	for (int k = 0; k < ROLE_KINDS; k++)
		channel_free(&c->owners[k]);
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
