/*
 * signer: a keys process that does not answer delays one handshake until its timeout; after that it
 * is not asked again until an answer shows that it works. Probes are sent to it at growing
 * intervals, without waiting for their answers. Meanwhile the other keys process is asked; without
 * another one, handshakes fail at once.
 */
#include "submission/signer.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/blocking.h"

enum { BUFFER_BYTES = 16384, PROBE_FIRST_MS = 1000, PROBE_MAX_MS = 30000 };

/* The channel to one keys process. */
struct signer_channel {
	int fd; /* -1: none */
	struct role_peer peer;
	uint64_t last_number;
	bool is_silent; /* an answer is overdue: no handshake waits for another one */
	int64_t probe_at_ms;
	int64_t probe_pause_ms;
};

struct signer {
	/* the one that is asked first, and the one that is asked when that does not answer */
	struct signer_channel channels[SIGNER_CHANNELS];
	unsigned first; /* index of the keys process that belongs in channels[0] */
	signer_lost_fn *lost;
	void *arg;
	struct tls_signer tls_signer;
	struct buf buffer; /* holds one request and its answer */
};

/* ---- a keys process that does not answer ---- */

static bool
has_other_keys(const struct signer *s, const struct signer_channel *c)
{
	for (size_t i = 0; i < SIGNER_CHANNELS; i++)
		if (&s->channels[i] != c && s->channels[i].fd >= 0 && !s->channels[i].is_silent)
			return true;
	return false;
}

static void
drop_keys_channel(struct signer *s, struct signer_channel *c)
{
	log_error("keys %u: the channel is broken; until there is a new one, %s", c->peer.index,
	    has_other_keys(s, c) ? "another keys process signs" : "TLS handshakes fail");
	close(c->fd);
	c->fd = -1;
	s->lost(c->peer, s->arg);
}

static void
note_keys_silent(struct signer *s, struct signer_channel *c)
{
	log_error("keys %u does not answer; until it does, %s", c->peer.index,
	    has_other_keys(s, c) ? "another keys process signs" : "TLS handshakes fail at once");
	c->is_silent = true;
	c->probe_pause_ms = PROBE_FIRST_MS;
	c->probe_at_ms = clock_mono_ms() + clock_timeout_ms(c->probe_pause_ms);
}

/* The overdue answer may never come: the answer to a probe also shows that keys works again. */
static enum request_end
probe_keys_process(struct signer *s, struct signer_channel *c)
{
	char nothing[TLS_KEY_ID_BYTES] = {0};
	struct message_key_ask m = {str_make(nothing, sizeof nothing)};
	struct blocking_question q = {++c->last_number, MESSAGE_KEY_ASK, &m};

	c->probe_pause_ms *= 2;
	if (c->probe_pause_ms > PROBE_MAX_MS)
		c->probe_pause_ms = PROBE_MAX_MS;
	c->probe_at_ms = clock_mono_ms() + clock_timeout_ms(c->probe_pause_ms);
	return blocking_send(c->fd, &q, &s->buffer);
}

static bool
keys_answers_again(struct signer *s, struct signer_channel *c)
{
	enum request_end end = blocking_poll(c->fd, &s->buffer);

	if (end == REQUEST_EXPIRED && clock_mono_ms() >= c->probe_at_ms &&
	    probe_keys_process(s, c) == REQUEST_LOST)
		end = REQUEST_LOST;
	if (end == REQUEST_LOST)
		drop_keys_channel(s, c);
	if (end != REQUEST_ANSWERED)
		return false;
	log_info("keys %u answers again", c->peer.index);
	c->is_silent = false;
	return true;
}

/* The answer is in *out; its strings are in the signer's buffer until the next request. */
static bool
ask_keys_channel(struct signer *s, struct signer_channel *c, struct blocking_question *q,
    union message *out)
{
	enum request_end end;

