/*
 * signer: which of two keys processes is asked, when one of them does not answer or is lost.
 */
#include "submission/signer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "ipc/blocking.h"
#include "ipc/wire.h"
#include "tests/support/fault_channel.h"

enum { PROCESSES = 2, FIRST = 3 };

/* A keys process: its thread answers each question about a key. */
struct process {
	pthread_t thread;
	struct fault_channel *channel;
	int fd;
};

static struct process processes[PROCESSES];
static struct signer *s;
static struct role_peer last_lost;
static unsigned lost_count;

static void *
answer_questions(void *arg)
{
	const struct process *p = arg;
	struct message_key key = {.known = true, .algorithm = (uint32_t)(p - processes) + 10};
	char bytes[4096];
	struct wire_packet got;
	struct wire_head head;
	struct buf out;

	buf_init(&out, sizeof bytes);
	for (;;) {
		/* a receive on this socket ends with EAGAIN after the time of a question */
		if (wire_receive_one(p->fd, (struct iovec){bytes, sizeof bytes}, 0, &got) != 0) {
			if (errno == EAGAIN)
				continue;
			break;
		}
		if (!wire_head(got.bytes, &head))
			break;
		head.kind = WIRE_ANSWER;
		if (!wire_pack(&out, &head, MESSAGE_KEY, &key) ||
		    wire_send(p->fd, buf_str(&out), -1) != 0)
			break;
	}
	buf_clear(&out);
	return NULL;
}

static void
keys_lost(struct role_peer peer, void *arg)
{
	(void)arg;
	last_lost = peer;
	lost_count++;
}

static void
start_process(unsigned n)
{
	struct role_peer peer = {ROLE_KEYS, FIRST + n, 100 + n};
	int ends[2];

	processes[n].channel = fault_channel_new(ends);
	processes[n].fd = ends[0];
	cr_assert_eq(blocking_prepare(ends[0]), 0);
	cr_assert_eq(
	    pthread_create(&processes[n].thread, NULL, answer_questions, &processes[n]), 0);
	signer_connect(s, peer, ends[1]);
}

static void
end_process(unsigned n)
{
	if (!processes[n].channel)
		return;
	fault_channel_free(&processes[n].channel);
	pthread_join(processes[n].thread, NULL);
	close(processes[n].fd);
}

/* Which process answered; -1: none. */
static int
who_answers(void)
{
	unsigned char id[TLS_KEY_ID_BYTES] = "a key";
	uint32_t algorithm, bits;
	const struct tls_signer *hooks = signer_hooks(s);

	return hooks->find(hooks->arg, id, &algorithm, &bits) ? (int)algorithm - 10 : -1;
}

static void
signer_set_up(void)
{
	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LOG_TO_FILE);
	s = signer_new(FIRST, keys_lost, NULL);
}

static void
signer_tear_down(void)
{
	signer_free(&s);
	for (unsigned n = 0; n < PROCESSES; n++)
		end_process(n);
}

TestSuite(signer, .init = signer_set_up, .fini = signer_tear_down, .timeout = 120);

Test(signer, the_first_one_is_asked_whatever_the_order_of_the_channels)
{
	cr_expect(signer_fault(s), "there is no channel yet");
	cr_expect_eq(who_answers(), -1);
	start_process(1);
	cr_expect_eq(who_answers(), 1);
	start_process(0);
	cr_expect_eq(who_answers(), 0);
	cr_expect_null(signer_fault(s));
}

Test(signer, a_silent_one_delays_one_question_and_the_other_one_answers)
{
	int64_t start_ms;

	start_process(0);
	start_process(1);
	fault_channel_stall(processes[0].channel, true);
	cr_expect_eq(who_answers(), 1, "asked after the deadline of the first");
	start_ms = clock_mono_ms();
	for (int i = 0; i < 20; i++)
		cr_expect_eq(who_answers(), 1);
	cr_expect_lt(clock_mono_ms() - start_ms, clock_timeout_ms(MESSAGE_SIGN_MS),
	    "20 questions wait less than one deadline");
	cr_expect_null(signer_fault(s));
	cr_expect_eq(lost_count, 0);
	/* it works again: the late answer shows it */
	fault_channel_stall(processes[0].channel, false);
	for (int i = 0; who_answers() != 0 && i < 200; i++)
		usleep(10000);
	cr_expect_eq(who_answers(), 0);
}

Test(signer, when_both_are_silent_questions_fail_at_once)
{
	start_process(0);
	start_process(1);
	fault_channel_stall(processes[0].channel, true);
	fault_channel_stall(processes[1].channel, true);
	cr_expect_eq(who_answers(), -1);
	cr_assert(signer_fault(s));
	cr_expect_str_eq(signer_fault(s), "keys does not answer");
	cr_expect_eq(who_answers(), -1);
	fault_channel_stall(processes[1].channel, false);
	for (int i = 0; who_answers() != 1 && i < 200; i++)
		usleep(10000);
	cr_expect_eq(who_answers(), 1);
	cr_expect_null(signer_fault(s));
}

Test(signer, a_lost_one_is_reported_by_its_own_number_and_replaced)
{
	start_process(0);
	start_process(1);
	end_process(0);
	cr_expect_eq(who_answers(), 1);
	cr_assert_eq(lost_count, 1);
	cr_expect_eq(last_lost.index, FIRST);
	cr_expect_eq(last_lost.number, 100);
	cr_expect_eq(who_answers(), 1, "it is not asked again");
	cr_expect_eq(lost_count, 1);
	start_process(0);
	cr_expect_eq(who_answers(), 0);
	end_process(1);
	cr_expect_eq(who_answers(), 0, "the second one is not needed");
	cr_expect_eq(lost_count, 1);
}
