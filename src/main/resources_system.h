/*
 * resources_system: files of the system, which may appear and disappear: resolv.conf and the hosts
 * file.  The relay role gets a copy in memory: of the hosts file only the lines that the routes
 * use; of resolv.conf everything, with interface numbers in place of interface names, which relay
 * may not look up.  A missing file is not an error, and its meaning is defined; a file that cannot
 * be read is an error, and the previous copy stays in use.
 */
#ifndef MAIN_RESOURCES_SYSTEM_H
#define MAIN_RESOURCES_SYSTEM_H

#include "main/resources_types.h"

enum { RESOURCES_SYSTEM_TEXT_BYTES = 400 };

/* True if f is resolv.conf or the hosts file. */
bool resources_system_is_file(const struct conf *c, const struct resources_file *f);
/* Reads f->path.  f->fd is then a new copy; with f->error set it is a duplicate of the former copy,
 * or -1: there is none.  False with errno: no descriptor or memory is available for it. */
bool resources_system_open(
    const struct conf *c, struct resources_file *f, const struct resources_file *former) MUST_USE;
/* Writes the error of f as text. */
const char *resources_system_error(const struct conf *c, const struct resources_file *f,
    char out[RESOURCES_SYSTEM_TEXT_BYTES]);
/* True if the error of f is that the file does not exist. */
bool resources_system_is_absent(const struct resources_file *f);
/* Logs the error of f, if there is one. */
void resources_system_log(const struct conf *c, const struct resources_file *f);
/* Reads all files of the system again and logs changes.  True: a content to send to relay has
 * changed. */
bool resources_system_renew(struct resources *o) MUST_USE;
/* True if a read was postponed because no descriptor or memory was available. */
bool resources_system_is_postponed(const struct resources *o);
/* Writes path and error of the first file that cannot be read, or not be read again; empty:
 * none. */
const char *resources_system_trouble(
    const struct resources *o, char out[RESOURCES_SYSTEM_TEXT_BYTES]);
/* Adds what the daemon would find to the report about the configuration `file`. */
void resources_system_report(const char *file, const struct conf *c, struct conf_report *report);

#endif
