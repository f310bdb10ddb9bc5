/*
 * replay_refuse: each line states the reason, and what the operator can do.
 */
#include "spool/replay_refuse.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "spool/segment.h"
#include "spool/spool_fault.h"

int
replay_refuse_for(const char *name, const char *what)
{
	int error = errno;
	bool is_forbidden = error == EACCES || error == EPERM;

	log_error("spool: %s %s: %s; the spool is not opened and nothing is changed; %s",
	    name, what, spool_fault_text(error),
	    is_forbidden ? "nothing is lost: as root, in the directory of the spool, give it the "
			   "owner of the directory (chown) and its mode (chmod 600, a directory "
			   "700), and start again"
	    : replay_may_accept(error)
		? "remove the cause and start again, or start once with --accept-damage, which "
		  "sets aside what cannot be read and delivers the rest: messages that stand there "
		  "are lost then, and the log names them, or says where in it to look for them"
		: "remove the cause and start again");
	errno = error;
	return -1;
}

int
replay_refuse(const char *name, uint64_t offset)
{
	char what[64];
	int error = errno;

	snprintf(what, sizeof what, "cannot be read at offset %llu", (unsigned long long)offset);
	errno = error;
	return replay_refuse_for(name, what);
}

int
replay_refuse_version(const char *name, uint64_t offset, uint32_t version)
{
	log_error("spool: %s, offset %llu: this was written by a newer Sallyport (spool format %u; "
		  "this is Sallyport %s with format %u); the spool is not opened and nothing is "
		  "changed; start that version or a later one",
	    name, (unsigned long long)offset, version, PACKAGE_VERSION, SEGMENT_VERSION);
	errno = EPROTO;
	return -1;
}

bool
replay_may_accept(int error)
{
	return segment_is_medium_error(error);
}
