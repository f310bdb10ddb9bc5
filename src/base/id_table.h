/*
 * id_table: the objects of a caller, found by message id, and in the order in which they were
 * added.  Each object begins with its struct msgid, which does not change while it is in the table.
 * The objects belong to the caller.  A table takes about 14 bytes for each object, and holds at
 * most 67 million.
 */
#ifndef BASE_ID_TABLE_H
#define BASE_ID_TABLE_H

#include "base/id.h"

struct id_table {
	void **entries;                  /* in order; NULL: removed */
	uint32_t *slots;                 /* place of an entry, from 1, and a tag; found by hash */
	size_t used, cap;                /* entries, with those that were removed before the last */
	size_t first;                    /* all entries before it were removed */
	size_t size;                     /* slots: a power of two */
	size_t count;
};

/* An empty table; no memory is allocated before the first object. */
void id_table_init(struct id_table *t);
/* Frees the table, not the objects. */
void id_table_clear(struct id_table *t);

/* Adds an object at the end; its id must not be in the table. */
void id_table_add(struct id_table *t, void *object);
/* Removes the object with that id, and returns it, or NULL. */
void *id_table_remove(struct id_table *t, struct msgid id);
/* The object with that id, or NULL. */
void *id_table_find(const struct id_table *t, struct msgid id);

/* The oldest object, or NULL. */
void *id_table_first(const struct id_table *t);
/* The one that was added after that object of the table, or NULL. */
void *id_table_next(const struct id_table *t, const void *object);
/* The newest object, or NULL. */
void *id_table_last(const struct id_table *t);
/* The one that was added before that object of the table, or NULL. */
void *id_table_previous(const struct id_table *t, const void *object);

#endif
