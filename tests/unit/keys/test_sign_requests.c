/*
 * sign_requests: a key store that signs later, refuses or never signs, and requests that end
 * before.
 */
#include "keys/sign_requests.h"

#include <criterion/criterion.h>
#include <event2/event.h>
#include <fcntl.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/request.h"

enum { PEERS = 2, ASKS = 4 };

/* A request that the slow store has not finished. */
struct key_store_signing {
	key_store_signed_fn *fn;
	void *arg;
	struct key_store_signing *next;
};

/* Signs what begins with "now" at once, and all else when the test says so. */
struct slow_store {
	struct key_store store;
	struct key_store_signing *open;
	unsigned begun, cancelled;
};

struct asker {
	struct channel *channel;
	struct request requests[ASKS];
	unsigned answered, refused;
};

static struct slow_store slow;
static struct role role;
static struct sign_requests *requests;
static struct asker askers[PEERS];

static bool
find_in_slow_store(
    const struct key_store *store, struct str id, uint32_t *algorithm_out, uint32_t *bits_out)
{
	(void)store;
	*algorithm_out = *bits_out = 1;
	return str_eq(id, STR("known"));
}

static struct key_store_signing *
sign_later(struct key_store *store, const struct key_store_request *request,
    key_store_signed_fn *fn, void *arg)
{
	struct slow_store *all = (struct slow_store *)store;
	struct key_store_signing *signing;

	all->begun++;
	if (str_starts(request->data, STR("now"))) {
		fn(STR("a signature"), arg);
		return NULL;
	}
	signing = MEM_NEW(struct key_store_signing);
	*signing = (struct key_store_signing){fn, arg, all->open};
	all->open = signing;
	return signing;
}

static void
cancel_in_slow_store(struct key_store *store, struct key_store_signing *signing)
{
	struct slow_store *all = (struct slow_store *)store;
	struct key_store_signing **link = &all->open;

	while (*link != signing)
		link = &(*link)->next;
	*link = signing->next;
	mem_free(signing);
	all->cancelled++;
}

/* Finishes all that is open, with this signature. */
static void
finish_slow_store(struct str signature)
{
	while (slow.open) {
		struct key_store_signing *signing = slow.open;

		slow.open = signing->next;
		signing->fn(signature, signing->arg);
		mem_free(signing);
	}
}

static const struct key_store_operations slow_operations = {
    find_in_slow_store, sign_later, cancel_in_slow_store};

static void
on_sign_answer(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct asker *asker = arg;

	if (end == REQUEST_ANSWERED && p->message->signature.ok)
		asker->answered++;
	else
		asker->refused++;
}

static void
ignore_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	(void)c;
	(void)p;
	(void)arg;
}

static void
ignore_loss(struct channel *c, void *arg)
{
	(void)c;
	(void)arg;
}

static void
run_ms(int ms)
{
	int64_t until_ms = clock_mono_ms() + ms;

	do {
		struct timeval tv = {0, 10000};

		event_base_loopexit(role.base, &tv);
		event_base_loop(role.base, 0);
	} while (clock_mono_ms() < until_ms);
}

static void
sign_requests_set_up(void)
{
	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_TO_FILE);
	slow = (struct slow_store){.store.operations = &slow_operations};
	role = (struct role){.base = event_base_new(), .is_ending = true};
	requests = sign_requests_new(&role, &slow.store);
	for (unsigned n = 0; n < PEERS; n++) {
		struct role_peer identity = {ROLE_SUBMISSION, n, n + 1};
		int ends[2];

		cr_assert_eq(channel_pair(ends), 0);
		sign_requests_add_peer(requests, identity, ends[0]);
		askers[n] = (struct asker){.channel = channel_new(
		    role.base, ends[1], ignore_packet, ignore_loss, NULL)};
		for (unsigned i = 0; i < ASKS; i++)
			request_init(&askers[n].requests[i], on_sign_answer, &askers[n]);
	}
}

static void
sign_requests_tear_down(void)
{
	sign_requests_free(&requests);
	for (unsigned n = 0; n < PEERS; n++)
		channel_free(&askers[n].channel);
	event_base_free(role.base);
}

TestSuite(sign_requests, .init = sign_requests_set_up, .fini = sign_requests_tear_down,
    .timeout = 60);

static void
ask_signature(unsigned peer, unsigned request, const char *data)
{
	struct message_sign m = {.key_id = STR("known"), .data = str_of(data)};

	request_ask(
	    &askers[peer].requests[request], askers[peer].channel, MESSAGE_SIGN, &m);
}

Test(sign_requests, others_are_served_while_the_store_works)
{
	ask_signature(0, 0, "later");
	ask_signature(0, 1, "now");
	ask_signature(1, 0, "now");
	run_ms(20);
	cr_expect_eq(slow.begun, 3);
	cr_expect_eq(askers[0].answered, 1);
	cr_expect_eq(askers[1].answered, 1);
	finish_slow_store(STR("a signature"));
	run_ms(20);
	cr_expect_eq(askers[0].answered, 2);
	cr_expect_eq(askers[0].refused + askers[1].refused, 0);
}

Test(sign_requests, a_refusal_of_the_store_is_an_answer)
{
	ask_signature(0, 0, "later");
	run_ms(20);
	finish_slow_store(STR(""));
	run_ms(20);
	cr_expect_eq(askers[0].refused, 1);
	cr_expect_eq(askers[0].answered, 0);
}

Test(sign_requests, a_store_that_never_signs_is_refused_at_the_deadline)
{
	ask_signature(0, 0, "later");
	run_ms(SIGN_REQUESTS_WAIT_MS - 500);
	cr_expect_eq(askers[0].refused, 0);
	run_ms(1000);
	cr_expect_eq(askers[0].refused, 1);
	cr_expect_eq(slow.cancelled, 1);
	cr_expect_null(slow.open);
	ask_signature(0, 0, "now");
	run_ms(20);
	cr_expect_eq(askers[0].answered, 1);
}

Test(sign_requests, what_a_lost_peer_asked_is_cancelled)
{
	ask_signature(0, 0, "later");
	ask_signature(0, 1, "later");
	ask_signature(1, 0, "later");
	run_ms(20);
	channel_free(&askers[0].channel);
	run_ms(20);
	cr_expect_eq(slow.cancelled, 2);
	finish_slow_store(STR("a signature"));
	run_ms(20);
	cr_expect_eq(askers[1].answered, 1);
}

Test(sign_requests, the_end_of_the_role_cancels_what_waits)
{
	ask_signature(0, 0, "later");
	run_ms(20);
	sign_requests_free(&requests);
	cr_expect_eq(slow.cancelled, 1);
	run_ms(20);
	cr_expect_eq(askers[0].refused, 1, "its channel is closed");
}
