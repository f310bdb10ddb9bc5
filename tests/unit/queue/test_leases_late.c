/*
 * leases with a limit store that answers later, or not: others are served meanwhile, an unknown use
 * of a limit is no refusal for good, and what a lost process asked for is given back.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "ipc/request.h"
#include "queue/leases.h"
#include "support.h"

enum { PEERS = 2 };

struct limit_store_call {
	limit_store_fn *fn;
	void *arg;
	struct limit_store_call *next;
};

/* Answers when the test says so; users whose name begins with "now" at once. */
struct late_store {
	struct limit_store store;
	struct limit_store_call *open;
	unsigned cancelled;
	uint64_t given_back, spent;
};

struct late_peer {
	struct queue_peer peer;
	struct channel *submission; /* the other end */
	struct request request;
	unsigned answers;
	struct message_lease last;
};

static struct late_store store;
static struct role role;
static struct queue queue;
static struct late_peer peers[PEERS];
static char directory[64];

static struct limit_store_call *
take_later(struct limit_store *s, const struct limit_store_question *question, limit_store_fn *fn,
    void *arg)
{
	struct limit_store_taken taken = {.tokens = question->wanted};
	struct limit_store_call *call;

	(void)s;
	if (str_starts(question->user, STR("now"))) {
		fn(&taken, arg);
		return NULL;
	}
	call = MEM_NEW(struct limit_store_call);
	*call = (struct limit_store_call){fn, arg, store.open};
	store.open = call;
	return call;
}

static void
cancel_late_call(struct limit_store *s, struct limit_store_call *call)
{
	struct limit_store_call **link = &store.open;

	(void)s;
	while (*link != call)
		link = &(*link)->next;
	*link = call->next;
	mem_free(call);
	store.cancelled++;
}

static void
count_given_back(
    struct limit_store *s, struct str user, const struct conf_rates *rates, uint64_t n)
{
	(void)s;
	(void)user;
	(void)rates;
	store.given_back += n;
}

static void
count_spent(struct limit_store *s, struct str user, const struct conf_rates *rates, uint64_t n)
{
	(void)s;
	(void)user;
	(void)rates;
	store.spent += n;
}

static const struct limit_store_operations late_operations = {
    .take = take_later, .cancel = cancel_late_call, .give_back = count_given_back,
    .spend = count_spent};

static void
answer_late_calls(const struct limit_store_taken *taken)
{
	while (store.open) {
		struct limit_store_call *call = store.open;

		store.open = call->next;
		call->fn(taken, call->arg);
		mem_free(call);
	}
}

/* ---- the processes ---- */

static void
on_lease_answer(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct late_peer *late = arg;

	late->answers++;
	if (end == REQUEST_ANSWERED)
		late->last = p->message->lease;
}

static void
handle_lease_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	(void)c;
	if (p->type == MESSAGE_LEASE_ASK)
		leases_ask(arg, p->call, &p->message->lease_ask);
}

static void
ignore_lost(struct channel *c, void *arg)
{
	(void)c;
	(void)arg;
}

static void
run_loop(void)
{
	for (int i = 0; i < 5; i++) {
		struct timeval tv = {0, 2000};

		event_base_loopexit(role.base, &tv);
		event_base_loop(role.base, 0);
	}
}

static void
ask_tokens(unsigned n, const char *user, uint32_t wanted)
{
	struct message_lease_ask m = {.user = str_of(user), .wanted = wanted};

	request_ask(&peers[n].request, peers[n].submission, MESSAGE_LEASE_ASK, &m);
	run_loop();
}

static void
begin_peer(struct late_peer *late)
{
	int ends[2];

	cr_assert_eq(channel_pair(ends), 0);
	late->peer = (struct queue_peer){.queue = &queue, .fd = -1};
	late->peer.channel =
	    channel_new(role.base, ends[0], handle_lease_packet, ignore_lost, &late->peer);
	late->submission = channel_new(role.base, ends[1], handle_lease_packet, ignore_lost, NULL);
	request_init(&late->request, on_lease_answer, late);
	leases_init(&late->peer);
	LIST_INSERT_HEAD(&queue.peers, &late->peer, link);
}

