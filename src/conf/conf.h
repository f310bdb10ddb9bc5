/*
 * conf: the configuration as an immutable tree.  One key table (key.c) is the source for the
 * parser, the defaults, "config check", "config show", "config explain" and sallyport.cfg(5).
 * Trees are reference counted: a session keeps the one it began with.  Strings live as long as
 * their tree.  conf/read.h makes one of a file, conf/write.h writes one.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/arena.h"
#include "base/buf.h"

/* Which role gets a key (bits; the table marks each key).  Main and the tool get all. */
enum conf_role {
	CONF_KEYS = 1 << 0,
	CONF_AUTH = 1 << 1, /* broker and workers */
	CONF_SUBMISSION = 1 << 2,
	CONF_QUEUE = 1 << 3,
	CONF_RELAY = 1 << 4,
	CONF_CONTROL = 1 << 5,
	CONF_MAIN = 1 << 6,
	CONF_ALL = (1 << 7) - 1,
};

enum conf_listen_tls { LISTEN_IMPLICIT, LISTEN_STARTTLS };
enum conf_tls_minimum { TLS_MINIMUM_1_2, TLS_MINIMUM_1_3 };
enum conf_via { VIA_MX, VIA_SMARTHOST, VIA_SMTP, VIA_LMTP };
/* opportunistic: STARTTLS if offered, unverified; encrypt: TLS or defer, unverified; verify: TLS
 * with a valid certificate for the host name, or defer; implicit: TLS from the first byte, verified
 * (smarthost); starttls: like verify (the word of smarthost). */
enum conf_route_tls {
	ROUTE_TLS_OPPORTUNISTIC, ROUTE_TLS_NONE, ROUTE_TLS_ENCRYPT, ROUTE_TLS_VERIFY,
	ROUTE_TLS_IMPLICIT, ROUTE_TLS_STARTTLS
};
enum conf_log_target { CONF_LOG_STDERR, CONF_LOG_JOURNAL, CONF_LOG_SYSLOG, CONF_LOG_FILE };
enum conf_dnssec { DNSSEC_AUTO, DNSSEC_REQUIRE, DNSSEC_OFF };
enum conf_client_address { CLIENT_ADDRESS_HIDE, CLIENT_ADDRESS_SHOW };
enum conf_doubled_fields { DOUBLED_FIELDS_REFUSE, DOUBLED_FIELDS_PASS };

/* "300 recipients / 1h"; one value may have several, joined by commas: all apply. */
struct conf_rate {
	uint64_t count;
	int64_t period_ms;
};
struct conf_rates {
	const struct conf_rate *rate;
	size_t count;
};
struct conf_strs {
	const struct str *str;
	size_t count;
};

struct conf_listen {
	struct str address; /* numeric; empty: all */
	int64_t port;
	int64_t tls; /* enum conf_listen_tls */
};
struct conf_tls {
	struct str certificate; /* file names */
	struct str private_key;
	int64_t minimum; /* enum conf_tls_minimum */
	struct str certificate_location; /* "FILE:LINE" of the key, for messages; */
	struct str private_key_location; /* empty: not read from a file */
};
struct conf_domain {
	struct str name;
};
struct conf_send_as {
	struct str user;
	struct conf_strs addresses; /* "support@example.com", "*@tickets.example.com" */
};
struct conf_user_limit {
	struct str user;
	struct conf_rates per_user;
};
struct conf_route {
	struct str to_domain; /* "example.com", "*.example.com"; empty: all */
	int64_t via;          /* enum conf_via */
	struct str host;      /* for lmtp "unix:/path" is refused: only TCP is supported */
	int64_t port;         /* 0: 25, or 465 for implicit TLS, 587 for starttls, 24 for lmtp */
	int64_t tls;          /* enum conf_route_tls */
	struct str username;
	struct str password;  /* the secret itself: main has read "file:" and "credential:" */
	struct str password_file; /* the file it was read from, for messages; empty: none */
	bool allow_private;
	struct str ca_file;   /* trust anchors for verify; empty: those of the system */
};

/* An index of a list by key: see conf/list_index.h. */
struct list_index_entry {
	struct str key; /* p NULL: an unused slot of the table */
	uint32_t at;    /* position in the list */
};
struct list_index {
	const struct list_index_entry *entry; /* a table with open addressing, half of it unused */
	size_t mask;                          /* number of slots, a power of two, less one */
};

/* The maximum of routes.username: the queue sends it to relay with each delivery. */
enum { CONF_USERNAME_MAX = 1024 };

/* The maximum of a whole configuration as text, as conf_write writes it. */
enum { CONF_TEXT_BYTES_MAX = 8 << 20 };

