/*
 * player_events: what the "!" lines of a talk do and expect.
 */
#include <errno.h>
#include <stdio.h>

#include "conf/read.h"
#include "submission/session_internal.h"
#include "unit/submission/player_state.h"

static const char standard_conf[] =
    "hostname = \"mail.example.com\";\n"
    "domains = ( { name = \"example.com\"; } );\n"
    "sender_policy: { send_as = ( { user = \"alice@example.com\"; addresses = [ "
    "\"sales@example.com\", "
    "\"j\xc3\xbcrgen@example.com\", \"\\\"a b\\\"@example.com\" ]; } ); };\n";

/* ---- expected lines ---- */

static bool
next_line(struct buf *from, const char *end, struct str *line_out)
{
	const char *at = from->n ? memmem(from->p, from->n, end, strlen(end)) : NULL;

	*line_out = at ? str_make(from->p, (size_t)(at - from->p)) : buf_str(from);
	return at != NULL;
}

bool
player_expect_line(struct player *p, struct buf *from, const char *end, struct str pattern)
{
	struct str line;
	bool is_there = next_line(from, end, &line);
	bool is_match = is_there && talk_matches(pattern, line);

	if (!is_match)
		return player_fail(p, "expected \"%.*s\", got \"%.*s\"%s",
		    STR_ARG(str_upto(pattern, 110)), STR_ARG(str_upto(line, 130)),
		    is_there ? "" : " and no more");
	buf_drop(from, line.n + strlen(end));
	return true;
}

static bool
has_header(const struct player *p, struct str pattern)
{
	struct str rest = buf_str(&p->header), line;

	while (str_split(&rest, '\n', &line)) {
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (talk_matches(pattern, line))
			return true;
	}
	return false;
}

/* ---- events ---- */

typedef bool event_fn(struct player *p, struct str words);

static bool
on_conf(struct player *p, struct str words)
{
	buf_addf(&p->conf_text, "%.*s\n", STR_ARG(words));
	return true;
}

static bool
on_whole(struct player *p, struct str words)
{
	(void)words;
	p->is_whole_only = true;
	return true;
}

static bool
on_connect(struct player *p, struct str words)
{
	struct conf_report report;
	struct session_setup setup = {
	    .services = &player_services,
	    .arg = p,
	    .id = UINT64_C(0x123456789abcdef),
	    .client = "203.0.113.7",
	    .port = 465,
	    .may_tls = true,
	    .is_implicit_tls = str_eq(words, STR("implicit")),
	};

	conf_report_init(&report);
	buf_addz(&p->conf_text, standard_conf);
	p->conf = setup.conf = conf_read_text(buf_str(&p->conf_text), &report);
	if (!p->conf)
		player_fail(
		    p, "configuration: %.*s", STR_ARG(str_upto(buf_str(&report.text), 200)));
	conf_report_clear(&report);
	if (!p->conf)
		return false;
	p->session = session_new(&setup);
	player_collect(p, session_begin(p->session));
	return true;
}

static bool
on_tls(struct player *p, struct str words)
{
	player_collect(p, session_secured(p->session, "TLSv1.3", str_eq(words, STR("plus"))));
	player_continue(p);
	return true;
}

static bool
on_secure(struct player *p, struct str words)
{
	if (!on_connect(p, STR("implicit")) || !on_tls(p, words))
		return false;
	player_input(p, STR("EHLO client.example.com\r\n"));
	buf_reset(&p->replies);
	return true;
}

static bool
accept_login(struct player *p, struct str user)
{
	struct message_auth_answer a = {.outcome = AUTH_OK, .user = user};

	p->expected_answer = NO_ANSWER;
	player_collect(p, session_auth_answer(p->session, &a));
	player_continue(p);
	return true;
}

static bool
on_login(struct player *p, struct str words)
{
	if (!on_secure(p, STR_NULL))
		return false;
	player_input(p, STR("AUTH PLAIN AGEAYg==\r\n"));
	accept_login(p, words);
	buf_reset(&p->replies);
	buf_reset(&p->requests);
	return p->step == SESSION_NEXT || player_fail(p, "no login");
}

static bool
on_manual(struct player *p, struct str words)
{
	(void)words;
	p->is_manual = true;
	return true;
}

