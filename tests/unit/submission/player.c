/*
 * player: see the header. It implements the services of the session.
 */
#include "unit/submission/player.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/encode.h"
#include "base/mem.h"
#include "mail/body_facts.h"
#include "mail/envelope.h"
#include "unit/submission/player_state.h"

enum { TEXT_MAX = 32 << 20 };

/* ---- services ---- */

static int64_t
now_ms(void *arg)
{
	return ((struct player *)arg)->now_ms + 1700000000000;
}

static int64_t
mono_ms(void *arg)
{
	return ((struct player *)arg)->now_ms;
}

static void
deadline(void *arg, int64_t at_ms)
{
	((struct player *)arg)->deadline_ms = at_ms;
}

static bool
has_unseen(void *arg)
{
	return ((struct player *)arg)->has_unseen;
}

static bool
start_tls(void *arg)
{
	return !((struct player *)arg)->no_tls;
}

static bool
binding(void *arg, unsigned char out[SESSION_BINDING_BYTES])
{
	(void)arg;
	memcpy(out, "0123456789abcdef0123456789ABCDEF", SESSION_BINDING_BYTES);
	return true;
}

static bool
start_auth(void *arg, const struct message_auth_start *m)
{
	struct player *p = arg;

	buf_addf(&p->requests,
	    "auth %.*s %s binding=%zu port=%u client=%.*s initial=", STR_ARG(m->mechanism),
	    m->has_initial ? "initial" : "-", m->binding.n, m->port, STR_ARG(m->client));
	encode_hex(&p->requests, m->initial);
	buf_addc(&p->requests, '\n');
	p->expected_answer = p->no_auth ? NO_ANSWER : AUTH_ANSWER;
	return !p->no_auth;
}

static bool
step_auth(void *arg, const struct message_auth_step *m)
{
	struct player *p = arg;

	buf_addz(&p->requests, "step ");
	encode_hex(&p->requests, m->response);
	buf_addc(&p->requests, '\n');
	p->expected_answer = p->no_auth ? NO_ANSWER : AUTH_ANSWER;
	return !p->no_auth;
}

static void
cancel_auth(void *arg, const struct message_auth_cancel *m)
{
	struct player *p = arg;

	(void)m;
	buf_addz(&p->requests, "cancel\n");
	p->expected_answer = NO_ANSWER;
}

static uint64_t
room(void *arg)
{
	const struct player *p = arg;

	return p->has_room_bytes ? p->room_bytes : UINT64_MAX;
}

static bool
is_failing(void *arg)
{
	const struct player *p = arg;

	return p->is_failing;
}

static bool
take_token(void *arg, struct str user)
{
	struct player *p = arg;

	if (p->tokens == 0)
		return false;
	p->tokens--;
	buf_addf(&p->requests, "took a token of %.*s\n", STR_ARG(user));
	return true;
}

static bool
ask_token(void *arg, struct str user)
{
	struct player *p = arg;

	buf_addf(&p->requests, "token of %.*s\n", STR_ARG(user));
	p->expected_answer = p->no_queue ? NO_ANSWER : QUEUE_ANSWER;
	return !p->no_queue;
}

static void
return_tokens(void *arg, struct str user, uint32_t count)
{
	struct player *p = arg;

	buf_addf(&p->requests, "return %u of %.*s\n", count, STR_ARG(user));
	p->expected_answer = NO_ANSWER;
}

static void
spend_tokens(void *arg, struct str user, uint32_t count)
{
	struct player *p = arg;

	buf_addf(&p->requests, "spend %u of %.*s\n", count, STR_ARG(user));
}

static bool
open_file(void *arg, const struct message_spool_file *m)
{
	struct player *p = arg;

	buf_addf(&p->requests, "file of %u\n", m->number);
	p->expected_answer = p->no_file ? NO_ANSWER : QUEUE_ANSWER;
	return !p->no_file;
}

static void
write_file(void *arg, uint64_t at, struct str bytes)
{
	struct player *p = arg;

	if (p->is_writing)
		die("a write begins before the former one has ended");
	if (at != p->file.n)
		die("a write does not begin at the end of the file");
	buf_adds(&p->file, bytes);
	p->is_writing = true;
	p->disk_began_ms = p->now_ms;
}

static bool
may_open_file(void *arg)
{
	return !((struct player *)arg)->is_closing_full;
}

