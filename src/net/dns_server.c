/*
 * dns_server: silence and DNSSEC are two separate states. The number of answers shows silence: the
 * caller notes it before it asks, and any answer since then clears the server. An answer from the
 * cache, which comes inside the asking call, proves nothing. The end of a question is handled from
 * the loop, so no check ends inside the call that begins it.
 */
#include "net/dns_server.h"

#include <event2/event_struct.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/anchor.h"
#include "net/dns_probe.h"

enum {
	NAME_BYTES = 80,
	DNSSEC_CHECK_MS = 4000,         /* for each of the two questions of a check */
	DNSSEC_CHECK_AGAIN_MS = 10000,  /* after a check without a result */
	STRIPS_AGAIN_MS = 120000, /* longer than libunbound remembers a key that did not validate */
	SILENT_MS = 60000,
	PROBE_AGAIN_MS = 10000, /* of a silent server */
};

enum passes { PASSES_UNKNOWN, PASSES_SIGNATURES, PASSES_NONE };
enum dnssec_check { DNSSEC_CHECK_NONE, DNSSEC_CHECK_KEYS, DNSSEC_CHECK_ANSWERS };

struct dns_server {
	struct event_base *base;
	char name[NAME_BYTES];
	bool is_root; /* iterates from the root servers */
	char anchor_owner[ANCHOR_OWNER_BYTES];
	enum conf_dnssec dnssec;
	struct dns_context *validating; /* NULL: DNSSEC_OFF */
	struct dns_context *plain;      /* NULL: not needed yet */
	dns_server_fn *known, *changed;
	void *arg;
	enum passes passes;
	bool is_logged;   /* it is logged that it passes none on */
	enum dnssec_check dnssec_check; /* the current check */
	struct dns_question question;
	bool is_signed, is_alive; /* results of the question */
	bool is_asking; /* an answer that comes now comes from the cache */
	struct event timer, answered;
	int64_t check_again_ms;
	struct dns_probe *probe;
	struct event probe_again;
	uint64_t answers; /* answers that came from the server */
	uint64_t answers_before_probe;
	int64_t silent_until_ms; /* other servers are asked first */
	int64_t silent_since_ms; /* wall clock; 0: it answers, or was not asked yet */
};

/* ---- whether it answers ---- */

void
dns_server_answered(struct dns_server *s)
{
	bool was_silent = s->silent_since_ms != 0;

	s->answers++;
	s->silent_until_ms = s->silent_since_ms = 0;
	event_del(&s->probe_again);
	if (was_silent)
		s->changed(s, s->arg);
}

uint64_t
dns_server_answers(const struct dns_server *s)
{
	return s->answers;
}

static void
probe_dns_server(struct dns_server *s)
{
	if (dns_probe_begin(s->probe))
		s->answers_before_probe = s->answers;
}

void
dns_server_failed(struct dns_server *s, uint64_t answers_before)
{
	if (s->answers == answers_before)
		probe_dns_server(s);
}

void
dns_server_timed_out(struct dns_server *s, uint64_t answers_before)
{
	/* until the probe has ended it counts as silent: the next query need not wait for it */
	if (s->answers == answers_before)
		s->silent_until_ms = clock_mono_ms() + SILENT_MS;
	dns_server_failed(s, answers_before);
}

static void
probe_ended(enum dns_probe_end end, void *arg)
{
	const struct timeval again = {.tv_sec = PROBE_AGAIN_MS / 1000};
	struct dns_server *s = arg;
	bool is_new = s->silent_since_ms == 0;

	if (end == DNS_PROBE_ANSWERED) {
		dns_server_answered(s);
		return;
	}
	/* a question may have been answered while the probe ran */
	if (s->answers != s->answers_before_probe)
		return;
	event_add(&s->probe_again, &again);
	if (end == DNS_PROBE_UNKNOWN || !is_new)
		return;
	s->silent_until_ms = clock_mono_ms() + SILENT_MS;
	s->silent_since_ms = clock_ms();
	s->changed(s, s->arg);
}

