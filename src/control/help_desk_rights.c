/*
 * help_desk_rights: decides and logs refusals; control accepts, begins and closes. Counts are taken
 * from the lists of clients and commands each time, so no second count can differ. Membership is
 * looked up for each command, so a reload of the group also concerns connected clients. Root has
 * only the limits that hold for every client.
 */
#include "control/help_desk_rights.h"

#include "base/clock.h"
#include "base/log.h"

enum {
	CLIENTS_MAX = 64,
	COMMANDS_MAX = 16, /* of one client at once */
	/* Limits for members, who must not lock root out. */
	HELP_DESK_CLIENTS_MAX = 32,
	HELP_DESK_CLIENTS_OF_UID = 8,
	HELP_DESK_COMMANDS_MAX = 16, /* of all members at once */
	/* a client that does not read its answers keeps them until it closes */
	HELP_DESK_COMMANDS_OF_UID = 8,
	HELP_DESK_WAITING_MAX = 64
	                        << 20, /* bytes of answers that wait for all members */
	REFUSALS_LOGGED_MAX = 60,      /* log lines in a minute, at most */
};
static const int64_t refusals_period_ms = 60 * 1000;

/* Refusals are limited because a caller could otherwise fill the log with them. */
bool
desk_rights_may_log(struct control *c)
{
	int64_t now_ms = clock_mono_ms();

	if (now_ms - c->refusals_since_ms >= refusals_period_ms) {
		if (c->refusals > REFUSALS_LOGGED_MAX)
			log_warn("admin: %u refusals were not logged, of %u within a minute",
			    c->refusals - REFUSALS_LOGGED_MAX, c->refusals);
		c->refusals_since_ms = now_ms;
		c->refusals = 0;
	}
	return ++c->refusals <= REFUSALS_LOGGED_MAX;
}

/* Looks at the groups now, whatever they were when the caller connected. */
bool
desk_rights_may_look(const struct control *c, int fd, const struct caller *caller)
{
	int is_in;

	if (!c->has_help_desk_group || caller->is_nobody)
		return false;
	is_in = caller_is_in(fd, caller, c->help_desk_group);
	if (is_in < 0)
		log_error("control: the groups of uid %u cannot be determined: %m", caller->uid);
	return is_in > 0;
}

const char *
desk_rights_missing(const struct control_client *client, const struct operator_command *r,
    struct str values, bool *is_member_out)
{
	*is_member_out = false;
	if (client->caller.may_act)
		return NULL;
	*is_member_out = desk_rights_may_look(client->control, client->fd, &client->caller);
	return *is_member_out ? verb_rights_root_words(r, values) : r->words;
}

void
desk_rights_log_refused(struct control *c, uid_t uid, const char *why)
{
	struct log_line l;

	if (!desk_rights_may_log(c))
		return;
	log_begin(&l, LOG_WARNING, "admin refused");
	log_num(&l, "uid", uid);
	if (why)
		log_quoted(&l, "why", str_of(why));
	log_end(&l);
}

/* Counts the commands that run for all members of help_desk_group, and for this user. */
static void
desk_rights_count_commands(const struct control *c, uid_t uid, unsigned *all_out, unsigned *own_out)
{
	const struct control_client *client;
	const struct control_command *q;

	*all_out = c->detached_count;
	*own_out = 0;
	TAILQ_FOREACH(client, &c->clients, link) {
		*all_out += client->caller.may_act ? 0 : client->command_count;
		*own_out += client->caller.uid == uid ? client->command_count : 0;
	}
	TAILQ_FOREACH(q, &c->detached, link)
		*own_out += q->uid == uid;
}

/* Members leave commands for one another, and for root. */
bool
desk_rights_may_begin(const struct control_client *client)
{
	unsigned all, own;

	if (client->command_count >= COMMANDS_MAX)
		return false;
	if (client->caller.may_act)
		return true;
	desk_rights_count_commands(client->control, client->caller.uid, &all, &own);
	return all < HELP_DESK_COMMANDS_MAX && own < HELP_DESK_COMMANDS_OF_UID;
}

/* Members of help_desk_group leave connections for root, and for one another. */
bool
desk_rights_may_connect(struct control *c, const struct caller *caller)
{
	const struct control_client *client;
	unsigned all = 0, own = 0;

	if (c->client_count >= CLIENTS_MAX)
		return false;
	if (caller->may_act)
		return true;
	TAILQ_FOREACH(client, &c->clients, link) {
		all += !client->caller.may_act;
		own += client->caller.uid == caller->uid;
	}
	if (all < HELP_DESK_CLIENTS_MAX && own < HELP_DESK_CLIENTS_OF_UID)
		return true;
	desk_rights_log_refused(c, caller->uid, "too many connections");
	return false;
}

struct control_client *
desk_rights_slowest_client(const struct control *c)
{
	struct control_client *client, *slowest = NULL;
	size_t all = 0, most = 0;

	TAILQ_FOREACH(client, &c->clients, link) {
		size_t waiting = client->caller.may_act ? 0 : channel_waiting(client->channel);

		all += waiting;
		if (waiting > most) {
			most = waiting;
			slowest = client;
		}
	}
	return all > HELP_DESK_WAITING_MAX ? slowest : NULL;
}
