/* anchor: an unusable trust anchor is an error of the configuration, with its location. */
#include "conf/anchor.h"

#include <stdio.h>

#include "conf/read.h"
#include "support.h"

#define DIGEST "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"

Test(anchor, texts)
{
	static const struct {
		const char *text;
		unsigned line; /* 0: the whole text */
		bool is_good;
	} cases[] = {
	    {". IN DS 20326 8 2 " DIGEST "\n", 0, true},
	    {".\t86400\tIN DS 20326 8 2 ( ; a comment (with\r\n " DIGEST "\n ) ; end\r\n", 0, true},
	    {". IN 86400 ds 20326 8 2 " DIGEST, 0, true},
	    {"; autotrust\n;;id: . 1\n. 86400 IN DNSKEY 257 3 8 AwEAAaz/tAm8 yTn4Mfeh ;;state=2\n",
	        0, true},
	    {"$TTL 60\n\nexample.com. DS 1 8 4 " DIGEST "00112233445566778899AABBCCDDEEFF\n", 0,
	        true},
	    {"", 0, false},
	    {"\n; nothing but words\n$TTL 60\n", 0, false},
	    {"this is no trust anchor\n", 1, false},
	    {". IN DS 20326 8 2 " DIGEST "\n\n. IN DS 20326 8 2 E06D\n", 3, false},
	    {". IN DS 20326 8 2 " DIGEST "\nexample. DS 1 8 2 (", 2, false},
	    {". IN DS 99999 8 2 " DIGEST "\n", 1, false},
	    {". IN DNSKEY 257 2 8 AwEAAaz/tAm8\n", 1, false},
	    {". IN DNSKEY 257 3 8 AwEA*\n", 1, false},
	    {". IN DS\n", 1, false},
	    {". DS", 1, false},
	    {" DS 20326 8 2 " DIGEST "\n", 1, false},
	    {"-----BEGIN CERTIFICATE-----\n", 1, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		unsigned line = 0;
		const char *why = anchor_check(str_of(cases[i].text), &line);

		cr_expect((why == NULL) == cases[i].is_good, "row %zu: %s", i, why ? why : "good");
		if (why)
			cr_expect(line == cases[i].line, "row %zu: line %u", i, line);
	}
}

Test(anchor, owner_of_the_first_record)
{
	char owner[ANCHOR_OWNER_BYTES];

	cr_assert(anchor_owner(
	    STR("; a comment\nexample.test. 60 IN DS 1 13 2 AA\n. DS 1 8 2 AA\n"), owner));
	cr_expect_str_eq(owner, "example.test.");
	cr_expect(!anchor_owner(STR("; a comment\n"), owner));
}

/* Reads a configuration with this anchor file on its second line. */
static bool
is_read(const char *anchor_file, const char *more, struct conf_report *r)
{
	char path[PATH_BYTES], text[1000];
	struct conf *c;
	bool is_good;

	snprintf(text, sizeof text, "%sdns: { trust_anchor = \"%s\"; %s };\n", MINIMAL, anchor_file,
	    more);
	write_file("t.cfg", text, path);
	conf_report_init(r);
	c = conf_read_file(path, CONF_SECRETS_READ, r);
	is_good = c != NULL;
	conf_drop(&c);
	return is_good;
}

Test(anchor, file_that_cannot_be_used)
{
	static const struct {
		const char *text; /* NULL: no file */
		const char *why;
	} cases[] = {
	    {NULL, "No such file"},
	    {"", "there is no DS or DNSKEY record in it"},
	    {". IN DS 20326 8 2 " DIGEST "\ngarbage\n", "anchor:2: this is no well formed"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char path[PATH_BYTES] = "/nonexistent/anchor";
		struct conf_report r;

		if (cases[i].text)
			write_file("anchor", cases[i].text, path);
		cr_expect(!is_read(path, "", &r), "row %zu", i);
		buf_addc(&r.text, '\0');
		cr_expect(strstr(r.text.p, "t.cfg:2: error: dns.trust_anchor: ") &&
		              strstr(r.text.p, cases[i].why),
		    "row %zu: %s", i, r.text.p);
		conf_report_clear(&r);
		cr_expect(!is_read(path, "dnssec = \"require\";", &r), "row %zu", i);
		conf_report_clear(&r);
		cr_expect(is_read(path, "dnssec = \"off\";", &r), "row %zu, off", i);
		conf_report_clear(&r);
	}
}

Test(anchor, keys_of_dns)
{
	struct conf *c = read_good(
	    MINIMAL "dns: { dnssec = \"require\"; insecure_zones = [ \"corp.example\" ]; };\n");
	struct conf_report r;

	cr_expect_eq(c->dns.dnssec, DNSSEC_REQUIRE);
	cr_expect(c->dns.insecure_zones.count == 1 &&
	          str_eq(c->dns.insecure_zones.str[0], STR("corp.example")));
	conf_drop(&c);
	c = read_good(MINIMAL);
	cr_expect(c->dns.dnssec == DNSSEC_AUTO && c->dns.insecure_zones.count == 0);
	conf_drop(&c);
	conf_report_init(&r);
	c = read_as_file(MINIMAL "dns: { insecure_zones = ( \"a..b\" ); };\n", &r);
	cr_expect(!c && r.errors == 1);
	conf_report_clear(&r);
}
