/*
 * attempt_begin: an attempt as the queue gave it: copied, read, and begun, or refused when it
 * cannot be read.
 */
#include <unistd.h>

#include "base/block_sums.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "relay/attempt_internal.h"
#include "relay/reason.h"

enum { ATTEMPT_BYTES_MAX = 2 << 20 };

static void
copy_message(struct attempt *j, const struct message_deliver *m)
{
	j->m = *m;
	j->m.site = arena_str(&j->arena, m->site);
	j->m.domain = arena_str(&j->arena, m->domain);
	j->m.envelope = arena_str(&j->arena, m->envelope);
	j->m.numbers = arena_str(&j->arena, m->numbers);
	j->m.header = arena_str(&j->arena, m->header);
	j->m.body = arena_str(&j->arena, m->body);
	j->m.sums = arena_str(&j->arena, m->sums);
}

static uint32_t
attempt_recipient_number(const struct attempt *j, size_t index)
{
	const unsigned char *p = (const unsigned char *)j->m.numbers.p + 4 * index;

	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The list of recipients, 4 bytes each, and only such as the envelope has. */
static bool
take_recipient_numbers(struct attempt *j)
{
	size_t count = j->m.numbers.n / 4;

	j->numbers = ARENA_ARRAY(&j->arena, uint32_t, count + 1);
	for (size_t i = 0; i < count; i++) {
		uint32_t n = attempt_recipient_number(j, i);

		if (n == 0 || n > j->envelope.recipient_count)
			return false;
		j->numbers[i] = n;
	}
	j->out.count = count;
	return count > 0;
}

/* What stands beside the envelope. */
static bool
check_attempt_message(struct attempt *j)
{
	if (!take_recipient_numbers(j))
		return false;
	j->out.envelope = &j->envelope;
	j->out.numbers = j->numbers;
	j->out.header = j->m.header;
	j->out.body = j->m.body;
	j->out.body_bytes = j->m.body_in_file ? j->envelope.body_bytes : j->m.body.n;
	j->out.read = j->m.body_in_file ? body_reader_read : NULL;
	j->out.sums = j->m.sums;
	j->out.arg = &j->body;
	if (j->out.sums.n && j->out.sums.n != block_sums_bytes(j->out.body_bytes))
		return false;
	return !j->m.body_in_file || j->body.file;
}

/* The queue hears of the attempt's end, and of every recipient that it named. */
static void
refuse_attempt(struct attempt *j, const char *why)
{
	struct smtp_client_result r = {
	    .status = smtp_status_make(451, "4.3.0", "%s", why), .reason = REASON_LOCAL};
	size_t count = j->m.numbers.n / 4;

	for (size_t i = 0; i < count; i++)
		attempt_report_result(j, attempt_recipient_number(j, i), &r, i + 1 == count);
	if (count == 0)
		attempt_report_result(j, 0, &r, true);
	attempt_drop(j);
}

static void
refuse_unreadable_attempt(struct attempt *j)
{
	log_error("relay: job %llu from the queue cannot be read%s; the queue tries its recipients "
		  "again later",
	    (unsigned long long)j->m.job,
	    j->m.body_in_file && !j->body.file
		? ", the file of its body could not be passed: too many open files (EMFILE), raise "
		  "their limit (LimitNOFILE)" : "");
	refuse_attempt(j, "the message could not be read for its delivery");
}

/* NULL: there is none. */
static struct async_io_file *
new_attempt_file(struct attempt_context *y, struct msgid id, int fd)
{
	return fd >= 0 ? async_io_file_new(y->disk, fd, id) : NULL;
}

void
attempt_decline(struct attempt_context *y, const struct message_deliver *m, int fd)
{
	struct message_result r = {.job = m->job,
	    .ticket = m->ticket,
	    .status = smtp_status_make(
	        451, "4.3.2", "the sending system is stopping, the message is tried again later"),
	    .reason = STR(REASON_STOPPING),
	    .is_last = true};
	struct async_io_file *file = new_attempt_file(y, (struct msgid){.number = 0}, fd);

	async_io_file_drop(&file);
	pending_results_add(y->results, y->queue, &r);
}

/* What the content needs of a host is known before one is asked for. */
static void
scan_attempt_content(struct attempt *j)
{
	static const struct timeval next_turn = {0, 0};
	struct smtp_status s;

	switch (message_source_scan(&j->out)) {
	case MESSAGE_SOURCE_SCANNED:
		j->is_looking = false;
		attempt_find_destination(j);
		break;
	case MESSAGE_SOURCE_SCAN_MORE:
		if (event_add(&j->next_look, &next_turn) != 0)
			die("relay: no timer");
		break;
	case MESSAGE_SOURCE_SCAN_AWAITED:
		break;
	case MESSAGE_SOURCE_SCAN_FAILED:
		s = smtp_status_make(451, "4.3.0", "the stored message could not be read");
		attempt_finish(j, &s, j->out.is_damaged ? REASON_DAMAGED : REASON_LOCAL);
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
	struct attempt *j = arg;

	if (j->is_looking)
		scan_attempt_content(j);
	else if (j->is_sending)
		smtp_connection_content_ready(j->session);
}

void
attempt_begin(struct attempt_context *y, const struct message_deliver *m, int fd)
{
	struct attempt *j = MEM_NEW(struct attempt);
	bool has_envelope;

	j->yard = y;
	j->began_ms = clock_mono_ms();
	arena_init(&j->arena, ATTEMPT_BYTES_MAX);
	LIST_INSERT_HEAD(&y->jobs, j, link);
	y->job_count++;
	copy_message(j, m);
	has_envelope = envelope_decode(j->m.envelope, &j->arena, &j->envelope);
	if (fd >= 0 && async_io_closing(y->disk) >= y->closing_max) {
		close(fd); /* its name still stands: this waits for nothing */
		refuse_attempt(j, "too many files wait for a disk that does not answer");
		return;
	}
	body_reader_init(&j->body, new_attempt_file(y, j->envelope.id, fd), attempt_body_ready, j);
	if (!has_envelope || !check_attempt_message(j)) {
		refuse_unreadable_attempt(j);
		return;
	}
	attempt_start_deadline(j);
	event_assign(&j->next_look, y->base, -1, 0, scan_attempt_again, j);
	j->is_looking = true;
	scan_attempt_content(j);
}
