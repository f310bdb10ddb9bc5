/*
 * grants: see the header.  A file that cannot be opened is logged and not granted: the role goes on
 * with what it had, and a first start without a certificate says so there.
 */
#include "main/grants.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "main/host.h"
#include "main/listen.h"
#include "submission/clients.h"

enum { CONFIG_BYTES_MAX = 8 << 20 };

/* ---- opening ---- */

static bool
give(const char *path, const struct identity *to)
{
	return getuid() != 0 || chown(path, to->uid, to->gid) == 0;
}

/* The tool's socket: only the owner of the run directory, root, and who may enter it reach it. */
static int
open_admin(struct daemon *d)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int dir = host_directory(d->conf->run_directory, &d->identities[ROLE_CONTROL]), fd;

	if (dir < 0)
		return -1;
	close(dir);
	if (d->conf->run_directory.n + sizeof "/control.sock" > sizeof at.sun_path) {
		log_error("run_directory is too long for a socket name");
		return -1;
	}
	snprintf(at.sun_path, sizeof at.sun_path, "%.*s/control.sock",
	    STR_ARG(d->conf->run_directory));
	unlink(at.sun_path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 &&
	    chmod(at.sun_path, 0600) == 0 && give(at.sun_path, &d->identities[ROLE_CONTROL]) &&
	    listen(fd, 64) == 0)
		return fd;
	log_error("%s: %s", at.sun_path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int
open_clients(void)
{
	int fd = memfd_create("clients", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)clients_bytes()) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
		log_error("shared client table: %s", strerror(errno));
		return -1;
	}
	return fd;
}

int
grants_open(struct daemon *d)
{
	memset(d->listeners, -1, sizeof d->listeners);
	if (getrandom(d->ticket_key, sizeof d->ticket_key, 0) != (ssize_t)sizeof d->ticket_key)
		die("no random bytes");
	d->spool_fd = host_directory(d->conf->queue.directory, &d->identities[ROLE_QUEUE]);
	d->state_fd = host_directory(d->conf->state_directory, &d->identities[ROLE_AUTH]);
	d->admin_fd = open_admin(d);
	d->clients_fd = open_clients();
	if (d->spool_fd < 0 || d->state_fd < 0 || d->admin_fd < 0 || d->clients_fd < 0)
		return EXIT_IO;
	return grants_listen(d, NULL) ? 0 : EXIT_OS;
}

void
grants_close(struct daemon *d)
{
	for (unsigned s = 0; s < SUBMISSION_MAX; s++)
		for (unsigned l = 0; l < LISTEN_MAX; l++)
			if (d->listeners[s][l] >= 0)
				close(d->listeners[s][l]);
	close(d->spool_fd);
	close(d->state_fd);
	close(d->admin_fd);
	close(d->clients_fd);
	mem_wipe(d->ticket_key, sizeof d->ticket_key);
}

static bool
is_same_place(const struct conf *before, const struct conf *now, size_t l)
{
	return before && l < before->listen.count &&
	    before->listen.item[l].port == now->listen.item[l].port &&
	    str_eq(before->listen.item[l].address, now->listen.item[l].address);
}

static bool
listen_one(struct daemon *d, unsigned s, size_t l, bool is_kept)
{
	int *fd = &d->listeners[s][l];

	if (*fd >= 0 && is_kept)
		return true;
	if (*fd >= 0)
		close(*fd);
	*fd = l < d->conf->listen.count ? listen_open(&d->conf->listen.item[l]) : -1;
	return *fd >= 0 || l >= d->conf->listen.count;
}

bool
grants_listen(struct daemon *d, const struct conf *before)
{
	bool all = true;

	for (unsigned s = 0; s < d->submission_count; s++)
		for (size_t l = 0; l < LISTEN_MAX; l++) {
			bool is_kept = l < d->conf->listen.count &&
			    is_same_place(before, d->conf, l);

			all &= listen_one(d, s, l, is_kept);
		}
	return all;
}

/* ---- giving ---- */

static void
grant(struct instance *i, enum role_grant kind, size_t index, struct str name, int fd)
{
	struct message_grant m = {.kind = (uint8_t)kind, .index = (uint8_t)index, .name = name};

	if (channel_send(i->channel, MESSAGE_GRANT, &m, fd) != 0)
		log_error("%s %u takes no grant", role_name(i->kind), i->index);
}

static void
grant_file(struct instance *i, enum role_grant kind, size_t index, struct str path)
{
	char name[4096];
	struct stat st;
	int fd;

	snprintf(name, sizeof name, "%.*s", STR_ARG(path));
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		log_error("%s: %s", name, strerror(errno));
		return;
	}
	if (kind == GRANT_PRIVATE_KEY && fstat(fd, &st) == 0 && (st.st_mode & 077))
		log_warn("%s can be read by others (mode %04o): chmod 600", name,
		    st.st_mode & 07777);
	grant(i, kind, index, path, fd);
	close(fd);
}

