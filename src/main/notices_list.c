/*
 * notices_list: see the header.
 */
#include "main/notices_list.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

/* ---- creation and removal ---- */

void
notices_list_init(struct notices_list *l)
{
	*l = (struct notices_list){0};
	TAILQ_INIT(&l->pending);
}

void
notices_list_clear(struct notices_list *l)
{
	struct notices_pending *n;

	while ((n = TAILQ_FIRST(&l->pending)))
		notices_list_drop(l, n);
}

void
notices_list_drop(struct notices_list *l, struct notices_pending *n)
{
	TAILQ_REMOVE(&l->pending, n, link);
	l->count--;
	buf_clear(&n->lines);
	mem_free(n);
}

/* ---- text from outside ---- */

/* Makes text one line of printable characters.  Returns out, which ends in NUL; a non-ASCII
 * character that does not fit is left out as a whole. */
static char *
notices_one_line(struct str text, char *out, size_t bytes)
{
	size_t n = 0;

	while (text.n) {
		size_t step = str_utf8_step(text);
		unsigned char c = (unsigned char)text.p[0];

		if (n + (step ? step : 1) >= bytes)
			break;
		if (step <= 1 && (c < 0x20 || c > 0x7e))
			out[n++] = c == '\t' || c == '\n' || c == '\r' ? ' ' : '?';
		else
			for (size_t i = 0; i < step; i++)
				out[n++] = text.p[i];
		text = str_from(text, step ? step : 1);
	}
	out[n] = '\0';
	return out;
}

/* ---- sent notices ---- */

void
notices_list_forget_old(struct notices_list *l, int64_t now_ms)
{
	unsigned count = 0;

	for (unsigned i = 0; i < l->sent_count; i++) {
		struct notices_sent *s = &l->sent[i];

		/* the clock was set back: its day begins now */
		if (s->at_ms > now_ms)
			s->at_ms = now_ms;
		if (now_ms - s->at_ms < NOTICES_DAY_MS)
			l->sent[count++] = *s;
	}
	l->sent_count = count;
}

/* The time of the last notice about this object; 0: none in the last day. */
static int64_t
notices_last_sent_ms(
    struct notices_list *l, enum notice_kind kind, const char *object, int64_t now_ms)
{
	int64_t at_ms = 0;

	notices_list_forget_old(l, now_ms);
	for (unsigned i = 0; i < l->sent_count; i++)
		if (l->sent[i].kind == kind && strcmp(l->sent[i].object, object) == 0)
			at_ms = l->sent[i].at_ms;
	return at_ms;
}

static bool
notices_may_be_sent(struct notices_list *l, const struct notices_pending *n, int64_t now_ms)
{
	unsigned of_users = 0;

	notices_list_forget_old(l, now_ms);
	for (unsigned i = 0; i < l->sent_count; i++)
		of_users += notices_kinds[l->sent[i].kind].is_of_users;
	return l->sent_count < NOTICES_A_DAY &&
	    (!notices_kinds[n->kind].is_of_users || of_users < NOTICES_A_DAY_OF_USERS);
}

/* ---- events ---- */

static uint64_t
notices_subject_hash(enum notice_kind kind, struct str object)
{
	return map_hash(str_upto(object, str_find(object, '\n'))) + (uint64_t)kind;
}

/* True if an object of a collected kind had its line in the last day; else remembers it. */
static bool
notices_object_is_known(
    struct notices_list *l, enum notice_kind kind, struct str object, int64_t now_ms)
{
	uint64_t hash = map_hash(object) + (uint64_t)kind;

	for (size_t i = 0; i < NOTICES_OBJECTS_MAX; i++) {
		/* the clock was set back */
		if (l->objects[i].at_ms > now_ms)
			l->objects[i].at_ms = now_ms;
		if (l->objects[i].at_ms && l->objects[i].hash == hash &&
		    now_ms - l->objects[i].at_ms < NOTICES_DAY_MS)
			return true;
	}
	l->objects[l->next_object].hash = hash;
	l->objects[l->next_object].subject = notices_subject_hash(kind, object);
	l->objects[l->next_object].at_ms = now_ms;
	l->next_object = (l->next_object + 1) % NOTICES_OBJECTS_MAX;
	return false;
}

