/* parser: files that include others, paths that are no regular files, locations in files, and the
 * run_directory of a file with errors. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/read.h"
#include "support.h"

/* An error in an included file has the name of that file, one after it that of the including
 * file. */
Test(read, includes_keep_their_locations)
{
	char inner[PATH_BYTES], text[1000], wanted[1000];
	struct conf_report r;

	write_file("inner.cfg", "\nnode = 99;", inner);
	snprintf(text, sizeof text, "# x\n  @include \"%s\" # y\nnod = 1;\n%s", inner, MINIMAL);
	snprintf(wanted, sizeof wanted,
	    "%s:2: error: 99: node must lie between 0 and 31\n"
	    "t.cfg:3: error: unknown key \"nod\"; did you mean \"node\"?\n", inner);
	expect_report(text, wanted);
	conf_report_init(&r);
	cr_expect_null(conf_read_text(str_of(text), &r), "a text includes nothing");
	conf_report_clear(&r);
	unlink(inner);
}

Test(read, include_is_relative_to_its_file)
{
	char path[PATH_BYTES], other[PATH_BYTES + 10];
	struct conf_report r;
	struct conf *c;
	FILE *f;

	write_file("a.cfg", MINIMAL "@include \"b.cfg\"\n", path);
	snprintf(other, sizeof other, "%.*sb.cfg", (int)(strlen(path) - 5), path);
	f = fopen(other, "w");
	fputs("node = 7;", f);
	fclose(f);
	conf_report_init(&r);
	c = conf_read_file(path, CONF_SECRETS_LEAVE, &r);
	cr_assert(c, "%.*s", STR_ARG(buf_str(&r.text)));
	cr_assert_eq(c->node, 7);
	conf_drop(&c);
	conf_report_clear(&r);
	unlink(path);
	unlink(other);
}

/* "@include" inside a text or a comment is no directive. */
Test(read, include_only_as_a_directive)
{
	struct conf *c =
	    read_good("# x\n/*\n@include \"/none\"\n*/\n// @include \"/none\"\n" MINIMAL
	              "user = \"\n@include\";\n");

	cr_assert(str_eq(c->user, STR("\n@include")));
	conf_drop(&c);
}

Test(read, paths_that_are_not_regular_files)
{
	static const char nul[] = "node = 1;\0node = 2;";
	struct conf_report r;

	conf_report_init(&r);
	cr_expect_null(conf_read_file("/nonexistent/x.cfg", CONF_SECRETS_READ, &r));
	cr_expect(str_eq(buf_str(&r.text),
	    STR("/nonexistent/x.cfg:1: error: /nonexistent/x.cfg: No such file or directory\n")),
	    "%.*s", STR_ARG(buf_str(&r.text)));
	cr_expect_null(conf_read_file("/etc", CONF_SECRETS_READ, &r));
	cr_expect_null(conf_read_text(str_make(nul, sizeof nul - 1), &r));
	cr_expect_eq(r.errors, 3);
	conf_report_clear(&r);
}

/* Nothing writes to these pipes: reading one would block for ever. */
Test(read, pipes_instead_of_files_do_not_block, .timeout = 20)
{
	static const struct {
		const char *before, *behind;
	} texts[] = {{"@include \"", "\"\n" MINIMAL},
	    {MINIMAL "dns: { trust_anchor = \"", "\"; };\n"},
	    {MINIMAL "routes: ( { via = \"smarthost\"; host = \"a.example\"; username = \"u\"; "
	             "password = \"file:",
	        "\"; } );\n"}};
	const size_t count = sizeof texts / sizeof *texts;
	char path[PATH_BYTES], text[1000];

	write_file("pipe", "", path);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(mkfifo(path, 0600), 0);
	for (size_t i = 0; i <= count; i++) {
		struct conf_report r;
		struct conf *c;

		conf_report_init(&r);
		if (i < count)
			snprintf(
			    text, sizeof text, "%s%s%s", texts[i].before, path, texts[i].behind);
		c = i < count ? read_as_file(text, &r)
		              : conf_read_file(path, CONF_SECRETS_READ, &r);
		cr_expect_null(c);
		buf_addc(&r.text, '\0');
		cr_expect(strstr(r.text.p, "pipe: It is not a regular file"), "%s", r.text.p);
		conf_report_clear(&r);
	}
	unlink(path);
}

