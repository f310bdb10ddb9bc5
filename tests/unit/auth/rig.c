#include "unit/auth/rig.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/mem.h"

enum { ITERATIONS = 4096, PATIENCE_S = 30 };

#ifdef SANITIZERS
enum { IS_THREAD = true }; /* the sanitizers need system calls that the sandbox refuses */
#else
enum { IS_THREAD = false };
#endif

bool
rig_password_matches(const struct scram_secret *s, struct str password)
{
	uint8_t key[SCRAM_SECRET_KEY_BYTES];

	return scram_secret_client_key(s, password, key) &&
	    scram_secret_is_proven(s, str_make((const char *)key, sizeof key));
}

/* ---- the loop ---- */

static void
on_wait_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	cr_assert_fail("the wait has timed out");
}

static void
run_loop_once(struct rig *r)
{
	struct timeval limit = {.tv_sec = PATIENCE_S};
	struct event *e = evtimer_new(r->base, on_wait_timeout, NULL);

	evtimer_add(e, &limit);
	event_base_loop(r->base, EVLOOP_ONCE);
	event_free(e);
}

void
rig_until(struct rig *r, const bool *flag)
{
	while (!*flag)
		run_loop_once(r);
}

void
rig_until_count(struct rig *r, const unsigned *count, unsigned enough)
{
	while (*count < enough)
		run_loop_once(r);
}

/* ---- as main ---- */

struct child_link {
	struct rig *rig;
	struct rig_child *child;
};

static void
on_child_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct child_link *link = arg;

	(void)c;
	if (p->type == MESSAGE_READY)
		link->child->is_ready = true;
	if (p->type == MESSAGE_RESTART) {
		link->rig->restarts++;
		link->rig->last_restart = p->message->restart.index;
		link->rig->last_restart_role = p->message->restart.role;
	}
	if (p->type == MESSAGE_ALERT) {
		link->rig->alerts++;
		link->rig->alert_kind = p->message->alert.kind;
		snprintf(link->rig->alert, sizeof link->rig->alert, "%.*s|%.*s",
		    STR_ARG(p->message->alert.object), STR_ARG(p->message->alert.text));
	}
}

static void
on_child_lost(struct channel *c, void *arg)
{
	struct child_link *link = arg;

	(void)c;
	channel_free(&link->child->main);
}

static void
pair(int ends[2])
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

static void
fork_role(struct rig *r, struct rig_child *child, const struct role_spec *spec, enum role_kind kind)
{
	static struct child_link links[2 + RIG_WORKERS];
	struct child_link *link = child == &r->broker ? &links[0]
	    : child == &r->accounts                   ? &links[1]
						      : &links[2 + (child - r->workers)];
	int ends[2];

	pair(ends);
	child->pid = fork();
	if (child->pid == 0) {
		/* this process must not keep an end of another role's channel open */
		dup2(ends[1], 3);
		close_range(4, ~0U, 0);
		_exit(role_run(spec, kind, 0, 3, IS_THREAD));
	}
	close(ends[1]);
	*link = (struct child_link){r, child};
	child->is_ready = false;
	channel_free(&child->main);
	child->main = channel_new(r->base, ends[0], on_child_packet, on_child_lost, link);
}

/* All are offered, unless the settings of the test name them. */
static const char *
mechanisms_beside(const char *auth)
{
	return strstr(auth, "mechanisms")
	    ? ""
	    : "mechanisms = ( \"SCRAM-SHA-256-PLUS\", \"SCRAM-SHA-256\", \"PLAIN\", \"LOGIN\" );";
}

static void
send_config(const struct rig *r, struct rig_child *child, const char *auth)
{
	struct message_config m = {.generation = 1};
	char text[2048];
	int fd = memfd_create("config", MFD_CLOEXEC);
	int n = snprintf(text, sizeof text,
	    "hostname = \"mx.test\"; state_directory = \"/nonexistent\";\n"
	    "domains = ( { name = \"example.com\"; }%s ); auth: { iterations = %d; %s%s };\n",
	    r->more_domains ? r->more_domains : "", ITERATIONS, mechanisms_beside(auth), auth);

	cr_assert_eq(write(fd, text, (size_t)n), n);
	cr_assert_eq(channel_send(child->main, MESSAGE_CONFIG, &m, fd), 0);
	close(fd);
}

