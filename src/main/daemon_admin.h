/* daemon_admin: the administrator's commands that main itself answers: reload, status, the running
 * configuration, and its comparison with the file. */
#ifndef MAIN_DAEMON_ADMIN_H
#define MAIN_DAEMON_ADMIN_H

#include "main/daemon.h"

enum { DAEMON_ADMIN_ANSWER_BYTES = 60000 }; /* of the text of an answer */

/* Answers the command m of that call on the channel to control: with rows, then with done. */
void daemon_admin_handle(struct daemon *d, struct channel *control, uint64_t call,
    const struct message_admin *m);
/* SIGHUP, or "reload": reads and checks the file.  When anything is wrong or cannot be opened, the
 * running configuration stays, and only its log is opened again.  What changed, or what is wrong,
 * is appended to `text`.  Returns 0, or an exit status: nothing was applied. */
int daemon_admin_reload(struct daemon *d, struct buf *text);
/* Of the text of an answer, or of a start: a line "config warning" for each warning in it. */
void daemon_admin_log_warnings(struct str text);

#endif
