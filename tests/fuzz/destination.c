/* Texts of destinations: parsing is total, accepts only what formatting writes, and stays in its
 * room. */
#include <stdlib.h>

#include "policy/destination.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must_hold(bool ok)
{
	if (!ok)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size);
	char *room = malloc(size ? size : 1);
	struct destination d;
	struct buf text;

	must_hold(room != NULL);
	if (destination_parse(in, room, &d)) {
		buf_init(&text, DESTINATION_TEXT_MAX);
		destination_format(&d, &text);
		must_hold(buf_ok(&text) && str_eq(buf_str(&text), in) && str_is_printable(in));
		must_hold(d.port != 0 && d.next_hop.n <= size);
		buf_clear(&text);
	}
	free(room);
	return 0;
}
