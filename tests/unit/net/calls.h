/*
 * calls: counts the test's calls of recv, send, epoll_wait and epoll_ctl.  The functions of that
 * name in calls.c replace those of libc, for src/net and libevent too.
 */
#ifndef TESTS_NET_CALLS_H
#define TESTS_NET_CALLS_H

struct calls {
	unsigned recv, send;
	unsigned turns; /* epoll_wait: one for each turn of the loop */
	unsigned control; /* epoll_ctl */
};

/* The counters of the calling thread. */
extern __thread struct calls calls;

#endif