static void
on_probe_again(evutil_socket_t fd, short what, void *arg)
{
	struct dns_server *s = arg;

	(void)fd;
	(void)what;
	probe_dns_server(s);
}

bool
dns_server_is_silent(const struct dns_server *s)
{
	return clock_mono_ms() < s->silent_until_ms;
}

enum dns_server_state
dns_server_state(const struct dns_server *s, int64_t *since_ms_out)
{
	if (since_ms_out)
		*since_ms_out = s->silent_since_ms;
	if (s->silent_since_ms)
		return DNS_SERVER_SILENT;
	return s->answers ? DNS_SERVER_ANSWERS : DNS_SERVER_NOT_ASKED;
}

/* ---- whether it passes on DNSSEC records ---- */

static void
report_dns_server_known(struct dns_server *s)
{
	if (s->passes == PASSES_SIGNATURES && s->is_logged)
		log_info("dns: %s passes DNSSEC signatures on again: answers are validated",
		    s->name);
	else if (s->passes == PASSES_NONE && !s->is_logged && s->dnssec == DNSSEC_REQUIRE)
		log_error("dns: %s passes no DNSSEC signatures on, and dns.dnssec is \"require\": "
			  "no name can be looked up; name another resolver, or set \"auto\"",
		    s->name);
	else if (s->passes == PASSES_NONE && !s->is_logged)
		log_warn("dns: %s passes no DNSSEC signatures on: answers are not validated",
		    s->name);
	s->is_logged = s->passes == PASSES_NONE;
}

static void
end_dnssec_check(struct dns_server *s, enum passes passes)
{
	int64_t pause_ms = passes == PASSES_NONE ? STRIPS_AGAIN_MS : DNSSEC_CHECK_AGAIN_MS;

	dns_question_cancel(&s->question);
	event_del(&s->timer);
	event_del(&s->answered);
	s->dnssec_check = DNSSEC_CHECK_NONE;
	s->check_again_ms = clock_mono_ms() + pause_ms;
	/* a check without a result changes nothing */
	if (passes != PASSES_UNKNOWN) {
		s->passes = passes;
		report_dns_server_known(s);
	}
	s->known(s, s->arg);
}

static void
on_question(struct dns_question *q, enum dns_validity validity, struct str packet)
{
	struct dns_server *s = q->arg;

	s->is_signed = validity == DNS_SECURE || dns_answer_is_signed(packet);
	s->is_alive = packet.n > 0;
	if (s->is_alive && !s->is_asking)
		dns_server_answered(s);
	event_active(&s->answered, EV_TIMEOUT, 0);
}

static struct dns_context *
plain_context(struct dns_server *s)
{
	struct dns_context_setup setup = {.base = s->base};

	if (!s->is_root)
		setup.server = str_of(s->name);
	if (!s->plain)
		s->plain = dns_context_new(&setup);
	return s->plain;
}

static void
ask_dns_server(struct dns_server *s, enum dnssec_check dnssec_check, struct dns_context *context)
{
	struct timeval tv = {DNSSEC_CHECK_MS / 1000, DNSSEC_CHECK_MS % 1000 * 1000};
	enum dns_type type = dnssec_check == DNSSEC_CHECK_KEYS ? DNS_DNSKEY : DNS_SOA;

	s->dnssec_check = dnssec_check;
	s->is_signed = s->is_alive = false;
	s->question =
	    (struct dns_question){.context = context, .fn = on_question, .arg = s};
	event_add(&s->timer, &tv);
	s->is_asking = true;
	if (!context || dns_question_ask(&s->question, str_of(s->anchor_owner), type) != DNS_ASKED)
		event_active(&s->answered, EV_TIMEOUT, 0);
	s->is_asking = false;
}