/* The time of the newest line about one of them; 0: none in memory. */
static int64_t
notices_forget_objects(struct notices_list *l, enum notice_kind kind, struct str object)
{
	uint64_t subject = notices_subject_hash(kind, object);
	int64_t at_ms = 0;

	for (size_t i = 0; i < NOTICES_OBJECTS_MAX; i++) {
		if (!l->objects[i].at_ms || l->objects[i].subject != subject)
			continue;
		if (l->objects[i].at_ms > at_ms)
			at_ms = l->objects[i].at_ms;
		l->objects[i].at_ms = 0;
	}
	return at_ms;
}

static bool
notices_is_about(const struct notices_pending *n, enum notice_kind kind, const char *object)
{
	return n->kind == kind && strcmp(n->object, object) == 0;
}

/* Finds the notice about that object that still accepts lines: it was not requested yet. */
static struct notices_pending *
notices_find_pending(struct notices_list *l, enum notice_kind kind, const char *object)
{
	struct notices_pending *n;

	TAILQ_FOREACH(n, &l->pending, link)
		if (n->request_count == 0 && notices_is_about(n, kind, object))
			return n;
	return NULL;
}

static bool
notices_has_line(const struct notices_pending *n, struct str line)
{
	return n->lines.n && memmem(n->lines.p, n->lines.n, line.p, line.n);
}

static struct str
notice_without_digits(struct str text, struct buf *out)
{
	buf_init(out, NOTICES_LINES_BYTES);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < '0' || text.p[i] > '9')
			buf_addc(out, text.p[i]);
	return buf_str(out);
}

static bool
notice_contains(const struct notices_pending *n, struct str line)
{
	struct buf present_text, added_text;
	struct str present, added;
	bool is_present;

	if (!notices_kinds[n->kind].has_counters)
		return notices_has_line(n, line);
	present = notice_without_digits(buf_str(&n->lines), &present_text);
	added = notice_without_digits(line, &added_text);
	is_present = present.n && memmem(present.p, present.n, added.p, added.n);
	buf_clear(&present_text);
	buf_clear(&added_text);
	return is_present;
}

/* Finds a requested notice that already contains this text. */
static struct notices_pending *
notices_find_with_line(
    struct notices_list *l, enum notice_kind kind, const char *object, struct str text)
{
	char line[NOTICES_LINE_BYTES];
	struct str shown = str_of(notices_one_line(text, line, sizeof line));
	struct notices_pending *n;

	TAILQ_FOREACH(n, &l->pending, link)
		if (n->request_count && notices_is_about(n, kind, object) &&
		    notice_contains(n, shown))
			return n;
	return NULL;
}

static struct notices_pending *
notices_new_pending(
    struct notices_list *l, enum notice_kind kind, const char *object, int64_t now_ms)
{
	bool is_collected = notices_kinds[kind].is_collected;
	int64_t sent_ms = notices_last_sent_ms(l, kind, object, now_ms);
	struct notices_pending *n;

	if (sent_ms && !is_collected && now_ms - sent_ms < NOTICES_DAY_MS - NOTICES_SLACK_MS)
		return NULL;
	if (l->count == NOTICES_PENDING_MAX) {
		l->omitted_count++;
		return NULL;
	}
	n = MEM_NEW(struct notices_pending);
	n->kind = kind;
	snprintf(n->object, sizeof n->object, "%s", object);
	n->since_ms = now_ms;
	n->due_ms = now_ms + (is_collected ? NOTICES_COLLECT_MS : NOTICES_GATHER_MS);
	if (is_collected && sent_ms && sent_ms + NOTICES_HOUR_MS > n->due_ms)
		n->due_ms = sent_ms + NOTICES_HOUR_MS;
	buf_init(&n->lines, NOTICES_LINES_BYTES);
	TAILQ_INSERT_TAIL(&l->pending, n, link);
	l->count++;
	return n;
}

