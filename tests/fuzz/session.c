/*
 * Any bytes of a client and any answers of the services.  The first byte chooses how the session
 * begins, the second how the input is cut, the third seeds the answers.  Replies stay well formed,
 * one service is asked at a time, the tokens that were taken are spent or returned, and "Queued" is
 * said as often as the queue agreed to a whole message.
 */
#include <errno.h>
#include <stdlib.h>

#include "mail/envelope.h"
#include "mail/header.h"
#include "submission/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MODE_PLAIN = 1, MODE_STARTTLS = 2, MODE_STOP = 4, MODE_EXPIRE = 8, MODE_GONE = 16 };
enum owed { NOTHING, AUTH, TOKEN, FILE_OPEN, COMMIT };

struct world {
	struct session *session;
	enum session_step step;
	uint32_t random;
	enum owed owed;
	uint32_t open;       /* transaction that the queue counts for; 0: none */
	unsigned tokens;     /* taken and not yet returned or spent */
	unsigned agreed, queued;
	bool is_secure, wants_tls;
	uint64_t file_bytes;
	bool is_writing; /* a piece of the file */
	int64_t now_ms, deadline_ms;
	struct buf in, said;
};

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static unsigned
draw(struct world *w, unsigned below)
{
	w->random = w->random * 1664525u + 1013904223u;
	return (w->random >> 16) % below;
}

/* ---- services ---- */

static bool
ask(struct world *w, enum owed owed)
{
	check(w->owed == NOTHING);
	if (draw(w, 16) == 0)
		return false;
	w->owed = owed;
	return true;
}

static int64_t
now_ms(void *arg)
{
	return ((struct world *)arg)->now_ms + 1700000000000;
}

static int64_t
mono_ms(void *arg)
{
	return ((struct world *)arg)->now_ms;
}

static void
deadline(void *arg, int64_t at_ms)
{
	struct world *w = arg;

	check(at_ms > w->now_ms);
	w->deadline_ms = at_ms;
}

static bool
has_unseen(void *arg)
{
	return draw(arg, 4) == 0;
}

static bool
start_tls(void *arg)
{
	struct world *w = arg;

	check(!w->is_secure);
	w->wants_tls = draw(w, 4) > 0;
	return w->wants_tls;
}

static bool
binding(void *arg, unsigned char out[SESSION_BINDING_BYTES])
{
	(void)arg;
	memset(out, 'b', SESSION_BINDING_BYTES);
	return true;
}

static bool
start_auth(void *arg, const struct message_auth_start *m)
{
	struct world *w = arg;

	check(w->is_secure && m->mechanism.n > 0);
	return ask(w, AUTH);
}

static bool
step_auth(void *arg, const struct message_auth_step *m)
{
	(void)m;
	return ask(arg, AUTH);
}

static void
cancel_auth(void *arg, const struct message_auth_cancel *m)
{
	struct world *w = arg;

	(void)m;
	check(w->owed == NOTHING || w->owed == AUTH);
	w->owed = NOTHING;
}

static bool
is_failing(void *arg)
{
	return draw(arg, 64) == 0;
}

static uint64_t
room(void *arg)
{
	static const uint64_t rooms[] = {0, 1000};

	return draw(arg, 8) ? UINT64_MAX : rooms[draw(arg, 2)];
}

static bool
take_token(void *arg, struct str user)
{
	struct world *w = arg;

	check(user.n > 0 && w->owed == NOTHING);
	if (draw(w, 2))
		return false;
	w->tokens++;
	return true;
}

static bool
ask_token(void *arg, struct str user)
{
	check(user.n > 0);
	return ask(arg, TOKEN);
}

static void
return_tokens(void *arg, struct str user, uint32_t count)
{
	struct world *w = arg;

	check(user.n > 0 && count == w->tokens && w->owed != COMMIT);
	w->tokens = 0;
	w->owed = NOTHING;
}

static void
spend_tokens(void *arg, struct str user, uint32_t count)
{
	struct world *w = arg;

	check(user.n > 0 && count > 0 && count == w->tokens);
	w->tokens = 0;
}

static bool
open_file(void *arg, const struct message_spool_file *m)
{
	struct world *w = arg;

	check(m->number > 0 && w->open == 0);
	w->file_bytes = 0;
	if (!ask(w, FILE_OPEN))
		return false;
	w->open = m->number;
	return true;
}

