/* Each message type can be encoded and decoded; cut or extended bytes are never decoded. */
#include "ipc/message.h"

#include <criterion/criterion.h>

static void
round_trip(enum message_type type, const void *message)
{
	struct buf wire, again;
	enum message_type got;
	union message out;

	buf_init(&wire, 1 << 20);
	buf_init(&again, 1 << 20);
	cr_assert(message_encode(type, message, &wire));
	cr_assert(message_decode(buf_str(&wire), &got, &out));
	cr_assert_eq(got, type);
	cr_assert(message_encode(got, &out, &again));
	cr_assert(str_eq(buf_str(&wire), buf_str(&again)), "%s", message_name(type));
	for (size_t n = 0; n < wire.n; n++)
		cr_assert_not(message_decode(str_upto(buf_str(&wire), n), &got, &out),
		    "%s cut to %zu bytes", message_name(type), n);
	buf_addc(&wire, 0);
	cr_assert_not(
	    message_decode(buf_str(&wire), &got, &out), "%s stretched", message_name(type));
	buf_clear(&wire);
	buf_clear(&again);
}

/* ---- every field of every type has a value of its own ---- */

/* The n-th value of a message: neighbours differ, and none is zero. */
static void
fill(char *message, const struct message_row *row, size_t n)
{
	static const char *const words[] = {"one", "two and", "three \1\2", "4"};
	struct smtp_status status =
	    smtp_status_make(450 + (unsigned)(n % 3), n % 2 ? "4.7.1" : "4.3.2", "words %zu", n);
	struct str text = str_of(words[n % 4]);
	struct msgid id = {UINT64_C(0x123456789abcde0) + n, (uint32_t)(0xf0000000 + n)};
	uint64_t number = UINT64_C(0xa1b2c3d4e5f60718) + n * UINT64_C(0x0101010101010101);
	bool yes = true;

	status.is_remote = n % 2;
	if (row->kind == 't')
		memcpy(message + row->offset, &text, sizeof text);
	else if (row->kind == 's')
		memcpy(message + row->offset, &status, sizeof status);
	else if (row->kind == 'i')
		memcpy(message + row->offset, &id, sizeof id);
	else if (row->kind == 'b')
		memcpy(message + row->offset, &yes, sizeof yes);
	else
		memcpy(message + row->offset, &number, row->bytes);
}

static bool
is_equal(const struct message_row *row, const char *a, const char *b)
{
	struct smtp_status x, y;
	struct str s, t;

	a += row->offset;
	b += row->offset;
	if (row->kind == 't') {
		memcpy(&s, a, sizeof s);
		memcpy(&t, b, sizeof t);
		return str_eq(s, t);
	}
	if (row->kind == 's') {
		memcpy(&x, a, sizeof x);
		memcpy(&y, b, sizeof y);
		return x.code == y.code && x.class == y.class && x.subject == y.subject &&
		    x.detail == y.detail && x.is_remote == y.is_remote && !strcmp(x.text, y.text);
	}
	return memcmp(a, b, row->kind == 'i' ? 12 : row->bytes) == 0;
}

Test(message, every_field_of_every_type_decodes_to_the_same_value)
{
	for (int type = MESSAGE_NONE + 1; type < MESSAGE_TYPES; type++) {
		union message in = {0}, out;
		enum message_type got;
		struct message_row row;
		struct buf wire;
		size_t n;

		for (n = 0; message_row((enum message_type)type, n, &row); n++)
			fill((char *)&in, &row, n);
		cr_assert_gt(n, 0);
		round_trip((enum message_type)type, &in);
		buf_init(&wire, 1 << 20);
		cr_assert(message_encode((enum message_type)type, &in, &wire));
		memset(&out, 0xee, sizeof out);
		cr_assert(message_decode(buf_str(&wire), &got, &out));
		cr_assert_eq((int)got, type);
		for (n = 0; message_row(got, n, &row); n++)
			cr_assert(is_equal(&row, (char *)&in, (char *)&out), "%s, field %zu",
			    message_name(got), n);
		buf_clear(&wire);
	}
}

/* A field without a row would not be sent.  So the rows of a struct must be as close to one another
 * as their alignment allows, and reach its end. */
