/* support: configuration files that exist as long as a test. */
#ifndef TESTS_CONF_SUPPORT_H
#define TESTS_CONF_SUPPORT_H

#include <criterion/criterion.h>

#include "conf/conf.h"

/* The required keys, on one line. */
#define MINIMAL                                                                             \
	"hostname = \"mail.example.com\"; domains: ( { name = \"example.com\"; } ); "       \
	"tls: { certificate = \"/c.crt\"; private_key = \"/c.key\"; };\n"

enum { PATH_BYTES = 256 };

/* Writes a file of this name into a new directory; path_out gets its path. */
void write_file(const char *name, const char *text, char path_out[PATH_BYTES]);
/* Reads a text as a file "t.cfg"; the report has "t.cfg:LINE: …" without the directory. */
struct conf *read_as_file(const char *text, struct conf_report *report);
/* The same; errors end the test. */
struct conf *read_good(const char *text);
/* Reads a text as a file "t.cfg"; this is the whole report. */
void expect_report(const char *text, const char *wanted);

#endif
