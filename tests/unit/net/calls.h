/*
 * calls: how often the test called recv, send, epoll_wait and epoll_ctl.  The functions of that
 * name in calls.c stand before those of libc, for src/net and libevent too.
 */
#ifndef TESTS_NET_CALLS_H
#define TESTS_NET_CALLS_H

struct calls {
	unsigned recv, send;
	unsigned turns; /* epoll_wait: once for each turn of the loop */
	unsigned control; /* epoll_ctl */
};

/* Of the calling thread. */
extern __thread struct calls calls;

#endif
