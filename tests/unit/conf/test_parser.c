/* parser: every error has a file, a line and a correction. */
#include <stdio.h>

#include "conf/read.h"
#include "support.h"

struct mistake {
	const char *text; /* follows MINIMAL */
	const char *expected; /* part of the report */
};

static const struct mistake syntax[] = {
    {"node = 1,;\n", "t.cfg:1: error: "},
    {"queue: { retry = [ \"5m\", ]; };\n",
	"t.cfg:1: error: ]: no comma may stand before a closing"},
    {"queue: { retry = [ \"5m\", # why\n ]; };\n", "t.cfg:2: error: ]: no comma may stand before"},
    {"routes: ( { via = \"mx\"; }, );\n", "t.cfg:1: error: ): no comma may stand before a closing"},
    {"node = 1;\nnode = 2;\n", "t.cfg:2: error: \"node\" stands here a second time"},
    {"auth: { workers = 2; };\nauth: { workers = 3; };\n",
	"t.cfg:2: error: \"auth\" stands here a second time"},
    {"\nqueue: { lifetime = 5d; };\n",
	"t.cfg:2: error: 5d: a number with a unit needs double quotes"},
    {"queue: { minimum_free = 5%; };\n", "t.cfg:1: error: 5%: a number with a unit needs double"},
    {"user = nobody;\n", "t.cfg:1: error: nobody: this needs double quotes"},
    {"user = 'nobody';\n", "t.cfg:1: error: ': a text stands in double quotes, not in single ones"},
    {"queue: { lifetime = '5d'; };\n", "t.cfg:1: error: ': a text stands in double quotes"},
    {"\xEF\xBB\xBFnode = 1;\n", "t.cfg: begins with a byte order mark (BOM)"},
    {"routes: ( { allow_private = yes; } );\n", "t.cfg:1: error: yes: this needs double quotes"},
    {"example.com = { };\n", "t.cfg:1: error: example.com: a name cannot hold a dot"},
    {"user = ;\n", "t.cfg:1: error: =: a value is missing"},
    {"user = \"x;\n\n", "t.cfg:1: error: \"x;: the text that begins here has no closing quote"},
    {"queue: { directory = \"/q\";\n", " on this line or just before it"},
    {"}\n", "t.cfg:1: error: syntax error on this line"},
    {"mechanisms = [ \"a\", 1 ];\n", "t.cfg:1: error: mismatched element type in array"},
    {"a @include \"x\"\n", "t.cfg:1: error: @include must begin its line"},
    {"@include x\n", "t.cfg:1: error: after @ only this may stand"},
    {"@include \"none.cfg\"\n", "t.cfg:1: error: none.cfg: No such file"},
    {"@include \"t.cfg\"\n", "too many files include one another"},
    {"@include \"/\"\n", "t.cfg:1: error: /: Is a directory"},
    {"user = \"a\\x00b\";\n", "t.cfg:1: error: a text cannot hold a NUL byte"},
};

static const struct mistake keys[] = {
    {"limits: { recipient_per_message = 3; };\n",
	"t.cfg:1: error: unknown key "
	"\"limits.recipient_per_message\"; did you mean \"recipients_per_message\"?"},
    {"hostnam = \"x\";\n", "unknown key \"hostnam\"; did you mean \"hostname\"?"},
    {"lifetime = \"5d\";\n", "unknown key \"lifetime\"; did you mean \"queue.lifetime\"?"},
    {"queu: { };\n", "unknown key \"queu\"; did you mean the group \"queue\"?"},
    {"sender_policy: { header_from = \"own\"; };\n", "unknown key \"sender_policy.header_from\""},
    {"routes: (\n { via = \"mx\";\n   hots = \"x\"; } );\n",
	"t.cfg:3: error: unknown key \"routes.hots\"; did you mean \"host\"?"},
    {"queue: {\n site_concurrency = 5; };\n",
	"t.cfg:2: error: the key \"queue.site_concurrency\" is named "
	"\"queue.destination_concurrency\" now"},
    {"zzz = 1;\n", "t.cfg:1: error: unknown key \"zzz\"\n"},
    {"queue = 5;\n", "\"queue\" must be a group: queue: { … };"},
    {"limits: { users: { a = 1; }; };\n", "\"limits.users\" must be a list of groups"},
};

