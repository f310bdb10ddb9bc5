/*
 * control_internal: the state of control: its clients and their commands. Shared by control.c,
 * which passes commands on, and help_desk_rights.c, which decides who may give how many of them.
 */
#ifndef CONTROL_CONTROL_INTERNAL_H
#define CONTROL_CONTROL_INTERNAL_H

#include "control/caller.h"
#include "ipc/role.h"

struct control_client;
struct control;

/* One command of a tool, sent to the role that owns it. */
struct control_command {
	TAILQ_ENTRY(control_command) link;
	struct control *control;
	struct control_client *client; /* NULL: it is gone, and the owner still runs the command */
	uint64_t call;                 /* number of the tool's request */
	enum role_kind owner;
	uid_t uid; /* of the client, also after it is gone */
	int64_t started_ms;
	/* of rows that were passed on and not yet reported to the owner */
	uint32_t unreported_bytes;
	struct request request;
};
TAILQ_HEAD(control_commands, control_command);

struct control_client {
	TAILQ_ENTRY(control_client) link;
	struct control *control;
	struct channel *channel;
	int fd; /* of the channel */
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
	struct control_commands detached; /* of members of help_desk_group whose client is gone */
	unsigned detached_count;
	bool has_help_desk_group;
	gid_t help_desk_group;     /* as main found it */
	int64_t refusals_since_ms; /* start of the period in which refusals are counted */
	unsigned refusals;
};

#endif