/* The run_directory of an unusable file is found, as far as it can be read. */
Test(read, run_directory_of_a_file_with_errors)
{
	static const struct {
		const char *text, *found;
	} cases[] = {
	    {"run_directory = \"/a/b\";\n", "/a/b"},
	    {"nonsense = 1;\nuser = nobody;\nrun_directory: \"/a/b\"\n", "/a/b"},
	    {"limits: { per_user = 300 recipients\nrun_directory = \"/a/b\";\n", "/a/b"},
	    {"user = \"x;\nrun_directory = \"/a/b\";\n", "/a/b"},
	    {"user = \"x;\nnode = 1;\nrun_directory = \"/a/b\";\nhostname = \"y;\n", "/a/b"},
	    {"@include \"/nonexistent/y.cfg\"\nrun_directory = \"/a/b\";\n", "/a/b"},
	    {"/* run_directory = \"/c\"; */ # run_directory = \"/d\";\nuser = ;\n",
	        "/run/sallyport"},
	    {"run_directory = /a/b;\n", "/run/sallyport"},
	    {"run_directory = \"/a/b;\n", "/run/sallyport"},
	    {"run_directory = \"a/b\";\n", "/run/sallyport"},
	    {"user = \"run_directory\";\nhostname = \"/a/b\";\n", "/run/sallyport"},
	    {"", "/run/sallyport"},
	};
	char path[PATH_BYTES];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct conf *c;

		write_file("t.cfg", cases[i].text, path);
		c = conf_read_run_directory(path);
		cr_expect(str_eq(c->run_directory, str_of(cases[i].found)), "%s: %.*s",
			  cases[i].text, STR_ARG(c->run_directory));
		conf_drop(&c);
		unlink(path);
	}
	for (size_t i = 0; i < 2; i++) {
		struct conf *c = conf_read_run_directory(i ? "/etc" : "/nonexistent/x.cfg");

		cr_expect(str_eq(c->run_directory, STR("/run/sallyport")));
		conf_drop(&c);
	}
}

static void
expect_places(const char *file, size_t index, const char *certificate, const char *private_key)
{
	struct conf_report r;
	struct conf *c;

	conf_report_init(&r);
	c = conf_read_file(file, CONF_SECRETS_LEAVE, &r);
	cr_assert(c && c->tls.count > index, "%.*s", STR_ARG(buf_str(&r.text)));
	cr_expect(str_iends(c->tls.item[index].certificate_location, str_of(certificate)), "%.*s",
		  STR_ARG(c->tls.item[index].certificate_location));
	cr_expect(str_iends(c->tls.item[index].private_key_location, str_of(private_key)), "%.*s",
		  STR_ARG(c->tls.item[index].private_key_location));
	conf_drop(&c);
	conf_report_clear(&r);
}

/* The error of a certificate has the location of the key that names it. */
Test(read, locations_of_tls_keys)
{
	static const char head[] = "hostname = \"mail.example.com\";\n"
		"domains: ( { name = \"example.com\"; } );\n";
	char path[PATH_BYTES], inner[PATH_BYTES], text[1000];

	snprintf(text, sizeof text, "%s%s", head,
		 "tls: { certificate = \"/a\";\n  private_key = \"/b\"; };\n");
	write_file("t.cfg", text, path);
	expect_places(path, 0, "t.cfg:3", "t.cfg:4");
	snprintf(text, sizeof text, "%s%s", head,
		 "tls: ( { certificate = \"/a\"; private_key = \"/b\"; },\n"
		 "  { private_key = \"/d\";\n certificate = \"/c\"; } );\n");
	write_file("t.cfg", text, path);
	expect_places(path, 0, "t.cfg:3", "t.cfg:3");
	expect_places(path, 1, "t.cfg:5", "t.cfg:4");
	write_file("inner.cfg", "\ntls: { certificate = \"/a\"; private_key = \"/b\"; };\n", inner);
	snprintf(text, sizeof text, "%s@include \"%s\"\n", head, inner);
	write_file("t.cfg", text, path);
	expect_places(path, 0, "inner.cfg:2", "inner.cfg:2");
	unlink(inner);
	unlink(path);
}
