/*
 * cyrus_sasl: the callbacks find their exchange through the callback list of the connection, never
 * through file variables. The library has state for the whole process and must be initialised once:
 * therefore the one pthread_once, which also serves roles that run as threads.
 */
#include "auth/cyrus_sasl.h"

#include <gnutls/gnutls.h>
#include <pthread.h>
#include <sasl/prop.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"

enum { CALLBACKS = 5, HOSTNAME_BYTES = 256 };

struct cyrus_sasl_exchange {
	sasl_conn_t *conn;
	sasl_callback_t callbacks[CALLBACKS];
	char user[CLAIMED_USER_MAX + 1];
	struct scram_secret secret; /* salt and iterations */
	uint8_t key[SCRAM_SECRET_KEY_BYTES];
	bool was_asked;
	bool has_key;
};

#define CALLBACK(fn) ((int (*)(void))(void *)(fn))

/* ---- callbacks for the whole process ---- */

static int
get_option(void *context, const char *plugin, const char *option, const char **result, unsigned *n)
{
	static const struct {
		const char *option, *value;
	} options[] = {
	    {"mech_list", "PLAIN LOGIN"},
	    {"auxprop_plugin", "sallyport"},
	    {"pwcheck_method", "auxprop"},
	    {"log_level", "1"},
	};

	(void)context;
	(void)plugin;
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (strcmp(option, options[i].option) == 0) {
			*result = options[i].value;
			if (n)
				*n = (unsigned)strlen(*result);
			return SASL_OK;
		}
	return SASL_FAIL;
}

static int
verify_file(void *context, const char *file, sasl_verify_type_t type)
{
	static const char *const plugins[] = {"libplain.", "liblogin."};
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;

	(void)context;
	if (type == SASL_VRFY_CONF)
		return SASL_CONTINUE;
	if (type != SASL_VRFY_PLUGIN)
		return SASL_OK;
	for (size_t i = 0; i < sizeof plugins / sizeof *plugins; i++)
		if (strncmp(name, plugins[i], strlen(plugins[i])) == 0)
			return SASL_OK;
	return SASL_CONTINUE;
}

/* A client could fill this log, and our own log lines say the same better. */
static int
drop_log(void *context, int level, const char *text)
{
	(void)context;
	(void)level;
	(void)text;
	return SASL_OK;
}

/* ---- callbacks for one exchange ---- */

static int
check_password(sasl_conn_t *conn, void *context, const char *user, const char *password,
    unsigned password_n, struct propctx *properties)
{
	struct cyrus_sasl_exchange *exchange = context;

	(void)conn;
	(void)properties;
	if (strcmp(user, exchange->user) != 0)
		return SASL_BADAUTH;
	exchange->was_asked = true;
	exchange->has_key = scram_secret_client_key(
	    &exchange->secret, str_make(password, password_n), exchange->key);
	return exchange->has_key ? SASL_OK : SASL_BADAUTH;
}

static int
allow_authorization(sasl_conn_t *conn, void *context, const char *as, unsigned as_n,
    const char *user, unsigned user_n, const char *realm, unsigned realm_n,
    struct propctx *properties)
{
	(void)conn;
	(void)context;
	(void)realm;
	(void)realm_n;
	(void)properties;
	return str_eq(str_make(as, as_n), str_make(user, user_n)) ? SASL_OK : SASL_NOAUTHZ;
}

/* The library must use exactly the name with which the account was found. */
static int
make_canonical(sasl_conn_t *conn, void *context, const char *in, unsigned in_n, unsigned flags,
    const char *realm, char *out, unsigned out_max, unsigned *out_n)
{
	const struct cyrus_sasl_exchange *exchange = context;
	struct str user = str_of(exchange->user);

	(void)conn;
	(void)realm;
	if (!str_ieq(str_make(in, in_n), user))
		return flags & SASL_CU_AUTHID ? SASL_BADAUTH : SASL_NOAUTHZ;
	if (user.n >= out_max)
		return SASL_BUFOVER;
	memcpy(out, user.p, user.n + 1);
	*out_n = (unsigned)user.n;
	return SASL_OK;
}

/* Our property plugin replaces those that open files; it has no properties for any user. */
static int
look_up_no_property(
    void *context, sasl_server_params_t *server, unsigned flags, const char *user, unsigned user_n)
{
	(void)context;
	(void)server;
	(void)flags;
	(void)user;
	(void)user_n;
	return SASL_OK;
}

