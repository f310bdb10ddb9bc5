/*
 * password_cache: passwords of users, remembered for a time: those that were found right, so that a
 * storm of logins costs one derivation per user and not one per session; and, in another one, those
 * that were found wrong, so that the same one again counts once.  An entry is HMAC-SHA-256 of user
 * and password under a secret of this start; neither can be read back.  Of fixed size.
 */
#ifndef AUTH_PASSWORD_CACHE_H
#define AUTH_PASSWORD_CACHE_H

#include "base/str.h"

struct password_cache;

struct password_cache *password_cache_new(void);
void password_cache_free(struct password_cache **c);

bool password_cache_has(
    const struct password_cache *c, struct str user, struct str password) MUST_USE;
/* As password_cache_has, and it is forgotten. */
bool password_cache_take(struct password_cache *c, struct str user, struct str password) MUST_USE;
/* ttl_ms 0: remembers nothing. */
void password_cache_add(
    struct password_cache *c, struct str user, struct str password, int64_t ttl_ms);
/* Forgets whatever was known of this user (and perhaps of a few others). */
void password_cache_forget_user(struct password_cache *c, struct str user);

#endif
