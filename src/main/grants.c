/*
 * grants: see the header.
 */
#include "main/grants.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "auth/worker_kinds.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/path_access.h"
#include "main/directory.h"
#include "main/os.h"
#include "main/resources.h"
#include "main/socket_access.h"
#include "main/watch_spool.h"
#include "submission/client_counts.h"

enum { SPOOL_WAIT_MS = 3000, SPOOL_PAUSE_MS = 100 };

/* ---- opening ---- */

static int
open_client_table(void)
{
	int fd = memfd_create("clients", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)client_counts_bytes()) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
		log_error("shared client table: %s", error_text(errno));
		return -1;
	}
	return fd;
}

/* Waits for the spool: the queue of a daemon that was just killed may need a moment to end. */
static int
grants_await_spool(const struct daemon *d)
{
	const struct timespec pause = {.tv_nsec = SPOOL_PAUSE_MS * 1000000};

	for (int i = 0; i < SPOOL_WAIT_MS / SPOOL_PAUSE_MS; i++) {
		if (!directory_spool_is_locked(d->spool_fd))
			return 0;
		nanosleep(&pause, NULL);
	}
	return daemon_report_failure(EXIT_LATER,
	    "spool %.*s cannot be opened: another process has it, is there a second daemon?",
	    STR_ARG(d->conf->queue.directory));
}

/* Refuses a read-only mount, which no retry corrects; whether the disk itself accepts writes is
 * checked by the queue. */
static int
grants_check_mount(int fd, const struct directory_spec *spec)
{
	char hint[PATH_ACCESS_HINT_BYTES];

	if (faccessat(fd, ".", W_OK, 0) == 0 || errno != EROFS ||
	    !path_access_is_read_only_mount(fd))
		return 0;
	return daemon_report_failure(EXIT_CONFIG,
	    "%s: %.*s cannot be written: it is mounted read-only%s", spec->key, STR_ARG(spec->path),
	    path_access_hint(spec->path, EROFS, hint));
}

/* Runs before any step that a running daemon could notice.  0, or the exit status. */
static int
grants_open_stores(struct daemon *d)
{
	const struct conf *c = d->conf;
	struct directory_spec spool = {
	    "queue.directory", c->queue.directory, &d->identities[ROLE_QUEUE]};
	struct directory_spec state = {
	    "state_directory", c->state_directory, &d->identities[ROLE_AUTH]};
	int status = 0;

	d->spool_fd = directory_open(&spool, &status);
	if (status == 0)
		status = grants_check_mount(d->spool_fd, &spool);
	if (status == 0)
		status = grants_await_spool(d);
	if (status == 0)
		d->state_fd = directory_open(&state, &status);
	if (status == 0)
		status = grants_check_mount(d->state_fd, &state);
	/* "accounts.": a store that was moved away often stays beside its place, and leaves its
	 * journal */
	d->is_first_start = status == 0 && !watch_spool_has_spool(d->spool_fd) &&
	    !directory_has_name(d->state_fd, STR("accounts."), STR(""));
	return status ? status : watch_spool_check_new(d);
}

static int
open_daemon_directories(struct daemon *d)
{
	struct directory_spec run = {
	    "run_directory", d->conf->run_directory, &d->identities[ROLE_CONTROL]};
	char why[DAEMON_REASON_BYTES];
	int status = 0;

	d->run_fd = directory_open_run(&run, &status);
	if (d->run_fd < 0)
		return status;
	d->run_lock_fd = directory_lock(d->run_fd, &run, &status);
	if (status == 0)
		status = grants_open_stores(d);
	if (status == 0)
		d->admin_fd = directory_open_socket(d->run_fd, &run, &status);
	if (status == 0 && !socket_access_set(d, NULL, d->conf, why))
		status = daemon_report_failure(EXIT_IO, "%s", why);
	return status;
}

int
grants_open(struct daemon *d)
{
	struct resources_refusal refusal;
	int status;

	d->run_fd = d->run_lock_fd = d->spool_fd = d->state_fd = d->admin_fd = d->clients_fd = -1;
	if (getrandom(d->ticket_key, sizeof d->ticket_key, 0) != (ssize_t)sizeof d->ticket_key)
		die("no random bytes");
	status = open_daemon_directories(d);
	if (status)
		return status;
	d->clients_fd = open_client_table();
	if (d->clients_fd < 0)
		return EXIT_OS;
	d->resources = resources_new(d->conf, NULL, d->submission_count, &refusal);
	return d->resources ? 0 : daemon_report_failure(refusal.status, "%s", refusal.why);
}

void
grants_close(struct daemon *d)
{
	if (d->resources)
		resources_shut_listeners(d->resources, NULL);
	resources_free(&d->resources);
	close(d->spool_fd);
	close(d->state_fd);
	close(d->admin_fd);
	close(d->clients_fd);
	close(d->run_lock_fd);
	close(d->run_fd);
	mem_wipe(d->ticket_key, sizeof d->ticket_key);
}

