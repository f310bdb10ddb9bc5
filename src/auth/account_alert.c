/*
 * account_alert: the text names the account, who changed it as far as that is known, and the
 * reason if one was given. Main decides whether and when a mail is sent. A resumed login ends also
 * what else was reported about it, by objects that begin with its name.
 */
#include "auth/account_alert.h"

#include <stdio.h>

#include "conf/login_name.h"
#include "ipc/operator_log.h"

enum { ACCOUNT_ALERT_BYTES = 2048 };

void
account_alert_suspended(struct broker *b, const struct message_admin *m, struct str name)
{
	struct str reason = message_values_get(m->values, "reason");
	char object[LOGIN_NAME_BYTES + 16];
	struct buf text;

	snprintf(object, sizeof object, "%.*s\nsuspended", STR_ARG(name));
	buf_init(&text, ACCOUNT_ALERT_BYTES);
	buf_addf(&text, "login %.*s was suspended by ", STR_ARG(name));
	operator_log_add_who(&text, m->by, m->claimed_name);
	buf_addf(&text, "%s%.*s", reason.n ? ": " : "", STR_ARG(reason));
	role_alert(b->role, NOTICE_ACCESS, str_of(object), "%.*s", STR_ARG(buf_str(&text)));
	buf_clear(&text);
}

void
account_alert_resumed(struct broker *b, const struct message_admin *m, struct str name)
{
	struct buf text;

	buf_init(&text, ACCOUNT_ALERT_BYTES);
	buf_addf(&text, "over: login %.*s was resumed by ", STR_ARG(name));
	operator_log_add_who(&text, m->by, m->claimed_name);
	role_alert_over(b->role, NOTICE_ACCESS, name, "%.*s", STR_ARG(buf_str(&text)));
	buf_clear(&text);
}
