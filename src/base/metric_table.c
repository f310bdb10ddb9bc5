/*
 * metric_table: the rows, and the text forms of their values and labels.  What the rows of one name
 * share, which is everything but their labels, is written once, as a macro.
 */
#include "base/metric_table.h"

#include <stdio.h>

#define NO_LABELS {{NULL, NULL}}

#define PROCESSES_READY \
	"sallyport_processes_ready", \
	"Processes of the role that do all of their work.", \
	METRIC_GAUGE, METRIC_UNIT_NONE, "main"
#define ROLE_RESTARTS \
	"sallyport_role_restarts_total", \
	"Processes of the role that ended and were to be started again.", \
	METRIC_COUNTER, METRIC_UNIT_NONE, "main"
#define CONNECTIONS_REFUSED \
	"sallyport_connections_refused_total", \
	"Connections of clients that were refused before a session began.", \
	METRIC_COUNTER, METRIC_UNIT_NONE, "submission"
#define TLS_HANDSHAKES \
	"sallyport_tls_handshakes_total", \
	"TLS handshakes with clients.", \
	METRIC_COUNTER, METRIC_UNIT_NONE, "submission"
#define SIGNATURES \
	"sallyport_signatures_total", \
	"Signatures that the private keys were asked for.", \
	METRIC_COUNTER, METRIC_UNIT_NONE, "keys"
#define LOGINS \
	"sallyport_logins_total", \
	"Logins by result: the reason as in the log, temporary for 454.", \
	METRIC_COUNTER, METRIC_UNIT_NONE, "auth"
#define RECIPIENTS_REFUSED \
	"sallyport_recipients_refused_total", \
	"Recipients that were refused.", \
	METRIC_COUNTER, METRIC_UNIT_NONE, "submission"
#define MESSAGES_REFUSED \
	"sallyport_messages_refused_total", \
	"Messages that were refused, at MAIL or at their content.", \
	METRIC_COUNTER, METRIC_UNIT_NONE, "submission"
#define REPORTS \
	"sallyport_reports_total", \
	"Delivery reports that were queued: of an end, or of a delay.", \
	METRIC_COUNTER, METRIC_UNIT_NONE, "queue"
#define DELIVERY_RESULTS \
	"sallyport_delivery_results_total", \
	"Results of recipients; one that is deferred has a result for each attempt.", \
	METRIC_COUNTER, METRIC_UNIT_NONE, "queue"
#define QUEUE_DELIVERIES \
	"sallyport_queue_deliveries", \
	"Deliveries (one for each message and domain) that run or are due, or that wait.", \
	METRIC_GAUGE, METRIC_UNIT_NONE, "queue"
#define SPOOL_COMMITS \
	"sallyport_spool_commits_total", \
	"Records for the spool, by whether they were stored.", \
	METRIC_COUNTER, METRIC_UNIT_NONE, "queue"
#define SPOOL_SEGMENTS \
	"sallyport_spool_segments", \
	"Segments of the spool.", \
	METRIC_GAUGE, METRIC_UNIT_NONE, "queue"
#define RELAY_CONNECTIONS \
	"sallyport_relay_connections_total", \
	"Connections to receiving hosts, by whether the host took them.", \
	METRIC_COUNTER, METRIC_UNIT_NONE, "relay"
#define RELAY_TLS_HANDSHAKES \
	"sallyport_relay_tls_handshakes_total", \
	"TLS handshakes with receiving hosts.", \
	METRIC_COUNTER, METRIC_UNIT_NONE, "relay"
#define DNS_LOOKUPS \
	"sallyport_dns_lookups_total", \
	"Lookups of names; absent: there is no such record, bogus: DNSSEC refuted the answer.", \
	METRIC_COUNTER, METRIC_UNIT_NONE, "relay"

