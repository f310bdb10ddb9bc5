/*
 * player: plays a talk against the pure session, with services that answer as the talk says.
 *
 *	! conf TEXT           a line of configuration, before anything else
 *	! whole               not to be played byte by byte as well
 *	! connect [implicit]  a client connects (implicit: TLS comes first)
 *	! tls [plus]          TLS stands (plus: with a tls-exporter)
 *	! secure [plus]       all up to EHLO inside TLS
 *	! login USER          all up to a successful AUTH
 *	! manual              from now on the talk itself gives the queue's verdicts
 *	! verdict CODE DSN TEXT | lost
 *	! auth ok USER | fail | tempfail | malformed | slow | continue TEXT | lost
 *	! no tls|auth|queue|file   that service is not there
 *	! no disk, ! no space   pieces of the file cannot be written: the disk fails, or is full
 *	! disk still|goes-on  pieces of the file are not written for now; they are again
 *	! room N              the spool has room for a message of so many bytes; 0: for none
 *	! transactions N      the session has had so many already
 *	! unseen              the socket holds bytes that were not shown
 *	! time MS             time passes
 *	! stop, ! gone        the server stops; the login is withdrawn
 *	! asked GLOB          the next question to a service
 *	! refused GLOB        the next refusal logged
 *	! replies N GLOB      the next N lines said
 *	! nothing             nothing is said
 *	! closed, ! open, ! waiting
 *	! committed N         messages so far
 *	! header GLOB         one line of the last message's header; ! no-header GLOB: none
 *	! body TEXT           of the last message; ! body-bytes N
 *	! envelope GLOB       "from=a to=b,c body=7 utf8=0 ret=0 envid= notify=0,0 orcpt=,"
 */
#ifndef TESTS_SUBMISSION_PLAYER_H
#define TESTS_SUBMISSION_PLAYER_H

#include <stdbool.h>

/* False: why says where and what.  Plays it whole, then (unless told not to) byte by byte. */
bool player_play(const char *path, char why[400]);

#endif
