/* Stored secrets: total, and what is accepted is written back as it was. */
#include <stdlib.h>

#include "auth/scram_secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size);
	char text[SECRET_TEXT_BYTES], twice[SECRET_TEXT_BYTES];
	struct secret s, again;

	if (!secret_parse(in, &s))
		return 0;
	if (s.iterations < SECRET_ITERATIONS_MIN || s.iterations > SECRET_ITERATIONS_MAX ||
	    s.salt_n > SECRET_SALT_MAX)
		abort();
	if (!secret_parse(str_of(secret_text(&s, text)), &again) ||
	    strcmp(text, secret_text(&again, twice)) != 0)
		abort();
	return 0;
}
