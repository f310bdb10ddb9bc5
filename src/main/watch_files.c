/*
 * watch_files: a change is passed on when the files stood still for one look, so that a certificate
 * and its key, written one after the other, arrive together.
 */
#include "main/watch_files.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "main/notices.h"
#include "main/resources_system.h"
#include "main/supervise.h"

enum { LOOK_EVERY_S = 2, TRY_EVERY_MS = 60 * 1000, TELL_EVERY_MS = 24 * 60 * 60 * 1000,
	NOTICE_PATH_BYTES = 4200 };

struct watch_files {
	struct daemon *daemon;
	struct event *timer;
	uint64_t given; /* print of the files as last passed on */
	uint64_t seen;  /* print at the last look */
	uint64_t refused; /* print of those that could not be used */
	struct resources_refusal
	    refusal; /* why not; pairs 0: for another reason than what they hold */
	struct resources_refusal tried;   /* the same of the last try */
	int64_t refused_ms; /* since when (clock_ms); 0: what was tried last is in use */
	int64_t again_ms; /* when these are tried again, for want of something else; 0: never */
	int64_t tell_ms;  /* when what is wrong with those in use is told next */
	/* the same of the files of the system */
	uint64_t system_given, system_seen; /* given: also tried in vain for the file's sake */
	int64_t system_again_ms; /* when those that could not be read are read again */
};

