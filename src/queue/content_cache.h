/*
 * content_cache: the contents of new messages, until the first attempt of each of their deliveries
 * has begun.  What a commit brought is then sent to relay as it is, and not read from the spool
 * again.  The memory is bounded: without room the oldest contents are forgotten, and their messages
 * are read from the spool.  It knows no spool and no schedule.
 */
#ifndef QUEUE_CONTENT_CACHE_H
#define QUEUE_CONTENT_CACHE_H

#include "base/id.h"
#include "base/str.h"

struct content_cache;

struct content_cache_parts {
	struct str envelope, header, body;
};

struct content_cache *content_cache_new(size_t bytes_max);
void content_cache_free(struct content_cache **c);
/* A new bound; 0: nothing is kept. */
void content_cache_set_max(struct content_cache *c, size_t bytes_max);

/* Copies the parts of a message, of which content_cache_used will be called `uses` times.  Larger
 * ones than a quarter of the bound are not kept. */
void content_cache_put(struct content_cache *c, struct msgid id,
    const struct content_cache_parts *parts, unsigned uses);
/* False: they are not kept.  *out is valid until the next call for this cache. */
bool content_cache_find(
    const struct content_cache *c, struct msgid id, struct content_cache_parts *out) MUST_USE;
/* One delivery of the message has begun; forgets it after the last one. */
void content_cache_used(struct content_cache *c, struct msgid id);
/* The message has ended, or was not stored.  Unknown ids are ignored. */
void content_cache_forget(struct content_cache *c, struct msgid id);
/* The bytes that are kept now. */
size_t content_cache_bytes(const struct content_cache *c);

#endif
