#include "unit/relay/player.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "mail/dot.h"
#include "unit/relay/player_state.h"

bool
player_wrong(struct player *p, const char *format, ...)
{
	int n = snprintf(p->why, 400, "line %u: ", p->act->line);
	va_list args;

	va_start(args, format);
	vsnprintf(p->why + n, 400 - (size_t)n, format, args);
	va_end(args);
	return false;
}

bool
player_word_is(struct str word, const char *text)
{
	return str_eq(word, str_of(text));
}

unsigned
player_number_of(struct str word)
{
	uint64_t n;

	return str_u64(word, &n) ? (unsigned)n : 0;
}

static void
take_output(struct player *p)
{
	struct buf *out = smtp_client_output(p->client);

	buf_adds(&p->output, buf_str(out));
	buf_reset(out);
}

static struct smtp_client *
client(struct player *p)
{
	if (!p->client)
		p->client = smtp_client_new(&p->options);
	return p->client;
}

static void
follow_step(struct player *p, enum smtp_client_step step)
{
	p->step = step;
	take_output(p);
	while (
	    p->step == SMTP_CLIENT_WAIT && smtp_client_awaits_content(p->client) && !p->is_slow) {
		p->step = smtp_client_fill(p->client);
		take_output(p);
	}
}

/* ---- events ---- */

static bool
option(struct player *p, struct str args)
{
	static const char *const tls[] = {"never", "offered", "must", "stands"};
	struct str word, value;

	if (!talk_word(&args, &word))
		return player_wrong(p, "option?");
	if (player_word_is(word, "mx"))
		p->options.check_loop = true;
	else if (player_word_is(word, "lmtp"))
		p->options.is_lmtp = true;
	else if (player_word_is(word, "no-chunking"))
		p->options.without_chunking = true;
	else if (player_word_is(word, "login"))
		return talk_word(&args, &p->options.username) &&
		       talk_word(&args, &p->options.password);
	else if (player_word_is(word, "tls") && talk_word(&args, &value))
		for (unsigned i = 0; i < 4; i++)
			p->options.tls = player_word_is(value, tls[i]) ? (enum smtp_client_tls)i
			                                               : p->options.tls;
	else
		return player_wrong(p, "no such option");
	return true;
}

/* From now on no block can be read. */
static bool
slow(struct player *p, struct str args)
{
	(void)args;
	p->is_slow = true;
	return true;
}

/* Moves the clock by so many milliseconds. */
static bool
later(struct player *p, struct str args)
{
	(void)p;
	clock_fake(clock_mono_ms() + player_number_of(args));
	return true;
}

/* The awaited block can be read, but not the block after it. */
static bool
block(struct player *p, struct str args)
{
	(void)args;
	p->is_slow = false;
	p->wanted_count = WANTED_BEFORE;
	p->step = smtp_client_fill(p->client);
	p->is_slow = true;
	take_output(p);
	follow_step(p, smtp_client_fill(p->client));
	return true;
}

static bool
no_content(struct player *p, struct str args)
{
	return smtp_client_end(client(p))->has_no_content == player_word_is(args, "yes") ||
	       player_wrong(p, "has_no_content is wrong");
}

static bool
begin(struct player *p, struct str args)
{
	enum message_source_scan_state scan;

	(void)args;
	p->message.envelope = &p->envelope;
	p->message.numbers = p->numbers;
	p->envelope.recipients = p->recipients;
	p->message.scanned_bytes = 0;
	p->message.facts = (struct body_facts){.line_bytes = 0};
	while (p->message.body_bytes != 4096 && (scan = message_source_scan(&p->message)))
		if (scan == MESSAGE_SOURCE_SCAN_FAILED)
			return player_wrong(p, "the message cannot be read");
	if (p->step != SMTP_CLIENT_READY)
		return player_wrong(p, "not ready, but at step %d", p->step);
	follow_step(p, smtp_client_send(client(p), &p->message));
	return true;
}

static bool
step(struct player *p, struct str args)
{
	static const char *const names[] = {"wait", "secure", "ready", "over"};

	client(p);
	return player_word_is(args, names[p->step]) ||
	       player_wrong(p, "step is %s", names[p->step]);
}

