/*
 * control: the operator's door.  Takes commands from the tool over a unix socket, asks the role
 * that owns the answer, and passes its rows back.  It holds no mail, no key and no password; it
 * decides who may ask: root, or the user that the daemon runs as.
 */
#include "control/control.h"

#include <stdio.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/wire.h"

enum {
	CLIENTS_MAX = 64,
	COMMANDS_MAX = 16, /* of one client at once */
	NOBODY_UID = 65534,
	EXIT_USAGE = 64,
	EXIT_LATER = 75,
	EXIT_UNAVAILABLE = 69,
};

struct client;

/* One command of a tool, at its owner. */
struct command {
	TAILQ_ENTRY(command) link;
	struct client *client;
	uint64_t call; /* the tool's */
	enum role_kind owner;
	int64_t asked_ms;
	struct request request;
};

struct client {
	TAILQ_ENTRY(client) link;
	struct control *control;
	struct channel *channel;
	uid_t uid;
	unsigned command_count;
	TAILQ_HEAD(, command) commands;
};

struct control {
	struct role *role;
	int listener_fd;
	struct event *listener;
	struct channel *owners[ROLE_KINDS];
	struct role_peer owner_peers[ROLE_KINDS];
	TAILQ_HEAD(, client) clients;
	unsigned client_count;
};

/* Which role answers a verb: the longest prefix is the first here. */
static const struct owner {
	const char *prefix;
	enum role_kind kind;
} owners[] = {
    {"reload", ROLE_MAIN},
    {"main.", ROLE_MAIN},
    {"user.", ROLE_AUTH},
    {"block.", ROLE_AUTH},
    {"test.auth", ROLE_AUTH},
    {"queue.", ROLE_QUEUE},
    {"route.", ROLE_RELAY},
    {"dns.", ROLE_RELAY},
};

static struct control *
control_of(struct role *r)
{
	if (!r->state) {
		struct control *c = MEM_NEW(struct control);

		c->role = r;
		c->listener_fd = -1;
		TAILQ_INIT(&c->clients);
		r->state = c;
	}
	return r->state;
}

/* ---- answers ---- */

static void
command_free(struct command *q)
{
	request_cancel(&q->request);
	TAILQ_REMOVE(&q->client->commands, q, link);
	q->client->command_count--;
	mem_free(q);
}

static void
client_free(struct client *k)
{
	struct command *q;

	while ((q = TAILQ_FIRST(&k->commands)))
		command_free(q);
	TAILQ_REMOVE(&k->control->clients, k, link);
	k->control->client_count--;
	channel_free(&k->channel);
	mem_free(k);
}

static void
refuse(struct client *k, uint64_t call, uint8_t exit_code, const char *text)
{
	struct message_admin_done m = {.exit_code = exit_code, .text = str_of(text)};

	(void)!channel_answer(k->channel, call, MESSAGE_ADMIN_DONE, &m, -1);
}

/* Which process did not answer, for how long, and what that means for the command. */
static void
command_unanswered(struct command *q, enum request_end end)
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
	refuse(q->client, q->call, EXIT_UNAVAILABLE, why);
}

static void
command_answered(enum request_end end, const struct packet *p, void *arg)
{
	struct command *q = arg;

	if (end == REQUEST_ROW) {
		(void)!channel_answer(
		    q->client->channel, q->call, p->type, &p->message->admin_row, -1);
		return;
	}
	if (end == REQUEST_ANSWERED)
		(void)!channel_answer(
		    q->client->channel, q->call, p->type, &p->message->admin_done, -1);
	else
		command_unanswered(q, end);
	command_free(q);
}

/* ---- questions ---- */

/* ROLE_KINDS: there is no such command. */
static enum role_kind
owner_of(struct str verb)
{
	for (size_t i = 0; i < sizeof owners / sizeof *owners; i++)
		if (str_starts(verb, str_of(owners[i].prefix)))
			return owners[i].kind;
	return ROLE_KINDS;
}

/* Who asks, as the kernel knows it: the tool's word would not do. */
static struct str
name_of(uid_t uid, struct buf *room)
{
	if (uid == 0)
		return STR("root");
	buf_addf(room, "uid:%u", (unsigned)uid);
	return buf_str(room);
}

