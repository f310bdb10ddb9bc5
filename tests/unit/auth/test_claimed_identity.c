/* The identity that a client claims: valid first messages, and all malformed ones of the attack
 * list. */
#include <criterion/criterion.h>

#include "auth/claimed_identity.h"

#define LONG_255 \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

_Static_assert(sizeof LONG_255 == 256, "255 letters");

static const struct {
	struct str message;
	const char *user; /* NULL: malformed */
	const char *password;
	bool has_other_authzid;
} plain[] = {
    {STR("\0alice\0secret"), "alice", "secret", false},
    {STR("\0Alice@Example.COM\0s p"), "alice@example.com", "s p", false},
    {STR("alice\0Alice\0x"), "alice", "x", false},
    {STR("bob\0alice\0x"), "alice", "x", true},
    {STR("\0*)(uid=*\0x"), "*)(uid=*", "x", false},
    {STR("\0' OR '1'='1\0x"), "' or '1'='1", "x", false},
    {STR("\0../../etc/passwd\0x"), "../../etc/passwd", "x", false},
    {STR("\0" LONG_255 "\0x"), LONG_255, "x", false},
    {STR("\0j\xc3\xb6rg\0\xc3\xb6"), "j\xc3\xb6rg", "\xc3\xb6", false},
    {STR(""), NULL, NULL, false},
    {STR("\0"), NULL, NULL, false},
    {STR("\0\0"), NULL, NULL, false},
    {STR("\0\0\0"), NULL, NULL, false},
    {STR("alice"), NULL, NULL, false},
    {STR("\0alice"), NULL, NULL, false},
    {STR("\0alice\0"), NULL, NULL, false},
    {STR("\0\0secret"), NULL, NULL, false},
    {STR("\0alice\0secret\0"), NULL, NULL, false},
    {STR("\0alice\0secret\0junk"), NULL, NULL, false},
    {STR("\0alice\n\0x"), NULL, NULL, false},
    {STR("\0al\r\nice\0x"), NULL, NULL, false},
    {STR("\0alice\0x\r\n"), NULL, NULL, false},
    {STR("\0 alice\0x"), NULL, NULL, false},
    {STR("\0alice \0x"), NULL, NULL, false},
    {STR("\0ali\x7f\0x"), NULL, NULL, false},
    {STR("\0j\xf6rg\0x"), NULL, NULL, false},
    {STR("\0\xc0\xaf\0x"), NULL, NULL, false},
    {STR("\0" LONG_255 "a\0x"), NULL, NULL, false},
    {STR("a\nb\0alice\0x"), NULL, NULL, false},
};

Test(claimed_identity, plain_messages_are_parsed)
{
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
		struct claimed_identity c;
		bool ok = claimed_parse_plain(plain[i].message, &c);

		cr_assert_eq(ok, plain[i].user != NULL, "case %zu", i);
		if (!ok)
			continue;
		cr_assert(str_eq(claimed_name(&c), str_of(plain[i].user)), "case %zu", i);
		cr_assert(str_eq(c.password, str_of(plain[i].password)), "case %zu", i);
		cr_assert_eq(c.has_other_authzid, plain[i].has_other_authzid, "case %zu", i);
	}
}

Test(claimed_identity, plain_messages_of_every_length)
{
	static char message[20000];

	for (size_t n = 0; n < sizeof message; n = n < 2100 ? n + 1 : n * 2) {
		struct claimed_identity c;

		memset(message, 'x', sizeof message);
		message[0] = 0;
		message[2] = 0;
		cr_assert_eq(claimed_parse_plain(str_make(message, n), &c),
		    n >= 4 && n <= 3 + PASSWORD_MAX, "%zu bytes", n);
	}
}

