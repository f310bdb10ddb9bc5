/*
 * resources: see the header.
 */
#include "main/resources.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "auth/worker_kinds.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/path_access.h"
#include "base/regular_file.h"
#include "conf/write.h"
#include "main/listen_socket.h"
#include "main/port_holder.h"
#include "main/resources_system.h"
#include "main/resources_tls.h"

enum {
	LISTEN_WAIT_MS = 3000,  /* at a start */
	LISTEN_AGAIN_MS = 1000, /* at a reload */
	LISTEN_PAUSE_MS = 100,
};

struct resources_making {
	struct resources *resources;
	const struct resources *before;
	struct resources_refusal *refusal;
};

__attribute__((format(printf, 2, 3))) static bool
resources_fail(const struct resources_making *m, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(m->refusal->why, DAEMON_REASON_BYTES, format, args);
	va_end(args);
	m->refusal->status = EXIT_OS;
	return false;
}

/* ---- configurations ---- */

static enum conf_role
resources_keys_of(enum role_kind kind)
{
	static const enum conf_role keys[ROLE_KINDS] = {
	    [ROLE_MAIN] = CONF_MAIN,
	    [ROLE_KEYS] = CONF_KEYS,
	    [ROLE_AUTH] = CONF_AUTH,
		    [ROLE_SUBMISSION] = CONF_SUBMISSION,
	    [ROLE_QUEUE] = CONF_QUEUE,
	    [ROLE_RELAY] = CONF_RELAY,
	    [ROLE_CONTROL] = CONF_CONTROL,
	};

	return worker_kind_of(kind) ? worker_kind_of(kind)->spec->conf : keys[kind];
}

static bool
resources_write(int fd, struct str text)
{
	while (text.n) {
		ssize_t n = write(fd, text.p, text.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n == 0 ? EIO : errno;
			return false;
		}
		text = str_from(text, (size_t)n);
	}
	return true;
}

