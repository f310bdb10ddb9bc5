/*
 * failure_list: the whole list is in its owner's struct: nothing is allocated, and a look-up
 * compares all entries. A new entry counts as empty until its caller sets since_ms. Which entry was
 * used last is known by a counter and not by a clock, so that unused entries, which have 0, are
 * replaced first.
 */
#include "auth/failure_list.h"

#include <string.h>

struct failure_list_entry *
failure_list_find(struct failure_list *l, enum failures_of kind, struct str key)
{
	for (size_t i = 0; i < FAILURE_LIST_MAX; i++) {
		struct failure_list_entry *e = &l->entry[i];

		if (e->since_ms && e->kind == kind && str_eq(str_make(e->key, e->key_n), key))
			return e;
	}
	return NULL;
}

struct failure_list_entry *
failure_list_ensure(struct failure_list *l, enum failures_of kind, struct str key)
{
	struct failure_list_entry *e = failure_list_find(l, kind, key);

	if (e)
		return e;
	e = &l->entry[0];
	for (size_t i = 1; i < FAILURE_LIST_MAX; i++)
		if (l->entry[i].last_used < e->last_used)
			e = &l->entry[i];
	*e = (struct failure_list_entry){.kind = kind};
	e->key_n = key.n < sizeof e->key ? key.n : sizeof e->key;
	memcpy(e->key, key.p, e->key_n);
	return e;
}

void
failure_list_used(struct failure_list *l, struct failure_list_entry *e)
{
	e->last_used = ++l->use_count;
}
