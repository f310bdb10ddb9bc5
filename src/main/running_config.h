/* running_config: sends the running configuration to the tool, and its differences from the
 * file. */
#ifndef MAIN_RUNNING_CONFIG_H
#define MAIN_RUNNING_CONFIG_H

#include "main/daemon.h"

/* The parts of an answer: the report about a file, the changes, and what was found in certificates
 * and limits. */
enum {
	RUNNING_CONFIG_REPORT_BYTES = 30000,
	RUNNING_CONFIG_CHANGES_BYTES = 15000,
	RUNNING_CONFIG_FINDINGS_BYTES = 12000,
};

/* Adds as many whole lines of the text as fit into `most` bytes, then a line with the number of
 * omitted lines: the size of an answer is limited, and later parts need room. */
void running_config_add_lines(struct buf *out, struct str text, size_t most);

/* "config.show": sends all keys that differ from their defaults, in the file's grammar, a part in
 * each row; no secret.  0, or EXIT_CONFIG without rows: it is too large, as text_out says. */
int running_config_send(
    const struct daemon *d, struct channel *control, uint64_t call, struct buf *text_out);
/* "config.diff": reads the file as a reload would, and applies nothing.  Sends a row for each key
 * that would change, then a row with their number.  0, or EXIT_CONFIG: the text says what is
 * wrong. */
int running_config_compare(
    const struct daemon *d, struct channel *control, uint64_t call, struct buf *text);

#endif
