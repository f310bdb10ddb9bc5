/* read: passwords of a configuration, in the file itself, in a file of their own, as a
 * credential. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/read.h"
#include "support.h"

static const char secret_route[] = MINIMAL
    "routes: ( { via = \"smarthost\"; host = \"h.example\"; tls = \"implicit\"; username = \"u\";\n"
    "password = \"%s\"; } );\n";

Test(read, secret_from_a_file)
{
	static const struct {
		const char *content, *secret, *expected;
		mode_t mode;
		unsigned warnings;
	} cases[] = {
		{"s3cret\n", "s3cret", "", 0600, 0},
		{"s3cret", "s3cret", "", 0400, 0},
		{"s3cret\r\n", "s3cret", "", 0600, 0},
		{" a b \n", " a b ", "", 0600, 0},
		{"s3cret\n", "s3cret", "can be read by others than its owner (mode 640)", 0640, 1},
		{"s3cret\n", "s3cret", "can be read by others", 0604, 1},
		{"", NULL, "must hold one line", 0600, 0},
		{"\n", NULL, "must hold one line", 0600, 0},
		{"a\nb\n", NULL, "must hold one line", 0600, 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char path[PATH_BYTES], password[PATH_BYTES + 10], text[1000];
		struct conf_report r;
		struct conf *c;

		write_file("secret", cases[i].content, path);
		cr_assert_eq(chmod(path, cases[i].mode), 0);
		snprintf(password, sizeof password, "file:%s", path);
		snprintf(text, sizeof text, secret_route, password);
		conf_report_init(&r);
		c = read_as_file(text, &r);
		cr_expect_eq(c != NULL, cases[i].secret != NULL, "case %zu", i);
		if (c)
			cr_expect(str_eq(c->routes.item[0].password, str_of(cases[i].secret)));
		cr_expect_eq(r.warnings, cases[i].warnings);
		buf_addc(&r.text, '\0');
		cr_expect(strstr(r.text.p, cases[i].expected), "%s", r.text.p);
		cr_expect_not(strstr(r.text.p, "s3cret"));
		conf_drop(&c);
		conf_report_clear(&r);
		unlink(path);
	}
}

/* A password in a configuration that every user can read is a warning. */
Test(read, secret_in_a_file_that_all_users_can_read)
{
	static const struct {
		mode_t mode;
		const char *password;
		unsigned warnings;
	} cases[] = {
		{0644, "s3cret", 1}, {0604, "s3cret", 1}, {0640, "s3cret", 0}, {0600, "s3cret", 0}};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char path[PATH_BYTES], text[1000];
		struct conf_report r;
		struct conf *c;

		snprintf(text, sizeof text, secret_route, cases[i].password);
		write_file("open.cfg", text, path);
		cr_assert_eq(chmod(path, cases[i].mode), 0);
		conf_report_init(&r);
		c = conf_read_file(path, CONF_SECRETS_READ, &r);
		cr_expect_not_null(c);
		cr_expect_eq(r.warnings, cases[i].warnings, "mode %o", cases[i].mode);
		buf_addc(&r.text, '\0');
		cr_expect_eq(strstr(r.text.p, "stands in a file that everybody can read") != NULL,
		    cases[i].warnings == 1, "%s", r.text.p);
		cr_expect_not(strstr(r.text.p, "s3cret"));
		conf_drop(&c);
		conf_report_clear(&r);
		unlink(path);
	}
}

/* A check outside the daemon's unit reports that it cannot read the credential, which is no
 * error. */
static void
secret_outside_the_unit(const char *text)
{
	char path[PATH_BYTES];
	struct conf_report r;
	struct conf *c;

	write_file("outside", text, path);
	conf_report_init(&r);
	c = conf_read_file(path, CONF_SECRETS_READ_HERE, &r);
	buf_addc(&r.text, '\0');
	cr_assert(c, "%s", r.text.p);
	cr_expect_eq(r.warnings, 1, "%s", r.text.p);
	cr_expect(strstr(r.text.p, "credential:partner cannot be read here"), "%s", r.text.p);
	conf_drop(&c);
	conf_report_clear(&r);
	unlink(path);
}

Test(read, secret_from_a_credential)
{
	char path[PATH_BYTES], text[1000];
	struct conf *c;

	snprintf(text, sizeof text, secret_route, "credential:partner");
	unsetenv("CREDENTIALS_DIRECTORY");
	{
		struct conf_report r;

		conf_report_init(&r);
		cr_expect_null(read_as_file(text, &r));
		conf_report_clear(&r);
	}
	secret_outside_the_unit(text);
	write_file("partner", "from systemd\n", path);
	cr_assert_eq(chmod(path, 0400), 0);
	*strrchr(path, '/') = '\0';
	setenv("CREDENTIALS_DIRECTORY", path, 1);
	c = read_good(text);
	cr_assert(str_eq(c->routes.item[0].password, STR("from systemd")));
	conf_drop(&c);
}
