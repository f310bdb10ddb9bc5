/*
 * set_aside: writes the file, renames the body file, syncs the directory, and then settles the
 * recipients: a crash in between leaves the message in the log.
 */
#include "spool/set_aside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"
#include "spool/lost_messages.h"
#include "spool/spool_names.h"

enum { SET_ASIDE_NAME_BYTES = 64, SET_ASIDE_HEAD_BYTES = 400 };

/* Text for a person, then envelope, header and body as they were stored. */
static int
set_aside_write(
    struct spool *s, int fd, const struct stored_message *i, const struct frame_entry *r)
{
	char head[SET_ASIDE_HEAD_BYTES], id[ID_NUMBER_TEXT_BYTES];
	const struct spool_entry *e = &r->entry;
	int n = snprintf(head, sizeof head,
	    "Sallyport: a message that was set aside, because its envelope is not understood.\n"
	    "id: %s\nrecipients: %u\n"
	    "envelope: %zu bytes\nheader: %zu bytes\nbody: %llu bytes%s\n\n",
	    msgid_text(i->id, 0, id), i->recipient_count, e->message.envelope.n,
	    e->message.header.n, (unsigned long long)stored_message_body_bytes(i),
	    i->in_file ? ", in a file of its own" : "");
	struct iovec v[4] = {{head, (size_t)n},
	    {(char *)(uintptr_t)e->message.envelope.p, e->message.envelope.n},
	    {(char *)(uintptr_t)e->message.header.p, e->message.header.n},
	    {(char *)(uintptr_t)e->message.body.p, e->message.body.n}};

	if (fsio_write_all(s->io, fd, v, 4, 0) != 0)
		return -1;
	return s->io->ops->sync_data(s->io, fd);
}

static int
set_aside_write_file(
    struct spool *s, const struct stored_message *i, const struct frame_entry *r, const char *name)
{
	int fd = s->io->ops->open(s->io, name, O_RDWR | O_CREAT | O_TRUNC);
	int result, error;

	if (fd < 0)
		return -1;
	result = set_aside_write(s, fd, i, r);
	error = errno;
	s->io->ops->close(s->io, fd);
	errno = error;
	return result;
}

/* From now on the body file has another name, and no start removes it. */
static int
set_aside_rename_body(struct spool *s, struct stored_message *i)
{
	char from[SPOOL_NAMES_BYTES], to[SET_ASIDE_NAME_BYTES];

	if (!i->in_file)
		return 0;
	snprintf(to, sizeof to, "%s.aside", spool_names_body(i->id, from));
	if (s->io->ops->rename(s->io, from, to) != 0 && errno != ENOENT)
		return -1;
	s->index.file_bytes -= stored_message_body_bytes(i);
	i->in_file = false;
	return 0;
}

static int
set_aside_settle_recipients(struct spool *s, const struct stored_message *i)
{
	struct spool_entry *entries = mem_new(i->recipient_count * sizeof *entries);
	struct spool_batch b = {.entries = entries, .count = i->recipient_count};
	int result;

	for (uint32_t n = 0; n < i->recipient_count; n++) {
		entries[n] = (struct spool_entry){.kind = SPOOL_STATUS, .id = i->id};
		entries[n].status.number = n + 1;
		entries[n].status.outcome = SPOOL_FAILED;
		entries[n].status.is_settled = true;
	}
	result = spool_append(s, &b);
	mem_free(entries);
	return result;
}

void
set_aside_message(struct spool *s, struct stored_message *i, const struct frame_entry *r)
{
	char name[SET_ASIDE_NAME_BYTES], id[ID_NUMBER_TEXT_BYTES];

	msgid_text(i->id, 0, id);
	snprintf(name, sizeof name, "%s.aside", id);
	i->has_set_aside = false; /* the files stay when the message is settled */
	if (set_aside_write_file(s, i, r, name) != 0 || set_aside_rename_body(s, i) != 0 ||
	    s->io->ops->sync_directory(s->io) != 0 || set_aside_settle_recipients(s, i) != 0) {
		log_error("spool: message %s: its envelope is not understood, and it cannot be set "
			  "aside now: %m; it stays in the spool, is not delivered, and the next "
			  "start tries again", id);
		return;
	}
	s->stats.set_aside++;
	lost_messages_report_line(s, str_of(id),
	    "spool: message %s: its envelope is not understood; it is set aside as %s, and no "
	    "report is sent", id, name);
}
