/* running_config: the configuration that the daemon has, told to the tool, and how the file
 * differs. */
#ifndef MAIN_RUNNING_CONFIG_H
#define MAIN_RUNNING_CONFIG_H

#include "main/daemon.h"

/* Of an answer: what it may hold of a report about a file, of changes, and of what was found in
 * certificates and limits. */
enum {
	RUNNING_CONFIG_REPORT_BYTES = 30000,
	RUNNING_CONFIG_CHANGES_BYTES = 15000,
	RUNNING_CONFIG_FINDINGS_BYTES = 12000,
};

/* As many whole lines of the text, and one that says how many there are more: an answer has a
 * bound, and what comes behind must still find room. */
void running_config_add_lines(struct buf *out, struct str text, size_t most);

/* "main.config": all keys that differ from their defaults, in the file's grammar, a part of it in
 * each row; no secret.  0, or EXIT_CONFIG and no rows: it is too large, as the text says. */
int running_config_send(
    const struct daemon *d, struct channel *control, uint64_t call, struct buf *text_out);
/* "main.diff": reads the file as a reload would, and applies nothing.  A row for each key that
 * would be another one, then one with their number.  0, or EXIT_CONFIG: the text says what is
 * wrong. */
int running_config_compare(
    const struct daemon *d, struct channel *control, uint64_t call, struct buf *text);

#endif
