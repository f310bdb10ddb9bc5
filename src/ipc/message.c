/*
 * message: one row per field; the kind follows from the C type, so a row cannot disagree with its
 * struct.  Wire form: u16 type, then the fields in row order, little endian; strings are a u32
 * length and the bytes.
 */
#include "ipc/message.h"

#include <stdio.h>

#include "base/mem.h"

enum kind { KIND_U8, KIND_BOOL, KIND_U16, KIND_U32, KIND_U64, KIND_STR, KIND_STATUS, KIND_MSGID };

struct message_field {
	uint16_t offset;
	uint8_t kind;
};

struct message_layout {
	const char *name;
	const struct message_field *fields;
	size_t count;
	bool is_secret; /* it may carry a password */
};

#define KIND_OF(x) \
	_Generic((x), uint8_t: KIND_U8, bool: KIND_BOOL, uint16_t: KIND_U16, uint32_t: KIND_U32, \
	    uint64_t: KIND_U64, int64_t: KIND_U64, struct str: KIND_STR, \
	    struct smtp_status: KIND_STATUS, struct msgid: KIND_MSGID)
#define F(type, member) \
	{offsetof(struct message_##type, member), KIND_OF(((struct message_##type *)0)->member)}

static const struct message_field hello[] = {F(hello, build)};
static const struct message_field config[] = {F(config, generation)};
static const struct message_field log_fields[] = {F(log, addresses), F(log, secret)};
static const struct message_field peer[] = {F(peer, role), F(peer, index), F(peer, number)};
static const struct message_field grant[] = {F(grant, kind), F(grant, index), F(grant, name)};
static const struct message_field start[] = {F(start, node), F(start, slot), F(start, floor_ms)};
static const struct message_field stop[] = {F(stop, drain_ms)};
static const struct message_field ping[] = {F(ping, number)};
static const struct message_field ready[] = {F(ready, newest_ms)};
static const struct message_field stopped[] = {F(stopped, unused)};
static const struct message_field grant_lost[] = {F(grant_lost, unused)};
static const struct message_field grants_again[] = {F(grants_again, unused)};
static const struct message_field pong[] = {F(pong, number)};
static const struct message_field refused[] = {F(refused, exit_status), F(refused, text)};
static const struct message_field peer_lost[] = {
    F(peer_lost, role), F(peer_lost, index), F(peer_lost, number)};
static const struct message_field restart[] = {
    F(restart, role), F(restart, index), F(restart, reason)};
static const struct message_field alert[] = {F(alert, kind), F(alert, object), F(alert, text),
    F(alert, is_over)};
static const struct message_field notice[] = {
    F(notice, notice), F(notice, kind), F(notice, subject), F(notice, text)};

static const struct message_field sign[] = {
    F(sign, key_id), F(sign, algorithm), F(sign, is_hash), F(sign, data)};
static const struct message_field signed_fields[] = {F(signed, ok), F(signed, signature)};
static const struct message_field key_ask[] = {F(key_ask, key_id)};
static const struct message_field key_fields[] = {F(key, known), F(key, algorithm), F(key, bits)};

static const struct message_field auth_start[] = {F(auth_start, session), F(auth_start, mechanism),
    F(auth_start, has_initial), F(auth_start, initial), F(auth_start, client),
    F(auth_start, binding), F(auth_start, port), F(auth_start, tls), F(auth_start, hostname)};
static const struct message_field auth_step[] = {F(auth_step, session), F(auth_step, response)};
static const struct message_field auth_cancel[] = {F(auth_cancel, session)};
static const struct message_field auth_answer[] = {F(auth_answer, outcome),
    F(auth_answer, challenge), F(auth_answer, status), F(auth_answer, user),
    F(auth_answer, backend), F(auth_answer, from_cache)};
static const struct message_field auth_user_gone[] = {F(auth_user_gone, user)};
static const struct message_field auth_users_ask[] = {F(auth_users_ask, users)};
static const struct message_field auth_users[] = {F(auth_users, gone), F(auth_users, unknown)};
static const struct message_field check_start[] = {F(check_start, mechanism), F(check_start, first),
    F(check_start, second), F(check_start, hostname), F(check_start, user), F(check_start, salt),
    F(check_start, iterations)};
static const struct message_field check_answer[] = {F(check_answer, outcome), F(check_answer, key)};
static const struct message_field look_up[] = {F(look_up, name)};
static const struct message_field account[] = {F(account, result), F(account, name),
    F(account, is_suspended), F(account, secret)};
static const struct message_field users_look_up[] = {F(users_look_up, users)};
static const struct message_field users_found[] = {
    F(users_found, is_usable), F(users_found, gone), F(users_found, unknown)};
static const struct message_field account_done[] = {
    F(account_done, exit_code), F(account_done, text), F(account_done, target),
    F(account_done, was_suspended)};
static const struct message_field backend_state[] = {F(backend_state, is_first),
    F(backend_state, changes), F(backend_state, exchanges), F(backend_state, store),
    F(backend_state, is_directory_gone), F(backend_state, trouble)};

static const struct message_field lease_ask[] = {F(lease_ask, user), F(lease_ask, wanted)};
static const struct message_field lease[] = {F(lease, status), F(lease, limit), F(lease, tokens)};
static const struct message_field lease_return[] = {
    F(lease_return, user), F(lease_return, tokens), F(lease_return, is_all)};
static const struct message_field lease_recall[] = {F(lease_recall, user)};
static const struct message_field release[] = {F(release, session), F(release, number)};
static const struct message_field spool_file[] = {
    F(spool_file, session), F(spool_file, number), F(spool_file, size_hint),
    F(spool_file, user)};
static const struct message_field commit[] = {
    F(commit, envelope), F(commit, header), F(commit, in_file), F(commit, body)};
static const struct message_field status[] = {F(status, status)};
static const struct message_field room[] = {F(room, file_bytes), F(room, is_full),
    F(room, is_failing)};

static const struct message_field destination_ask[] = {F(destination_ask, next_hop)};
static const struct message_field destination[] = {
    F(destination, destination), F(destination, ttl_s), F(destination, status)};
static const struct message_field deliver[] = {F(deliver, attempt_id), F(deliver, next_hop),
    F(deliver, destination), F(deliver, envelope), F(deliver, numbers), F(deliver, header),
    F(deliver, body_in_file), F(deliver, body), F(deliver, sums), F(deliver, attempt),
    F(deliver, ticket)};
static const struct message_field cancel[] = {F(cancel, attempt_id), F(cancel, is_forced)};
static const struct message_field result[] = {F(result, attempt_id), F(result, ticket),
    F(result, id), F(result, recipient), F(result, status), F(result, reason), F(result, host),
    F(result, address), F(result, port), F(result, source), F(result, tls), F(result, destination),
    F(result, took_ms), F(result, is_last), F(result, dsn_passed_on), F(result, is_delivered),
    F(result, was_ready)};
static const struct message_field result_stored[] = {
    F(result_stored, attempt_id), F(result_stored, recipient), F(result_stored, id)};
static const struct message_field running_ask[] = {F(running_ask, unused)};
static const struct message_field running[] = {F(running, attempt_id), F(running, ticket),
    F(running, id), F(running, numbers), F(running, next_hop), F(running, destination)};
static const struct message_field caught_up[] = {F(caught_up, unused)};

static const struct message_field admin[] = {F(admin, verb), F(admin, values), F(admin, by),
    F(admin, claimed_name)};
static const struct message_field admin_row[] = {F(admin_row, values)};
static const struct message_field admin_done[] = {F(admin_done, exit_code), F(admin_done, text)};
static const struct message_field admin_taken[] = {F(admin_taken, bytes), F(admin_taken, is_gone)};

#define LAYOUT(name, fields) {name, fields, sizeof(fields) / sizeof *(fields), false}
#define SECRET(name, fields) {name, fields, sizeof(fields) / sizeof *(fields), true}

static const struct message_layout layouts[MESSAGE_TYPES] = {
    [MESSAGE_HELLO] = LAYOUT("hello", hello),
    [MESSAGE_CONFIG] = LAYOUT("config", config),
    [MESSAGE_LOG] = LAYOUT("log", log_fields),
    [MESSAGE_PEER] = LAYOUT("peer", peer),
    [MESSAGE_GRANT] = LAYOUT("grant", grant),
    [MESSAGE_START] = LAYOUT("start", start),
    [MESSAGE_STOP] = LAYOUT("stop", stop),
    [MESSAGE_PING] = LAYOUT("ping", ping),
    [MESSAGE_READY] = LAYOUT("ready", ready),
    [MESSAGE_STOPPED] = LAYOUT("stopped", stopped),
    [MESSAGE_RESTART] = LAYOUT("restart", restart),
    [MESSAGE_PONG] = LAYOUT("pong", pong),
    [MESSAGE_REFUSED] = LAYOUT("refused", refused),
    [MESSAGE_PEER_LOST] = LAYOUT("peer lost", peer_lost),
    [MESSAGE_GRANT_LOST] = LAYOUT("grant lost", grant_lost),
    [MESSAGE_GRANTS_AGAIN] = LAYOUT("grants again", grants_again),
    [MESSAGE_ALERT] = LAYOUT("alert", alert),
    [MESSAGE_NOTICE] = LAYOUT("notice", notice),
    [MESSAGE_SIGN] = LAYOUT("sign", sign),
    [MESSAGE_SIGNED] = LAYOUT("signed", signed_fields),
    [MESSAGE_KEY_ASK] = LAYOUT("key ask", key_ask),
    [MESSAGE_KEY] = LAYOUT("key", key_fields),
    [MESSAGE_AUTH_START] = SECRET("auth start", auth_start),
    [MESSAGE_AUTH_STEP] = SECRET("auth step", auth_step),
    [MESSAGE_AUTH_CANCEL] = LAYOUT("auth cancel", auth_cancel),
    [MESSAGE_AUTH_ANSWER] = LAYOUT("auth answer", auth_answer),
    [MESSAGE_AUTH_USER_GONE] = LAYOUT("auth user gone", auth_user_gone),
    [MESSAGE_AUTH_USERS_ASK] = LAYOUT("auth users ask", auth_users_ask),
    [MESSAGE_AUTH_USERS] = LAYOUT("auth users", auth_users),
    [MESSAGE_CHECK_START] = SECRET("check start", check_start),
    [MESSAGE_CHECK_ANSWER] = SECRET("check answer", check_answer),
    [MESSAGE_LOOK_UP] = LAYOUT("look up", look_up),
    [MESSAGE_ACCOUNT] = SECRET("account", account),
    [MESSAGE_USERS_LOOK_UP] = LAYOUT("users look up", users_look_up),
    [MESSAGE_USERS_FOUND] = LAYOUT("users found", users_found),
    [MESSAGE_ACCOUNT_COMMAND] = SECRET("account command", admin),
    [MESSAGE_ACCOUNT_DONE] = LAYOUT("account done", account_done),
    [MESSAGE_BACKEND_STATE] = LAYOUT("backend state", backend_state),
    [MESSAGE_LEASE_ASK] = LAYOUT("lease ask", lease_ask),
    [MESSAGE_LEASE] = LAYOUT("lease", lease),
    [MESSAGE_LEASE_RETURN] = LAYOUT("lease return", lease_return),
    [MESSAGE_LEASE_RECALL] = LAYOUT("lease recall", lease_recall),
    [MESSAGE_ROOM] = LAYOUT("room", room),
    [MESSAGE_RELEASE] = LAYOUT("release", release),
    [MESSAGE_SPOOL_FILE] = LAYOUT("spool file", spool_file),
    [MESSAGE_COMMIT] = LAYOUT("commit", commit),
    [MESSAGE_STATUS] = LAYOUT("status", status),
    [MESSAGE_DESTINATION_ASK] = LAYOUT("destination ask", destination_ask),
    [MESSAGE_DESTINATION] = LAYOUT("destination", destination),
    [MESSAGE_DELIVER] = LAYOUT("deliver", deliver),
    [MESSAGE_CANCEL] = LAYOUT("cancel", cancel),
    [MESSAGE_RESULT] = LAYOUT("result", result),
    [MESSAGE_RESULT_STORED] = LAYOUT("result stored", result_stored),
    [MESSAGE_RUNNING_ASK] = LAYOUT("running ask", running_ask),
    [MESSAGE_RUNNING] = LAYOUT("running", running),
    [MESSAGE_CAUGHT_UP] = LAYOUT("caught up", caught_up),
    [MESSAGE_COMMAND] = SECRET("command", admin),
    [MESSAGE_ADMIN] = SECRET("admin", admin),
    [MESSAGE_ADMIN_ROW] = LAYOUT("admin row", admin_row),
    [MESSAGE_ADMIN_DONE] = LAYOUT("admin done", admin_done),
    [MESSAGE_ADMIN_TAKEN] = LAYOUT("admin taken", admin_taken),
};

const char *
message_name(enum message_type type)
{
	return type < MESSAGE_TYPES && layouts[type].name ? layouts[type].name : "unknown";
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
	    [KIND_STATUS] = {0, sizeof(struct smtp_status), _Alignof(struct smtp_status), 's'},
	    [KIND_MSGID] = {0, sizeof(struct msgid), _Alignof(struct msgid), 'i'},
	};

	if (type >= MESSAGE_TYPES || index >= layouts[type].count)
		return false;
	*out = rows[layouts[type].fields[index].kind];
	out->offset = layouts[type].fields[index].offset;
	return true;
}

bool
message_is_secret(unsigned type)
{
	return type < MESSAGE_TYPES && layouts[type].is_secret;
}

static void
message_encode_number(struct buf *out, uint64_t v, size_t bytes)
{
	/* little endian on every machine that we build for; memcpy keeps the low bytes */
	_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "byte order");
	buf_add(out, &v, bytes);
}

