/*
 * watch_files: certificate and key files, resolv.conf with the interfaces that it names, and the
 * hosts file, looked at every two seconds; what changed is checked and passed on.  What is wrong
 * with certificates in use is logged at the start, when they change, and once a day.
 */
#ifndef MAIN_WATCH_FILES_H
#define MAIN_WATCH_FILES_H

#include "main/daemon.h"

/* The files as they are now, to be called before they are opened for the first time. */
void watch_files_note_initial(struct daemon *d);
void watch_files_start(struct daemon *d);
/* What the files hold now cannot be used, and what they held before is served. */
struct watch_files_refusal {
	const char *why;
	int64_t since_ms; /* clock_ms */
};
/* Is it so for that certificate and its key?  False: the files are those in use, or were not looked
 * at yet. */
bool watch_files_is_refused(
    const struct daemon *d, size_t index, struct watch_files_refusal *out) MUST_USE;
/* By a reload: what is wrong with them is logged at the next look. */
void watch_files_certificates_changed(struct daemon *d);
void watch_files_stop(struct daemon *d);

#endif