static int64_t
disk_stalled_ms(void *arg)
{
	const struct player *p = arg;

	return p->is_disk_stalled && !p->is_disk_busy && p->is_writing
	           ? p->now_ms - p->disk_began_ms
	           : 0;
}

static void
describe_envelope(struct player *p, const struct envelope *e)
{
	buf_reset(&p->envelope);
	buf_addf(&p->envelope, "from=%.*s to=", STR_ARG(e->sender));
	for (uint32_t i = 0; i < e->recipient_count; i++)
		buf_addf(&p->envelope, "%s%.*s", i ? "," : "", STR_ARG(e->recipients[i].address));
	buf_addf(&p->envelope,
	    " body=%d utf8=%d ret=%d envid=%.*s notify=", e->body == BODY_8BITMIME ? 8 : 7,
	    e->smtputf8, (int)e->ret, STR_ARG(e->envid));
	for (uint32_t i = 0; i < e->recipient_count; i++)
		buf_addf(&p->envelope, "%s%u", i ? "," : "", e->recipients[i].notify);
	buf_addz(&p->envelope, " orcpt=");
	for (uint32_t i = 0; i < e->recipient_count; i++)
		buf_addf(&p->envelope, "%s%.*s", i ? "," : "", STR_ARG(e->recipients[i].orcpt));
}

/* In every talk: the facts that were found while the body streamed in are those of the whole
 * body. */
static void
check_facts(const struct envelope *e, struct str body)
{
	struct body_facts f = {.line_bytes = 0};

	body_facts_take(&f, body);
	if (e->facts != body_facts_bits(&f))
		die("the envelope's facts are %u, the body's %u", e->facts, body_facts_bits(&f));
}

static bool
commit(void *arg, const struct message_commit *m)
{
	struct player *p = arg;
	struct envelope e;
	struct arena arena;

	buf_addf(&p->requests, "commit %s\n", m->in_file ? "file" : "memory");
	if (p->is_writing)
		die("a commit is requested before the body is written");
	if (p->no_queue)
		return false;
	arena_init(&arena, 4 << 20);
	if (envelope_decode(m->envelope, &arena, &e)) {
		describe_envelope(p, &e);
		buf_reset(&p->header);
		buf_adds(&p->header, m->header);
		buf_reset(&p->body);
		buf_adds(&p->body, m->in_file ? buf_str(&p->file) : m->body);
		if (e.body_bytes != p->body.n || e.header_bytes != m->header.n)
			buf_addz(&p->envelope, " WRONG SIZES");
		check_facts(&e, buf_str(&p->body));
	}
	arena_clear(&arena);
	buf_reset(&p->file);
	p->expected_answer = QUEUE_ANSWER;
	p->committed++;
	return true;
}

static void
release(void *arg, const struct message_release *m)
{
	struct player *p = arg;

	buf_addf(&p->requests, "release %u\n", m->number);
	buf_reset(&p->file);
	p->is_writing = false;
	p->expected_answer = NO_ANSWER;
}

static void
refused(void *arg, const struct session_refusal *r)
{
	struct player *p = arg;
	char enhanced[SMTP_STATUS_ENHANCED_BYTES];

	buf_addf(&p->refused, "number=%u stage=%s reason=%s code=%u dsn=%s user=%.*s", r->id.number,
	    r->stage, r->reason, r->status->code, smtp_status_enhanced(r->status, enhanced),
	    STR_ARG(r->user));
	if (r->sender.p)
		buf_addf(&p->refused, " sender=%.*s", STR_ARG(r->sender));
	if (r->mechanism[0])
		buf_addf(&p->refused, " mech=%s", r->mechanism);
	if (r->detail_key)
		buf_addf(&p->refused, " %s=%.*s", r->detail_key, STR_ARG(r->detail));
	if (r->size > 0)
		buf_addf(&p->refused, " size=%llu room=%llu", (unsigned long long)r->size,
		    (unsigned long long)r->room);
	buf_addc(&p->refused, '\n');
}

const struct session_services player_services = {
    .now_ms = now_ms,
    .mono_ms = mono_ms,
    .deadline = deadline,
    .has_unseen = has_unseen,
    .binding = binding,
    .start_tls = start_tls,
    .start_auth = start_auth,
    .step_auth = step_auth,
    .cancel_auth = cancel_auth,
    .room = room,
    .is_failing = is_failing,
    .take_token = take_token,
    .ask_token = ask_token,
    .return_tokens = return_tokens,
    .spend_tokens = spend_tokens,
    .may_open_file = may_open_file,
    .open_file = open_file,
    .commit = commit,
    .release = release,
    .write_file = write_file,
    .disk_stalled_ms = disk_stalled_ms,
    .refused = refused,
};

