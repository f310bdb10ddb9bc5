/*
 * signer: two questions.  A keys process that does not answer costs each handshake one time-out at
 * most until it is replaced: after a failure the descriptor is given up.
 */
#include "submission/signer.h"

#include <unistd.h>

#include "base/mem.h"
#include "ipc/channel.h"

enum { ANSWER_MS = 2000, ROOM_BYTES = 16384 };

struct signer {
	int fd; /* -1: no keys process */
	struct tls_signer hooks;
};

/* The answer of that type in *out, its strings in *room; else nobody is there any more. */
static bool
ask(struct signer *s, enum message_type type, const void *question, struct buf *room,
    union message *out)
{
	struct channel_question q = {type, question, ANSWER_MS};
	enum message_type wanted = type == MESSAGE_SIGN ? MESSAGE_SIGNED : MESSAGE_KEY, got;

	if (s->fd < 0)
		return false;
	if (channel_call_blocking(s->fd, &q, room, &got, out) == 0 && got == wanted)
		return true;
	close(s->fd);
	s->fd = -1;
	return false;
}

static bool
sign(void *arg, const unsigned char key_id[TLS_KEY_ID_BYTES], uint32_t algorithm, bool is_hash,
    struct str data, unsigned char *signature_out, size_t *size_io)
{
	struct message_sign m = {
	    .key_id = str_make((const char *)key_id, TLS_KEY_ID_BYTES),
	    .algorithm = algorithm,
	    .is_hash = is_hash,
	    .data = data,
	};
	union message answer;
	struct buf room;
	bool is_signed;

	buf_init(&room, ROOM_BYTES);
	is_signed = ask(arg, MESSAGE_SIGN, &m, &room, &answer) && answer.signature.ok &&
	            answer.signature.signature.n <= *size_io;
	if (is_signed) {
		*size_io = answer.signature.signature.n;
		memcpy(signature_out, answer.signature.signature.p, *size_io);
	}
	buf_clear(&room);
	return is_signed;
}

static bool
find(void *arg, const unsigned char key_id[TLS_KEY_ID_BYTES], uint32_t *algorithm_out,
    uint32_t *bits_out)
{
	struct message_key_ask m = {str_make((const char *)key_id, TLS_KEY_ID_BYTES)};
	union message answer;
	struct buf room;
	bool is_known;

	buf_init(&room, ROOM_BYTES);
	is_known = ask(arg, MESSAGE_KEY_ASK, &m, &room, &answer) && answer.key.known;
	buf_clear(&room);
	if (!is_known)
		return false;
	*algorithm_out = answer.key.algorithm;
	*bits_out = answer.key.bits;
	return true;
}

struct signer *
signer_new(void)
{
	struct signer *s = MEM_NEW(struct signer);

	s->fd = -1;
	s->hooks = (struct tls_signer){sign, find, s};
	return s;
}

void
signer_free(struct signer **s)
{
	if (!*s)
		return;
	if ((*s)->fd >= 0)
		close((*s)->fd);
	mem_free(*s);
	*s = NULL;
}

void
signer_connect(struct signer *s, int fd)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = fd;
}

const struct tls_signer *
signer_hooks(const struct signer *s)
{
	return &s->hooks;
}