static void
write_file(void *arg, uint64_t at, struct str bytes)
{
	struct world *w = arg;

	check(!w->is_writing && w->open && w->owed == NOTHING && at == w->file_bytes);
	w->file_bytes += bytes.n;
	w->is_writing = true;
}

static bool
commit(void *arg, const struct message_commit *m)
{
	struct world *w = arg;
	struct header_fault fault;
	struct arena arena;
	struct envelope e;

	check(!w->is_writing);
	arena_init(&arena, 4 << 20);
	check(envelope_decode(m->envelope, &arena, &e));
	check(e.recipient_count > 0 && e.recipient_count == w->tokens && e.id.number > 0 &&
	      e.id.number == (m->in_file ? w->open : e.id.number));
	check(e.user.n > 0 && e.sender.n > 0 && e.header_bytes == m->header.n);
	check(e.body_bytes == (m->in_file ? w->file_bytes : m->body.n));
	check(header_is_sendable(m->header, &fault));
	arena_clear(&arena);
	return ask(w, COMMIT);
}

static void
release(void *arg, const struct message_release *m)
{
	struct world *w = arg;

	check(m->number == w->open && w->owed != COMMIT);
	w->open = 0;
	w->is_writing = false;
	w->owed = NOTHING;
}

static bool
may_open_file(void *arg)
{
	struct world *w = arg;

	return draw(w, 8) > 0;
}

static int64_t
disk_stands_ms(void *arg)
{
	struct world *w = arg;

	return draw(w, 2) ? draw(w, 60000) : 0;
}

static void
refused(void *arg, const struct session_refusal *r)
{
	(void)arg;
	check(r->stage && r->reason && r->status->code >= 400);
}

static const struct session_services services = {
	.now_ms = now_ms,
	.mono_ms = mono_ms,
	.deadline = deadline,
	.has_unseen = has_unseen,
	.start_tls = start_tls,
	.binding = binding,
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
	.disk_stands_ms = disk_stands_ms,
	.refused = refused,
};

/* ---- what is said ---- */

static void
check_line(struct world *w, struct str line)
{
	check(line.n >= 4 && line.p[line.n - 1] == '\r');
	for (size_t i = 0; i < 3; i++)
		check(char_is_digit(line.p[i]));
	check(line.p[3] == ' ' || line.p[3] == '-');
	for (size_t i = 0; i + 1 < line.n; i++)
		check((unsigned char)line.p[i] >= ' ' && line.p[i] != 0x7f);
	w->queued += str_starts(line, STR("250 2.0.0 Queued"));
}

static void
hear(struct world *w, enum session_step step)
{
	struct str rest = buf_str(session_out(w->session)), line;

	check(buf_ok(session_out(w->session)));
	while (rest.n > 0) {
		check(str_has(rest, '\n'));
		check(str_split(&rest, '\n', &line));
		check_line(w, line);
	}
	buf_clear(session_out(w->session));
	w->step = step;
	check(w->queued == w->agreed);
}

/* ---- what is answered ---- */

static void
answer_auth(struct world *w)
{
	static const uint8_t outcomes[] = {
	    AUTH_CONTINUE, AUTH_OK, AUTH_OK, AUTH_FAIL, AUTH_TEMPFAIL, AUTH_MALFORMED};
	struct message_auth_answer a = {.outcome = outcomes[draw(w, 6)],
	    .user = STR("alice@example.com"),
	    .challenge = STR("challenge")};

	a.status = status_make(a.outcome == AUTH_TEMPFAIL ? 454 : 535, NULL, "no");
	hear(w, session_auth_answer(w->session, draw(w, 16) ? &a : NULL));
}

static void
answer_queue(struct world *w, enum owed owed)
{
	struct status yes = status_make(250, "2.0.0", "Ok"), no = status_make(452, "4.3.1", "Full");
	bool is_yes = draw(w, 8) > 0;

	w->tokens += owed == TOKEN && is_yes;
	if (owed == COMMIT && is_yes) {
		w->agreed++;
		w->open = 0;
	}
	hear(w, session_verdict(w->session, is_yes ? &yes : draw(w, 2) ? &no : NULL));
}

