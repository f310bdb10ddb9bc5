/* rig: a daemon of a test's own, and instances of it whose roles the test plays. */
#ifndef TESTS_MAIN_RIG_H
#define TESTS_MAIN_RIG_H

#include "main/daemon.h"

enum { RIG_HEARD_MAX = 64 };

/* A role as main sees it: its channel's other end, and what came there. */
struct rig_role {
	struct instance *instance;
	struct channel *channel;
	unsigned peers;            /* PEER messages */
	struct message_peer peer;  /* the newest */
	int peer_fd;               /* of the newest; -1: none */
	unsigned pings;
	uint32_t ping_number;      /* the newest */
	unsigned notices;          /* that the queue was asked for */
	uint64_t notice_call;      /* the newest, not answered here */
	uint64_t notice_id;
	char notice_text[8192];
};

struct rig {
	struct daemon d;
	struct rig_role roles[8];
	char directory[64];
	char config[80];
};

void rig_set_up(struct rig *r);
void rig_tear_down(struct rig *r);
/* A configuration with everything below the rig's directory, `extra` behind it. */
void rig_configure(struct rig *r, const char *extra);
/* The same with a group "tls" of the test's own, in `extra`. */
void rig_configure_tls(struct rig *r, const char *extra);
struct rig_role *rig_role(struct rig *r, enum role_kind kind, unsigned index);
/* The loop for that long, and then until all that was sent is heard. */
void rig_run(struct rig *r, int ms);
/* Of 127.0.0.1; nobody listens there. */
unsigned rig_free_port(void);
/* Descriptors of this process. */
unsigned rig_descriptors(void);
/* Two certificates and their keys, as PEM; the first pair is in the files of rig_configure. */
extern const char *const rig_certificates[2], *const rig_keys[2];
void rig_write(const char *path, const char *text);
/* What if_nametoindex says of the interface "link0": its number, or the error and 0. */
extern unsigned rig_link_index;
extern int rig_link_error;

#endif