static void
message_encode_str(struct buf *out, struct str s)
{
	message_encode_number(out, s.n, 4);
	buf_adds(out, s);
}

static void
message_encode_status(struct buf *out, const struct smtp_status *s)
{
	message_encode_number(out, s->code, 2);
	message_encode_number(out, s->class, 1);
	message_encode_number(out, s->subject, 2);
	message_encode_number(out, s->detail, 2);
	message_encode_number(out, s->is_remote, 1);
	message_encode_str(out, str_of(s->text));
}

static void
message_encode_field(struct buf *out, enum kind kind, const void *p)
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
		message_encode_str(out, *(const struct str *)p);
		return;
	case KIND_STATUS:
		message_encode_status(out, p);
		return;
	case KIND_MSGID:
		message_encode_number(out, ((const struct msgid *)p)->session, 8);
		message_encode_number(out, ((const struct msgid *)p)->number, 4);
		return;
	}
}

bool
message_encode(enum message_type type, const void *message, struct buf *out)
{
	const struct message_layout *shape = &layouts[type];

	if (type >= MESSAGE_TYPES || !shape->name)
		die("message type %d", (int)type);
	message_encode_number(out, type, 2);
	for (size_t i = 0; i < shape->count; i++)
		message_encode_field(out, (enum kind)shape->fields[i].kind,
		    (const char *)message + shape->fields[i].offset);
	return buf_ok(out);
}

