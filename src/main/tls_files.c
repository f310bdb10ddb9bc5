/*
 * tls_files: see the header.  Main runs for a long time and must have no key in memory: its check
 * runs in a child.
 */
#include "main/tls_files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error_text.h"
#include "base/mem.h"
#include "base/path_access.h"
#include "base/regular_file.h"
#include "keys/keyring.h"

enum { CERTIFICATE_FILE_MAX = 1 << 20, CHILD_WAIT_MS = 10000, NAME_SHOWN_MAX = 200 };

/* Always returns false, the result of the failed check. */
static bool __attribute__((format(printf, 3, 4)))
tls_files_fault(char fault[TLS_FILES_FAULT_BYTES], struct str name, const char *format, ...)
{
	int n = snprintf(
	    fault, TLS_FILES_FAULT_BYTES, "%.*s: ", STR_ARG(str_upto(name, NAME_SHOWN_MAX)));
	va_list args;

	va_start(args, format);
	vsnprintf(fault + n, TLS_FILES_FAULT_BYTES - (size_t)n, format, args);
	va_end(args);
	for (char *c = fault; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	return false;
}

/* ---- one pair ---- */

static bool
tls_files_read(const struct tls_files_file *f, struct buf *out, struct str name, char *fault)
{
	char hint[PATH_ACCESS_HINT_BYTES];

	if (f->fd < 0)
		return tls_files_fault(fault, name, "%s%s", regular_file_error(f->error),
		    path_access_hint(name, f->error, hint));
	if (buf_read_file(out, f->fd) != 0)
		return tls_files_fault(fault, name, "%s", error_text(errno));
	return out->n > 0 || tls_files_fault(fault, name, "the file is empty");
}

static bool
tls_files_read_certificate(
    const struct tls_files_file *f, struct str name, struct certificate *c, char *fault)
{
	struct tls_certificate from = {.name = name};
	char why[200] = "";
	struct buf pem;
	bool is_read;

	buf_init(&pem, CERTIFICATE_FILE_MAX);
	is_read = tls_files_read(f, &pem, name, fault);
	from.pem = buf_str(&pem);
	if (is_read && !certificate_read(c, &from, why)) {
		snprintf(fault, TLS_FILES_FAULT_BYTES, "%s", why);
		is_read = false;
	}
	buf_clear(&pem);
	return is_read;
}

static bool
tls_files_read_key(
    const struct tls_files_file *f, struct str name, struct keyring *ring, char *fault)
{
	const char *why = "";
	struct buf pem;
	bool is_read;

	buf_init(&pem, KEYRING_FILE_MAX);
	/* full size at once: growth would leave parts of the key in freed memory */
	is_read = buf_room(&pem, KEYRING_FILE_MAX) && tls_files_read(f, &pem, name, fault);
	if (is_read && !keyring_put(ring, 0, buf_str(&pem), &why))
		is_read = tls_files_fault(fault, name, "%s", why);
	if (pem.p)
		mem_wipe(pem.p, pem.cap);
	buf_clear(&pem);
	return is_read;
}

/* The position in the chain of the certificate that the key belongs to; chain_count: none. */
static unsigned
tls_files_find_key_position(const struct certificate *c, const struct keyring *ring)
{
	unsigned char id[TLS_KEY_ID_BYTES];
	uint32_t algorithm, bits;
	unsigned i = 0;

	while (i < c->chain_count &&
	       !(certificate_key_id(c, i, id) &&
	           keyring_find(ring, str_make((const char *)id, sizeof id), &algorithm, &bits)))
		i++;
	return i;
}

static void
tls_files_match(const struct conf_tls *t, const struct certificate *c, const struct keyring *ring,
    struct tls_files_pair *out)
{
	unsigned position = tls_files_find_key_position(c, ring);

	if (position == c->chain_count)
		(void)tls_files_fault(out->key_fault, t->private_key,
		    "is not the key of the certificate in %.*s",
		    STR_ARG(str_upto(t->certificate, NAME_SHOWN_MAX / 2)));
	else if (position > 0)
		(void)tls_files_fault(out->certificate_fault, t->certificate,
		    "the certificate that the key belongs to is number %u in the file: it must be "
		    "the first", position + 1);
}

static void
tls_files_check_pair(const struct conf *c, struct tls_files *f, size_t i)
{
	const struct conf_tls *t = &c->tls.item[i];
	struct keyring *ring = keyring_new();
	struct tls_files_pair *out = &f->pair[i];
	struct certificate crt;
	bool has_crt, has_key;

	*out = (struct tls_files_pair){0};
	has_crt = tls_files_read_certificate(
	    &f->certificate[i], t->certificate, &crt, out->certificate_fault);
	has_key = tls_files_read_key(&f->key[i], t->private_key, ring, out->key_fault);
	if (has_crt && has_key)
		tls_files_match(t, &crt, ring, out);
	if (has_crt) {
		certificate_facts(&crt, c->hostname, &out->facts);
		certificate_clear(&crt);
	}
	keyring_free(&ring);
}

bool
tls_files_pair_is_usable(const struct tls_files_pair *p)
{
	return !p->certificate_fault[0] && !p->key_fault[0];
}

/* ---- all ---- */

void
tls_files_check(const struct conf *c, struct tls_files *f)
{
	f->count = c->tls.count < TLS_FILES_MAX ? c->tls.count : TLS_FILES_MAX;
	for (size_t i = 0; i < f->count; i++)
		tls_files_check_pair(c, f, i);
}

/* The result of the child. */
struct tls_files_answer {
	struct tls_files files;
	bool is_complete;
};

/* False with errno: the child did not end in time. */
static bool
tls_files_await_child(pid_t child)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	pid_t ended = 0;
	int status = 0;

	for (int ms = 0; ended == 0 && ms < CHILD_WAIT_MS; ms++) {
		ended = waitpid(child, &status, WNOHANG);
		if (ended < 0 && errno == EINTR)
			ended = 0;
		if (ended == 0)
			nanosleep(&pause, NULL);
	}
	if (ended)
		return true;
	kill(child, SIGKILL);
	(void)waitpid(child, &status, WNOHANG);
	errno = ETIMEDOUT;
	return false;
}

