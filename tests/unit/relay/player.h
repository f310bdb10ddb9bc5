/*
 * player: plays one talk file against relay/smtp_client: what the file's client says must come out,
 *word for word; what its server says goes in.  Events:
 *
 *	! option lmtp | tls never|offered|must|stands | no-chunking | login USER PASSWORD
 *	! from ADDRESS | to ADDRESS… | notify N WORDS ORCPT | envid X | ret full|hdrs | utf8 | 8bit
 *	! header TEXT | body TEXT | file N        (N bytes of body, read in blocks)
 *	! slow            no block of it comes any more
 *	! send            begins the transaction
 *	! step wait|secure|ready|over
 *	! secured yes|no  TLS stands, certificate verified or not
 *	! lost | expire   the connection ends, the patience is over
 *	! cut N           the server's lines are given in pieces of N bytes (0: whole)
 *	! content         takes all content up to the end, which must be the message
 *	! rest            takes whatever was said
 *	! result N CODE ENHANCED REASON    of recipient N; CODE 0: undecided
 *	! end CODE ENHANCED REASON         why the session is over
 *	! quit
 */
#ifndef UNIT_RELAY_PLAYER_H
#define UNIT_RELAY_PLAYER_H

#include <stdbool.h>

/* False: why says which line and what. */
bool player_play(const char *path, char why[400]);

#endif