struct conf {
	struct str hostname;
	struct str postmaster; /* default postmaster@ + first domain */
	bool notices;          /* mail to the postmaster, default true */
	struct str user;
	int64_t node;
	struct str state_directory, run_directory;
	struct str help_desk_group;
	bool has_help_desk;    /* unix_group_find has found it: only in main and the tool */
	uint32_t help_desk;    /* its group id */
	struct { const struct conf_listen *item; size_t count; } listen;
	struct { const struct conf_tls *item; size_t count; } tls; /* the first is the default */
	struct { const struct conf_domain *item; size_t count; } domains;
	struct {
		int64_t processes;              /* 0: one per core */
		int64_t idle_timeout_ms;        /* command read, default 5 minutes */
		int64_t login_timeout_ms;       /* connect to successful AUTH, default 60 s */
		int64_t message_timeout_ms;     /* whole content, absolute, default 30 minutes */
		int64_t drain_timeout_ms;       /* open DATA at SIGTERM, default 30 s */
		int64_t client_address;         /* enum conf_client_address: in Received */
		int64_t doubled_fields;         /* enum conf_doubled_fields: in the header */
	} submission;
	struct {
		struct conf_strs backends;      /* "users" for now */
		struct conf_strs mechanisms;    /* default: PLAIN, LOGIN */
		struct str default_domain;      /* for logins without one; empty: the only domain */
		struct conf_rate failure_limit; /* "10 / 15m" */
		struct conf_rate login_failure_limit; /* of all networks, "30 / 1h" */
		/* conf/network.h; failures from there are not counted */
		struct conf_strs exempt_networks;
		int64_t iterations;             /* PBKDF2, default 20000, at least 4096 */
		int64_t cache_ms;               /* successful PLAIN checks, default 60 s; 0: off */
		int64_t workers;                /* default 2 */
		int64_t step_timeout_ms;        /* a slower worker is killed, default 20 s */
		int64_t checks_per_network;     /* in flight per client network, default 8 */
	} auth;
	struct {
		uint64_t message_size;           /* bytes, default 50M */
		int64_t recipients_per_message;  /* default 200 */
		struct conf_rates per_user;      /* default 300 recipients / 1h */
		struct { const struct conf_user_limit *item; size_t count; } users;
		int64_t sessions_per_client;     /* across processes, default 250 */
		int64_t sessions;                /* all, default 20000 */
		int64_t messages_per_session;    /* default 0: no limit */
	} limits;
	struct {
		struct { const struct conf_send_as *item; size_t count; } send_as;
		bool subaddresses;               /* of own and granted addresses, default true */
	} sender_policy;
	struct { const struct conf_route *item; size_t count; } routes; /* default: one, via mx */
	struct {
		struct str directory;
		int64_t lifetime_ms, delay_warning_ms;
		const int64_t *retry_ms;         /* the last one repeats */
		size_t retry_count;
		int64_t minimum_free;            /* percent */
		uint64_t first_attempt_memory; /* bytes, default 16 MiB; 0: none */
		int64_t destination_concurrency; /* connections to one, default 10 */
		int64_t concurrency;             /* deliveries in all, default 500 */
	} queue;
	struct {
		int64_t attempt_ms, connect_ms, greeting_ms, ehlo_ms, mail_ms;
		int64_t rcpt_ms, data_ms, body_ms, final_ms;
	} timeouts;                              /* relay, RFC 5321 section 4.5.3.2 */
	struct {
		struct str resolver; /* "system", "root", "127.0.0.1@5353" */
		struct str resolv_conf, hosts_file;
		int64_t dnssec; /* enum conf_dnssec */
		struct conf_strs insecure_zones;
		struct str trust_anchor; /* a file */
	} dns;
	struct {
		int64_t target; /* enum conf_log_target */
		struct str file;
		int64_t addresses; /* enum log_addresses */
	} log;
	/* built from the lists above */
	struct list_index limits_by_user, domains_by_name, routes_by_domain;
	struct list_index grants; /* of sender_policy.send_as, one entry for each address */
	struct arena arena;
	unsigned references;
};

enum { CONF_SPOOL_BYTES_MIN = 32 << 20 }; /* in addition to queue.minimum_free: 16 small segments */

/* An empty tree with one reference, without even the defaults (conf/defaults.h). */
struct conf *conf_new(void);
/* Reference counted; conf_drop(&c) releases one reference and sets c to NULL. */
struct conf *conf_keep(struct conf *c);
void conf_drop(struct conf **c);

/* "FILE:LINE: error: …" or "FILE:LINE: warning: …", one per line, sorted by location. */
struct conf_report {
	struct buf text;
	unsigned errors;
	unsigned warnings;
};
void conf_report_init(struct conf_report *r);
void conf_report_clear(struct conf_report *r);

#endif
