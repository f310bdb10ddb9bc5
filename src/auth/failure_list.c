/*
 * failure_list: see the header.
 */
#include "auth/failure_list.h"

#include <string.h>

struct limited_entry *
limited_find(struct limited *l, enum failures_of what, struct str key)
{
	for (size_t i = 0; i < LIMITED_MAX; i++) {
		struct limited_entry *e = &l->entry[i];

		if (e->since_ms && e->what == what && str_eq(str_make(e->key, e->key_n), key))
			return e;
	}
	return NULL;
}

struct limited_entry *
limited_ensure(struct limited *l, enum failures_of what, struct str key)
{
	struct limited_entry *e = limited_find(l, what, key);

	if (e)
		return e;
	e = &l->entry[0];
	for (size_t i = 1; i < LIMITED_MAX; i++)
		if (l->entry[i].turn < e->turn)
			e = &l->entry[i];
	*e = (struct limited_entry){.what = what};
	e->key_n = key.n < sizeof e->key ? key.n : sizeof e->key;
	memcpy(e->key, key.p, e->key_n);
	return e;
}

void
limited_used(struct limited *l, struct limited_entry *e)
{
	e->turn = ++l->turns;
}
