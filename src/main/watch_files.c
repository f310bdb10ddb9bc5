/*
 * watch_files: a change is applied when the files did not change between two checks, so that a
 * certificate and its key, written one after the other, are loaded together.
 */
#include "main/watch_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/crc.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "main/notices.h"
#include "main/renewal.h"
#include "main/resources.h"
#include "main/resources_system.h"

enum { CHECK_EVERY_S = 2, RETRY_EVERY_MS = 60 * 1000, LOG_EVERY_MS = 24 * 60 * 60 * 1000,
	NOTICE_PATH_BYTES = 4200 };

struct watch_files {
	struct daemon *daemon;
	struct event *timer;
	uint64_t applied; /* fingerprint of the files in use */
	uint64_t last_seen;  /* fingerprint at the last check */
	uint64_t refused_fingerprint; /* fingerprint of files that could not be used */
	struct resources_refusal
	    refusal; /* why not; pairs 0: for another reason than their content */
	struct resources_refusal last_refusal;   /* the same of the last attempt */
	char object[NOTICE_PATH_BYTES];        /* of the notice about the refusal */
	int64_t refused_ms; /* since when (clock_ms); 0: the last files are in use */
	int64_t retry_at_ms; /* next attempt after another failure; 0: none */
	int64_t log_due_ms;  /* when problems of those in use are logged next */
	/* the same for the files of the system */
	uint64_t system_applied,
	    system_last_seen;       /* applied: also a content that cannot be used */
	int64_t system_retry_at_ms; /* next attempt after a failed read */
};

/* Owner, group and mode may be why a file could not be read, and the time of their change shows
 * every other reason that the file itself has. */
