/*
 * watch_files: checks every two seconds for changes of certificate and key files, of resolv.conf
 * with the interfaces that it names, and of the hosts file; changed files are checked and sent to
 * the roles.  Problems of certificates in use are logged at the start, when they change, and once a
 * day.
 */
#ifndef MAIN_WATCH_FILES_H
#define MAIN_WATCH_FILES_H

#include "main/daemon.h"

/* Notes the state of the files; call it before they are opened for the first time. */
void watch_files_note_initial(struct daemon *d);
/* Starts the timer, and logs the problems of certificates; watch_files_stop frees everything. */
void watch_files_start(struct daemon *d);
/* The changed files cannot be used; their former content stays in use. */
struct watch_files_refusal {
	const char *why;
	int64_t since_ms; /* clock_ms */
};
/* True if that certificate and its key were refused so.  False: the files are those in use, or have
 * not been checked yet. */
bool watch_files_is_refused(
    const struct daemon *d, size_t index, struct watch_files_refusal *out) MUST_USE;
/* Call it after a reload: problems of the certificates are logged at the next check. */
void watch_files_certificates_changed(struct daemon *d);
void watch_files_stop(struct daemon *d);

#endif
