/* str, id, crc, clock: tables of what is accepted and what is not. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/crc.h"
#include "base/encode.h"
#include "base/id.h"
#include "base/path_access.h"
#include "base/str.h"

Test(str, whole_decimal_numbers_only)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t value;
	} rows[] = {
	    {"0", true, 0},
	    {"18446744073709551615", true, UINT64_MAX},
	    {"18446744073709551616", false, 0},
	    {"99999999999999999999", false, 0},
	    {"000000000000000000000", false, 0},
	    {"", false, 0},
	    {"-1", false, 0},
	    {"+1", false, 0},
	    {" 1", false, 0},
	    {"1e3", false, 0},
	    {"0x10", false, 0},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t v = 7;

		cr_expect_eq(str_u64(str_of(rows[i].text), &v), rows[i].good, "%s", rows[i].text);
		cr_expect_eq(v, rows[i].good ? rows[i].value : 7, "%s", rows[i].text);
	}
}

Test(str, invisible_characters)
{
	static const struct {
		const char *text;
		uint32_t character;
		bool is_unseen;
	} rows[] = {
	    {"a", 'a', false}, {" ", ' ', false}, {"~", '~', false}, {"\x1b", 0x1b, true},
	    {"\x7f", 0x7f, true}, {"\xc2\x85", 0x85, true}, {"\xc2\xa0", 0xa0, false},
	    {"\xc2\xad", 0xad, true}, {"\xc3\xbc", 0xfc, false}, {"\xd8\x9c", 0x61c, true},
	    {"\xe2\x80\x8b", 0x200b, true}, {"\xe2\x80\xae", 0x202e, true},
	    {"\xe2\x81\xa0", 0x2060, true}, {"\xe3\x80\x80", 0x3000, false},
	    {"\xef\xbb\xbf", 0xfeff, true}, {"\xf0\x9f\x98\x80", 0x1f600, false},
	    {"\xf3\xa0\x81\x81", 0xe0041, true}, {"\xe3\x85\xa4", 0x3164, true},
	};
	uint32_t c;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct str s = str_of(rows[i].text);

		cr_expect_eq(str_utf8_character(s, &c), s.n, "row %zu", i);
		cr_expect_eq(c, rows[i].character, "row %zu: %x", i, c);
		cr_expect_eq(char_is_unseen(c), rows[i].is_unseen, "row %zu", i);
	}
	cr_expect_eq(str_utf8_character(STR("\xc3"), &c), 0);
	cr_expect_eq(c, 0);
}

Test(str, utf8_is_well_formed_or_not)
{
	static const struct {
		struct str text;
		bool good;
	} rows[] = {
	    {{"", 0}, true},
	    {{"\xc3\xa4", 2}, true},
	    {{"\xf4\x8f\xbf\xbf", 4}, true},
	    {{"\xf4\x90\x80\x80", 4}, false},
	    {{"\xc0\xaf", 2}, false},
	    {{"\xe0\x80\xaf", 3}, false},
	    {{"\xed\xa0\x80", 3}, false},
	    {{"\xc3", 1}, false},
	    {{"\xff\xfe", 2}, false},
	    {{"\x80", 1}, false},
	    {{"a\0b", 3}, true},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		cr_expect_eq(str_is_utf8(rows[i].text), rows[i].good, "row %zu", i);
}

Test(str, split_gives_empty_parts_and_ends)
{
	static const char *const parts[] = {"a", "", "b", ""};
	struct str rest = STR("a,,b,"), part;

	for (int n = 0; n < 4; n++) {
		cr_assert(str_split(&rest, ',', &part));
		cr_expect(str_eq(part, str_of(parts[n])));
	}
	cr_expect_not(str_split(&rest, ',', &part));
}

Test(str, slices_stay_inside)
{
	struct str s = STR("abc");

	cr_expect_eq(str_from(s, 9).n, 0);
	cr_expect_eq(str_upto(s, 9).n, 3);
	cr_expect_eq(str_from(STR_NULL, 3).n, 0);
	cr_expect(str_ieq(STR("aB\xc4"), STR("Ab\xc4")));
	cr_expect_not(str_ieq(STR("\xe4"), STR("\xc4")));
	cr_expect(str_eq(str_trim(STR(" \t x \t")), STR("x")));
	cr_expect_eq(str_rfind(STR("a.b.c"), '.'), 3);
	cr_expect_eq(str_find(STR_NULL, 'x'), 0);
	cr_expect(str_iends(STR("x.BODY"), STR(".body")));
}

Test(crc, known_values_and_pieces)
{
	unsigned char bytes[32] = {0};
	uint32_t whole, parts;

	cr_expect_eq(crc32c(0, "123456789", 9), 0xe3069283);
	/* RFC 3720 appendix B.4 */
	cr_expect_eq(crc32c(0, bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, 32);
	cr_expect_eq(crc32c(0, bytes, 32), 0x62a8ab43);
	whole = crc32c(0, "the quick brown fox", 19);
	parts = crc32c(crc32c(0, "the quick", 9), " brown fox", 10);
	cr_expect_eq(whole, parts);
	cr_expect_eq(crc32c(0, "", 0), 0);
}

Test(id, rises_whatever_the_clock_does)
{
	struct id_source s;
	uint64_t last = 0;

	clock_fake(1000);
	id_source_init(&s, 3, 5, 2000);
	for (int i = 0; i < 1000; i++) {
		uint64_t id = id_next(&s);

		cr_assert_gt(id, last);
		cr_assert_gt(id_ms(id), 2000);
		last = id;
		if (i == 500)
			clock_fake(5);
	}
	clock_fake(-1);
}

