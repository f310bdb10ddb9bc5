/* support: files in a directory of their own, removed before the test checks the result. */
#include "conf/read.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
make_directory(char out[PATH_BYTES])
{
	snprintf(out, PATH_BYTES, "/tmp/sallyport-test-XXXXXX");
	cr_assert(mkdtemp(out));
}

static void
write_to(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	cr_assert(f, "%s", path);
	fputs(text, f);
	fclose(f);
}

void
write_file(const char *name, const char *text, char path_out[PATH_BYTES])
{
	char directory[PATH_BYTES];

	make_directory(directory);
	cr_assert_lt(snprintf(path_out, PATH_BYTES, "%s/%s", directory, name), PATH_BYTES);
	write_to(path_out, text);
}

static void
remove_file(char *path)
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

/* Removes the name of the directory from the report. */
static void
shorten(struct buf *text, const char *directory)
{
	size_t n = strlen(directory);
	char *at;

	buf_addc(text, '\0');
	while ((at = strstr(text->p, directory))) {
		memmove(at, at + n, strlen(at + n) + 1);
		text->n -= n;
	}
	text->n--;
}

struct conf *
read_as_file(const char *text, struct conf_report *report)
{
	char path[PATH_BYTES], directory[PATH_BYTES];
	struct conf *c;

	write_file("t.cfg", text, path);
	c = conf_read_file(path, CONF_SECRETS_READ, report);
	snprintf(directory, sizeof directory, "%.*s/", (int)(strrchr(path, '/') - path), path);
	shorten(&report->text, directory);
	remove_file(path);
	return c;
}

struct conf *
read_good(const char *text)
{
	struct conf_report report;
	struct conf *c;

	conf_report_init(&report);
	c = read_as_file(text, &report);
	cr_assert(c, "%s\n%.*s", text, STR_ARG(buf_str(&report.text)));
	conf_report_clear(&report);
	return c;
}

void
expect_report(const char *text, const char *wanted)
{
	struct conf_report r;
	struct conf *c;

	conf_report_init(&r);
	c = read_as_file(text, &r);
	buf_addc(&r.text, '\0');
	cr_expect_str_eq(r.text.p, wanted);
	conf_drop(&c);
	conf_report_clear(&r);
}