#define SIZE(TYPE, name) [MESSAGE_##TYPE] = sizeof(((union message *)0)->name)
static const size_t sizes[MESSAGE_TYPES] = {
    SIZE(HELLO, hello),
    SIZE(CONFIG, config),
    SIZE(LOG, log),
    SIZE(PEER, peer),
    SIZE(GRANT, grant),
    SIZE(START, start),
    SIZE(STOP, stop),
    SIZE(READY, ready),
    SIZE(PING, ping),
    SIZE(PONG, pong),
    SIZE(REFUSED, refused),
    SIZE(PEER_LOST, peer_lost),
    SIZE(STOPPED, stopped),
    SIZE(GRANT_LOST, grant_lost),
    SIZE(GRANTS_AGAIN, grants_again),
    SIZE(RESTART, restart),
    SIZE(ALERT, alert),
    SIZE(NOTICE, notice),
    SIZE(SIGN, sign),
    SIZE(SIGNED, signature),
    SIZE(KEY_ASK, key_ask),
    SIZE(KEY, key),
    SIZE(AUTH_START, auth_start),
    SIZE(AUTH_STEP, auth_step),
    SIZE(AUTH_CANCEL, auth_cancel),
    SIZE(AUTH_ANSWER, auth_answer),
    SIZE(AUTH_USER_GONE, auth_user_gone),
    SIZE(AUTH_USERS_ASK, auth_users_ask),
    SIZE(AUTH_USERS, auth_users),
    SIZE(CHECK_START, check_start),
    SIZE(CHECK_ANSWER, check_answer),
    SIZE(LOOK_UP, look_up),
    SIZE(ACCOUNT, account),
    SIZE(USERS_LOOK_UP, users_look_up),
    SIZE(USERS_FOUND, users_found),
    SIZE(ACCOUNT_COMMAND, admin),
    SIZE(ACCOUNT_DONE, account_done),
    SIZE(BACKEND_STATE, backend_state),
    SIZE(LEASE_ASK, lease_ask),
    SIZE(LEASE, lease),
    SIZE(LEASE_RETURN, lease_return),
    SIZE(LEASE_RECALL, lease_recall),
    SIZE(RELEASE, release),
    SIZE(SPOOL_FILE, spool_file),
    SIZE(COMMIT, commit),
    SIZE(STATUS, status),
    SIZE(ROOM, room),
    SIZE(DESTINATION_ASK, destination_ask),
    SIZE(DESTINATION, destination),
    SIZE(DELIVER, deliver),
    SIZE(CANCEL, cancel),
    SIZE(RESULT, result),
    SIZE(RESULT_STORED, result_stored),
    SIZE(RUNNING, running),
    SIZE(RUNNING_ASK, running_ask),
    SIZE(CAUGHT_UP, caught_up),
    SIZE(COMMAND, command),
    SIZE(ADMIN, admin),
    SIZE(ADMIN_ROW, admin_row),
    SIZE(ADMIN_DONE, admin_done),
    SIZE(ADMIN_TAKEN, admin_taken),
};

static size_t
round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

Test(message, every_field_has_its_row)
{
	for (int type = MESSAGE_NONE + 1; type < MESSAGE_TYPES; type++) {
		const char *name = message_name((enum message_type)type);
		size_t at = 0, widest = 1;
		struct message_row row;

		for (size_t n = 0; message_row((enum message_type)type, n, &row); n++) {
			cr_assert_eq(row.offset, round_up(at, row.alignment),
			    "%s: something before field %zu has no row", name, n);
			at = row.offset + row.bytes;
			widest = row.alignment > widest ? row.alignment : widest;
		}
		cr_assert_eq(round_up(at, widest), sizes[type],
		    "%s: something at the end has no row, or this test does not know the type",
		    name);
	}
}

Test(message, values_decode_to_the_same_values)
{
	struct message_result m = {.attempt_id = 7,
	    .id = {.session = 1ULL << 59, .number = 3},
	    .recipient = 2,
	    .status = smtp_status_make(451, "4.7.1", "Greylisted"),
	    .reason = STR("greylisted"),
	    .host = STR("mx1.example.net"),
	    .address = STR("192.0.2.25"),
	    .port = 25,
	    .took_ms = -1,
	    .is_last = true};
	enum message_type type;
	union message out;
	struct buf wire;

	round_trip(MESSAGE_RESULT, &m);
	buf_init(&wire, 4096);
	cr_assert(message_encode(MESSAGE_RESULT, &m, &wire));
	cr_assert(message_decode(buf_str(&wire), &type, &out));
	cr_assert_eq(out.result.status.code, 451);
	cr_assert_eq(out.result.status.detail, 1);
	cr_assert_str_eq(out.result.status.text, "Greylisted");
	cr_assert_not(out.result.status.is_remote);
	m.status = smtp_status_remote(550, STR("5.1.1 no such user"));
	buf_reset(&wire);
	cr_assert(message_encode(MESSAGE_RESULT, &m, &wire));
	cr_assert(message_decode(buf_str(&wire), &type, &out));
	cr_assert(out.result.status.is_remote, "text of the host stays marked as such");
	cr_assert(str_eq(out.result.host, STR("mx1.example.net")));
	cr_assert_eq(out.result.took_ms, -1);
	cr_assert(out.result.is_last);
	buf_clear(&wire);
}

Test(message, a_status_that_is_too_long_is_refused)
{
	struct message_status m = {.status = smtp_status_make(250, NULL, "ok")};
	enum message_type type;
	union message out;
	struct buf wire;

	buf_init(&wire, 4096);
	cr_assert(message_encode(MESSAGE_STATUS, &m, &wire));
	wire.n -= 2;
	for (int i = 0; i < SMTP_STATUS_TEXT_BYTES; i++)
		buf_addc(&wire, 'x');
	wire.p[2 + 8] = (char)SMTP_STATUS_TEXT_BYTES;
	cr_assert_not(message_decode(buf_str(&wire), &type, &out));
	buf_clear(&wire);
}

Test(message, keyed_lists)
{
	struct buf values;
	struct str rest, key, value;

	buf_init(&values, 1000);
	message_values_add(&values, "user", STR("alice@example.com"));
	message_values_add(&values, "empty", STR(""));
	message_values_add(&values, "evil", STR("a\0b"));
	cr_assert(str_eq(message_values_get(buf_str(&values), "user"), STR("alice@example.com")));
	cr_assert(str_eq(message_values_get(buf_str(&values), "evil"), STR("a")));
	cr_assert_eq(message_values_get(buf_str(&values), "absent").n, 0);
	rest = buf_str(&values);
	for (int i = 0; i < 3; i++)
		cr_assert(message_values_next(&rest, &key, &value));
	cr_assert_not(message_values_next(&rest, &key, &value));
	buf_clear(&values);
}