static const struct {
	struct str message;
	const char *user;
	enum claimed_binding binding;
	bool has_other_authzid;
} scram[] = {
    {STR("n,,n=user,r=abc"), "user", CLAIMED_BINDING_NONE, false},
    {STR("y,,n=User,r=abc"), "user", CLAIMED_BINDING_NOT_SEEN, false},
    {STR("p=tls-exporter,,n=user,r=abc"), "user", CLAIMED_BINDING_EXPORTER, false},
    {STR("p=tls-unique,,n=user,r=abc"), "user", CLAIMED_BINDING_OTHER, false},
    {STR("p=tls-exporterX,,n=user,r=abc"), "user", CLAIMED_BINDING_OTHER, false},
    {STR("n,a=user,n=user,r=abc"), "user", CLAIMED_BINDING_NONE, false},
    {STR("n,a=bob,n=user,r=abc"), "user", CLAIMED_BINDING_NONE, true},
    {STR("n,,n=a=2Cb=3Dc,r=abc"), "a,b=c", CLAIMED_BINDING_NONE, false},
    {STR("n,,n=user,r=abc,x=extension"), "user", CLAIMED_BINDING_NONE, false},
    {STR(""), NULL, 0, false},
    {STR("n"), NULL, 0, false},
    {STR("n,"), NULL, 0, false},
    {STR("n,,"), NULL, 0, false},
    {STR("n,,n=user"), NULL, 0, false},
    {STR("n,,n=user,r="), NULL, 0, false},
    {STR("n,,n=,r=abc"), NULL, 0, false},
    {STR("n,,u=user,r=abc"), NULL, 0, false},
    {STR("n,,r=abc,n=user"), NULL, 0, false},
    {STR("n,,m=must,n=user,r=abc"), NULL, 0, false},
    {STR("x,,n=user,r=abc"), NULL, 0, false},
    {STR("p=,,n=user,r=abc"), NULL, 0, false},
    {STR("p,,n=user,r=abc"), NULL, 0, false},
    {STR("nn,,n=user,r=abc"), NULL, 0, false},
    {STR("n,a=,n=user,r=abc"), NULL, 0, false},
    {STR("n,b=x,n=user,r=abc"), NULL, 0, false},
    {STR("n,,n=a=2cb,r=abc"), NULL, 0, false},
    {STR("n,,n=a=,r=abc"), NULL, 0, false},
    {STR("n,,n=a=2,r=abc"), NULL, 0, false},
    {STR("n,,n=us\0er,r=abc"), NULL, 0, false},
    {STR("n,,n=us\ner,r=abc"), NULL, 0, false},
    {STR("n,,n=\xff,r=abc"), NULL, 0, false},
    {STR("n,,n=user,r=a\tb"), NULL, 0, false},
    {STR("n,,n=" LONG_255 "a,r=abc"), NULL, 0, false},
    {STR("n,a=" LONG_255 "a,n=user,r=abc"), NULL, 0, false},
};

Test(claimed_identity, scram_messages_are_parsed)
{
	for (size_t i = 0; i < sizeof scram / sizeof *scram; i++) {
		struct claimed_identity c;
		bool ok = claimed_parse_scram(scram[i].message, &c);

		cr_assert_eq(ok, scram[i].user != NULL, "case %zu", i);
		if (!ok)
			continue;
		cr_assert(str_eq(claimed_name(&c), str_of(scram[i].user)), "case %zu", i);
		cr_assert_eq(c.binding, scram[i].binding, "case %zu", i);
		cr_assert_eq(c.has_other_authzid, scram[i].has_other_authzid, "case %zu", i);
	}
}

Test(claimed_identity, addresses_are_counted_by_network)
{
	static const struct {
		const char *a, *b;
		bool is_same;
	} pairs[] = {
	    {"203.0.113.7", "203.0.113.7", true},
	    {"203.0.113.7", "203.0.113.8", false},
	    {"203.0.113.7", "::ffff:203.0.113.7", true},
	    {"2001:db8::1", "2001:db8::ffff:1", true},
	    {"2001:db8::1", "2001:db8:0:1::1", false},
	    {"nonsense", "", true},
	    {"nonsense", "203.0.113.7", false},
	};

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		char a[CLAIMED_NETWORK_BYTES], b[CLAIMED_NETWORK_BYTES];

		cr_assert_eq(str_eq(claimed_network(str_of(pairs[i].a), a),
				 claimed_network(str_of(pairs[i].b), b)),
		    pairs[i].is_same, "case %zu", i);
	}
}
