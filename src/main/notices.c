/*
 * notices: see the header.
 */
#include "main/notices.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/instance.h"
#include "main/notices_list.h"
#include "main/state_file.h"

enum { ENDS_MAX = 64 };

static const char sent_name[] = "notices.sent";

/* The present problem of one process. */
struct notices_trouble {
	int64_t since_ms;     /* UTC; 0: none */
	char text[METRICS_TROUBLE_TEXT_BYTES]; /* at the last check */
};

struct notices {
	struct daemon *daemon;
	struct event *timer;
	struct notices_list list;
	struct id_source ids;
	bool has_ids;
	struct request request;
	struct notices_pending *requested;  /* the notice of the open request; NULL: none */
	int64_t retry_at_ms;      /* monotonic: no request before that time */
	int64_t pause_ms;
	int64_t ends_ms[ROLE_KINDS][ENDS_MAX]; /* when processes ended, UTC */
	unsigned next_end[ROLE_KINDS];
	struct notices_trouble troubles[INSTANCE_COUNT_MAX];
};

static bool
notices_are_wanted(const struct daemon *d)
{
	return d->notices && d->conf->notices && d->conf->postmaster.n;
}

/* ---- the file of sent notices ---- */

static void
notices_read_sent(struct notices *all)
{
	const struct daemon *d = all->daemon;
	char text[NOTICES_TEXT_MAX];
	ssize_t n = state_file_read(d->state_fd, sent_name, text, sizeof text);

	if (n < 0 && errno == ENOENT)
		return;
	if (n < 0)
		log_warn("%.*s/%s cannot be read: %m; notices of the last day may be sent again",
		    STR_ARG(d->conf->state_directory), sent_name);
	else if (!notices_list_read(&all->list, str_make(text, (size_t)n)))
		log_warn("%.*s/%s is damaged; notices of the last day may be sent again",
		    STR_ARG(d->conf->state_directory), sent_name);
}

/* Without a sync: main must not wait for a disk that hangs.  After a power cut the file may be the
 * former one, or missing: then one more mail is sent. */
static void
notices_write_sent(struct notices *all)
{
	const struct daemon *d = all->daemon;
	struct buf text;

	buf_init(&text, NOTICES_TEXT_MAX);
	notices_list_write(&all->list, &text);
	if (state_file_write(d->state_fd, sent_name, buf_str(&text), false) != 0)
		log_warn("%.*s/%s cannot be written: %m; after a restart notices of the last day "
			 "may be sent again", STR_ARG(d->conf->state_directory), sent_name);
	buf_clear(&text);
}

/* ---- requests to the queue ---- */

static struct instance *
notices_find_queue(struct daemon *d)
{
	for (unsigned n = 0; n < d->instance_count; n++)
		if (d->instances[n].kind == ROLE_QUEUE && d->instances[n].channel &&
		    d->instances[n].state == INSTANCE_READY)
			return &d->instances[n];
	return NULL;
}

static void
notices_log(const struct notices_pending *n, const char *status, const char *why, int64_t pause_ms)
{
	struct log_line l;

	log_begin(&l, LOG_WARNING, "notice");
	log_str(&l, "kind", str_of(notices_kinds[n->kind].name));
	log_str(&l, "status", str_of(status));
	if (pause_ms)
		log_seconds(&l, "again_in", pause_ms);
	log_quoted(&l, "reason", str_of(why));
	log_end(&l);
}

static void
notices_request_failed(struct notices *all, struct notices_pending *n, const char *why)
{
	int64_t twice_ms = all->pause_ms * 2;

	all->pause_ms = all->pause_ms == 0 ? NOTICES_PAUSE_FIRST_MS
	    : twice_ms < NOTICES_PAUSE_MAX_MS ? twice_ms
	                                      : NOTICES_PAUSE_MAX_MS;
	all->retry_at_ms = clock_mono_ms() + all->pause_ms;
	if (!n->is_late)
		notices_log(n, "late", why, all->pause_ms);
	n->is_late = true;
}

static void
notices_answered(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct notices *all = arg;
	struct notices_pending *n = all->requested;
	const struct smtp_status *s = p ? &p->message->status.status : NULL;
	char text[REQUEST_TEXT_BYTES];

	all->requested = NULL;
	if (s && s->code == 250) {
		all->pause_ms = 0;
		notices_list_sent(&all->list, n, clock_ms());
		notices_write_sent(all);
	} else if (s && s->code >= 500) {
		notices_log(n, "dropped", s->text, 0);
		notices_list_sent(&all->list, n, clock_ms());
	} else {
		/* without an answer the mail may have been stored */
		if (s)
			notices_list_refused(&all->list, n);
		notices_request_failed(all, n,
		    s ? s->text : request_text("queue", &all->request, end, text));
	}
}

