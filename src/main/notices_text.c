/*
 * notices_text: the kinds of notices, and the text of the mail: when it began, what happened to
 * which object, in the words of the log, and what the administrator should do.
 */
#include <stdio.h>

#include "base/clock.h"
#include "main/notices_list.h"

const struct notices_kind_row notices_kinds[NOTICE_KINDS] = {
    [NOTICE_CERTIFICATE] = {.name = "certificate",
	.subject = "A certificate needs attention",
	.what = "With the certificates of this gateway something was wrong, or was soon to be:",
	.advice = "Write a new certificate, with the intermediate ones behind it, and its key into "
		  "the files that the configuration names. They are loaded when they change. "
		  "Look before and after it:\n"
		  "\n"
		  " sallyport config check\n"
		  " sallyport status\n"},
    [NOTICE_SPOOL] = {.name = "spool",
	.subject = "The spool is not where the configuration says",
	.what = "The directory of the spool was moved or removed, or something is mounted over it:",
	.advice = "What is to be done stands in that line. To see what is in the queue, to stop "
		  "the daemon, and to start it when the directory is back in its place:\n"
		  "\n"
		  " sallyport queue list\n"
		  " systemctl stop sallyport\n"
		  " systemctl start sallyport\n"},
    [NOTICE_TROUBLE] = {.name = "trouble",
	.subject = "A process cannot do all its work",
	.what = "A process of the gateway ran, but could not do all its work:",
	.advice = "Look whether it goes on, and how much room the disks have:\n"
		  "\n"
		  " sallyport status\n"
		  " df -h\n"
		  "\n"
		  "It needs no restart: the process goes on when the cause is gone.\n",
	.has_counters = true},
    [NOTICE_PROCESS] = {.name = "process",
	.subject = "A process has ended that should run",
	.what = "A process of the gateway has ended, or had to be ended, and is started again:",
	.advice = "What was acknowledged stays in the spool. If it happens again, read the log "
		  "around that time and report the fault, with these lines. Look how often each "
		  "process was started:\n"
		  "\n"
		  " sallyport status\n"},
    [NOTICE_RELOAD] = {.name = "reload",
	.subject = "A reload was refused",
	.what = "A reload of the configuration was refused, and the former one stayed in force:",
	.advice = "Correct the file, have it checked, and reload again:\n"
		  "\n"
		  " sallyport config check\n"
		  " sallyport reload\n"},
    [NOTICE_MESSAGES] = {.name = "messages",
	.subject = "Messages are damaged, held or lost",
	.what = "Of these messages, what was stored is damaged or cannot be read:",
	.advice = "Look whether the disk has faults (the log of the kernel), and which messages "
		  "are held. What is left of lost ones is in the spool; sallyportd(8), BACKUP AND "
		  "RESTORE, tells how to read it.\n"
		  "\n"
		  " sallyport status\n"
		  " sallyport queue list --state held\n",
	.is_collected = true},
    [NOTICE_ACCESS] = {.name = "access",
	.subject = "Logins are suspended or limited",
	.what = "Logins were suspended by an administrator, or limited because passwords were "
		"guessed:",
	.advice = "A login whose password may be known to others needs a new one. List what is "
		  "blocked now, and remove the blocks that are wrong:\n"
		  "\n"
		  " sallyport block list\n"
		  " sallyport block remove ADDRESS-OR-LOGIN\n"
		  "\n"
		  "End the suspension of a login, and send what is held of its mail:\n"
		  "\n"
		  " sallyport user resume LOGIN --release\n",
	.is_collected = true, .is_of_users = true},
    [NOTICE_LIMIT] = {.name = "limit",
	.subject = "A login has reached its sending limit",
	.what = "These logins have reached their sending limit, and got 450:",
	.advice = "If a login did not send this mail itself, suspend it, and hold what is queued. "
		  "If it needs more, give it a limit of its own (limits.users).\n"
		  "\n"
		  " sallyport user show LOGIN\n"
		  " sallyport user suspend LOGIN --hold\n",
	.is_collected = true,
	.is_of_users = true},
};

static void
notices_add_omitted(const struct notices_list *l, const struct notices_pending *n, struct buf *out)
{
	if (n->more_count)
		buf_addf(out, "\nAnd %u more of this kind, see the log.\n", n->more_count);
	if (n->omitted_count)
		buf_addf(out, "\n%u more events of all kinds had no place in a notice, see the "
			      "log.\n", n->omitted_count);
	if (l->sent_count + 1 >= NOTICES_A_DAY)
		buf_addf(out, "\nThis is the last one of %d notices in 24 hours: what comes "
			      "meanwhile is in the log.\n", NOTICES_A_DAY);
}

void
notices_list_compose(const struct notices_list *l, struct notices_pending *n, struct buf *out)
{
	const struct notices_kind_row *kind = &notices_kinds[n->kind];
	char stamp[CLOCK_TEXT_BYTES];

	/* a repeated request has the same text, since the mail may have been stored */
	if (n->request_count == 0)
		n->omitted_count = l->omitted_count;
	buf_addf(out, "%s\n\n", kind->what);
	buf_adds(out, buf_str(&n->lines));
	notices_add_omitted(l, n, out);
	buf_addf(out, "\nThe first of this was at %s.\n\n%s\n%s\n",
	    clock_rfc5322(n->since_ms, stamp), kind->advice,
	    kind->is_collected
	        ? "Of this kind there is at most one notice in an hour; the log has every event."
	        : "Of this there is at most one notice in a day; the log has every event.");
	buf_addz(out, "To get no such mail: notices = false in the configuration.\n");
}
