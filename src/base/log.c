/*
 * log: builds a line in place and writes it with one system call.  The target is state of this
 * file: every role has its own copy, and the threads of one process share it.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error_text.h"
#include "base/hash.h"

enum {
	/* a line to main: this octet, with which no text begins, the priority, milliseconds */
	PACKET_MARK = 1,
	PACKET_HEAD_BYTES = 2 + sizeof(int64_t),
	/* how long a line may wait until main reads others, and how long none waits after that */
	ROOM_WAIT_MS = 25,
	NO_WAIT_MS = 1000,
	/* a line that was made longer ago than this, or in the future, gets the current time */
	AGE_MAX_MS = 60 * 1000,
};

static _Atomic int target_fd = 2;
static _Atomic int target_kind = LOG_TO_STDERR;
static _Atomic bool target_may_block = true;
static _Atomic unsigned long lost_lines;
static _Atomic unsigned long untaken_lost_lines; /* by log_take_lost */
static _Atomic int64_t no_wait_until_ms;
static _Atomic int addresses = LOG_ADDRESSES_FULL;
static _Atomic uint64_t address_secret;

/* The number of the descriptor stays, so that no other thread writes to a closed one. */
static void
replace_log_target(int fd)
{
	int before = atomic_load(&target_fd);

	if (before <= 2 || before == fd || dup3(fd, before, O_CLOEXEC) < 0)
		atomic_store(&target_fd, fd);
	else if (fd > 2)
		close(fd);
}

void
log_open(int fd, enum log_target target)
{
	struct stat st;

	atomic_store(&target_may_block, fstat(fd, &st) != 0 || !S_ISREG(st.st_mode));
	replace_log_target(fd);
	atomic_store(&target_kind, target);
}

enum log_target
log_target(void)
{
	return (enum log_target)atomic_load(&target_kind);
}

void
log_show_addresses(enum log_addresses how, uint64_t secret)
{
	atomic_store(&addresses, how);
	atomic_store(&address_secret, secret);
}

static void
add_log_bytes(struct log_line *l, const char *p, size_t n)
{
	size_t room = sizeof l->text - 1 - l->n; /* the last byte is for the line feed */

	if (n > room)
		n = room;
	memcpy(l->text + l->n, p, n);
	l->n += n;
}

__attribute__((format(printf, 2, 3))) static void
add_log_format(struct log_line *l, const char *format, ...)
{
	char part[256];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(part, sizeof part, format, args);
	va_end(args);
	if (n > 0)
		add_log_bytes(l, part, (size_t)n < sizeof part ? (size_t)n : sizeof part - 1);
}

static void
add_log_packet_head(struct log_line *l, int64_t ms)
{
	char head[2] = {PACKET_MARK, (char)l->priority};

	add_log_bytes(l, head, sizeof head);
	add_log_bytes(l, (const char *)&ms, sizeof ms);
}

/* stderr and files need the time and the name; syslog and the journal add them. */
static void
add_log_stamp(struct log_line *l, int64_t ms, unsigned pid)
{
	char stamp[CLOCK_TEXT_BYTES];

	switch (log_target()) {
	case LOG_TO_STDERR:
	case LOG_TO_FILE:
		add_log_format(l, "%s sallyportd[%u]: ", clock_iso(ms, stamp), pid);
		break;
	case LOG_TO_SYSLOG:
		add_log_format(l, "<%d>sallyportd[%u]: ", LOG_MAIL | l->priority, pid);
		break;
	case LOG_TO_JOURNAL:
		add_log_format(l,
		    "SYSLOG_IDENTIFIER=sallyportd\nSYSLOG_PID=%u\nSYSLOG_FACILITY=2\n"
		    "PRIORITY=%d\nMESSAGE=",
		    pid, l->priority);
		break;
	case LOG_TO_MAIN:
		add_log_packet_head(l, ms);
		break;
	case LOG_TO_USER:
		add_log_bytes(l, "sallyport: ", strlen("sallyport: "));
		break;
	}
}

void
log_begin(struct log_line *l, int priority, const char *event)
{
	l->priority = priority;
	l->n = 0;
	add_log_stamp(l, clock_ms(), log_target() == LOG_TO_MAIN ? 0 : (unsigned)getpid());
	add_log_bytes(l, event, strlen(event));
}

static void
add_log_key(struct log_line *l, const char *key)
{
	add_log_bytes(l, " ", 1);
	add_log_bytes(l, key, strlen(key));
	add_log_bytes(l, "=", 1);
}

void
log_id(struct log_line *l, struct msgid id, uint32_t recipient)
{
	char text[ID_NUMBER_TEXT_BYTES];

	msgid_text(id, recipient, text);
	add_log_key(l, "id");
	add_log_bytes(l, text, strlen(text));
}

