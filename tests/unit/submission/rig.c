/*
 * rig: see the header.
 */
#include "unit/submission/rig.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "keys/keys.h"
#include "mail/envelope.h"
#include "submission/client_counts.h"
#include "submission/submission.h"
#include "support/fault_channel.h"

enum { PACKET_MAX = MESSAGE_BYTES_MAX + 16, HEAD = 9, TIMEOUT_MS = 30000 };

/* ---- sending packets ---- */

static void
send_packet(int to, uint64_t call, enum message_type type, const void *m, int fd)
{
	char control[CMSG_SPACE(sizeof fd)] = {0};
	uint8_t is_answer = call > 0;
	struct buf out;
	struct iovec v;
	struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1};

	buf_init(&out, PACKET_MAX);
	buf_add(&out, &call, 8);
	buf_add(&out, &is_answer, 1);
	cr_assert(type == MESSAGE_NONE || message_encode(type, m, &out)); /* none: a refusal */
	v = (struct iovec){out.p, out.n};
	if (fd >= 0) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		h.msg_control = control;
		h.msg_controllen = sizeof control;
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(c), &fd, sizeof fd);
	}
	(void)!sendmsg(to, &h, MSG_NOSIGNAL);
	buf_clear(&out);
}

static void
open_channel_pair(int ends[2])
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

/* ---- services ---- */

static void
store_commit(struct rig *r, const struct message_commit *m, int file)
{
	struct arena arena;
	struct envelope e;

	arena_init(&arena, 4 << 20);
	cr_assert(envelope_decode(m->envelope, &arena, &e));
	snprintf(r->envelope_sender, sizeof r->envelope_sender, "%.*s", STR_ARG(e.sender));
	snprintf(r->header, sizeof r->header, "%.*s", STR_ARG(m->header));
	r->in_file = m->in_file;
	r->body_bytes = m->in_file ? (size_t)lseek(file, 0, SEEK_END) : m->body.n;
	cr_assert_eq(e.body_bytes, r->body_bytes);
	snprintf(
	    r->body, sizeof r->body, "%.*s", (int)(m->body.n < 200 ? m->body.n : 200), m->body.p);
	arena_clear(&arena);
}

static void
answer_users(struct service *s, uint64_t call, struct str users)
{
	const char *gone = s->rig->user_gone;
	struct message_auth_users m = {gone ? str_make(gone, strlen(gone) + 1) : STR(""), STR("")};
	static const char alice[] = "alice@example.com";

	for (; users.n; users = str_from(users, sizeof alice), s->rig->users_named++)
		cr_expect(str_starts(users, str_make(alice, sizeof alice)));
	if (s->rig->users_answered) {
		s->rig->users_answered--;
		send_packet(s->fd, call, MESSAGE_AUTH_USERS, &m, -1);
	} else if (s->rig->users_refused) {
		s->rig->users_refused--;
		send_packet(s->fd, call, MESSAGE_NONE, NULL, -1);
	} else if (s->rig->users_unknown) {
		s->rig->users_unknown--;
		m = (struct message_auth_users){STR(""), str_make(alice, sizeof alice)};
		send_packet(s->fd, call, MESSAGE_AUTH_USERS, &m, -1);
	} else {
		send_packet(s->fd, call, MESSAGE_AUTH_USERS, &m, -1);
	}
	s->rig->users_asked++;
}