static bool
secured(struct player *p, struct str args)
{
	follow_step(p, smtp_client_secured(client(p), player_word_is(args, "yes")));
	return true;
}

static bool
lost(struct player *p, struct str args)
{
	struct smtp_status s = smtp_status_make(451, "4.4.2", "connection lost");

	(void)args;
	follow_step(p, smtp_client_lost(client(p), &s, "lost"));
	return true;
}

static bool
expire(struct player *p, struct str args)
{
	(void)args;
	follow_step(p, smtp_client_expired(client(p)));
	return true;
}

static bool
cut(struct player *p, struct str args)
{
	p->piece_bytes = player_number_of(args);
	return true;
}

/* DATA must decode to the message; a chunk must be the message itself. */
static bool
content(struct player *p, struct str args)
{
	bool is_chunk = player_word_is(args, "chunk"), ok;
	struct buf expected, got;
	struct dot d;
	size_t used;

	while (smtp_client_has_more_content(p->client))
		follow_step(p, smtp_client_fill(p->client));
	buf_init(&expected, BODY_MAX);
	buf_init(&got, BODY_MAX);
	buf_adds(&expected, p->message.header);
	buf_addz(&expected, "\r\n");
	buf_adds(&expected, p->message.read ? buf_str(&p->body) : p->message.body);
	dot_init(&d);
	if (is_chunk)
		buf_adds(&got, buf_str(&p->output));
	else if (!dot_take(&d, buf_str(&p->output), &got, &used) || used != p->output.n || d.faults)
		got.n = 0;
	ok = str_eq(buf_str(&expected), buf_str(&got));
	buf_reset(&p->output);
	buf_clear(&expected);
	buf_clear(&got);
	return ok || player_wrong(p, "the content is not the message");
}

/* Drops output that cannot be compared: incomplete content, or a random nonce. */
static bool
rest(struct player *p, struct str args)
{
	(void)args;
	buf_reset(&p->output);
	return true;
}

static bool
check_status(struct player *p, const struct smtp_status *s, const char *reason, struct str args)
{
	char enhanced[SMTP_STATUS_ENHANCED_BYTES] = "-";
	struct str code, detail, why;

	if (!talk_word(&args, &code))
		return player_wrong(p, "CODE ENHANCED REASON");
	if (s->code)
		smtp_status_enhanced(s, enhanced);
	if (player_number_of(code) != s->code)
		return player_wrong(p, "code is %u (%s)", s->code, s->text);
	if (s->code == 0)
		return true;
	if (!talk_word(&args, &detail) || !player_word_is(detail, enhanced))
		return player_wrong(p, "enhanced code is %s", enhanced);
	if (!talk_word(&args, &why) || !player_word_is(why, reason))
		return player_wrong(p, "reason is %s", reason);
	return args.n == 0 || talk_matches(str_trim(args), str_of(s->text)) ||
	       player_wrong(p, "text is \"%s\"", s->text);
}

static bool
result(struct player *p, struct str args)
{
	const struct smtp_client_result *r;
	struct str n;

	if (!talk_word(&args, &n) || player_number_of(n) < 1 ||
	    player_number_of(n) > p->message.count)
		return player_wrong(p, "result N CODE ENHANCED REASON");
	r = &smtp_client_results(client(p))[player_number_of(n) - 1];
	return check_status(p, &r->status, r->reason, args);
}

static bool
dsn(struct player *p, struct str args)
{
	const struct smtp_client_result *r = &smtp_client_results(client(p))[0];

	return r->dsn_passed_on == player_word_is(args, "yes") ||
	       player_wrong(p, "DSN passed on is wrong");
}

static bool
end(struct player *p, struct str args)
{
	const struct smtp_client_end *e = smtp_client_end(client(p));

	return check_status(p, &e->status, e->reason, args);
}

static bool
quit(struct player *p, struct str args)
{
	(void)args;
	smtp_client_quit(client(p));
	take_output(p);
	return true;
}

static bool
phase(struct player *p, struct str args)
{
	return player_word_is(args, smtp_client_phase(client(p))) ||
	       player_wrong(p, "phase is %s", smtp_client_phase(p->client));
}

