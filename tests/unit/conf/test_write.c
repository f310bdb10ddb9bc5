/* write: written text parses to the same tree, and each role gets only its own keys. */
#include <unistd.h>

#include "conf/changes.h"
#include "conf/explain.h"
#include "conf/key.h"
#include "conf/read.h"
#include "conf/write.h"
#include "support.h"

static const char everything[] =
    MINIMAL "postmaster = \"help@example.com\"; user = \"mail\"; node = 3;\n"
	    "state_directory = \"/s\"; run_directory = \"/r\";\n"
	    "listen: ( { address = \"::1\"; port = 2465; tls = \"implicit\"; } );\n"
	    "submission: { processes = 3; idle_timeout = \"1m30s\"; client_address = \"show\"; };\n"
	    "auth: { mechanisms = [ \"PLAIN\" ]; failure_limit = \"3 / 1h\"; cache = \"0s\"; };\n"
	    "limits: { message_size = \"100000B\"; per_user = \"5 / 1h, 10 recipients / 1d\";\n"
	    "  users: ( { user = \"erp@example.com\"; per_user = \"7 / 1d\"; },\n"
	    "           { user = \"\\\"odd name\\\"@example.com\"; per_user = \"1 / 1s\"; } ); };\n"
	    "sender_policy: { send_as: ( { user = \"h@example.com\"; addresses = ( \"*@t.example\" "
	    "); } ); };\n"
	    "routes: ( { to_domain = \"*.in.example\"; via = \"lmtp\"; host = \"127.0.0.1\"; "
	    "allow_private = true; },\n"
	    "  { via = \"smarthost\"; host = \"s.example\"; port = 1465; tls = \"implicit\"; "
	    "username = \"u\";\n"
	    "    password = \"p\\\"\\\\\\x01\\xff\\n\"; ca_file = \"/ca\"; } );\n"
	    "queue: { directory = \"/q\"; lifetime = \"2d\"; retry = [ \"90s\" ]; minimum_free = "
	    "\"0%\"; };\n"
	    "timeouts: { connect = \"1500ms\"; final = \"1h\"; };\n"
	    "dns: { resolver = \"127.0.0.1@5353\"; }; log: { target = \"file:/l\"; addresses = "
	    "\"hashed\"; };\n";

static void
write_to(const struct conf *c, unsigned roles, bool all, struct buf *out)
{
	buf_init(out, 1 << 20);
	conf_write(c, roles, all, true, out);
	cr_assert(buf_ok(out));
}

static struct conf *
read_back(const struct buf *text)
{
	struct conf_report r;
	struct conf *c;

	conf_report_init(&r);
	c = conf_read_text(buf_str(text), &r);
	cr_assert(c, "%.*s\n%.*s", STR_ARG(buf_str(&r.text)), STR_ARG(buf_str(text)));
	conf_report_clear(&r);
	return c;
}

static void
expect_same_twice(const char *text, unsigned roles, bool all)
{
	struct conf *c = read_good(text), *again;
	struct buf a, b;

	write_to(c, roles, all, &a);
	again = read_back(&a);
	write_to(again, roles, all, &b);
	cr_expect(str_eq(buf_str(&a), buf_str(&b)), "%.*s---\n%.*s", STR_ARG(buf_str(&a)),
	    STR_ARG(buf_str(&b)));
	if (roles == CONF_ALL) {
		struct buf changes;

		buf_init(&changes, 1 << 16);
		conf_write_changes(c, again, &changes);
		cr_expect_eq(changes.n, 0, "%.*s", STR_ARG(buf_str(&changes)));
		buf_clear(&changes);
	}
	buf_clear(&a);
	buf_clear(&b);
	conf_drop(&c);
	conf_drop(&again);
}

Test(write, reads_back)
{
	static const char *const texts[] = {MINIMAL, everything};
	static const unsigned roles[] = {CONF_KEYS, CONF_AUTH, CONF_SUBMISSION, CONF_QUEUE,
	    CONF_RELAY, CONF_CONTROL, CONF_MAIN, CONF_ALL};

	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; j < sizeof roles / sizeof roles[0]; j++) {
			expect_same_twice(texts[i], roles[j], false);
			expect_same_twice(texts[i], roles[j], true);
		}
}

