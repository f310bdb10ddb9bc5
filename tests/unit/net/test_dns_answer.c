/* dns_answer: handmade packets, complete, cut and changed. */
#include "net/dns_answer.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const unsigned char mx_packet[] =
    "\x00\x01\x81\x80\x00\x01\x00\x02\x00\x00\x00\x00"
    "\x01" "a\x04" "test\x00\x00\x0f\x00\x01"
    "\xc0\x0c\x00\x0f\x00\x01\x00\x00\x01\x2c\x00\x06\x00\x0a\x01" "m\xc0\x0c"
    "\xc0\x0c\x00\x0f\x00\x01\x00\x00\x00\x3c\x00\x06\x00\x05\x01" "N\xc0\x0c";

Test(dns_answer, a_whole_packet)
{
	struct dns_answer a;

	dns_answer_read(str_make((const char *)mx_packet, sizeof mx_packet - 1), DNS_MX, &a);
	cr_assert(a.outcome == RESOLVER_FOUND && a.count == 2 && a.ttl_s == 60);
	cr_assert(strcmp(a.mx[0].host, "n.a.test") == 0 && a.mx[0].preference == 5);
	cr_assert(strcmp(a.mx[1].host, "m.a.test") == 0 && a.mx[1].preference == 10);
	dns_answer_clear(&a);
}

Test(dns_answer, cut_anywhere)
{
	struct dns_answer a;

	for (size_t n = 0; n < sizeof mx_packet - 1; n++) {
		unsigned char *copy = malloc(n ? n : 1);

		memcpy(copy, mx_packet, n);
		dns_answer_read(str_make((char *)copy, n), DNS_MX, &a);
		cr_assert(a.outcome == RESOLVER_FAILED && a.count == 0);
		dns_answer_clear(&a);
		free(copy);
	}
}

Test(dns_answer, any_byte_changed)
{
	unsigned char copy[sizeof mx_packet - 1];
	struct dns_answer a;

	for (size_t i = 0; i < sizeof copy; i++)
		for (int v = 0; v < 256; v++) {
			memcpy(copy, mx_packet, sizeof copy);
			copy[i] = (unsigned char)v;
			dns_answer_read(
			    str_make((char *)copy, sizeof copy), v % 2 ? DNS_MX : DNS_A, &a);
			cr_assert(a.count <= RESOLVER_MX_MAX);
			dns_answer_clear(&a);
		}
}