/* If all roles are threads of this process, the keys are in its memory anyway, and a child would
 * inherit locks of threads that it does not have. */
static bool has_roles_as_threads;

void
tls_files_use_no_child(void)
{
	has_roles_as_threads = true;
}

bool
tls_files_check_apart(const struct conf *c, struct tls_files *f)
{
	struct tls_files_answer *answer;
	bool is_checked = false;
	int saved_errno;
	pid_t child;

	if (has_roles_as_threads) {
		tls_files_check(c, f);
		return true;
	}
	answer = mmap(
	    NULL, sizeof *answer, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (answer == MAP_FAILED)
		return false;
	answer->files = *f;
	child = fork();
	if (child == 0) {
		tls_files_check(c, &answer->files);
		answer->is_complete = true;
		_exit(0);
	}
	is_checked = child > 0 && tls_files_await_child(child);
	saved_errno = errno;
	if (is_checked && !answer->is_complete) {
		is_checked = false;
		saved_errno = EIO;
	}
	if (is_checked)
		*f = answer->files;
	(void)munmap(answer, sizeof *answer);
	errno = saved_errno;
	return is_checked;
}

/* ---- findings ---- */

struct tls_files_listing {
	const struct conf *conf;
	tls_files_finding_fn *on_finding;
	void *arg;
};

static void
tls_files_add_key_finding(const struct tls_files_listing *t, size_t i, const char *text)
{
	struct tls_files_finding finding = {.kind = TLS_FILES_FAULT, .index = i,
	    .place = t->conf->tls.item[i].private_key_location, .key = "tls.private_key",
	    .text = text};

	if (text[0])
		t->on_finding(&finding, t->arg);
}

static void __attribute__((format(printf, 4, 5)))
tls_files_certificate_findings(const struct tls_files_listing *t, size_t i,
    enum tls_files_finding_kind kind, const char *format, ...)
{
	const struct conf_tls *item = &t->conf->tls.item[i];
	char text[NAME_SHOWN_MAX + CERTIFICATE_NAMES_BYTES];
	struct tls_files_finding finding = {.kind = kind, .index = i,
	    .place = item->certificate_location, .key = "tls.certificate", .text = text};
	va_list args;
	int n;

	n = snprintf(text, sizeof text, "%.*s: ",
	    STR_ARG(str_upto(item->certificate, NAME_SHOWN_MAX)));
	va_start(args, format);
	vsnprintf(text + n, sizeof text - (size_t)n, format, args);
	va_end(args);
	t->on_finding(&finding, t->arg);
}

static void
tls_files_date_findings(
    const struct tls_files_listing *t, size_t i, const struct certificate_facts *f, int64_t now_s)
{
	char day[CERTIFICATE_DAY_BYTES];

	switch (certificate_state(f, now_s)) {
	case CERTIFICATE_OK:
		return;
	case CERTIFICATE_SOON:
		tls_files_certificate_findings(t, i, TLS_FILES_WARNING,
		    "expires on %s: %lld days left", certificate_day(f->until_s, day),
		    (long long)certificate_days_left(f, now_s));
		return;
	case CERTIFICATE_EXPIRED:
		tls_files_certificate_findings(t, i, TLS_FILES_EXPIRED,
		    "expired on %s: it is served, and clients refuse it",
		    certificate_day(f->until_s, day));
		return;
	case CERTIFICATE_EARLY:
		tls_files_certificate_findings(t, i, TLS_FILES_EXPIRED,
		    "is not valid before %s: it is served, and clients refuse it (is the clock "
		    "right?)", certificate_day(f->from_s, day));
	}
}

/* Certificates may be for different names: one of them must have the hostname. */
static void
tls_files_hostname_finding(const struct tls_files_listing *t, const struct tls_files *f)
{
	size_t first = f->count;

	for (size_t i = f->count; i-- > 0;) {
		if (f->pair[i].certificate_fault[0])
			continue;
		if (f->pair[i].facts.has_hostname)
			return;
		first = i;
	}
	if (first == f->count)
		return;
	if (f->pair[first].facts.has_dns_name)
		tls_files_certificate_findings(t, first, TLS_FILES_WARNING,
		    "hostname \"%.*s\" is not among the names of %s: %.300s",
		    STR_ARG(t->conf->hostname), f->count > 1 ? "any certificate" : "it",
		    f->pair[first].facts.names);
	else
		tls_files_certificate_findings(t, first, TLS_FILES_WARNING,
		    "has no subject alternative name for hostname \"%.*s\", and clients look at "
		    "nothing else", STR_ARG(t->conf->hostname));
}

void
tls_files_each_finding(const struct conf *c, const struct tls_files *f, int64_t now_s,
    tls_files_finding_fn *on_finding, void *arg)
{
	struct tls_files_listing t = {c, on_finding, arg};

	for (size_t i = 0; i < f->count; i++) {
		const struct tls_files_pair *p = &f->pair[i];
		struct str fault = str_of(p->certificate_fault);

		if (fault.n)
			on_finding(&(struct tls_files_finding){TLS_FILES_FAULT, i,
			         c->tls.item[i].certificate_location, "tls.certificate",
			         p->certificate_fault},
			    arg);
		tls_files_add_key_finding(&t, i, p->key_fault);
		if (fault.n)
			continue;
		tls_files_date_findings(&t, i, &p->facts, now_s);
		if (p->facts.chain[0])
			tls_files_certificate_findings(
			    &t, i, TLS_FILES_WARNING, "%s", p->facts.chain);
	}
	tls_files_hostname_finding(&t, f);
}

/* ---- config check ---- */

static struct tls_files_file
tls_files_open(struct str path)
{
	struct tls_files_file f = {.fd = -1};
	f.fd = regular_file_open_str(path, O_RDONLY);
	f.error = f.fd < 0 ? errno : 0;
	return f;
}

struct tls_files_reporting {
	const struct tls_files *files;
	struct conf_report *report;
};

static void
tls_files_add_finding(const struct tls_files_finding *finding, void *arg)
{
	struct tls_files_reporting *r = arg;
	bool is_key = strcmp(finding->key, "tls.private_key") == 0;
	const struct tls_files_file *file = is_key ? &r->files->key[finding->index]
	                                     : &r->files->certificate[finding->index];
	bool is_hidden = file->fd < 0 && file->error == EACCES && geteuid() != 0;
	bool is_error = finding->kind == TLS_FILES_FAULT && !is_hidden;

	buf_addf(&r->report->text, "%.*s: %s: %s: %s%s\n", STR_ARG(finding->place),
	    is_error ? "error" : "warning", finding->key, finding->text,
	    is_hidden ? ": not checked" : "");
	r->report->errors += is_error;
	r->report->warnings += !is_error;
}

void
tls_files_report(const struct conf *c, struct conf_report *report)
{
	struct tls_files *f = MEM_NEW(struct tls_files);
	struct tls_files_reporting r = {f, report};

	for (size_t i = 0; i < c->tls.count && i < TLS_FILES_MAX; i++) {
		f->certificate[i] = tls_files_open(c->tls.item[i].certificate);
		f->key[i] = tls_files_open(c->tls.item[i].private_key);
	}
	tls_files_check(c, f);
	tls_files_each_finding(c, f, clock_ms() / 1000, tls_files_add_finding, &r);
	for (size_t i = 0; i < f->count; i++) {
		if (f->certificate[i].fd >= 0)
			close(f->certificate[i].fd);
		if (f->key[i].fd >= 0)
			close(f->key[i].fd);
	}
	mem_free(f);
}