/* Each role gets the keys that the table allows, and no others. */
Test(write, least_privilege)
{
	static const struct {
		enum conf_role role;
		const char *has, *lacks[10];
	} cases[] = {
	    {CONF_KEYS, "private_key",
	        {"password", "send_as", "per_user", "retry", "resolver", "example.com\"; } )",
	            "auth:"}},
	    {CONF_AUTH, "failure_limit",
	        {"password", "private_key", "retry", "resolver", "send_as", "per_user"}},
	    {CONF_SUBMISSION, "send_as",
	        {"password", "private_key", "per_user", "routes", "queue:", "dns:", "failure_limit",
	            "state_directory"}},
	    {CONF_QUEUE, "retry",
	        {"password", "private_key", "certificate", "dns:", "mechanisms", "failure_limit",
	            "send_as", "listen"}},
	    {CONF_RELAY, "password",
	        {"private_key", "per_user", "send_as", "auth:", "directory", "listen"}},
	    {CONF_CONTROL, "run_directory",
	        {"password", "private_key", "routes", "queue:", "auth:", "limits:", "tls",
	            "send_as"}},
	};
	struct conf *c = read_good(everything);

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf b;

		write_to(c, cases[i].role, true, &b);
		buf_addc(&b, '\0');
		cr_expect(strstr(b.p, cases[i].has), "role %d lacks %s", (int)cases[i].role,
		    cases[i].has);
		for (size_t j = 0; cases[i].lacks[j]; j++)
			cr_expect_not(strstr(b.p, cases[i].lacks[j]), "role %d has %s:\n%s",
			    (int)cases[i].role, cases[i].lacks[j], b.p);
		buf_clear(&b);
	}
	conf_drop(&c);
}

/* A list keeps its length even in the part of a role that has none of its keys. */
Test(write, lists_keep_their_length)
{
	struct conf *c = read_good(everything), *relay;
	struct buf b;

	write_to(c, CONF_RELAY, false, &b);
	relay = read_back(&b);
	cr_expect_eq(relay->routes.count, 2);
	cr_expect(str_eq(relay->routes.item[1].password, c->routes.item[1].password));
	cr_expect(str_eq(relay->routes.item[1].password, STR("p\"\\\x01\xff\n")));
	cr_expect(relay->routes.item[0].allow_private);
	cr_expect_eq(
	    relay->queue.lifetime_ms, 432000000, "another role's key stands at its default");
	buf_clear(&b);
	conf_drop(&c);
	conf_drop(&relay);
}

Test(write, secrets_are_blanked)
{
	struct conf *c = read_good(everything);
	struct buf b;

	buf_init(&b, 1 << 20);
	conf_write(c, CONF_ALL, true, false, &b);
	buf_addc(&b, '\0');
	cr_expect(strstr(b.p, "password = \"***\";"));
	cr_expect_not(strstr(b.p, "p\\\""));
	buf_clear(&b);
	conf_drop(&c);
}

Test(write, only_what_differs)
{
	struct conf *c = read_good(MINIMAL "auth: { workers = 3; cache = \"60s\"; };");
	struct buf b;

	buf_init(&b, 1 << 20);
	conf_write(c, CONF_AUTH, false, true, &b);
	cr_expect(str_eq(buf_str(&b), STR("hostname = \"mail.example.com\";\n"
	                                  "domains = ( { name = \"example.com\"; } );\n"
	                                  "auth: {\n\tworkers = 3;\n};\n")),
	    "%.*s", STR_ARG(buf_str(&b)));
	buf_clear(&b);
	conf_drop(&c);
}