static void
leases_late_set_up(void)
{
	struct spool_options options = {.segment_bytes = SPOOL_SEGMENT_MIN, .threadless = true};

	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_TO_FILE);
	snprintf(directory, sizeof directory, "/var/tmp/sallyport-leases-XXXXXX");
	cr_assert(mkdtemp(directory));
	options.io = fsio_new(open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	store = (struct late_store){.store.operations = &late_operations};
	role = (struct role){.base = event_base_new(), .conf = conf_of("")};
	queue = (struct queue){.role = &role, .limits = &store.store, .io = options.io};
	queue.spool = spool_open(&options, NULL);
	cr_assert(queue.spool);
	for (unsigned n = 0; n < PEERS; n++) {
		peers[n] = (struct late_peer){0};
		begin_peer(&peers[n]);
	}
}

static void
leases_late_tear_down(void)
{
	char command[128];

	for (unsigned n = 0; n < PEERS; n++) {
		leases_clear(&peers[n].peer);
		channel_free(&peers[n].peer.channel);
		channel_free(&peers[n].submission);
	}
	spool_close(&queue.spool);
	fsio_free(&queue.io);
	conf_drop(&role.conf);
	event_base_free(role.base);
	snprintf(command, sizeof command, "rm -rf %s", directory);
	cr_expect_eq(system(command), 0);
}

TestSuite(leases_late, .init = leases_late_set_up, .fini = leases_late_tear_down, .timeout = 60);

Test(leases_late, others_are_served_while_the_store_works)
{
	ask_tokens(0, "alice@example.com", 3);
	cr_expect_eq(peers[0].answers, 0);
	ask_tokens(1, "now@example.com", 2);
	cr_expect_eq(peers[1].answers, 1);
	cr_expect_eq(peers[1].last.tokens, 2);
	answer_late_calls(&(struct limit_store_taken){.tokens = 7});
	run_loop();
	cr_assert_eq(peers[0].answers, 1);
	cr_expect_eq(peers[0].last.status.code, 250);
	cr_expect_eq(peers[0].last.tokens, 7);
	cr_expect_eq(leases_count(&queue, STR("alice@example.com")), 7);
}

Test(leases_late, an_error_of_the_store_is_no_refusal_for_good)
{
	ask_tokens(0, "alice@example.com", 3);
	answer_late_calls(&(struct limit_store_taken){.error = ETIMEDOUT});
	run_loop();
	cr_assert_eq(peers[0].answers, 1);
	cr_expect_eq(peers[0].last.status.code, 451);
	cr_expect_eq(leases_count(&queue, STR("alice@example.com")), 0);
	cr_expect_eq(store.given_back, 0);
}

Test(leases_late, what_a_lost_process_asked_for_is_cancelled)
{
	ask_tokens(0, "now@example.com", 4);
	ask_tokens(0, "alice@example.com", 3);
	ask_tokens(1, "bob@example.com", 3);
	leases_clear(&peers[0].peer);
	cr_expect_eq(store.cancelled, 1);
	cr_expect_eq(store.given_back, 4, "what it had goes back");
	answer_late_calls(&(struct limit_store_taken){.tokens = 3});
	run_loop();
	cr_expect_eq(peers[1].answers, 1);
}

Test(leases_late, a_commit_without_enough_tokens_spends_the_rest_of_the_limit)
{
	ask_tokens(0, "now@example.com", 2);
	leases_spend(&queue, &peers[0].peer, STR("now@example.com"), 5);
	cr_expect_eq(store.spent, 3);
	leases_spend(&queue, NULL, STR("now@example.com"), 4);
	cr_expect_eq(store.spent, 7);
}