static int
init_auxprop_plugin(const sasl_utils_t *utils, int max, int *version, sasl_auxprop_plug_t **plugin,
    const char *name)
{
	static sasl_auxprop_plug_t ours = {
	    .auxprop_lookup = look_up_no_property, .name = (char *)"sallyport"};

	(void)utils;
	(void)name;
	if (max < SASL_AUXPROP_PLUG_VERSION)
		return SASL_BADVERS;
	*version = SASL_AUXPROP_PLUG_VERSION;
	*plugin = &ours;
	return SASL_OK;
}

/* ---- one exchange ---- */

static bool
fill_sasl_exchange(struct cyrus_sasl_exchange *exchange, const struct cyrus_sasl_login *login)
{
	if (login->user.n > CLAIMED_USER_MAX || login->salt.n == 0 ||
	    login->salt.n > SCRAM_SECRET_SALT_MAX ||
	    login->iterations < SCRAM_SECRET_ITERATIONS_MIN ||
	    login->iterations > SCRAM_SECRET_ITERATIONS_MAX)
		return false;
	memcpy(exchange->user, login->user.p, login->user.n);
	memcpy(exchange->secret.salt, login->salt.p, login->salt.n);
	exchange->secret.salt_n = login->salt.n;
	exchange->secret.iterations = login->iterations;
	return true;
}

static bool
set_sasl_properties(struct cyrus_sasl_exchange *exchange)
{
	sasl_security_properties_t security = {
	    .maxbufsize = 8192, .security_flags = SASL_SEC_NOPLAINTEXT | SASL_SEC_NOANONYMOUS};
	sasl_ssf_t tls = 256;

	return sasl_setprop(exchange->conn, SASL_SEC_PROPS, &security) == SASL_OK &&
	    sasl_setprop(exchange->conn, SASL_SSF_EXTERNAL, &tls) == SASL_OK;
}

/* Frees the memory of the library too. */
static void
sasl_exchange_free(struct cyrus_sasl_exchange **exchange)
{
	if (!*exchange)
		return;
	sasl_dispose(&(*exchange)->conn);
	mem_wipe(*exchange, sizeof **exchange);
	mem_free(*exchange);
	*exchange = NULL;
}

static struct cyrus_sasl_exchange *
sasl_exchange_new(const struct cyrus_sasl_login *login)
{
	struct cyrus_sasl_exchange *exchange = MEM_NEW(struct cyrus_sasl_exchange);
	char hostname[HOSTNAME_BYTES] = "";

	exchange->callbacks[0] = (sasl_callback_t){
	    SASL_CB_SERVER_USERDB_CHECKPASS, CALLBACK(check_password), exchange};
	exchange->callbacks[1] =
	    (sasl_callback_t){SASL_CB_PROXY_POLICY, CALLBACK(allow_authorization), exchange};
	exchange->callbacks[2] =
	    (sasl_callback_t){SASL_CB_CANON_USER, CALLBACK(make_canonical), exchange};
	exchange->callbacks[3] = (sasl_callback_t){.id = SASL_CB_LIST_END};
	if (login->hostname.n < sizeof hostname)
		memcpy(hostname, login->hostname.p, login->hostname.n);
	/* with an empty hostname the library would ask the resolver */
	if (!fill_sasl_exchange(exchange, login) ||
	    sasl_server_new("smtp", hostname[0] ? hostname : "localhost", NULL, NULL, NULL,
		exchange->callbacks, 0, &exchange->conn) != SASL_OK ||
	    !set_sasl_properties(exchange))
		sasl_exchange_free(&exchange);
	return exchange;
}

static enum cyrus_sasl_result
check_sasl_username(struct cyrus_sasl_exchange *exchange)
{
	const void *user = NULL;

	if (!exchange->has_key)
		return CYRUS_SASL_NO;
	if (sasl_getprop(exchange->conn, SASL_USERNAME, &user) || !user ||
	    strcmp(user, exchange->user) != 0)
		return CYRUS_SASL_NO;
	return CYRUS_SASL_YES;
}

/* An error that is not the library's own is the client's, and is answered with NO. */
static enum cyrus_sasl_result
sasl_result_of(struct cyrus_sasl_exchange *exchange, int r)
{
	switch (r) {
	case SASL_OK:
		return check_sasl_username(exchange);
	case SASL_CONTINUE:
		return CYRUS_SASL_BROKEN;
	case SASL_FAIL:
	case SASL_NOMEM:
	case SASL_BUFOVER:
	case SASL_NOMECH:
	case SASL_NOTINIT:
	case SASL_TRYAGAIN:
	case SASL_UNAVAIL:
		return exchange->was_asked ? CYRUS_SASL_NO : CYRUS_SASL_BROKEN;
	default:
		return CYRUS_SASL_NO;
	}
}

