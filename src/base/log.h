/*
 * log: one event is one line, written by one system call.  key=value, the event first, in fixed
 * order, text from remote parties last and quoted.  Logging never blocks: when a target does not
 * accept a line, the line is lost, and the number of lost lines is logged with the next line that
 * is written.
 *
 *	struct log_line l;
 *	log_begin(&l, LOG_NOTICE, "auth ok");
 *	log_str(&l, "mech", STR("PLAIN"));
 *	log_quoted(&l, "user", user);
 *	log_end(&l);
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <syslog.h>

#include "base/id.h"
#include "base/str.h"

/* LOG_TO_MAIN: a socket, one packet for each line, read by log_forward at the other end.
 * LOG_TO_USER: standard error of the tool, whose user reads it at once: its name, and no time. */
enum log_target {
	LOG_TO_STDERR, LOG_TO_FILE, LOG_TO_SYSLOG, LOG_TO_JOURNAL, LOG_TO_MAIN, LOG_TO_USER
};
enum log_addresses { LOG_ADDRESSES_FULL, LOG_ADDRESSES_DOMAIN, LOG_ADDRESSES_HASHED };

enum { LOG_LINE_BYTES = 3072, LOG_BATCH_BYTES = 32 << 10 };

struct log_line {
	int priority; /* of syslog(3) */
	size_t n;
	char text[LOG_LINE_BYTES];
};

/* Lines of other processes, collected to be written to a regular file at once; all zero: empty. */
struct log_batch {
	size_t n;
	char text[LOG_BATCH_BYTES];
};

/* Lines go to fd from now on, which log owns then; the previous target is closed (2 never is).
 * Other threads may write at the same time. */
void log_open(int fd, enum log_target target);
/* Writes what process pid sent to its LOG_TO_MAIN to our target, with a time stamp in our target's
 * form and the pid, at the latest in log_batch_write.  Anything else, as a library writes to
 * stderr, becomes lines "stderr". */
void log_forward(struct log_batch *b, struct str packet, unsigned pid);
/* Writes the collected lines. */
void log_batch_write(struct log_batch *b);
/* The target of this process. */
enum log_target log_target(void);
/* How log_addr shows addresses.  The hashed form needs a secret, equal in all processes. */
void log_show_addresses(enum log_addresses how, uint64_t secret);

/* Starts a line with its event. */
void log_begin(struct log_line *l, int priority, const char *event);
/* id=…; number and recipient 0: left out. */
void log_id(struct log_line *l, struct msgid id, uint32_t recipient);
/* Our own words: blanks and control characters become '?'.  An empty value is written as "-". */
void log_str(struct log_line *l, const char *key, struct str value);
/* A decimal number. */
void log_num(struct log_line *l, const char *key, uint64_t value);
/* Seconds with one decimal. */
void log_seconds(struct log_line *l, const char *key, int64_t ms);
/* <address>, in the form that log.addresses says. */
void log_addr(struct log_line *l, const char *key, struct str value);
/* A login name: quoted, and in the form that log.addresses says. */
void log_user(struct log_line *l, const char *key, struct str value);
/* Text from a remote party: in double quotes, with \" \\ and \xHH escaped. */
void log_quoted(struct log_line *l, const char *key, struct str value);
/* Writes the line to the target. */
void log_end(struct log_line *l);
/* The lines that this process lost since the last call, by any of its threads. */
unsigned long log_take_lost(void);

/* A whole line of our own words. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