/* ---- sending ---- */

static bool
send_role_grant(struct instance *i, const struct message_grant *m, int fd)
{
	return channel_send(i->channel, MESSAGE_GRANT, m, fd) == 0;
}

static bool
send_grant_of_kind(struct instance *i, enum role_grant kind, struct str name, int fd)
{
	return send_role_grant(i, &(struct message_grant){.kind = (uint8_t)kind, .name = name}, fd);
}

/* Sends the files of one kind to this role; missing ones were logged when the resources were
 * opened. */
static bool
send_file_grants(struct instance *i, enum role_grant kind)
{
	const struct resources *o = i->daemon->resources;
	bool ok = true;

	for (size_t n = 0; n < o->file_count; n++) {
		const struct resources_file *f = &o->files[n];
		struct message_grant m = {
		    .kind = (uint8_t)kind, .index = (uint8_t)f->index, .name = f->path};

		if (f->role == i->kind && f->kind == kind && f->fd >= 0)
			ok &= send_role_grant(i, &m, f->fd);
	}
	return ok;
}

bool
grants_give_certificates(struct instance *i)
{
	return send_file_grants(i, GRANT_PRIVATE_KEY) && send_file_grants(i, GRANT_CERTIFICATE);
}

bool
grants_give_files(struct instance *i)
{
	return send_file_grants(i, GRANT_FILE);
}

bool
grants_give_listeners(struct instance *i)
{
	const struct conf *c = i->daemon->conf;
	const struct resources *o = i->daemon->resources;
	bool ok = true;

	for (size_t l = 0; l < c->listen.count && l < LISTEN_MAX; l++) {
		struct message_grant m = {.kind = GRANT_LISTENER, .index = (uint8_t)l,
		    .name = c->listen.item[l].address};

		if (i->kind == ROLE_SUBMISSION && o->listeners[i->index][l] >= 0)
			ok &= send_role_grant(i, &m, o->listeners[i->index][l]);
	}
	return ok;
}

bool
grants_give_config(struct instance *i)
{
	struct message_config m = {.generation = i->daemon->generation};

	return channel_send(
		   i->channel, MESSAGE_CONFIG, &m, i->daemon->resources->configs[i->kind]) == 0;
}

bool
grants_give_log(struct instance *i)
{
	struct message_log m = {.addresses = (uint8_t)i->daemon->conf->log.addresses,
	    .secret = i->daemon->log_secret};

	return channel_send(i->channel, MESSAGE_LOG, &m, -1) == 0;
}

bool
grants_give_metrics(struct instance *i, int fd)
{
	return send_grant_of_kind(i, GRANT_METRICS, STR(""), fd);
}

bool
grants_give_help_desk(struct instance *i)
{
	const struct conf *c = i->daemon->conf;
	char group[16] = "";

	if (i->kind != ROLE_CONTROL)
		return true;
	if (c->has_help_desk)
		snprintf(group, sizeof group, "%u", c->help_desk);
	return send_grant_of_kind(i, GRANT_HELP_DESK, str_of(group), -1);
}

static bool
send_submission_grants(struct instance *i)
{
	const struct daemon *d = i->daemon;
	struct message_grant clients = {.kind = GRANT_CLIENTS, .index = (uint8_t)i->slot};

	return send_grant_of_kind(i, GRANT_TICKET_KEY,
		   str_make((const char *)d->ticket_key, sizeof d->ticket_key), -1) &&
	    send_role_grant(i, &clients, d->clients_fd) && grants_give_certificates(i) &&
	    grants_give_listeners(i);
}

static bool
send_state_grant(struct instance *i)
{
	const struct daemon *d = i->daemon;

	return send_role_grant(i,
	    &(struct message_grant){.kind = GRANT_STATE,
		.index = d->is_first_start ? GRANT_STATE_NEW : 0,
		.name = d->conf->state_directory},
	    d->state_fd);
}

bool
grants_give(struct instance *i)
{
	const struct worker_kind *worker = worker_kind_of(i->kind);
	const struct daemon *d = i->daemon;

	if (worker)
		return !worker->has_state_directory || send_state_grant(i);
	switch (i->kind) {
	case ROLE_KEYS:
		return grants_give_certificates(i);
	case ROLE_AUTH:
		return send_state_grant(i);
	case ROLE_SUBMISSION:
		return send_submission_grants(i);
	case ROLE_QUEUE:
		return send_role_grant(i,
		    &(struct message_grant){.kind = GRANT_SPOOL,
			.index = d->accepts_damage ? GRANT_SPOOL_DAMAGED : 0,
			.name = d->conf->queue.directory},
		    d->spool_fd);
	case ROLE_RELAY:
		return grants_give_files(i);
	case ROLE_CONTROL:
		return send_grant_of_kind(i, GRANT_ADMIN, STR(""), d->admin_fd) &&
		       grants_give_help_desk(i);
	default:
		return true;
	}
}
