/*
 * control_internal: what control keeps of its clients and their commands; shared by control.c,
 * which passes commands on, and help_desk_rights.c, which says who may give how many.
 */
#ifndef CONTROL_CONTROL_INTERNAL_H
#define CONTROL_CONTROL_INTERNAL_H

#include "control/caller.h"
#include "ipc/role.h"

struct control_client;
struct control;

/* One command of a tool, at its owner. */
struct control_command {
	TAILQ_ENTRY(control_command) link;
	struct control *control;
	struct control_client *client; /* NULL: it left, and its owner is at work all the same */
	uint64_t call;         /* the tool's */
	enum role_kind owner;
	uid_t uid;             /* the client's, also when it left */
	int64_t started_ms;
	uint32_t unreported_bytes; /* of rows that were passed on, and the owner does not know it */
	struct request request;
};
TAILQ_HEAD(control_commands, control_command);

struct control_client {
	TAILQ_ENTRY(control_client) link;
	struct control *control;
	struct channel *channel;
	int fd;                /* the channel's */
	struct caller caller;
	unsigned command_count;
	struct control_commands commands;
};

struct control {
	struct role *role;
	int listener_fd;
	struct event *listener;
	struct channel *owners[ROLE_KINDS];
	struct role_peer owner_peers[ROLE_KINDS];
	TAILQ_HEAD(, control_client) clients;
	unsigned client_count;
	struct control_commands detached; /* of members of help_desk_group who left */
	unsigned detached_count;
	bool has_help_desk_group;
	gid_t help_desk_group;       /* its group, as main found it */
	int64_t refusals_since_ms;   /* since then: */
	unsigned refusals;
};

#endif