static void
answer(struct service *s, uint64_t call, enum message_type type, union message *m, int *file)
{
	struct message_auth_answer yes = {.outcome = AUTH_OK, .user = STR("alice@example.com")};
	struct message_status fine = {smtp_status_make(250, "2.0.0", "Ok")};
	struct rig *r = s->rig;

	yes.status = smtp_status_make(235, "2.7.0", "Ok");
	r->cancelled += type == MESSAGE_AUTH_CANCEL;
	r->released += type == MESSAGE_RELEASE;
	r->returned += type == MESSAGE_LEASE_RETURN;
	r->requests += call > 0;
	if (call == 0 || r->is_silent)
		return;
	if (type == MESSAGE_AUTH_START && !m->auth_start.has_initial)
		yes = (struct message_auth_answer){
		    .outcome = AUTH_CONTINUE, .challenge = STR("Username:")};
	if (type == MESSAGE_AUTH_START || type == MESSAGE_AUTH_STEP) {
		send_packet(s->fd, call, MESSAGE_AUTH_ANSWER, &yes, -1);
		return;
	}
	if (type == MESSAGE_AUTH_USERS_ASK) {
		answer_users(s, call, m->auth_users_ask.users);
		return;
	}
	if (type == MESSAGE_LEASE_ASK) {
		r->lease_asks++;
		send_packet(s->fd, call, MESSAGE_LEASE,
		    &(struct message_lease){.status = fine.status,
			.tokens = r->lease_tokens ? r->lease_tokens : 1}, -1);
		return;
	}
	if (type == MESSAGE_SPOOL_FILE) {
		*file = memfd_create("body", MFD_CLOEXEC);
		r->files++;
	}
	if (type == MESSAGE_COMMIT) {
		store_commit(r, &m->commit, *file);
		r->committed++;
	}
	send_packet(s->fd, call, MESSAGE_STATUS, &fine, type == MESSAGE_SPOOL_FILE ? *file : -1);
}

static void *
run_service(void *arg)
{
	struct service *s = arg;
	char *in = malloc(PACKET_MAX);
	int file = -1;
	ssize_t n;

	while ((n = recv(s->fd, in, PACKET_MAX, 0)) >= HEAD) {
		enum message_type type;
		union message m;
		uint64_t call;

		memcpy(&call, in, 8);
		cr_assert(message_decode(str_make(in + HEAD, (size_t)n - HEAD), &type, &m));
		answer(s, call, type, &m, &file);
	}
	close(s->fd);
	free(in);
	return NULL;
}

static void
replace_service(struct rig *r, enum role_kind kind, const int ends[2])
{
	struct message_peer m = {.role = (uint8_t)kind};
	struct service *s = &r->services[r->service_count++];

	cr_assert_leq(r->service_count, RIG_SERVICES);
	*s = (struct service){.rig = r, .fd = ends[1]};
	if (kind == ROLE_AUTH)
		r->auth_fd = ends[1];
	if (kind == ROLE_QUEUE)
		r->queue_fd = ends[1];
	/* a service blocks in recv */
	cr_assert_eq(fcntl(ends[1], F_SETFL, 0), 0);
	cr_assert_eq(pthread_create(&s->thread, NULL, run_service, s), 0);
	send_packet(r->main_fd, 0, MESSAGE_PEER, &m, ends[0]);
	close(ends[0]);
}

void
rig_replace(struct rig *r, enum role_kind kind)
{
	int ends[2];

	open_channel_pair(ends);
	replace_service(r, kind, ends);
}

void
rig_replace_through(struct rig *r, enum role_kind kind)
{
	int ends[2];

	fault_channel_free(&r->faulty_channel);
	r->faulty_channel = fault_channel_new(ends);
	replace_service(r, kind, ends);
}

void
rig_lose_auth(struct rig *r)
{
	shutdown(r->auth_fd, SHUT_RDWR);
}

void
rig_user_gone(struct rig *r, const char *user)
{
	struct message_auth_user_gone m = {str_of(user)};

	send_packet(r->auth_fd, 0, MESSAGE_AUTH_USER_GONE, &m, -1);
}

void
rig_room(struct rig *r, uint64_t file_bytes)
{
	struct message_room m = {.file_bytes = file_bytes};

	send_packet(r->queue_fd, 0, MESSAGE_ROOM, &m, -1);
}

/* ---- what main does ---- */

static void *
run_submission(void *arg)
{
	role_run(&submission_role, ROLE_SUBMISSION, 0, *(int *)arg, true);
	return NULL;
}

static void *
run_keys(void *arg)
{
	role_run(&keys_role, ROLE_KEYS, 0, *(int *)arg, true);
	return NULL;
}

