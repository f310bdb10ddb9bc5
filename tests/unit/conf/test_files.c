/* files: the shipped examples parse without a warning, also with the settings in comments, and the
 * manual page has every key. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "conf/explain.h"
#include "conf/key.h"
#include "conf/read.h"
#include "support.h"

static const char *
top(void)
{
	const char *directory = getenv("TOP_SRCDIR");

	return directory ? directory : "..";
}

static void
expect_clean(const char *path)
{
	struct conf_report r;
	struct conf *c;

	conf_report_init(&r);
	c = conf_read_file(path, CONF_SECRETS_LEAVE, &r);
	cr_expect(c && r.warnings == 0, "%s:\n%.*s", path, STR_ARG(buf_str(&r.text)));
	conf_drop(&c);
	conf_report_clear(&r);
}

Test(files, examples_are_clean)
{
	char pattern[PATH_BYTES];
	glob_t found;

	snprintf(pattern, sizeof pattern, "%s/etc/examples/*.cfg", top());
	cr_assert_eq(glob(pattern, 0, NULL, &found), 0, "%s", pattern);
	cr_expect_geq(found.gl_pathc, 4);
	for (size_t i = 0; i < found.gl_pathc; i++)
		expect_clean(found.gl_pathv[i]);
	globfree(&found);
	snprintf(pattern, sizeof pattern, "%s/etc/sallyport.cfg", top());
	expect_clean(pattern);
}

/* A line that begins with # and no blank is a setting: all of them together are a configuration
 * too. */
Test(files, commented_settings_are_clean)
{
	char path[PATH_BYTES], line[1000];
	struct buf text;
	FILE *f;

	snprintf(path, sizeof path, "%s/etc/sallyport.cfg", top());
	f = fopen(path, "r");
	cr_assert(f, "%s", path);
	buf_init(&text, 1 << 16);
	while (fgets(line, sizeof line, f))
		buf_addz(
		    &text, line[0] == '#' && line[1] != ' ' && line[1] != '\n' ? line + 1 : line);
	fclose(f);
	buf_addc(&text, '\0');
	write_file("t.cfg", text.p, path);
	expect_clean(path);
	cr_expect(strstr(text.p, "\nroutes: (\n"), "choices were found");
	remove(path);
	buf_clear(&text);
}

Test(files, manual_names_every_key)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	conf_write_mdoc(&b);
	buf_addc(&b, '\0');
	cr_assert(buf_ok(&b));
	for (size_t i = 0; i < conf_key_count; i++) {
		char item[200];

		snprintf(item, sizeof item, "\n.It Ic %s\n", conf_key_table[i].path);
		cr_expect(strstr(b.p, item), "%s", item);
	}
	for (struct str rest = str_make(b.p, b.n - 1), line; str_split(&rest, '\n', &line);) {
		bool is_macro = str_starts(line, STR(".It ")) || str_starts(line, STR(".Ss ")) ||
		    str_starts(line, STR(".Bl ")) || str_eq(line, STR(".El"));

		cr_expect(is_macro || !str_starts(line, STR(".")), "%.*s", STR_ARG(line));
		cr_expect_leq(line.n, 80, "%.*s", STR_ARG(line));
	}
	buf_clear(&b);
}
