/*
 * sink_session: one thread per connection; all commands are in one table.
 */
#include "support/sink_session.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/mem.h"
#include "support/sink_wire.h"

enum { CONTENT_MAX = 256 << 20, ENVELOPE_MAX = 1 << 20, SCRATCH_BYTES = 700 };

const char *const sink_extensions[] = {"PIPELINING", "SIZE 104857600", "8BITMIME", "SMTPUTF8",
    "DSN", "CHUNKING", "ENHANCEDSTATUSCODES", NULL};

struct sink_session {
	struct sink *sink;
	struct sink_wire *wire;
	struct buf line;
	struct buf sender;     /* arguments of MAIL */
	struct buf recipients; /* arguments of RCPT, one per line */
	struct buf content;
	struct buf helo;
	size_t accepted;
	bool has_sender, is_open, is_in_chunks;
};

struct sink_verb {
	const char *name;
	const char *phase;
	void (*run)(struct sink_session *c, struct str args);
};

static void
sink_send_reply(struct sink_session *c, const char *text)
{
	buf_addf(&c->wire->out, "%s\r\n", text);
}

static bool
rule_fits(struct sink_rule *r, const char *phase, struct str line)
{
	if (strcmp(r->phase, phase) != 0 || r->left == 0)
		return false;
	return !*r->match || memmem(line.p, line.n, r->match, strlen(r->match)) != NULL;
}

/* True if a rule sent the reply. */
static bool
apply_sink_rule(struct sink_session *c, const char *phase, struct str line)
{
	const char *reply = NULL;

	pthread_mutex_lock(&c->sink->lock);
	for (size_t i = 0; i < c->sink->rule_count && !reply; i++)
		if (rule_fits(&c->sink->rules[i], phase, line)) {
			reply = c->sink->rules[i].reply;
			if (c->sink->rules[i].left > 0)
				c->sink->rules[i].left--;
		}
	pthread_mutex_unlock(&c->sink->lock);
	if (!reply)
		return false;
	if (strcmp(reply, "drop") == 0 || strncmp(reply, "421", 3) == 0)
		c->is_open = false;
	if (strcmp(reply, "drop") != 0)
		sink_send_reply(c, reply);
	return true;
}

static void
reset_sink_transaction(struct sink_session *c)
{
	buf_reset(&c->sender);
	buf_reset(&c->recipients);
	buf_reset(&c->content);
	c->accepted = 0;
	c->has_sender = c->is_in_chunks = false;
}

static void
ehlo(struct sink_session *c, struct str args)
{
	reset_sink_transaction(c);
	buf_reset(&c->helo);
	buf_adds(&c->helo, args);
	buf_addf(&c->wire->out, "250-%s\r\n", c->sink->name);
	for (size_t i = 0; sink_extensions[i]; i++)
		if (!(c->sink->without & 1u << i))
			buf_addf(&c->wire->out, "250-%s\r\n", sink_extensions[i]);
	if (c->sink->tls && !c->wire->tls)
		sink_send_reply(c, "250-STARTTLS");
	if (c->sink->account)
		sink_send_reply(c, "250-AUTH PLAIN LOGIN");
	sink_send_reply(c, "250 HELP");
}

static void
helo(struct sink_session *c, struct str args)
{
	reset_sink_transaction(c);
	buf_reset(&c->helo);
	buf_adds(&c->helo, args);
	buf_addf(&c->wire->out, "250 %s\r\n", c->sink->name);
}

static void
starttls(struct sink_session *c, struct str args)
{
	(void)args;
	if (!c->sink->tls || c->wire->tls) {
		sink_send_reply(c, "503 5.5.1 not now");
		return;
	}
	sink_send_reply(c, "220 2.0.0 go ahead");
	reset_sink_transaction(c);
	if (!sink_wire_flush(c->wire) || !sink_wire_secure(c->wire, c->sink->tls))
		c->is_open = false;
}

static bool
account_is(struct sink_session *c, struct str user, struct str password)
{
	const char *colon = strchr(c->sink->account, ':');

	return str_eq(user, str_make(c->sink->account, (size_t)(colon - c->sink->account))) &&
	       str_eq(password, str_of(colon + 1));
}

static bool
sink_ask_token(struct sink_session *c, const char *challenge, struct buf *out)
{
	sink_send_reply(c, challenge);
	buf_reset(out);
	return sink_wire_line(c->wire, &c->line) && decode_base64(out, buf_str(&c->line));
}

static bool
sink_auth_plain(struct sink_session *c, struct str initial, struct buf *token)
{
	struct str rest, authzid, user;

	if (initial.n ? !decode_base64(token, initial) : !sink_ask_token(c, "334 ", token))
		return false;
	rest = buf_str(token);
	return str_split(&rest, '\0', &authzid) && str_split(&rest, '\0', &user) &&
	       account_is(c, user, rest);
}