/* A code, an enhanced code and text. */
static bool
read_status(struct str words, struct smtp_status *status_out)
{
	struct str code, enhanced;
	char text[16];
	uint64_t number;

	if (!talk_word(&words, &code) || !str_u64(code, &number) || !talk_word(&words, &enhanced))
		return false;
	snprintf(text, sizeof text, "%.*s", STR_ARG(enhanced));
	*status_out = smtp_status_make((unsigned)number, text, "%.*s", STR_ARG(words));
	return true;
}

static bool
on_verdict(struct player *p, struct str words)
{
	struct smtp_status status;

	if (p->expected_answer != QUEUE_ANSWER)
		return player_fail(p, "the queue was not asked");
	p->expected_answer = NO_ANSWER;
	if (str_eq(words, STR("lost"))) {
		player_collect(p, session_queue_answer(p->session, NULL));
		player_continue(p);
		return true;
	}
	if (!read_status(words, &status))
		return player_fail(p, "not a status");
	player_collect(p, session_queue_answer(p->session, &status));
	player_continue(p);
	return true;
}

static bool
on_auth(struct player *p, struct str words)
{
	struct message_auth_answer a = {.outcome = AUTH_FAIL};
	struct str how;

	if (p->expected_answer != AUTH_ANSWER)
		return player_fail(p, "the broker was not asked");
	p->expected_answer = NO_ANSWER;
	(void)!talk_word(&words, &how);
	a.status = smtp_status_make(535, "5.7.8", "Authentication credentials invalid");
	if (str_eq(how, STR("ok")))
		return accept_login(p, words);
	if (str_eq(how, STR("tempfail"))) {
		a.outcome = AUTH_TEMPFAIL;
		a.status = smtp_status_make(454, "4.7.0", "Temporary authentication failure");
	}
	if (str_eq(how, STR("malformed"))) {
		a.outcome = AUTH_MALFORMED;
		a.status = smtp_status_make(501, "5.5.2", "Malformed");
	}
	if (str_eq(how, STR("refused")) && !read_status(words, &a.status))
		return player_fail(p, "not a status");
	if (str_eq(how, STR("continue"))) {
		a.outcome = AUTH_CONTINUE;
		a.challenge = words;
	}
	player_collect(p, session_auth_answer(p->session, str_eq(how, STR("lost")) ? NULL : &a));
	player_continue(p);
	return true;
}

static bool
on_no(struct player *p, struct str words)
{
	p->no_tls |= str_eq(words, STR("tls"));
	p->no_auth |= str_eq(words, STR("auth"));
	p->no_queue |= str_eq(words, STR("queue"));
	if (str_eq(words, STR("disk")))
		p->write_error = EIO;
	if (str_eq(words, STR("space")))
		p->write_error = ENOSPC;
	p->no_file |= str_eq(words, STR("file"));
	p->is_closing_full |= str_eq(words, STR("place"));
	return true;
}

/* still: no write ends from now on. busy: writes of other sessions end. goes-on: writes end
 * again. */
static bool
on_disk(struct player *p, struct str words)
{
	p->is_disk_busy = str_eq(words, STR("busy"));
	p->is_disk_stalled = p->is_disk_busy || str_eq(words, STR("still"));
	p->disk_began_ms = p->now_ms;
	player_continue(p);
	return true;
}

static bool
on_tokens(struct player *p, struct str words)
{
	uint64_t n;

	if (!str_u64(words, &n))
		return player_fail(p, "not a number of tokens");
	p->tokens = (unsigned)n;
	return true;
}

/* failing yes, failing no: whether the spool can be written. */
static bool
on_failing(struct player *p, struct str words)
{
	p->is_failing = str_eq(words, STR("yes"));
	return true;
}

static bool
on_room(struct player *p, struct str words)
{
	p->has_room_bytes = true;
	return str_u64(words, &p->room_bytes) || player_fail(p, "not a number of bytes");
}

static bool
on_transactions(struct player *p, struct str words)
{
	uint64_t number;

	if (!str_u64(words, &number))
		return player_fail(p, "not a number of transactions");
	p->session->number = (uint32_t)number;
	return true;
}

static bool
on_unseen(struct player *p, struct str words)
{
	(void)words;
	p->has_unseen = true;
	return true;
}

static bool
on_time(struct player *p, struct str words)
{
	uint64_t ms;

	if (!str_u64(words, &ms))
		return player_fail(p, "not a time");
	p->now_ms += (int64_t)ms;
	if (p->now_ms >= p->deadline_ms && p->step != SESSION_CLOSE)
		player_collect(p, session_expired(p->session));
	player_continue(p);
	return true;
}

