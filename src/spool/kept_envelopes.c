/*
 * kept_envelopes: one after the other in one buffer, in the order of the replay, which is the order
 * in which the messages are reported.  One whose message was removed or has a later record is
 * passed over.
 */
#include "spool/kept_envelopes.h"

#include <string.h>

struct kept_envelopes_head {
	struct msgid id;
	const struct segment *segment;
	uint32_t offset;
	uint32_t n;                      /* bytes of the envelope, which follows */
};

void
kept_envelopes_init(struct kept_envelopes *k, size_t bytes_max)
{
	buf_init(&k->bytes, bytes_max ? bytes_max : KEPT_ENVELOPES_BYTES_MAX);
	k->at = 0;
}

void
kept_envelopes_clear(struct kept_envelopes *k)
{
	buf_clear(&k->bytes);
	k->at = 0;
}

void
kept_envelopes_add(
    struct kept_envelopes *k, const struct spool_entry *e, const struct index_position *at)
{
	struct kept_envelopes_head head = {.id = e->id, .segment = at->segment,
	    .offset = at->offset, .n = (uint32_t)e->message.envelope.n};

	if (k->bytes.n + sizeof head + head.n > k->bytes.max)
		return;
	buf_add(&k->bytes, &head, sizeof head);
	buf_adds(&k->bytes, e->message.envelope);
}

static bool
kept_envelopes_is_of(const struct kept_envelopes_head *head, const struct stored_message *i)
{
	return i && msgid_eq(head->id, i->id) && i->segment == head->segment &&
	    i->offset == head->offset;
}

bool
kept_envelopes_find(struct kept_envelopes *k, const struct spool_index *x,
    const struct stored_message *i, struct str *envelope_out)
{
	struct kept_envelopes_head head;

	while (k->at < k->bytes.n) {
		memcpy(&head, k->bytes.p + k->at, sizeof head);
		if (kept_envelopes_is_of(&head, i)) {
			*envelope_out = str_make(k->bytes.p + k->at + sizeof head, head.n);
			k->at += sizeof head + head.n;
			return true;
		}
		/* of a message that is reported later */
		if (kept_envelopes_is_of(&head, index_find(x, head.id)))
			return false;
		k->at += sizeof head + head.n;
	}
	return false;
}