/* True if there is room for one more line; else the event is only counted. */
static bool
notice_count_line(struct notices_pending *n)
{
	bool has_room = n->line_count < NOTICES_LINES_MAX &&
	    n->lines.n + NOTICES_LINE_BYTES + CLOCK_TEXT_BYTES <= n->lines.max;

	n->line_count += has_room;
	n->more_count += !has_room;
	return has_room;
}

static void
notices_add_line(struct notices_pending *n, struct str text, int64_t now_ms)
{
	char stamp[CLOCK_TEXT_BYTES], line[NOTICES_LINE_BYTES];

	/* an object of a collected kind comes again only when the former event was over */
	(void)notices_one_line(text, line, sizeof line);
	if (!notices_kinds[n->kind].is_collected && notices_has_line(n, str_of(line)))
		return;
	if (notice_count_line(n))
		buf_addf(&n->lines, " %s %s\n", clock_iso(now_ms, stamp), line);
}

static void
notice_clear_lines(struct notices_pending *n)
{
	buf_reset(&n->lines);
	n->line_count = n->more_count = 0;
}

/* Moves the lines of the newer notice to n, in place of its lines or after them. */
static void
notice_merge(struct notices_pending *n, const struct notices_pending *newer)
{
	struct str rest = buf_str(&newer->lines), line;

	if (newer->is_set)
		notice_clear_lines(n);
	while (str_split(&rest, '\n', &line))
		if (line.n && notice_count_line(n))
			buf_addf(&n->lines, "%.*s\n", STR_ARG(line));
	n->more_count += newer->more_count;
}

/* Returns the notice for the line; NULL: there is none, or the line is already reported. */
static struct notices_pending *
notices_ensure_pending(struct notices_list *l, enum notice_kind kind, struct str object,
    struct str line, int64_t now_ms)
{
	char name[NOTICES_OBJECT_BYTES] = "";
	struct notices_pending *n;

	if (notices_kinds[kind].is_collected) {
		if (notices_object_is_known(l, kind, object, now_ms))
			return NULL;
	} else {
		(void)notices_one_line(object, name, sizeof name);
	}
	n = notices_find_pending(l, kind, name);
	if (!n && notices_find_with_line(l, kind, name, line))
		return NULL;
	return n ? n : notices_new_pending(l, kind, name, now_ms);
}

struct notices_pending *
notices_list_add(struct notices_list *l, enum notice_kind kind, struct str object, struct str line,
    int64_t now_ms)
{
	struct notices_pending *n = notices_ensure_pending(l, kind, object, line, now_ms);

	if (n)
		notices_add_line(n, line, now_ms);
	return n;
}

struct notices_pending *
notices_list_set(struct notices_list *l, enum notice_kind kind, struct str object, struct str line,
    int64_t now_ms)
{
	struct notices_pending *n = notices_ensure_pending(l, kind, object, line, now_ms);

	if (!n)
		return NULL;
	notice_clear_lines(n);
	n->is_set = true;
	notices_add_line(n, line, now_ms);
	return n;
}

void
notices_list_over(struct notices_list *l, enum notice_kind kind, struct str object, struct str line,
    int64_t now_ms)
{
	bool is_collected = notices_kinds[kind].is_collected;
	int64_t told_ms = is_collected ? notices_forget_objects(l, kind, object) : INT64_MAX;
	char name[NOTICES_OBJECT_BYTES] = "";
	struct notices_pending *n;

	if (!is_collected)
		(void)notices_one_line(object, name, sizeof name);
	n = notices_find_pending(l, kind, name);
	if (n && told_ms && told_ms >= n->since_ms)
		notices_add_line(n, line, now_ms);
}

