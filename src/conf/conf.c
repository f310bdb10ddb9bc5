/*
 * conf: creates, counts and frees trees, and reports.
 */
#include "conf/conf.h"

#include "base/mem.h"

enum { CONF_ARENA_MAX = 512 << 20, REPORT_BYTES_MAX = 1 << 20 };

struct conf *
conf_new(void)
{
	struct conf *c = MEM_NEW(struct conf);

	arena_init(&c->arena, CONF_ARENA_MAX);
	c->references = 1;
	return c;
}

/* Roles also run as threads of one process and share trees, so the counter is atomic. */
struct conf *
conf_keep(struct conf *c)
{
	__atomic_add_fetch(&c->references, 1, __ATOMIC_RELAXED);
	return c;
}

static void
wipe_route_password(struct str secret)
{
	if (secret.n)
		mem_wipe((void *)(uintptr_t)secret.p, secret.n);
}

void
conf_drop(struct conf **c)
{
	struct conf *old = *c;

	*c = NULL;
	if (!old || __atomic_sub_fetch(&old->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < old->routes.count; i++)
		wipe_route_password(old->routes.item[i].password);
	arena_clear(&old->arena);
	mem_free(old);
}

void
conf_report_init(struct conf_report *r)
{
	*r = (struct conf_report){0};
	buf_init(&r->text, REPORT_BYTES_MAX);
}

void
conf_report_clear(struct conf_report *r)
{
	buf_clear(&r->text);
	conf_report_init(r);
}