static void
send_config(int to, const char *extra, unsigned listeners)
{
	static const char *const listen[] = {"",
	    "listen: ( { address = \"127.0.0.1\"; port = 465; tls = "
	    "\"implicit\"; } );",
	    "listen: ( { address = \"127.0.0.1\"; port = 465; tls = \"implicit\"; }, "
	    "{ address = \"127.0.0.1\"; port = 587; tls = \"starttls\"; } );"};
	int fd = memfd_create("config", MFD_CLOEXEC);
	struct message_config m = {1};

	dprintf(fd,
	    "hostname = \"mail.example.com\";\ndomains = ( { name = \"example.com\"; } );\n"
	    "tls: { certificate = \"/c.pem\"; private_key = \"/k.pem\"; };\n%s\n%s\n",
	    listen[listeners], extra);
	send_packet(to, 0, MESSAGE_CONFIG, &m, fd);
	close(fd);
}

static void
send_file(int to, enum role_grant kind, const gnutls_datum_t *pem)
{
	struct message_grant m = {.kind = (uint8_t)kind, .name = STR("test.pem")};
	int fd = memfd_create("pem", MFD_CLOEXEC);

	cr_assert_eq(write(fd, pem->data, pem->size), (ssize_t)pem->size);
	lseek(fd, 0, SEEK_SET);
	send_packet(to, 0, MESSAGE_GRANT, &m, fd);
	close(fd);
}

void
rig_listen(struct rig *r, unsigned index)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	struct message_grant m = {
	    .kind = GRANT_LISTENER, .index = (uint8_t)index, .name = STR("127.0.0.1")};
	socklen_t size = sizeof at;
	int before = r->listeners[index];

	r->listeners[index] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(r->listeners[index], (struct sockaddr *)&at, sizeof at), 0);
	cr_assert_eq(listen(r->listeners[index], 64), 0);
	getsockname(r->listeners[index], (struct sockaddr *)&at, &size);
	r->ports[index] = ntohs(at.sin_port);
	send_packet(r->main_fd, 0, MESSAGE_GRANT, &m, r->listeners[index]);
	if (before >= 0)
		close(before);
}

void
rig_reload(struct rig *r, const char *extra, unsigned count)
{
	send_config(r->main_fd, extra, count);
	for (unsigned i = count; i < RIG_LISTENERS; i++) {
		close(r->listeners[i]);
		r->listeners[i] = -1;
	}
}

static void
make_certificate(struct rig *r)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t crt;
	unsigned char serial[4];

	gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial);
	serial[0] &= 0x7f;
	gnutls_x509_privkey_init(&key);
	cr_assert_eq(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
	    GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0), 0);
	gnutls_x509_crt_init(&crt);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_key(crt, key);
	gnutls_x509_crt_set_serial(crt, serial, sizeof serial);
	gnutls_x509_crt_set_dn(crt, "CN=mail.example.com", NULL);
	gnutls_x509_crt_set_activation_time(crt, time(NULL) - 86400);
	gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 86400);
	cr_assert_eq(gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0), 0);
	gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &r->certificate);
	gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &r->key);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
}

void
rig_renew_certificate(struct rig *r)
{
	gnutls_free(r->certificate.data);
	gnutls_free(r->key.data);
	make_certificate(r);
	send_file(r->keys_fd, GRANT_PRIVATE_KEY, &r->key);
	send_file(r->main_fd, GRANT_CERTIFICATE, &r->certificate);
}

static void
connect_keys(struct rig *r, const int ends[2])
{
	struct message_peer to_keys = {.role = ROLE_KEYS},
	                    to_submission = {.role = ROLE_SUBMISSION};

	send_packet(r->keys_fd, 0, MESSAGE_PEER, &to_submission, ends[0]);
	send_packet(r->main_fd, 0, MESSAGE_PEER, &to_keys, ends[1]);
	close(ends[0]);
	close(ends[1]);
}

void
rig_keys_through(struct rig *r)
{
	int ends[2];

	fault_channel_free(&r->faulty_channel);
	r->faulty_channel = fault_channel_new(ends);
	connect_keys(r, ends);
}

static void
connect_roles(struct rig *r)
{
	int ends[2];

	open_channel_pair(ends);
	connect_keys(r, ends);
	rig_replace(r, ROLE_AUTH);
	rig_replace(r, ROLE_QUEUE);
}

