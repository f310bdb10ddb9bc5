#include "support/ask.h"

#include "base/mem.h"

enum { AT_ONCE = 16384 };

struct request *
ask_pooled(
    struct channel *c, enum message_type type, const void *message, request_fn *fn, void *arg)
{
	static struct request all[AT_ONCE];
	static unsigned last;

	for (unsigned i = 0; i < AT_ONCE; i++) {
		struct request *r = &all[++last % AT_ONCE];

		if (request_is_open(r))
			continue;
		request_init(r, fn, arg);
		request_ask(r, c, type, message);
		return r;
	}
	die("more than %d requests at once", AT_ONCE);
}
