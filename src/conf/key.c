/*
 * key: the rows.  Roles follow least privilege: a role gets only the keys that it needs.
 */
#include "conf/key.h"

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define AT(member) offsetof(struct conf, member)
#define LISTEN(member) offsetof(struct conf_listen, member)
#define TLS(member) offsetof(struct conf_tls, member)
/* The queue decides by routes, and relay has the password. */
#define CONF_ROUTES (CONF_QUEUE | CONF_RELAY)
#define ROUTE(member) offsetof(struct conf_route, member)
#define SENDS (CONF_SUBMISSION | CONF_QUEUE)

static const char *const listen_words[] = {"implicit", "starttls", NULL};
static const char *const minimum_words[] = {"1.2", "1.3", NULL};
static const char *const via_words[] = {"mx", "smarthost", "smtp", "lmtp", NULL};
static const char *const route_tls_words[] = {
	"opportunistic", "none", "encrypt", "verify", "implicit", "starttls", NULL};
static const char *const log_words[] = {"stderr", "journal", "syslog", "file", NULL};
static const char *const addresses_words[] = {"full", "domain", "hashed", NULL};
static const char *const dnssec_words[] = {"auto", "require", "off", NULL};
static const char *const client_words[] = {"hide", "show", NULL};
static const char *const doubled_words[] = {"refuse", "pass", NULL};
static const char *const backend_words[] = {"users", NULL};
static const char *const mechanism_words[] = {
	"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN", NULL};