/* Each added, removed or changed group is reported, not only the difference in number. */
Test(write, changes_of_lists)
{
	static const char *const routes = "routes: ( { to_domain = \"a.example\"; via = \"mx\"; }, "
	    "{ to_domain = \"b.example\"; via = \"mx\"; } );";
	struct conf *a = read_good(
	    MINIMAL "limits: { users = ( { user = \"a@x.example\"; per_user = \"1 / 1h\"; }, "
	            "{ user = \"b@x.example\"; per_user = \"1 / 1h\"; }, { user = \"c@x.example\"; "
	            "per_user = \"1 / 1h\"; } ); };"
	            "routes: ( { to_domain = \"b.example\"; via = \"mx\"; }, { to_domain = "
	            "\"a.example\"; via = \"mx\"; } );");
	struct buf text, out;
	struct conf *b;

	buf_init(&text, 1 << 16);
	buf_addf(&text, "%s%s%s", MINIMAL,
	    "limits: { users = ( { user = \"d@x.example\"; per_user = \"1 / 1h\"; }, "
	    "{ user = \"b@x.example\"; per_user = \"2 / 1h\"; }, { user = \"c@x.example\"; "
	    "per_user = \"1 / 1h\"; } ); };",
	    routes);
	buf_addc(&text, '\0');
	b = read_good(text.p);
	buf_init(&out, 1 << 16);
	conf_write_changes(a, b, &out);
	cr_expect(
	    str_eq(buf_str(&out), STR("limits.users: 1 added (\"d@x.example\"), 1 removed "
	                              "(\"a@x.example\"), 1 changed (\"b@x.example\" "
	                              "[per_user \"1 recipients / 1h\" -> \"2 recipients / 1h\"])\n"
	                              "routes: another order\n")),
	    "%.*s", STR_ARG(buf_str(&out)));
	buf_clear(&text);
	buf_clear(&out);
	conf_drop(&a);
	conf_drop(&b);
}

Test(write, changes)
{
	struct conf *a = read_good(MINIMAL "limits: { per_user = \"300 / 1h\"; }; user = \"x\";");
	struct conf *b =
	    read_good(MINIMAL "limits: { per_user = \"500 / 1h\"; }; user = \"y\";"
	                      "routes: ( { via = \"smarthost\"; host = \"h\"; tls = \"implicit\"; "
	                      "username = \"u\"; password = \"s3cret\"; } );");
	struct buf out;

	buf_init(&out, 1 << 16);
	conf_write_changes(a, b, &out);
	cr_expect(str_eq(buf_str(&out),
	              STR("user \"x\" -> \"y\" (needs a restart)\n"
	                  "limits.per_user \"300 recipients / 1h\" -> \"500 recipients / 1h\"\n"
	                  "routes: 1 changed (every domain [via \"mx\" -> \"smarthost\", host \"\" "
	                  "-> \"h\", tls "
	                  "\"opportunistic\" -> \"implicit\", username \"\" -> \"u\", another "
	                  "password])\n")),
	    "%.*s", STR_ARG(buf_str(&out)));
	buf_reset(&out);
	conf_write_changes(a, a, &out);
	cr_expect_eq(out.n, 0);
	buf_clear(&out);
	conf_drop(&a);
	conf_drop(&b);
}

/* Groups with the same name are compared in their order; long values are cut, and many are
 * counted. */
Test(write, changed_keys_of_groups)
{
	struct conf *a = read_good(MINIMAL
	    "listen: ( { port = 465; tls = \"implicit\"; } );"
	    "routes: ( { to_domain = \"a.example\"; via = \"lmtp\"; host = \"h\"; port = 24; }, "
	    "{ to_domain = \"a.example\"; via = \"lmtp\"; host = \"h\"; port = 25; }, { via = "
	    "\"mx\"; } );");
	struct buf text, out;
	struct conf *b;

	buf_init(&text, 1 << 16);
	buf_addf(&text, "%s", MINIMAL "listen: ( { port = 465; tls = \"starttls\"; } );"
	    "routes: ( { to_domain = \"a.example\"; via = \"lmtp\"; host = \"h\"; port = 2424; }, "
	    "{ to_domain = \"a.example\"; via = \"lmtp\"; host = \"");
	for (int i = 0; i < 100; i++)
		buf_addc(&text, i == 50 ? '.' : 'x');
	buf_addz(&text, "\"; port = 25; }, { via = \"mx\"; } );");
	buf_addc(&text, '\0');
	b = read_good(text.p);
	buf_init(&out, 1 << 16);
	conf_write_changes(a, b, &out);
	buf_addc(&out, '\0');
	cr_expect(strstr(out.p,
	              "listen: 1 changed (every address 465 [tls \"implicit\" -> \"starttls\"])\n"),
	    "%s", out.p);
	cr_expect(strstr(out.p, "routes: 2 changed (\"a.example\" [port 24 -> 2424], \"a.example\" "
	                        "[host \"h\" -> \"xxx"),
	    "%s", out.p);
	cr_expect(strstr(out.p, "xx...])\n") && !strstr(out.p, "25"), "%s", out.p);
	buf_clear(&text);
	buf_clear(&out);
	conf_drop(&a);
	conf_drop(&b);
}

