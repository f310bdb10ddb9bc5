/* daemon_admin: the operator's commands that main itself answers: reload, status, and the
 * configuration that it has. */
#ifndef MAIN_DAEMON_ADMIN_H
#define MAIN_DAEMON_ADMIN_H

#include "main/daemon.h"

enum { DAEMON_ADMIN_ANSWER_BYTES = 60000 }; /* of the words of an answer */

/* Answers with rows and done. */
void daemon_admin_handle(struct daemon *d, struct channel *control, uint64_t call,
    const struct message_admin *m);
/* SIGHUP, or "reload": reads and checks the file; the old configuration stays when anything is
 * wrong or cannot be opened, and its log is opened anew then, too.  What changed, or what is wrong,
 * is appended to `text`.  0, or an exit status: nothing was applied. */
int daemon_admin_reload(struct daemon *d, struct buf *text);

#endif
