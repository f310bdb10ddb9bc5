/*
 * message: one row per field; the kind follows from the C type, so a row cannot disagree with its
 * struct.  Wire form: u16 type, then the fields in row order, little endian; strings are a u32
 * length and the bytes.
 */
#include "ipc/message.h"

#include <stdio.h>

#include "base/mem.h"

enum kind { KIND_U8, KIND_BOOL, KIND_U16, KIND_U32, KIND_U64, KIND_STR, KIND_STATUS, KIND_MSGID };

struct field {
	uint16_t offset;
	uint8_t kind;
};

struct shape {
	const char *name;
	const struct field *fields;
	size_t count;
	bool is_secret; /* it may carry a password */
};

#define KIND_OF(x) \
	_Generic((x), uint8_t: KIND_U8, bool: KIND_BOOL, uint16_t: KIND_U16, uint32_t: KIND_U32, \
	    uint64_t: KIND_U64, int64_t: KIND_U64, struct str: KIND_STR, \
	    struct status: KIND_STATUS, struct msgid: KIND_MSGID)
#define F(type, member) \
	{offsetof(struct message_##type, member), KIND_OF(((struct message_##type *)0)->member)}

static const struct field hello[] = {F(hello, build)};
static const struct field config[] = {F(config, generation)};
static const struct field log_fields[] = {F(log, addresses), F(log, secret)};
static const struct field peer[] = {F(peer, role), F(peer, index), F(peer, number)};
static const struct field grant[] = {F(grant, kind), F(grant, index), F(grant, name)};
static const struct field start[] = {F(start, node), F(start, slot), F(start, floor_ms)};
static const struct field stop[] = {F(stop, drain_ms)};
static const struct field ping[] = {F(ping, number)};
static const struct field ready[] = {F(ready, newest_ms)};
static const struct field stopped[] = {F(stopped, unused)};
static const struct field pong[] = {F(pong, number)};
static const struct field refused[] = {F(refused, exit_status), F(refused, text)};
static const struct field peer_lost[] = {
    F(peer_lost, role), F(peer_lost, index), F(peer_lost, number)};
static const struct field restart[] = {F(restart, role), F(restart, index), F(restart, reason)};
static const struct field alert[] = {F(alert, kind), F(alert, object), F(alert, text)};
static const struct field notice[] = {
    F(notice, notice), F(notice, kind), F(notice, subject), F(notice, text)};

static const struct field sign[] = {
    F(sign, key_id), F(sign, algorithm), F(sign, is_hash), F(sign, data)};
static const struct field signed_fields[] = {F(signed, ok), F(signed, signature)};
static const struct field key_ask[] = {F(key_ask, key_id)};
static const struct field key_fields[] = {F(key, known), F(key, algorithm), F(key, bits)};

static const struct field auth_start[] = {F(auth_start, session), F(auth_start, mechanism),
    F(auth_start, has_initial), F(auth_start, initial), F(auth_start, client),
    F(auth_start, binding), F(auth_start, port), F(auth_start, tls), F(auth_start, hostname)};
static const struct field auth_step[] = {F(auth_step, session), F(auth_step, response)};
static const struct field auth_cancel[] = {F(auth_cancel, session)};
static const struct field auth_answer[] = {F(auth_answer, outcome), F(auth_answer, challenge),
    F(auth_answer, status), F(auth_answer, user), F(auth_answer, backend),
    F(auth_answer, from_cache)};
static const struct field auth_user_gone[] = {F(auth_user_gone, user)};
static const struct field auth_users_ask[] = {F(auth_users_ask, users)};
static const struct field auth_users[] = {F(auth_users, gone), F(auth_users, unknown)};
static const struct field check_start[] = {F(check_start, mechanism), F(check_start, first),
    F(check_start, second), F(check_start, hostname), F(check_start, user), F(check_start, salt),
    F(check_start, iterations)};
static const struct field check_answer[] = {F(check_answer, outcome), F(check_answer, key)};

static const struct field lease_ask[] = {F(lease_ask, user), F(lease_ask, wanted)};
static const struct field lease[] = {F(lease, status), F(lease, limit), F(lease, tokens)};
static const struct field lease_return[] = {
    F(lease_return, user), F(lease_return, tokens), F(lease_return, is_all)};
static const struct field lease_recall[] = {F(lease_recall, user)};
static const struct field release[] = {F(release, session), F(release, number)};
static const struct field spool_file[] = {
    F(spool_file, session), F(spool_file, number), F(spool_file, size_hint),
    F(spool_file, user)};
static const struct field commit[] = {
    F(commit, envelope), F(commit, header), F(commit, in_file), F(commit, body)};
static const struct field verdict[] = {F(verdict, status)};
static const struct field room[] = {F(room, file_bytes), F(room, is_full),
    F(room, is_failing)};

static const struct field site_ask[] = {F(site_ask, domain)};
static const struct field site[] = {
    F(site, domain), F(site, site), F(site, ttl_s), F(site, status)};
static const struct field deliver[] = {F(deliver, job), F(deliver, site), F(deliver, domain),
    F(deliver, envelope), F(deliver, numbers), F(deliver, header), F(deliver, body_in_file),
    F(deliver, body), F(deliver, sums), F(deliver, attempt), F(deliver, ticket)};
static const struct field cancel[] = {F(cancel, job), F(cancel, is_forced)};
static const struct field result[] = {F(result, job), F(result, ticket), F(result, id),
    F(result, recipient),
    F(result, status), F(result, reason), F(result, host), F(result, address), F(result, port),
    F(result, source), F(result, tls), F(result, route), F(result, took_ms), F(result, is_last),
    F(result, dsn_passed_on), F(result, is_delivered), F(result, was_ready)};
static const struct field result_stored[] = {
    F(result_stored, job), F(result_stored, recipient), F(result_stored, id)};
static const struct field running_ask[] = {F(running_ask, unused)};
static const struct field running[] = {
    F(running, job), F(running, ticket), F(running, id), F(running, numbers), F(running, site)};
static const struct field caught_up[] = {F(caught_up, unused)};

static const struct field admin[] = {F(admin, verb), F(admin, values), F(admin, by),
    F(admin, claim)};
static const struct field admin_row[] = {F(admin_row, values)};
static const struct field admin_done[] = {F(admin_done, exit_code), F(admin_done, text)};
static const struct field admin_taken[] = {F(admin_taken, bytes), F(admin_taken, is_gone)};

#define SHAPE(name, fields) {name, fields, sizeof(fields) / sizeof *(fields), false}
#define SECRET(name, fields) {name, fields, sizeof(fields) / sizeof *(fields), true}

static const struct shape shapes[MESSAGE_TYPES] = {
    [MESSAGE_HELLO] = SHAPE("hello", hello),
    [MESSAGE_CONFIG] = SHAPE("config", config),
    [MESSAGE_LOG] = SHAPE("log", log_fields),
    [MESSAGE_PEER] = SHAPE("peer", peer),
    [MESSAGE_GRANT] = SHAPE("grant", grant),
    [MESSAGE_START] = SHAPE("start", start),
    [MESSAGE_STOP] = SHAPE("stop", stop),
    [MESSAGE_PING] = SHAPE("ping", ping),
    [MESSAGE_READY] = SHAPE("ready", ready),
    [MESSAGE_STOPPED] = SHAPE("stopped", stopped),
    [MESSAGE_RESTART] = SHAPE("restart", restart),
    [MESSAGE_PONG] = SHAPE("pong", pong),
    [MESSAGE_REFUSED] = SHAPE("refused", refused),
    [MESSAGE_PEER_LOST] = SHAPE("peer lost", peer_lost),
    [MESSAGE_ALERT] = SHAPE("alert", alert),
    [MESSAGE_NOTICE] = SHAPE("notice", notice),
    [MESSAGE_SIGN] = SHAPE("sign", sign),
    [MESSAGE_SIGNED] = SHAPE("signed", signed_fields),
    [MESSAGE_KEY_ASK] = SHAPE("key ask", key_ask),
    [MESSAGE_KEY] = SHAPE("key", key_fields),
    [MESSAGE_AUTH_START] = SECRET("auth start", auth_start),
    [MESSAGE_AUTH_STEP] = SECRET("auth step", auth_step),
    [MESSAGE_AUTH_CANCEL] = SHAPE("auth cancel", auth_cancel),
    [MESSAGE_AUTH_ANSWER] = SHAPE("auth answer", auth_answer),
    [MESSAGE_AUTH_USER_GONE] = SHAPE("auth user gone", auth_user_gone),
    [MESSAGE_AUTH_USERS_ASK] = SHAPE("auth users ask", auth_users_ask),
    [MESSAGE_AUTH_USERS] = SHAPE("auth users", auth_users),
    [MESSAGE_CHECK_START] = SECRET("check start", check_start),
    [MESSAGE_CHECK_ANSWER] = SECRET("check answer", check_answer),
    [MESSAGE_LEASE_ASK] = SHAPE("lease ask", lease_ask),
    [MESSAGE_LEASE] = SHAPE("lease", lease),
    [MESSAGE_LEASE_RETURN] = SHAPE("lease return", lease_return),
    [MESSAGE_LEASE_RECALL] = SHAPE("lease recall", lease_recall),
    [MESSAGE_ROOM] = SHAPE("room", room),
    [MESSAGE_RELEASE] = SHAPE("release", release),
    [MESSAGE_SPOOL_FILE] = SHAPE("spool file", spool_file),
    [MESSAGE_COMMIT] = SHAPE("commit", commit),
    [MESSAGE_VERDICT] = SHAPE("verdict", verdict),
    [MESSAGE_SITE_ASK] = SHAPE("site ask", site_ask),
    [MESSAGE_SITE] = SHAPE("site", site),
    [MESSAGE_DELIVER] = SHAPE("deliver", deliver),
    [MESSAGE_CANCEL] = SHAPE("cancel", cancel),
    [MESSAGE_RESULT] = SHAPE("result", result),
    [MESSAGE_RESULT_STORED] = SHAPE("result stored", result_stored),
    [MESSAGE_RUNNING_ASK] = SHAPE("running ask", running_ask),
    [MESSAGE_RUNNING] = SHAPE("running", running),
    [MESSAGE_CAUGHT_UP] = SHAPE("caught up", caught_up),
    [MESSAGE_COMMAND] = SECRET("command", admin),
    [MESSAGE_ADMIN] = SECRET("admin", admin),
    [MESSAGE_ADMIN_ROW] = SHAPE("admin row", admin_row),
    [MESSAGE_ADMIN_DONE] = SHAPE("admin done", admin_done),
    [MESSAGE_ADMIN_TAKEN] = SHAPE("admin taken", admin_taken),
};

const char *
message_name(enum message_type type)
{
	return type < MESSAGE_TYPES && shapes[type].name ? shapes[type].name : "unknown";
}

bool
message_row(enum message_type type, size_t index, struct message_row *out)
{
	static const struct message_row rows[] = {
	    [KIND_U8] = {0, 1, 1, 'n'},
	    [KIND_BOOL] = {0, 1, 1, 'b'},
	    [KIND_U16] = {0, 2, 2, 'n'},
	    [KIND_U32] = {0, 4, 4, 'n'},
	    [KIND_U64] = {0, 8, _Alignof(uint64_t), 'n'},
	    [KIND_STR] = {0, sizeof(struct str), _Alignof(struct str), 't'},
	    [KIND_STATUS] = {0, sizeof(struct status), _Alignof(struct status), 's'},
	    [KIND_MSGID] = {0, sizeof(struct msgid), _Alignof(struct msgid), 'i'},
	};

	if (type >= MESSAGE_TYPES || index >= shapes[type].count)
		return false;
	*out = rows[shapes[type].fields[index].kind];
	out->offset = shapes[type].fields[index].offset;
	return true;
}

bool
message_is_secret(unsigned type)
{
	return type < MESSAGE_TYPES && shapes[type].is_secret;
}

static void
put(struct buf *out, uint64_t v, size_t bytes)
{
	/* little endian on every machine that we build for; memcpy keeps the low bytes */
	_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "byte order");
	buf_add(out, &v, bytes);
}

static void
put_str(struct buf *out, struct str s)
{
	put(out, s.n, 4);
	buf_adds(out, s);
}

static void
put_status(struct buf *out, const struct status *s)
{
	put(out, s->code, 2);
	put(out, s->class, 1);
	put(out, s->subject, 2);
	put(out, s->detail, 2);
	put(out, s->is_remote, 1);
	put_str(out, str_of(s->text));
}

static void
put_field(struct buf *out, enum kind kind, const void *p)
{
	switch (kind) {
	case KIND_U8:
	case KIND_BOOL:
		buf_add(out, p, 1);
		return;
	case KIND_U16:
		buf_add(out, p, 2);
		return;
	case KIND_U32:
		buf_add(out, p, 4);
		return;
	case KIND_U64:
		buf_add(out, p, 8);
		return;
	case KIND_STR:
		put_str(out, *(const struct str *)p);
		return;
	case KIND_STATUS:
		put_status(out, p);
		return;
	case KIND_MSGID:
		put(out, ((const struct msgid *)p)->session, 8);
		put(out, ((const struct msgid *)p)->number, 4);
		return;
	}
}

bool
message_encode(enum message_type type, const void *message, struct buf *out)
{
	const struct shape *shape = &shapes[type];

	if (type >= MESSAGE_TYPES || !shape->name)
		die("message type %d", (int)type);
	put(out, type, 2);
	for (size_t i = 0; i < shape->count; i++)
		put_field(out, (enum kind)shape->fields[i].kind,
		    (const char *)message + shape->fields[i].offset);
	return buf_ok(out);
}

/* Takes bytes off the front; false when there are too few. */
static bool
take(struct str *in, void *to, size_t bytes)
{
	if (in->n < bytes)
		return false;
	memcpy(to, in->p, bytes);
	*in = str_from(*in, bytes);
	return true;
}

static bool
take_str(struct str *in, struct str *out)
{
	uint32_t n;

	if (!take(in, &n, 4) || n > in->n)
		return false;
	*out = str_upto(*in, n);
	*in = str_from(*in, n);
	return true;
}

static bool
take_bool(struct str *in, bool *out)
{
	uint8_t v;

	if (!take(in, &v, 1) || v > 1)
		return false;
	*out = v;
	return true;
}

static bool
take_status(struct str *in, struct status *out)
{
	struct str text;

	*out = (struct status){0};
	if (!take(in, &out->code, 2) || !take(in, &out->class, 1) || !take(in, &out->subject, 2) ||
	    !take(in, &out->detail, 2) || !take_bool(in, &out->is_remote) || !take_str(in, &text))
		return false;
	if (text.n >= sizeof out->text || str_has(text, 0))
		return false;
	if (text.n)
		memcpy(out->text, text.p, text.n);
	return true;
}

static bool
take_field(struct str *in, enum kind kind, void *p)
{
	switch (kind) {
	case KIND_U8:
		return take(in, p, 1);
	case KIND_BOOL:
		return take_bool(in, p);
	case KIND_U16:
		return take(in, p, 2);
	case KIND_U32:
		return take(in, p, 4);
	case KIND_U64:
		return take(in, p, 8);
	case KIND_STR:
		return take_str(in, p);
	case KIND_STATUS:
		return take_status(in, p);
	case KIND_MSGID:
		return take(in, &((struct msgid *)p)->session, 8) &&
		    take(in, &((struct msgid *)p)->number, 4);
	}
	return false;
}

bool
message_decode(struct str bytes, enum message_type *type_out, union message *out)
{
	const struct shape *shape;
	uint16_t type;

	if (!take(&bytes, &type, 2) || type >= MESSAGE_TYPES || !shapes[type].name)
		return false;
	shape = &shapes[type];
	for (size_t i = 0; i < shape->count; i++)
		if (!take_field(&bytes, (enum kind)shape->fields[i].kind,
			(char *)out + shape->fields[i].offset))
			return false;
	*type_out = (enum message_type)type;
	return bytes.n == 0;
}

void
message_values_add(struct buf *values, const char *key, struct str value)
{
	buf_add(values, key, strlen(key) + 1);
	/* a NUL inside a value would shift all that follows */
	buf_adds(values, str_upto(value, str_find(value, 0)));
	buf_addc(values, 0);
}

void
message_values_add_number(struct buf *values, const char *key, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)number);
	message_values_add(values, key, str_of(text));
}

void
message_values_add_signed(struct buf *values, const char *key, int64_t number)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)number);
	message_values_add(values, key, str_of(text));
}

bool
message_values_next(struct str *rest, struct str *key_out, struct str *value_out)
{
	size_t key_n = str_find(*rest, 0), value_n;
	struct str after = str_from(*rest, key_n + 1);

	value_n = str_find(after, 0);
	if (key_n >= rest->n || value_n >= after.n)
		return false;
	*key_out = str_upto(*rest, key_n);
	*value_out = str_upto(after, value_n);
	*rest = str_from(after, value_n + 1);
	return true;
}

struct str
message_values_get(struct str values, const char *key)
{
	struct str k, v;

	while (message_values_next(&values, &k, &v))
		if (str_eq(k, str_of(key)))
			return v;
	return STR("");
}
