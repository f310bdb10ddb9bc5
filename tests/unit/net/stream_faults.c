/*
 * stream_faults: what a hostile peer does to a stream, and that the loop is quiet afterwards.
 */
#include "net/stream.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <unistd.h>

#include "calls.h"
#include "pair.h"

static struct str
bytes_of_junk(int kind)
{
	static const char zeros[100];

	return kind ? STR("\x16\x03\x01\0\x10text, no message") : str_make(zeros, 100);
}

/* H1: the answer to the ClientHello is junk, and the connection is reset before it was read. */
Test(stream_faults, junk_and_a_reset_for_a_client_hello, .timeout = 60)
{
	for (int kind = 0; kind < 2; kind++) {
		struct authority ca;
		struct tls_client *tls;
		struct str junk = bytes_of_junk(kind);
		struct pair p;

		authority_init(&ca, "CN=test authority");
		tls = authority_client(&ca, false);
		pair_init_tcp(&p);
		stream_start_tls_client(p.b.stream, tls, "mail.example.com");
		cr_assert(write(p.a.fd, junk.p, junk.n) == (ssize_t)junk.n);
		side_reset(&p.a);
		cr_assert(pair_until(&p, &p.b.ended, 1), "kind %d: the end is not told", kind);
		cr_assert(pair_is_quiet(&p), "kind %d: the loop goes on turning", kind);
		cr_assert(p.b.ended == 1);
		cr_assert(p.b.why == STREAM_TLS_FAILED || p.b.why == STREAM_ERROR);
		cr_assert(*p.b.text, "kind %d", kind);
		pair_clear(&p);
		tls_client_drop(&tls);
		authority_clear(&ca);
	}
}
