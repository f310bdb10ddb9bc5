/*
 * Any bytes of a client and any answers of the services.  The first byte chooses how the session
 * begins, the second how the input is cut, the third seeds the answers.  Replies stay well formed,
 * one service is asked at a time, the tokens that were taken are spent or returned, and "Queued" is
 * said as often as the queue agreed to a whole message.
 */
#include <errno.h>
#include <stdlib.h>

#include "conf/read.h"
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
must_hold(bool ok)
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
fuzz_expect_answer(struct world *w, enum owed owed)
{
	must_hold(w->owed == NOTHING);
	if (draw(w, 16) == 0)
		return false;
	w->owed = owed;
	return true;
}

static int64_t
fuzz_now_ms(void *arg)
{
	return ((struct world *)arg)->now_ms + 1700000000000;
}

static int64_t
fuzz_mono_ms(void *arg)
{
	return ((struct world *)arg)->now_ms;
}

static void
fuzz_deadline(void *arg, int64_t at_ms)
{
	struct world *w = arg;

	must_hold(at_ms > w->now_ms);
	w->deadline_ms = at_ms;
}

static bool
fuzz_has_unseen(void *arg)
{
	return draw(arg, 4) == 0;
}

static bool
fuzz_start_tls(void *arg)
{
	struct world *w = arg;

	must_hold(!w->is_secure);
	w->wants_tls = draw(w, 4) > 0;
	return w->wants_tls;
}

static bool
fuzz_binding(void *arg, unsigned char out[SESSION_BINDING_BYTES])
{
	(void)arg;
	memset(out, 'b', SESSION_BINDING_BYTES);
	return true;
}

static bool
fuzz_start_auth(void *arg, const struct message_auth_start *m)
{
	struct world *w = arg;

	must_hold(w->is_secure && m->mechanism.n > 0);
	return fuzz_expect_answer(w, AUTH);
}

static bool
fuzz_step_auth(void *arg, const struct message_auth_step *m)
{
	(void)m;
	return fuzz_expect_answer(arg, AUTH);
}

static void
fuzz_cancel_auth(void *arg, const struct message_auth_cancel *m)
{
	struct world *w = arg;

	(void)m;
	must_hold(w->owed == NOTHING || w->owed == AUTH);
	w->owed = NOTHING;
}

static bool
fuzz_is_failing(void *arg)
{
	return draw(arg, 64) == 0;
}

static uint64_t
fuzz_room(void *arg)
{
	static const uint64_t rooms[] = {0, 1000};

	return draw(arg, 8) ? UINT64_MAX : rooms[draw(arg, 2)];
}

static bool
fuzz_take_token(void *arg, struct str user)
{
	struct world *w = arg;

	must_hold(user.n > 0 && w->owed == NOTHING);
	if (draw(w, 2))
		return false;
	w->tokens++;
	return true;
}

static bool
fuzz_ask_token(void *arg, struct str user)
{
	must_hold(user.n > 0);
	return fuzz_expect_answer(arg, TOKEN);
}

static void
fuzz_return_tokens(void *arg, struct str user, uint32_t count)
{
	struct world *w = arg;

	must_hold(user.n > 0 && count == w->tokens && w->owed != COMMIT);
	w->tokens = 0;
	w->owed = NOTHING;
}

static void
fuzz_spend_tokens(void *arg, struct str user, uint32_t count)
{
	struct world *w = arg;

	must_hold(user.n > 0 && count > 0 && count == w->tokens);
	w->tokens = 0;
}

static bool
fuzz_open_file(void *arg, const struct message_spool_file *m)
{
	struct world *w = arg;

	must_hold(m->number > 0 && w->open == 0);
	w->file_bytes = 0;
	if (!fuzz_expect_answer(w, FILE_OPEN))
		return false;
	w->open = m->number;
	return true;
}

static void
fuzz_write_file(void *arg, uint64_t at, struct str bytes)
{
	struct world *w = arg;

	must_hold(!w->is_writing && w->open && w->owed == NOTHING && at == w->file_bytes);
	w->file_bytes += bytes.n;
	w->is_writing = true;
}