static const struct mistake values[] = {
    {"limits: { per_user = 300; };\n", "t.cfg:1: error: 300: \"limits.per_user\" must be a rate: a "
				       "count and a period, for example "
				       "\"300 recipients / 1h"},
    {"limits: { per_user = \"300\"; };\n", "\"300\" is not a rate: a count, a slash and a period"},
    {"limits: { message_size = 50; };\n",
	"50: \"limits.message_size\" must be a size with its unit"},
    {"limits: { message_size = \"50MB\"; };\n",
	"\"50MB\" is not a size: a number and a unit of one "
	"letter (B, k, M, G; 1k is 1024B)"},
    {"listen: ( { address = \"[::1]\"; port = 465; tls = \"implicit\"; } );\n",
	"\"[::1]\" is not a numeric address: it stands without brackets, and a port in a key of "
	"its own"},
    {"routes: ( { via = \"smtp\"; host = \"[192.0.2.1]:25\"; } );\n",
	"a numeric address: it stands without brackets"},
    {"limits: { message_size = \"5G\"; };\n", "must lie between 64K and 2G"},
    {"queue: { lifetime = 5; };\n", "5: \"queue.lifetime\" must be a duration with its unit"},
    {"queue: { lifetime = \"5\"; };\n", "\"5\" is not a duration"},
    {"queue: { lifetime = \"61d\"; };\n", "must lie between 1s and 60d"},
    {"queue: { minimum_free = \"91%\"; };\n", "must lie between 0% and 90%"},
    {"queue: { retry = [ ]; };\n", "queue.retry: at least one is needed"},
    {"queue: { retry = [ 5, 10 ]; };\n", "5: \"queue.retry\" must be a list of durations"},
    {"queue: { retry = \"5m\"; };\n", "\"queue.retry\" must be a list of durations"},
    {"queue: { retry = [ \"5m\", \"x\" ]; };\n", "\"x\" is not a duration between 1s and 30d"},
    {"auth: { workers = \"2\"; };\n", "\"auth.workers\" must be a whole number, for example 2"},
    {"auth: { workers = 2.0; };\n", "\"auth.workers\" must be a whole number"},
    {"auth: { workers = 0; };\n", "0: auth.workers must lie between 1 and 24"},
    {"auth: { iterations = 4095; };\n", "must lie between 4096 and"},
    {"auth: { backends = ( \"ldap\" ); };\n", "auth.backends: \"ldap\" is not known"},
    {"auth: { backends = ( ); };\n", "auth.backends: at least one is needed"},
    {"auth: { backends = ( 1 ); };\n", "\"auth.backends\" must be a list of texts"},
    {"auth: { mechanisms = ( \"CRAM-MD5\" ); };\n", "\"CRAM-MD5\" is not known"},
    {"auth: { default_domain = \"no.example\"; };\n",
	"auth.default_domain: \"no.example\" is none of \"domains\""},
    {"auth: { exempt_networks = [ \"192.0.2.1/24\" ]; };\n",
	"\"192.0.2.1/24\" is not an address, or a network like 192.0.2.0/24"},
    {"auth: { default_domain = \"a b\"; };\n", "\"a b\" is not a domain name"},
    /* values that libconfig 1.5 wraps: to 0, to a negative number, to -1, and to a value in
     * range */
    {"node = 4294967296;\n", "t.cfg:1: error: 4294967296: the number is too large"},
    {"node = 2147483648;\n", "2147483648: the number is too large"},
    {"node = 0xFFFFFFFF;\n", "0xFFFFFFFF: the number is too large"},
    {"auth: { workers = 4294967298; };\n", "4294967298: the number is too large"},
    {"auth: { workers = 0x100000002; };\n", "0x100000002: the number is too large"},
    {"auth: { workers = 99999999999999999999999; };\n", "the number is too large"},
    {"auth: { workers = 99999999999999999999L; };\n", "auth.workers must lie between 1 and 24"},
    {"auth: { workers = -1; };\n", "-1: auth.workers must lie between"},
    {"log: { target = \"file\"; };\n", "\"file\" is not file: and an absolute path"},
    {"log: { target = \"file:x\"; };\n", "\"file:x\" is not file: and an absolute path"},
    {"log: { target = \"kafka\"; };\n", "\"kafka\" is not one of \"stderr\", \"journal\""},
    {"postmaster = \"root\";\n", "\"root\" is not a mail address, for example"},
    {"queue: { directory = \"spool\"; };\n", "\"spool\" is not an absolute path"},
    {"dns: { resolver = \"localhost\"; };\n",
	"is not \"system\", \"root\", ADDRESS or ADDRESS@PORT"},
    {"listen: ( { port = 0; tls = \"implicit\"; } );\n",
	"0: listen.port must lie between 1 and 65535"},
    {"listen: ( { port = 65536; tls = \"implicit\"; } );\n", "65536: listen.port must lie"},
    {"listen: ( { port = 465; } );\n",
	"\"listen.tls\" is missing in this group, for example tls ="},
    {"listen: ( 465 );\n", "465: \"listen\" must be a list of groups"},
    {"listen: { port = 465; tls = \"implicit\"; };\n", "\"listen\" must be a list of groups"},
    {"routes: ( { allow_private = 1; } );\n", "\"routes.allow_private\" must be true or false"},
    {"sender_policy: { send_as: ( { user = \"a\"; addresses = ( \"b\" ); } ); };\n",
	"sender_policy.send_as.addresses: \"b\" is not a mail address, or *@ and a domain"},
};

