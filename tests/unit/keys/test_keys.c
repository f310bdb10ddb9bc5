/*
 * keys: the role and its channels, in a thread and in a process with its sandbox.
 */
#include "ipc/blocking.h"
#include "keys/keys.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pem.h"

struct fixture {
	struct event_base *base;
	struct channel *main;
	int main_fd; /* the role's end */
	int peer_fd;
	pid_t pid;
	pthread_t thread;
	bool is_process;
	bool is_ready;
	unsigned lost;
	struct message_peer_lost last_lost;
};

static void
from_role(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct fixture *s = arg;

	(void)c;
	if (p->type == MESSAGE_READY)
		s->is_ready = true;
	if (p->type == MESSAGE_PEER_LOST) {
		s->lost++;
		s->last_lost = p->message->peer_lost;
	}
}

static void
lost(struct channel *c, void *arg)
{
	(void)c;
	(void)arg;
	cr_assert(false, "the role died");
}

static void *
run_thread(void *arg)
{
	struct fixture *s = arg;

	role_run(&keys_role, ROLE_KEYS, 0, s->main_fd, true);
	return NULL;
}

static void
grant(struct fixture *s, unsigned index, struct str pem)
{
	struct message_grant m = {
	    .kind = GRANT_PRIVATE_KEY, .index = (uint8_t)index, .name = STR("mail.key")};
	int fd = memfd_create("key", MFD_CLOEXEC);

	cr_assert(write(fd, pem.p, pem.n) == (ssize_t)pem.n);
	lseek(fd, 0, SEEK_SET);
	cr_assert(channel_send(s->main, MESSAGE_GRANT, &m, fd) == 0);
	close(fd);
}

static void
configure(struct fixture *s)
{
	static const char text[] = "hostname = \"mail.example.com\";";
	struct message_config m = {.generation = 1};
	int fd = memfd_create("configuration", MFD_CLOEXEC);

	cr_assert(write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1);
	cr_assert(channel_send(s->main, MESSAGE_CONFIG, &m, fd) == 0);
	close(fd);
}

static void
open_fixture(struct fixture *s, bool is_process, struct str pem)
{
	struct message_peer peer = {.role = ROLE_SUBMISSION, .number = 1};
	struct message_start start = {0};
	int fds[2], peers[2];
	int64_t end = clock_mono_ms() + 10000;

	*s = (struct fixture){.is_process = is_process};
	cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
	cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, peers) == 0);
	s->main_fd = fds[1];
	s->peer_fd = peers[0];
	if (is_process) {
		s->pid = fork();
		if (s->pid == 0) {
			close(fds[0]);
			close(peers[0]);
			close(peers[1]);
			_exit(role_run(&keys_role, ROLE_KEYS, 0, s->main_fd, false));
		}
		close(fds[1]);
	} else {
		pthread_create(&s->thread, NULL, run_thread, s);
	}
	s->base = event_base_new();
	s->main = channel_new(s->base, fds[0], from_role, lost, s);
	configure(s);
	grant(s, 0, pem);
	cr_assert(channel_send(s->main, MESSAGE_PEER, &peer, peers[1]) == 0);
	close(peers[1]);
	cr_assert(channel_send(s->main, MESSAGE_START, &start, -1) == 0);
	while (!s->is_ready && clock_mono_ms() < end)
		event_base_loop(s->base, EVLOOP_ONCE);
	cr_assert(s->is_ready);
}

static int
close_fixture(struct fixture *s)
{
	int status = 0;

	channel_free(&s->main);
	close(s->peer_fd);
	if (s->is_process)
		waitpid(s->pid, &status, 0);
	else
		pthread_join(s->thread, NULL);
	event_base_free(s->base);
	return status;
}

static bool
ask(struct fixture *s, struct str id, struct message_key *out)
{
	struct message_key_ask m = {id};
	struct blocking_question q = {1, MESSAGE_KEY_ASK, &m};
	union message answer;
	struct buf room;

	buf_init(&room, 1 << 20);
	cr_assert(blocking_ask(s->peer_fd, &q, &room, &answer) == REQUEST_ANSWERED);
	*out = answer.key;
	buf_clear(&room);
	return out->known;
}

static bool
sign(struct fixture *s, const struct pem *p, uint32_t algorithm)
{
	struct message_sign m = {pem_id(p), algorithm, false, STR("to be signed")};
	struct blocking_question q = {1, MESSAGE_SIGN, &m};
	gnutls_datum_t in = {(unsigned char *)m.data.p, (unsigned)m.data.n}, out;
	union message answer;
	struct buf room;
	bool ok;

	buf_init(&room, 1 << 20);
	cr_assert(blocking_ask(s->peer_fd, &q, &room, &answer) == REQUEST_ANSWERED);
	ok = answer.signature.ok;
	out.data = (unsigned char *)answer.signature.signature.p;
	out.size = (unsigned)answer.signature.signature.n;
	if (ok)
		cr_assert(gnutls_pubkey_verify_data2(p->public, algorithm, 0, &in, &out) >= 0);
	buf_clear(&room);
	return ok;
}