const struct metric_row metric_table[METRIC_COUNT] = {
    [METRIC_BUILD_INFO] = {"sallyport_build_info",
	"Always 1; the label has the version of the daemon.",
	METRIC_GAUGE, METRIC_UNIT_NONE, "main", {{"version", PACKAGE_VERSION}}},
    [METRIC_START_TIME] = {"sallyport_start_time_seconds",
	"When the daemon was started, in seconds since 1970.",
	METRIC_GAUGE, METRIC_UNIT_SECONDS, "main", NO_LABELS},
    [METRIC_CONFIG_GENERATION] = {"sallyport_config_generation",
	"Number of the configuration in force: one more with each reload.",
	METRIC_GAUGE, METRIC_UNIT_NONE, "main", NO_LABELS},
    [METRIC_CONFIG_LOADED_TIME] = {"sallyport_config_loaded_time_seconds",
	"When the configuration came into force, in seconds since 1970.",
	METRIC_GAUGE, METRIC_UNIT_SECONDS, "main", NO_LABELS},
    [METRIC_PROCESSES_READY_KEYS] = {PROCESSES_READY, {{"role", "keys"}}},
    [METRIC_PROCESSES_READY_AUTH] = {PROCESSES_READY, {{"role", "auth"}}},
    [METRIC_PROCESSES_READY_WORKER] = {PROCESSES_READY, {{"role", "worker"}}},
    [METRIC_PROCESSES_READY_ACCOUNTS] = {PROCESSES_READY, {{"role", "accounts"}}},
    [METRIC_PROCESSES_READY_SUBMISSION] = {PROCESSES_READY, {{"role", "submission"}}},
    [METRIC_PROCESSES_READY_QUEUE] = {PROCESSES_READY, {{"role", "queue"}}},
    [METRIC_PROCESSES_READY_RELAY] = {PROCESSES_READY, {{"role", "relay"}}},
    [METRIC_PROCESSES_READY_CONTROL] = {PROCESSES_READY, {{"role", "control"}}},
    [METRIC_RESTARTS_KEYS] = {ROLE_RESTARTS, {{"role", "keys"}}},
    [METRIC_RESTARTS_AUTH] = {ROLE_RESTARTS, {{"role", "auth"}}},
    [METRIC_RESTARTS_WORKER] = {ROLE_RESTARTS, {{"role", "worker"}}},
    [METRIC_RESTARTS_ACCOUNTS] = {ROLE_RESTARTS, {{"role", "accounts"}}},
    [METRIC_RESTARTS_SUBMISSION] = {ROLE_RESTARTS, {{"role", "submission"}}},
    [METRIC_RESTARTS_QUEUE] = {ROLE_RESTARTS, {{"role", "queue"}}},
    [METRIC_RESTARTS_RELAY] = {ROLE_RESTARTS, {{"role", "relay"}}},
    [METRIC_RESTARTS_CONTROL] = {ROLE_RESTARTS, {{"role", "control"}}},
    [METRIC_CERTIFICATE_EXPIRY_TIME] = {"sallyport_tls_certificate_expiry_time_seconds",
	"When the first of the served certificates expires, in seconds since 1970.",
	METRIC_GAUGE, METRIC_UNIT_SECONDS, "main", NO_LABELS},
    [METRIC_NOTICES_PENDING] = {"sallyport_notices_pending",
	"Notices to the postmaster that are not mailed yet.",
	METRIC_GAUGE, METRIC_UNIT_NONE, "main", NO_LABELS},
    [METRIC_LOG_LINES_LOST] = {"sallyport_log_lines_lost_total",
	"Log lines that the log target did not take.",
	METRIC_COUNTER, METRIC_UNIT_NONE, NULL, NO_LABELS},
    [METRIC_SESSIONS_ACTIVE] = {"sallyport_sessions_active",
	"Sessions of clients that are open.",
	METRIC_GAUGE, METRIC_UNIT_NONE, "main", NO_LABELS},
    [METRIC_SESSIONS] = {"sallyport_sessions_total",
	"Sessions of clients that were begun.",
	METRIC_COUNTER, METRIC_UNIT_NONE, "submission", NO_LABELS},
    [METRIC_CONNECTIONS_REFUSED_LIMIT] =
	{CONNECTIONS_REFUSED, {{"reason", "too_many_connections"}}},
    [METRIC_CONNECTIONS_REFUSED_CLIENT_LIMIT] =
	{CONNECTIONS_REFUSED, {{"reason", "too_many_connections_per_client"}}},
    [METRIC_CONNECTIONS_REFUSED_NO_CERTIFICATE] =
	{CONNECTIONS_REFUSED, {{"reason", "no_certificate"}}},
    [METRIC_CONNECTIONS_REFUSED_NO_DESCRIPTOR] = {CONNECTIONS_REFUSED, {{"reason", "descriptors"}}},
    [METRIC_TLS_HANDSHAKES_OK] = {TLS_HANDSHAKES, {{"result", "ok"}}},
    [METRIC_TLS_HANDSHAKES_FAILED] = {TLS_HANDSHAKES, {{"result", "failed"}}},
    [METRIC_SIGNATURES_OK] = {SIGNATURES, {{"result", "ok"}}},
    [METRIC_SIGNATURES_FAILED] = {SIGNATURES, {{"result", "failed"}}},
    [METRIC_LOGINS_OK] = {LOGINS, {{"result", "ok"}}},
    [METRIC_LOGINS_BAD_CREDENTIALS] = {LOGINS, {{"result", "bad_credentials"}}},
    [METRIC_LOGINS_NO_SUCH_ACCOUNT] = {LOGINS, {{"result", "no_such_account"}}},
    [METRIC_LOGINS_NO_DOMAIN] = {LOGINS, {{"result", "no_domain"}}},
    [METRIC_LOGINS_SUSPENDED] = {LOGINS, {{"result", "suspended"}}},
    [METRIC_LOGINS_NETWORK_BLOCKED] = {LOGINS, {{"result", "network_blocked"}}},
    [METRIC_LOGINS_USER_BLOCKED] = {LOGINS, {{"result", "user_blocked"}}},
    [METRIC_LOGINS_THROTTLED] = {LOGINS, {{"result", "throttled"}}},
    [METRIC_LOGINS_LOGIN_LIMITED] = {LOGINS, {{"result", "login_limited"}}},
    [METRIC_LOGINS_MECHANISM] = {LOGINS, {{"result", "mechanism"}}},
    [METRIC_LOGINS_MALFORMED] = {LOGINS, {{"result", "malformed"}}},
    [METRIC_LOGINS_CANCELLED] = {LOGINS, {{"result", "cancelled"}}},
    [METRIC_LOGINS_TEMPORARY] = {LOGINS, {{"result", "temporary"}}},
    [METRIC_COMMANDS_REFUSED] = {"sallyport_commands_refused_total",
	"Other commands that were refused for their form or their place in the session.",
	METRIC_COUNTER, METRIC_UNIT_NONE, "submission", NO_LABELS},
    [METRIC_RECIPIENTS_REFUSED_TEMPORARY] = {RECIPIENTS_REFUSED, {{"result", "temporary"}}},
    [METRIC_RECIPIENTS_REFUSED_PERMANENT] = {RECIPIENTS_REFUSED, {{"result", "permanent"}}},
    [METRIC_MESSAGES_REFUSED_MAIL_TEMPORARY] =
	{MESSAGES_REFUSED, {{"stage", "mail"}, {"result", "temporary"}}},
    [METRIC_MESSAGES_REFUSED_MAIL_PERMANENT] =
	{MESSAGES_REFUSED, {{"stage", "mail"}, {"result", "permanent"}}},
    [METRIC_MESSAGES_REFUSED_DATA_TEMPORARY] =
	{MESSAGES_REFUSED, {{"stage", "data"}, {"result", "temporary"}}},
    [METRIC_MESSAGES_REFUSED_DATA_PERMANENT] =
	{MESSAGES_REFUSED, {{"stage", "data"}, {"result", "permanent"}}},
    [METRIC_MESSAGES_ACCEPTED] = {"sallyport_messages_accepted_total",
	"Messages that are stored and were accepted.",
	METRIC_COUNTER, METRIC_UNIT_NONE, "queue", NO_LABELS},
    [METRIC_RECIPIENTS_ACCEPTED] = {"sallyport_recipients_accepted_total",
	"Recipients of the accepted messages.",
	METRIC_COUNTER, METRIC_UNIT_NONE, "queue", NO_LABELS},
    [METRIC_BYTES_ACCEPTED] = {"sallyport_accepted_bytes_total",
	"Bytes of the accepted messages.",
	METRIC_COUNTER, METRIC_UNIT_BYTES, "queue", NO_LABELS},
    [METRIC_REPORTS_FINAL] = {REPORTS, {{"kind", "final"}}},
    [METRIC_REPORTS_DELAYED] = {REPORTS, {{"kind", "delayed"}}},
    [METRIC_MESSAGES_FINISHED] = {"sallyport_messages_finished_total",
	"Messages without an open recipient that left the queue.",
	METRIC_COUNTER, METRIC_UNIT_NONE, "queue", NO_LABELS},
    [METRIC_RESULTS_SENT] = {DELIVERY_RESULTS, {{"status", "sent"}}},
    [METRIC_RESULTS_DEFERRED] = {DELIVERY_RESULTS, {{"status", "deferred"}}},
    [METRIC_RESULTS_FAILED] = {DELIVERY_RESULTS, {{"status", "failed"}}},
    [METRIC_RESULTS_EXPIRED] = {DELIVERY_RESULTS, {{"status", "expired"}}},
    [METRIC_QUEUE_MESSAGES] = {"sallyport_queue_messages",
	"Messages in the queue.",
	METRIC_GAUGE, METRIC_UNIT_NONE, "queue", NO_LABELS},
    [METRIC_QUEUE_MESSAGES_HELD] = {"sallyport_queue_messages_held",
	"Messages in the queue that are held.",
	METRIC_GAUGE, METRIC_UNIT_NONE, "queue", NO_LABELS},
    [METRIC_QUEUE_RECIPIENTS] = {"sallyport_queue_recipients",
	"Open recipients of the messages in the queue.",
	METRIC_GAUGE, METRIC_UNIT_NONE, "queue", NO_LABELS},
    [METRIC_QUEUE_BYTES] = {"sallyport_queue_bytes",
	"Bytes of the messages in the queue.",
	METRIC_GAUGE, METRIC_UNIT_BYTES, "queue", NO_LABELS},
    [METRIC_QUEUE_OLDEST] = {"sallyport_queue_oldest_seconds",
	"Age of the oldest message in the queue.",
	METRIC_GAUGE, METRIC_UNIT_SECONDS, "queue", NO_LABELS},
    [METRIC_QUEUE_DELIVERIES_ACTIVE] = {QUEUE_DELIVERIES, {{"state", "active"}}},
    [METRIC_QUEUE_DELIVERIES_DEFERRED] = {QUEUE_DELIVERIES, {{"state", "deferred"}}},
    [METRIC_QUEUE_DELIVERIES_RUNNING] = {"sallyport_queue_deliveries_running",
	"Deliveries under way: those of queue_deliveries that run.",
	METRIC_GAUGE, METRIC_UNIT_NONE, "queue", NO_LABELS},
    [METRIC_QUEUE_DESTINATIONS] = {"sallyport_queue_destinations",
	"Destinations that the schedule knows.",
	METRIC_GAUGE, METRIC_UNIT_NONE, "queue", NO_LABELS},
    [METRIC_SPOOL_COMMITS_OK] = {SPOOL_COMMITS, {{"result", "ok"}}},
    [METRIC_SPOOL_COMMITS_FAILED] = {SPOOL_COMMITS, {{"result", "failed"}}},
    [METRIC_SPOOL_SYNCS] = {"sallyport_spool_syncs_total",
	"Syncs of the spool; each covers all records since the last one.",
	METRIC_COUNTER, METRIC_UNIT_NONE, "queue", NO_LABELS},
    [METRIC_SPOOL_SYNC_TIME] = {"sallyport_spool_sync_seconds_total",
	"Time that the syncs of the spool took.",
	METRIC_COUNTER, METRIC_UNIT_MS, "queue", NO_LABELS},
    [METRIC_SPOOL_SEGMENTS_USED] = {SPOOL_SEGMENTS, {{"state", "used"}}},
    [METRIC_SPOOL_SEGMENTS_FREE] = {SPOOL_SEGMENTS, {{"state", "free"}}},
    [METRIC_SPOOL_LIVE_BYTES] = {"sallyport_spool_live_bytes",
	"Bytes in the spool that belong to queued messages.",
	METRIC_GAUGE, METRIC_UNIT_BYTES, "queue", NO_LABELS},
    [METRIC_SPOOL_DISK_FREE_BYTES] = {"sallyport_spool_disk_free_bytes",
	"Free bytes of the file system of the spool.",
	METRIC_GAUGE, METRIC_UNIT_BYTES, "queue", NO_LABELS},
    [METRIC_SPOOL_DISK_BYTES] = {"sallyport_spool_disk_bytes",
	"Size of the file system of the spool.",
	METRIC_GAUGE, METRIC_UNIT_BYTES, "queue", NO_LABELS},
    [METRIC_SPOOL_SET_ASIDE] = {"sallyport_spool_set_aside_files",
	"Messages that were set aside because they cannot be read.",
	METRIC_GAUGE, METRIC_UNIT_NONE, "queue", NO_LABELS},
    [METRIC_SPOOL_UNREMOVED] = {"sallyport_spool_unremoved_files",
	"Files of finished mail that the disk refuses to remove.",
	METRIC_GAUGE, METRIC_UNIT_NONE, "queue", NO_LABELS},
    [METRIC_SPOOL_DAMAGES] = {"sallyport_spool_damages",
	"Damaged or missing places that the last start found in the spool.",
	METRIC_GAUGE, METRIC_UNIT_NONE, "queue", NO_LABELS},
    [METRIC_ATTEMPTS] = {"sallyport_delivery_attempts_total",
	"Attempts that relay began, one for each message and domain.",
	METRIC_COUNTER, METRIC_UNIT_NONE, "relay", NO_LABELS},
    [METRIC_CONNECTIONS_OPEN] = {"sallyport_relay_connections_open",
	"Connections to receiving hosts.",
	METRIC_GAUGE, METRIC_UNIT_NONE, "relay", NO_LABELS},
    [METRIC_CONNECTIONS_OPENED] = {RELAY_CONNECTIONS, {{"result", "ok"}}},
    [METRIC_CONNECTIONS_FAILED] = {RELAY_CONNECTIONS, {{"result", "failed"}}},
    [METRIC_OUTBOUND_TLS_VERIFIED] = {RELAY_TLS_HANDSHAKES, {{"result", "verified"}}},
    [METRIC_OUTBOUND_TLS_UNVERIFIED] = {RELAY_TLS_HANDSHAKES, {{"result", "unverified"}}},
    [METRIC_OUTBOUND_TLS_FAILED] = {RELAY_TLS_HANDSHAKES, {{"result", "failed"}}},
    [METRIC_DNS_FOUND] = {DNS_LOOKUPS, {{"result", "found"}}},
    [METRIC_DNS_ABSENT] = {DNS_LOOKUPS, {{"result", "absent"}}},
    [METRIC_DNS_BOGUS] = {DNS_LOOKUPS, {{"result", "bogus"}}},
    [METRIC_DNS_FAILED] = {DNS_LOOKUPS, {{"result", "failed"}}},
    [METRIC_DNS_TIMEOUT] = {DNS_LOOKUPS, {{"result", "timeout"}}},
};

const char *
metric_type_name(enum metric_type type)
{
	return type == METRIC_COUNTER ? "counter" : "gauge";
}

const char *
metric_unit_name(enum metric_unit unit)
{
	static const char *const names[] = {[METRIC_UNIT_NONE] = "",
	    [METRIC_UNIT_BYTES] = "bytes",
	    [METRIC_UNIT_SECONDS] = "seconds",
	    [METRIC_UNIT_MS] = "seconds"};

	return names[unit];
}

char *
metric_value_text(enum metric m, unsigned long long value, char out[METRIC_VALUE_BYTES])
{
	if (metric_table[m].unit == METRIC_UNIT_MS)
		snprintf(out, METRIC_VALUE_BYTES, "%llu.%03llu", value / 1000, value % 1000);
	else
		snprintf(out, METRIC_VALUE_BYTES, "%llu", value);
	return out;
}
