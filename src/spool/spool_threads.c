/*
 * spool_threads: the names of the threads, and what each of them delays while it makes no progress.
 */
#include "spool/spool_threads.h"

static const struct stall_thread threads[SPOOL_THREADS] = {
	[SPOOL_THREAD_WRITER] = {"spool", "writer", "no mail is acknowledged or sent meanwhile"},
	[SPOOL_THREAD_BODIES] = {"spool", "bodies",
	    "no mail above 128 KiB is acknowledged meanwhile"},
	[SPOOL_THREAD_READER] = {"spool", "reader",
	    "no other message is read for delivery meanwhile"},
	[SPOOL_THREAD_UPKEEP] = {"spool", "upkeep", "nothing is freed meanwhile"},
	[SPOOL_THREAD_FILES] = {"spool", "files", "no mail above 128 KiB is taken meanwhile"},
};

const struct stall_thread *
spool_thread(enum spool_thread thread)
{
	return &threads[thread];
}

const char *
spool_thread_name(enum spool_thread thread)
{
	return threads[thread].name;
}
