/*
 * role: the steps that all roles share.  Messages of main are handled in their order.  START ends
 * the grants: prepare, sandbox, peers, start, READY.  No byte of a peer is read before that.  The
 * process ends when main is lost.
 */
#include "ipc/role.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error_text.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "conf/read.h"
#include "ipc/loop_yield.h"

enum { REFUSAL_BYTES = 512, ALERT_BYTES = 1600 };

struct role_life {
	struct role role;
	int exit_status;
};

static const char *const names[ROLE_KINDS] = {
    [ROLE_MAIN] = "main",
    [ROLE_KEYS] = "keys",
    [ROLE_AUTH] = "auth",
    [ROLE_WORKER] = "worker",
    [ROLE_ACCOUNTS] = "accounts",
    [ROLE_SUBMISSION] = "submission",
    [ROLE_QUEUE] = "queue",
    [ROLE_RELAY] = "relay",
    [ROLE_CONTROL] = "control",
};

const char *
role_name(enum role_kind kind)
{
	return kind < ROLE_KINDS ? names[kind] : "unknown";
}

struct str
role_build(void)
{
	return STR(PACKAGE_VERSION " " __DATE__ " " __TIME__);
}

static void
end_role(struct role *r, int status)
{
	struct role_life *life = (struct role_life *)r;

	if (r->is_ending)
		return;
	r->is_ending = true;
	life->exit_status = status;
	event_base_loopbreak(r->base);
}

void
role_stopped(struct role *r)
{
	struct message_stopped m = {0};

	(void)!channel_send(r->main, MESSAGE_STOPPED, &m, -1);
	end_role(r, ROLE_EXIT_OK);
}

int
role_refuse(struct role *r, int exit_status, const char *format, ...)
{
	char text[REFUSAL_BYTES];
	struct message_refused m = {.exit_status = (uint8_t)exit_status};
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	log_error("%s cannot start: %s", r->spec->name, text);
	m.text = str_of(text);
	(void)!channel_send(r->main, MESSAGE_REFUSED, &m, -1);
	return exit_status;
}

void
role_peer_lost(struct role *r, struct role_peer peer)
{
	struct message_peer_lost m = {.role = (uint8_t)peer.kind,
	    .index = (uint8_t)peer.index,
	    .number = peer.number};

	if (r->is_ending || r->is_stopping)
		return;
	(void)!channel_send(r->main, MESSAGE_PEER_LOST, &m, -1);
}

static void __attribute__((format(printf, 3, 0)))
role_send_alert(struct role *r, struct message_alert *m, const char *format, va_list args)
{
	char text[ALERT_BYTES];

	vsnprintf(text, sizeof text, format, args);
	m->text = str_of(text);
	if (!r->is_ending)
		(void)!channel_send(r->main, MESSAGE_ALERT, m, -1);
}

void
role_alert(struct role *r, enum notice_kind kind, struct str object, const char *format, ...)
{
	struct message_alert m = {.kind = (uint8_t)kind, .object = object};
	va_list args;

	va_start(args, format);
	role_send_alert(r, &m, format, args);
	va_end(args);
}

void
role_alert_over(struct role *r, enum notice_kind kind, struct str object, const char *format, ...)
{
	struct message_alert m = {.kind = (uint8_t)kind, .object = object, .is_over = true};
	va_list args;

	va_start(args, format);
	role_send_alert(r, &m, format, args);
	va_end(args);
}

static void
role_pass_peers(struct role *r)
{
	struct role_peer peer;
	int fd;

	r->takes_peers = true;
	while ((fd = role_peers_take(&r->waiting, &peer)) >= 0)
		r->spec->peer(r, peer, fd);
}

/* ---- the configuration ---- */

static struct conf *
read_role_config(int fd)
{
	struct conf_report report;
	struct conf *conf = NULL;
	struct buf text;

	conf_report_init(&report);
	buf_init(&text, CONF_TEXT_BYTES_MAX);
	if (buf_read_file(&text, fd) == 0)
		conf = conf_read_text(buf_str(&text), &report);
	if (!conf)
		log_error("configuration from main: %.*s", STR_ARG(buf_str(&report.text)));
	if (text.p)
		mem_wipe(text.p, text.n);
	buf_clear(&text);
	conf_report_clear(&report);
	return conf;
}

static void
take_config(struct role *r, int fd)
{
	struct conf *before = r->conf, *conf = read_role_config(fd);

	if (!conf) {
		end_role(r, role_refuse(r, ROLE_EXIT_CONFIG,
			   "its part of the configuration cannot be read"));
		return;
	}
	r->conf = conf;
	if (r->is_started && r->spec->reload)
		r->spec->reload(r, before);
	if (r->is_started)
		role_files_drop(&r->files);
	conf_drop(&before);
}