static void
grant_rest(struct rig *r)
{
	struct message_grant ticket = {.kind = GRANT_TICKET_KEY, .name = STR(
	    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")};
	struct message_grant clients = {.kind = GRANT_CLIENTS};
	int fd = memfd_create("clients", MFD_CLOEXEC);

	cr_assert_eq(ftruncate(fd, (off_t)client_counts_bytes()), 0);
	send_packet(r->main_fd, 0, MESSAGE_GRANT, &ticket, -1);
	send_packet(r->main_fd, 0, MESSAGE_GRANT, &clients, fd);
	close(fd);
}

static void
start_role(int fd)
{
	struct message_start m = {.node = 1, .slot = 1};
	char in[4096];
	enum message_type type = MESSAGE_NONE;
	union message received;
	ssize_t n;

	send_packet(fd, 0, MESSAGE_START, &m, -1);
	while (type != MESSAGE_READY && (n = recv(fd, in, sizeof in, 0)) >= HEAD)
		cr_assert(message_decode(str_make(in + HEAD, (size_t)n - HEAD), &type, &received));
	cr_assert_eq(type, MESSAGE_READY);
}

void
rig_ping(struct rig *r)
{
	struct message_ping m = {.number = ++r->pings};
	enum message_type type = MESSAGE_NONE;
	union message received;
	char in[4096];
	ssize_t n;

	send_packet(r->main_fd, 0, MESSAGE_PING, &m, -1);
	do {
		n = recv(r->main_fd, in, sizeof in, 0);
		cr_assert_geq(n, HEAD);
		cr_assert(message_decode(str_make(in + HEAD, (size_t)n - HEAD), &type, &received));
	} while (type != MESSAGE_PONG || received.pong.number != r->pings);
}

void
rig_begin(struct rig *r, const char *extra)
{
	static int role_ends[2];
	int ends[2];

	memset(r, 0, sizeof *r);
	r->listeners[0] = r->listeners[1] = -1;
	make_certificate(r);
	open_channel_pair(ends);
	r->keys_fd = ends[0];
	role_ends[0] = ends[1];
	open_channel_pair(ends);
	r->main_fd = ends[0];
	role_ends[1] = ends[1];
	cr_assert_eq(pthread_create(&r->keys, NULL, run_keys, &role_ends[0]), 0);
	cr_assert_eq(pthread_create(&r->submission, NULL, run_submission, &role_ends[1]), 0);
	send_config(r->keys_fd, "", RIG_LISTENERS);
	send_file(r->keys_fd, GRANT_PRIVATE_KEY, &r->key);
	send_config(r->main_fd, extra, RIG_LISTENERS);
	send_file(r->main_fd, GRANT_CERTIFICATE, &r->certificate);
	grant_rest(r);
	for (unsigned i = 0; i < RIG_LISTENERS; i++)
		rig_listen(r, i);
	connect_roles(r);
	start_role(r->keys_fd);
	start_role(r->main_fd);
}

void
rig_stop(struct rig *r)
{
	struct message_stop m = {TIMEOUT_MS};

	send_packet(r->main_fd, 0, MESSAGE_STOP, &m, -1);
}

void
rig_end(struct rig *r)
{
	shutdown(r->main_fd, SHUT_RDWR);
	shutdown(r->keys_fd, SHUT_RDWR);
	pthread_join(r->submission, NULL);
	pthread_join(r->keys, NULL);
	fault_channel_free(&r->faulty_channel);
	for (unsigned i = 0; i < r->service_count; i++)
		pthread_join(r->services[i].thread, NULL);
	close(r->main_fd);
	close(r->keys_fd);
	for (unsigned i = 0; i < RIG_LISTENERS; i++)
		if (r->listeners[i] >= 0)
			close(r->listeners[i]);
	gnutls_free(r->certificate.data);
	gnutls_free(r->key.data);
}

void
rig_until(const _Atomic unsigned *count, unsigned n)
{
	for (int i = 0; i < TIMEOUT_MS && *count < n; i++)
		usleep(1000);
	cr_assert_geq(*count, n, "waited for ever");
}
