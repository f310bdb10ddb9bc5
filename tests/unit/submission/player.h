/*
 * player: plays a talk against a session, with services that answer as the talk states.
 *
 *	! conf TEXT           a line of configuration, before anything else
 *	! whole               not to be played byte by byte as well
 *	! connect [implicit]  a client connects (implicit: TLS comes first)
 *	! tls [plus]          TLS is established (plus: with a tls-exporter)
 *	! secure [plus]       all up to EHLO inside TLS
 *	! login USER          all up to a successful AUTH
 *	! manual              from now on the talk itself gives the queue's answers
 *	! verdict CODE DSN TEXT | lost
 *	! auth ok USER | fail | tempfail | malformed | slow | continue TEXT | lost
 *	! no tls|auth|queue|file   that service is not available
 *	! no disk, ! no space   writes to the file fail: a disk error, or a full disk
 *	! disk still|goes-on  writes to the file do not end; they end again
 *	! room N              the spool has room for a message of so many bytes; 0: for none
 *	! transactions N      the number of transactions so far
 *	! unseen              the socket holds bytes that the session has not seen
 *	! time MS             time passes
 *	! stop, ! gone        the server stops; the user is suspended
 *	! asked GLOB          the next request to a service
 *	! refused GLOB        the next refusal that is logged
 *	! replies N GLOB      the next N reply lines
 *	! nothing             there is no reply
 *	! closed, ! open, ! waiting
 *	! committed N         messages so far
 *	! header GLOB         a line of the last message's header; ! no-header GLOB: there is none
 *	! body TEXT           of the last message; ! body-bytes N
 *	! envelope GLOB       "from=a to=b,c body=7 utf8=0 ret=0 envid= notify=0,0 orcpt=,"
 */
#ifndef TESTS_SUBMISSION_PLAYER_H
#define TESTS_SUBMISSION_PLAYER_H

#include <stdbool.h>

/* False: `why` names the place and the reason. Plays the talk with whole lines, then (unless the
 * talk forbids it) byte by byte. */
bool player_play(const char *path, char why[400]);

#endif
