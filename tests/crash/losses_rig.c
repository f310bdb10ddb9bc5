#include "losses_rig.h"

#include <errno.h>
#include <stdio.h>

#include "cases.h"
#include "spool/spool_internal.h"

void
losses_expect(struct model *m, const char *words, const char *more, unsigned count)
{
	unsigned told = cases_told_both(words, more);

	if (told != count)
		model_broken(m, "\"%s ... %s\" was told %u times, not %u", words, more, told,
		    count);
}

void
losses_spoil(struct model *m, const struct model_message *g)
{
	const struct stored_message *i = index_find(&m->spool->index, g->id);
	struct iovec v = {(char[]){"spoilt"}, 6};
	struct fsio *io = simdisk_io(m->disk);
	int fd = i->segment->fd;

	if (io->ops->pwritev(io, fd, &v, 1, i->offset + i->frame_bytes - 20) != 6 ||
	    io->ops->sync_data(io, fd) != 0)
		model_broken(m, "the record cannot be spoilt");
}

struct model_message *
losses_submit_any(struct model *m)
{
	unsigned n = 0;

	while (n + 1 < MODEL_MESSAGES && m->messages[n].fate != MODEL_NONE)
		n++;
	if (!model_submit(m, 1000, false))
		model_broken(m, "no message: errno %d", errno);
	model_turn(m);
	return &m->messages[n];
}

struct msgid
losses_beside(struct model *m, uint64_t generation, bool is_behind)
{
	struct msgid found = {0, 0};

	for (unsigned n = 0; n < MODEL_MESSAGES; n++) {
		const struct stored_message *i = index_find(&m->spool->index, m->messages[n].id);

		if (!i || !i->segment || (i->segment->generation > generation) != is_behind)
			continue;
		if (!found.session || (i->id.session < found.session) == is_behind)
			found = i->id;
	}
	return found;
}

void
losses_expect_between(struct model *m, struct msgid before, struct msgid after)
{
	char id[ID_NUMBER_TEXT_BYTES], words[96], more[96] = "accept lines";

	snprintf(words, sizeof words, "after the first line with \"id=%s\"",
	    msgid_text(before, 0, id));
	if (after.session)
		snprintf(more, sizeof more, "before the first line with \"id=%s\"",
		    msgid_text(after, 0, id));
	losses_expect(m, words, more, 1);
	losses_expect(m, "up to record", "", 0);
	losses_expect(m, "0 recipients of missing messages", "", 0);
}

void
losses_expect_accepted(struct model *m)
{
	losses_expect(m, "this start goes on without it", "", 1);
	losses_expect(m, "start once with --accept-damage", "", 0);
	losses_expect(m, "put the", "back, or", 0);
}
