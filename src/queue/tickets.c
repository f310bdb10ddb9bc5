/*
 * tickets: HMAC-SHA256, cut to 64 bits.  Each wrong guess writes a line to the log.
 */
#include "queue/tickets.h"

#include <gnutls/crypto.h>

#include "base/mem.h"

enum { MAC_BYTES = 32 };

bool
tickets_load(struct tickets *t, struct str value)
{
	if (value.n != sizeof t->key)
		return false;
	memcpy(t->key, value.p, sizeof t->key);
	t->is_known = t->is_durable = true;
	return true;
}

void
tickets_ensure(struct tickets *t)
{
	if (t->is_known)
		return;
	if (gnutls_rnd(GNUTLS_RND_KEY, t->key, sizeof t->key) != 0)
		die("tickets: no random bytes");
	t->is_known = true;
}

uint64_t
ticket_make(const struct tickets *t, uint64_t attempt_id, struct msgid id, uint32_t place)
{
	uint64_t words[4] = {attempt_id, id.session, id.number, place};
	unsigned char mac[MAC_BYTES];
	uint64_t ticket;

	if (gnutls_hmac_fast(
	        GNUTLS_MAC_SHA256, t->key, sizeof t->key, words, sizeof words, mac) != 0)
		die("tickets: no MAC");
	memcpy(&ticket, mac, sizeof ticket);
	return ticket;
}
