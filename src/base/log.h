/*
 * log: one event, one line, one system call.  key=value, event first, fixed order, what strangers
 * said last and quoted.  Never blocks: a target that does not take a line loses it, and the count
 * of lost lines is told as soon as one gets through.
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

/* LOG_TO_MAIN: a socket, one packet a line, for log_forward at its other end. */
enum log_target { LOG_TO_STDERR, LOG_TO_FILE, LOG_TO_SYSLOG, LOG_TO_JOURNAL, LOG_TO_MAIN };
enum log_addresses { LOG_ADDRESSES_FULL, LOG_ADDRESSES_DOMAIN, LOG_ADDRESSES_HASHED };

enum { LOG_LINE_BYTES = 3072, LOG_BATCH_BYTES = 32 << 10 };

struct log_line {
	int priority; /* of syslog(3) */
	size_t n;
	char text[LOG_LINE_BYTES];
};

/* Lines of other processes that stand in a regular file after one write; all zero: empty. */
struct log_batch {
	size_t n;
	char text[LOG_BATCH_BYTES];
};

/* Lines go to fd from now on, which is taken; the previous target is closed (2 never is).  Other
 * threads may write meanwhile. */
void log_open(int fd, enum log_target target);
/* What process pid sent to its LOG_TO_MAIN: its line with our time stamp's form, and its pid, is
 * written to our target, at the latest by log_batch_write.  Anything else, as a library writes to
 * stderr, becomes lines "stderr". */
void log_forward(struct log_batch *b, struct str packet, unsigned pid);
void log_batch_write(struct log_batch *b);
enum log_target log_target(void);
/* How log_addr shows addresses; hashed needs a secret, equal in all processes. */
void log_show_addresses(enum log_addresses how, uint64_t secret);

void log_begin(struct log_line *l, int priority, const char *event);
/* id=…; number and recipient 0: left out. */
void log_id(struct log_line *l, struct msgid id, uint32_t recipient);
/* Our own words: blanks and control characters become '?'.  An empty value is written "-". */
void log_str(struct log_line *l, const char *key, struct str value);
void log_num(struct log_line *l, const char *key, uint64_t value);
/* Seconds with one decimal. */
void log_seconds(struct log_line *l, const char *key, int64_t ms);
/* <address>, shown as log.addresses says. */
void log_addr(struct log_line *l, const char *key, struct str value);
/* A login name: quoted, and shown as log.addresses says. */
void log_user(struct log_line *l, const char *key, struct str value);
/* Words of a stranger: in double quotes, \" \\ and \xHH escaped. */
void log_quoted(struct log_line *l, const char *key, struct str value);
void log_end(struct log_line *l);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
