/*
 * certificates: all listeners share one tls_server.
 */
#include "submission/certificates.h"

#include <unistd.h>

#include "base/log.h"

enum {
	PEM_MAX = 1 << 20,
	SOON_MS = 50,
	AGAIN_MS = 1000,
	TRIES_MAX = 30,
	NAME_BYTES_MAX = 4096
};

void
certificates_take(struct submission *submission, unsigned index, struct str name, int fd)
{
	struct certificates_entry *c;
	struct buf pem;

	buf_init(&pem, PEM_MAX);
	if (fd < 0 || index >= SUBMISSION_CERTIFICATES) {
		log_error("certificate %u came from main without a file", index);
	} else if (buf_read_file(&pem, fd) != 0) {
		log_error("certificate %.*s cannot be read: %m", STR_ARG(name));
	} else {
		c = &submission->certificates[index];
		buf_clear(&c->pem);
		c->pem = pem;
		buf_init(&pem, PEM_MAX);
		buf_clear(&c->name);
		buf_init(&c->name, NAME_BYTES_MAX);
		buf_adds(&c->name, name);
	}
	buf_clear(&pem);
	if (fd >= 0)
		close(fd);
}

static size_t
collect_certificates(const struct submission *submission, struct tls_certificate *all)
{
	size_t count = 0;

	for (size_t i = 0; i < submission->role->conf->tls.count && i < SUBMISSION_CERTIFICATES;
	     i++)
		if (submission->certificates[i].pem.n > 0)
			all[count++] =
			    (struct tls_certificate){buf_str(&submission->certificates[i].name),
			        buf_str(&submission->certificates[i].pem)};
	return count;
}

/* The strictest minimum of all groups: one server answers for all of them. */
static bool
is_tls_1_3_only(const struct conf *conf)
{
	for (size_t i = 0; i < conf->tls.count; i++)
		if (conf->tls.item[i].minimum == TLS_MINIMUM_1_3)
			return true;
	return false;
}

static void
retry_certificates_after(struct submission *submission, int64_t ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	event_add(submission->tls_timer, &tv);
}

void
certificates_use(struct submission *submission)
{
	struct tls_certificate all[SUBMISSION_CERTIFICATES];
	size_t count = collect_certificates(submission, all);
	struct tls_server *tls = NULL;
	const char *fault;
	char why[200] = "no certificate was granted";

	if (count > 0)
		tls = tls_server_new(
		    &(struct tls_options){all, count, is_tls_1_3_only(submission->role->conf),
		        submission->ticket_key, signer_hooks(submission->signer)},
		    why);
	if (tls) {
		if (submission->tls_failures > 0)
			log_info("certificates are in use");
		tls_server_drop(&submission->tls);
		submission->tls = tls;
		submission->tls_failures = 0;
		return;
	}
	fault = signer_fault(submission->signer);
	if (submission->tls_failures++ == 0)
		log_error("certificates cannot be used: %.200s%s", fault ? fault : why,
		    submission->tls ? "; the former ones stay in use" : "");
	if (submission->tls_failures < TRIES_MAX || !submission->tls)
		retry_certificates_after(submission, AGAIN_MS);
}

void
certificates_changed(struct submission *submission)
{
	submission->tls_failures = 0;
	retry_certificates_after(submission, SOON_MS);
}

void
certificates_free(struct submission *submission)
{
	for (size_t i = 0; i < SUBMISSION_CERTIFICATES; i++) {
		buf_clear(&submission->certificates[i].pem);
		buf_clear(&submission->certificates[i].name);
	}
	tls_server_drop(&submission->tls);
}