/* As main does: grants an open directory, if there is one. */
static void
grant_directory(struct rig *r, struct rig_child *child)
{
	struct message_grant m = {.kind = GRANT_STATE,
	    .index = r->is_no_first_start ? 0 : GRANT_STATE_NEW,
	    .name = str_of(r->directory)};
	int fd = open(r->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	cr_assert_eq(channel_send(child->main, MESSAGE_GRANT, &m, fd), 0);
	close(fd);
}

static void
send_start(struct rig_child *child)
{
	struct message_start m = {.slot = 1};

	cr_assert_eq(channel_send(child->main, MESSAGE_START, &m, -1), 0);
}

static void
send_peer(struct rig_child *child, enum role_kind kind, unsigned index, int fd)
{
	struct message_peer m = {.role = (uint8_t)kind, .index = (uint8_t)index};

	cr_assert_eq(channel_send(child->main, MESSAGE_PEER, &m, fd), 0);
	close(fd);
}

static const char *auth_lines;

void
rig_worker(struct rig *r, unsigned index)
{
	struct rig_child *w = &r->workers[index];
	int ends[2];

	fork_role(r, w, &worker_role, ROLE_WORKER);
	send_config(r, w, auth_lines);
	pair(ends);
	send_peer(w, ROLE_AUTH, 0, ends[0]);
	send_start(w);
	rig_until(r, &w->is_ready);
	send_peer(&r->broker, ROLE_WORKER, index, ends[1]);
}

void
rig_accounts(struct rig *r)
{
	struct rig_child *w = &r->accounts;
	int ends[2];

	fork_role(r, w, &accounts_role, ROLE_ACCOUNTS);
	send_config(r, w, auth_lines);
	grant_directory(r, w);
	pair(ends);
	send_peer(w, ROLE_AUTH, 0, ends[0]);
	send_peer(&r->broker, ROLE_ACCOUNTS, 0, ends[1]);
	send_start(w);
	rig_until(r, &w->is_ready);
}

static void
kill_child(struct rig_child *c)
{
	if (c->pid <= 0)
		return;
	kill(c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	channel_free(&c->main);
	c->pid = 0;
}

void
rig_kill_accounts(struct rig *r)
{
	kill_child(&r->accounts);
}

void
rig_kill(struct rig *r)
{
	kill_child(&r->broker);
	kill_child(&r->accounts);
}

void
rig_connect(struct rig *r, enum role_kind kind, int fd)
{
	send_peer(&r->broker, kind, 0, fd);
}

/* ---- as a worker ---- */

static void
on_check_request(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct rig *r = arg;
	const struct message_check_start *m = &p->message->check_start;
	struct rig_check *s = &r->checks[r->check_count % RIG_CHECKS_MAX];
	struct claimed_identity identity;

	(void)c;
	if (p->type != MESSAGE_CHECK_START)
		return;
	*s = (struct rig_check){.call = p->call};
	snprintf(s->user, sizeof s->user, "%.*s", STR_ARG(m->user));
	snprintf(s->mechanism, sizeof s->mechanism, "%.*s", STR_ARG(m->mechanism));
	cr_assert_leq(m->first.n, sizeof s->first);
	memcpy(s->first, m->first.p, m->first.n);
	if (claimed_parse_plain(str_make(s->first, m->first.n), &identity))
		s->password = identity.password;
	s->secret.iterations = m->iterations;
	s->secret.salt_n = m->salt.n;
	memcpy(s->secret.salt, m->salt.p, m->salt.n);
	r->check_count++;
}

static void
on_fake_worker_lost(struct channel *c, void *arg)
{
	struct rig *r = arg;

	(void)c;
	channel_free(&r->fake_worker);
}

void
rig_fake_worker(struct rig *r, unsigned index)
{
	int ends[2];

	pair(ends);
	send_peer(&r->broker, ROLE_WORKER, index, ends[1]);
	r->fake_worker = channel_new(r->base, ends[0], on_check_request, on_fake_worker_lost, r);
}

void
rig_answer_check_with(struct rig *r, unsigned check, uint8_t outcome, struct str key)
{
	struct message_check_answer m = {.outcome = outcome, .key = key};

	cr_assert_eq(
	    channel_answer(r->fake_worker, r->checks[check].call, MESSAGE_CHECK_ANSWER, &m, -1), 0);
}

void
rig_answer_check(struct rig *r, unsigned check)
{
	uint8_t key[SCRAM_SECRET_KEY_BYTES];

	cr_assert(
	    scram_secret_client_key(&r->checks[check].secret, r->checks[check].password, key));
	rig_answer_check_with(r, check, AUTH_OK, str_make((const char *)key, sizeof key));
}

/* ---- the channels of submission and control ---- */

static void
on_broker_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct rig *r = arg;

	(void)c;
	if (p->type != MESSAGE_AUTH_USER_GONE)
		return;
	r->users_gone++;
	snprintf(r->last_user_gone, sizeof r->last_user_gone, "%.*s",
	    STR_ARG(p->message->auth_user_gone.user));
}

static void
on_broker_lost(struct channel *c, void *arg)
{
	struct rig *r = arg;

	if (c == r->submission)
		channel_free(&r->submission);
	else
		channel_free(&r->control);
}

/* ---- life ---- */

struct rig *
rig_new(void)
{
	struct rig *r = MEM_NEW(struct rig);

	signal(SIGPIPE, SIG_IGN);
	r->base = event_base_new();
	snprintf(r->directory, sizeof r->directory, "/tmp/sallyport-rig-XXXXXX");
	cr_assert_not_null(mkdtemp(r->directory));
	return r;
}

static void
store(struct rig *r, const char *user, const char *password, uint32_t iterations)
{
	char error[ACCOUNTS_ERROR_BYTES];
	struct accounts *a = accounts_open(r->directory, ACCOUNTS_MAKE, error);
	struct scram_secret s;

	cr_assert_not_null(a, "%s", error);
	cr_assert(scram_secret_make(str_of(password), iterations, &s));
	cr_assert_eq(accounts_add(a, str_of(user), &s), ACCOUNTS_OK);
	accounts_close(&a);
}

void
rig_store(struct rig *r, const char *user, const char *password, const char *suspended)
{
	char error[ACCOUNTS_ERROR_BYTES];
	struct accounts *a;

	store(r, user, password, ITERATIONS);
	if (!suspended)
		return;
	a = accounts_open(r->directory, ACCOUNTS_MAKE, error);
	cr_assert_eq(accounts_suspend(a, str_of(user), str_of(suspended)), ACCOUNTS_OK);
	accounts_close(&a);
}

void
rig_store_iterations(struct rig *r, const char *user, uint32_t iterations)
{
	store(r, user, "unused", iterations);
}

void
rig_run(struct rig *r, const char *auth, unsigned workers)
{
	int ends[2];

	auth_lines = auth;
	fork_role(r, &r->broker, &auth_role, ROLE_AUTH);
	send_config(r, &r->broker, auth);
	grant_directory(r, &r->broker);
	pair(ends);
	send_peer(&r->broker, ROLE_SUBMISSION, 0, ends[0]);
	r->submission = channel_new(r->base, ends[1], on_broker_packet, on_broker_lost, r);
	pair(ends);
	send_peer(&r->broker, ROLE_CONTROL, 0, ends[0]);
	r->control = channel_new(r->base, ends[1], on_broker_packet, on_broker_lost, r);
	send_start(&r->broker);
	rig_until(r, &r->broker.is_ready);
	rig_accounts(r);
	for (unsigned i = 0; i < workers; i++)
		rig_worker(r, i);
}

struct rig *
rig_with_alice(const char *auth, unsigned workers)
{
	struct rig *r = rig_new();

	rig_store(r, "alice@example.com", "wonderland", NULL);
	rig_store(r, "mallory@example.com", "pirate", "phished");
	rig_run(r, auth, workers);
	return r;
}

static void
end_child(struct rig_child *c)
{
	int status = 0;

	channel_free(&c->main);
	if (c->pid <= 0)
		return;
	kill(c->pid, SIGCONT);
	waitpid(c->pid, &status, 0);
	/* it ends when main is gone, or a test has killed it */
	cr_assert(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0,
	    "status %x", (unsigned)status);
}

void
rig_free(struct rig **pr)
{
	struct rig *r = *pr;
	char path[128];

	for (int i = 0; i < RIG_WORKERS; i++)
		end_child(&r->workers[i]);
	end_child(&r->accounts);
	end_child(&r->broker);
	channel_free(&r->submission);
	channel_free(&r->control);
	channel_free(&r->fake_worker);
	channel_free(&r->fake_accounts);
	event_base_free(r->base);
	snprintf(path, sizeof path, "%s/accounts.db", r->directory);
	unlink(path);
	snprintf(path, sizeof path, "%s/accounts.db-journal", r->directory);
	unlink(path);
	snprintf(path, sizeof path, "%s/blocks", r->directory);
	unlink(path);
	rmdir(r->directory);
	mem_free(r);
	*pr = NULL;
}