	if (c->fd < 0 || (c->is_silent && !keys_answers_again(s, c)))
		return false;
	q->number = ++c->last_number;
	end = blocking_ask(c->fd, q, &s->buffer, out);
	if (end == REQUEST_EXPIRED)
		note_keys_silent(s, c);
	if (end == REQUEST_LOST)
		drop_keys_channel(s, c);
	return end == REQUEST_ANSWERED;
}

/* Asks the first keys process, and the other one only when the first gives no answer. */
static bool
ask_keys_process(struct signer *s, enum message_type type, const void *question, union message *out)
{
	struct blocking_question q = {0, type, question};

	for (size_t i = 0; i < SIGNER_CHANNELS; i++)
		if (ask_keys_channel(s, &s->channels[i], &q, out))
			return true;
	return false;
}

/* ---- the functions that TLS calls ---- */

static bool
sign_with_keys_process(void *arg, const unsigned char key_id[TLS_KEY_ID_BYTES], uint32_t algorithm,
    bool is_hash, struct str data, unsigned char *signature_out, size_t *size_io)
{
	struct message_sign m = {
	    .key_id = str_make((const char *)key_id, TLS_KEY_ID_BYTES),
	    .algorithm = algorithm,
	    .is_hash = is_hash,
	    .data = data,
	};
	union message answer;
	bool is_signed = ask_keys_process(arg, MESSAGE_SIGN, &m, &answer) && answer.signature.ok &&
	                 answer.signature.signature.n <= *size_io;

	if (is_signed) {
		*size_io = answer.signature.signature.n;
		memcpy(signature_out, answer.signature.signature.p, *size_io);
	}
	return is_signed;
}

static bool
find_tls_key(void *arg, const unsigned char key_id[TLS_KEY_ID_BYTES], uint32_t *algorithm_out,
    uint32_t *bits_out)
{
	struct message_key_ask m = {str_make((const char *)key_id, TLS_KEY_ID_BYTES)};
	union message answer;

	if (!ask_keys_process(arg, MESSAGE_KEY_ASK, &m, &answer) || !answer.key.known)
		return false;
	*algorithm_out = answer.key.algorithm;
	*bits_out = answer.key.bits;
	return true;
}

struct signer *
signer_new(unsigned first, signer_lost_fn *lost, void *arg)
{
	struct signer *s = MEM_NEW(struct signer);

	for (size_t i = 0; i < SIGNER_CHANNELS; i++)
		s->channels[i].fd = -1;
	s->first = first;
	s->lost = lost;
	s->arg = arg;
	s->tls_signer = (struct tls_signer){sign_with_keys_process, find_tls_key, s};
	buf_init(&s->buffer, BUFFER_BYTES);
	return s;
}

void
signer_free(struct signer **s)
{
	if (!*s)
		return;
	for (size_t i = 0; i < SIGNER_CHANNELS; i++)
		if ((*s)->channels[i].fd >= 0)
			close((*s)->channels[i].fd);
	buf_clear(&(*s)->buffer);
	mem_free(*s);
	*s = NULL;
}

void
signer_connect(struct signer *s, struct role_peer peer, int fd)
{
	struct signer_channel *c = &s->channels[peer.index == s->first ? 0 : 1];

	if (c->fd >= 0)
		close(c->fd);
	*c = (struct signer_channel){.fd = fd, .peer = peer, .last_number = c->last_number};
	if (blocking_prepare(fd) != 0)
		log_warn("keys %u: each handshake takes one more system call: %m", peer.index);
}

const char *
signer_fault(const struct signer *s)
{
	const char *fault = "there is no channel to keys";

	for (size_t i = 0; i < SIGNER_CHANNELS; i++) {
		if (s->channels[i].fd >= 0 && !s->channels[i].is_silent)
			return NULL;
		if (s->channels[i].fd >= 0)
			fault = "keys does not answer";
	}
	return fault;
}

const struct tls_signer *
signer_hooks(const struct signer *s)
{
	return &s->tls_signer;
}
