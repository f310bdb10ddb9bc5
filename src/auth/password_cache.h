/*
 * password_cache: passwords of users, remembered for a time. One cache has right passwords, so that
 * many logins at once cost one derivation per user and not one per session; another has wrong
 * passwords, so that the same one counts once. An entry is the HMAC-SHA-256 of user and password
 * under a key drawn at the start; neither can be read from it. The cache has a fixed size.
 */
#ifndef AUTH_PASSWORD_CACHE_H
#define AUTH_PASSWORD_CACHE_H

#include "base/str.h"

struct password_cache;

/* An empty cache; password_cache_free wipes it and sets *c to NULL. */
struct password_cache *password_cache_new(void);
void password_cache_free(struct password_cache **c);

/* True: this password of this user is remembered. */
bool password_cache_has(
    const struct password_cache *c, struct str user, struct str password) MUST_USE;
/* As password_cache_has, and removes the entry. */
bool password_cache_take(struct password_cache *c, struct str user, struct str password) MUST_USE;
/* ttl_ms 0: nothing is remembered. */
void password_cache_add(
    struct password_cache *c, struct str user, struct str password, int64_t ttl_ms);
/* Forgets all passwords of this user (and perhaps those of a few others). */
void password_cache_forget_user(struct password_cache *c, struct str user);

#endif