void
log_str(struct log_line *l, const char *key, struct str value)
{
	add_log_key(l, key);
	if (value.n == 0)
		add_log_bytes(l, "-", 1);
	for (size_t i = 0; i < value.n; i++)
		add_log_bytes(l, value.p[i] <= 0x20 || value.p[i] >= 0x7f ? "?" : value.p + i, 1);
}

static void
add_log_number(struct log_line *l, uint64_t value)
{
	char digits[20];
	size_t at = sizeof digits;

	do
		digits[--at] = (char)('0' + value % 10);
	while ((value /= 10));
	add_log_bytes(l, digits + at, sizeof digits - at);
}

void
log_num(struct log_line *l, const char *key, uint64_t value)
{
	add_log_key(l, key);
	add_log_number(l, value);
}

void
log_seconds(struct log_line *l, const char *key, int64_t ms)
{
	int64_t tenths = ms > 0 ? (ms + 50) / 100 : 0;

	add_log_key(l, key);
	add_log_number(l, (uint64_t)tenths / 10);
	add_log_bytes(l, ".", 1);
	add_log_number(l, (uint64_t)tenths % 10);
}

/* Escapes everything that could end a value (`ends`) or a line, or control a terminal. */
static void
add_log_escaped(struct log_line *l, struct str value, const char *ends)
{
	bool is_utf8 = str_is_utf8(value);
	size_t written = 0; /* everything before this index is written */

	for (size_t i = 0; i < value.n; i++) {
		unsigned char c = (unsigned char)value.p[i];
		uint32_t character;
		size_t step = str_utf8_character(str_from(value, i), &character);

		if (step && char_is_unseen(character))
			written = i + step;
		if (c == '"' || c == '\\')
			add_log_format(l, "\\%c", c);
		else if (i < written || strchr(ends, c) || (c >= 0x80 && !is_utf8))
			add_log_format(l, "\\x%02X", c);
		else
			add_log_bytes(l, value.p + i, 1);
	}
}

static void
add_log_address(struct log_line *l, struct str value)
{
	size_t at = str_rfind(value, '@');

	switch ((enum log_addresses)atomic_load(&addresses)) {
	case LOG_ADDRESSES_FULL:
		add_log_escaped(l, value, "<> ");
		return;
	case LOG_ADDRESSES_DOMAIN:
		add_log_bytes(l, "*", 1);
		break;
	case LOG_ADDRESSES_HASHED:
		add_log_format(l, "%016llx",
		    (unsigned long long)hash_bytes(
		        (struct hash_key){atomic_load(&address_secret), 0}, value));
		break;
	}
	add_log_escaped(l, str_from(value, at), "<> ");
}

void
log_addr(struct log_line *l, const char *key, struct str value)
{
	add_log_key(l, key);
	add_log_bytes(l, "<", 1);
	if (value.n)
		add_log_address(l, value);
	add_log_bytes(l, ">", 1);
}

void
log_user(struct log_line *l, const char *key, struct str value)
{
	add_log_key(l, key);
	add_log_bytes(l, "\"", 1);
	if (value.n)
		add_log_address(l, value);
	add_log_bytes(l, "\"", 1);
}

void
log_quoted(struct log_line *l, const char *key, struct str value)
{
	add_log_key(l, key);
	add_log_bytes(l, "\"", 1);
	add_log_escaped(l, value, "");
	add_log_bytes(l, "\"", 1);
}

/* A pipe or terminal that is ready accepts PIPE_BUF bytes at once; regular files always do. */
static bool
is_log_target_ready(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return !atomic_load(&target_may_block) || poll(&p, 1, 0) > 0;
}

/* Main is given a short time to read what is in the socket, so that a burst loses no line.  When
 * main does not read (it is stopped, its disk blocks), this process waits so once in a second. */
static bool
wait_for_log_reader(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int64_t now_ms = clock_mono_ms();

	if (now_ms < atomic_load(&no_wait_until_ms))
		return false;
	if (poll(&p, 1, ROOM_WAIT_MS) > 0)
		return true;
	atomic_store(&no_wait_until_ms, now_ms + NO_WAIT_MS);
	return false;
}

