/*
 * lost_messages_report: the lost messages as the log names them, in the order of their ids.
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
	LOSSES_WHAT_BYTES = 160,
	LOSSES_TEXT_BYTES = 2600,
	LOSSES_TOLD_MAX = 200,           /* lines of each kind; the first by id */
};

void
losses_say(const struct spool *s, struct str what, const char *format, ...)
{
	char text[LOSSES_TEXT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	log_error("%s", text);
	if (s->recovery && s->recovery->lost)
		s->recovery->lost(what, text, s->recovery->arg);
}

/* ---- in the order of ids ---- */

int
losses_compare(struct msgid a, struct msgid b)
{
	if (a.session != b.session)
		return a.session < b.session ? -1 : 1;
	return a.number == b.number ? 0 : a.number < b.number ? -1 : 1;
}

/* A message that the log does not hold, or one recipient of it. */
struct losses_missing {
	struct msgid id;
	uint32_t recipient;              /* 0: all of them */
	const struct losses_message *message; /* what is left of it, or NULL */
};

struct losses_list {
	const struct replay *replay;
	struct losses_missing *items;    /* owned */
	size_t count;
	unsigned ended_count;            /* not in the list: no mail is lost with them */
};

static int
losses_compare_missing(const void *p, const void *q)
{
	const struct losses_missing *a = p, *b = q;
	int order = losses_compare(a->id, b->id);

	if (order || a->recipient == b->recipient)
		return order;
	return a->recipient < b->recipient ? -1 : 1;
}

/* Of all that a map holds; `fn` adds one. */
static void
losses_list_fill(struct losses_list *list, struct replay *r, struct map *map, map_fn *fn)
{
	*list = (struct losses_list){.replay = r};
	list->items = mem_new((map_count(map) + 1) * sizeof *list->items);
	map_each(map, fn, list);
	qsort(list->items, list->count, sizeof *list->items, losses_compare_missing);
}

static size_t
losses_list_named(const struct losses_list *list)
{
	return list->count < LOSSES_TOLD_MAX ? list->count : LOSSES_TOLD_MAX;
}

/* ---- of messages in damaged places ---- */

static void
losses_list_message(struct str key, void *value, void *arg)
{
	const struct losses_message *m = value;
	struct losses_list *list = arg;

	(void)key;
	metrics_progress();
	if (index_find(&list->replay->spool->index, m->id))
		return;
	if (m->settled_count == m->recipient_count)
		list->ended_count++;
	else
		list->items[list->count++] = (struct losses_missing){.id = m->id, .message = m};
}

static void
losses_tell_message(const struct spool *s, const struct losses_message *m)
{
	char id[ID_NUMBER_TEXT_BYTES], name[SEGMENT_NAME_BYTES], settled[64] = "";

	segment_name(m->slot, name);
	msgid_text(m->id, 0, id);
	if (m->settled_count)
		snprintf(settled, sizeof settled, " (%u of %u recipients are done)",
		    m->settled_count, m->recipient_count);
	losses_say(s, str_of(id),
	    "spool: what stands at %u of %s is in message %s%.*s%s: %s", m->offset, name, id,
	    STR_ARG(m->people), settled,
	    m->is_kept ? "it is whole, and can be delivered from the file that is set aside, "
			 "unless it had come to its end"
		       : "it is lost, unless it had come to its end; nobody is told of it but by "
			 "this line: ask the sender to send it again");
}

static void
losses_tell_messages(struct replay *r)
{
	struct losses_list list;
	size_t named;

	losses_list_fill(&list, r, r->losses->messages, losses_list_message);
	named = losses_list_named(&list);
	for (size_t i = 0; i < named; i++)
		losses_tell_message(r->spool, list.items[i].message);
	if (list.count > named)
		losses_say(r->spool, STR("more"),
		    "spool: %zu more messages in damaged places are lost, unless they had come to "
		    "their end, and are not named; sallyportd(8), BACKUP AND RESTORE, tells how to "
		    "read them", list.count - named);
	if (list.ended_count)
		log_info("spool: messages in damaged places that had come to their end: %u; no "
			 "mail is lost with them", list.ended_count);
	mem_free(list.items);
}

/* ---- of what is not there ---- */

static void
losses_name_gap(const struct losses_gap *gap, char *out, size_t bytes)
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
losses_tell_gap(const struct replay *r, const struct losses_gap *gap)
{
	const struct losses *l = r->losses;
	struct msgid before = gap->is_passed ? gap->before : l->newest;
	char from[ID_NUMBER_TEXT_BYTES], to[ID_NUMBER_TEXT_BYTES], begin[96] = "", end[96] = "";
	char what[LOSSES_WHAT_BYTES];

	if (!gap->generation)
		before.session = 0;
	if (before.session)
		snprintf(begin, sizeof begin, " behind the first line with \"id=%s\"",
		    msgid_text(before, 0, from));
	if (gap->after.session)
		snprintf(end, sizeof end, " before the first line with \"id=%s\"",
		    msgid_text(gap->after, 0, to));
	losses_name_gap(gap, what, sizeof what);
	losses_say(r->spool, str_of(what),
	    "spool: messages may be lost with %s, that no line names: their accept lines stand in "
	    "this log%s%s%s; those of which it tells no end, and that are not in the queue, are "
	    "lost: ask their senders to send them again", what, begin,
	    before.session && gap->after.session ? " and" : "", end);
}

static void
losses_list_one(struct str key, void *value, void *arg)
{
	const struct losses_one *one = value;
	struct losses_list *list = arg;

	(void)key;
	if (!index_find(&list->replay->spool->index, one->id))
		list->items[list->count++] =
		    (struct losses_missing){.id = one->id, .recipient = one->recipient};
}

static void
losses_tell_missing(struct replay *r)
{
	struct losses_list list;
	char id[ID_NUMBER_TEXT_BYTES];
	size_t named;

	losses_list_fill(&list, r, r->losses->waiting, losses_list_one);
	named = losses_list_named(&list);
	for (size_t i = 0; i < named; i++)
		losses_say(r->spool,
		    str_of(msgid_text(list.items[i].id, list.items[i].recipient, id)),
		    "spool: the message of recipient %s is missing, and was still being tried", id);
	if (list.count > 0)
		log_error("spool: %zu recipients of missing messages are known, %zu of them are "
			  "named above", list.count, named);
	mem_free(list.items);
	for (unsigned i = 0; i < r->losses->gap_count; i++)
		losses_tell_gap(r, &r->losses->gaps[i]);
}

/* ---- all of it ---- */

void
losses_tell(struct replay *r)
{
	if (!r->losses)
		return;
	losses_tell_messages(r);
	losses_tell_missing(r);
}
