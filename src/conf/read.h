/*
 * read: reads the configuration of a file, or of a text that another role wrote.
 */
#ifndef CONF_READ_H
#define CONF_READ_H

#include "conf/conf.h"

enum conf_secrets {
	CONF_SECRETS_LEAVE, /* "file:" and "credential:" stay unchanged */
	CONF_SECRETS_READ,  /* the named files are read; a missing one is an error */
	/* The same for a caller that may be outside the daemon's unit, with more warnings: without
	 * CREDENTIALS_DIRECTORY, a "credential:" is a warning and stays unchanged. */
	CONF_SECRETS_READ_HERE,
	CONF_SECRETS_COMPARE, /* as READ, for a comparison: no group of the system is looked up */
};

/* Reads and checks a file; NULL when there are errors (the report has all of them).  Unless secrets
 * stay unread, the trust anchor's file is checked, too. */
struct conf *conf_read_file(
    const char *path, enum conf_secrets secrets, struct conf_report *report);
/* For callers that must work without a usable file: the defaults, with the run_directory of the
 * file if it has one that is a path, whatever other errors there are.  Never NULL. */
struct conf *conf_read_run_directory(const char *path);
/* Reads what conf_write wrote.  Keys of other roles have their defaults. */
struct conf *conf_read_text(struct str text, struct conf_report *report);
/* Like conf_read_file with CONF_SECRETS_READ, but system groups that `running` has are not looked
 * up again. */
struct conf *conf_read_again(
    const char *path, const struct conf *running, struct conf_report *report);

#endif
