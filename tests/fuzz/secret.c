/* Stored secrets: total, and what is accepted is written back as it was. */
#include <stdlib.h>

#include "auth/scram_secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_make((const char *)data, size);
	char text[SCRAM_SECRET_TEXT_BYTES], twice[SCRAM_SECRET_TEXT_BYTES];
	struct scram_secret s, again;

	if (!scram_secret_parse(in, &s))
		return 0;
	if (s.iterations < SCRAM_SECRET_ITERATIONS_MIN ||
	    s.iterations > SCRAM_SECRET_ITERATIONS_MAX || s.salt_n > SCRAM_SECRET_SALT_MAX)
		abort();
	if (!scram_secret_parse(str_of(scram_secret_text(&s, text)), &again) ||
	    strcmp(text, scram_secret_text(&again, twice)) != 0)
		abort();
	return 0;
}