/* All requests for one notice have the same id, so the queue stores one mail. */
static void
notices_send_request(struct notices *all, struct instance *queue, struct notices_pending *n)
{
	struct message_notice m = {.kind = str_of(notices_kinds[n->kind].name),
	    .subject = str_of(notices_kinds[n->kind].subject)};
	struct daemon *d = all->daemon;
	struct buf text;

	if (!all->has_ids)
		id_source_init(&all->ids, (uint8_t)d->conf->node, 0, d->floor_ms);
	all->has_ids = true;
	if (!n->id)
		n->id = id_next(&all->ids);
	buf_init(&text, NOTICES_LINES_BYTES + NOTICES_TEXT_MAX);
	notices_list_compose(&all->list, n, &text);
	m.notice = n->id;
	m.text = buf_str(&text);
	n->request_count++;
	all->requested = n;
	request_ask(&all->request, queue->channel, MESSAGE_NOTICE, &m);
	buf_clear(&text);
}

static void
notices_send_next_request(struct notices *all)
{
	struct instance *queue = notices_find_queue(all->daemon);
	struct notices_pending *n;

	/* the queue was replaced before the end of its channel was noticed */
	if (all->requested && !request_is_open(&all->request))
		all->requested = NULL;
	if (all->requested || !queue || all->daemon->stage >= 0 ||
	    clock_mono_ms() < all->retry_at_ms)
		return;
	n = notices_list_next(&all->list, clock_ms());
	if (n)
		notices_send_request(all, queue, n);
}

void
notices_queue_is_ready(struct daemon *d)
{
	if (!notices_are_wanted(d))
		return;
	d->notices->retry_at_ms = d->notices->pause_ms = 0;
	notices_send_next_request(d->notices);
}

/* ---- events ---- */

void
notices_add(struct daemon *d, enum notice_kind kind, struct str object, const char *format, ...)
{
	char line[NOTICES_LINE_BYTES];
	va_list args;

	if (!notices_are_wanted(d))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	(void)notices_list_add(&d->notices->list, kind, object, str_of(line), clock_ms());
}

void
notices_set(struct daemon *d, enum notice_kind kind, struct str object, const char *format, ...)
{
	char line[NOTICES_LINE_BYTES];
	va_list args;

	if (!notices_are_wanted(d))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	(void)notices_list_set(&d->notices->list, kind, object, str_of(line), clock_ms());
}

void
notices_over(struct daemon *d, enum notice_kind kind, struct str object, const char *format, ...)
{
	char line[NOTICES_LINE_BYTES];
	va_list args;

	if (!notices_are_wanted(d))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	notices_list_over(&d->notices->list, kind, object, str_of(line), clock_ms());
}

/* Counts the ends of all processes of that role in the last hour. */
static unsigned
notices_count_ends(struct notices *all, enum role_kind kind)
{
	int64_t now_ms = clock_ms();
	unsigned count = 0;

	all->ends_ms[kind][all->next_end[kind]] = now_ms;
	all->next_end[kind] = (all->next_end[kind] + 1) % ENDS_MAX;
	for (size_t n = 0; n < ENDS_MAX; n++)
		count += all->ends_ms[kind][n] > now_ms - NOTICES_HOUR_MS;
	return count;
}

void
notices_add_process_end(struct instance *i, const char *how)
{
	struct daemon *d = i->daemon;
	const char *name = role_name(i->kind);
	char work[METRICS_TEXT_BYTES];
	unsigned count;

	if (!notices_are_wanted(d) || d->stage >= 0)
		return;
	count = notices_count_ends(d->notices, i->kind);
	notices_set(d, NOTICE_PROCESS, str_of(name),
	    "%s %u (pid %d) %s; it was at: %s; ends of this role in the last hour: %u%s", name,
	    i->index, (int)i->pid, how, metrics_read_work(i->region, work), count,
	    count == ENDS_MAX ? " or more" : "");
}

/* A role may be compromised: from each only alerts about its own work are accepted. */
static bool
notices_may_report(const struct instance *i, unsigned kind)
{
	if (i->kind == ROLE_QUEUE)
		return kind == NOTICE_MESSAGES || kind == NOTICE_LIMIT || kind == NOTICE_ACCESS;
	return i->kind == ROLE_AUTH && kind == NOTICE_ACCESS;
}

