/*
 * golden_list: prints what a spool holds, one message or note a line, sorted, with checksums of the
 * stored bytes; tests/e2e/golden.py compares that with what a former version printed.
 *
 *	golden_list DIRECTORY
 */
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "spool/spool.h"

enum { SHA_BYTES = 32, LINES_MAX = 4096, LINE_BYTES_MAX = 1 << 20 };

struct golden_list {
	struct spool *spool;
	struct fsio *io;
	struct msgid ids[LINES_MAX];
	size_t id_count;
	char *lines[LINES_MAX];
	size_t line_count;
	struct buf line;
};

__attribute__((format(printf, 2, 3))) static void
golden_print(struct golden_list *l, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	buf_adds(&l->line, str_of(text));
}

static void
golden_print_hex(struct golden_list *l, struct str bytes)
{
	for (size_t i = 0; i < bytes.n; i++)
		golden_print(l, "%02x", (unsigned char)bytes.p[i]);
}

static void
golden_print_sum(struct golden_list *l, const char *name, struct str bytes)
{
	char sum[SHA_BYTES];

	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes.p, bytes.n, sum) < 0)
		die("no SHA-256");
	golden_print(l, " %s=", name);
	golden_print_hex(l, str_make(sum, sizeof sum));
}

static void
golden_end_line(struct golden_list *l)
{
	if (l->line_count == LINES_MAX)
		die("too many lines");
	l->lines[l->line_count++] = mem_text(l->line.p, l->line.n);
	buf_reset(&l->line);
}

static bool
golden_saw_message(const struct spool_message *m, void *arg)
{
	struct golden_list *l = arg;

	if (l->id_count == LINES_MAX)
		die("too many messages");
	l->ids[l->id_count++] = m->id;
	return true;
}

static void
golden_saw_note(struct str name, struct str value, void *arg)
{
	struct golden_list *l = arg;

	golden_print(l, "note %.*s", STR_ARG(name));
	golden_print_sum(l, "value", value);
	golden_end_line(l);
}

static void
golden_print_recipients(struct golden_list *l, const struct spool_message *m)
{
	for (uint32_t n = 0; m->recipients && n < m->recipient_count; n++) {
		const struct spool_recipient *r = &m->recipients[n];

		golden_print(l, " %u=%d,%d,%u,%lld,%u,", n + 1, (int)r->outcome, r->is_settled,
		    r->attempts, (long long)r->next_ms, r->marks);
		golden_print_hex(l, r->detail);
	}
}

static struct str
golden_file(struct golden_list *l, int fd)
{
	off_t bytes;
	char *p;

	if (l->io->ops->size(l->io, fd, &bytes) != 0)
		die("body: %m");
	p = mem_new((size_t)bytes + 1);
	if (l->io->ops->pread(l->io, fd, p, (size_t)bytes, 0) != bytes)
		die("body: %m");
	return str_make(p, (size_t)bytes);
}

static void
golden_got_content(const struct spool_content *c, int error, void *arg)
{
	struct golden_list *l = arg;
	struct str body;

	if (error) {
		golden_print(l, " unreadable=%d", error);
		return;
	}
	golden_print_sum(l, "envelope", c->envelope);
	golden_print_sum(l, "header", c->header);
	body = c->fd >= 0 ? golden_file(l, c->fd) : c->body;
	golden_print_sum(l, "body", body);
	if (c->fd >= 0)
		mem_free((char *)(uintptr_t)body.p);
}

static void
golden_print_message(struct golden_list *l, struct msgid id)
{
	char text[ID_NUMBER_TEXT_BYTES];
	struct spool_reading reading = {.task = NULL};
	struct spool_message m;

	if (!spool_find(l->spool, id, &m))
		die("a message is gone");
	golden_print(l, "message %s recipients=%u header_bytes=%u body_bytes=%llu held=%d why=%.*s",
	    msgid_text(id, 0, text), m.recipient_count, m.header_bytes,
	    (unsigned long long)m.body_bytes, m.is_held, STR_ARG(m.held_why));
	golden_print_recipients(l, &m);
	spool_read(l->spool, &reading, id, golden_got_content, l);
	spool_dispatch(l->spool);
	golden_end_line(l);
}

static int
golden_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int
main(int argc, char **argv)
{
	struct golden_list *l = MEM_NEW(struct golden_list);
	struct spool_recovery r = {
	    .message = golden_saw_message, .note = golden_saw_note, .arg = l};
	struct spool_options o = {.threadless = true};

	if (argc != 2)
		die("usage: golden_list DIRECTORY");
	buf_init(&l->line, LINE_BYTES_MAX);
	l->io = fsio_new(open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	o.io = l->io;
	l->spool = spool_open(&o, &r);
	if (!l->spool)
		die("%s: %m", argv[1]);
	for (size_t i = 0; i < l->id_count; i++)
		golden_print_message(l, l->ids[i]);
	qsort(l->lines, l->line_count, sizeof *l->lines, golden_compare);
	for (size_t i = 0; i < l->line_count; i++) {
		puts(l->lines[i]);
		mem_free(l->lines[i]);
	}
	printf("newest_ms %lld\n", (long long)spool_newest_ms(l->spool));
	spool_close(&l->spool);
	fsio_free(&l->io);
	buf_clear(&l->line);
	mem_free(l);
	return 0;
}
