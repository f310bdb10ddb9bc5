/*
 * host: users, directories and the log target, as the operating system has them.
 */
#ifndef MAIN_HOST_H
#define MAIN_HOST_H

#include "main/daemon.h"

/* Whom each role becomes: as root conf->user (absent: sallyport, else nobody with a warning),
 * with an account of its own "<user>-keys", "-auth", "-queue" where the system has it; else the
 * caller.  False: no such user (logged). */
bool host_identities(const struct conf *c, struct identity identities[ROLE_KINDS]) MUST_USE;

/* Opens a directory, made 0700 for its owner when missing; warns of looser modes.  -1: logged. */
int host_directory(struct str path, const struct identity *owner) MUST_USE;

/* Opens the configured log target; stderr where there is none, said in the log. */
void host_log(const struct conf *c, uint64_t secret);

/* As many descriptors as the system allows. */
void host_raise_limits(void);

/* Do sockets between processes take our largest packets?  False: what to change is in the log. */
bool host_can_talk(void) MUST_USE;

/* Why the daemon does not start, or ends: one line in the log, on standard error and for the
 * service manager.  Returns the exit status. */
int host_refuse(int exit_status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