static void
check_role(bool is_process)
{
	struct pem one, two, locked;
	struct message_key key;
	struct fixture s;
	int status;

	pem_init(&one, GNUTLS_PK_ECDSA, true, NULL);
	pem_init(&two, GNUTLS_PK_RSA, false, NULL);
	pem_init(&locked, GNUTLS_PK_RSA, true, "x");
	open_fixture(&s, is_process, pem_str(&one));
	cr_assert(ask(&s, pem_id(&one), &key));
	cr_assert(key.algorithm == GNUTLS_PK_ECDSA && key.bits == 256);
	cr_assert(!ask(&s, pem_id(&two), &key));
	cr_assert(!ask(&s, STR("no id"), &key));
	cr_assert(sign(&s, &one, GNUTLS_SIGN_ECDSA_SECP256R1_SHA256));
	cr_assert(!sign(&s, &one, GNUTLS_SIGN_RSA_RAW));
	cr_assert(!sign(&s, &two, GNUTLS_SIGN_RSA_SHA256));
	/* a key that cannot be used does not replace the former one; a good one is used at once */
	grant(&s, 0, pem_str(&locked));
	cr_assert(ask(&s, pem_id(&one), &key));
	grant(&s, 0, pem_str(&two));
	cr_assert(ask(&s, pem_id(&two), &key), "a question just behind the grant finds it");
	cr_assert(sign(&s, &two, GNUTLS_SIGN_RSA_PSS_RSAE_SHA256));
	cr_assert(
	    sign(&s, &one, GNUTLS_SIGN_ECDSA_SHA256), "running sessions still have the old one");
	status = close_fixture(&s);
	cr_assert(status == 0);
	pem_clear(&one);
	pem_clear(&two);
	pem_clear(&locked);
}

Test(keys, as_a_thread, .timeout = 60)
{
	check_role(false);
}

Test(keys, in_its_sandbox, .timeout = 60)
{
	check_role(true);
}

Test(keys, a_peer_may_close_with_a_query_open, .timeout = 60)
{
	struct message_key_ask m = {STR("0123456789abcdef0123456789abcdef")};
	struct blocking_question q = {1, MESSAGE_KEY_ASK, &m};
	struct fixture s;
	struct pem p;
	struct buf room;

	pem_init(&p, GNUTLS_PK_ECDSA, true, NULL);
	open_fixture(&s, false, pem_str(&p));
	buf_init(&room, 1 << 20);
	/* the peer closes before the query is repeated */
	cr_assert(blocking_send(s.peer_fd, &q, &room) == REQUEST_ANSWERED);
	buf_clear(&room);
	cr_assert(close_fixture(&s) == 0);
	pem_clear(&p);
}

/* Main connects the two processes again: the former channel is closed, and the report of a lost
 * peer names the connection that was lost. */
Test(keys, a_new_channel_replaces_the_former_one, .timeout = 60)
{
	struct message_peer second = {.role = ROLE_SUBMISSION, .number = 2},
			    other = {.role = ROLE_SUBMISSION, .index = 1, .number = 3};
	struct message_key key;
	struct fixture s;
	struct pem p;
	int ends[2], others[2], before;
	char byte;

	pem_init(&p, GNUTLS_PK_ECDSA, true, NULL);
	open_fixture(&s, false, pem_str(&p));
	cr_assert(channel_pair(ends) == 0 && channel_pair(others) == 0);
	cr_assert(channel_send(s.main, MESSAGE_PEER, &other, others[1]) == 0);
	cr_assert(channel_send(s.main, MESSAGE_PEER, &second, ends[1]) == 0);
	close(ends[1]);
	close(others[1]);
	before = s.peer_fd;
	s.peer_fd = ends[0];
	cr_assert(ask(&s, pem_id(&p), &key));
	cr_assert(recv(before, &byte, 1, MSG_DONTWAIT) == 0, "the end of the first is closed");
	close(before);
	/* the only loss is the channel of the other process */
	close(others[0]);
	while (s.lost == 0)
		event_base_loop(s.base, EVLOOP_ONCE);
	cr_assert(ask(&s, pem_id(&p), &key));
	event_base_loop(s.base, EVLOOP_NONBLOCK);
	cr_assert(s.lost == 1 && s.last_lost.index == 1 && s.last_lost.number == 3);
	cr_assert(close_fixture(&s) == 0);
	pem_clear(&p);
}
