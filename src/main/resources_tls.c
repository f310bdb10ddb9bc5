/*
 * resources_tls: see the header.
 */
#include "main/resources_tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "main/os.h"

enum { COPY_BYTES_MAX = 1 << 20 };

int
resources_seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
}

/* False with errno. */
static bool
resources_copy_bytes(int to, int from)
{
	struct stat st;
	off_t at = 0;
	ssize_t n;

	if (fstat(from, &st) != 0)
		return false;
	errno = EFBIG;
	if (st.st_size > COPY_BYTES_MAX)
		return false;
	do
		n = sendfile(to, from, &at, (size_t)(COPY_BYTES_MAX + 1 - at));
	while (n > 0 && at <= COPY_BYTES_MAX);
	if (n > 0)
		errno = EFBIG;
	return n == 0 && resources_seal(to) == 0;
}

int
resources_tls_copy(int fd)
{
	int copy = memfd_create("certificate or key", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	bool is_copied = copy >= 0 && resources_copy_bytes(copy, fd);
	int saved_errno = errno;

	close(fd);
	if (!is_copied && copy >= 0)
		close(copy);
	errno = saved_errno;
	return is_copied ? copy : -1;
}

void
resources_tls_check_mode(const struct resources_file *f)
{
	struct stat st;

	if (f->kind == GRANT_PRIVATE_KEY && fstat(f->fd, &st) == 0 && (st.st_mode & 077))
		os_warn_of_mode(f->path, "can be read by others", &st);
}

static void
resources_list_tls(struct resources *o)
{
	o->tls = MEM_NEW(struct tls_files);
	for (size_t n = 0; n < o->file_count; n++) {
		const struct resources_file *f = &o->files[n];

		if (f->index < TLS_FILES_MAX && f->kind == GRANT_CERTIFICATE)
			o->tls->certificate[f->index] = (struct tls_files_file){f->fd, f->error};
		if (f->index < TLS_FILES_MAX && f->kind == GRANT_PRIVATE_KEY)
			o->tls->key[f->index] = (struct tls_files_file){f->fd, f->error};
	}
}

static bool
resources_is_same_pair(const struct conf_tls *a, const struct conf_tls *b)
{
	return str_eq(a->certificate, b->certificate) && str_eq(a->private_key, b->private_key);
}

/* True if this pair was left out before: what worked without it still does. */
static bool
resources_was_left_out(const struct resources *before, const struct conf_tls *pair)
{
	for (size_t i = 0; i < before->tls->count; i++)
		if (resources_is_same_pair(&before->conf->tls.item[i], pair))
			return !tls_files_pair_is_usable(&before->tls->pair[i]);
	return false;
}

/* The pairs with a fault that refuse a start or a reload: a bit for each.  At a start none does
 * while another pair is usable: after a reboot mail for most names is better than for none.  At a
 * reload each does, because what it replaces works. */
static uint32_t
resources_needed_pairs(const struct resources *o, const struct resources *before)
{
	uint32_t needed = 0, usable = 0;

	for (size_t i = 0; i < o->tls->count; i++) {
		usable |= (uint32_t)tls_files_pair_is_usable(&o->tls->pair[i]) << i;
		if (before && !resources_was_left_out(before, &o->conf->tls.item[i]))
			needed |= (uint32_t)1 << i;
	}
	return !usable && o->conf->listen.count ? UINT32_MAX : needed & ~usable;
}

struct resources_faults {
	struct resources_refusal *refusal;
	uint32_t needed;
	unsigned count;
};

/* The first finding is the reason; of each pair the first fault is kept. */
static void
resources_note_fault(const struct tls_files_finding *finding, void *arg)
{
	struct resources_faults *f = arg;
	uint32_t pair = (uint32_t)1 << finding->index;
	char why[DAEMON_REASON_BYTES];

	if (finding->kind != TLS_FILES_FAULT || !(f->needed & pair))
		return;
	snprintf(why, sizeof why, "%.*s: error: %s: %s", STR_ARG(finding->place), finding->key,
	    finding->text);
	if (!(f->refusal->pairs & pair))
		memcpy(f->refusal->faults[finding->index], why, sizeof why);
	f->refusal->pairs |= pair;
	if (f->count++) {
		log_error("%.*s: %s: %s", STR_ARG(finding->place), finding->key, finding->text);
		return;
	}
	memcpy(f->refusal->why, why, sizeof why);
	f->refusal->status = EXIT_CONFIG;
}

static void
resources_leave_out(struct resources *o)
{
	for (size_t n = 0; n < o->file_count; n++) {
		struct resources_file *f = &o->files[n];

		if (f->kind == GRANT_FILE || f->fd < 0 || f->index >= o->tls->count ||
		    tls_files_pair_is_usable(&o->tls->pair[f->index]))
			continue;
		close(f->fd);
		f->fd = -1;
	}
}

bool
resources_tls_check(
    struct resources *o, const struct resources *before, struct resources_refusal *out)
{
	struct resources_faults faults = {.refusal = out};

	out->pairs = 0;
	resources_list_tls(o);
	if (!tls_files_check_apart(o->conf, o->tls)) {
		snprintf(out->why, sizeof out->why, "certificates cannot be checked: %s",
		    error_text(errno));
		out->status = EXIT_OS;
		return false;
	}
	faults.needed = resources_needed_pairs(o, before);
	if (faults.needed)
		tls_files_each_finding(
		    o->conf, o->tls, clock_ms() / 1000, resources_note_fault, &faults);
	if (faults.count == 0)
		resources_leave_out(o);
	return faults.count == 0;
}

bool
resources_has_certificate(const struct resources *resources)
{
	for (size_t i = 0; i < resources->tls->count; i++)
		if (tls_files_pair_is_usable(&resources->tls->pair[i]))
			return true;
	return false;
}