static bool
bad_chunking(struct player *p, struct str args)
{
	return smtp_client_end(client(p))->bad_chunking == player_word_is(args, "yes") ||
	       player_wrong(p, "bad_chunking is wrong");
}

static const struct player_event events[] = {{"option", option}, {"slow", slow}, {"block", block},
    {"later", later}, {"no-content", no_content}, {"send", begin}, {"step", step},
    {"secured", secured}, {"lost", lost}, {"expire", expire}, {"cut", cut}, {"content", content},
    {"rest", rest}, {"result", result}, {"dsn", dsn}, {"end", end}, {"quit", quit},
    {"phase", phase}, {"bad-chunking", bad_chunking}, {0}};

static const struct player_event *
find(const struct player_event *e, struct str name)
{
	while (e->name && !player_word_is(name, e->name))
		e++;
	return e->name ? e : NULL;
}

static bool
run_event(struct player *p)
{
	struct str rest = p->act->text, name;
	const struct player_event *e;

	if (!talk_word(&rest, &name))
		return player_wrong(p, "no event");
	e = find(events, name);
	if (!e)
		e = find(player_message_events, name);
	return e ? e->run(p, str_trim(rest)) : player_wrong(p, "no event of that name");
}

/* ---- lines ---- */

static bool
expect_client_line(struct player *p)
{
	struct str text = p->act->text;
	size_t n = text.n + (p->act->is_raw ? 0 : 2);

	client(p);
	take_output(p);
	if (p->output.n < n || !str_eq(str_upto(buf_str(&p->output), text.n), text) ||
	    (!p->act->is_raw && memcmp(p->output.p + text.n, "\r\n", 2) != 0))
		return player_wrong(
		    p, "the client sent \"%.*s\"", STR_ARG(str_upto(buf_str(&p->output), 200)));
	buf_drop(&p->output, n);
	return true;
}

static bool
send_server_line(struct player *p)
{
	struct buf bytes;
	struct str in;

	if (p->output.n)
		return player_wrong(p, "the client also sent \"%.*s\"",
		    STR_ARG(str_upto(buf_str(&p->output), 200)));
	buf_init(&bytes, 32 << 20);
	buf_adds(&bytes, p->act->text);
	if (!p->act->is_raw)
		buf_addz(&bytes, "\r\n");
	for (in = buf_str(&bytes); in.n;) {
		struct str piece = p->piece_bytes ? str_upto(in, p->piece_bytes) : in;
		size_t used;

		follow_step(p, smtp_client_take_input(client(p), piece, &used));
		if (p->step != SMTP_CLIENT_WAIT || used == 0)
			break;
		in = str_from(in, used);
	}
	buf_clear(&bytes);
	return true;
}

static bool
act(struct player *p)
{
	if (p->act->kind == TALK_EVENT)
		return run_event(p);
	return p->act->kind == TALK_CLIENT ? expect_client_line(p) : send_server_line(p);
}

bool
player_play(const char *path, char why[400])
{
	struct player *p = MEM_NEW(struct player);
	bool ok = talk_read(path, &p->talk, why);

	p->why = why;
	clock_fake(NOW_MS);
	p->options.timeouts.body_ms = 180000;
	p->options.hostname = STR("gw.example.com");
	p->envelope.sender = STR("alice@example.com");
	p->message.header = STR("Subject: talk\r\n");
	p->message.body = STR("one\r\n.two\r\n");
	buf_init(&p->output, 64 << 20);
	buf_init(&p->body, BODY_MAX);
	for (size_t i = 0; ok && i < p->talk.count; i++) {
		p->act = &p->talk.acts[i];
		ok = act(p);
	}
	if (ok && p->output.n)
		ok = player_wrong(p, "at the end the client also sent \"%.*s\"",
		    STR_ARG(str_upto(buf_str(&p->output), 200)));
	clock_fake(-1);
	smtp_client_free(&p->client);
	message_source_clear(&p->message);
	talk_clear(&p->talk);
	buf_clear(&p->output);
	buf_clear(&p->body);
	mem_free(p);
	return ok;
}
