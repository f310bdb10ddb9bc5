/*
 * attempt_begin: the start of an attempt: copies the request of the queue, checks it, scans the
 * content and starts the destination lookup.  An attempt that cannot be read is refused.
 */
#include <errno.h>
#include <unistd.h>

#include "base/block_sums.h"
#include "base/clock.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "relay/attempt_internal.h"
#include "relay/reason.h"

enum { ATTEMPT_BYTES_MAX = 2 << 20 };

static void
copy_message(struct attempt *attempt, const struct message_deliver *m)
{
	attempt->deliver = *m;
	attempt->deliver.destination = arena_str(&attempt->arena, m->destination);
	attempt->deliver.next_hop = arena_str(&attempt->arena, m->next_hop);
	attempt->deliver.envelope = arena_str(&attempt->arena, m->envelope);
	attempt->deliver.numbers = arena_str(&attempt->arena, m->numbers);
	attempt->deliver.header = arena_str(&attempt->arena, m->header);
	attempt->deliver.body = arena_str(&attempt->arena, m->body);
	attempt->deliver.sums = arena_str(&attempt->arena, m->sums);
}

static uint32_t
attempt_recipient_number(const struct attempt *attempt, size_t index)
{
	const unsigned char *p = (const unsigned char *)attempt->deliver.numbers.p + 4 * index;

	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Reads the list of recipient numbers, 4 bytes each.  False: the list is empty or names a recipient
 * that the envelope does not have. */
static bool
take_recipient_numbers(struct attempt *attempt)
{
	size_t count = attempt->deliver.numbers.n / 4;

	attempt->numbers = ARENA_ARRAY(&attempt->arena, uint32_t, count + 1);
	for (size_t i = 0; i < count; i++) {
		uint32_t n = attempt_recipient_number(attempt, i);

		if (n == 0 || n > attempt->envelope.recipient_count)
			return false;
		attempt->numbers[i] = n;
	}
	attempt->source.count = count;
	return count > 0;
}

/* Checks the parts of the request other than the envelope, and sets up the message source. */
static bool
check_attempt_message(struct attempt *attempt)
{
	if (!take_recipient_numbers(attempt))
		return false;
	attempt->source.envelope = &attempt->envelope;
	attempt->source.numbers = attempt->numbers;
	attempt->source.header = attempt->deliver.header;
	attempt->source.body = attempt->deliver.body;
	attempt->source.body_bytes =
	    attempt->deliver.body_in_file ? attempt->envelope.body_bytes : attempt->deliver.body.n;
	attempt->source.read = attempt->deliver.body_in_file ? body_reader_read : NULL;
	attempt->source.sums = attempt->deliver.sums;
	attempt->source.arg = &attempt->body;
	if (attempt->source.sums.n &&
	    attempt->source.sums.n != block_sums_bytes(attempt->source.body_bytes))
		return false;
	return !attempt->deliver.body_in_file || attempt->body.file;
}

/* Reports the failure of the attempt for every recipient that the request named. */
static void
refuse_attempt(struct attempt *attempt, const char *why)
{
	struct smtp_client_result r = {
	    .status = smtp_status_make(451, "4.3.0", "%s", why), .reason = REASON_LOCAL};
	size_t count = attempt->deliver.numbers.n / 4;

	for (size_t i = 0; i < count; i++)
		attempt_report_result(
		    attempt, attempt_recipient_number(attempt, i), &r, i + 1 == count);
	if (count == 0)
		attempt_report_result(attempt, 0, &r, true);
	attempt_drop(attempt);
}

static void
refuse_unreadable_attempt(struct attempt *attempt)
{
	log_error(
	    "relay: attempt %llu of the queue cannot be read%s%s; the queue tries its "
	    "recipients again later",
	    (unsigned long long)attempt->deliver.attempt_id,
	    attempt->deliver.body_in_file && !attempt->body.file
	        ? ", the file of its body could not be passed"
	        : "",
	    attempt->deliver.body_in_file && !attempt->body.file ? error_text_remedy(EMFILE) : "");
	refuse_attempt(attempt, "the message could not be read for its delivery");
}

/* NULL: there is no body file. */
static struct async_io_file *
new_attempt_file(struct attempt_context *context, struct msgid id, int fd)
{
	return fd >= 0 ? async_io_file_new(context->disk, fd, id) : NULL;
}

struct attempt_declined
attempt_stopping(void)
{
	return (struct attempt_declined){
	    smtp_status_make(
	        451, "4.3.2", "the sending system is stopping, the message is tried again later"),
	    REASON_STOPPING};
}

struct attempt_declined
attempt_reloading(void)
{
	return (struct attempt_declined){
	    smtp_status_make(451, "4.3.5", "the configuration of the sending system is changing"),
	    REASON_RELOADING};
}

void
attempt_decline(struct attempt_context *context, const struct message_deliver *m, int fd,
    struct attempt_declined why)
{
	struct message_result r = {.attempt_id = m->attempt_id,
	    .ticket = m->ticket,
	    .status = why.status,
	    .reason = str_of(why.reason),
	    .is_last = true};
	struct async_io_file *file = new_attempt_file(context, (struct msgid){.number = 0}, fd);

	async_io_file_drop(&file);
	pending_results_add(context->results, context->queue, &r);
}

/* What the content needs of a host is known before the first host is contacted. */
static void
scan_attempt_content(struct attempt *attempt)
{
	static const struct timeval at_once = {0, 0};
	struct smtp_status s;

	switch (message_source_scan(&attempt->source)) {
	case MESSAGE_SOURCE_SCANNED:
		attempt->is_scanning = false;
		attempt_find_destination(attempt);
		break;
	case MESSAGE_SOURCE_SCAN_MORE:
		if (event_add(&attempt->next_scan, &at_once) != 0)
			die("relay: no timer");
		break;
	case MESSAGE_SOURCE_SCAN_AWAITED:
		break;
	case MESSAGE_SOURCE_SCAN_FAILED:
		s = smtp_status_make(451, "4.3.0", "the stored message could not be read");
		attempt_finish(
		    attempt, &s, attempt->source.is_damaged ? REASON_DAMAGED : REASON_LOCAL);
		break;
	}
}

static void
scan_attempt_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	scan_attempt_content(arg);
}

