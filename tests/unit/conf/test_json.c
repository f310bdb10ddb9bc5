/* json: the grammar of the file as JSON; explain with two values; the keys that a reload keeps. */
#include "conf/explain.h"
#include "conf/json.h"
#include "conf/key.h"
#include "support.h"

static void
expect_json(const char *settings, const char *wanted)
{
	struct buf b;

	buf_init(&b, 1 << 16);
	conf_write_json(str_of(settings), &b);
	cr_expect(str_eq(buf_str(&b), str_of(wanted)), "%.*s", STR_ARG(buf_str(&b)));
	buf_clear(&b);
}

Test(json, types)
{
	expect_json("", "");
	expect_json("node = 3;\nhostname = \"a\";\n", "\"node\":3,\"hostname\":\"a\"");
	expect_json("auth: {\n\tworkers = 3;\n\tx = true;\n};\nlog: {\n\ty = false;\n};\n",
	    "\"auth\":{\"workers\":3,\"x\":true},\"log\":{\"y\":false}");
	expect_json("queue: {\n\tretry = [ \"5m\", \"1h\" ];\n\tnone = ( );\n};\n",
	    "\"queue\":{\"retry\":[\"5m\",\"1h\"],\"none\":[]}");
	expect_json(
	    "routes = (\n\t{ via = \"mx\"; port = 25; },\n\t{ to = ( \"a\" ); } );\nnode = 1;\n",
	    "\"routes\":[{\"via\":\"mx\",\"port\":25},{\"to\":[\"a\"]}],\"node\":1");
}

Test(json, texts)
{
	expect_json("a = \"q\\\"b\\\\x1\\x01\\x7F = ; { # \";\n",
	    "\"a\":\"q\\\"b\\\\x1\\u0001\\u007F = ; { # \"");
	expect_json("a = \"gr\xc3\xbc\xff!\";\n", "\"a\":\"gr\xc3\xbc\\ufffd!\"");
}

Test(json, explain_has_both_values_typed)
{
	struct conf *running = read_good(MINIMAL "auth: { workers = 3; };"),
	            *file = read_good(MINIMAL);
	struct buf b;

	buf_init(&b, 1 << 16);
	cr_assert(conf_explain_json(STR("auth.workers"), running, file, &b));
	buf_addc(&b, '\0');
	cr_expect(strstr(b.p, "\"key\":\"auth.workers\","), "%s", b.p);
	cr_expect(strstr(b.p, "\"default\":2,"), "%s", b.p);
	cr_expect(strstr(b.p, ",\"running\":3,\"file\":2"), "%s", b.p);
	buf_reset(&b);
	cr_assert(conf_explain_json(STR("limits"), running, file, &b));
	buf_addc(&b, '\0');
	cr_expect(strstr(b.p, "\"keys\":[\"limits.message_size\",\"limits.recipients"), "%s", b.p);
	cr_expect_not(conf_explain_json(STR("limit"), running, file, &b));
	buf_clear(&b);
	conf_drop(&running);
	conf_drop(&file);
}

static void
expect_end(const char *key, const struct conf *running, const struct conf *file, const char *wanted)
{
	struct buf b;

	buf_init(&b, 1 << 16);
	cr_assert(conf_explain(str_of(key), running, file, &b));
	buf_addc(&b, '\0');
	cr_expect(strstr(b.p, wanted) && strlen(strstr(b.p, wanted)) == strlen(wanted), "%s", b.p);
	buf_clear(&b);
}

/* "now" is the value of the daemon only. */
Test(json, explain_shows_the_file_and_the_daemon)
{
	struct conf *a = read_good(MINIMAL "queue: { lifetime = \"3d\"; };"),
	            *b = read_good(MINIMAL "node = 4;");

	expect_end("queue.lifetime", a, a, "\nsince    0.1\nnow      \"3d\"\n");
	expect_end("queue.lifetime", NULL, a, "\nsince    0.1\nin file  \"3d\"\n");
	expect_end("queue.lifetime", a, NULL, "\nsince    0.1\nnow      \"3d\"\n");
	expect_end("queue.lifetime", a, b,
	    "now      \"3d\"\nin file  \"5d\"\n         the file is not in force: it needs a "
	    "reload\n");
	expect_end("node", a, b,
	    "now      0\nin file  4\n         the file is not in force: it needs a restart\n");
	conf_drop(&a);
	conf_drop(&b);
}
