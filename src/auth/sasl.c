/*
 * sasl: callbacks find their talk through the connection's own callback list, never through
 * variables of the file. The library has process-wide state and must be initialised once: hence
 * the one pthread_once, which also serves the roles that are threads.
 */
#include "auth/sasl.h"

#include <gnutls/gnutls.h>
#include <pthread.h>
#include <sasl/prop.h>
#include <sasl/sasl.h>
#include <sasl/saslplug.h>
#include <stdio.h>

#include "base/log.h"
#include "base/mem.h"

enum { CALLBACKS = 5, HOSTNAME_BYTES = 256 };

struct sasl_talk {
	sasl_conn_t *conn;
	sasl_callback_t callbacks[CALLBACKS];
	sasl_channel_binding_t binding; /* not copied by the library */
	unsigned char binding_bytes[SASL_BINDING_MAX];
	char user[CLAIM_USER_MAX + 1];
	char secret_text[SECRET_TEXT_BYTES];
	struct secret secret;
	bool is_password;  /* PLAIN, LOGIN: only our own word counts */
	bool was_asked;
	bool has_fitted;
	bool is_over;
};

#define CALLBACK(fn) ((int (*)(void))(void *)(fn))

/* ---- what the library asks about this process ---- */

static int
get_option(void *context, const char *plugin, const char *option, const char **result, unsigned *n)
{
	static const struct {
		const char *option, *value;
	} options[] = {
	    {"mech_list", "SCRAM-SHA-256 PLAIN LOGIN"},
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
	static const char *const plugins[] = {"libplain.", "liblogin.", "libscram."};
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

/* A stranger can fill this log, and what it says is said better by ours. */
static int
drop_log(void *context, int level, const char *text)
{
	(void)context;
	(void)level;
	(void)text;
	return SASL_OK;
}

/* ---- what it asks about one talk ---- */

static int
check_password(sasl_conn_t *conn, void *context, const char *user, const char *password,
    unsigned password_n, struct propctx *properties)
{
	struct sasl_talk *t = context;

	(void)conn;
	(void)properties;
	if (strcmp(user, t->user) != 0)
		return SASL_BADAUTH;
	t->was_asked = true;
	t->has_fitted = secret_fits(&t->secret, str_make(password, password_n));
	return t->has_fitted ? SASL_OK : SASL_BADAUTH;
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

/* The library must see the very name that the account was found by. */
static int
make_canonical(sasl_conn_t *conn, void *context, const char *in, unsigned in_n, unsigned flags,
    const char *realm, char *out, unsigned out_max, unsigned *out_n)
{
	const struct sasl_talk *t = context;
	struct str user = str_of(t->user);

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

/* Our property plugin: it knows the one secret of the talk that asks. */
static int
look_up(
    void *context, sasl_server_params_t *server, unsigned flags, const char *user, unsigned user_n)
{
	const sasl_utils_t *utils = server->utils;
	const struct propval *p = utils->prop_get(server->propctx);
	sasl_callback_ft unused;
	void *found = NULL;
	struct sasl_talk *t;

	(void)context;
	if (!p || utils->getcallback(utils->conn, SASL_CB_SERVER_USERDB_CHECKPASS, &unused, &found))
		return SASL_FAIL;
	t = found;
	if ((flags & SASL_AUXPROP_AUTHZID) || !str_eq(str_make(user, user_n), str_of(t->user)))
		return SASL_OK;
	for (; p->name; p++)
		if (strcmp(p->name, "*authPassword") == 0 && !p->values)
			utils->prop_set(server->propctx, p->name, t->secret_text, -1);
	return SASL_OK;
}

static int
offer_look_up(const sasl_utils_t *utils, int max, int *version, sasl_auxprop_plug_t **plugin,
    const char *name)
{
	static sasl_auxprop_plug_t ours = {.auxprop_lookup = look_up, .name = (char *)"sallyport"};

	(void)utils;
	(void)name;
	if (max < SASL_AUXPROP_PLUG_VERSION)
		return SASL_BADVERS;
	*version = SASL_AUXPROP_PLUG_VERSION;
	*plugin = &ours;
	return SASL_OK;
}

/* ---- one talk ---- */

static bool
fill(struct sasl_talk *t, const struct sasl_login *login)
{
	if (login->user.n > CLAIM_USER_MAX || login->secret.n >= SECRET_TEXT_BYTES ||
	    login->binding.n > SASL_BINDING_MAX || !secret_parse(login->secret, &t->secret))
		return false;
	memcpy(t->user, login->user.p, login->user.n);
	memcpy(t->secret_text, login->secret.p, login->secret.n);
	if (login->binding.n)
		memcpy(t->binding_bytes, login->binding.p, login->binding.n);
	return true;
}

static bool
set_properties(struct sasl_talk *t, const struct sasl_login *login)
{
	sasl_security_properties_t security = {
	    .maxbufsize = 8192, .security_flags = SASL_SEC_NOPLAINTEXT | SASL_SEC_NOANONYMOUS};
	sasl_ssf_t tls = 256;

	if (sasl_setprop(t->conn, SASL_SEC_PROPS, &security) ||
	    sasl_setprop(t->conn, SASL_SSF_EXTERNAL, &tls))
		return false;
	if (!str_eq(login->mechanism, STR("SCRAM-SHA-256-PLUS")))
		return true;
	t->binding = (sasl_channel_binding_t){.name = "tls-exporter", .critical = 1,
	    .len = login->binding.n, .data = t->binding_bytes};
	return sasl_setprop(t->conn, SASL_CHANNEL_BINDING, &t->binding) == SASL_OK;
}

static struct sasl_talk *
talk_new(const struct sasl_login *login)
{
	struct sasl_talk *t = MEM_NEW(struct sasl_talk);
	char hostname[HOSTNAME_BYTES] = "";

	t->callbacks[0] = (sasl_callback_t){
	    SASL_CB_SERVER_USERDB_CHECKPASS, CALLBACK(check_password), t};
	t->callbacks[1] = (sasl_callback_t){SASL_CB_PROXY_POLICY, CALLBACK(allow_authorization), t};
	t->callbacks[2] = (sasl_callback_t){SASL_CB_CANON_USER, CALLBACK(make_canonical), t};
	t->callbacks[3] = (sasl_callback_t){.id = SASL_CB_LIST_END};
	if (login->hostname.n < sizeof hostname)
		memcpy(hostname, login->hostname.p, login->hostname.n);
	/* with an empty name the library would ask the resolver */
	if (!fill(t, login) ||
	    sasl_server_new("smtp", hostname[0] ? hostname : "localhost", NULL, NULL, NULL,
		t->callbacks, 0, &t->conn) != SASL_OK ||
	    !set_properties(t, login))
		sasl_talk_end(&t);
	return t;
}

void
sasl_talk_end(struct sasl_talk **t)
{
	if (!*t)
		return;
	sasl_dispose(&(*t)->conn);
	mem_wipe(*t, sizeof **t);
	mem_free(*t);
	*t = NULL;
}

static enum sasl_result
end_well(struct sasl_talk *t)
{
	const void *user = NULL;

	if (t->is_password && !t->has_fitted)
		return SASL_TALK_NO;
	if (sasl_getprop(t->conn, SASL_USERNAME, &user) || !user || strcmp(user, t->user) != 0)
		return SASL_TALK_NO;
	return SASL_TALK_YES;
}

/* What is not the library's own trouble is the client's, and "no" is all that it hears. */
static enum sasl_result
judge(struct sasl_talk *t, int r)
{
	if (r == SASL_CONTINUE)
		return SASL_TALK_GO_ON;
	/* an error can leave a connection that says yes to the next step */
	t->is_over = true;
	switch (r) {
	case SASL_OK:
		return end_well(t);
	case SASL_FAIL:
	case SASL_NOMEM:
	case SASL_BUFOVER:
	case SASL_NOMECH:
	case SASL_NOTINIT:
	case SASL_TRYAGAIN:
	case SASL_UNAVAIL:
		/* a wrong password may also come out as one of these, from the verifiers tried
		 * next */
		return t->was_asked ? SASL_TALK_NO : SASL_TALK_BROKEN;
	default:
		return SASL_TALK_NO;
	}
}

static enum sasl_result
start(struct sasl_talk *t, const char *mechanism, struct str first, struct str *challenge_out)
{
	const char *out = NULL;
	unsigned n = 0;
	int r = sasl_server_start(t->conn, mechanism, first.p, (unsigned)first.n, &out, &n);

	*challenge_out = str_make(out, out ? n : 0);
	if (r == SASL_NOMECH) {
		t->is_over = true;
		return SASL_TALK_BROKEN;
	}
	return judge(t, r);
}

enum sasl_result
sasl_talk_step(struct sasl_talk *t, struct str response, struct str *challenge_out)
{
	const char *out = NULL;
	unsigned n = 0;
	int r;

	*challenge_out = STR("");
	if (t->is_over)
		return SASL_TALK_NO;
	r = sasl_server_step(t->conn, response.n ? response.p : "", (unsigned)response.n, &out, &n);
	if (r == SASL_CONTINUE)
		*challenge_out = str_make(out, out ? n : 0);
	return judge(t, r);
}

enum sasl_result
sasl_talk_check(const struct sasl_login *login, struct str first, struct str second)
{
	bool is_plain = str_eq(login->mechanism, STR("PLAIN"));
	enum sasl_result result;
	struct sasl_talk *t;
	struct str prompt;

	if (!is_plain && !str_eq(login->mechanism, STR("LOGIN")))
		return SASL_TALK_BROKEN;
	/* of a name that it must not accept, the library's LOGIN would keep the password in
	 * lost memory */
	if (!is_plain && !str_ieq(first, login->user))
		return SASL_TALK_NO;
	t = talk_new(login);
	if (!t)
		return SASL_TALK_BROKEN;
	t->is_password = true;
	result = start(t, is_plain ? "PLAIN" : "LOGIN", is_plain ? first : STR_NULL, &prompt);
	if (!is_plain && result == SASL_TALK_GO_ON)
		result = sasl_talk_step(t, first, &prompt);
	if (!is_plain && result == SASL_TALK_GO_ON)
		result = sasl_talk_step(t, second, &prompt);
	sasl_talk_end(&t);
	return result == SASL_TALK_GO_ON ? SASL_TALK_BROKEN : result;
}

/* RFC 5802 section 6: the binding must be what both sides offered; "y" after an offer is a
 * downgrade. */
static bool
is_bound_rightly(const struct sasl_login *login, const struct claim *claim, bool is_plus)
{
	if (is_plus)
		return login->binding.n > 0 && claim->binding == CLAIM_BINDING_EXPORTER;
	if (claim->binding == CLAIM_BINDING_NOT_SEEN)
		return !login->plus_offered;
	return claim->binding == CLAIM_BINDING_NONE;
}

struct sasl_talk *
sasl_talk_begin(const struct sasl_login *login, struct str first, enum sasl_result *result_out,
    struct str *challenge_out)
{
	bool is_plus = str_eq(login->mechanism, STR("SCRAM-SHA-256-PLUS"));
	struct claim claim;
	struct sasl_talk *t;

	*challenge_out = STR("");
	*result_out = SASL_TALK_BROKEN;
	/* only exact names: the library takes "PLAIN-PLUS" for PLAIN */
	if (!is_plus && !str_eq(login->mechanism, STR("SCRAM-SHA-256")))
		return NULL;
	*result_out = SASL_TALK_NO;
	if (!claim_scram(first, &claim) || !str_eq(claim_name(&claim), login->user) ||
	    !is_bound_rightly(login, &claim, is_plus))
		return NULL;
	*result_out = SASL_TALK_BROKEN;
	t = talk_new(login);
	if (!t)
		return NULL;
	*result_out =
	    start(t, is_plus ? "SCRAM-SHA-256-PLUS" : "SCRAM-SHA-256", first, challenge_out);
	if (*result_out != SASL_TALK_GO_ON) {
		*challenge_out = STR("");
		sasl_talk_end(&t);
	}
	return t;
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
initialise(void)
{
	static const sasl_callback_t callbacks[] = {
	    {SASL_CB_GETOPT, CALLBACK(get_option), NULL},
	    {SASL_CB_VERIFYFILE, CALLBACK(verify_file), NULL},
	    {SASL_CB_LOG, CALLBACK(drop_log), NULL},
	    {.id = SASL_CB_LIST_END},
	};

	sasl_set_mutex(mutex_new, mutex_lock, mutex_unlock, mutex_free);
	/* failure shows in the dry logins */
	(void)!sasl_server_init(callbacks, "sallyport");
	(void)!sasl_auxprop_add_plugin("sallyport", offer_look_up);
}

/* Both ends of SCRAM's mathematics run here, so that what they open is open before the sandbox. */
static bool
try_scram(const struct sasl_login *login)
{
	enum sasl_result result;
	struct str challenge;
	struct sasl_talk *t = sasl_talk_begin(login, STR("n,,n=dry,r=run"), &result, &challenge);
	char nonce[SASL_CHALLENGE_MAX], final[SASL_CHALLENGE_MAX + 128];
	size_t n = t ? str_find(challenge, ',') : 0;

	if (!t || n >= sizeof nonce)
		return false;
	memcpy(nonce, challenge.p, n);
	nonce[n] = 0;
	n = (size_t)snprintf(final, sizeof final,
	    "c=biws,%s,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", nonce);
	result = sasl_talk_step(t, str_make(final, n), &challenge);
	sasl_talk_end(&t);
	return result == SASL_TALK_NO;
}

static bool
try_password(struct sasl_login *login)
{
	login->mechanism = STR("PLAIN");
	if (sasl_talk_check(login, STR("\0dry\0run"), STR("")) != SASL_TALK_NO)
		return false;
	login->mechanism = STR("LOGIN");
	return sasl_talk_check(login, STR("dry"), STR("run")) == SASL_TALK_NO;
}

int
sasl_talk_prepare(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct sasl_login login = {.hostname = STR("localhost"), .user = STR("dry")};
	char text[SECRET_TEXT_BYTES];
	struct secret secret;

	pthread_once(&once, initialise);
	secret_fake(STR("dry run"), login.user, SECRET_ITERATIONS_MIN, &secret);
	login.secret = str_of(secret_text(&secret, text));
	if (try_password(&login)) {
		login.mechanism = STR("SCRAM-SHA-256");
		if (try_scram(&login))
			return 0;
	}
	log_error("Cyrus SASL has no working %.*s (package libsasl2-modules)",
	    STR_ARG(login.mechanism));
	return -1;
}