/* ---- running ---- */

bool
player_fail(struct player *p, const char *format, ...)
{
	char text[300];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	snprintf(p->why, 400, "line %u%s: %s", p->act ? p->act->line : 0,
	    p->bytewise ? " (byte by byte)" : "", text);
	return false;
}

void
player_collect(struct player *p, enum session_step step)
{
	struct buf *out = session_out(p->session);

	buf_adds(&p->replies, buf_str(out));
	buf_clear(out);
	p->step = step;
}

/* The input is copied to a heap block of its exact size: the sanitizers detect a read beyond it. */
void
player_continue(struct player *p)
{
	struct smtp_status fault;
	size_t used = 1;

	for (;;) {
		while (p->step == SESSION_NEXT && used > 0) {
			struct buf copy;

			buf_init(&copy, p->in.n + 1);
			buf_adds(&copy, buf_str(&p->in));
			player_collect(p, session_take(p->session, buf_str(&copy), &used));
			buf_clear(&copy);
			buf_drop(&p->in, used);
		}
		if (p->step != SESSION_CLOSE && p->is_writing && !p->is_disk_stalled) {
			p->is_writing = false;
			used = 1;
			fault = smtp_status_not_stored(p->write_error);
			player_collect(p,
			    session_written(p->session, p->write_error ? &fault : NULL));
			continue;
		}
		if (p->step != SESSION_WAIT || p->expected_answer != QUEUE_ANSWER || p->is_manual)
			return;
		p->expected_answer = NO_ANSWER;
		used = 1;
		player_collect(
		    p, session_queue_answer(p->session, &(struct smtp_status){.code = 250}));
	}
}

void
player_input(struct player *p, struct str bytes)
{
	for (size_t i = 0; i < bytes.n && p->bytewise && p->step != SESSION_CLOSE; i++) {
		buf_addc(&p->in, bytes.p[i]);
		player_continue(p);
	}
	if (!p->bytewise) {
		buf_adds(&p->in, bytes);
		player_continue(p);
	}
}

/* ---- running a talk ---- */

static bool
run_act(struct player *p)
{
	const struct talk_act *a = p->act;

	if (a->kind == TALK_EVENT)
		return player_event(p, a->text);
	if (a->kind == TALK_SERVER)
		return player_expect_line(p, &p->replies, "\r\n", a->text);
	if (p->step == SESSION_CLOSE)
		return player_fail(p, "the session is closed already");
	player_input(p, a->text);
	if (!a->is_raw)
		player_input(p, STR("\r\n"));
	return true;
}

static void
player_clear(struct player *p)
{
	struct buf *all[] = {&p->conf_text, &p->in, &p->replies, &p->requests, &p->refused,
	    &p->header, &p->body, &p->envelope, &p->file};

	session_free(&p->session);
	conf_drop(&p->conf);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		buf_clear(all[i]);
	talk_clear(&p->talk);
}

static bool
play_talk(const char *path, bool bytewise, char why[400], bool *again_out)
{
	struct player p = {.why = why, .bytewise = bytewise, .now_ms = 1000};
	struct buf *all[] = {&p.conf_text, &p.in, &p.replies, &p.requests, &p.refused, &p.header,
	    &p.body, &p.envelope, &p.file};
	bool is_good = talk_read(path, &p.talk, why);

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		buf_init(all[i], TEXT_MAX);
	for (size_t i = 0; i < p.talk.count && is_good; i++) {
		p.act = &p.talk.acts[i];
		is_good = run_act(&p);
	}
	if (is_good && p.replies.n > 0)
		is_good = player_fail(
		    &p, "also replied: %.*s", STR_ARG(str_upto(buf_str(&p.replies), 200)));
	if (is_good && p.session && p.step == SESSION_CLOSE && p.act->kind != TALK_EVENT)
		is_good = player_fail(&p, "closed without a reply about it");
	*again_out = !p.is_whole_only;
	player_clear(&p);
	return is_good;
}

bool
player_play(const char *path, char why[400])
{
	bool again;

	return play_talk(path, false, why, &again) &&
	       (!again || play_talk(path, true, why, &again));
}
