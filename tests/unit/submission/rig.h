/*
 * rig: the real submission and keys roles as threads, on real sockets with real TLS; the test is
 * their main, and plays auth and queue, each a thread that answers at once, or not at all.
 */
#ifndef TESTS_SUBMISSION_RIG_H
#define TESTS_SUBMISSION_RIG_H

#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdatomic.h>

#include "ipc/role.h"

enum { RIG_LISTENERS = 2, RIG_SERVICES = 8, RIG_TEXT = 1 << 20 };

struct rig;

/* An auth broker or a queue; one more for each replacement. */
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
	int auth_fd, queue_fd; /* of the newest broker and queue */
	struct fault_channel *between; /* submission and one of the others; NULL: nothing */
	_Atomic bool is_silent; /* questions are counted, and not answered */
	_Atomic unsigned users_asked, users_refused; /* so many more times the broker cannot tell */
	_Atomic unsigned users_unknown; /* so many times it answers that it cannot tell of alice */
	_Atomic unsigned users_told; /* but can so many times before */
	_Atomic unsigned users_named; /* in all questions */
	const char *_Atomic user_gone; /* what it says of those who are asked about; NULL: nobody */
	_Atomic unsigned files; /* given to submission; its own ends are never closed */
	_Atomic unsigned asked, lease_asks, lease_tokens, returned, released, committed, cancelled;
	/* of the last commit; looked at after its reply */
	char envelope_sender[256];
	char header[RIG_TEXT];
	size_t body_bytes;
	char body[256];
	bool in_file;
};

/* extra: lines of configuration. */
void rig_begin(struct rig *r, const char *extra);
void rig_end(struct rig *r);
/* A new configuration; listeners beyond `count` are gone. */
void rig_reload(struct rig *r, const char *extra, unsigned count);
/* Another socket in place of that listener; the former one is closed. */
void rig_listen(struct rig *r, unsigned index);
void rig_replace(struct rig *r, enum role_kind kind);
/* The same with r->between on the way; for keys, which stay as they are, a new channel. */
void rig_replace_through(struct rig *r, enum role_kind kind);
void rig_keys_through(struct rig *r);
/* Another certificate and key, granted to both roles. */
void rig_renew_certificate(struct rig *r);
/* Until it gives a sign of life. */
void rig_ping(struct rig *r);
void rig_user_gone(struct rig *r, const char *user);
/* The queue tells what its spool has room for. */
void rig_room(struct rig *r, uint64_t file_bytes);
void rig_stop(struct rig *r);
/* The service process dies. */
void rig_lose_auth(struct rig *r);
/* Until *count is at least n; the test fails when it takes for ever. */
void rig_until(const _Atomic unsigned *count, unsigned n);

#define CLIENT_TRANSACTION "MAIL FROM:<alice@example.com>\r\nRCPT TO:<bob@example.net>\r\nDATA\r\n"
#define CLIENT_MESSAGE "From: alice@example.com\r\nSubject: x\r\n\r\nHello\r\n.\r\n"

struct client {
	int fd;
	gnutls_session_t tls; /* NULL: plain */
	gnutls_certificate_credentials_t credentials;
	char in[8192];
	size_t in_n;
};

/* An unconnected socket in c->fd may be given: then it is used. */
bool client_connect(struct client *c, const struct rig *r, unsigned listener);
void client_secure(struct client *c);
/* False: the handshake failed. */
bool client_try_secure(struct client *c);
/* Connected by implicit TLS, EHLO, logged in. */
void client_login(struct client *c, const struct rig *r);
void client_say(struct client *c, const char *text);
/* The next reply has this code. */
void client_expect(struct client *c, const char *code);
/* No more is said: true when the peer closed. */
bool client_is_closed(struct client *c);
void client_close(struct client *c);
/* A transaction until 354, and with the message and its 250. */
void client_begin_message(struct client *c);
void client_send_message(struct client *c);

#endif