static bool
fuzz_commit(void *arg, const struct message_commit *m)
{
	struct world *w = arg;
	struct header_fault fault;
	struct arena arena;
	struct envelope e;

	must_hold(!w->is_writing);
	arena_init(&arena, 4 << 20);
	must_hold(envelope_decode(m->envelope, &arena, &e));
	must_hold(e.recipient_count > 0 && e.recipient_count == w->tokens && e.id.number > 0 &&
	      e.id.number == (m->in_file ? w->open : e.id.number));
	must_hold(e.user.n > 0 && e.sender.n > 0 && e.header_bytes == m->header.n);
	must_hold(e.body_bytes == (m->in_file ? w->file_bytes : m->body.n));
	must_hold(header_is_sendable(m->header, &fault));
	arena_clear(&arena);
	return fuzz_expect_answer(w, COMMIT);
}

static void
fuzz_release(void *arg, const struct message_release *m)
{
	struct world *w = arg;

	must_hold(m->number == w->open && w->owed != COMMIT);
	w->open = 0;
	w->is_writing = false;
	w->owed = NOTHING;
}

static bool
fuzz_may_open_file(void *arg)
{
	struct world *w = arg;

	return draw(w, 8) > 0;
}

static int64_t
fuzz_disk_stalled_ms(void *arg)
{
	struct world *w = arg;

	return draw(w, 2) ? draw(w, 60000) : 0;
}

static void
fuzz_refused(void *arg, const struct session_refusal *r)
{
	(void)arg;
	must_hold(r->stage && r->reason && r->status->code >= 400);
}

static const struct session_services services = {
	.now_ms = fuzz_now_ms,
	.mono_ms = fuzz_mono_ms,
	.deadline = fuzz_deadline,
	.has_unseen = fuzz_has_unseen,
	.start_tls = fuzz_start_tls,
	.binding = fuzz_binding,
	.start_auth = fuzz_start_auth,
	.step_auth = fuzz_step_auth,
	.cancel_auth = fuzz_cancel_auth,
	.room = fuzz_room,
	.is_failing = fuzz_is_failing,
	.take_token = fuzz_take_token,
	.ask_token = fuzz_ask_token,
	.return_tokens = fuzz_return_tokens,
	.spend_tokens = fuzz_spend_tokens,
	.may_open_file = fuzz_may_open_file,
	.open_file = fuzz_open_file,
	.commit = fuzz_commit,
	.release = fuzz_release,
	.write_file = fuzz_write_file,
	.disk_stalled_ms = fuzz_disk_stalled_ms,
	.refused = fuzz_refused,
};

/* ---- what is said ---- */

static void
fuzz_check_reply_line(struct world *w, struct str line)
{
	must_hold(line.n >= 4 && line.p[line.n - 1] == '\r');
	for (size_t i = 0; i < 3; i++)
		must_hold(char_is_digit(line.p[i]));
	must_hold(line.p[3] == ' ' || line.p[3] == '-');
	for (size_t i = 0; i + 1 < line.n; i++)
		must_hold((unsigned char)line.p[i] >= ' ' && line.p[i] != 0x7f);
	w->queued += str_starts(line, STR("250 2.0.0 Queued"));
}

static void
fuzz_read_replies(struct world *w, enum session_step step)
{
	struct str rest = buf_str(session_out(w->session)), line;

	must_hold(buf_ok(session_out(w->session)));
	while (rest.n > 0) {
		must_hold(str_has(rest, '\n'));
		must_hold(str_split(&rest, '\n', &line));
		fuzz_check_reply_line(w, line);
	}
	buf_clear(session_out(w->session));
	w->step = step;
	must_hold(w->queued == w->agreed);
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

	a.status = smtp_status_make(a.outcome == AUTH_TEMPFAIL ? 454 : 535, NULL, "no");
	fuzz_read_replies(w, session_auth_answer(w->session, draw(w, 16) ? &a : NULL));
}