static bool
sink_auth_login(struct sink_session *c, struct buf *user)
{
	struct buf password;
	bool ok;

	buf_init(&password, SCRATCH_BYTES);
	ok = sink_ask_token(c, "334 VXNlcm5hbWU6", user) &&
	     sink_ask_token(c, "334 UGFzc3dvcmQ6", &password) &&
	     account_is(c, buf_str(user), buf_str(&password));
	buf_clear(&password);
	return ok;
}

static void
auth(struct sink_session *c, struct str args)
{
	struct buf token;
	bool ok = false;

	buf_init(&token, SCRATCH_BYTES);
	if (c->sink->account && str_istarts(args, STR("PLAIN")))
		ok = sink_auth_plain(c, str_trim(str_from(args, 5)), &token);
	else if (c->sink->account && str_istarts(args, STR("LOGIN")))
		ok = sink_auth_login(c, &token);
	sink_send_reply(c, ok ? "235 2.7.0 welcome" : "535 5.7.8 no");
	buf_clear(&token);
}

static void
mail(struct sink_session *c, struct str args)
{
	if (c->has_sender) {
		sink_send_reply(c, "503 5.5.1 sender already given");
		return;
	}
	reset_sink_transaction(c);
	buf_adds(&c->sender, args);
	c->has_sender = true;
	sink_send_reply(c, "250 2.1.0 ok");
}

static bool
is_greylist_known(struct sink_session *c, struct str recipient)
{
	struct buf key;
	bool known;

	buf_init(&key, ENVELOPE_MAX);
	buf_adds(&key, str_upto(buf_str(&c->sender), str_find(buf_str(&c->sender), '>')));
	buf_adds(&key, str_upto(recipient, str_find(recipient, '>')));
	pthread_mutex_lock(&c->sink->lock);
	known = map_put(c->sink->seen, buf_str(&key), c) != NULL;
	pthread_mutex_unlock(&c->sink->lock);
	buf_clear(&key);
	return known;
}

static void
rcpt(struct sink_session *c, struct str args)
{
	if (!c->has_sender) {
		sink_send_reply(c, "503 5.5.1 sender first");
	} else if (c->sink->greylist && !is_greylist_known(c, args)) {
		sink_send_reply(c, "451 4.7.1 Greylisted, try again soon");
	} else {
		buf_addf(&c->recipients, "rcpt=%.*s\n", STR_ARG(args));
		c->accepted++;
		sink_send_reply(c, "250 2.1.5 ok");
	}
}

static void
put_file(int directory, const char *name, struct str bytes)
{
	int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	while (fd >= 0 && bytes.n) {
		ssize_t n = write(fd, bytes.p, bytes.n);

		if (n <= 0)
			break;
		bytes = str_from(bytes, (size_t)n);
	}
	if (fd < 0 || bytes.n)
		die("sink: cannot write %s", name);
	close(fd);
}

