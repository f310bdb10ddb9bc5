/*
 * calls: how often the program called recv, send and epoll_wait.  The functions of that name in
 * calls.c stand before those of libc, for src/net and libevent too.
 */
#ifndef TESTS_NET_CALLS_H
#define TESTS_NET_CALLS_H

struct calls {
	unsigned recv, send, turns; /* turns: epoll_wait, once for each turn of the loop */
};

extern struct calls calls;

#endif
