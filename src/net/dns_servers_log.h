/*
 * dns_servers_log: tells the administrator in the log that a resolver has stopped answering, and
 * what that means for mail, or that it answers again.
 */
#ifndef NET_DNS_SERVERS_LOG_H
#define NET_DNS_SERVERS_LOG_H

#include <stddef.h>

struct dns_server;

/* One of the servers, in the order of use, has begun or stopped answering. */
void dns_server_log_change(
    struct dns_server *const *servers, size_t count, const struct dns_server *changed);

#endif
