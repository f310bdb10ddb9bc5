/*
 * rig: runs the submission and keys roles as threads, with real sockets and real TLS. The test acts
 * as main, and as auth and queue, each of which is a thread that answers at once, or not at all.
 */
#ifndef TESTS_SUBMISSION_RIG_H
#define TESTS_SUBMISSION_RIG_H

#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdatomic.h>

#include "ipc/role.h"

enum { RIG_LISTENERS = 2, RIG_SERVICES = 8, RIG_TEXT = 1 << 20 };

struct rig;

/* An auth or a queue; each replacement has one of its own. */
struct service {
	struct rig *rig;
	int fd;
	pthread_t thread;
};

struct rig {
	int main_fd, keys_fd;
	unsigned pings;
	pthread_t submission, keys;
	int listeners[RIG_LISTENERS];
	uint16_t ports[RIG_LISTENERS];
	gnutls_datum_t certificate, key;
	struct service services[RIG_SERVICES];
	unsigned service_count;
	int auth_fd, queue_fd;                /* of the newest auth and queue */
	struct fault_channel *faulty_channel; /* between submission and another role; NULL: none */
	_Atomic bool is_silent;               /* requests are counted, and not answered */
	_Atomic unsigned users_asked;         /* requests about users, also refused ones */
	_Atomic unsigned users_refused;       /* so many more of them are refused */
	_Atomic unsigned users_unknown;  /* so many requests are answered as unknown for alice */
	_Atomic unsigned users_answered; /* so many requests are answered before these */
	_Atomic unsigned users_named;    /* in all requests */
	const char *_Atomic user_gone;   /* named as removed in answers; NULL: nobody */
	_Atomic unsigned
	    files; /* given to submission; the rig keeps its descriptors of them open */
	_Atomic unsigned requests, lease_asks, lease_tokens, returned, released, committed,
	    cancelled;
	/* of the last commit; valid after the reply to it */
	char envelope_sender[256];
	char header[RIG_TEXT];
	size_t body_bytes;
	char body[256];
	bool in_file;
};

/* extra: lines of configuration. */
void rig_begin(struct rig *r, const char *extra);
void rig_end(struct rig *r);
/* Sends a new configuration; listeners from `count` on are closed. */
void rig_reload(struct rig *r, const char *extra, unsigned count);
/* Grants another socket for that listener; the former one is closed. */
void rig_listen(struct rig *r, unsigned index);
/* Replaces auth or the queue. */
void rig_replace(struct rig *r, enum role_kind kind);
/* The same with r->faulty_channel between; for keys, a new channel to the present role. */
void rig_replace_through(struct rig *r, enum role_kind kind);
void rig_keys_through(struct rig *r);
/* Grants another certificate and key to both roles. */
void rig_renew_certificate(struct rig *r);
/* Waits until submission answers. */
void rig_ping(struct rig *r);
void rig_user_gone(struct rig *r, const char *user);
/* The queue reports the room of its spool. */
void rig_room(struct rig *r, uint64_t file_bytes);
void rig_stop(struct rig *r);
/* The auth process ends. */
void rig_lose_auth(struct rig *r);
/* Waits until *count is at least n; the test fails after a timeout. */
void rig_until(const _Atomic unsigned *count, unsigned n);

#define CLIENT_TRANSACTION "MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n"
#define CLIENT_MESSAGE "From: alice@example.com\r\nSubject: x\r\n\r\nHello\r\n.\r\n"

struct client {
	int fd;
	gnutls_session_t tls; /* NULL: no TLS */
	gnutls_certificate_credentials_t credentials;
	char in[8192];
	size_t in_n;
};

/* Uses the unconnected socket in c->fd, if one was given. */
bool client_connect(struct client *c, const struct rig *r, unsigned listener);
void client_secure(struct client *c);
/* False: the handshake failed. */
bool client_try_secure(struct client *c);
/* Connects with implicit TLS, sends EHLO, and logs in. */
void client_login(struct client *c, const struct rig *r);
void client_send(struct client *c, const char *text);
/* The next reply must have this code. */
void client_expect(struct client *c, const char *code);
/* True when the server has closed the connection and no more data came. */
bool client_is_closed(struct client *c);
void client_close(struct client *c);
/* Begins a transaction and waits for 354; client_send_message then sends the message and waits for
 * 250. */
void client_begin_message(struct client *c);
void client_send_message(struct client *c);

#endif