static void
watch_files_add_file(struct buf *all, struct str path)
{
	struct stat st = {0};
	char name[4096];

	snprintf(name, sizeof name, "%.*s", STR_ARG(path));
	(void)!stat(name, &st);
	buf_addf(all, "%s %ju %ju %jd %jd.%09ld", name, (uintmax_t)st.st_dev, (uintmax_t)st.st_ino,
	    (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	buf_addf(all, " %jo %ju %ju %jd.%09ld\n", (uintmax_t)st.st_mode, (uintmax_t)st.st_uid,
	    (uintmax_t)st.st_gid, (intmax_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
}

/* An interface that appears, disappears or gets another number changes the content for relay. */
static void
add_links(struct buf *all, const struct resolv_conf_links *links)
{
	for (size_t l = 0; l < links->count; l++) {
		const struct resolv_conf_link *link = &links->link[l];
		unsigned index;

		/* the number is not known: assume no change */
		if (!resolv_conf_link_index(link->name, &index))
			index = link->index;
		buf_addf(all, "%s %u\n", link->name, index);
	}
}

static uint64_t
watch_files_fingerprint(const struct conf *c)
{
	struct buf all;
	uint64_t fingerprint;

	buf_init(&all, 1 << 20);
	for (size_t t = 0; t < c->tls.count; t++) {
		watch_files_add_file(&all, c->tls.item[t].certificate);
		watch_files_add_file(&all, c->tls.item[t].private_key);
	}
	fingerprint = map_hash(buf_str(&all));
	buf_clear(&all);
	return fingerprint;
}

/* ---- problems of certificates in use ---- */

static void
watch_files_log_finding(const struct tls_files_finding *finding, void *arg)
{
	struct daemon *d = arg;

	notices_add(d, NOTICE_CERTIFICATE, d->conf->tls.item[finding->index].certificate,
	    "%.*s: %s: %s", STR_ARG(finding->place), finding->key, finding->text);
	if (finding->kind == TLS_FILES_WARNING)
		log_warn("%.*s: %s: %s", STR_ARG(finding->place), finding->key, finding->text);
	else
		log_error("%.*s: %s: %s%s", STR_ARG(finding->place), finding->key, finding->text,
		    finding->kind == TLS_FILES_FAULT ? "; the other certificates are served" : "");
}

/* Why that pair was refused; NULL: it was not refused. */
static const char *
watch_fault(const struct resources_refusal *r, size_t index)
{
	if (!r->pairs)
		return r->why;
	return r->pairs >> index & 1 ? r->faults[index] : NULL;
}

static int
watch_compare_paths(const void *a, const void *b)
{
	const struct str *x = a, *y = b;
	int order = memcmp(x->p, y->p, x->n < y->n ? x->n : y->n);

	return order ? order : x->n < y->n ? -1 : x->n > y->n;
}

/* The object of the notice: it depends on which certificates these are, not on their places in the
 * list, so that a further one that is refused on the same day is reported: "changed files of
 * /etc/a.crt", "changed files (1c291ca3) of /etc/a.crt and 2 more", "changed files".  The number
 * stands for all paths. */
static void
watch_name_refusal(struct watch_files *w)
{
	const struct conf *c = w->daemon->conf;
	char number[16] = "", more[32] = "";
	struct str paths[TLS_FILES_MAX];
	uint32_t sum = 0;
	size_t n = 0;

	for (size_t t = 0; t < c->tls.count && t < TLS_FILES_MAX; t++)
		if (w->refusal.pairs >> t & 1)
			paths[n++] = c->tls.item[t].certificate;
	qsort(paths, n, sizeof *paths, watch_compare_paths);
	for (size_t i = 0; i < n; i++) {
		sum = crc32c(sum, paths[i].p, paths[i].n);
		sum = crc32c(sum, "", 1);
	}
	if (n > 1) {
		snprintf(number, sizeof number, " (%08x)", sum);
		snprintf(more, sizeof more, " and %zu more", n - 1);
	}
	snprintf(w->object, sizeof w->object, "changed files%s%s%.*s%s", number, n ? " of " : "",
	    n ? (int)paths[0].n : 0, n ? paths[0].p : "", more);
}

/* Adds one notice with a line for each certificate, besides those about certificates in use. */
static void
watch_files_add_refusal(struct watch_files *w, const char *since)
{
	static const char words[] = "certificate files changed, and the former ones stayed";
	const struct conf *c = w->daemon->conf;
	const char *since_word = since ? " since " : "", *since_time = since ? since : "";

	watch_name_refusal(w);
	if (!w->refusal.pairs)
		notices_add(w->daemon, NOTICE_CERTIFICATE, str_of(w->object), "%s%s%s: %s", words,
		    since_word, since_time, w->refusal.why);
	for (size_t t = 0; t < c->tls.count && t < TLS_FILES_MAX; t++)
		if (w->refusal.pairs >> t & 1)
			notices_add(w->daemon, NOTICE_CERTIFICATE, str_of(w->object),
			    "%s%s%s: %.*s: %s", words, since_word, since_time,
			    STR_ARG(c->tls.item[t].certificate), w->refusal.faults[t]);
}

static void
watch_log_refusal(const struct watch_files *w, const char *since)
{
	static const char words[] = "certificate files changed, and the former ones stay since";

	if (!w->refusal.pairs)
		log_error("%s %s: %s", words, since, w->refusal.why);
	for (size_t t = 0; t < TLS_FILES_MAX; t++)
		if (w->refusal.pairs >> t & 1)
			log_error("%s %s: %s", words, since, w->refusal.faults[t]);
}

/* Repeats the findings every day, for an administrator who missed the first line. */
static void
watch_files_log_findings(struct watch_files *w)
{
	char since[CLOCK_TEXT_BYTES];

	if (clock_mono_ms() < w->log_due_ms)
		return;
	w->log_due_ms = clock_mono_ms() + LOG_EVERY_MS;
	tls_files_each_finding(
	    w->daemon->conf, w->daemon->resources->tls, clock_ms() / 1000,
	    watch_files_log_finding, w->daemon);
	if (!w->refused_ms)
		return;
	watch_log_refusal(w, clock_iso(w->refused_ms, since));
	watch_files_add_refusal(w, since);
}

/* Pending notices about what is over say so. */
static void
watch_files_end_refusal(struct watch_files *w)
{
	if (w->refused_ms)
		notices_over(w->daemon, NOTICE_CERTIFICATE, str_of(w->object),
		    "over: the files of the certificates are in use");
}

static void
watch_note_index(const struct tls_files_finding *finding, void *arg)
{
	*(uint32_t *)arg |= (uint32_t)1 << finding->index;
}

/* Tells which certificates are served now; of those without a finding the trouble is over. */
static void
watch_files_log_served(struct daemon *d)
{
	const struct tls_files *tls = d->resources->tls;
	uint32_t found = 0;
	char day[CERTIFICATE_DAY_BYTES];

	tls_files_each_finding(d->conf, tls, clock_ms() / 1000, watch_note_index, &found);
	for (size_t t = 0; t < tls->count; t++) {
		const struct certificate_facts *facts = &tls->pair[t].facts;
		struct str path = d->conf->tls.item[t].certificate;

		if (!tls_files_pair_is_usable(&tls->pair[t]))
			continue;
		certificate_day(facts->until_s, day);
		log_info("certificate %.*s is served: %s, until %s", STR_ARG(path), facts->names,
		    day);
		if (!(found >> t & 1))
			notices_over(d, NOTICE_CERTIFICATE, path,
			    "over: %.*s is served: %s, until %s", STR_ARG(path), facts->names, day);
	}
}

static void
watch_files_forget_refusal(struct watch_files *w)
{
	watch_files_end_refusal(w);
	w->refused_fingerprint = 0;
	w->refused_ms = w->retry_at_ms = 0;
}

void
watch_files_certificates_changed(struct daemon *d)
{
	watch_files_forget_refusal(d->watch);
	d->watch->log_due_ms = 0;
	watch_files_log_served(d);
}

bool
watch_files_is_refused(const struct daemon *d, size_t index, struct watch_files_refusal *out)
{
	const struct watch_files *w = d->watch;
	const char *why = w && w->refused_ms ? watch_fault(&w->refusal, index) : NULL;

	if (!why)
		return false;
	*out = (struct watch_files_refusal){why, w->refused_ms};
	return true;
}

/* ---- changes ---- */

/* Files that cannot be used are not tried again before they change; after another failure, once a
 * minute. */
static bool
watch_files_must_wait(const struct watch_files *w, uint64_t now)
{
	return w->refused_fingerprint == now &&
	       (!w->retry_at_ms || clock_mono_ms() < w->retry_at_ms);
}

static bool
watch_refusals_are_same(const struct resources_refusal *a, const struct resources_refusal *b)
{
	bool is_same = a->pairs == b->pairs && strcmp(a->why, b->why) == 0;

	for (size_t t = 0; t < TLS_FILES_MAX && is_same; t++)
		if (a->pairs >> t & 1)
			is_same = strcmp(a->faults[t], b->faults[t]) == 0;
	return is_same;
}

/* The same files may be tried again, and then be refused for another reason. */
static void
watch_files_apply(struct watch_files *w, uint64_t now)
{
	bool is_logged;

	w->last_refusal.pairs = 0;
	if (resources_renew_certificates(w->daemon->resources, &w->last_refusal)) {
		log_info("certificate files changed: loading them");
		renewal_send_certificates(w->daemon);
		w->applied = now;
		w->log_due_ms = 0;
		watch_files_forget_refusal(w);
		watch_files_log_served(w->daemon);
		return;
	}
	is_logged =
	    w->refused_fingerprint == now && watch_refusals_are_same(&w->last_refusal, &w->refusal);
	w->refusal = w->last_refusal;
	w->retry_at_ms = w->refusal.status == EXIT_OS ? clock_mono_ms() + RETRY_EVERY_MS : 0;
	if (!is_logged) {
		log_error(
		    "certificate files changed, and the former ones stay: %s", w->refusal.why);
		watch_files_add_refusal(w, NULL);
	}
	w->refused_fingerprint = now;
	if (!w->refused_ms)
		w->refused_ms = clock_ms();
}

/* ---- files of the system ---- */

static uint64_t
watch_files_system_fingerprint(const struct resources *o)
{
	struct buf all;
	uint64_t fingerprint;

	buf_init(&all, 1 << 20);
	for (size_t n = 0; n < o->file_count; n++) {
		if (!resources_system_is_file(o->conf, &o->files[n]))
			continue;
		watch_files_add_file(&all, o->files[n].path);
		add_links(&all, &o->files[n].links);
	}
	fingerprint = map_hash(buf_str(&all));
	buf_clear(&all);
	return fingerprint;
}

/* A file that could not be read is read again once a minute; where descriptors or memory were
 * lacking, not earlier either, though the file is another one since. */
static bool
watch_files_reads_system(const struct watch_files *w, bool has_changed)
{
	const struct resources *o = w->daemon->resources;
	bool is_due = clock_mono_ms() >= w->system_retry_at_ms;
	char text[RESOURCES_SYSTEM_TEXT_BYTES];

	if (has_changed && !resources_system_is_postponed(o))
		return true;
	return is_due && (has_changed || resources_system_trouble(o, text)[0]);
}

static void
watch_files_check_system(struct watch_files *w)
{
	uint64_t now = watch_files_system_fingerprint(w->daemon->resources);
	bool has_changed = now != w->system_applied && now == w->system_last_seen;

	w->system_last_seen = now;
	if (w->daemon->stage >= 0 || !watch_files_reads_system(w, has_changed))
		return;
	w->system_retry_at_ms = clock_mono_ms() + RETRY_EVERY_MS;
	if (resources_system_renew(w->daemon->resources))
		renewal_send_files(w->daemon);
	/* else it is tried again in a minute */
	if (!resources_system_is_postponed(w->daemon->resources))
		w->system_applied = now;
}

/* ---- the check ---- */

static void
watch_files_timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct watch_files *w = arg;
	uint64_t now = watch_files_fingerprint(w->daemon->conf);

	(void)fd;
	(void)what;
	if (now != w->applied && now == w->last_seen && w->daemon->stage < 0 &&
	    !watch_files_must_wait(w, now))
		watch_files_apply(w, now);
	else if (now == w->applied && now == w->last_seen && w->refused_ms) {
		watch_files_forget_refusal(w);
		watch_files_log_served(w->daemon);
	}
	w->last_seen = now;
	watch_files_log_findings(w);
	watch_files_check_system(w);
}

void
watch_files_note_initial(struct daemon *d)
{
	d->files_fingerprint = watch_files_fingerprint(d->conf);
}

void
watch_files_start(struct daemon *d)
{
	struct timeval every = {.tv_sec = CHECK_EVERY_S};
	struct watch_files *w = MEM_NEW(struct watch_files);

	w->daemon = d;
	w->applied = w->last_seen = d->files_fingerprint;
	/* they may have changed since they were read: the first check reads them again */
	w->system_last_seen = watch_files_system_fingerprint(d->resources);
	w->timer = event_new(d->base, -1, EV_PERSIST, watch_files_timer_fired, w);
	if (!w->timer || event_add(w->timer, &every) != 0)
		die("no timer");
	d->watch = w;
	watch_files_log_findings(w);
}

void
watch_files_stop(struct daemon *d)
{
	event_free(d->watch->timer);
	mem_free(d->watch);
	d->watch = NULL;
}
