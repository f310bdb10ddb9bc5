/*
 * password_cache: sets of a few ways, chosen by the user's keyed hash. All entries of a user are in
 * one set and can be cleared without an index.
 */
#include "auth/password_cache.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/mem.h"

enum { SETS = 4096, WAYS = 4, KEY_BYTES = 32 };

struct password_cache_entry {
	uint8_t key[KEY_BYTES];
	int64_t until_ms; /* monotonic; 0: free */
};

struct password_cache {
	uint8_t secret[KEY_BYTES];
	struct password_cache_entry entries[SETS][WAYS];
};

struct password_cache *
password_cache_new(void)
{
	struct password_cache *c = MEM_NEW(struct password_cache);

	if (gnutls_rnd(GNUTLS_RND_KEY, c->secret, sizeof c->secret) != 0)
		die("no random bytes");
	return c;
}

void
password_cache_free(struct password_cache **c)
{
	if (!*c)
		return;
	mem_wipe(*c, sizeof **c);
	mem_free(*c);
	*c = NULL;
}

static size_t
password_cache_set_of(struct str user)
{
	return map_hash(user) % SETS;
}

/* HMAC of user and password with a NUL between them, which a user name never contains. */
static void
make_password_cache_key(
    const struct password_cache *c, struct str user, struct str password, uint8_t out[KEY_BYTES])
{
	gnutls_hmac_hd_t h;

	if (gnutls_hmac_init(&h, GNUTLS_MAC_SHA256, c->secret, sizeof c->secret) != 0)
		die("no HMAC");
	if (gnutls_hmac(h, user.p, user.n) != 0 || gnutls_hmac(h, "", 1) != 0 ||
	    gnutls_hmac(h, password.p, password.n) != 0)
		die("no HMAC");
	gnutls_hmac_deinit(h, out);
}

bool
password_cache_has(const struct password_cache *c, struct str user, struct str password)
{
	const struct password_cache_entry *set = c->entries[password_cache_set_of(user)];
	int64_t now_ms = clock_mono_ms();
	uint8_t key[KEY_BYTES];
	bool has = false;

	make_password_cache_key(c, user, password, key);
	for (int i = 0; i < WAYS; i++)
		has |= set[i].until_ms > now_ms && gnutls_memcmp(set[i].key, key, KEY_BYTES) == 0;
	return has;
}

bool
password_cache_take(struct password_cache *c, struct str user, struct str password)
{
	struct password_cache_entry *set = c->entries[password_cache_set_of(user)];
	uint8_t key[KEY_BYTES];
	bool has = password_cache_has(c, user, password);

	make_password_cache_key(c, user, password, key);
	for (int i = 0; has && i < WAYS; i++)
		if (gnutls_memcmp(set[i].key, key, KEY_BYTES) == 0)
			set[i] = (struct password_cache_entry){0};
	return has;
}

void
password_cache_add(struct password_cache *c, struct str user, struct str password, int64_t ttl_ms)
{
	struct password_cache_entry *set = c->entries[password_cache_set_of(user)], *entry = set;
	uint8_t key[KEY_BYTES];

	if (ttl_ms <= 0)
		return;
	make_password_cache_key(c, user, password, key);
	for (int i = 0; i < WAYS; i++) {
		if (memcmp(set[i].key, key, KEY_BYTES) == 0) {
			entry = &set[i];
			break;
		}
		if (set[i].until_ms < entry->until_ms)
			entry = &set[i];
	}
	memcpy(entry->key, key, KEY_BYTES);
	entry->until_ms = clock_mono_ms() + ttl_ms;
}

void
password_cache_forget_user(struct password_cache *c, struct str user)
{
	mem_wipe(c->entries[password_cache_set_of(user)], sizeof c->entries[0]);
}
