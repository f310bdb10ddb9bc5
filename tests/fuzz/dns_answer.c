/* fuzz target: an answer packet gives an outcome within its bounds, whatever it holds. */
#include "net/dns_answer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum dns_type types[] = {DNS_A, DNS_AAAA, DNS_MX};

	(void)dns_answer_is_signed(str_make((const char *)data, size));
	for (size_t i = 0; i < 3; i++) {
		struct dns_answer a;

		dns_answer_read(str_make((const char *)data, size), types[i], &a);
		if ((a.outcome == RESOLVER_FOUND) != (a.count > 0) || a.ttl_s < DNS_TTL_MIN_S ||
		    a.ttl_s > DNS_TTL_MAX_S)
			abort();
		for (size_t k = 0; a.mx && k < a.count; k++)
			if (strlen(a.mx[k].host) > 255 ||
			    (k && a.mx[k].preference < a.mx[k - 1].preference))
				abort();
		dns_answer_clear(&a);
	}
	return 0;
}