/* At most one newer notice about the object exists: it got all later events. */
void
notices_list_refused(struct notices_list *l, struct notices_pending *n)
{
	struct notices_pending *newer = TAILQ_NEXT(n, link);

	n->request_count--;
	if (n->request_count)
		return;
	while (newer && (newer->request_count || !notices_is_about(newer, n->kind, n->object)))
		newer = TAILQ_NEXT(newer, link);
	if (!newer)
		return;
	notice_merge(n, newer);
	notices_list_drop(l, newer);
}

bool
notices_list_is_pending(const struct notices_list *l, enum notice_kind kind, const char *object)
{
	const struct notices_pending *n;

	TAILQ_FOREACH(n, &l->pending, link)
		if (notices_is_about(n, kind, object))
			return true;
	return false;
}

/* ---- sending ---- */

struct notices_pending *
notices_list_next(struct notices_list *l, int64_t now_ms)
{
	struct notices_pending *n;

	TAILQ_FOREACH(n, &l->pending, link) {
		/* the clock was set back */
		if (n->due_ms > now_ms + NOTICES_HOUR_MS)
			n->due_ms = now_ms + NOTICES_HOUR_MS;
		if (n->due_ms <= now_ms && notices_may_be_sent(l, n, now_ms))
			return n;
	}
	return NULL;
}

/* A notice of the same collected kind that was begun meanwhile waits until its hour is over. */
static void
notices_postpone(struct notices_list *l, enum notice_kind kind, int64_t until_ms)
{
	struct notices_pending *n;

	TAILQ_FOREACH(n, &l->pending, link)
		if (n->kind == kind && n->due_ms < until_ms)
			n->due_ms = until_ms;
}

void
notices_list_sent(struct notices_list *l, struct notices_pending *n, int64_t now_ms)
{
	if (notices_kinds[n->kind].is_collected)
		notices_postpone(l, n->kind, now_ms + NOTICES_HOUR_MS);
	notices_list_forget_old(l, now_ms);
	if (l->sent_count == NOTICES_A_DAY) {
		memmove(&l->sent[0], &l->sent[1], sizeof l->sent - sizeof l->sent[0]);
		l->sent_count--;
	}
	l->sent[l->sent_count] = (struct notices_sent){.at_ms = now_ms, .kind = n->kind};
	memcpy(l->sent[l->sent_count++].object, n->object, sizeof n->object);
	l->omitted_count -=
	    n->omitted_count < l->omitted_count ? n->omitted_count : l->omitted_count;
	notices_list_drop(l, n);
}

/* ---- the file of sent notices ---- */

void
notices_list_write(const struct notices_list *l, struct buf *out)
{
	for (unsigned i = 0; i < l->sent_count; i++)
		buf_addf(out, "%lld %s %s\n", (long long)l->sent[i].at_ms,
		    notices_kinds[l->sent[i].kind].name, l->sent[i].object);
}

static bool
notices_read_line(struct str line, struct notices_sent *out)
{
	size_t first = str_find(line, ' ');
	struct str rest = str_from(line, first + 1), name;
	uint64_t at_ms;

	name = str_upto(rest, str_find(rest, ' '));
	if (!str_u64(str_upto(line, first), &at_ms) || at_ms == 0 || at_ms > INT64_MAX)
		return false;
	for (int kind = 0; kind < NOTICE_KINDS; kind++) {
		if (!str_eq(name, str_of(notices_kinds[kind].name)))
			continue;
		out->at_ms = (int64_t)at_ms;
		out->kind = (enum notice_kind)kind;
		(void)notices_one_line(str_from(rest, name.n + 1), out->object, sizeof out->object);
		return name.n < rest.n;
	}
	return false;
}

bool
notices_list_read(struct notices_list *l, struct str text)
{
	struct str line;

	l->sent_count = 0;
	while (str_split(&text, '\n', &line)) {
		if (line.n == 0 && text.n == 0)
			return true;
		if (l->sent_count == NOTICES_A_DAY ||
		    !notices_read_line(line, &l->sent[l->sent_count])) {
			l->sent_count = 0;
			return false;
		}
		l->sent_count++;
	}
	return true;
}