/* Writes N.env first, then N.eml by a rename: if N.eml exists, both are complete. */
static void
sink_store_message(struct sink_session *c, unsigned long number)
{
	int directory = open(c->sink->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[40], final[40];
	struct buf env;

	if (directory < 0)
		die("sink: cannot open %s", c->sink->directory);
	buf_init(&env, ENVELOPE_MAX);
	buf_addf(&env, "helo=%.*s\ntls=%s\nmail=%.*s\n", STR_ARG(buf_str(&c->helo)),
	    c->wire->tls ? gnutls_protocol_get_name(gnutls_protocol_get_version(c->wire->tls))
	                 : "none",
	    STR_ARG(buf_str(&c->sender)));
	buf_adds(&env, buf_str(&c->recipients));
	snprintf(name, sizeof name, "%lu.env", number);
	put_file(directory, name, buf_str(&env));
	snprintf(name, sizeof name, "%lu.tmp", number);
	snprintf(final, sizeof final, "%lu.eml", number);
	put_file(directory, name, buf_str(&c->content));
	if (renameat(directory, name, directory, final) < 0)
		die("sink: cannot rename %s", name);
	buf_clear(&env);
	close(directory);
}

static void
accept_message(struct sink_session *c)
{
	unsigned long number;

	pthread_mutex_lock(&c->sink->lock);
	number = ++c->sink->messages;
	c->sink->recipients += c->accepted;
	pthread_mutex_unlock(&c->sink->lock);
	if (c->sink->directory)
		sink_store_message(c, number);
	buf_addf(&c->wire->out, "250 2.0.0 taken as %lu\r\n", number);
}

static void
end_of_message(struct sink_session *c)
{
	struct timespec pause = {c->sink->delay_ms / 1000, c->sink->delay_ms % 1000 * 1000000};
	struct str rest = buf_str(&c->recipients), one;

	if (c->sink->delay_ms)
		nanosleep(&pause, NULL);
	if (!c->sink->lmtp) {
		if (!apply_sink_rule(c, "final", buf_str(&c->recipients)))
			accept_message(c);
	} else {
		while (c->is_open && rest.n && str_split(&rest, '\n', &one))
			if (!apply_sink_rule(c, "final", one))
				accept_message(c);
	}
	reset_sink_transaction(c);
}

/* Reads the content up to the final dot; what follows it stays in the buffer. */
static bool
read_dotted_content(struct sink_session *c)
{
	while (sink_wire_line(c->wire, &c->line)) {
		if (c->line.n == 1 && c->line.p[0] == '.')
			return true;
		buf_adds(
		    &c->content, str_from(buf_str(&c->line), c->line.n && c->line.p[0] == '.'));
		buf_addz(&c->content, "\r\n");
	}
	return false;
}

static void
data(struct sink_session *c, struct str args)
{
	(void)args;
	if (!c->accepted || c->is_in_chunks) {
		sink_send_reply(c,
		    c->is_in_chunks ? "503 5.5.1 BDAT was begun" : "554 5.5.1 no valid recipients");
		return;
	}
	sink_send_reply(c, "354 go ahead");
	if (read_dotted_content(c))
		end_of_message(c);
	else
		c->is_open = false;
}

static void
bdat(struct sink_session *c, struct str args)
{
	struct str size = str_upto(args, str_find(args, ' '));
	bool is_last = str_iends(args, STR(" LAST"));
	struct str in;
	uint64_t left;

	if (!str_u64(size, &left)) {
		sink_send_reply(c, "501 5.5.4 size");
		c->is_open = false;
		return;
	}
	for (; left > 0; left -= in.n) {
		in = str_upto(sink_wire_more(c->wire), left);
		if (in.n == 0) {
			c->is_open = false;
			return;
		}
		buf_adds(&c->content, in);
		sink_wire_drop(c->wire, in.n);
	}
	c->is_in_chunks = !is_last;
	if (!c->accepted)
		sink_send_reply(c, "503 5.5.1 no valid recipients");
	else if (is_last)
		end_of_message(c);
	else
		sink_send_reply(c, "250 2.0.0 chunk");
}

static void
rset(struct sink_session *c, struct str args)
{
	(void)args;
	reset_sink_transaction(c);
	sink_send_reply(c, "250 2.0.0 ok");
}

static void
noop(struct sink_session *c, struct str args)
{
	(void)args;
	sink_send_reply(c, "250 2.0.0 ok");
}

static void
sink_quit(struct sink_session *c, struct str args)
{
	(void)args;
	c->is_open = false;
	sink_send_reply(c, "221 2.0.0 bye");
}

static const struct sink_verb verbs[] = {
    {"EHLO", "ehlo", ehlo},
    {"LHLO", "ehlo", ehlo},
    {"HELO", "helo", helo},
    {"STARTTLS", "starttls", starttls},
    {"AUTH", "auth", auth},
    {"MAIL", "mail", mail},
    {"RCPT", "rcpt", rcpt},
    {"DATA", "data", data},
    {"BDAT", "bdat", bdat},
    {"RSET", "rset", rset},
    {"NOOP", "noop", noop},
    {"QUIT", "quit", sink_quit},
};

static void
command(struct sink_session *c)
{
	struct str line = buf_str(&c->line), name = str_upto(line, str_find(line, ' '));

	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (!str_ieq(name, str_of(verbs[i].name)))
			continue;
		if (!apply_sink_rule(c, verbs[i].phase, line))
			verbs[i].run(c, str_from(line, name.n + 1));
		return;
	}
	sink_send_reply(c, "500 5.5.2 not known");
}

static void
run_sink_session(struct sink_session *c)
{
	c->is_open = !c->sink->implicit_tls || sink_wire_secure(c->wire, c->sink->tls);
	if (c->is_open && !apply_sink_rule(c, "greeting", STR("")))
		buf_addf(&c->wire->out, "220 %s %s sink\r\n", c->sink->name,
		    c->sink->lmtp ? "LMTP" : "ESMTP");
	while (c->is_open && sink_wire_line(c->wire, &c->line))
		command(c);
	if (!sink_wire_flush(c->wire))
		c->is_open = false;
}

void
sink_serve(struct sink *s, int fd)
{
	struct sink_session c = {.sink = s, .wire = MEM_NEW(struct sink_wire)};

	sink_wire_init(c.wire, fd);
	buf_init(&c.line, 1 << 17);
	buf_init(&c.sender, 1 << 17);
	buf_init(&c.recipients, ENVELOPE_MAX);
	buf_init(&c.content, CONTENT_MAX);
	buf_init(&c.helo, 1 << 17);
	run_sink_session(&c);
	sink_wire_clear(c.wire);
	mem_free(c.wire);
	buf_clear(&c.line);
	buf_clear(&c.sender);
	buf_clear(&c.recipients);
	buf_clear(&c.content);
	buf_clear(&c.helo);
}