static void
take_log(const struct role *r, const struct message_log *m)
{
	if (!r->is_thread)
		log_show_addresses((enum log_addresses)m->addresses, m->secret);
}

static int
enter_sandbox(struct role *r)
{
	struct sandbox sandbox = r->spec->sandbox;

	clock_prepare();
	map_prepare();
	if (r->spec->prepare)
		r->spec->prepare(r, &sandbox);
	if (r->is_thread)
		return 0;
	if (sandbox_enter(&sandbox) == 0)
		return 0;
	log_error("%s: no sandbox: %s", r->spec->name, error_text(errno));
	return -1;
}

/* Applies it.  0, or the exit status. */
static int
role_prepare_and_start(struct role *r)
{
	int status;

	if (!r->conf)
		return role_refuse(r, ROLE_EXIT_CONFIG, "START came without a configuration");
	metrics_work("enter the sandbox");
	if (enter_sandbox(r) != 0)
		return ROLE_EXIT_LATER;
	role_pass_peers(r);
	metrics_work("start");
	status = r->spec->start(r);
	return status < 0 ? ROLE_EXIT_LATER : status;
}

static void
begin_role(struct role *r, const struct message_start *m)
{
	struct message_ready ready = {0};
	int status;

	if (r->is_started)
		return;
	id_source_init(&r->ids, m->node, m->slot, m->floor_ms);
	status = role_prepare_and_start(r);
	if (status) {
		end_role(r, status);
		return;
	}
	r->is_started = true;
	role_files_drop(&r->files);
	if (r->spec->newest_ms)
		ready.newest_ms = r->spec->newest_ms(r);
	if (channel_send(r->main, MESSAGE_READY, &ready, -1) != 0)
		end_role(r, ROLE_EXIT_OK);
}

static void
stop_role(struct role *r, int64_t drain_ms)
{
	if (r->is_stopping)
		return;
	r->is_stopping = true;
	if (r->is_started && r->spec->stop)
		r->spec->stop(r, drain_ms);
	else
		role_stopped(r);
}

static void
role_take_peer(struct role *r, const struct message_peer *m, int *fd)
{
	struct role_peer peer = {(enum role_kind)m->role, m->index, m->number};

	if (!r->spec->peer || m->role >= ROLE_KINDS || m->index >= ROLE_INDEX_MAX)
		return;
	if (*fd < 0) {
		if (!r->lacks_peer)
			log_error("%s: the channel to %s %u came without a descriptor; main sends "
				  "it again: %s", r->spec->name, role_name(peer.kind), peer.index,
			    error_text(EMFILE));
		r->lacks_peer = true;
		role_peer_lost(r, peer);
		return;
	}
	r->lacks_peer = false;
	if (r->takes_peers)
		r->spec->peer(r, peer, *fd);
	else
		role_peers_keep(&r->waiting, peer, *fd);
	*fd = -1;
}

static void
role_take_file(struct role *r, struct str name, int fd)
{
	if (!role_files_add(&r->files, name, fd))
		log_error("%s: %.*s cannot be read: %s%s", r->spec->name, STR_ARG(name),
		    error_text(errno), errno == EFBIG ? ": at most 4 MiB are taken" : "");
}

struct str
role_file(const struct role *r, struct str name)
{
	return role_files_find(&r->files, name);
}

static void
role_take_grant(struct role *r, const struct message_grant *m, int *fd)
{
	if (m->kind == GRANT_METRICS) {
		if (metrics_use(*fd) != 0)
			log_warn("%s: its shared region cannot be mapped (%s): no work is shown",
			    r->spec->name, error_text(errno));
	} else if (m->kind == GRANT_FILE) {
		role_take_file(r, m->name, *fd);
	} else if (r->spec->grant) {
		r->spec->grant(r, m, *fd);
		*fd = -1;
	}
}

/* Only the loop answers, so an answer shows that the loop runs; the idle loop has no other work
 * now. */
static void
role_answer_ping(struct role *r, const struct message_ping *m)
{
	struct message_pong pong = {.number = m->number};

	metrics_work("wait for events");
	metrics_count(METRIC_LOG_LINES_LOST, log_take_lost());
	(void)!channel_send(r->main, MESSAGE_PONG, &pong, -1);
}

static void
role_handle_packet(struct role *r, const struct channel_packet *p)
{
	if (r->is_started && r->spec->receive) {
		r->spec->receive(r, p);
		return;
	}
	log_error("%s: unexpected %s from main", r->spec->name, message_name(p->type));
	channel_refuse(r->main, p->call);
}