/* The keys that a reload does not change, and no others, stay as they were. */
Test(write, keys_that_need_a_restart_are_kept)
{
	struct conf *running = read_good(MINIMAL), *now = read_good(everything),
	            *file = read_good(everything);
	struct buf out;
	struct str line, all;
	unsigned held = 0;

	conf_copy_restart_keys(now, running);
	conf_drop(&running);
	running = read_good(MINIMAL);
	buf_init(&out, 1 << 16);
	conf_write_changes(now, file, &out);
	all = buf_str(&out);
	while (str_split(&all, '\n', &line))
		if (line.n) {
			cr_expect(str_find(line, '(') < line.n && line.p[line.n - 1] == ')', "%.*s",
			    STR_ARG(line));
			held++;
		}
	cr_expect_eq(held, 6, "%.*s", STR_ARG(buf_str(&out)));
	buf_reset(&out);
	conf_write_changes(running, now, &out);
	buf_addc(&out, 0);
	cr_expect(!strstr(out.p, "needs a restart"), "%s", out.p);
	buf_clear(&out);
	conf_drop(&running);
	conf_drop(&now);
	conf_drop(&file);
}

/* The text after a label in the output of explain for a key, until the end of the line. */
static struct str
explained(const struct conf_key *k, const struct conf *c, const char *label, struct buf *text)
{
	struct str rest, line;

	buf_reset(text);
	cr_assert(conf_explain(str_of(k->path), c, NULL, text), "%s", k->path);
	cr_assert(buf_ok(text));
	rest = buf_str(text);
	while (str_split(&rest, '\n', &line))
		if (str_starts(line, str_of(label)))
			return str_from(line, strlen(label));
	return STR_NULL;
}

/* The configuration with the key set to this text; keys of MINIMAL must not occur twice. */
static struct conf *
read_with(const struct conf_key *k, struct str value)
{
	struct str group = conf_key_group(k), name = conf_key_name(k);
	struct conf *c;
	struct buf file;

	buf_init(&file, 1 << 16);
	buf_addf(&file, "%s%.*s%s%.*s = %.*s;%s", MINIMAL, STR_ARG(group), group.n ? ": { " : "",
	    STR_ARG(name), STR_ARG(value), group.n ? " };" : "");
	buf_addc(&file, '\0');
	cr_assert(buf_ok(&file));
	c = read_good(file.p);
	buf_clear(&file);
	return c;
}

static void
expect_no_change(const struct conf_key *k, const struct conf *a, const struct conf *b)
{
	struct buf changes;

	buf_init(&changes, 1 << 16);
	conf_write_changes(a, b, &changes);
	cr_expect_eq(changes.n, 0, "%s: %.*s", k->path, STR_ARG(buf_str(&changes)));
	buf_clear(&changes);
}

static bool
may_be_set(const struct conf_key *k)
{
	/* without root the group of the example may be none of the user's */
	if (str_eq(str_of(k->path), STR("help_desk_group")) && geteuid() != 0)
		return false;
	return !(k->flags & (KEY_ITEM | KEY_REQUIRED)) && !str_eq(str_of(k->path), STR("tls"));
}

/* A key that is missing in the file has the default that explain shows. */
Test(explain, defaults_are_in_force)
{
	struct conf *c = read_good(MINIMAL), *named;
	struct buf text;
	unsigned compared = 0;

	buf_init(&text, 1 << 16);
	for (size_t i = 0; i < conf_key_count; i++) {
		const struct conf_key *k = &conf_key_table[i];

		if (!k->dflt || !may_be_set(k))
			continue;
		named = read_with(k, explained(k, c, "default  ", &text));
		expect_no_change(k, c, named);
		conf_drop(&named);
		compared++;
	}
	cr_assert_gt(compared, 30);
	buf_clear(&text);
	conf_drop(&c);
}

