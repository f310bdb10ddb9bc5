/*
 * player: plays one talk file with relay/smtp_client.  The client must send exactly the lines of
 * the file's client; the lines of the file's server are its input.  Events:
 *
 *	! option lmtp | tls never|offered|must|stands | no-chunking | login USER PASSWORD
 *	! from ADDRESS | to ADDRESS… | notify N WORDS ORCPT | envid X | ret full|hdrs | utf8 | 8bit
 *	! header TEXT | body TEXT | file N        (N bytes of body, read in blocks)
 *	! slow            from now on no block of the body can be read
 *	! send            starts the transaction
 *	! step wait|secure|ready|over
 *	! secured yes|no  TLS is established, with a verified certificate or not
 *	! lost | expire   the connection is lost, the timeout is over
 *	! cut N           the server's lines are passed in pieces of N bytes (0: whole)
 *	! content         takes all content up to the end, which must be the message
 *	! rest            drops the rest of the output
 *	! result N CODE ENHANCED REASON    of recipient N; CODE 0: undecided
 *	! end CODE ENHANCED REASON         why the session ended
 *	! quit
 */
#ifndef UNIT_RELAY_PLAYER_H
#define UNIT_RELAY_PLAYER_H

#include <stdbool.h>

/* False: `why` gives the line and the difference. */
bool player_play(const char *path, char why[400]);

#endif
