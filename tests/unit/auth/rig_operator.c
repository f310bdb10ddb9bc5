/* rig: the test acts as control. */
#include "unit/auth/rig.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/auth.h"
#include "base/mem.h"
#include "support/ask.h"

static void
on_admin_answer(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct rig_admin *a = arg;

	cr_assert_not_null(p);
	if (end == REQUEST_ROW) {
		struct str row = p->message->admin_row.values;

		a->rows++;
		a->last_row_n = row.n < sizeof a->last_row ? row.n : 0;
		memcpy(a->last_row, row.p, a->last_row_n);
		return;
	}
	a->is_done = true;
	a->exit_code = p->message->admin_done.exit_code;
	snprintf(a->text, sizeof a->text, "%.*s", STR_ARG(p->message->admin_done.text));
}

void
rig_admin(struct rig *r, const char *verb, const char *values[][2], struct rig_admin *out)
{
	rig_admin_begin(r, verb, values, out);
	rig_until(r, &out->is_done);
}

void
rig_admin_begin(struct rig *r, const char *verb, const char *values[][2], struct rig_admin *out)
{
	struct message_admin m = {.verb = str_of(verb), .by = STR("root")};
	struct buf b;

	*out = (struct rig_admin){0};
	buf_init(&b, 4096);
	for (; values && (*values)[0]; values++)
		message_values_add(&b, (*values)[0], str_of((*values)[1]));
	m.values = buf_str(&b);
	(void)ask_pooled(r->control, MESSAGE_ADMIN, &m, on_admin_answer, out);
	buf_clear(&b);
}

char
rig_damage(const struct rig *r, const char *user, ssize_t offset, char byte)
{
	static char all[1 << 20];
	char path[128], begin[80], *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%s/accounts.db", r->directory);
	snprintf(begin, sizeof begin, "%sSCRAM-SHA-256", user);
	fd = open(path, O_RDWR);
	n = pread(fd, all, sizeof all, 0);
	cr_assert_gt(n, 0);
	at = memmem(all, (size_t)n, begin, strlen(begin));
	cr_assert_not_null(at);
	cr_assert_eq(pwrite(fd, &byte, 1, at - all + offset), 1);
	close(fd);
	return at[offset];
}

struct rig_admin
rig_admin_done(struct rig *r, const char *verb, const char *values[][2])
{
	struct rig_admin done;

	rig_admin(r, verb, values, &done);
	return done;
}

struct rig_admin
rig_admin_named(struct rig *r, const char *verb, const char *name)
{
	const char *values[][2] = {
	    {"name", name}, {"for", "1h"}, {"reason", "it guesses"}, {NULL, NULL}};

	return rig_admin_done(r, verb, values);
}

bool
rig_row_has(const struct rig_admin *a, const char *key, const char *value)
{
	struct str row = str_make(a->last_row, a->last_row_n);

	return str_eq(message_values_get(row, key), str_of(value));
}

unsigned
rig_log_count(int log, const char *text)
{
	static char all[65536];
	ssize_t n = pread(log, all, sizeof all - 1, 0);
	unsigned count = 0;

	cr_assert_geq(n, 0);
	all[n] = 0;
	for (const char *at = all; (at = strstr(at, text)); at++)
		count++;
	return count;
}
