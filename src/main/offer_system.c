/*
 * offer_system: see the header.
 */
#include "main/offer_system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

/* As much as a role takes. */
enum { SYSTEM_BYTES_MAX = 4 << 20 };

bool
offer_system_is(const struct conf *c, const struct offer_file *f)
{
	return f->kind == GRANT_FILE &&
	    (str_eq(f->path, c->dns.resolv_conf) || str_eq(f->path, c->dns.hosts_file));
}

/* ---- one file ---- */

/* False with errno. */
static bool
system_write(int fd, struct str text)
{
	while (text.n) {
		ssize_t n = write(fd, text.p, text.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		text = str_from(text, (size_t)n);
	}
	return true;
}

/* Devices have no size, and pipes no beginning: all are read to the end.  False with errno. */
static bool
system_read(int fd, struct buf *out)
{
	enum { PIECE_BYTES = 64 << 10 };
	ssize_t n;

	do {
		char *room = buf_room(out, PIECE_BYTES);

		if (!room) {
			errno = EFBIG;
			return false;
		}
		n = read(fd, room, PIECE_BYTES);
		out->n += (size_t)(n > 0 ? n : 0);
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n == 0;
}

/* Takes fd; -1 with errno. */
static int
system_copy(int fd)
{
	int copy = memfd_create("file of the system", MFD_CLOEXEC), failed;
	struct buf text;
	bool is_copied;

	buf_init(&text, SYSTEM_BYTES_MAX);
	is_copied = copy >= 0 && system_read(fd, &text) && system_write(copy, buf_str(&text));
	failed = errno;
	buf_clear(&text);
	close(fd);
	if (is_copied)
		return copy;
	if (copy >= 0)
		close(copy);
	errno = failed;
	return -1;
}

bool
offer_system_is_absent(const struct offer_file *f)
{
	return f->error == ENOENT || f->error == ENOTDIR;
}

bool
offer_system_open(struct offer_file *f, const struct offer_file *former)
{
	f->fd = file_open_str(f->path, O_RDONLY);
	if (f->fd >= 0)
		f->fd = system_copy(f->fd);
	f->error = f->fd < 0 ? errno : 0;
	if (f->fd >= 0 || offer_system_is_absent(f))
		return true;
	if (f->error == EMFILE || f->error == ENFILE || f->error == ENOMEM)
		return false;
	if (!former || former->fd < 0)
		return true;
	f->fd = fcntl(former->fd, F_DUPFD_CLOEXEC, 0);
	return f->fd >= 0;
}

/* ---- all of them ---- */

/* Something is wrong with one: "/etc/resolv.conf cannot be read (Input/output error): …". */
static const char *
system_text(const struct offer_file *f, char out[OFFER_SYSTEM_TEXT_BYTES])
{
	snprintf(out, OFFER_SYSTEM_TEXT_BYTES, "%.*s cannot be read (%s): %s", STR_ARG(f->path),
	    file_error(f->error),
	    f->fd >= 0 ? "what was read before is used" : "nothing of it is used until it can");
	return out;
}

void
offer_system_tell(const struct offer_file *f)
{
	char text[OFFER_SYSTEM_TEXT_BYTES];

	if (offer_system_is_absent(f))
		log_warn("%.*s cannot be opened: %s", STR_ARG(f->path), strerror(f->error));
	else if (f->error)
		log_error("%s", system_text(f, text));
}

const char *
offer_system_trouble(const struct offer *o, char out[OFFER_SYSTEM_TEXT_BYTES])
{
	out[0] = '\0';
	for (size_t n = 0; n < o->file_count && !out[0]; n++)
		if (offer_system_is(o->conf, &o->files[n]) && o->files[n].error &&
		    !offer_system_is_absent(&o->files[n]))
			(void)system_text(&o->files[n], out);
	return out;
}

static bool
system_is_same(int a, int b)
{
	struct buf of_a, of_b;
	bool is_same;

	if (a < 0 || b < 0)
		return a == b;
	buf_init(&of_a, SYSTEM_BYTES_MAX);
	buf_init(&of_b, SYSTEM_BYTES_MAX);
	is_same = buf_read_file(&of_a, a) == 0 && buf_read_file(&of_b, b) == 0 &&
	    str_eq(buf_str(&of_a), buf_str(&of_b));
	buf_clear(&of_a);
	buf_clear(&of_b);
	return is_same;
}

/* True: what is to be given is another. */
static bool
system_renew(struct offer_file *f)
{
	struct offer_file fresh = *f;
	bool has_changed;

	if (!offer_system_open(&fresh, f))
		return false; /* not for the file's sake; it is tried again */
	has_changed = !system_is_same(fresh.fd, f->fd);
	if (fresh.error != f->error)
		offer_system_tell(&fresh);
	if (fresh.error == 0 && (has_changed || f->error))
		log_info("%.*s %s", STR_ARG(f->path),
		    has_changed ? "changed: loading it" : "can be read again: it is the same");
	if (f->fd >= 0)
		close(f->fd);
	*f = fresh;
	return has_changed;
}

bool
offer_system_renew(struct offer *o)
{
	bool has_changed = false;

	for (size_t n = 0; n < o->file_count; n++)
		if (offer_system_is(o->conf, &o->files[n]))
			has_changed |= system_renew(&o->files[n]);
	return has_changed;
}
