/*
 * player_message: the events that define the message.
 */
#include "unit/relay/player_state.h"

static bool
from(struct player *p, struct str args)
{
	p->envelope.sender = args;
	return true;
}

static bool
to(struct player *p, struct str args)
{
	struct str word;

	p->envelope.recipient_count = 0;
	while (talk_word(&args, &word)) {
		p->recipients[p->envelope.recipient_count] =
		    (struct envelope_recipient){.address = word};
		p->numbers[p->envelope.recipient_count] = p->envelope.recipient_count + 1;
		p->envelope.recipient_count++;
	}
	p->message.count = p->envelope.recipient_count;
	return true;
}

static bool
notify(struct player *p, struct str args)
{
	struct str n, bits;
	struct envelope_recipient *r;

	if (!talk_word(&args, &n) || !talk_word(&args, &bits))
		return player_wrong(p, "notify N BITS ORCPT");
	r = &p->recipients[player_number_of(n) - 1];
	r->notify = player_number_of(bits);
	if (!talk_word(&args, &r->orcpt))
		r->orcpt = STR_NULL;
	return true;
}

static bool
envid(struct player *p, struct str args)
{
	p->envelope.envid = args;
	return true;
}

static bool
ret(struct player *p, struct str args)
{
	p->envelope.ret = player_word_is(args, "full") ? RETURN_FULL : RETURN_HEADERS;
	return true;
}

static bool
utf8(struct player *p, struct str args)
{
	(void)args;
	p->envelope.smtputf8 = true;
	return true;
}

static bool
eight_bit(struct player *p, struct str args)
{
	(void)args;
	p->envelope.facts = BODY_FACTS_KNOWN | BODY_FACTS_8BIT;
	return true;
}

static bool
header(struct player *p, struct str args)
{
	p->message.header = args;
	return true;
}

static bool
body(struct player *p, struct str args)
{
	p->message.body = args;
	p->message.read = NULL;
	return true;
}

/* A block can be read when it was requested WANTED_BEFORE times. */
static enum message_source_answer
read_body(void *arg, uint64_t at, size_t n, struct str *block_out)
{
	struct player *p = arg;

	p->wanted_count = p->wanted_at == at ? p->wanted_count + 1 : 0;
	p->wanted_at = at;
	if (p->wanted_count < WANTED_BEFORE || p->is_slow)
		return MESSAGE_SOURCE_AWAITED;
	if (at + n > p->body.n)
		return MESSAGE_SOURCE_UNREADABLE;
	*block_out = str_upto(str_from(buf_str(&p->body), at), n);
	return MESSAGE_SOURCE_AVAILABLE;
}

/* Lines of 61 bytes; every third one begins with a dot. "file 0": a body that cannot be read. */
static bool
file(struct player *p, struct str args)
{
	size_t bytes = player_number_of(args);

	for (unsigned i = 0; p->body.n + 61 <= bytes; i++)
		buf_addf(&p->body, "%s%058u\r\n", i % 3 ? "x" : ".", i);
	p->message.body_bytes = bytes ? p->body.n : 4096;
	p->message.read = read_body;
	p->message.arg = p;
	return true;
}

const struct player_event player_message_events[] = {{"from", from}, {"to", to}, {"notify", notify},
    {"envid", envid}, {"ret", ret}, {"utf8", utf8}, {"8bit", eight_bit}, {"header", header},
    {"body", body}, {"file", file}, {0}};