const struct conf_key conf_key_table[] = {
	{"hostname", KEY_TEXT, AT(hostname), CONF_ALL, .form = FORM_HOSTNAME, .flags = KEY_REQUIRED,
	    .example = "\"mail.example.com\"",
	    .help = "The name of this gateway: in its greeting, in EHLO to others, in Received "
		"and Message-ID fields. It should resolve to the addresses that mail leaves "
		"from."},
	{"postmaster", KEY_TEXT, AT(postmaster), SENDS | CONF_RELAY, .form = FORM_ADDRESS,
	    .example = "\"postmaster@example.com\"",
	    .help = "The address that gets mail for <postmaster>, reports that could not be "
		"delivered to a sender, and notices about what needs an administrator. Without "
		"it: postmaster at the first domain."},
	{"notices", KEY_SWITCH, AT(notices), CONF_MAIN, "true",
	    .help = "Whether the postmaster gets mail about what needs an administrator: a "
		"certificate near its end, a spool that was moved, a disk without room, a process "
		"that crashed, a refused reload, damaged messages, logins that are guessed or at "
		"their limit. About one thing at most one a day, and 30 a day in all."},
	{"user", KEY_TEXT, AT(user), CONF_MAIN,
	    .example = "\"sallyport\"", .flags = KEY_RESTART,
	    .help = "The user that the processes change to when started as root. Without it: "
		"sallyport. It must exist, and must be neither nobody nor root."},
	{"node", KEY_NUMBER, AT(node), CONF_ALL, "0", .max = 31, .flags = KEY_RESTART,
	    .help = "The number of this gateway among several; part of every id."},
	{"state_directory", KEY_TEXT, AT(state_directory), CONF_AUTH, "\"/var/lib/sallyport\"",
	    .form = FORM_PATH, .flags = KEY_RESTART,
	    .help = "The directory of the data that commands change: accounts and secrets made "
		"at first start."},
	{"run_directory", KEY_TEXT, AT(run_directory), CONF_CONTROL, "\"/run/sallyport\"",
	    .form = FORM_PATH, .flags = KEY_RESTART,
	    .help = "Where the socket for the sallyport command is."},
	{"help_desk_group", KEY_TEXT, AT(help_desk_group), CONF_CONTROL,
	    .example = "\"adm\"",
	    .help = "A group of this system whose members may look with the sallyport command: "
		"status, accounts, blocks, what is queued with its header, and routes; and end "
		"blocks. They see no body of a message and no secret, and change nothing else. "
		"Without it: root alone, and the user that the daemon runs as. The group is "
		"looked up at the start, and by a reload when the name is another one or was not "
		"found yet. Where it is not found at the start, as with a directory service "
		"that is not up, there is a warning, and its members may do nothing until a "
		"reload finds it; config check, and a reload that brings the name, refuse it."},

	{"listen", KEY_LIST, AT(listen), CONF_SUBMISSION,
	    "( { port = 465; tls = \"implicit\"; }, { port = 587; tls = \"starttls\"; } )",
	    .item_bytes = sizeof(struct conf_listen), .max = 16,
	    .help = "Where mail programs connect. AUTH is offered only inside TLS."},
	{"listen.address", KEY_TEXT, LISTEN(address), CONF_SUBMISSION, .form = FORM_IP,
	    .flags = KEY_ITEM,
	    .example = "\"192.0.2.1\"",
	    .help = "A numeric IPv4 or IPv6 address. Without it: all addresses."},
	{"listen.port", KEY_NUMBER, LISTEN(port), CONF_SUBMISSION, .min = 1, .max = 65535,
	    .flags = KEY_ITEM | KEY_REQUIRED,
	    .example = "465",
	    .help = "The TCP port."},
	{"listen.tls", KEY_WORD, LISTEN(tls), CONF_SUBMISSION, .words = listen_words,
	    .flags = KEY_ITEM | KEY_REQUIRED,
	    .example = "\"implicit\"",
	    .help = "implicit: TLS from the first byte (RFC 8314, port 465); starttls: after "
		"the STARTTLS command (port 587)."},

	{"tls", KEY_LIST, AT(tls), CONF_KEYS | CONF_SUBMISSION, .flags = KEY_SINGLE,
	    .item_bytes = sizeof(struct conf_tls), .max = 32,
	    .example = "{ certificate = \"/etc/sallyport/tls/mail.crt\"; private_key = "
		"\"/etc/sallyport/tls/mail.key\"; }",
	    .help = "Certificates: one group, or a list of groups. The client's server name "
		"(SNI) chooses; the first one is for clients that name none. An ECDSA and an "
		"RSA certificate may stand for the same name. Files are read again when they "
		"change."},
	{"tls.certificate", KEY_TEXT, TLS(certificate), CONF_KEYS | CONF_SUBMISSION,
	    .form = FORM_PATH,
	    .flags = KEY_ITEM | KEY_REQUIRED,
	    .example = "\"/etc/sallyport/tls/mail.crt\"",
	    .help = "A PEM file: the certificate, then the intermediate ones, each behind the one "
		"that it issued. One that cannot be used refuses a reload, and a start without "
		"another; one that has expired is served, and sallyport status ends with 69."},
	{"tls.private_key", KEY_TEXT, TLS(private_key), CONF_KEYS, .form = FORM_PATH,
	    .flags = KEY_ITEM | KEY_REQUIRED,
	    .example = "\"/etc/sallyport/tls/mail.key\"",
	    .help = "A PEM file, without a password. Only one process keeps what is in it. The "
		"shipped unit hides what is below /root and /home: sallyportd(8), Paths outside "
		"the unit."},
	{"tls.minimum", KEY_WORD, TLS(minimum), CONF_SUBMISSION, "\"1.2\"", .words = minimum_words,
	    .flags = KEY_ITEM,
	    .help = "The lowest TLS version that is accepted. The strictest group's holds for "
		"all. TLS 1.2 has suites with GCM, CCM or ChaCha20-Poly1305 alone, none with "
		"CBC."},

	{"domains", KEY_LIST, AT(domains), CONF_AUTH | SENDS | CONF_RELAY, .flags = KEY_REQUIRED,
	    .item_bytes = sizeof(struct conf_domain), .max = 20000,
	    .example = "( { name = \"example.com\"; } )",
	    .help = "The domains that logins send from. An account is made only in one of them, "
		"and a login of another one sends nothing."},
	{"domains.name", KEY_TEXT, offsetof(struct conf_domain, name), CONF_AUTH | SENDS,
	    .form = FORM_DOMAIN, .flags = KEY_ITEM | KEY_REQUIRED,
	    .example = "\"example.com\"",
	    .help = "The domain. The first one completes addresses without a domain."},

	{"submission.processes", KEY_NUMBER, AT(submission.processes), CONF_SUBMISSION, "0",
	    .max = 32,
	    .flags = KEY_RESTART,
	    .help = "How many processes serve clients. 0: one per core."},
	{"submission.idle_timeout", KEY_DURATION, AT(submission.idle_timeout_ms), CONF_SUBMISSION,
	    "\"5m\"", .min = SECOND, .max = DAY,
	    .help = "How long a client may take for one command."},
	{"submission.login_timeout", KEY_DURATION, AT(submission.login_timeout_ms), CONF_SUBMISSION,
	    "\"60s\"", .min = SECOND, .max = DAY,
	    .help = "How long a client may take from connecting to a successful login."},
	{"submission.message_timeout", KEY_DURATION, AT(submission.message_timeout_ms),
	    CONF_SUBMISSION,
	    "\"30m\"", .min = SECOND, .max = DAY,
	    .help = "How long a client may take for the content of one message."},
	{"submission.drain_timeout", KEY_DURATION, AT(submission.drain_timeout_ms), CONF_SUBMISSION,
	    "\"30s\"", .max = HOUR,
	    .help = "How long an open message may still take when the daemon is stopped."},
	{"submission.client_address", KEY_WORD, AT(submission.client_address), CONF_SUBMISSION,
	    "\"hide\"", .words = client_words,
	    .help = "Whether the Received field shows the client's address. The log always has "
		"it."},
	{"submission.doubled_fields", KEY_WORD, AT(submission.doubled_fields), CONF_SUBMISSION,
	    "\"refuse\"", .words = doubled_words,
	    .help = "What happens to a message in which a header field occurs twice that may "
		"occur once (RFC 5322 section 3.6). refuse: 554, because many receivers refuse "
		"it as well, and others show either of them; pass: it is sent unchanged. Two "
		"From or two Sender fields are always refused."},

	{"auth.backends", KEY_TEXTS, AT(auth.backends), CONF_AUTH | CONF_SUBMISSION,
	    "( \"users\" )",
	    .words = backend_words, .min = 1, .max = 1,
	    .help = "The sources of logins. users: the accounts made by \"sallyport user\"."},
	{"auth.mechanisms", KEY_TEXTS, AT(auth.mechanisms), CONF_AUTH | CONF_SUBMISSION,
	    "( \"PLAIN\", \"LOGIN\" )",
	    .words = mechanism_words,
	    .min = 1, .max = 4,
	    .help = "SASL mechanisms, in the order in which they are offered, always inside TLS. "
		"With SCRAM-SHA-256 the password does not leave the client; SCRAM-SHA-256-PLUS "
		"also binds the login to the TLS connection, in TLS 1.3 only. Both are offered "
		"only where they are named here, because mail programs are in use that choose "
		"them when they are offered and cannot do them: msmtp of Debian 13 SCRAM-SHA-256 "
		"without -PLUS (it says \"GNU SASL: Error authenticating user\"), mutt and "
		"neomutt of Debian 12 and 13 -PLUS."},
	{"auth.default_domain", KEY_TEXT, AT(auth.default_domain), CONF_AUTH | SENDS,
	    .form = FORM_DOMAIN, .example = "\"example.com\"",
	    .help = "The domain of a login name that comes without one, one of \"domains\". "
		"Where only one domain is configured it is that one. With several and without "
		"this key such names stay as they are."},
	{"auth.failure_limit", KEY_RATE, AT(auth.failure_limit), CONF_AUTH, "\"10 / 15m\"",
	    .unit = "failures",
	    .help = "How many failed logins a client network may have in a period; the same wrong "
		"password of a login counts once. Beyond it the network is answered with 421, "
		"unchecked, but for logins that succeeded there in the last month: each of "
		"them has this limit for itself, over all addresses of the same IPv4 /24 or "
		"IPv6 /64."},
	{"auth.login_failure_limit", KEY_RATE, AT(auth.login_failure_limit), CONF_AUTH,
	    "\"30 / 1h\"", .unit = "failures",
	    .help = "How many wrong passwords one login may have in a period, from all networks "
		"together; the same one again counts once. Beyond it the login is answered 454, "
		"unchecked, but where it succeeded in the last month and its account was not "
		"changed since."},
	{"auth.exempt_networks", KEY_TEXTS, AT(auth.exempt_networks), CONF_AUTH, "( )",
	    .form = FORM_NETWORK, .max = 1000, .example = "[ \"192.0.2.0/24\", \"2001:db8::/32\" ]",
	    .help = "Networks whose failed logins are neither counted nor limited, as those of a "
		"proxy or of an office. Blocks made by hand hold there too."},
	{"auth.iterations", KEY_NUMBER, AT(auth.iterations), CONF_AUTH, "20000", .min = 4096,
	    .max = 10000000,
	    .help = "PBKDF2 rounds of new passwords. More rounds make the passwords of a stolen "
		"account store harder to guess, and each login without SCRAM more expensive."},
	{"auth.cache", KEY_DURATION, AT(auth.cache_ms), CONF_AUTH, "\"60s\"", .max = HOUR,
	    .help = "How long a successful password check is cached, in memory, under a secret "
		"of this start. \"0s\": not at all."},
	{"auth.workers", KEY_NUMBER, AT(auth.workers), CONF_AUTH, "2", .min = 1, .max = 24,
	    .flags = KEY_RESTART,
	    .help = "Processes that derive keys from passwords, for PLAIN and LOGIN."},
	{"auth.step_timeout", KEY_DURATION, AT(auth.step_timeout_ms),
	    CONF_AUTH | CONF_SUBMISSION, "\"20s\"",
	    .min = SECOND, .max = 10 * MINUTE,
	    .help = "A worker that takes longer for one check is killed; the client gets 454."},
	{"auth.checks_per_network", KEY_NUMBER, AT(auth.checks_per_network), CONF_AUTH, "8",
	    .min = 1,
	    .max = 10000,
	    .help = "Password checks at once for one client network."},

	{"limits.message_size", KEY_SIZE, AT(limits.message_size), SENDS, "\"50M\"", .min = 65536,
	    .max = INT64_C(2) << 30,
	    .help = "The largest message, as announced by the SIZE extension."},
	{"limits.recipients_per_message", KEY_NUMBER, AT(limits.recipients_per_message), SENDS,
	    "200",
	    .min = 1, .max = 1000,
	    .help = "Recipients of one message; RFC 5321 section 4.5.3.1.8 asks for at least "
		"100."},
	{"limits.per_user", KEY_RATES, AT(limits.per_user), CONF_QUEUE, "\"300 recipients / 1h\"",
	    .unit = "recipients",
	    .example = "\"300 recipients / 1h, 2000 recipients / 1d\"",
	    .help = "Recipients that one login may write to in a period. Several, joined by "
		"commas, all apply."},
	{"limits.users", KEY_LIST, AT(limits.users), CONF_QUEUE, .max = 20000,
	    .item_bytes = sizeof(struct conf_user_limit),
	    .example = "( { user = \"erp@example.com\"; per_user = \"5000 recipients / 1h\"; } )",
	    .help = "Logins with a limit of their own."},
	{"limits.users.user", KEY_TEXT, offsetof(struct conf_user_limit, user), CONF_QUEUE,
	    .form = FORM_LOGIN, .flags = KEY_ITEM | KEY_REQUIRED,
	    .example = "\"erp@example.com\"",
	    .help = "The login. Without a domain: that of this name, and that of the name with "
		"auth.default_domain or the only domain."},
	{"limits.users.per_user", KEY_RATES, offsetof(struct conf_user_limit, per_user), CONF_QUEUE,
	    .unit = "recipients", .flags = KEY_ITEM | KEY_REQUIRED,
	    .example = "\"5000 recipients / 1h\"",
	    .help = "The limit in place of limits.per_user."},
	{"limits.sessions_per_client", KEY_NUMBER, AT(limits.sessions_per_client), CONF_SUBMISSION,
	    "250", .min = 1, .max = 1000000,
	    .help = "Connections at once from one client address, all processes counted."},
	{"limits.sessions", KEY_NUMBER, AT(limits.sessions), CONF_SUBMISSION, "20000", .min = 1,
	    .max = 1000000,
	    .help = "Connections at once in all. `config check` and the start compare them with "
		"the limit of open files."},
	{"limits.messages_per_session", KEY_NUMBER, AT(limits.messages_per_session),
	    CONF_SUBMISSION,
	    "0", .max = 1000000,
	    .help = "Messages in one connection; then 421. 0: as many as the limits of the login "
		"allow."},

	{"sender_policy.send_as", KEY_LIST, AT(sender_policy.send_as), CONF_SUBMISSION,
	    .max = 20000,
	    .item_bytes = sizeof(struct conf_send_as),
	    .example = "( { user = \"helpdesk@example.com\"; addresses = ( "
		"\"support@example.com\" ); } )",
	    .help = "Addresses that a login may use besides its own, as envelope sender and in "
		"the header."},
	{"sender_policy.send_as.user", KEY_TEXT, offsetof(struct conf_send_as, user),
	    CONF_SUBMISSION,
	    .form = FORM_LOGIN, .flags = KEY_ITEM | KEY_REQUIRED,
	    .example = "\"helpdesk@example.com\"",
	    .help = "The login. Without a domain as in limits.users; a login has the addresses "
		"of all its entries."},
	{"sender_policy.send_as.addresses", KEY_TEXTS, offsetof(struct conf_send_as, addresses),
	    CONF_SUBMISSION, .form = FORM_PATTERN, .flags = KEY_ITEM | KEY_REQUIRED, .min = 1,
	    .max = 1000,
	    .example = "( \"support@example.com\", \"*@tickets.example.com\" )",
	    .help = "Whole addresses, or *@domain for all of a domain."},

	{"sender_policy.subaddresses", KEY_SWITCH, AT(sender_policy.subaddresses), CONF_SUBMISSION,
	    "true",
	    .help = "Whether alice+tag@example.com belongs to the login that alice@example.com "
		"belongs to, for every tag. Switch it off where mailboxes of several people "
		"have names that differ only behind a +."},

	{"routes", KEY_LIST, AT(routes), CONF_ROUTES, "( { via = \"mx\"; } )", .max = 10000,
	    .item_bytes = sizeof(struct conf_route),
	    .example = "( { to_domain = \"example.com\"; via = \"lmtp\"; host = \"127.0.0.1\"; "
		"}, { via = \"mx\"; } )",
	    .help = "Which way mail goes, by the recipient's domain. The first match wins; mail "
		"that no route matches goes by MX."},
	{"routes.to_domain", KEY_TEXT, ROUTE(to_domain), CONF_ROUTES, .form = FORM_TO_DOMAIN,
	    .flags = KEY_ITEM,
	    .example = "\"*.example.com\"",
	    .help = "A domain, or *. and a domain for all below it. Without it: every domain."},
	{"routes.via", KEY_WORD, ROUTE(via), CONF_ROUTES, "\"mx\"", .words = via_words,
	    .flags = KEY_ITEM | KEY_SHOWN,
	    .help = "mx: to the hosts in DNS; smarthost: to a provider that relays it; smtp: to "
		"one host (Postfix, Exchange); lmtp: to one host that stores (Dovecot)."},
	{"routes.host", KEY_TEXT, ROUTE(host), CONF_ROUTES, .form = FORM_HOST, .flags = KEY_ITEM,
	    .example = "\"smtp.example.net\"",
	    .help = "A host name or numeric address; not with mx."},
	{"routes.port", KEY_NUMBER, ROUTE(port), CONF_ROUTES, "0", .max = 65535, .flags = KEY_ITEM,
	    .example = "587",
	    .help = "0: 25, or 465 with implicit TLS, 587 with starttls, 24 with lmtp."},
	{"routes.tls", KEY_WORD, ROUTE(tls), CONF_ROUTES, "\"opportunistic\"",
	    .words = route_tls_words,
	    .flags = KEY_ITEM,
	    .help = "opportunistic: where offered, unverified; none: never; encrypt: always, "
		"unverified; verify: always, with a certificate that has the host among its "
		"subject alternative names (RFC 9525); implicit and starttls: as verify, from "
		"the first byte or after STARTTLS."},
	{"routes.username", KEY_TEXT, ROUTE(username), CONF_ROUTES, .flags = KEY_ITEM,
	    .example = "\"example\"",
	    .help = "The login at the smarthost; needs password."},
	{"routes.password", KEY_TEXT, ROUTE(password), CONF_RELAY, .form = FORM_SECRET,
	    .flags = KEY_ITEM,
	    .example = "\"file:/etc/sallyport/secrets/smarthost\"",
	    .help = "\"file:/path\": the file's first line; \"credential:NAME\": from systemd's "
		"LoadCredential=; anything else is the password itself."},
	{"routes.allow_private", KEY_SWITCH, ROUTE(allow_private), CONF_ROUTES, "false",
	    .flags = KEY_ITEM,
	    .help = "Whether mx may lead to loopback and private addresses. A host that the "
		"route names may be at either without it."},
	{"routes.ca_file", KEY_TEXT, ROUTE(ca_file), CONF_ROUTES, .form = FORM_PATH,
	    .flags = KEY_ITEM,
	    .example = "\"/etc/sallyport/partner-ca.pem\"",
	    .help = "A PEM file of the authorities to trust. Without it: the system's."},

	{"queue.directory", KEY_TEXT, AT(queue.directory), CONF_QUEUE, "\"/var/spool/sallyport\"",
	    .form = FORM_PATH, .flags = KEY_RESTART,
	    .help = "The spool. Best on a file system of its own; never on a network. The "
		"shipped unit lets the daemon write in few places: sallyportd(8), Paths outside "
		"the unit."},
	{"queue.lifetime", KEY_DURATION, AT(queue.lifetime_ms), CONF_QUEUE, "\"5d\"", .min = SECOND,
	    .max = 60 * DAY,
	    .help = "How long delivery is tried before the sender gets a report of its failure. "
		"At its end there is a last attempt, even during a pause; of many messages for "
		"one host that cannot be reached, one is tried for all. It also ends messages "
		"that cannot be tried, because the stored message cannot be read or is damaged, "
		"or because the delivering process does not work; but not those that an "
		"operator holds."},
	{"queue.delay_warning", KEY_DURATION, AT(queue.delay_warning_ms), CONF_QUEUE, "\"4h\"",
	    .max = 60 * DAY,
	    .help = "After how long the sender gets a report, once per message, that it is "
		"delayed and until when it is tried, unless NOTIFY excludes it. \"0s\": never; "
		"so is a time not below queue.lifetime."},
	{"queue.retry", KEY_DURATIONS, AT(queue.retry_ms), CONF_QUEUE,
	    "[ \"5m\", \"15m\", \"30m\", \"1h\", \"2h\", \"4h\" ]", .min = 1, .max = 100,
	    .help = "Pauses between attempts. The last one repeats."},
	{"queue.minimum_free", KEY_PERCENT, AT(queue.minimum_free), CONF_QUEUE, "\"5%\"", .max = 90,
	    .help = "The share of the file system that must stay free; below it clients get "
		"452. Segments of the spool without content count as free. Records about stored "
		"messages, and reports, may use half of the share. The rest must be 32 MiB or "
		"more, or the daemon does not start; below 1 GiB the spool's segments are "
		"smaller, a sixteenth of it each, and at least 2 MiB."},
	{"queue.first_attempt_memory", KEY_SIZE, AT(queue.first_attempt_memory), CONF_QUEUE,
	    "\"16M\"", .min = 0, .max = 1 << 30,
	    .help = "Memory for the content of new messages, until their first delivery has "
		"begun, so that it need not be read from the disk. Without room the oldest are "
		"read from the disk; with \"0B\" all are."},
	{"queue.destination_concurrency", KEY_NUMBER, AT(queue.destination_concurrency),
	    CONF_QUEUE | CONF_RELAY, "10", .min = 1, .max = 10000,
	    .former = "queue.site_concurrency",
	    .help = "Connections at once to one destination: hosts that share an MX set. A "
		"destination has one until it has answered, and one more for each answer up to "
		"this number. A destination that does not answer, cannot be reached or replies "
		"421 has one again."},
	{"queue.concurrency", KEY_NUMBER, AT(queue.concurrency), CONF_QUEUE | CONF_RELAY, "500",
	    .min = 1, .max = 100000,
	    .help = "Deliveries at once in all. Destinations that have not answered, or did not "
		"the last time, have half of them together. One user alone can use four fifths, "
		"and a sixth for destinations that have not answered; several share. Each may "
		"need four descriptors; `config check` and the start compare that with the "
		"limit of open files."},

	{"timeouts.attempt", KEY_DURATION, AT(timeouts.attempt_ms), CONF_QUEUE | CONF_RELAY,
	    "\"10m\"",
	    .min = 100, .max = HOUR,
	    .help = "For one attempt as a whole, over all hosts and addresses that are tried "
		"and with the DNS queries, until a host has accepted the recipients and waits "
		"for the content. Then: deferred. No new host is tried after this time."},
	{"timeouts.connect", KEY_DURATION, AT(timeouts.connect_ms), CONF_RELAY, "\"30s\"",
	    .min = 100, .max = HOUR,
	    .help = "For another host: to connect, per address."},
	{"timeouts.greeting", KEY_DURATION, AT(timeouts.greeting_ms), CONF_RELAY, "\"5m\"",
	    .min = 100, .max = HOUR,
	    .help = "For its greeting (RFC 5321 section 4.5.3.2)."},
	{"timeouts.ehlo", KEY_DURATION, AT(timeouts.ehlo_ms), CONF_RELAY, "\"5m\"", .min = 100,
	    .max = HOUR,
	    .help = "For the reply to EHLO, STARTTLS, the TLS handshake and each step of AUTH."},
	{"timeouts.mail", KEY_DURATION, AT(timeouts.mail_ms), CONF_RELAY, "\"5m\"", .min = 100,
	    .max = HOUR,
	    .help = "For the reply to MAIL."},
	{"timeouts.rcpt", KEY_DURATION, AT(timeouts.rcpt_ms), CONF_RELAY, "\"5m\"", .min = 100,
	    .max = HOUR,
	    .help = "For the reply to each RCPT."},
	{"timeouts.data", KEY_DURATION, AT(timeouts.data_ms), CONF_RELAY, "\"2m\"", .min = 100,
	    .max = HOUR,
	    .help = "For the reply to DATA."},
	{"timeouts.body", KEY_DURATION, AT(timeouts.body_ms), CONF_QUEUE | CONF_RELAY, "\"3m\"",
	    .min = 100,
	    .max = HOUR,
	    .help = "For the host to take one block (64 KiB) of the content, or for the disk to "
		"give it. For the whole of it: this time, and one second for every 4 KiB."},
	{"timeouts.final", KEY_DURATION, AT(timeouts.final_ms), CONF_QUEUE | CONF_RELAY, "\"10m\"",
	    .min = 100,
	    .max = HOUR,
	    .help = "For the reply to the end of the content."},

	{"dns.resolver", KEY_TEXT, AT(dns.resolver), CONF_RELAY, "\"system\"",
	    .form = FORM_RESOLVER,
	    .example = "\"127.0.0.1@53\"",
	    .help = "The resolver of names. system: the nameservers of dns.resolv_conf, in "
		"their order. root: this gateway itself, from the root servers. Or one "
		"resolver, as ADDRESS or ADDRESS@PORT. DNSSEC is validated here in each case. "
		"Only the first nameserver can answer that a name does not exist, as the others "
		"may not know internal names: while it does not answer, mail for such a name is "
		"deferred and not returned."},
	{"dns.resolv_conf", KEY_TEXT, AT(dns.resolv_conf), CONF_RELAY, "\"/etc/resolv.conf\"",
	    .form = FORM_PATH,
	    .help = "The file with the system's nameservers (resolv.conf(5)); the first three "
		"count. Without the file, or without a nameserver in it: 127.0.0.1. When it "
		"changes, or an interface that it names, it is read again within seconds; while "
		"it cannot be read, the content read before is used."},
	{"dns.hosts_file", KEY_TEXT, AT(dns.hosts_file), CONF_RELAY, "\"/etc/hosts\"",
	    .form = FORM_PATH,
	    .help = "The file whose addresses (hosts(5)) count for the hosts that routes name, "
		"before DNS. MX records, the hosts that they name and the domains of recipients "
		"are looked up in DNS alone. It may have 64 MiB, as only the names of routes "
		"are kept. When it changes it is read again within seconds; while it cannot be "
		"read, the content read before is used. A host of a route that has no address, "
		"neither here nor in DNS, defers its mail. \"/dev/null\": none."},
	{"dns.dnssec", KEY_WORD, AT(dns.dnssec), CONF_RELAY, "\"auto\"", .words = dnssec_words,
	    .help = "auto: answers are validated if the resolver passes DNSSEC records on; if "
		"it does not, mail is sent without validation, which is logged. require: such a "
		"resolver is an error, and mail that needs DNS is deferred. off: nothing is "
		"validated."},
	{"dns.insecure_zones", KEY_TEXTS, AT(dns.insecure_zones), CONF_RELAY, .form = FORM_ZONE,
	    .max = 1000,
	    .example = "( \"corp.example.com\" )",
	    .help = "Zones that are not validated, with all below them: internal ones, which "
		"the signed zone above does not contain."},
	{"dns.trust_anchor", KEY_TEXT, AT(dns.trust_anchor), CONF_RELAY,
	    "\"/usr/share/dns/root.key\"",
	    .form = FORM_PATH,
	    .help = "A file with the DNSSEC keys that validation begins with, as DS or DNSKEY "
		"records: usually those of the root. It must be there unless dns.dnssec is "
		"\"off\"."},

	{"log.target", KEY_LOG, AT(log.target), CONF_ALL, "\"journal\"", .words = log_words,
	    .example = "\"file:/var/log/sallyport/sallyport.log\"",
	    .help = "journal, syslog, stderr, or file: and the path of a regular file. The shipped "
		"unit and AppArmor profile let a file be written in /var/log/sallyport only, with "
		"a name that ends in .log."},
	{"log.addresses", KEY_WORD, AT(log.addresses), CONF_ALL, "\"full\"",
	    .words = addresses_words,
	    .help = "How the log shows addresses and logins: full; domain, without the local "
		"part; hashed, under a secret, so that equal ones stay equal."},
};

const size_t conf_key_count = sizeof conf_key_table / sizeof conf_key_table[0];
