/*
 * routing: which way a domain's mail goes (pure): the first matching entry of conf->routes.
 */
#ifndef POLICY_ROUTING_H
#define POLICY_ROUTING_H

#include "conf/conf.h"

/* domain: lower case.  Never NULL: without a match, the built-in route via MX. */
const struct conf_route *routing_find_route(const struct conf *c, struct str domain);
/* 1-based number for the log; 0: the built-in one. */
unsigned routing_route_number(const struct conf *c, const struct conf_route *r);
uint16_t routing_port(const struct conf_route *r);
const char *routing_via_name(int64_t via);
const char *routing_tls_name(int64_t tls);

#endif
