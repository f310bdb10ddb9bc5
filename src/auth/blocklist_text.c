/*
 * blocklist_text: the text form of blocks: the target, and the lines of the file. The first line
 * names the format; each other line is one block, its fields separated by tabs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "auth/blocklist.h"

static const char blocklist_first_line[] = "sallyport blocks 1";

bool
blocklist_target_parse(struct str text, struct blocklist_target *out)
{
	struct claimed_identity identity;

	*out = (struct blocklist_target){0};
	out->is_network = network_parse(text, &out->network);
	if (out->is_network)
		return true;
	/* a text with '/' was meant as a network */
	if (str_has(text, '/') || !claimed_set_user(text, &identity))
		return false;
	memcpy(out->user, identity.user, sizeof out->user);
	return true;
}

bool
blocklist_target_same(const struct blocklist_target *a, const struct blocklist_target *b)
{
	if (a->is_network != b->is_network)
		return false;
	return a->is_network ? network_same(&a->network, &b->network)
			     : strcmp(a->user, b->user) == 0;
}

struct str
blocklist_target_text(const struct blocklist_target *t, char buffer[NETWORK_TEXT_BYTES])
{
	return str_of(t->is_network ? network_text(&t->network, buffer) : t->user);
}

static void
blocklist_copy_field(struct str from, char *to, size_t bytes)
{
	size_t n = from.n < bytes ? from.n : bytes - 1;

	if (n)
		memcpy(to, from.p, n);
	to[n] = '\0';
}

void
blocklist_note_last(struct blocklist_refused *r, struct str user, struct str ip)
{
	blocklist_copy_field(user, r->last_user, sizeof r->last_user);
	blocklist_copy_field(ip, r->last_ip, sizeof r->last_ip);
}

void
blocklist_note_refused(struct blocklist_refused *r, struct str user, struct str ip)
{
	r->count++;
	blocklist_note_last(r, user, ip);
}

void
blocklist_write_text(const struct blocklist_entry *blocks, size_t count, struct buf *out)
{
	char buffer[NETWORK_TEXT_BYTES];

	buf_addf(out, "%s\n", blocklist_first_line);
	for (size_t i = 0; i < count; i++) {
		const struct blocklist_entry *b = &blocks[i];

		buf_addf(out, "%" PRId64 "\t%" PRId64 "\t%.*s\t%s\t%s\n", b->since_ms, b->until_ms,
		    STR_ARG(blocklist_target_text(&b->target, buffer)), b->by, b->reason);
	}
}

static bool
blocklist_parse_time(struct str *rest, int64_t *ms_out)
{
	struct str field;
	uint64_t n;

	if (!str_split(rest, '\t', &field) || !str_u64(field, &n) || n > INT64_MAX)
		return false;
	*ms_out = (int64_t)n;
	return true;
}

static bool
blocklist_parse_line(struct str line, struct blocklist_entry *out)
{
	struct str target, by;

	*out = (struct blocklist_entry){0};
	if (!blocklist_parse_time(&line, &out->since_ms) ||
	    !blocklist_parse_time(&line, &out->until_ms) || !str_split(&line, '\t', &target) ||
	    !str_split(&line, '\t', &by))
		return false;
	if (by.n >= sizeof out->by || line.n >= sizeof out->reason || str_has(line, '\t'))
		return false;
	blocklist_copy_field(by, out->by, sizeof out->by);
	blocklist_copy_field(line, out->reason, sizeof out->reason);
	return blocklist_target_parse(target, &out->target);
}

size_t
blocklist_read_text(struct str text, struct blocklist_entry *blocks, size_t *count_out)
{
	size_t number = 1, bad = 0, count = 0;
	struct str line;

	*count_out = 0;
	if (!str_split(&text, '\n', &line) || !str_eq(line, str_of(blocklist_first_line)))
		return number;
	while (text.n) {
		/* the last line must be terminated too: a truncated line is not valid */
		bool is_complete = str_has(text, '\n');

		number++;
		(void)str_split(&text, '\n', &line);
		if (is_complete && count < BLOCKLIST_MAX &&
		    blocklist_parse_line(line, &blocks[count]))
			count++;
		else if (bad == 0)
			bad = number;
	}
	*count_out = count;
	return bad;
}
