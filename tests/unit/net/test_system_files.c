/* resolv_conf, hosts: files of the system, as administrators and programs write them. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>

#include "net/hosts.h"
#include "net/resolv_conf.h"

Test(resolv_conf, nameservers)
{
	static const struct {
		const char *text, *servers;
	} cases[] = {
	    {"nameserver 192.0.2.1\n", "192.0.2.1@53"},
	    {"# first\nsearch example.org\nnameserver\t192.0.2.1 \nnameserver 2001:db8::1\r\n"
	     "options edns0 trust-ad\n",
	        "192.0.2.1@53 2001:db8::1@53"},
	    {"nameserver 192.0.2.1;a comment\nnameserver 192.0.2.2 # another\n",
	        "192.0.2.1@53 192.0.2.2@53"},
	    {"nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4",
	        "10.0.0.1@53 10.0.0.2@53 10.0.0.3@53"},
	    {"nameserver fe80::1%1\nnameserver fe80::2%7\n", "fe80::1%1@53 fe80::2%7@53"},
	    {"nameserver fe80::1%no-such-link\nnameserver fe80::1%\nnameserver 192.0.2.1\n",
	        "192.0.2.1@53"},
	    {"nameserver 127.0.0.1%1\nnameserver 192.0.2.1%lo\nnameserver 192.0.2.2%\n"
	     "nameserver 192.0.2.3\n",
	        "192.0.2.3@53"},
	    {"nameserver dns.example\nnameserver 192.0.2.300\nnameserver\nnameserver192.0.2.1\n",
	        "127.0.0.1@53"},
	    {" nameserver 192.0.2.1\n#nameserver 192.0.2.1\n;nameserver 192.0.2.1\n",
	        "127.0.0.1@53"},
	    {"", "127.0.0.1@53"},
	    {NULL, "127.0.0.1@53"},
	    {"nameserver "
	     "1111:1111:1111:1111:1111:1111:1111:1111%aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
	        "127.0.0.1@53"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct resolv_conf c;
		char text[300] = "";

		resolv_conf_read(str_of(cases[i].text), &c);
		for (size_t n = 0, at = 0; n < c.count; n++)
			at += (size_t)snprintf(
			    text + at, sizeof text - at, "%s%s", n ? " " : "", c.servers[n]);
		cr_expect_str_eq(text, cases[i].servers, "row %zu: %s", i, text);
	}
}

/* Each once, and only the first ones. */
Test(resolv_conf, interfaces_in_the_file)
{
	struct resolv_conf_links links;
	struct buf text, out;

	buf_init(&text, 4096);
	buf_init(&out, 4096);
	buf_addz(&text, "nameserver 192.0.2.1\n# nameserver fe80::1%no\nnameserver "
	                "fe80::1%lo\nnameserver fe80::2%lo\n"
	                "nameserver fe80::1%\nnameserver fe80::1%a-name-of-16-byte\n");
	cr_assert(resolv_conf_number_links(buf_str(&text), &out, &links));
	cr_assert_eq(links.count, 1);
	cr_expect_str_eq(links.link[0].name, "lo");
	cr_expect_gt(links.link[0].index, 0);
	for (int i = 0; i < 2 * RESOLV_CONF_LINKS_MAX; i++)
		buf_addf(&text, "nameserver fe80::1%%no-link-%d\n", i);
	buf_reset(&out);
	cr_assert(resolv_conf_number_links(buf_str(&text), &out, &links));
	cr_expect_eq(links.count, RESOLV_CONF_LINKS_MAX);
	cr_expect_eq(links.link[RESOLV_CONF_LINKS_MAX - 1].index, 0);
	buf_clear(&text);
	buf_clear(&out);
}

static const char file[] = "127.0.0.1\tlocalhost\n"
			   "# 192.0.2.9 mail.example.net\n"
			   "192.0.2.1 mail.example.net mail # 192.0.2.8\r\n"
			   "2001:db8::1  MAIL.example.NET.\n"
			   "192.0.2.300 mail.example.net\n"
			   "not-an-address mail.example.net\n"
			   "192.0.2.7\n"
			   "fe80::1%lo mail.example.net\n"
			   "192.0.2.2 mx.example.org other.example.net";

static void
expect(const struct hosts *h, const char *host, const char *addresses)
{
	const struct hosts_entry *e = hosts_find(h, str_of(host));
	char text[300] = "", one[INET6_ADDRSTRLEN];

	for (size_t i = 0, at = 0; e && i < e->count; i++) {
		const struct sockaddr_storage *sa = &e->addresses[i].sa;
		const void *from = sa->ss_family == AF_INET
		    ? (const void *)&((const struct sockaddr_in *)sa)->sin_addr
		    : (const void *)&((const struct sockaddr_in6 *)sa)->sin6_addr;

		inet_ntop(sa->ss_family, from, one, sizeof one);
		at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i ? " " : "", one);
	}
	cr_expect_str_eq(text, addresses, "%s: %s", host, text);
}

Test(hosts, hosts_in_routes)
{
	struct conf_route routes[] = {{.via = VIA_SMARTHOST, .host = STR("Mail.Example.Net")},
	    {.via = VIA_LMTP, .host = STR("other.example.net")},
	    {.via = VIA_SMTP, .host = STR("absent.example.net")}, {.via = VIA_MX}};
	struct conf conf = {.routes = {routes, 4}};
	struct hosts *h = hosts_new(str_of(file), &conf);

	expect(h, "mail.example.net", "192.0.2.1 2001:db8::1");
	expect(h, "MAIL.example.net.", "192.0.2.1 2001:db8::1");
	expect(h, "other.example.net", "192.0.2.2");
	expect(h, "absent.example.net", "");
	expect(h, "mx.example.org", "");
	expect(h, "localhost", "");
	hosts_free(&h);
	cr_assert_null(h);
	h = hosts_new(STR_NULL, &conf);
	expect(h, "mail.example.net", "");
	hosts_free(&h);
}

Test(hosts, more_addresses_than_are_used)
{
	struct conf_route route = {.via = VIA_SMTP, .host = STR("many.example")};
	struct conf conf = {.routes = {&route, 1}};
	struct hosts *h;
	struct buf text;

	buf_init(&text, 1 << 16);
	for (int i = 0; i < 100; i++)
		buf_addf(&text, "192.0.2.%d many.example\n", i);
	h = hosts_new(buf_str(&text), &conf);
	cr_expect_eq(hosts_find(h, STR("many.example"))->count, RESOLVER_ADDRESSES_MAX);
	hosts_free(&h);
	buf_clear(&text);
}