static void
give_tls_files(struct instance *i)
{
	const struct conf *c = i->daemon->conf;

	for (size_t t = 0; t < c->tls.count; t++) {
		if (i->kind == ROLE_KEYS)
			grant_file(i, GRANT_PRIVATE_KEY, t, c->tls.item[t].private_key);
		else
			grant_file(i, GRANT_CERTIFICATE, t, c->tls.item[t].certificate);
	}
}

void
grants_give_certificates(struct daemon *d)
{
	static const enum role_kind order[] = {ROLE_KEYS, ROLE_SUBMISSION};

	for (size_t o = 0; o < 2; o++)
		for (unsigned n = 0; n < d->instance_count; n++)
			if (d->instances[n].kind == order[o] && d->instances[n].channel)
				give_tls_files(&d->instances[n]);
}

static bool
is_named_before(const struct conf *c, size_t route)
{
	for (size_t n = 0; n < route; n++)
		if (str_eq(c->routes.item[n].ca_file, c->routes.item[route].ca_file))
			return true;
	return false;
}

void
grants_give_files(struct instance *i)
{
	const struct conf *c = i->daemon->conf;

	if (i->kind != ROLE_RELAY)
		return;
	grant_file(i, GRANT_FILE, 0, c->dns.trust_anchor);
	for (size_t n = 0; n < c->routes.count; n++)
		if (c->routes.item[n].ca_file.n && !is_named_before(c, n))
			grant_file(i, GRANT_FILE, 0, c->routes.item[n].ca_file);
}

void
grants_give_listeners(struct instance *i)
{
	const struct conf *c = i->daemon->conf;

	for (size_t l = 0; l < c->listen.count && l < LISTEN_MAX; l++)
		if (i->daemon->listeners[i->index][l] >= 0)
			grant(i, GRANT_LISTENER, l, c->listen.item[l].address,
			    i->daemon->listeners[i->index][l]);
}

static enum conf_role
keys_of(enum role_kind kind)
{
	switch (kind) {
	case ROLE_KEYS:
		return CONF_KEYS;
	case ROLE_AUTH:
	case ROLE_WORKER:
		return CONF_AUTH;
	case ROLE_SUBMISSION:
		return CONF_SUBMISSION;
	case ROLE_QUEUE:
		return CONF_QUEUE;
	case ROLE_RELAY:
		return CONF_RELAY;
	case ROLE_CONTROL:
		return CONF_CONTROL;
	default:
		return CONF_MAIN;
	}
}

static int
config_memfd(const struct conf *c, enum role_kind kind)
{
	struct buf text;
	int fd = memfd_create("configuration", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	buf_init(&text, CONFIG_BYTES_MAX);
	conf_write(c, keys_of(kind), false, true, &text);
	if (fd < 0 || !buf_ok(&text) || write(fd, text.p ? text.p : "", text.n) != (ssize_t)text.n)
		die("configuration of %s cannot be written: %s", role_name(kind), strerror(errno));
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0)
		die("configuration of %s cannot be sealed: %s", role_name(kind), strerror(errno));
	if (text.p)
		mem_wipe(text.p, text.n);
	buf_clear(&text);
	return fd;
}

void
grants_give_config(struct instance *i)
{
	struct message_config m = {.generation = i->daemon->generation};
	int fd = config_memfd(i->daemon->conf, i->kind);

	if (channel_send(i->channel, MESSAGE_CONFIG, &m, fd) != 0)
		log_error("%s %u takes no configuration", role_name(i->kind), i->index);
	close(fd);
}

void
grants_give_log(struct instance *i)
{
	struct message_log m = {.target = (uint8_t)log_target(),
	    .addresses = (uint8_t)i->daemon->conf->log.addresses,
	    .secret = i->daemon->log_secret};

	(void)!channel_send(i->channel, MESSAGE_LOG, &m, log_fd());
}

void
grants_give_metrics(struct instance *i, int fd)
{
	grant(i, GRANT_METRICS, 0, STR(""), fd);
}

void
grants_give(struct instance *i)
{
	struct daemon *d = i->daemon;

	switch (i->kind) {
	case ROLE_KEYS:
		give_tls_files(i);
		return;
	case ROLE_AUTH:
		grant(i, GRANT_STATE, 0, d->conf->state_directory, d->state_fd);
		return;
	case ROLE_SUBMISSION:
		grant(i, GRANT_TICKET_KEY, 0,
		    str_make((const char *)d->ticket_key, sizeof d->ticket_key), -1);
		grant(i, GRANT_CLIENTS, (size_t)i->slot, STR(""), d->clients_fd);
		give_tls_files(i);
		grants_give_listeners(i);
		return;
	case ROLE_QUEUE:
		grant(i, GRANT_SPOOL, d->accepts_damage ? GRANT_SPOOL_DAMAGED : 0,
		    d->conf->queue.directory, d->spool_fd);
		return;
	case ROLE_RELAY:
		grants_give_files(i);
		return;
	case ROLE_CONTROL:
		grant(i, GRANT_ADMIN, 0, STR(""), d->admin_fd);
		return;
	default:
		return;
	}
}
