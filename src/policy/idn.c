/*
 * idn: libidn2 allocates its result, which is copied and freed at once.
 */
#include "policy/idn.h"

#include <idn2.h>

#include "base/mem.h"

static bool
copy_domain_lower(const char *z, size_t n, char out[IDN_BYTES])
{
	if (n == 0 || n >= IDN_BYTES)
		return false;
	for (size_t i = 0; i < n; i++)
		out[i] = char_lower(z[i]);
	out[n] = '\0';
	return true;
}

bool
idn_to_ascii(struct str domain, char out[IDN_BYTES])
{
	char text[4 * IDN_BYTES];
	uint8_t *found = NULL;
	bool ok;
	int r;

	if (str_is_ascii(domain))
		return copy_domain_lower(domain.p, domain.n, out);
	if (domain.n >= sizeof text || !str_is_utf8(domain) || str_has(domain, '\0'))
		return false;
	memcpy(text, domain.p, domain.n);
	text[domain.n] = '\0';
	r = idn2_lookup_u8(
	    (const uint8_t *)text, &found, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (r == IDN2_MALLOC)
		die("no memory");
	if (r != IDN2_OK)
		return false;
	ok = copy_domain_lower((const char *)found, strlen((const char *)found), out);
	idn2_free(found);
	return ok;
}