static const struct mistake sense[] = {
    {"routes: ( { via = \"smtp\"; } );\n", "routes: this way needs a host"},
    {"routes: ( { via = \"mx\"; host = \"a\"; } );\n", "via \"mx\" finds the hosts by DNS"},
    {"routes: ( { via = \"smarthost\"; host = \"a\"; tls = \"verify\"; username = \"u\"; } );\n",
	"routes: a username needs a password"},
    {"routes: ( { via = \"smarthost\"; host = \"a\"; password = \"p\"; } );\n",
	"routes: a password needs a username"},
    {"routes: ( { via = \"smarthost\"; host = \"a\"; username = \"u\"; password = \"p\"; } );\n",
	"a password is sent only to a host whose certificate is verified"},
    {"routes: ( { via = \"smarthost\"; host = \"a\"; tls = \"encrypt\"; username = \"u\"; password "
     "= \"p\"; } );\n",
	"a password is sent only to a host whose certificate is verified"},
    {"routes: ( { via = \"mx\"; },\n { to_domain = \"a.example\"; via = \"mx\"; } );\n",
	"t.cfg:2: error: routes: never reached"},
    {"routes: ( { via = \"mx\"; tls = \"implicit\"; } );\n",
	"do not speak TLS from the first byte"},
    {"queue: { lifetime = \"5m\"; };\n", "queue.lifetime must be longer than the first pause"},
    {"listen: ( { port = 465; tls = \"implicit\"; }, { port = 465; tls = \"starttls\"; } );\n",
	"port 465 is already listened on"},
    {"limits: { users: ( { user = \"a\"; per_user = \"1 / 1h\"; },\n"
     "{ user = \"A@example.com\"; per_user = \"2 / 1h\"; } ); };\n",
	"t.cfg:2: error: limits.users: \"A@example.com\" and \"a\" may be one login: name it once"},
    {"limits: { users: ( { user = \"a@example.com\"; per_user = \"1 / 1h\"; },\n"
     "{ user = \"a\"; per_user = \"2 / 1h\"; } ); };\n",
	"t.cfg:2: error: limits.users: \"a\" and \"a@example.com\" may be one login: name it once"},
    {"listen: ( { address = \"::1\"; port = 465; tls = \"implicit\"; },"
     " { address = \"0:0:0:0:0:0:0:1\"; port = 465; tls = \"implicit\"; } );\n",
	"port 465 is already listened on"},
    {"listen: ( { address = \"::\"; port = 465; tls = \"implicit\"; },"
     " { address = \"0::0\"; port = 465; tls = \"implicit\"; } );\n",
	"port 465 is already listened on"},
    {"listen: ( { address = \"2001:DB8::A\"; port = 465; tls = \"implicit\"; },"
     " { address = \"2001:db8:0::a\"; port = 465; tls = \"implicit\"; } );\n",
	"port 465 is already listened on"},
    {"listen: ( { address = \"192.0.2.1\"; port = 465; tls = \"implicit\"; },"
     " { address = \"::ffff:192.0.2.1\"; port = 465; tls = \"implicit\"; } );\n",
	"port 465 is already listened on"},
};

