/*
 * resources_system: files of the system, which may come and go: resolv.conf and the hosts file.
 * What is given of them is a copy in memory: of the hosts file what counts for the routes; of the
 * other all, with the numbers of interfaces, which relay may not ask for, instead of their names. A
 * file that is not there is absent, and what that means is defined; one that cannot be read is an
 * error, and the copy that was made before stays.
 */
#ifndef MAIN_RESOURCES_SYSTEM_H
#define MAIN_RESOURCES_SYSTEM_H

#include "main/resources.h"

enum { RESOURCES_SYSTEM_TEXT_BYTES = 400 };

bool resources_system_is_file(const struct conf *c, const struct resources_file *f);
/* f->fd is a copy, or, with f->error, one of the former's copy, or -1: there is none.  False with
 * errno: no descriptor or memory for it. */
bool resources_system_open(
    const struct conf *c, struct resources_file *f, const struct resources_file *former) MUST_USE;
/* The error of f in words. */
const char *resources_system_error(const struct conf *c, const struct resources_file *f,
    char out[RESOURCES_SYSTEM_TEXT_BYTES]);
/* Is the error of f that it is not there? */
bool resources_system_is_absent(const struct resources_file *f);
/* Logs what is wrong with it, if something is. */
void resources_system_log(const struct conf *c, const struct resources_file *f);
/* Reads all anew, and logs what changed.  True: what is to be given is another. */
bool resources_system_renew(struct resources *o) MUST_USE;
/* Could one not be read anew, for want of a descriptor or memory? */
bool resources_system_is_postponed(const struct resources *o);
/* Of the first one that cannot be read, or not anew, what and why; empty: there is none. */
const char *resources_system_trouble(
    const struct resources *o, char out[RESOURCES_SYSTEM_TEXT_BYTES]);
/* What the daemon would find, as lines of a report about the configuration `file`. */
void resources_system_report(const char *file, const struct conf *c, struct conf_report *report);

#endif
