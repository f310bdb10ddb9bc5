/*
 * certificates: one tls_server for all listeners.
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
certificates_take(struct submission *g, unsigned index, struct str name, int fd)
{
	struct certificates_entry *c;
	struct buf pem;

	buf_init(&pem, PEM_MAX);
	if (fd < 0 || index >= SUBMISSION_CERTIFICATES) {
		log_error("certificate %u came from main without a file", index);
	} else if (buf_read_file(&pem, fd) != 0) {
		log_error("certificate %.*s cannot be read: %m", STR_ARG(name));
	} else {
		c = &g->certificates[index];
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
collect_certificates(const struct submission *g, struct tls_certificate *all)
{
	size_t count = 0;

	for (size_t i = 0; i < g->role->conf->tls.count && i < SUBMISSION_CERTIFICATES; i++)
		if (g->certificates[i].pem.n > 0)
			all[count++] = (struct tls_certificate){
			    buf_str(&g->certificates[i].name), buf_str(&g->certificates[i].pem)};
	return count;
}

/* The strictest of all groups: one server answers for all of them. */
static bool
is_tls_1_3_only(const struct conf *conf)
{
	for (size_t i = 0; i < conf->tls.count; i++)
		if (conf->tls.item[i].minimum == TLS_MINIMUM_1_3)
			return true;
	return false;
}

static void
retry_certificates_after(struct submission *g, int64_t ms)
{
	struct timeval tv = {ms / 1000, ms % 1000 * 1000};

	event_add(g->tls_timer, &tv);
}

void
certificates_use(struct submission *g)
{
	struct tls_certificate all[SUBMISSION_CERTIFICATES];
	size_t count = collect_certificates(g, all);
	struct tls_server *tls = NULL;
	const char *trouble;
	char why[200] = "no certificate was granted";

	if (count > 0)
		tls =
		    tls_server_new(&(struct tls_options){all, count, is_tls_1_3_only(g->role->conf),
		                       g->ticket_key, signer_hooks(g->signer)},
		        why);
	if (tls) {
		if (g->tls_failures > 0)
			log_info("certificates are in use");
		tls_server_drop(&g->tls);
		g->tls = tls;
		g->tls_failures = 0;
		return;
	}
	trouble = signer_trouble(g->signer);
	if (g->tls_failures++ == 0)
		log_error("certificates cannot be used: %.200s%s", trouble ? trouble : why,
		    g->tls ? "; the former ones stay in use" : "");
	if (g->tls_failures < TRIES_MAX || !g->tls)
		retry_certificates_after(g, AGAIN_MS);
}

void
certificates_changed(struct submission *g)
{
	g->tls_failures = 0;
	retry_certificates_after(g, SOON_MS);
}

void
certificates_free(struct submission *g)
{
	for (size_t i = 0; i < SUBMISSION_CERTIFICATES; i++) {
		buf_clear(&g->certificates[i].pem);
		buf_clear(&g->certificates[i].name);
	}
	tls_server_drop(&g->tls);
}
