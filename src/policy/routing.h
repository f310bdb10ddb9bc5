/*
 * routing: finds the route for a domain: the first entry of conf->routes that matches.  Pure.
 */
#ifndef POLICY_ROUTING_H
#define POLICY_ROUTING_H

#include "conf/conf.h"

/* domain: in lower case.  Never NULL: if no entry matches, the built-in route via MX. */
const struct conf_route *routing_find_route(const struct conf *c, struct str domain);
/* The number of the route for the log, from 1; 0: the built-in route. */
unsigned routing_route_number(const struct conf *c, const struct conf_route *r);
/* The configured port, or the default for the kind of route. */
uint16_t routing_port(const struct conf_route *r);
/* The words of the configuration, for the log. */
const char *routing_via_name(int64_t via);
const char *routing_tls_name(int64_t tls);

#endif