static void
watch_files_add_file(struct buf *all, struct str path)
{
	struct stat st = {0};
	char name[4096];

	snprintf(name, sizeof name, "%.*s", STR_ARG(path));
	(void)!stat(name, &st);
	buf_addf(all, "%s %ju %ju %jd %jd.%09ld\n", name, (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino, (intmax_t)st.st_size, (intmax_t)st.st_mtim.tv_sec,
	    st.st_mtim.tv_nsec);
}

static void
watch_files_add_mode(struct buf *all, struct str path)
{
	struct stat st = {0};
	char name[4096];

	snprintf(name, sizeof name, "%.*s", STR_ARG(path));
	(void)!stat(name, &st);
	buf_addf(all, "%jo %ju\n", (uintmax_t)st.st_mode, (uintmax_t)st.st_uid);
}

/* One that comes, goes or gets another number changes what is given of the file that names it. */
static void
add_links(struct buf *all, const struct resolv_conf_links *links)
{
	for (size_t l = 0; l < links->count; l++) {
		const struct resolv_conf_link *link = &links->link[l];
		unsigned index;

		/* nothing is known to have changed */
		if (!resolv_conf_link_index(link->name, &index))
			index = link->index;
		buf_addf(all, "%s %u\n", link->name, index);
	}
}

static uint64_t
watch_files_fingerprint(const struct conf *c)
{
	struct buf all;
	uint64_t print;

	buf_init(&all, 1 << 20);
	for (size_t t = 0; t < c->tls.count; t++) {
		watch_files_add_file(&all, c->tls.item[t].certificate);
		watch_files_add_file(&all, c->tls.item[t].private_key);
	}
	print = map_hash(buf_str(&all));
	buf_clear(&all);
	return print;
}

/* ---- what is wrong with those in use ---- */

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

/* Why that pair was refused; NULL: it was not. */
static const char *
watch_fault(const struct resources_refusal *r, size_t index)
{
	if (!r->pairs)
		return r->why;
	return r->pairs >> index & 1 ? r->faults[index] : NULL;
}

/* It differs with the certificates, so that each one more that is refused on the same day is told:
 * "changed files of /etc/a.crt", "changed files of certificates 1, 4", "changed files". */
static void
watch_refused_object(const struct watch_files *w, struct buf *out)
{
	const struct conf *c = w->daemon->conf;
	uint32_t pairs = w->refusal.pairs;
	bool is_one = pairs && !(pairs & (pairs - 1));

	buf_addf(out, "changed files%s", is_one ? " of" : pairs ? " of certificates" : "");
	for (size_t t = 0; t < c->tls.count && t < TLS_FILES_MAX; t++) {
		if (!(pairs >> t & 1))
			continue;
		if (is_one)
			buf_addf(out, " %.*s", STR_ARG(c->tls.item[t].certificate));
		else
			buf_addf(
			    out, "%s %zu", pairs & (((uint32_t)1 << t) - 1) ? "," : "", t + 1);
	}
}

/* One notice with a line for each certificate, beside those about what is in use. */
static void
watch_files_add_refusal(const struct watch_files *w, const char *since)
{
	static const char words[] = "certificate files changed, and the former ones stay";
	const struct conf *c = w->daemon->conf;
	const char *in = since ? " since " : "", *at = since ? since : "";
	struct buf object;

	buf_init(&object, NOTICE_PATH_BYTES);
	watch_refused_object(w, &object);
	if (!w->refusal.pairs)
		notices_add(w->daemon, NOTICE_CERTIFICATE, buf_str(&object), "%s%s%s: %s", words,
		    in, at, w->refusal.why);
	for (size_t t = 0; t < c->tls.count && t < TLS_FILES_MAX; t++)
		if (w->refusal.pairs >> t & 1)
			notices_add(w->daemon, NOTICE_CERTIFICATE, buf_str(&object),
			    "%s%s%s: %.*s: %s", words, in, at,
			    STR_ARG(c->tls.item[t].certificate), w->refusal.faults[t]);
	buf_clear(&object);
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

/* Who did not read it on the first day may read it on another. */
static void
watch_files_log_findings(struct watch_files *w)
{
	char since[CLOCK_TEXT_BYTES];

	if (clock_mono_ms() < w->tell_ms)
		return;
	w->tell_ms = clock_mono_ms() + TELL_EVERY_MS;
	tls_files_each_finding(
	    w->daemon->conf, w->daemon->offer->tls, clock_ms() / 1000,
	    watch_files_log_finding, w->daemon);
	if (!w->refused_ms)
		return;
	watch_log_refusal(w, clock_iso(w->refused_ms, since));
	watch_files_add_refusal(w, since);
}

static void
watch_files_forget_refusal(struct watch_files *w)
{
	w->refused = 0;
	w->refused_ms = w->again_ms = 0;
}

void
watch_files_certificates_changed(struct daemon *d)
{
	watch_files_forget_refusal(d->watch);
	d->watch->tell_ms = 0;
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

/* Files that cannot be used are not tried again before they change; where it was not for them,
 * once a minute. */
static bool
watch_files_must_wait(const struct watch_files *w, uint64_t now)
{
	return w->refused == now && (!w->again_ms || clock_mono_ms() < w->again_ms);
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

/* The same files may be tried again, and then refused for another reason. */
static void
watch_files_apply(struct watch_files *w, uint64_t now)
{
	bool is_told;

	w->tried.pairs = 0;
	if (resources_renew_certificates(w->daemon->offer, &w->tried)) {
		log_info("certificate files changed: loading them");
		supervise_renew_certificates(w->daemon);
		w->given = now;
		w->tell_ms = 0;
		watch_files_forget_refusal(w);
		return;
	}
	is_told = w->refused == now && watch_refusals_are_same(&w->tried, &w->refusal);
	w->refusal = w->tried;
	w->again_ms = w->refusal.status == EXIT_OS ? clock_mono_ms() + TRY_EVERY_MS : 0;
	if (!is_told) {
		log_error(
		    "certificate files changed, and the former ones stay: %s", w->refusal.why);
		watch_files_add_refusal(w, NULL);
	}
	w->refused = now;
	if (!w->refused_ms)
		w->refused_ms = clock_ms();
}

/* ---- files of the system ---- */

/* A change of the mode alone counts as well: it may be why a file could not be read. */
static uint64_t
watch_files_system_fingerprint(const struct resources *o)
{
	struct buf all;
	uint64_t print;

	buf_init(&all, 1 << 20);
	for (size_t n = 0; n < o->file_count; n++) {
		if (!resources_system_is_file(o->conf, &o->files[n]))
			continue;
		watch_files_add_file(&all, o->files[n].path);
		watch_files_add_mode(&all, o->files[n].path);
		add_links(&all, &o->files[n].links);
	}
	print = map_hash(buf_str(&all));
	buf_clear(&all);
	return print;
}

static bool
watch_files_retries_system(const struct watch_files *w)
{
	char text[RESOURCES_SYSTEM_TEXT_BYTES];

	return resources_system_trouble(w->daemon->offer, text)[0] &&
	    clock_mono_ms() >= w->system_again_ms;
}

static void
watch_files_check_system(struct watch_files *w)
{
	uint64_t now = watch_files_system_fingerprint(w->daemon->offer);
	bool has_changed = now != w->system_given && now == w->system_seen;

	w->system_seen = now;
	if (w->daemon->stage >= 0 || (!has_changed && !watch_files_retries_system(w)))
		return;
	w->system_again_ms = clock_mono_ms() + TRY_EVERY_MS;
	if (resources_system_renew(w->daemon->offer))
		supervise_renew_files(w->daemon);
	/* else the next look tries again */
	if (!resources_system_is_postponed(w->daemon->offer))
		w->system_given = now;
}

/* ---- a look ---- */

static void
watch_files_timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct watch_files *w = arg;
	uint64_t now = watch_files_fingerprint(w->daemon->conf);

	(void)fd;
	(void)what;
	if (now != w->given && now == w->seen && w->daemon->stage < 0 &&
	    !watch_files_must_wait(w, now))
		watch_files_apply(w, now);
	else if (now == w->given && now == w->seen)
		watch_files_forget_refusal(w);
	w->seen = now;
	watch_files_log_findings(w);
	watch_files_check_system(w);
}

void
watch_files_note_initial(struct daemon *d)
{
	d->files_print = watch_files_fingerprint(d->conf);
}

void
watch_files_start(struct daemon *d)
{
	struct timeval every = {.tv_sec = LOOK_EVERY_S};
	struct watch_files *w = MEM_NEW(struct watch_files);

	w->daemon = d;
	w->given = w->seen = d->files_print;
	/* those may have changed since they were read: the first look reads them again */
	w->system_seen = watch_files_system_fingerprint(d->offer);
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
