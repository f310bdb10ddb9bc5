/* Each message type survives the wire; cut or stretched bytes never decode. */
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
	cr_assert_not(message_decode(buf_str(&wire), &got, &out), "%s stretched", message_name(type));
	buf_clear(&wire);
	buf_clear(&again);
}

Test(message, every_type_survives_the_wire)
{
	union message zero = {0};

	for (int type = MESSAGE_NONE + 1; type < MESSAGE_TYPES; type++)
		round_trip((enum message_type)type, &zero);
}

Test(message, values_survive_the_wire)
{
	struct message_result m = {.job = 7, .id = {.session = 1ULL << 59, .number = 3}, .recipient = 2,
	    .status = status_make(451, "4.7.1", "Greylisted"), .reason = STR("greylisted"),
	    .host = STR("mx1.example.net"), .address = STR("192.0.2.25"), .port = 25,
	    .took_ms = -1, .is_last = true};
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
	m.status = status_remote(550, STR("5.1.1 no such user"));
	buf_reset(&wire);
	cr_assert(message_encode(MESSAGE_RESULT, &m, &wire));
	cr_assert(message_decode(buf_str(&wire), &type, &out));
	cr_assert(out.result.status.is_remote, "the host's own words stay so on the way");
	cr_assert(str_eq(out.result.host, STR("mx1.example.net")));
	cr_assert_eq(out.result.took_ms, -1);
	cr_assert(out.result.is_last);
	buf_clear(&wire);
}

Test(message, a_status_longer_than_its_room_is_refused)
{
	struct message_verdict m = {.status = status_make(250, NULL, "ok")};
	enum message_type type;
	union message out;
	struct buf wire;

	buf_init(&wire, 4096);
	cr_assert(message_encode(MESSAGE_VERDICT, &m, &wire));
	wire.n -= 2;
	for (int i = 0; i < STATUS_TEXT_BYTES; i++)
		buf_addc(&wire, 'x');
	wire.p[2 + 8] = (char)STATUS_TEXT_BYTES;
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
