/*
 * control: the operator's door.  Takes commands from the tool over a unix socket, asks the role
 * that owns the answer, and passes its rows back.  It holds no mail, no key and no password; it
 * decides who may ask: root, or the user that the daemon runs as.
 */
#include "control/control.h"

#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

enum {
	CLIENTS_MAX = 64,
	REQUESTS_MAX = 16, /* of one client at once */
	EXIT_USAGE = 64,
	EXIT_UNAVAILABLE = 69,
};

struct client;

struct request {
	TAILQ_ENTRY(request) link;
	struct client *client;
	uint32_t call;          /* the tool's */
	struct channel **owner; /* where it was sent; *owner NULL: gone since */
	uint32_t owner_call;
};

struct client {
	TAILQ_ENTRY(client) link;
	struct control *control;
	struct channel *channel;
	uid_t uid;
	unsigned request_count;
	TAILQ_HEAD(, request) requests;
};

struct control {
	struct role *role;
	int listener_fd;
	struct event *listener;
	struct channel *owners[ROLE_KINDS];
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
    {"test.auth", ROLE_AUTH},
    {"queue.", ROLE_QUEUE},
    {"route.", ROLE_RELAY},
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
request_free(struct request *q)
{
	TAILQ_REMOVE(&q->client->requests, q, link);
	q->client->request_count--;
	mem_free(q);
}

static void
client_free(struct client *k)
{
	struct request *q;

	while ((q = TAILQ_FIRST(&k->requests))) {
		if (*q->owner)
			channel_cancel(*q->owner, q->owner_call);
		request_free(q);
	}
	TAILQ_REMOVE(&k->control->clients, k, link);
	k->control->client_count--;
	channel_free(&k->channel);
	mem_free(k);
}

static void
refuse(struct client *k, uint32_t call, uint8_t exit_code, const char *text)
{
	struct message_admin_done m = {.exit_code = exit_code, .text = str_of(text)};

	(void)!channel_answer(k->channel, call, MESSAGE_ADMIN_DONE, &m, -1);
}

static void
answered(const struct packet *p, void *arg)
{
	struct request *q = arg;

	if (!p) {
		refuse(q->client, q->call, EXIT_UNAVAILABLE,
		    "that part of the daemon has just ended\n");
		request_free(q);
		return;
	}
	if (p->fd >= 0)
		close(p->fd);
	if (p->type == MESSAGE_ADMIN_ROW) {
		(void)!channel_answer(
		    q->client->channel, q->call, p->type, &p->message->admin_row, -1);
		return;
	}
	if (p->type == MESSAGE_ADMIN_DONE)
		(void)!channel_answer(
		    q->client->channel, q->call, p->type, &p->message->admin_done, -1);
	else
		refuse(q->client, q->call, EXIT_UNAVAILABLE, "unexpected answer\n");
	request_free(q);
}

/* ---- questions ---- */

static struct channel **
owner_of(struct control *c, struct str verb)
{
	for (size_t i = 0; i < sizeof owners / sizeof *owners; i++) {
		if (!str_starts(verb, str_of(owners[i].prefix)))
			continue;
		return owners[i].kind == ROLE_MAIN ? &c->role->main : &c->owners[owners[i].kind];
	}
	return NULL;
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
pass_on(struct client *k, uint32_t call, const struct message_admin *m)
{
	struct channel **owner = owner_of(k->control, m->verb);
	struct message_admin asked = *m;
	struct request *q;
	struct buf name;

	if (!owner || k->request_count >= REQUESTS_MAX) {
		refuse(k, call, EXIT_USAGE, "no such command\n");
		return;
	}
	buf_init(&name, 64);
	asked.by = name_of(k->uid, &name);
	q = MEM_NEW(struct request);
	*q = (struct request){.client = k, .call = call, .owner = owner};
	TAILQ_INSERT_TAIL(&k->requests, q, link);
	k->request_count++;
	if (*owner)
		q->owner_call = channel_ask(*owner, MESSAGE_ADMIN, &asked, answered, q);
	buf_clear(&name);
	if (q->owner_call)
		return;
	refuse(k, call, EXIT_UNAVAILABLE, "that part of the daemon is not running\n");
	request_free(q);
}

static void
from_client(struct channel *c, const struct packet *p, void *arg)
{
	struct client *k = arg;

	(void)c;
	if (p->fd >= 0)
		close(p->fd);
	if (p->type == MESSAGE_ADMIN && p->call)
		pass_on(k, p->call, &p->message->admin);
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
	if (who.uid == 0 || who.uid == geteuid())
		return true;
	log_begin(&l, LOG_WARNING, "admin refused");
	log_num(&l, "uid", who.uid);
	log_end(&l);
	return false;
}

static void
take_client(struct control *c, int fd)
{
	struct client *k;
	uid_t uid;

	if (c->client_count >= CLIENTS_MAX || !may_ask(fd, &uid)) {
		close(fd);
		return;
	}
	k = MEM_NEW(struct client);
	k->control = c;
	k->uid = uid;
	TAILQ_INIT(&k->requests);
	TAILQ_INSERT_TAIL(&c->clients, k, link);
	c->client_count++;
	k->channel = channel_new(c->role->base, fd, from_client, client_lost, k);
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
	(void)c;
	(void)arg;
	if (p->fd >= 0)
		close(p->fd);
}

static void
owner_lost(struct channel *c, void *arg)
{
	struct channel **place = arg;

	if (*place == c)
		channel_free(place);
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
on_peer(struct role *r, enum role_kind kind, unsigned index, int fd)
{
	struct control *c = control_of(r);

	if (kind >= ROLE_KINDS || index != 0) {
		close(fd);
		return;
	}
	channel_end(&c->owners[kind]);
	c->owners[kind] = channel_new(r->base, fd, from_owner, owner_lost, &c->owners[kind]);
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