/* Each example of explain is accepted for its key; "now" then shows the same value. */
Test(explain, examples_are_accepted)
{
	struct buf text;
	unsigned taken = 0;

	buf_init(&text, 1 << 16);
	for (size_t i = 0; i < conf_key_count; i++) {
		const struct conf_key *k = &conf_key_table[i];
		struct str line = explained(k, NULL, "example  ", &text);
		struct conf *c, *again;

		cr_expect(line.n > 0, "%s has no example", k->path);
		if (!line.n || !may_be_set(k))
			continue;
		cr_assert(str_starts(line, conf_key_name(k)) && line.p[line.n - 1] == ';', "%.*s",
		    STR_ARG(line));
		line = str_upto(line, line.n - 1);
		c = read_with(k, str_from(line, conf_key_name(k).n + strlen(" = ")));
		if (k->type != KEY_LIST) {
			again = read_with(k, explained(k, c, "now      ", &text));
			expect_no_change(k, c, again);
			conf_drop(&again);
		}
		conf_drop(&c);
		taken++;
	}
	cr_assert_gt(taken, 30);
	buf_clear(&text);
}

/* No secret is shown. */
Test(explain, every_key_without_secrets)
{
	struct conf *c = read_good(everything);
	struct buf b;

	buf_init(&b, 1 << 16);
	for (size_t i = 0; i < conf_key_count; i++) {
		buf_reset(&b);
		cr_assert(conf_explain(str_of(conf_key_table[i].path), c, NULL, &b), "%s",
		    conf_key_table[i].path);
		buf_addc(&b, '\0');
		cr_expect(buf_ok(&b));
		cr_expect_not(strstr(b.p, "p\\\"\\\\"), "%s", b.p);
	}
	buf_clear(&b);
	conf_drop(&c);
}

Test(explain, one_key_in_full)
{
	struct conf *c = read_good(MINIMAL "limits: { per_user = \"500 / 1h\"; };");
	struct buf b;

	buf_init(&b, 1 << 16);
	cr_assert(conf_explain(STR("limits.per_user"), c, c, &b));
	cr_expect(str_eq(buf_str(&b),
	              STR("limits.per_user\n"
	                  "Recipients that one login may write to in a period. Several, joined by "
	                  "commas, all apply.\n\n"
	                  "type     a rate: a count and a period\n"
	                  "default  \"300 recipients / 1h\"\n"
	                  "example  per_user = \"300 recipients / 1h, 2000 recipients / 1d\";\n"
	                  "reload   yes\n"
	                  "since    0.1\n"
	                  "now      \"500 recipients / 1h\"\n")),
	    "%.*s", STR_ARG(buf_str(&b)));
	cr_expect_not(conf_explain(STR("limits.per_use"), c, NULL, &b));
	cr_expect_not(conf_explain(STR(""), NULL, NULL, &b));
	buf_clear(&b);
	conf_drop(&c);
}

/* The table is consistent: an item's default is the meaning of zero bytes; roles and help exist. */
Test(explain, table_is_consistent)
{
	for (size_t i = 0; i < conf_key_count; i++) {
		const struct conf_key *k = &conf_key_table[i];

		cr_expect(k->help && *k->help && k->roles, "%s", k->path);
		cr_expect_eq(conf_key_find(str_of(k->path)), k, "%s stands twice", k->path);
		if (k->type == KEY_LIST)
			cr_expect(k->item_bytes && k->max > 0, "%s", k->path);
		if (k->type == KEY_NUMBER || k->type == KEY_DURATION || k->type == KEY_SIZE)
			cr_expect_gt(k->max, k->min, "%s", k->path);
		if (k->flags & KEY_RESTART)
			cr_expect((k->type == KEY_TEXT || k->type == KEY_NUMBER) &&
			              !(k->flags & KEY_ITEM),
			    "%s", k->path);
		if ((k->flags & KEY_ITEM) && k->dflt && k->type == KEY_WORD)
			cr_expect(strstr(k->dflt, k->words[0]), "%s", k->path);
	}
}

/* For a group it shows the keys. */
Test(explain, a_group)
{
	struct buf b;

	buf_init(&b, 1 << 16);
	cr_expect(conf_explain(STR("limits"), NULL, NULL, &b));
	buf_addc(&b, '\0');
	cr_expect(strstr(b.p, "\nlimits.per_user "));
	cr_expect(strstr(b.p, "\nlimits.users "));
	cr_expect_not(strstr(b.p, "\nlimits.users.user "));
	cr_expect_not(strstr(b.p, "\nqueue."));
	buf_clear(&b);
}