/* The question was answered, or timed out. */
static void
on_step(evutil_socket_t fd, short what, void *arg)
{
	struct dns_server *s = arg;

	(void)fd;
	(void)what;
	dns_question_cancel(&s->question);
	event_del(&s->timer);
	event_del(&s->answered);
	if (s->dnssec_check == DNSSEC_CHECK_KEYS && s->is_signed)
		end_dnssec_check(s, PASSES_SIGNATURES);
	else if (s->dnssec_check == DNSSEC_CHECK_KEYS)
		ask_dns_server(s, DNSSEC_CHECK_ANSWERS, plain_context(s));
	else
		end_dnssec_check(s, s->is_alive ? PASSES_NONE : PASSES_UNKNOWN);
}

void
dns_server_check_dnssec(struct dns_server *s)
{
	if (s->dnssec == DNSSEC_OFF || s->passes == PASSES_SIGNATURES ||
	    s->dnssec_check != DNSSEC_CHECK_NONE || clock_mono_ms() < s->check_again_ms)
		return;
	ask_dns_server(s, DNSSEC_CHECK_KEYS, s->validating);
}

struct dns_context *
dns_server_context(struct dns_server *s)
{
	if (s->dnssec == DNSSEC_OFF)
		return plain_context(s);
	dns_server_check_dnssec(s);
	if (s->dnssec == DNSSEC_REQUIRE || s->passes == PASSES_SIGNATURES)
		return s->validating;
	if (s->passes == PASSES_NONE)
		return plain_context(s);
	return s->dnssec_check == DNSSEC_CHECK_NONE ? s->validating : NULL;
}

bool
dns_server_validates(const struct dns_server *s)
{
	return s->dnssec == DNSSEC_REQUIRE ||
	       (s->dnssec == DNSSEC_AUTO && s->passes != PASSES_NONE);
}

/* ---- creation and end ---- */

struct dns_server *
dns_server_new(const struct dns_server_setup *setup)
{
	struct dns_server *s = MEM_NEW(struct dns_server);
	struct str server = setup->context.server;
	bool is_good;

	s->base = setup->context.base;
	s->dnssec = setup->dnssec;
	s->known = setup->known;
	s->changed = setup->changed;
	s->arg = setup->arg;
	s->is_root = server.n == 0;
	s->probe = dns_probe_new(&(struct dns_probe_setup){
	    .base = s->base, .server = server, .fn = probe_ended, .arg = s});
	snprintf(s->name, sizeof s->name, "%.*s",
	    STR_ARG(server.n ? server : STR("root servers")));
	event_assign(&s->timer, s->base, -1, 0, on_step, s);
	event_assign(&s->answered, s->base, -1, 0, on_step, s);
	event_assign(&s->probe_again, s->base, -1, 0, on_probe_again, s);
	if (s->dnssec == DNSSEC_OFF) {
		is_good = plain_context(s) != NULL;
	} else {
		s->validating = dns_context_new(&setup->context);
		is_good = s->validating && anchor_owner(setup->context.anchor, s->anchor_owner);
	}
	if (!is_good)
		dns_server_free(&s);
	return s;
}

void
dns_server_free(struct dns_server **s)
{
	if (!*s)
		return;
	dns_question_cancel(&(*s)->question);
	event_del(&(*s)->timer);
	event_del(&(*s)->answered);
	event_del(&(*s)->probe_again);
	dns_probe_free(&(*s)->probe);
	dns_context_free(&(*s)->validating);
	dns_context_free(&(*s)->plain);
	mem_free(*s);
	*s = NULL;
}

const char *
dns_server_name(const struct dns_server *s)
{
	return s->name;
}

const char *
dns_server_dnssec(const struct dns_server *s)
{
	if (s->dnssec == DNSSEC_OFF)
		return "off";
	if (s->passes == PASSES_SIGNATURES)
		return "validated";
	if (s->passes == PASSES_UNKNOWN)
		return "not known yet";
	return s->dnssec == DNSSEC_REQUIRE ? "required, but signatures are not passed on"
	                                   : "not validated: signatures are not passed on";
}