static void
answer(struct world *w)
{
	enum owed owed = w->owed;

	w->owed = NOTHING;
	if (w->wants_tls) {
		w->wants_tls = false;
		w->is_secure = true;
		hear(w, session_secured(w->session, "TLSv1.3", true));
	} else if (owed == AUTH) {
		answer_auth(w);
	} else {
		check(owed != NOTHING);
		answer_queue(w, owed);
	}
}

/* A piece was written, was not, or is not in time. */
static void
answer_disk(struct world *w)
{
	struct status fault;

	if (w->step == SESSION_WAIT && draw(w, 8) == 0) {
		w->now_ms = w->deadline_ms;
		hear(w, session_expired(w->session));
		check(!w->is_writing || w->step == SESSION_WAIT);
		return;
	}
	w->is_writing = false;
	fault = status_not_stored(draw(w, 2) ? EIO : ENOSPC);
	hear(w, session_written(w->session, draw(w, 16) > 0 ? NULL : &fault));
}

static void
go_on(struct world *w)
{
	size_t used = 1;

	while (w->step == SESSION_WAIT || (w->step == SESSION_NEXT && used > 0)) {
		if (w->is_writing && (w->step == SESSION_WAIT || draw(w, 4) == 0)) {
			answer_disk(w);
			used = 1;
			continue;
		}
		if (w->step == SESSION_WAIT) {
			answer(w);
			used = 1;
			continue;
		}
		hear(w, session_take(w->session, buf_str(&w->in), &used));
		check(used <= w->in.n);
		buf_drop(&w->in, used);
	}
}

static void
feed(struct world *w, struct str bytes, size_t piece)
{
	while (bytes.n > 0 && w->step != SESSION_CLOSE) {
		buf_adds(&w->in, str_upto(bytes, piece));
		bytes = str_from(bytes, piece);
		w->now_ms += 10;
		/* as the loop would: no input is read after the deadline */
		if (w->now_ms >= w->deadline_ms)
			hear(w, session_expired(w->session));
		else
			go_on(w);
	}
}

/* ---- one run ---- */

static void
begin(struct world *w, uint8_t mode, struct conf *conf)
{
	bool is_plain = mode & (MODE_PLAIN | MODE_STARTTLS);
	struct session_setup setup = {.services = &services,
	    .arg = w,
	    .conf = conf,
	    .id = 12345,
	    .client = "203.0.113.7",
	    .port = 465,
	    .is_implicit_tls = !is_plain,
	    .may_tls = true};

	w->session = session_new(&setup);
	w->step = SESSION_NEXT;
	w->wants_tls = !is_plain;
	hear(w, session_begin(w->session));
	if (mode & MODE_STARTTLS)
		feed(w, STR("EHLO x\r\nSTARTTLS\r\n"), SIZE_MAX);
	if (mode & MODE_PLAIN)
		return;
	feed(w, STR("EHLO x\r\n"), SIZE_MAX);
	for (unsigned i = 0; i < 4 && session_user(w->session).n == 0; i++)
		feed(w, STR("AUTH PLAIN AGEAYg==\r\n"), SIZE_MAX);
}

static void
end(struct world *w, uint8_t mode)
{
	if (w->step != SESSION_CLOSE && (mode & MODE_STOP))
		hear(w, session_stop(w->session));
	if (w->step != SESSION_CLOSE && (mode & MODE_GONE))
		hear(w, session_user_gone(w->session));
	if (w->step != SESSION_CLOSE && (mode & MODE_EXPIRE))
		hear(w, session_expired(w->session));
	session_free(&w->session);
	check(w->open == 0 || w->owed == COMMIT);
	check(!w->is_writing);
	buf_clear(&w->in);
}

/* Read once: a session does not change it. */
static struct conf *
configuration(void)
{
	static struct conf *conf;
	struct conf_report report;

	if (conf)
		return conf;
	conf_report_init(&report);
	conf = conf_read_text(
	    STR("hostname = \"mail.example.com\"; domains = ( { name = \"example.com\"; } );"
	        " limits: { message_size = \"200000B\"; recipients_per_message = 20; };"),
	    &report);
	conf_report_clear(&report);
	check(conf);
	return conf;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = {.now_ms = 1000};

	if (size < 3)
		return 0;
	w.random = data[2];
	buf_init(&w.in, 2 << 20);
	begin(&w, data[0], configuration());
	feed(&w, str_make((const char *)data + 3, size - 3), data[1] ? data[1] : SIZE_MAX);
	end(&w, data[0]);
	return 0;
}
