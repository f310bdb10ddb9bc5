/*
 * resources_system: a new copy replaces the former one only when it was read completely. A lack of
 * descriptors or memory is no property of the file: the read is postponed, and logged once. Copies
 * are compared as relay gets them, so a change that relay would not see starts nothing. Nothing is
 * sent to relay here.
 */
#include "main/resources_system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path_access.h"
#include "base/regular_file.h"
#include "net/hosts.h"
#include "net/resolv_conf.h"

/* A hosts file may be a long block list. */
enum { SYSTEM_BYTES_MAX = 64 << 20 };

bool
resources_system_is_file(const struct conf *c, const struct resources_file *f)
{
	return f->kind == GRANT_FILE &&
	    (str_eq(f->path, c->dns.resolv_conf) || str_eq(f->path, c->dns.hosts_file));
}

/* ---- one file ---- */

/* False with errno. */
static bool
system_file_write(int fd, struct str text)
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

/* Devices have no size, and pipes cannot be read again: all are read to the end.  False with
 * errno. */
static bool
system_file_read(int fd, struct buf *out)
{
	enum { PIECE_BYTES = 64 << 10 };
	ssize_t n;

	do {
		char *space = buf_room(out, PIECE_BYTES);

		if (!space) {
			errno = EFBIG;
			return false;
		}
		n = read(fd, space, PIECE_BYTES);
		out->n += (size_t)(n > 0 ? n : 0);
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n == 0;
}

static bool
system_file_is_hosts(const struct conf *c, struct str path)
{
	return str_eq(path, c->dns.hosts_file);
}

/* Writes what relay gets: of the hosts file only what the routes use; of resolv.conf everything,
 * with interface numbers.  False with errno. */
static bool
system_file_read_for_relay(const struct conf *c, struct resources_file *f, int fd, struct buf *out)
{
	bool is_hosts = system_file_is_hosts(c, f->path), is_read, is_done = true;
	struct buf whole;
	int saved_errno;

	buf_init(&whole, is_hosts ? SYSTEM_BYTES_MAX : HOSTS_COUNTS_BYTES_MAX);
	is_read = system_file_read(fd, &whole);
	saved_errno = errno;
	if (is_read && is_hosts)
		hosts_filter(buf_str(&whole), c, out);
	else if (is_read)
		is_done = resolv_conf_number_links(buf_str(&whole), out, &f->links);
	if (!is_done)
		saved_errno = errno;
	else if (is_read)
		saved_errno = is_hosts ? EOVERFLOW : EFBIG;
	buf_clear(&whole);
	errno = saved_errno;
	return is_read && is_done && buf_ok(out);
}

/* Returns a copy for relay, and closes fd; -1 with errno. */
static int
system_file_copy(const struct conf *c, struct resources_file *f, int fd)
{
	int copy = memfd_create("file of the system", MFD_CLOEXEC), saved_errno;
	struct buf text;
	bool is_copied;

	buf_init(&text, HOSTS_COUNTS_BYTES_MAX);
	is_copied = copy >= 0 && system_file_read_for_relay(c, f, fd, &text) &&
	    system_file_write(copy, buf_str(&text));
	saved_errno = errno;
	buf_clear(&text);
	close(fd);
	if (is_copied)
		return copy;
	if (copy >= 0)
		close(copy);
	errno = saved_errno;
	return -1;
}

bool
resources_system_is_absent(const struct resources_file *f)
{
	return f->error == ENOENT || f->error == ENOTDIR;
}

/* True if the error is a lack of descriptors or memory, and not a property of the file. */
static bool
system_is_for_now(int error)
{
	return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

bool
resources_system_open(
    const struct conf *c, struct resources_file *f, const struct resources_file *former)
{
	f->links = (struct resolv_conf_links){0};
	f->fd = regular_file_open_str(f->path, O_RDONLY);
	if (f->fd >= 0)
		f->fd = system_file_copy(c, f, f->fd);
	f->error = f->fd < 0 ? errno : 0;
	if (f->fd >= 0 || resources_system_is_absent(f))
		return true;
	if (system_is_for_now(f->error))
		return false;
	if (!former)
		return true;
	f->links = former->links;
	if (former->fd < 0)
		return true;
	f->fd = fcntl(former->fd, F_DUPFD_CLOEXEC, 0);
	return f->fd >= 0;
}

/* ---- all of them ---- */

static unsigned
system_file_most_mib(const struct conf *c, struct str path)
{
	return (system_file_is_hosts(c, path) ? SYSTEM_BYTES_MAX : HOSTS_COUNTS_BYTES_MAX) >> 20;
}

const char *
resources_system_error(const struct conf *c, const struct resources_file *f,
    char out[RESOURCES_SYSTEM_TEXT_BYTES])
{
	if (f->error == EOVERFLOW)
		snprintf(out, RESOURCES_SYSTEM_TEXT_BYTES,
		    "more than %u MiB of it count for the hosts of routes",
		    (unsigned)HOSTS_COUNTS_BYTES_MAX >> 20);
	else if (f->error == EFBIG)
		snprintf(out, RESOURCES_SYSTEM_TEXT_BYTES, "%s, at most %u MiB are read",
		    regular_file_error(f->error), system_file_most_mib(c, f->path));
	else
		snprintf(out, RESOURCES_SYSTEM_TEXT_BYTES, "%s", regular_file_error(f->error));
	return out;
}

/* Describes the problem of a file: "/etc/resolv.conf cannot be read (Input/output error): …". */
static const char *
system_file_text(
    const struct conf *c, const struct resources_file *f, char out[RESOURCES_SYSTEM_TEXT_BYTES])
{
	char text[RESOURCES_SYSTEM_TEXT_BYTES];
	const char *why = f->postponed_error ? regular_file_error(f->postponed_error)
	                                     : resources_system_error(c, f, text);

	snprintf(out, RESOURCES_SYSTEM_TEXT_BYTES, "%.*s cannot be read%s (%s): %s",
	    STR_ARG(f->path), f->postponed_error ? " now" : "", why,
	    f->fd >= 0 ? "what was read before is used" : "nothing of it is used until it can");
	return out;
}

void
resources_system_log(const struct conf *c, const struct resources_file *f)
{
	char text[RESOURCES_SYSTEM_TEXT_BYTES], hint[PATH_ACCESS_HINT_BYTES];

	if (resources_system_is_absent(f))
		log_warn("%.*s does not exist: %s%s", STR_ARG(f->path),
		    system_file_is_hosts(c, f->path)
		        ? "the hosts that routes name are looked up in DNS alone"
		        : "names are looked up by 127.0.0.1",
		    path_access_hint(f->path, f->error, hint));
	else if (f->error)
		log_error("%s", system_file_text(c, f, text));
}

const char *
resources_system_trouble(const struct resources *o, char out[RESOURCES_SYSTEM_TEXT_BYTES])
{
	out[0] = '\0';
	for (size_t n = 0; n < o->file_count && !out[0]; n++) {
		const struct resources_file *f = &o->files[n];

		if (resources_system_is_file(o->conf, f) &&
		    (f->postponed_error || (f->error && !resources_system_is_absent(f))))
			(void)system_file_text(o->conf, f, out);
	}
	return out;
}

static bool
system_file_is_same(int a, int b)
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

/* Notes that the read is postponed because of a lack of descriptors or memory. */
static void
system_postpone(const struct conf *c, struct resources_file *f, int error)
{
	char text[RESOURCES_SYSTEM_TEXT_BYTES];
	bool is_logged = f->postponed_error;

	f->postponed_error = error;
	if (!is_logged)
		log_error("%s", system_file_text(c, f, text));
}

/* Reads one file again.  True: the content for relay has changed. */
static bool
system_file_renew(const struct conf *c, struct resources_file *f)
{
	struct resources_file fresh = *f;
	bool has_changed, was_postponed = f->postponed_error;

	fresh.postponed_error = 0;
	if (!resources_system_open(c, &fresh, f)) {
		system_postpone(c, f, errno);
		return false;
	}
	has_changed = !system_file_is_same(fresh.fd, f->fd);
	if (fresh.error != f->error)
		resources_system_log(c, &fresh);
	if (fresh.error == 0 && (has_changed || f->error || was_postponed))
		log_info("%.*s %s", STR_ARG(f->path),
		    has_changed ? "changed: loading it" : "can be read again: it is the same");
	if (f->fd >= 0)
		close(f->fd);
	*f = fresh;
	return has_changed;
}

bool
resources_system_renew(struct resources *o)
{
	bool has_changed = false;

	for (size_t n = 0; n < o->file_count; n++)
		if (resources_system_is_file(o->conf, &o->files[n]))
			has_changed |= system_file_renew(o->conf, &o->files[n]);
	return has_changed;
}

bool
resources_system_is_postponed(const struct resources *o)
{
	for (size_t n = 0; n < o->file_count; n++)
		if (o->files[n].postponed_error)
			return true;
	return false;
}

/* ---- config check ---- */

static void
system_file_report(
    const char *file, const struct conf *c, struct str path, struct conf_report *report)
{
	struct resources_file f = {.kind = GRANT_FILE, .path = path, .fd = -1};
	const char *key = system_file_is_hosts(c, path) ? "hosts_file" : "resolv_conf";
	char why[RESOURCES_SYSTEM_TEXT_BYTES];
	bool is_warning;

	(void)!resources_system_open(c, &f, NULL);
	if (f.fd >= 0)
		close(f.fd);
	if (f.error == 0)
		return;
	/* that the caller may not read it does not mean that the daemon may not */
	is_warning = resources_system_is_absent(&f) || (f.error == EACCES && geteuid() != 0);
	buf_addf(&report->text, "%s: %s: dns.%s: %.*s: %s\n", file,
	    is_warning ? "warning" : "error", key, STR_ARG(path),
	    resources_system_error(c, &f, why));
	report->warnings += is_warning;
	report->errors += !is_warning;
}

void
resources_system_report(const char *file, const struct conf *c, struct conf_report *report)
{
	if (str_eq(c->dns.resolver, STR("system")))
		system_file_report(file, c, c->dns.resolv_conf, report);
	system_file_report(file, c, c->dns.hosts_file, report);
}