static void
expect_all(const struct mistake *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char text[2000];
		struct conf_report r;
		struct conf *c;

		snprintf(text, sizeof text, "%s%s", list[i].text, MINIMAL);
		conf_report_init(&r);
		c = read_as_file(text, &r);
		cr_expect_null(c, "accepted: %s", list[i].text);
		cr_expect_geq(r.errors, 1);
		buf_addc(&r.text, '\0');
		cr_expect(strstr(r.text.p, list[i].expected), "%s-> %s", list[i].text, r.text.p);
		conf_drop(&c);
		conf_report_clear(&r);
	}
}

#define EXPECT_ALL(list) expect_all(list, sizeof list / sizeof list[0])

Test(read, syntax_errors) { EXPECT_ALL(syntax); }
Test(read, unknown_keys) { EXPECT_ALL(keys); }
Test(read, bad_values) { EXPECT_ALL(values); }
Test(read, keys_that_do_not_fit_together) { EXPECT_ALL(sense); }

Test(read, a_missing_required_key_is_an_error)
{
	expect_report("",
	    "t.cfg:1: error: \"hostname\" is missing, for example hostname = "
	    "\"mail.example.com\";\n"
	    "t.cfg:1: error: \"domains\" is missing, for example domains = ( { name = "
	    "\"example.com\"; } );\n"
	    "t.cfg:1: error: \"tls\" is missing: clients log in only inside TLS, for example tls: "
	    "{ "
	    "certificate = \"/etc/sallyport/tls/mail.crt\"; private_key = "
	    "\"/etc/sallyport/tls/mail.key\"; };\n");
}

Test(read, all_errors_in_the_order_of_the_file)
{
	expect_report("nod = 1;\nauth: { cache = 5; };\n" MINIMAL
	              "queue: { lifetime = \"1s\"; };\n",
	    "t.cfg:1: error: unknown key \"nod\"; did you mean \"node\"?\n"
	    "t.cfg:2: error: 5: \"auth.cache\" must be a duration with its unit (ms, s, m, h, d), "
	    "for "
	    "example \"60s\"\n"
	    "t.cfg:4: error: queue.lifetime must be longer than the first pause of queue.retry\n"
	    "t.cfg:4: warning: queue.delay_warning is longer than queue.lifetime: no warning will "
	    "be "
	    "sent\n");
}