void
notices_handle_alert(struct instance *i, const struct message_alert *m)
{
	if (!notices_may_report(i, m->kind))
		log_error("%s: an alert that this role may not send", role_name(i->kind));
	else if (m->is_over)
		notices_over(i->daemon, (enum notice_kind)m->kind, m->object, "%.*s",
		    STR_ARG(m->text));
	else if (notices_are_wanted(i->daemon))
		(void)notices_list_add(&i->daemon->notices->list, (enum notice_kind)m->kind,
		    m->object, m->text, clock_ms());
}

/* ---- problems of processes ---- */

/* Reports the problem; if it ended before the mail was stored, the line has its begin and end. */
static void
notices_add_trouble(struct daemon *d, const struct notices_trouble *t, const struct instance *i,
    const char *text)
{
	char object[NOTICES_OBJECT_BYTES], since[CLOCK_TEXT_BYTES], until[CLOCK_TEXT_BYTES];

	snprintf(object, sizeof object, "%s %u", role_name(i->kind), i->index);
	clock_iso(t->since_ms, since);
	if (text[0])
		notices_set(d, NOTICE_TROUBLE, str_of(object), "%s: since %s: %s", object, since,
		    text);
	else if (notices_list_is_pending(&d->notices->list, NOTICE_TROUBLE, object))
		notices_set(d, NOTICE_TROUBLE, str_of(object), "%s: from %s to %s: %s", object,
		    since, clock_iso(clock_ms(), until), t->text);
}

static void
notices_check_instance(struct daemon *d, struct notices_trouble *t, const struct instance *i)
{
	char text[METRICS_TROUBLE_TEXT_BYTES] = "";
	int64_t now_ms = clock_ms();

	if (i->state == INSTANCE_READY)
		(void)instance_trouble(i, text);
	if (text[0] && (!t->since_ms || t->since_ms > now_ms))
		t->since_ms = now_ms;
	if (t->since_ms && now_ms - t->since_ms >= NOTICES_STEADY_MS)
		notices_add_trouble(d, t, i, text);
	memcpy(t->text, text, sizeof t->text);
	if (!text[0])
		t->since_ms = 0;
}

/* ---- start and stop ---- */

void
notices_check_all(struct daemon *d)
{
	struct notices *all = d->notices;

	if (!notices_are_wanted(d)) {
		request_cancel(&all->request);
		all->requested = NULL;
		notices_list_clear(&all->list);
		return;
	}
	notices_list_forget_old(&all->list, clock_ms());
	for (unsigned n = 0; n < d->instance_count && d->stage < 0; n++)
		notices_check_instance(d, &all->troubles[n], &d->instances[n]);
	notices_send_next_request(all);
}

static void
notices_timer_fired(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	notices_check_all(arg);
}

void
notices_start(struct daemon *d)
{
	struct timeval every = {.tv_sec = NOTICES_CHECK_MS / 1000};
	struct notices *all = MEM_NEW(struct notices);

	all->daemon = d;
	notices_list_init(&all->list);
	request_init(&all->request, notices_answered, all);
	all->timer = event_new(d->base, -1, EV_PERSIST, notices_timer_fired, d);
	if (!all->timer || event_add(all->timer, &every) != 0)
		die("no timer");
	d->notices = all;
	notices_read_sent(all);
}

void
notices_stop(struct daemon *d)
{
	struct notices *all = d->notices;

	request_cancel(&all->request);
	event_free(all->timer);
	notices_list_clear(&all->list);
	mem_free(all);
	d->notices = NULL;
}

/* ---- status ---- */

unsigned
notices_pending_count(const struct daemon *d)
{
	return d->notices && notices_are_wanted(d) ? d->notices->list.count : 0;
}

bool
notices_status(const struct daemon *d, struct buf *values)
{
	const struct notices_list *l = d->notices ? &d->notices->list : NULL;
	const struct notices_sent *last = l && l->sent_count ? &l->sent[l->sent_count - 1] : NULL;
	char stamp[CLOCK_TEXT_BYTES];

	if (!notices_are_wanted(d))
		return false;
	message_values_add(values, "row", STR("notices"));
	message_values_add_number(values, "pending", l->count);
	message_values_add_number(values, "sent", l->sent_count);
	if (last) {
		message_values_add(values, "last", str_of(clock_iso(last->at_ms, stamp)));
		message_values_add(values, "kind", str_of(notices_kinds[last->kind].name));
		message_values_add(values, "object", str_of(last->object));
	}
	return true;
}