static bool
log_send_line(int fd, const struct log_line *l)
{
	ssize_t done = send(fd, l->text, l->n, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (done < 0 && errno == EAGAIN && log_target() == LOG_TO_MAIN && wait_for_log_reader(fd))
		done = send(fd, l->text, l->n, MSG_DONTWAIT | MSG_NOSIGNAL);
	return done == (ssize_t)l->n;
}

static bool
log_write_line(int fd, struct log_line *l)
{
	switch (log_target()) {
	case LOG_TO_MAIN:
	case LOG_TO_SYSLOG:
		return log_send_line(fd, l);
	case LOG_TO_JOURNAL:
		l->text[l->n++] = '\n';
		return log_send_line(fd, l);
	default:
		l->text[l->n++] = '\n';
		return is_log_target_ready(fd) && write(fd, l->text, l->n) == (ssize_t)l->n;
	}
}

static void
count_lost_line(void)
{
	atomic_fetch_add(&lost_lines, 1);
	atomic_fetch_add(&untaken_lost_lines, 1);
}

unsigned long
log_take_lost(void)
{
	return atomic_exchange(&untaken_lost_lines, 0);
}

static void
log_report_lost(int fd)
{
	unsigned long lost = atomic_exchange(&lost_lines, 0);
	struct log_line l;

	if (lost == 0)
		return;
	log_begin(&l, LOG_WARNING, "log lost");
	log_num(&l, "lines", lost);
	if (!log_write_line(fd, &l))
		atomic_fetch_add(&lost_lines, lost);
}

void
log_end(struct log_line *l)
{
	int fd = atomic_load(&target_fd);

	log_report_lost(fd);
	if (!log_write_line(fd, l))
		count_lost_line();
}

/* ---- lines of another process ---- */

/* The other process has escaped text from remote parties, but an attacker may control the
 * process. */
static void
add_forwarded_line(struct log_line *l, struct str text)
{
	size_t begin = l->n;

	add_log_bytes(l, text.p, text.n);
	for (size_t i = 0; begin + i < l->n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c < 0x20 || c == 0x7f)
			l->text[begin + i] = '?';
	}
}

void
log_batch_write(struct log_batch *b)
{
	int fd = atomic_load(&target_fd);
	ssize_t done;

	if (b->n == 0)
		return;
	log_report_lost(fd);
	done = write(fd, b->text, b->n);
	for (size_t i = done > 0 ? (size_t)done : 0; i < b->n; i++)
		if (b->text[i] == '\n')
			count_lost_line();
	b->n = 0;
}

/* Only a regular file accepts many lines as it accepts one. */
static void
log_batch_add(struct log_batch *b, struct log_line *l)
{
	if (log_target() != LOG_TO_FILE || atomic_load(&target_may_block)) {
		log_end(l);
		return;
	}
	if (b->n + l->n + 1 > sizeof b->text)
		log_batch_write(b);
	memcpy(b->text + b->n, l->text, l->n);
	b->n += l->n;
	b->text[b->n++] = '\n';
}

static void
forward_stderr(struct log_batch *b, struct str text, unsigned pid)
{
	while (text.n) {
		size_t n = str_find(text, '\n');
		struct log_line l = {.priority = LOG_WARNING};

		add_log_stamp(&l, clock_ms(), pid);
		add_log_bytes(&l, "stderr", strlen("stderr"));
		log_quoted(&l, "text", str_upto(text, n));
		log_batch_add(b, &l);
		text = str_from(text, n < text.n ? n + 1 : n);
	}
}

void
log_forward(struct log_batch *b, struct str packet, unsigned pid)
{
	struct log_line l;
	int64_t ms, now_ms = clock_ms();

	if (packet.n < PACKET_HEAD_BYTES || packet.p[0] != PACKET_MARK) {
		forward_stderr(b, packet, pid);
		return;
	}
	l.n = 0;
	l.priority = packet.p[1] & LOG_PRIMASK;
	memcpy(&ms, packet.p + 2, sizeof ms);
	add_log_stamp(&l, ms > now_ms || ms < now_ms - AGE_MAX_MS ? now_ms : ms, pid);
	add_forwarded_line(&l, str_from(packet, PACKET_HEAD_BYTES));
	log_batch_add(b, &l);
}

/* The text of %m gets the remedy that error_text has. */
static void __attribute__((format(printf, 3, 0)))
log_formatted(int priority, const char *word, const char *format, va_list args)
{
	const char *remedy = strstr(format, "%m") ? error_text_remedy(errno) : "";
	char text[1024];
	struct log_line l;

	vsnprintf(text, sizeof text, format, args);
	log_begin(&l, priority, word);
	add_log_bytes(&l, ": ", 2);
	for (char *p = text; *p; p++)
		add_log_bytes(&l, *p < 0x20 && *p >= 0 ? "?" : p, 1);
	add_log_bytes(&l, remedy, strlen(remedy));
	log_end(&l);
}

void
log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_formatted(LOG_ERR, "error", format, args);
	va_end(args);
}

void
log_warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_formatted(LOG_WARNING, "warning", format, args);
	va_end(args);
}

void
log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_formatted(LOG_INFO, "info", format, args);
	va_end(args);
}
