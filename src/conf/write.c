/*
 * write: goes through the table of keys in order, so the keys of a group follow one another and
 * each group is opened once. Unless all keys are wanted, one is left out when its text equals that
 * of the default tree, whose postmaster is that of this tree. The text of a value may be secret and
 * is wiped.
 */
#include "conf/write.h"

#include "conf/defaults.h"
#include "conf/write_keys.h"

void
conf_write(const struct conf *c, unsigned roles, bool all, bool with_secrets, struct buf *out)
{
	struct conf *plain = conf_default();
	struct conf_writer w = conf_writer_begin(out);
	struct buf value;

	plain->postmaster = conf_default_postmaster(c, &plain->arena);
	buf_init(&value, CONF_VALUE_TEXT_MAX);
	for (size_t i = 0; i < conf_key_count; i++) {
		const struct conf_key *k = &conf_key_table[i];

		if ((k->flags & KEY_ITEM) || !conf_key_is_for(k, roles))
			continue;
		if (!all && !conf_key_differs(k, c, plain))
			continue;
		buf_reset(&value);
		conf_write_value(k, c, roles, with_secrets, &value);
		conf_writer_add(&w, k, buf_str(&value));
	}
	conf_writer_end(&w);
	conf_text_wipe(&value);
	conf_drop(&plain);
}