static void
pass_on(struct client *k, uint64_t call, const struct message_admin *m)
{
	struct message_admin asked = *m;
	enum role_kind kind = owner_of(m->verb);
	struct channel *owner;
	char text[REQUEST_TEXT_BYTES];
	struct command *q;
	struct buf name;

	if (kind == ROLE_KINDS || k->command_count >= COMMANDS_MAX) {
		if (kind == ROLE_KINDS)
			refuse(k, call, EXIT_USAGE, "no such command\n");
		else
			refuse(k, call, EXIT_LATER, "too many commands at once: try again later\n");
		return;
	}
	owner = kind == ROLE_MAIN ? k->control->role->main : k->control->owners[kind];
	if (!owner) {
		snprintf(text, sizeof text, "%s is not running now, and is started again: repeat "
		    "the command", role_name(kind));
		refuse(k, call, EXIT_UNAVAILABLE, text);
		return;
	}
	buf_init(&name, 64);
	asked.by = name_of(k->uid, &name);
	q = MEM_NEW(struct command);
	*q = (struct command){
	    .client = k, .call = call, .owner = kind, .asked_ms = clock_mono_ms()};
	TAILQ_INSERT_TAIL(&k->commands, q, link);
	k->command_count++;
	request_init(&q->request, command_answered, q);
	if (message_is_quick(m->verb))
		request_quick(&q->request);
	request_ask(&q->request, owner, MESSAGE_ADMIN, &asked);
	buf_clear(&name);
}

static void
from_client(struct channel *c, const struct packet *p, void *arg)
{
	struct client *k = arg;

	(void)c;
	if (p->fd >= 0)
		close(p->fd);
	if (p->type == MESSAGE_COMMAND && p->call)
		pass_on(k, p->call, &p->message->command);
	else
		client_free(k);
}

static void
client_lost(struct channel *c, void *arg)
{
	(void)c;
	client_free(arg);
}

static bool
may_ask(int fd, uid_t *uid_out)
{
	struct ucred who;
	socklen_t n = sizeof who;
	struct log_line l;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0)
		return false;
	*uid_out = who.uid;
	/* the kernel shows every user that this namespace does not know as nobody */
	if (who.uid != NOBODY_UID && (who.uid == 0 || who.uid == geteuid()))
		return true;
	log_begin(&l, LOG_WARNING, "admin refused");
	log_num(&l, "uid", who.uid);
	log_end(&l);
	return false;
}

/* The build is said first: a tool of another one cannot know it from an answer that it does not
 * get. */
static void
take_client(struct control *c, int fd)
{
	struct message_hello hello = {.build = role_build()};
	struct client *k;
	uid_t uid;

	if (c->client_count >= CLIENTS_MAX || !may_ask(fd, &uid)) {
		close(fd);
		return;
	}
	k = MEM_NEW(struct client);
	k->control = c;
	k->uid = uid;
	TAILQ_INIT(&k->commands);
	TAILQ_INSERT_TAIL(&c->clients, k, link);
	c->client_count++;
	/* large rows that do not fit in are answered with a refusal */
	(void)!wire_make_room(fd);
	k->channel = channel_new(c->role->base, fd, from_client, client_lost, k);
	(void)!channel_send(k->channel, MESSAGE_HELLO, &hello, -1);
}

static void
on_connection(evutil_socket_t listener, short what, void *arg)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (fd >= 0)
		take_client(arg, fd);
}

/* ---- owners ---- */

static void
from_owner(struct channel *c, const struct packet *p, void *arg)
{
	(void)arg;
	if (p->fd >= 0)
		close(p->fd);
	channel_refuse(c, p->call);
}

static void
owner_lost(struct channel *c, void *arg)
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
on_grant(struct role *r, const struct message_grant *grant, int fd)
{
	struct control *c = control_of(r);

	if (grant->kind == GRANT_ADMIN && c->listener_fd < 0)
		c->listener_fd = fd;
	else if (fd >= 0)
		close(fd);
}

static void
on_peer(struct role *r, struct role_peer who, int fd)
{
	struct control *c = control_of(r);

	if (who.kind >= ROLE_KINDS || who.index != 0) {
		close(fd);
		return;
	}
	channel_end(&c->owners[who.kind]);
	c->owner_peers[who.kind] = who;
	c->owners[who.kind] = channel_new(r->base, fd, from_owner, owner_lost, c);
}

static int
start(struct role *r)
{
	struct control *c = control_of(r);

	if (c->listener_fd < 0)
		return -1;
	c->listener =
	    event_new(r->base, c->listener_fd, EV_READ | EV_PERSIST, on_connection, c);
	return c->listener && event_add(c->listener, NULL) == 0 ? 0 : -1;
}

static void
end(struct role *r)
{
	struct control *c = r->state;

	if (!c)
		return;
	while (!TAILQ_EMPTY(&c->clients))
		client_free(TAILQ_FIRST(&c->clients));
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
    .grant = on_grant,
    .peer = on_peer,
    .start = start,
    .end = end,
};
