/* rig: a daemon for one test, and instances of it whose roles the test plays. */
#ifndef TESTS_MAIN_RIG_H
#define TESTS_MAIN_RIG_H

#include "main/daemon.h"

/* A role as main sees it: the other end of its channel, and what arrived there. */
struct rig_role {
	struct instance *instance;
	struct channel *channel;
	unsigned peers;            /* PEER messages */
	struct message_peer peer;  /* the newest */
	int peer_fd;               /* of the newest; -1: none */
	unsigned pings;
	uint32_t ping_number;      /* the newest */
	unsigned notices;          /* requests for notices that the queue got */
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

/* Creates the directory and the daemon; rig_tear_down removes and frees everything. */
void rig_set_up(struct rig *r);
void rig_tear_down(struct rig *r);
/* Reads a configuration with everything below the rig's directory, and `extra` after it. */
void rig_configure(struct rig *r, const char *extra);
/* The same with a group "tls" of the test in `extra`. */
void rig_configure_tls(struct rig *r, const char *extra);
/* Adds an instance in state READY, with both ends of its channel. */
struct rig_role *rig_role(struct rig *r, enum role_kind kind, unsigned index);
/* Runs the loop for that long, and then until everything that was sent is handled. */
void rig_run(struct rig *r, int ms);
/* A port of 127.0.0.1 without a listener. */
unsigned rig_free_port(void);
/* The number of open descriptors of this process. */
unsigned rig_descriptors(void);
/* Two certificates and their keys, as PEM; the first pair is in the files of rig_configure. */
extern const char *const rig_certificates[2], *const rig_keys[2];
/* Writes a text file. */
void rig_write(const char *path, const char *text);
/* The result of if_nametoindex for the interface "link0": its number, or the error and 0. */
extern unsigned rig_link_index;
extern int rig_link_error;

#endif