static int
sasl_exchange_start(struct cyrus_sasl_exchange *exchange, const char *mechanism, struct str first)
{
	const char *out;
	unsigned n;

	return sasl_server_start(exchange->conn, mechanism, first.p, (unsigned)first.n, &out, &n);
}

static int
sasl_exchange_step(struct cyrus_sasl_exchange *exchange, struct str response)
{
	const char *out;
	unsigned n;

	return sasl_server_step(
	    exchange->conn, response.n ? response.p : "", (unsigned)response.n, &out, &n);
}

enum cyrus_sasl_result
cyrus_sasl_check(const struct cyrus_sasl_login *login, struct str first, struct str second,
    uint8_t key_out[SCRAM_SECRET_KEY_BYTES])
{
	bool is_plain = str_eq(login->mechanism, STR("PLAIN"));
	enum cyrus_sasl_result result;
	struct cyrus_sasl_exchange *exchange;
	int r;

	if (!is_plain && !str_eq(login->mechanism, STR("LOGIN")))
		return CYRUS_SASL_BROKEN;
	/* For a name that it must not accept, the library's LOGIN would leave the password in
	 * memory that is never freed. */
	if (!is_plain && !str_ieq(first, login->user))
		return CYRUS_SASL_NO;
	exchange = sasl_exchange_new(login);
	if (!exchange)
		return CYRUS_SASL_BROKEN;
	r = sasl_exchange_start(
	    exchange, is_plain ? "PLAIN" : "LOGIN", is_plain ? first : STR_NULL);
	if (!is_plain && r == SASL_CONTINUE)
		r = sasl_exchange_step(exchange, first);
	if (!is_plain && r == SASL_CONTINUE)
		r = sasl_exchange_step(exchange, second);
	result = sasl_result_of(exchange, r);
	if (result == CYRUS_SASL_YES)
		memcpy(key_out, exchange->key, sizeof exchange->key);
	sasl_exchange_free(&exchange);
	return result;
}

/* ---- once per process ---- */

static void *
mutex_new(void)
{
	pthread_mutex_t *m = MEM_NEW(pthread_mutex_t);

	pthread_mutex_init(m, NULL);
	return m;
}

static int
mutex_lock(void *m)
{
	return pthread_mutex_lock(m) ? SASL_FAIL : SASL_OK;
}

static int
mutex_unlock(void *m)
{
	return pthread_mutex_unlock(m) ? SASL_FAIL : SASL_OK;
}

static void
mutex_free(void *m)
{
	pthread_mutex_destroy(m);
	mem_free(m);
}

static void
initialise_cyrus_sasl(void)
{
	static const sasl_callback_t callbacks[] = {
	    {SASL_CB_GETOPT, CALLBACK(get_option), NULL},
	    {SASL_CB_VERIFYFILE, CALLBACK(verify_file), NULL},
	    {SASL_CB_LOG, CALLBACK(drop_log), NULL},
	    {.id = SASL_CB_LIST_END},
	};

	sasl_set_mutex(mutex_new, mutex_lock, mutex_unlock, mutex_free);
	/* a failure shows in the test logins */
	(void)!sasl_server_init(callbacks, "sallyport");
	(void)!sasl_auxprop_add_plugin("sallyport", init_auxprop_plugin);
}

static bool
try_test_logins(struct cyrus_sasl_login *login)
{
	uint8_t key[SCRAM_SECRET_KEY_BYTES];

	login->mechanism = STR("PLAIN");
	if (cyrus_sasl_check(login, STR("\0dry\0run"), STR(""), key) != CYRUS_SASL_YES)
		return false;
	login->mechanism = STR("LOGIN");
	return cyrus_sasl_check(login, STR("dry"), STR("run"), key) == CYRUS_SASL_YES;
}

int
cyrus_sasl_prepare(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct cyrus_sasl_login login = {.hostname = STR("localhost"), .user = STR("dry"),
	    .salt = STR("0123456789abcdef"), .iterations = SCRAM_SECRET_ITERATIONS_MIN};

	pthread_once(&once, initialise_cyrus_sasl);
	if (try_test_logins(&login))
		return 0;
	log_error("Cyrus SASL has no working %.*s (package libsasl2-modules)",
	    STR_ARG(login.mechanism));
	return -1;
}
