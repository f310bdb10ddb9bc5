/*
 * signer: a keys process that does not answer delays one handshake until its timeout; those that
 * follow fail at once, until an answer shows that keys works again. Probes are sent at growing
 * intervals, without waiting for their answers.
 */
#include "submission/signer.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/blocking.h"

enum { BUFFER_BYTES = 16384, PROBE_FIRST_MS = 1000, PROBE_MAX_MS = 30000 };

struct signer {
	int fd; /* -1: no keys process */
	uint64_t last_number;
	signer_lost_fn *lost;
	void *arg;
	bool is_silent; /* an answer is overdue: handshakes do not wait for another one */
	int64_t probe_at_ms;
	int64_t probe_pause_ms;
	struct tls_signer tls_signer;
	struct buf buffer; /* holds one request and its answer */
};

/* ---- a keys process that does not answer ---- */

static void
drop_keys_channel(struct signer *s)
{
	log_error("keys: the channel is broken; TLS handshakes fail until there is a new one");
	close(s->fd);
	s->fd = -1;
	s->lost(s->arg);
}

static void
note_keys_silent(struct signer *s)
{
	log_error("keys does not answer; TLS handshakes fail at once until it does");
	s->is_silent = true;
	s->probe_pause_ms = PROBE_FIRST_MS;
	s->probe_at_ms = clock_mono_ms() + clock_timeout_ms(s->probe_pause_ms);
}

/* The overdue answer may never come: the answer to a probe also shows that keys works again. */
static enum request_end
probe_keys_process(struct signer *s)
{
	char nothing[TLS_KEY_ID_BYTES] = {0};
	struct message_key_ask m = {str_make(nothing, sizeof nothing)};
	struct blocking_question q = {++s->last_number, MESSAGE_KEY_ASK, &m};

	s->probe_pause_ms *= 2;
	if (s->probe_pause_ms > PROBE_MAX_MS)
		s->probe_pause_ms = PROBE_MAX_MS;
	s->probe_at_ms = clock_mono_ms() + clock_timeout_ms(s->probe_pause_ms);
	return blocking_send(s->fd, &q, &s->buffer);
}

static bool
keys_answers_again(struct signer *s)
{
	enum request_end end = blocking_poll(s->fd, &s->buffer);

	if (end == REQUEST_EXPIRED && clock_mono_ms() >= s->probe_at_ms &&
	    probe_keys_process(s) == REQUEST_LOST)
		end = REQUEST_LOST;
	if (end == REQUEST_LOST)
		drop_keys_channel(s);
	if (end != REQUEST_ANSWERED)
		return false;
	log_info("keys answers again");
	s->is_silent = false;
	return true;
}

/* The answer is in *out; its strings are in the signer's buffer until the next request. */
static bool
ask_keys_process(struct signer *s, enum message_type type, const void *question, union message *out)
{
	struct blocking_question q = {0, type, question};
	enum request_end end;

	if (s->fd < 0 || (s->is_silent && !keys_answers_again(s)))
		return false;
	q.number = ++s->last_number;
	end = blocking_ask(s->fd, &q, &s->buffer, out);
	if (end == REQUEST_EXPIRED)
		note_keys_silent(s);
	if (end == REQUEST_LOST)
		drop_keys_channel(s);
	return end == REQUEST_ANSWERED;
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
signer_new(signer_lost_fn *lost, void *arg)
{
	struct signer *s = MEM_NEW(struct signer);

	s->fd = -1;
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
	if ((*s)->fd >= 0)
		close((*s)->fd);
	buf_clear(&(*s)->buffer);
	mem_free(*s);
	*s = NULL;
}

void
signer_connect(struct signer *s, int fd)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = fd;
	s->is_silent = false;
	if (blocking_prepare(fd) != 0)
		log_warn("keys: each handshake takes one more system call: %m");
}

const char *
signer_fault(const struct signer *s)
{
	if (s->fd < 0)
		return "there is no channel to keys";
	return s->is_silent ? "keys does not answer" : NULL;
}

const struct tls_signer *
signer_hooks(const struct signer *s)
{
	return &s->tls_signer;
}
