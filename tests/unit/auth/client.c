#include "unit/auth/client.h"

#include <criterion/criterion.h>
#include <sasl/sasl.h>

#include "base/mem.h"

struct client {
	sasl_conn_t *conn;
	sasl_callback_t callbacks[4];
	sasl_channel_binding_t binding;
	struct client_options options;
	union {
		sasl_secret_t secret;
		char room[sizeof(sasl_secret_t) + 256];
	} password;
};

#define CALLBACK(fn) ((int (*)(void))(void *)(fn))

static int
give_name(void *context, int id, const char **result, unsigned *n)
{
	const struct client *c = context;

	*result =
	    id == SASL_CB_USER ? (c->options.authzid ? c->options.authzid : "") : c->options.user;
	if (n)
		*n = (unsigned)strlen(*result);
	return SASL_OK;
}

static int
give_password(sasl_conn_t *conn, void *context, int id, sasl_secret_t **secret)
{
	struct client *c = context;

	(void)conn;
	(void)id;
	c->password.secret.len = strlen(c->options.password);
	memcpy(c->password.secret.data, c->options.password, c->password.secret.len + 1);
	*secret = &c->password.secret;
	return SASL_OK;
}

struct client *
client_new(const struct client_options *options)
{
	struct client *c = MEM_NEW(struct client);

	c->options = *options;
	c->callbacks[0] = (sasl_callback_t){SASL_CB_USER, CALLBACK(give_name), c};
	c->callbacks[1] = (sasl_callback_t){SASL_CB_AUTHNAME, CALLBACK(give_name), c};
	c->callbacks[2] = (sasl_callback_t){SASL_CB_PASS, CALLBACK(give_password), c};
	c->callbacks[3] = (sasl_callback_t){.id = SASL_CB_LIST_END};
	cr_assert_eq(
	    sasl_client_new("smtp", "mx.test", NULL, NULL, c->callbacks, 0, &c->conn), SASL_OK);
	if (options->binding) {
		c->binding = (sasl_channel_binding_t){.name = options->type,
		    .critical = 1,
		    .len = strlen(options->binding),
		    .data = (const unsigned char *)options->binding};
		sasl_setprop(c->conn, SASL_CHANNEL_BINDING, &c->binding);
	}
	return c;
}

void
client_free(struct client **c)
{
	sasl_dispose(&(*c)->conn);
	mem_free(*c);
	*c = NULL;
}

struct str
client_first(struct client *c)
{
	const char *mechanism = c->options.binding ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256";
	const char *out = NULL, *chosen;
	unsigned n = 0;

	cr_assert_eq(sasl_client_start(c->conn, mechanism, NULL, &out, &n, &chosen), SASL_CONTINUE,
	    "%s", sasl_errdetail(c->conn));
	return str_make(out, n);
}

bool
client_next(struct client *c, struct str challenge, struct str *out)
{
	const char *p = NULL;
	unsigned n = 0;
	int r = sasl_client_step(c->conn, challenge.p, (unsigned)challenge.n, NULL, &p, &n);

	*out = str_make(p, p ? n : 0);
	return r == SASL_OK || r == SASL_CONTINUE;
}