static void
answer_queue(struct world *w, enum owed owed)
{
	struct smtp_status yes = smtp_status_make(250, "2.0.0", "Ok"),
	                   no = smtp_status_make(452, "4.3.1", "Full");
	bool is_yes = draw(w, 8) > 0;

	w->tokens += owed == TOKEN && is_yes;
	if (owed == COMMIT && is_yes) {
		w->agreed++;
		w->open = 0;
	}
	fuzz_read_replies(w, session_queue_answer(w->session, is_yes       ? &yes
	                                                      : draw(w, 2) ? &no
	                                                                   : NULL));
}

static void
fuzz_answer(struct world *w)
{
	enum owed owed = w->owed;

	w->owed = NOTHING;
	if (w->wants_tls) {
		w->wants_tls = false;
		w->is_secure = true;
		fuzz_read_replies(w, session_secured(w->session, "TLSv1.3", true));
	} else if (owed == AUTH) {
		answer_auth(w);
	} else {
		must_hold(owed != NOTHING);
		answer_queue(w, owed);
	}
}

/* A piece was written, was not, or is not in time. */
static void
answer_disk(struct world *w)
{
	struct smtp_status fault;

	if (w->step == SESSION_WAIT && draw(w, 8) == 0) {
		w->now_ms = w->deadline_ms;
		fuzz_read_replies(w, session_expired(w->session));
		must_hold(!w->is_writing || w->step == SESSION_WAIT);
		return;
	}
	w->is_writing = false;
	fault = smtp_status_not_stored(draw(w, 2) ? EIO : ENOSPC);
	fuzz_read_replies(w, session_written(w->session, draw(w, 16) > 0 ? NULL : &fault));
}

static void
fuzz_run_session(struct world *w)
{
	size_t used = 1;

	while (w->step == SESSION_WAIT || (w->step == SESSION_NEXT && used > 0)) {
		if (w->is_writing && (w->step == SESSION_WAIT || draw(w, 4) == 0)) {
			answer_disk(w);
			used = 1;
			continue;
		}
		if (w->step == SESSION_WAIT) {
			fuzz_answer(w);
			used = 1;
			continue;
		}
		fuzz_read_replies(w, session_take(w->session, buf_str(&w->in), &used));
		must_hold(used <= w->in.n);
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
			fuzz_read_replies(w, session_expired(w->session));
		else
			fuzz_run_session(w);
	}
}

/* ---- one run ---- */

static void
fuzz_begin_session(struct world *w, uint8_t mode, struct conf *conf)
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
	fuzz_read_replies(w, session_begin(w->session));
	if (mode & MODE_STARTTLS)
		feed(w, STR("EHLO x\r\nSTARTTLS\r\n"), SIZE_MAX);
	if (mode & MODE_PLAIN)
		return;
	feed(w, STR("EHLO x\r\n"), SIZE_MAX);
	for (unsigned i = 0; i < 4 && session_user(w->session).n == 0; i++)
		feed(w, STR("AUTH PLAIN AGEAYg==\r\n"), SIZE_MAX);
}

static void
fuzz_end_session(struct world *w, uint8_t mode)
{
	if (w->step != SESSION_CLOSE && (mode & MODE_STOP))
		fuzz_read_replies(w, session_stop(w->session));
	if (w->step != SESSION_CLOSE && (mode & MODE_GONE))
		fuzz_read_replies(w, session_user_gone(w->session));
	if (w->step != SESSION_CLOSE && (mode & MODE_EXPIRE))
		fuzz_read_replies(w, session_expired(w->session));
	session_free(&w->session);
	must_hold(w->open == 0 || w->owed == COMMIT);
	must_hold(!w->is_writing);
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
	must_hold(conf);
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
	fuzz_begin_session(&w, data[0], configuration());
	feed(&w, str_make((const char *)data + 3, size - 3), data[1] ? data[1] : SIZE_MAX);
	fuzz_end_session(&w, data[0]);
	return 0;
}