/* Is it one of the messages that tell the role what it may use?  Without one of them, a file would
 * count as missing, and a key would stay together with another certificate. */
static bool
role_is_grant(const struct channel_packet *p)
{
	return p->type == MESSAGE_CONFIG ||
	    (p->type == MESSAGE_GRANT && p->message->grant.kind != GRANT_METRICS);
}

/* A role that has started goes on with what it has, for it may be in the middle of a session or of
 * a delivery. */
static void
role_grant_lost(struct role *r, const struct channel_packet *p)
{
	struct str name = p->type == MESSAGE_GRANT ? p->message->grant.name : STR_NULL;
	struct message_grant_lost m = {0};

	if (!r->is_started) {
		end_role(r, role_refuse(r, ROLE_EXIT_LATER, "a descriptor from main was lost: %s",
			   error_text(EMFILE)));
		return;
	}
	log_error("%s: a descriptor from main was lost (%s%s%.*s), what was there before is used "
		  "until main has sent all again: %s",
	    r->spec->name, message_name(p->type), name.n ? " " : "", STR_ARG(name),
	    error_text(EMFILE));
	r->awaits_grants = true;
	(void)!channel_send(r->main, MESSAGE_GRANT_LOST, &m, -1);
}

/* True: the packet is one that the role does not take. */
static bool
role_drops_grant(struct role *r, const struct channel_packet *p)
{
	if (r->is_ending || !role_is_grant(p))
		return false;
	if (!r->awaits_grants && p->is_fd_lost)
		role_grant_lost(r, p);
	return r->awaits_grants || p->is_fd_lost;
}

static void
role_begin_grants(struct role *r)
{
	r->awaits_grants = false;
	if (r->is_started)
		role_files_drop(&r->files);
}

static void
on_main_packet(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct role *r = arg;
	int fd = p->fd;

	(void)c;
	switch (r->is_ending || role_drops_grant(r, p) ? MESSAGE_NONE : p->type) {
	case MESSAGE_NONE:
		break;
	case MESSAGE_CONFIG:
		take_config(r, fd);
		break;
	case MESSAGE_LOG:
		take_log(r, &p->message->log);
		break;
	case MESSAGE_PEER:
		role_take_peer(r, &p->message->peer, &fd);
		break;
	case MESSAGE_GRANT:
		role_take_grant(r, &p->message->grant, &fd);
		break;
	case MESSAGE_GRANTS_AGAIN:
		role_begin_grants(r);
		break;
	case MESSAGE_PING:
		role_answer_ping(r, &p->message->ping);
		break;
	case MESSAGE_START:
		begin_role(r, &p->message->start);
		break;
	case MESSAGE_STOP:
		stop_role(r, p->message->stop.drain_ms);
		break;
	case MESSAGE_HELLO:
		if (!str_eq(p->message->hello.build, role_build()))
			end_role(r, ROLE_EXIT_BUG);
		break;
	default:
		role_handle_packet(r, p);
	}
	if (fd >= 0)
		close(fd);
}

static void
on_main_lost(struct channel *c, void *arg)
{
	(void)c;
	end_role(arg, ROLE_EXIT_OK);
}

/* ---- start and end ---- */

/* Signals of a terminal reach the whole process group; only main acts on them. */
static void
ignore_signals(void)
{
	static const int ignored[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};

	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		signal(ignored[i], SIG_IGN);
}

static void
role_loop(struct role *r)
{
	struct loop_yield turns = {0};

	while (!r->is_ending && event_base_loop(r->base, EVLOOP_ONCE) == 0)
		loop_yield_next(&turns);
}

int
role_run(const struct role_spec *spec, enum role_kind kind, unsigned index, int main_fd,
    bool is_thread)
{
	struct role_life life = {
	    .role = {.spec = spec, .kind = kind, .index = index, .is_thread = is_thread}};
	struct role *r = &life.role;
	struct message_hello hello = {.build = role_build()};

	role_peers_init(&r->waiting);
	if (!is_thread)
		ignore_signals();
	r->base = event_base_new();
	if (!r->base) {
		log_error("%s: no event loop: %s", spec->name, error_text(errno));
		close(main_fd);
		return ROLE_EXIT_LATER;
	}
	r->main = channel_new(r->base, main_fd, on_main_packet, on_main_lost, r);
	if (channel_send(r->main, MESSAGE_HELLO, &hello, -1) == 0)
		role_loop(r);
	if (spec->end)
		spec->end(r);
	channel_free(&r->main);
	role_files_drop(&r->files);
	role_peers_drop(&r->waiting);
	conf_drop(&r->conf);
	event_base_free(r->base);
	metrics_leave();
	return life.exit_status;
}