static bool
resources_make_config(const struct resources_making *m, enum role_kind kind)
{
	int fd = memfd_create("configuration", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct buf text;
	bool is_done;

	m->resources->configs[kind] = fd;
	buf_init(&text, CONF_TEXT_BYTES_MAX);
	conf_write(m->resources->conf, resources_keys_of(kind), false, true, &text);
	if (fd >= 0 && !buf_ok(&text))
		errno = EFBIG;
	is_done = fd >= 0 && buf_ok(&text) && resources_write(fd, buf_str(&text)) &&
	    resources_seal(fd) == 0;
	if (!is_done)
		(void)resources_fail(m, "the configuration of %s cannot be written to memory: %s",
		    role_name(kind), error_text(errno));
	if (text.p)
		mem_wipe(text.p, text.n);
	buf_clear(&text);
	return is_done;
}

static bool
resources_make_configs(const struct resources_making *m)
{
	for (int k = ROLE_MAIN + 1; k < ROLE_KINDS; k++)
		if (!resources_make_config(m, (enum role_kind)k))
			return false;
	return true;
}

/* ---- listeners ---- */

static int
resources_former_listener(const struct resources_making *m, unsigned s, const struct conf_listen *l)
{
	const struct resources *b = m->before;

	for (size_t n = 0; b && n < b->conf->listen.count && n < LISTEN_MAX; n++)
		if (listen_socket_is_same(&b->conf->listen.item[n], l) && b->listeners[s][n] >= 0)
			return b->listeners[s][n];
	return -1;
}

/* True if this daemon itself uses the port: for one of the first n listeners, or the former
 * ones. */
static bool
resources_overlaps(const struct resources_making *m, size_t n)
{
	const struct conf *c = m->resources->conf, *b = m->before ? m->before->conf : NULL;
	const struct conf_listen *l = &c->listen.item[n];

	for (size_t i = 0; i < n; i++)
		if (listen_socket_overlaps(&c->listen.item[i], l))
			return true;
	for (size_t i = 0; b && i < b->listen.count && i < LISTEN_MAX; i++)
		if (listen_socket_overlaps(&b->listen.item[i], l))
			return true;
	return false;
}

/* The sockets of another daemon must not be joined: it would get half of the connections.  At the
 * start, the processes of a daemon that was just killed may need a moment to end; at a reload, our
 * own ones to close the sockets that the previous reload removed. */
static int
resources_open_listener(const struct resources_making *m, unsigned s, size_t n)
{
	const struct timespec pause = {.tv_nsec = LISTEN_PAUSE_MS * 1000000};
	const struct conf_listen *l = &m->resources->conf->listen.item[n];
	int wait_ms = m->before ? LISTEN_AGAIN_MS : LISTEN_WAIT_MS;
	int fd = listen_socket_open(l, s > 0);

	if (fd < 0 && errno == EADDRINUSE && s == 0 && resources_overlaps(m, n))
		return listen_socket_open(l, true);
	for (int ms = 0; fd < 0 && errno == EADDRINUSE && ms < wait_ms;
	     ms += LISTEN_PAUSE_MS) {
		nanosleep(&pause, NULL);
		fd = listen_socket_open(l, s > 0);
	}
	return fd;
}

/* Describes the process that uses the port, and what to do. */
static void
resources_describe_port_holder(const struct conf_listen *l, char *out, size_t size)
{
	struct port_holder h;

	if (!port_holder_find(l, &h))
		snprintf(out, size,
		    ": another process listens there (as root, `ss -ltnp 'sport = :%lld'` shows "
		    "which)", (long long)l->port);
	else if (h.pid == 0)
		snprintf(out, size,
		    ": another process listens there, of uid %u (as root, `ss -ltnp 'sport = "
		    ":%lld'` shows which)", h.uid, (long long)l->port);
	else
		snprintf(out, size, ": another process listens there: process %d (%s), uid %u",
		    (int)h.pid, h.name, h.uid);
}

static bool
resources_describe_listener(
    const struct resources_making *m, unsigned s, const struct conf_listen *l, int error)
{
	char why[200] = "";

	if (error == EADDRINUSE)
		resources_describe_port_holder(l, why, sizeof why);
	return resources_fail(m, "listen: cannot listen on %.*s port %lld (submission %u): %s%s%s",
	    STR_ARG(l->address.n ? l->address : STR("*")), (long long)l->port, s,
	    error_text(error), why,
	    error == EADDRINUSE           ? ": stop it, or change listen"
		: error == EADDRNOTAVAIL  ? ": this host has no such address (`ip address` shows "
					    "those that it has): change listen, or give it the "
					    "address"
		: error == EACCES         ? ": ports below 1024 need root or CAP_NET_BIND_SERVICE"
					  : "");
}

static bool
resources_add_listener(const struct resources_making *m, unsigned s, size_t n)
{
	const struct conf_listen *l = &m->resources->conf->listen.item[n];
	int former = resources_former_listener(m, s, l);
	int fd = former >= 0 ? fcntl(former, F_DUPFD_CLOEXEC, 0) : resources_open_listener(m, s, n);

	m->resources->listeners[s][n] = fd;
	if (fd >= 0)
		return true;
	return resources_describe_listener(m, s, l, errno);
}

static bool
resources_add_listeners(const struct resources_making *m)
{
	const struct conf *c = m->resources->conf;

	for (unsigned s = 0; s < m->resources->submission_count; s++)
		for (size_t n = 0; n < c->listen.count && n < LISTEN_MAX; n++)
			if (!resources_add_listener(m, s, n))
				return false;
	return true;
}

/* ---- files ---- */

static void
resources_add_file(struct resources *o, enum role_kind role, enum role_grant kind, size_t index,
    struct str path)
{
	for (size_t n = 0; n < o->file_count; n++)
		if (kind == GRANT_FILE && o->files[n].kind == kind &&
		    str_eq(o->files[n].path, path))
			return;
	o->files = mem_grow(o->files, (o->file_count + 1) * sizeof *o->files);
	o->files[o->file_count++] = (struct resources_file){
	    .role = role, .kind = kind, .index = (unsigned)index, .path = path, .fd = -1};
}

/* Keys come before certificates: they are sent in this order. */
static void
resources_list_files(struct resources *o)
{
	const struct conf *c = o->conf;

	for (size_t t = 0; t < c->tls.count; t++)
		resources_add_file(
		    o, ROLE_KEYS, GRANT_PRIVATE_KEY, t, c->tls.item[t].private_key);
	for (size_t t = 0; t < c->tls.count; t++)
		resources_add_file(
		    o, ROLE_SUBMISSION, GRANT_CERTIFICATE, t, c->tls.item[t].certificate);
	if (c->dns.dnssec != DNSSEC_OFF)
		resources_add_file(o, ROLE_RELAY, GRANT_FILE, 0, c->dns.trust_anchor);
	if (str_eq(c->dns.resolver, STR("system")))
		resources_add_file(o, ROLE_RELAY, GRANT_FILE, 0, c->dns.resolv_conf);
	resources_add_file(o, ROLE_RELAY, GRANT_FILE, 0, c->dns.hosts_file);
	for (size_t n = 0; n < c->routes.count; n++)
		if (c->routes.item[n].ca_file.n)
			resources_add_file(o, ROLE_RELAY, GRANT_FILE, 0, c->routes.item[n].ca_file);
}

/* True if the file is missing or may not be read, and main itself lacks nothing. */
static bool
resources_is_absent(int error)
{
	return error == ENOENT || error == ENOTDIR || error == EACCES || error == EPERM;
}

/* The same file in the resources in use, or NULL. */
static const struct resources_file *
resources_former_file(const struct resources_making *m, const struct resources_file *f)
{
	const struct resources *b = m->before;

	for (size_t n = 0; b && n < b->file_count; n++)
		if (b->files[n].kind == f->kind && str_eq(b->files[n].path, f->path))
			return &b->files[n];
	return NULL;
}

/* True if the file was already absent in the resources in use: what worked without it still
 * does. */
static bool
resources_was_absent(const struct resources_making *m, const struct resources_file *f)
{
	const struct resources_file *former = resources_former_file(m, f);

	return former ? former->fd < 0 : !m->before;
}

/* True if the former copy of the hosts file was filtered for all hosts of the new routes. */
static bool
resources_has_former_hosts(const struct resources_making *m)
{
	const struct conf *a = m->before->conf, *c = m->resources->conf;
	bool has = true;

	for (size_t n = 0; n < c->routes.count && has; n++) {
		has = c->routes.item[n].via == VIA_MX;
		for (size_t i = 0; i < a->routes.count && !has; i++)
			has = str_ieq(a->routes.item[i].host, c->routes.item[n].host);
	}
	return has;
}

/* True if the former copy contains everything that is needed of the file. */
static bool
resources_has_former_file(const struct resources_making *m, const struct resources_file *f)
{
	if (!resources_former_file(m, f))
		return false;
	return !str_eq(f->path, m->resources->conf->dns.hosts_file) ||
	       resources_has_former_hosts(m);
}

/* A file that cannot be read refuses a reload that adds its name, or adds the name of a host for
 * which nothing was read; otherwise the daemon continues. */
static bool
resources_open_system(const struct resources_making *m, struct resources_file *f)
{
	const struct resources_file *former = resources_former_file(m, f);
	bool is_open = resources_system_open(m->resources->conf, f, former);
	bool is_wrong = f->error && !resources_system_is_absent(f);
	char why[RESOURCES_SYSTEM_TEXT_BYTES];

	if (!is_open || (is_wrong && m->before && !resources_has_former_file(m, f)))
		return resources_fail(m, "%.*s (for %s): %s", STR_ARG(f->path), role_name(f->role),
		    is_open ? resources_system_error(m->resources->conf, f, why)
		            : regular_file_error(errno));
	resources_system_log(m->resources->conf, f);
	return true;
}

static bool
resources_open_file(const struct resources_making *m, struct resources_file *f)
{
	char name[4096], hint[PATH_ACCESS_HINT_BYTES];

	if (resources_system_is_file(m->resources->conf, f))
		return resources_open_system(m, f);
	snprintf(name, sizeof name, "%.*s", STR_ARG(f->path));
	f->fd = regular_file_open(name, O_RDONLY);
	if (f->fd >= 0)
		resources_tls_check_mode(f);
	if (f->fd >= 0 && f->kind != GRANT_FILE)
		f->fd = resources_tls_copy(f->fd);
	f->error = f->fd < 0 ? errno : 0;
	if (f->fd >= 0)
		return true;
	(void)path_access_hint(f->path, errno, hint);
	/* the check of certificates and keys reports these */
	if (f->kind != GRANT_FILE && errno != EMFILE && errno != ENFILE && errno != ENOMEM)
		return true;
	if (resources_is_absent(errno) && resources_was_absent(m, f)) {
		log_error("%s (for %s) cannot be opened: %s%s; it is read again at the next reload",
		    name, role_name(f->role), error_text(errno), hint);
		return true;
	}
	return resources_fail(
	    m, "%s (for %s): %s%s", name, role_name(f->role), regular_file_error(errno), hint);
}

static bool
resources_open_files(const struct resources_making *m)
{
	resources_list_files(m->resources);
	for (size_t n = 0; n < m->resources->file_count; n++)
		if (!resources_open_file(m, &m->resources->files[n]))
			return false;
	return true;
}

/* ---- renewal ---- */

/* Exchanges the opened files; both lists have the same names in the same order. */
static void
resources_replace_tls(struct resources *resources, struct resources *renewed)
{
	struct tls_files *tls = resources->tls;

	resources->tls = renewed->tls;
	renewed->tls = tls;
	for (size_t n = 0; n < renewed->file_count; n++) {
		struct resources_file old = resources->files[n];

		if (old.kind == GRANT_FILE)
			continue;
		resources->files[n] = renewed->files[n];
		renewed->files[n] = old;
	}
}

/* Opens and checks the certificates of its configuration, with the rules of a reload. */
static bool
resources_open_certificates(
    struct resources *o, const struct resources *before, struct resources_refusal *out)
{
	struct resources_making m = {.resources = o, .before = before, .refusal = out};

	resources_list_files(o);
	for (size_t n = 0; n < o->file_count; n++)
		if (o->files[n].kind != GRANT_FILE && !resources_open_file(&m, &o->files[n]))
			return false;
	return resources_tls_check(o, before, out);
}

static void
resources_close_certificates(struct resources *o)
{
	for (size_t n = 0; n < o->file_count; n++)
		if (o->files[n].fd >= 0)
			close(o->files[n].fd);
	mem_free(o->files);
	mem_free(o->tls);
}

bool
resources_renew_certificates(struct resources *resources, struct resources_refusal *out)
{
	struct resources renewed = {.conf = resources->conf};
	bool is_done = resources_open_certificates(&renewed, resources, out);

	if (is_done)
		resources_replace_tls(resources, &renewed);
	resources_close_certificates(&renewed);
	return is_done;
}

bool
resources_may_use_certificates(
    struct conf *c, const struct resources *before, struct resources_refusal *out)
{
	struct resources tried = {.conf = c};
	bool is_usable = resources_open_certificates(&tried, before, out);

	resources_close_certificates(&tried);
	return is_usable;
}

/* ---- all ---- */

/* If there is no journal, the log went to stderr from the start: no reason to refuse. */
static bool
resources_keeps_log(const struct resources_making *m)
{
	const struct conf *before = m->before->conf, *c = m->resources->conf;

	m->resources->log.is_former = c->log.target == before->log.target &&
	    c->log.target != CONF_LOG_FILE && (resources_is_absent(errno) || errno == ECONNREFUSED);
	return m->resources->log.is_former;
}

static bool
resources_open_log(const struct resources_making *m)
{
	const struct conf *c = m->resources->conf;
	bool is_file = c->log.target == CONF_LOG_FILE;

	/* at the start the log is already open */
	if (!m->before || os_open_log(c, &m->resources->log) || resources_keeps_log(m))
		return true;
	return resources_fail(m, "log.target: %.*s cannot be opened: %s%s", STR_ARG(os_log_path(c)),
	    regular_file_error(errno),
	    is_file && (errno == EROFS || errno == EACCES)
		? ": the shipped unit and AppArmor profile allow /var/log/sallyport/*.log"
		: "");
}

struct resources *
resources_new(struct conf *c, const struct resources *before, unsigned submission_count,
    struct resources_refusal *out)
{
	struct resources *o = MEM_NEW(struct resources);
	struct resources_making m = {.resources = o, .before = before, .refusal = out};

	o->conf = conf_keep(c);
	o->submission_count = submission_count;
	o->log.fd = -1;
	memset(o->configs, -1, sizeof o->configs);
	memset(o->listeners, -1, sizeof o->listeners);
	/* sockets come last, so that no client connects to one that is closed again */
	if (resources_make_configs(&m) && resources_open_files(&m) &&
	    resources_tls_check(o, before, out) && resources_open_log(&m) &&
	    resources_add_listeners(&m))
		return o;
	os_discard_log(c, &o->log);
	resources_free(&o);
	return NULL;
}
