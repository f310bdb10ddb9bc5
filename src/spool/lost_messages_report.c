/*
 * lost_messages_report: logs the lost messages, in the order of their ids.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "spool/lost_messages_state.h"

enum {
	LOST_MESSAGES_WHAT_BYTES = 160,
	LOST_MESSAGES_LINE_BYTES = 2600,
	LOST_MESSAGES_REPORTED_MAX = 200,           /* lines of each kind; the lowest ids */
};

void
lost_messages_report_line(const struct spool *s, struct str what, const char *format, ...)
{
	char text[LOST_MESSAGES_LINE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	log_error("%s", text);
	if (s->recovery && s->recovery->lost)
		s->recovery->lost(what, text, s->recovery->arg);
}

/* ---- sorting by id ---- */

int
lost_messages_compare_ids(struct msgid a, struct msgid b)
{
	if (a.session != b.session)
		return a.session < b.session ? -1 : 1;
	return a.number == b.number ? 0 : a.number < b.number ? -1 : 1;
}

/* A message that the log does not contain, or one recipient of it. */
struct lost_messages_missing {
	struct msgid id;
	uint32_t recipient;              /* 0: all of them */
	const struct lost_messages_damaged *message; /* what is left of it, or NULL */
};

struct lost_messages_list {
	const struct replay *replay;
	struct lost_messages_missing *items; /* owned */
	size_t count;
	unsigned ended_count;            /* not in the list: their delivery was finished */
};

static int
lost_messages_compare_missing(const void *p, const void *q)
{
	const struct lost_messages_missing *a = p, *b = q;
	int order = lost_messages_compare_ids(a->id, b->id);

	if (order || a->recipient == b->recipient)
		return order;
	return a->recipient < b->recipient ? -1 : 1;
}

/* Fills the list with what `fn` adds for each value of the map, and sorts it. */
static void
lost_messages_list_fill(
    struct lost_messages_list *list, struct replay *r, struct map *map, map_fn *fn)
{
	*list = (struct lost_messages_list){.replay = r};
	list->items = mem_new((map_count(map) + 1) * sizeof *list->items);
	map_each(map, fn, list);
	qsort(list->items, list->count, sizeof *list->items, lost_messages_compare_missing);
}

static size_t
lost_messages_list_named(const struct lost_messages_list *list)
{
	return list->count < LOST_MESSAGES_REPORTED_MAX ? list->count : LOST_MESSAGES_REPORTED_MAX;
}

/* ---- messages in damaged ranges ---- */

static void
lost_messages_list_damaged(struct str key, void *value, void *arg)
{
	const struct lost_messages_damaged *m = value;
	struct lost_messages_list *list = arg;

	(void)key;
	metrics_progress();
	if (index_find(&list->replay->spool->index, m->id))
		return;
	if (m->settled_count == m->recipient_count)
		list->ended_count++;
	else
		list->items[list->count++] =
		    (struct lost_messages_missing){.id = m->id, .message = m};
}

static void
lost_messages_report_one(const struct spool *s, const struct lost_messages_damaged *m)
{
	char id[ID_NUMBER_TEXT_BYTES], name[SEGMENT_NAME_BYTES], settled[64] = "";

	segment_name(m->slot, name);
	msgid_text(m->id, 0, id);
	if (m->settled_count)
		snprintf(settled, sizeof settled, " (%u of %u recipients are done)",
		    m->settled_count, m->recipient_count);
	lost_messages_report_line(s, str_of(id),
	    "spool: what stands at %u of %s is in message %s%.*s%s: %s", m->offset, name, id,
	    STR_ARG(m->addresses), settled,
	    m->is_readable ? "it is whole, and can be delivered from the file that is set aside, "
			 "unless its delivery was finished"
		       : "it is lost, unless its delivery was finished; only this line names "
			 "it: ask the sender to send it again");
}

static void
lost_messages_report_damaged(struct replay *r)
{
	struct lost_messages_list list;
	size_t named;

	lost_messages_list_fill(&list, r, r->lost_messages->messages, lost_messages_list_damaged);
	named = lost_messages_list_named(&list);
	for (size_t i = 0; i < named; i++)
		lost_messages_report_one(r->spool, list.items[i].message);
	if (list.count > named)
		lost_messages_report_line(r->spool, STR("more"),
		    "spool: %zu more messages in damaged places are lost, unless their delivery "
		    "was "
		    "finished, and are not named; sallyportd(8), BACKUP AND RESTORE, tells how to "
		    "read them",
		    list.count - named);
	if (list.ended_count)
		log_info("spool: messages in damaged places whose delivery was finished: %u; no "
			 "mail is lost with them", list.ended_count);
	mem_free(list.items);
}

/* ---- missing segments and ranges ---- */

static void
lost_messages_name_gap(const struct lost_messages_gap *gap, char *out, size_t bytes)
{
	char name[SEGMENT_NAME_BYTES], more[64] = "";

	if (gap->more)
		snprintf(more, sizeof more, ", and of %u later ones", gap->more);
	if (gap->to)
		snprintf(out, bytes, "what stood from %u to %u of %s%s", gap->from, gap->to,
		    segment_name(gap->slot, name), more);
	else if (!gap->generation)
		snprintf(out, bytes, "a segment of which it is not known where in the log it "
				     "belongs%s", more);
	else
		snprintf(out, bytes, "the segment of generation %llu, or its end%s",
		    (unsigned long long)gap->generation, more);
}

static void
lost_messages_report_gap(const struct replay *r, const struct lost_messages_gap *gap)
{
	const struct lost_messages *l = r->lost_messages;
	struct msgid before = gap->is_passed ? gap->before : l->newest;
	char from[ID_NUMBER_TEXT_BYTES], to[ID_NUMBER_TEXT_BYTES], begin[96] = "", end[96] = "";
	char what[LOST_MESSAGES_WHAT_BYTES];

	if (!gap->generation)
		before.session = 0;
	if (before.session)
		snprintf(begin, sizeof begin, " after the first line with \"id=%s\"",
		    msgid_text(before, 0, from));
	if (gap->after.session)
		snprintf(end, sizeof end, " before the first line with \"id=%s\"",
		    msgid_text(gap->after, 0, to));
	lost_messages_name_gap(gap, what, sizeof what);
	lost_messages_report_line(r->spool, str_of(what),
	    "spool: messages may be lost with %s, that no line names: their accept lines stand in "
	    "this log%s%s%s; those of which it names no final result, and that are not in the "
	    "queue, are "
	    "lost: ask their senders to send them again",
	    what, begin, before.session && gap->after.session ? " and" : "", end);
}

static void
lost_messages_list_recipient(struct str key, void *value, void *arg)
{
	const struct lost_messages_recipient *missing = value;
	struct lost_messages_list *list = arg;

	(void)key;
	if (!index_find(&list->replay->spool->index, missing->id))
		list->items[list->count++] = (struct lost_messages_missing){
		    .id = missing->id, .recipient = missing->recipient};
}

static void
lost_messages_report_missing(struct replay *r)
{
	struct lost_messages_list list;
	char id[ID_NUMBER_TEXT_BYTES];
	size_t named;

	lost_messages_list_fill(&list, r, r->lost_messages->waiting, lost_messages_list_recipient);
	named = lost_messages_list_named(&list);
	for (size_t i = 0; i < named; i++)
		lost_messages_report_line(r->spool,
		    str_of(msgid_text(list.items[i].id, list.items[i].recipient, id)),
		    "spool: the message of recipient %s is missing, and was still being tried", id);
	if (list.count > 0)
		log_error("spool: %zu recipients of missing messages are known, %zu of them are "
			  "named above", list.count, named);
	mem_free(list.items);
	for (unsigned i = 0; i < r->lost_messages->gap_count; i++)
		lost_messages_report_gap(r, &r->lost_messages->gaps[i]);
}

/* ---- the end ---- */

void
lost_messages_report(struct replay *r)
{
	if (!r->lost_messages)
		return;
	lost_messages_report_damaged(r);
	lost_messages_report_missing(r);
}