static bool
on_stop(struct player *p, struct str words)
{
	(void)words;
	player_collect(p, session_stop(p->session));
	player_continue(p);
	return true;
}

static bool
on_gone(struct player *p, struct str words)
{
	(void)words;
	player_collect(p, session_user_gone(p->session));
	return true;
}

static bool
on_asked(struct player *p, struct str words)
{
	return player_expect_line(p, &p->requests, "\n", words);
}

static bool
on_refused(struct player *p, struct str words)
{
	return player_expect_line(p, &p->refused, "\n", words);
}

static bool
on_replies(struct player *p, struct str words)
{
	struct str count;
	uint64_t n;

	if (!talk_word(&words, &count) || !str_u64(count, &n))
		return player_fail(p, "no count");
	words = str_trim(words);
	while (n-- > 0)
		if (!player_expect_line(p, &p->replies, "\r\n", words))
			return false;
	return true;
}

static bool
on_nothing(struct player *p, struct str words)
{
	(void)words;
	return p->replies.n == 0 ||
	       player_fail(p, "replied: %.*s", STR_ARG(str_upto(buf_str(&p->replies), 100)));
}

static bool
on_closed(struct player *p, struct str words)
{
	(void)words;
	return p->step == SESSION_CLOSE || player_fail(p, "not closed");
}

static bool
on_open(struct player *p, struct str words)
{
	(void)words;
	return p->step == SESSION_NEXT || player_fail(p, "not open");
}

static bool
on_waiting(struct player *p, struct str words)
{
	(void)words;
	return p->step == SESSION_WAIT || player_fail(p, "not waiting");
}

static bool
on_committed(struct player *p, struct str words)
{
	uint64_t n;

	return (str_u64(words, &n) && n == p->committed) ||
	       player_fail(p, "%u messages", p->committed);
}

static bool
on_header(struct player *p, struct str words)
{
	return has_header(p, words) ||
	    player_fail(p, "not in the header: %.*s", STR_ARG(str_upto(buf_str(&p->header), 250)));
}

static bool
on_no_header(struct player *p, struct str words)
{
	return !has_header(p, words) || player_fail(p, "stands in the header");
}

static bool
on_body(struct player *p, struct str words)
{
	return str_eq(words, buf_str(&p->body)) ||
	    player_fail(p, "body: %.*s", STR_ARG(str_upto(buf_str(&p->body), 200)));
}

static bool
on_body_bytes(struct player *p, struct str words)
{
	uint64_t n;

	return (str_u64(words, &n) && n == p->body.n) ||
	       player_fail(p, "body of %zu bytes", p->body.n);
}

static bool
on_envelope(struct player *p, struct str words)
{
	return talk_matches(words, buf_str(&p->envelope)) ||
	    player_fail(p, "envelope: %.*s", STR_ARG(str_upto(buf_str(&p->envelope), 250)));
}

static const struct {
	const char *name;
	event_fn *handler;
} events[] = {
    {"conf", on_conf},
    {"whole", on_whole},
    {"connect", on_connect},
    {"tls", on_tls},
    {"secure", on_secure},
    {"login", on_login},
    {"manual", on_manual},
    {"verdict", on_verdict},
    {"auth", on_auth},
    {"no", on_no},
    {"disk", on_disk},
    {"unseen", on_unseen},
    {"tokens", on_tokens},
    {"time", on_time},
    {"room", on_room},
    {"failing", on_failing},
    {"stop", on_stop},
    {"gone", on_gone},
    {"asked", on_asked},
    {"refused", on_refused},
    {"replies", on_replies},
    {"nothing", on_nothing},
    {"closed", on_closed},
    {"open", on_open},
    {"waiting", on_waiting},
    {"committed", on_committed},
    {"transactions", on_transactions},
    {"header", on_header},
    {"no-header", on_no_header},
    {"body", on_body},
    {"body-bytes", on_body_bytes},
    {"envelope", on_envelope},
};

bool
player_event(struct player *p, struct str text)
{
	struct str name = str_upto(text, str_find(text, ' '));

	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		if (str_eq(name, str_of(events[i].name)))
			return events[i].handler(p, str_from(text, name.n + 1));
	return player_fail(p, "no such event");
}
