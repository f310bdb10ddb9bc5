/*
 * destination: where mail of a domain goes, decided once from the configuration: the queue decides,
 * and relay follows what was decided.  Its canonical text is what schedule, connections, results
 * and the log name it by.  Pure; knows no DNS: relay finds the hosts of a domain.
 *
 * The text: TRANSPORT ":" NEXT-HOP, then ";" WORD "=" VALUE for each attribute that differs from
 * its default, in the order of one table.  ";", "%" and octets that are not visible ASCII are
 * written as "%" and two digits.  Equal destinations have equal texts.
 */
#ifndef POLICY_DESTINATION_H
#define POLICY_DESTINATION_H

#include "base/buf.h"
#include "conf/conf.h"
#include "policy/idn.h"

/* The ceiling of a text: each octet of the configuration may be written as three. */
enum { DESTINATION_TEXT_MAX = 3 * CONF_TEXT_BYTES_MAX };

/* A further transport is a row of the table of transports, and a further field (a pool of source
 * addresses, a class of priority) a row of the table of attributes, with the key that sets it. */
struct destination {
	enum conf_via transport;
	/* mx: a domain as A-labels, an address literal, or what is no domain name, as it was
	 * given; else the host name or numeric address of the route */
	struct str next_hop;
	uint16_t port;
	struct str login; /* refers to the credentials: only relay has the password */
	/* the policy of TLS */
	enum conf_route_tls tls;
	struct str ca_file;
	bool allow_private; /* always when the transport names its host */
};

/* Decides by the first route that matches.  room: next_hop may be there; the other texts are in the
 * configuration.  Returns the number of the route, from 1; 0: without a route, by MX. */
unsigned destination_decide(
    const struct conf *c, struct str domain, char room[IDN_BYTES], struct destination *out);
/* What a route decides, without the domain: next_hop is empty for mx. */
void destination_of_route(const struct conf_route *r, struct destination *out);
/* Do both configurations decide the same for each domain? */
bool destination_is_unchanged(const struct conf *a, const struct conf *b);
/* Its route names the host, so that DNS has no part in it. */
bool destination_names_host(const struct destination *d);
/* The words of the configuration. */
const char *destination_transport_name(const struct destination *d);
const char *destination_tls_name(const struct destination *d);

/* Adds the canonical text. */
void destination_format(const struct destination *d, struct buf *out);
/* Accepts exactly the canonical texts.  room: text.n octets, for the texts of *out. */
bool destination_parse(struct str text, char *room, struct destination *out) MUST_USE;

/* Has this configuration the credentials and authorities that the destination refers to?
 * *password_out: the password of its login, empty without one. */
bool destination_find_credentials(
    const struct conf *c, const struct destination *d, struct str *password_out) MUST_USE;

#endif
