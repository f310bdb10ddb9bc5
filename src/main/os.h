/*
 * os: users, directories and the log target, as the operating system has them.
 */
#ifndef MAIN_OS_H
#define MAIN_OS_H

#include <sys/stat.h>

#include "base/log.h"
#include "main/daemon.h"

/* Whom each role becomes: as root conf->user (absent: sallyport), with an account of its own
 * "<user>-keys", "-auth", "-queue" where the system has it; else the caller.  False: there is no
 * such user, or it is not fit (nobody, root); refused in words. */
bool os_role_users(const struct conf *c, struct os_user identities[ROLE_KINDS]) MUST_USE;

/* Is the user of the configuration there, and fit?  False: why says why not. */
bool os_check_user(const struct conf *c, struct buf *why) MUST_USE;

struct os_log {
	int fd; /* -1: none; 2 is never closed */
	enum log_target target;
	int error;      /* why there is none */
	bool is_former; /* none: lines go on where they go now */
	bool is_made;   /* the file was not there before */
};

/* What log.target leads to, as a path. */
struct str os_log_path(const struct conf *c);

/* Opens the configured log target; false with errno, which is out->error too, and out->fd is -1. */
bool os_open_log(const struct conf *c, struct os_log *out) MUST_USE;
/* It was opened for nothing: a file that was made for it, and is empty, is removed. */
void os_discard_log(const struct conf *c, const struct os_log *log);
/* Lines go there from now on, and log->fd is taken; without one to stderr, or as before, which is
 * said. */
void os_use_log(const struct conf *c, uint64_t secret, struct os_log *log);
/* For a person who checks a file: an error when there is something else than a file where the log
 * is to be written. */
void os_report_log(const char *config, const struct conf *c, struct conf_report *report);

/* Of 0 to 2 those that the caller left closed become /dev/null: no socket gets such a number. */
void os_fill_standard_descriptors(void);
/* As many descriptors as the system allows. */
void os_raise_limits(void);

/* Do sockets between processes take our largest packets?  0, or what daemon_report_failure
 * returned. */
int os_check_channels(void) MUST_USE;

/* That a path "is open to others", and the command that mends it. */
void os_warn_of_mode(struct str path, const char *what, const struct stat *st);
/* Why the daemon does not start, or ends: one line in the log, on standard error and for the
 * service manager.  Returns the exit status. */
int daemon_report_failure(int exit_status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