/* Takes bytes off the front; false when there are too few. */
static bool
message_decode_bytes(struct str *in, void *to, size_t bytes)
{
	if (in->n < bytes)
		return false;
	memcpy(to, in->p, bytes);
	*in = str_from(*in, bytes);
	return true;
}

static bool
message_decode_str(struct str *in, struct str *out)
{
	uint32_t n;

	if (!message_decode_bytes(in, &n, 4) || n > in->n)
		return false;
	*out = str_upto(*in, n);
	*in = str_from(*in, n);
	return true;
}

static bool
message_decode_bool(struct str *in, bool *out)
{
	uint8_t v;

	if (!message_decode_bytes(in, &v, 1) || v > 1)
		return false;
	*out = v;
	return true;
}

static bool
message_decode_status(struct str *in, struct smtp_status *out)
{
	struct str text;

	*out = (struct smtp_status){0};
	if (!message_decode_bytes(in, &out->code, 2) || !message_decode_bytes(in, &out->class, 1) ||
	    !message_decode_bytes(in, &out->subject, 2) ||
	    !message_decode_bytes(in, &out->detail, 2) ||
	    !message_decode_bool(in, &out->is_remote) || !message_decode_str(in, &text))
		return false;
	if (text.n >= sizeof out->text || str_has(text, 0))
		return false;
	if (text.n)
		memcpy(out->text, text.p, text.n);
	return true;
}

static bool
message_decode_field(struct str *in, enum kind kind, void *p)
{
	switch (kind) {
	case KIND_U8:
		return message_decode_bytes(in, p, 1);
	case KIND_BOOL:
		return message_decode_bool(in, p);
	case KIND_U16:
		return message_decode_bytes(in, p, 2);
	case KIND_U32:
		return message_decode_bytes(in, p, 4);
	case KIND_U64:
		return message_decode_bytes(in, p, 8);
	case KIND_STR:
		return message_decode_str(in, p);
	case KIND_STATUS:
		return message_decode_status(in, p);
	case KIND_MSGID:
		return message_decode_bytes(in, &((struct msgid *)p)->session, 8) &&
		    message_decode_bytes(in, &((struct msgid *)p)->number, 4);
	}
	return false;
}

bool
message_decode(struct str bytes, enum message_type *type_out, union message *out)
{
	const struct message_layout *shape;
	uint16_t type;

	if (!message_decode_bytes(&bytes, &type, 2) || type >= MESSAGE_TYPES || !layouts[type].name)
		return false;
	shape = &layouts[type];
	for (size_t i = 0; i < shape->count; i++)
		if (!message_decode_field(&bytes, (enum kind)shape->fields[i].kind,
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