Test(id, other_slots_and_nodes_make_other_ids)
{
	struct id_source a, b, c;

	clock_fake(1000);
	id_source_init(&a, 1, 1, 0);
	id_source_init(&b, 1, 2, 0);
	id_source_init(&c, 2, 1, 0);
	for (int i = 0; i < 300; i++) {
		uint64_t x = id_next(&a), y = id_next(&b), z = id_next(&c);

		cr_assert(x != y && y != z && x != z);
	}
	clock_fake(-1);
}

Test(id, text_parses_to_the_same_id)
{
	static const char *const bad[] = {"", "1R8K3M7Q4TB2-", "1R8K3M7Q4TB2-0", "1R8K3M7Q4TB2-1.",
	    "1R8K3M7Q4TB2-1.0", "1R8K3M7Q4TB-1", "1R8K3M7Q4TB22-1", "1R8K3M7Q4TBI", "1R8K3M7Q4TBU",
	    "1R8K3M7Q4TB2-4294967296", "1R8K3M7Q4TB2-1.2.3", "1R8K3M7Q4TB2-1.4294967296"};
	char text[ID_NUMBER_TEXT_BYTES];
	struct msgid id = {0x0123456789abcde, 4294967295u}, back;
	uint32_t recipient;

	cr_expect(msgid_parse(str_of(msgid_text(id, 1000, text)), &back, &recipient));
	cr_expect(msgid_eq(id, back));
	cr_expect_eq(recipient, 1000);
	cr_expect(msgid_parse(STR("1r8k3m7q4tb2"), &back, &recipient));
	cr_expect_eq(back.number, 0);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_expect_not(msgid_parse(str_of(bad[i]), &back, &recipient), "%s", bad[i]);
}

Test(clock, stamps)
{
	char out[CLOCK_TEXT_BYTES];

	setenv("TZ", "UTC", 1);
	tzset();
	cr_expect_str_eq(clock_iso(1763740672104, out), "2025-11-21T15:57:52.104+00:00");
	cr_expect_str_eq(clock_rfc5322(1763740672104, out), "Fri, 21 Nov 2025 15:57:52 +0000");
	setenv("TZ", "XXX3:30", 1);
	tzset();
	cr_expect_str_eq(clock_rfc5322(1763740672104, out), "Fri, 21 Nov 2025 12:27:52 -0330");
}

Test(str, ascii_at_every_position)
{
	char text[24];

	for (size_t n = 0; n <= sizeof text; n++) {
		memset(text, 0x7f, sizeof text);
		cr_assert(str_is_ascii(str_make(text, n)));
		for (size_t at = 0; at < sizeof text; at++) {
			text[at] = (char)0x80;
			cr_assert_eq(str_is_ascii(str_make(text, n)), at >= n, "%zu of %zu", at, n);
			text[at] = 0;
		}
	}
}

/* Every octet at every position of texts that are shorter and longer than a machine word. */
Test(str, find_control)
{
	char text[20];

	for (unsigned c = 0; c < 256; c++)
		for (size_t n = 1; n < sizeof text; n++)
			for (size_t at = 0; at < n; at++) {
				memset(text, at % 2 ? 0xff : ' ', sizeof text);
				text[at] = (char)c;
				cr_assert_eq(
				    str_find_control(str_make(text, n), 0), c < 0x20 ? at : n);
				cr_assert_eq(str_find_control(str_make(text, n), at + 1), n);
			}
	cr_assert_eq(str_find_control(STR("a\n\nb\r"), 2), 2);
	cr_assert_eq(str_find_control(STR(""), 0), 0);
	cr_assert_eq(str_find_control(STR("a"), 9), 1);
}

/* The output is one word when an administrator pastes it into a shell. */
Test(encode, shell_words)
{
	static const char *const rows[][2] = {{"/var/spool/x-1_2.crt", "/var/spool/x-1_2.crt"},
	    {"1000", "1000"}, {"/var/tmp/op live", "'/var/tmp/op live'"}, {"", "''"},
	    {"/a;reboot", "'/a;reboot'"}, {"/it's", "'/it'\\''s'"}, {"/$HOME", "'/$HOME'"},
	    {"~x", "'~x'"}, {"/a*", "'/a*'"}, {"/\xc3\xa4", "'/\xc3\xa4'"}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out;

		buf_init(&out, 100);
		cr_expect(encode_shell_word(&out, str_of(rows[i][0])));
		cr_expect(
		    str_eq(buf_str(&out), str_of(rows[i][1])), "%.*s", STR_ARG(buf_str(&out)));
		buf_clear(&out);
	}
}

/* The path in a setting that is to be copied is complete: half of it would name another
 * directory. */
Test(path_access, the_drop_in_has_the_complete_path)
{
	static char path[4096];
	char hint[PATH_ACCESS_HINT_BYTES], wanted[4200];

	memset(path, 'd', sizeof path - 1);
	for (size_t i = 0; i < sizeof path - 1; i += 100)
		path[i] = '/';
	cr_assert_eq(setenv("INVOCATION_ID", "0123456789abcdef", 1), 0);
	(void)path_access_hint(str_of(path), EROFS, hint);
	snprintf(wanted, sizeof wanted,
	    "a drop-in with ReadWritePaths=%s is needed, see sallyportd(8), ", path);
	cr_expect(strstr(hint, wanted), "%s", hint);
	cr_expect(strstr(hint, "\"Paths outside the unit\""), "%s", hint);
}