static void
attempt_body_ready(void *arg)
{
	struct attempt *attempt = arg;

	if (attempt->is_scanning)
		scan_attempt_content(attempt);
	else if (attempt->is_sending)
		smtp_connection_content_ready(attempt->connection);
}

void
attempt_begin(struct attempt_context *context, const struct message_deliver *m, int fd)
{
	struct attempt *attempt = MEM_NEW(struct attempt);
	bool has_envelope;

	attempt->context = context;
	attempt->began_ms = clock_mono_ms();
	arena_init(&attempt->arena, ATTEMPT_BYTES_MAX);
	LIST_INSERT_HEAD(&context->attempts, attempt, link);
	context->attempt_count++;
	metrics_count(METRIC_ATTEMPTS, 1);
	copy_message(attempt, m);
	has_envelope =
	    envelope_decode(attempt->deliver.envelope, &attempt->arena, &attempt->envelope);
	if (fd >= 0 && async_io_closing(context->disk) >= context->closing_max) {
		/* the file still has its name, so that close() does not wait for the disk to free
		 * its blocks */
		close(fd);
		refuse_attempt(attempt, "too many files wait for a disk that does not answer");
		return;
	}
	body_reader_init(&attempt->body, new_attempt_file(context, attempt->envelope.id, fd),
	    attempt_body_ready, attempt);
	if (!has_envelope || !check_attempt_message(attempt)) {
		refuse_unreadable_attempt(attempt);
		return;
	}
	attempt_start_deadline(attempt);
	event_assign(&attempt->next_scan, context->base, -1, 0, scan_attempt_again, attempt);
	attempt->is_scanning = true;
	scan_attempt_content(attempt);
}