Test(read, warnings_do_not_reject_the_file)
{
	static const struct mistake cases[] = {
	    {"routes: ( { to_domain = \"a.example\"; via = \"mx\"; } );\n",
	        "t.cfg:1: warning: routes: the last one has a condition"},
	    {"listen: ( { port = 465; tls = \"starttls\"; } );\n",
	        "expect implicit TLS on port 465"},
	    {"queue: { delay_warning = \"6d\"; };\n", "no warning will be sent"},
	    {"queue: { retry = [ \"5m\", \"1m\" ]; };\n", "the pauses do not grow"},
	    {"queue: { lifetime = \"5h\"; retry = [ \"5m\", \"6h\" ]; };\n",
	        "queue.lifetime is shorter than the longest pause of queue.retry"},
	    {"routes: ( { ca_file = \"/x\"; } );\n", "ca_file has no effect"},
	    {"limits: { users: ( { user = \"a\"; per_user = \"1 / 1h\"; }, { user = \"A\"; "
	     "per_user = \"1 / 1h\"; } ); };\n",
	        "\"A\" stands here a second time; the first one holds"},
	    {"routes: ( { to_domain = \"*.a.example\"; },\n { to_domain = \"b.A.example\"; },\n"
	     " { via = \"mx\"; } );\n",
	        "t.cfg:2: warning: routes: \"b.a.example\" is never reached, because route 1, for "
	        "\"*.a.example\", takes its mail before"},
	    {"routes: ( { to_domain = \"*.a.example\"; }, { to_domain = \"*.c.b.a.example\"; }, "
	     "{ via = \"mx\"; } );\n",
	        "routes: \"*.c.b.a.example\" is never reached"},
	    {"routes: ( { to_domain = \"a.example\"; }, { to_domain = \"*.a.example\"; },\n"
	     " { to_domain = \"A.example\"; }, { via = \"mx\"; } );\n",
	        "t.cfg:2: warning: routes: \"a.example\" is never reached, because route 1"},
	    {"sender_policy: { send_as: ( { user = \"a\"; addresses = ( \"a@b.example\" ); },\n"
	     " { user = \"a@b.example\"; addresses = ( \"a@b.example\" ); } ); };\n",
	        "t.cfg:2: warning: sender_policy.send_as: \"a@b.example\": the domain of this "
	        "login is "
	        "none of \"domains\""},
	    {"limits: { users: ( { user = \"a@b.example\"; per_user = \"1 / 1h\"; } ); };\n",
	        "limits.users: \"a@b.example\": the domain of this login is none of"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[1000];
		struct conf_report r;
		struct conf *c;

		snprintf(text, sizeof text, "%s%s", cases[i].text, MINIMAL);
		conf_report_init(&r);
		c = read_as_file(text, &r);
		cr_expect(c);
		cr_expect_eq(r.warnings, 1);
		buf_addc(&r.text, '\0');
		cr_expect(strstr(r.text.p, cases[i].expected), "%s-> %s", cases[i].text, r.text.p);
		conf_drop(&c);
		conf_report_clear(&r);
	}
}

Test(read, duplicate_and_useless_names)
{
	expect_report(
	    "hostname = \"localhost\";\ntls: { certificate = \"/a\"; private_key = \"/b\"; };\n"
	    "domains: ( { name = \"a.example\"; },\n { name = \"A.Example\"; } );\n"
	    "limits: { users: (\n{ user = \"erp\"; per_user = \"1 / 1h\"; } ); };\n",
	    "t.cfg:1: warning: hostname: \"localhost\" has no domain; many servers refuse such a "
	    "name\n"
	    "t.cfg:4: warning: domains: \"a.example\" stands here a second time\n"
	    "t.cfg:6: warning: limits.users: \"erp\" has no domain, and with several domains and "
	    "without auth.default_domain it means an account of exactly this name alone\n");
}

Test(read, both_list_forms_and_single_tls)
{
	struct conf *c =
	    read_good("hostname = \"MAIL.Example.com\"\ndomains = ( { name = \"Example.COM\" } )\n"
	              "tls = ( { certificate = \"/a\" private_key = \"/b\" minimum = \"1.3\" },\n"
	              "  { certificate = \"/c\" private_key = \"/d\" } )\n"
	              "queue = { retry = ( \"1m\", \"2m\" ) }\n"
	              "auth = { backends = [ \"users\" ], }\n");

	cr_assert(str_eq(c->hostname, STR("mail.example.com")));
	cr_assert(str_eq(c->domains.item[0].name, STR("example.com")));
	cr_assert(str_eq(c->postmaster, STR("postmaster@example.com")));
	cr_assert_eq(c->tls.count, 2);
	cr_assert_eq(c->tls.item[0].minimum, TLS_MINIMUM_1_3);
	cr_assert_eq(c->queue.retry_count, 2);
	cr_assert_eq(c->queue.retry_ms[1], 120000);
	conf_drop(&c);
}

Test(read, defaults)
{
	struct conf *c = read_good(MINIMAL);

	cr_expect_eq(c->listen.count, 2);
	cr_expect_eq(c->listen.item[0].port, 465);
	cr_expect_eq(c->listen.item[0].tls, LISTEN_IMPLICIT);
	cr_expect_eq(c->listen.item[1].port, 587);
	cr_expect_eq(c->listen.item[1].tls, LISTEN_STARTTLS);
	cr_expect_eq(c->submission.login_timeout_ms, 60000);
	cr_expect_eq(c->auth.iterations, 20000);
	cr_expect_eq(c->auth.failure_limit.count, 10);
	cr_expect_eq(c->auth.failure_limit.period_ms, 900000);
	cr_expect_eq(c->auth.login_failure_limit.count, 30);
	cr_expect_eq(c->auth.login_failure_limit.period_ms, 3600000);
	cr_assert_eq(c->auth.mechanisms.count, 2);
	cr_expect(str_eq(c->auth.mechanisms.str[0], STR("PLAIN")));
	cr_expect(str_eq(c->auth.mechanisms.str[1], STR("LOGIN")));
	cr_expect_eq(c->limits.message_size, 50 << 20);
	cr_expect_eq(c->limits.per_user.count, 1);
	cr_expect_eq(c->limits.per_user.rate[0].count, 300);
	cr_expect_eq(c->routes.count, 1);
	cr_expect_eq(c->routes.item[0].via, VIA_MX);
	cr_expect_eq(c->queue.retry_count, 6);
	cr_expect_eq(c->queue.minimum_free, 5);
	cr_expect_eq(c->timeouts.connect_ms, 30000);
	cr_expect_eq(c->timeouts.data_ms, 120000);
	cr_expect_eq(c->timeouts.body_ms, 180000);
	cr_expect_eq(c->timeouts.final_ms, 600000);
	cr_expect_eq(c->log.target, CONF_LOG_JOURNAL);
	conf_drop(&c);
}

/* 20,000 brackets deep, 2,000 unknown keys: there is a report, and it is limited. */
Test(read, very_large_input_has_a_limited_report)
{
	struct conf_report r;
	struct buf b;

	buf_init(&b, 16 << 20);
	conf_report_init(&r);
	buf_addz(&b, "node = ");
	for (int i = 0; i < 20000; i++)
		buf_addc(&b, '(');
	cr_expect_null(conf_read_text(buf_str(&b), &r));
	buf_reset(&b);
	for (int i = 0; i < 2000; i++)
		buf_addf(&b, "zzzzzzzzzz%d = 1;\n", i);
	cr_expect_null(conf_read_text(buf_str(&b), &r));
	cr_expect_lt(r.text.n, 1 << 18);
	buf_reset(&b);
	while (b.n < 9 << 20)
		buf_addz(&b, "# 8 MB of comments\n");
	cr_expect_null(conf_read_text(buf_str(&b), &r));
	buf_clear(&b);
	conf_report_clear(&r);
}

Test(read, keep_and_drop)
{
	struct conf *c = read_good(MINIMAL), *kept = conf_keep(c);

	conf_drop(&c);
	cr_assert_null(c);
	cr_assert(str_eq(kept->hostname, STR("mail.example.com")));
	conf_drop(&kept);
	conf_drop(&kept);
}
