/* A header of UTF-8 as a host without SMTPUTF8 receives it, compared byte by byte. */
#include "mail/header_ascii.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "mail/fold.h"

#define U "\xc3\xbc" /* u with two dots */

static struct buf out;
static struct header_fault fault;

static void
set_up(void)
{
	buf_init(&out, HEADER_ASCII_BYTES_MAX);
}

static void
tear_down(void)
{
	buf_clear(&out);
}

TestSuite(header_ascii, .init = set_up, .fini = tear_down);

struct row {
	const char *in, *out; /* without the last CRLF */
};

static void
check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char in[4096];
		struct str got;
		bool ok;

		snprintf(in, sizeof in, "%s\r\n", rows[i].in);
		buf_reset(&out);
		ok = header_to_ascii(str_of(in), &out, &fault);
		got = str_upto(buf_str(&out), out.n - 2);
		cr_expect(ok, "%s: %s", rows[i].in, fault.why);
		cr_expect(ok && str_eq(got, str_of(rows[i].out)), "%s\nbecame\n%.*s\nnot\n%s",
		    rows[i].in, STR_ARG(got), rows[i].out);
	}
}
#define CHECK(rows) check_rows(rows, sizeof rows / sizeof *rows)

Test(header_ascii, unstructured)
{
	static const struct row rows[] = {
	    {"Subject: Gr" U "\xc3\x9f" "e", "Subject: =?utf-8?B?R3LDvMOfZQ==?="},
	    {"Subject: Re: [list] f" U "r Anna und B" U "cher of 2024",
	        "Subject: Re: [list] =?utf-8?B?ZsO8ciBBbm5hIHVuZCBCw7xjaGVy?= of 2024"},
	    {"Subject:" U, "Subject: =?utf-8?B?w7w=?="},
	    {"X-Anything:  a " U "\t", "X-Anything:  a =?utf-8?B?w7w=?=\t"},
	    /* characters with a meaning in Q */
	    {"Comments: a_b=?" U "(c)and much more in one word of more than forty " U,
	        "Comments: =?utf-8?Q?a=5Fb=3D=3F=C3=BC=28c=29and_much_more_in_one_word_of_m?=\r\n"
	        " =?utf-8?Q?ore_than_forty_=C3=BC?="},
	    /* a backslash and a quotation mark are ordinary text here */
	    {"Subject: \"" U "\\\"", "Subject: =?utf-8?B?IsO8XCI=?="},
	    {"Subject: plain\r\n " U "\r\n plain", "Subject: plain =?utf-8?B?w7w=?= plain"},
	};

	CHECK(rows);
}

/* Readers drop the blanks between two encoded words: blanks that must be shown are encoded. */
Test(header_ascii, text_beside_encoded_words)
{
	static const struct row rows[] = {
	    {"Subject: =?utf-8?Q?a?= " U, "Subject: =?utf-8?Q?a?= =?utf-8?B?IMO8?="},
	    {"Subject: " U " =?utf-8?Q?a?=", "Subject: =?utf-8?B?w7wg?= =?utf-8?Q?a?="},
	    {"Subject: " U " b =?utf-8?Q?a?=", "Subject: =?utf-8?B?w7w=?= b =?utf-8?Q?a?="},
	    {"Subject: =?utf-8?Q?a?= b " U, "Subject: =?utf-8?Q?a?= b =?utf-8?B?w7w=?="},
	    {"Subject: " U "  =?utf-8?Q?a?=\t" U,
	        "Subject: =?utf-8?B?w7wgIA==?= =?utf-8?Q?a?= =?utf-8?B?CcO8?="},
	    {"Subject: =?no? " U, "Subject: =?no? =?utf-8?B?w7w=?="},
	    /* RFC 2047 section 2: an encoded word that is not all ASCII is none */
	    {"Subject: a =?utf-8?Q?" U "?= b", "Subject: a =?utf-8?B?PT91dGYtOD9RP8O8Pz0=?= b"},
	    /* inside a word: it is text */
	    {"Subject: " U "=?utf-8?Q?a?=", "Subject: =?utf-8?B?w7w9P3V0Zi04P1E/YT89?="},
	};

	CHECK(rows);
}

Test(header_ascii, phrases_and_comments)
{
	static const struct row rows[] = {
	    {"From: J" U "rgen <a@b.example>", "From: =?utf-8?Q?J=C3=BCrgen?= <a@b.example>"},
	    {"From:J" U "rgen<a@b.example>", "From: =?utf-8?Q?J=C3=BCrgen?= <a@b.example>"},
	    {"To: \"Dr. M" U "ller, \\\"J\\\"\" <a@b.example>, c@d.example",
	        "To: =?utf-8?B?RHIuIE3DvGxsZXIsICJKIg==?= <a@b.example>, c@d.example"},
	    {"To: J. M" U "ller Jr. <a@b.example>,\"plain, x\" <c@d.example>",
	        "To: J. =?utf-8?Q?M=C3=BCller?= Jr. <a@b.example>,\"plain, x\" <c@d.example>"},
	    {"Cc: Gr" U "ppe: a@b.example, \"" U "\" <c@d.example>;",
	        "Cc: =?utf-8?Q?Gr=C3=BCppe?= : a@b.example, =?utf-8?B?w7w=?= <c@d.example>;"},
	    {"From: a@b.example (J" U "rgen (" U ") \\) x)",
	        "From: a@b.example (=?utf-8?Q?J=C3=BCrgen?= (=?utf-8?B?w7w=?=) \\) x)"},
	    {"From: a@b.example(" U "),c@d.example",
	        "From: a@b.example (=?utf-8?B?w7w=?=) ,c@d.example"},
	    {"From: a(" U ")@b.example", "From: a (=?utf-8?B?w7w=?=) @b.example"},
	    {"Date: Fri, 27 Nov 2026 12:00:00 +0100 (heure d'" U ")",
	        "Date: Fri, 27 Nov 2026 12:00:00 +0100 (heure =?utf-8?B?ZCfDvA==?=)"},
	    {"Keywords: a b, B" U "cher, c", "Keywords: a b, =?utf-8?Q?B=C3=BCcher?= , c"},
	    {"List-Id: " U " x <l.b.example>", "List-Id: =?utf-8?B?w7w=?= x <l.b.example>"},
	};

	CHECK(rows);
}

/* A quoted pair stays on one line: divided by a fold it would be no pair. */
Test(header_ascii, quoted_pairs)
{
	static const struct row rows[] = {
	    {"To: " U
	     " \"a b c d e f g h i j k l m n o p q r s t u v w x y z a\\ e\" <a@b.example>",
	        "To: =?utf-8?B?w7w=?= \"a b c d e f g h i j k l m n o p q r s t u v w x y z\r\n"
	        " a\\ e\" <a@b.example>"},
	    /* a local part is not folded either */
	    {"To: " U
	     " <\"a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e\"@b.example>",
	        "To: =?utf-8?B?w7w=?=\r\n "
	        "<\"a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e\"@b.example>"},
	};

	CHECK(rows);
}

Test(header_ascii, parameters)
{
	static const struct row rows[] = {
	    {"Content-Type: text/plain; charset=utf-8; name=\"gr" U "n.txt\"",
	        "Content-Type: text/plain; charset=utf-8; name*=utf-8''gr%C3%BCn.txt"},
	    {"Content-Disposition: attachment;\r\n\tfilename=gr" U "n.pdf; size=4",
	        "Content-Disposition: attachment; filename*=utf-8''gr%C3%BCn.pdf; size=4"},
	    {"Content-Disposition: attachment; filename=\"a\\\"" U " b;c\"",
	        "Content-Disposition: attachment; filename*=utf-8''a%22%C3%BC%20b%3Bc"},
	    {"Content-Disposition: attachment; filename=\"" U "\"; filename*=utf-8''%C3%BC",
	        "Content-Disposition: attachment; filename*=utf-8''%C3%BC"},
	    {"Content-Type: text/plain (" U "); a=b",
	        "Content-Type: text/plain (=?utf-8?B?w7w=?=) ; a=b"},
	    {"Content-Disposition: attachment; filename=\"" U U U U U U U U U U U "x.txt\"",
	        "Content-Disposition: attachment;\r\n "
	        "filename*0*=utf-8''%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC%C3%BC;\r\n "
	        "filename*1*=%C3%BC%C3%BCx.txt"},
	};

	CHECK(rows);
}

Test(header_ascii, ascii_fields_are_unchanged)
{
	struct str in = STR("X-Odd:   \t a   b\r\n\tc\r\nSubject: " U
			    "\r\nTo: a@b.example,\r\n c@d.example (=?x?=\r\n )\r\n");

	cr_assert(header_to_ascii(in, &out, &fault));
	cr_expect(str_eq(buf_str(&out),
	    STR("X-Odd:   \t a   b\r\n\tc\r\nSubject: =?utf-8?B?w7w=?=\r\nTo: a@b.example,\r\n "
		"c@d.example (=?x?=\r\n )\r\n")));
}

Test(header_ascii, parts_that_cannot_be_encoded)
{
	static const struct {
		const char *in, *name, *why;
	} rows[] = {
	    {"From: j" U "@b.example", "From", "an address that is not ASCII"},
	    {"Subject: x\r\nTo: a@b" U ".example", "To", "an address that is not ASCII"},
	    {"To: <@" U ".example:a@b.example>", "To", "a part that is not text is not ASCII"},
	    {"To: " U " a@b.example", "To", "a list of addresses that cannot be read"},
	    {"Message-ID: <" U "@b.example>", "Message-ID", "a part that is not text is not ASCII"},
	    {"List-Id: x <" U ".example>", "List-Id", "a part that is not text is not ASCII"},
	    {"Keywords: \"" U, "Keywords", "words that cannot be read"},
	    {"Keywords: " U "\\ ", "Keywords", "words that cannot be read"},
	    {"Date: (" U, "Date", "a comment that is not closed"},
	    {"Content-Type: text/" U, "Content-Type", "a part that is not text is not ASCII"},
	    {"Content-Type: multipart/mixed; boundary=\"" U "\"", "Content-Type",
	        "a boundary that is not ASCII"},
	    {"Content-Type: a/b; n" U "=x", "Content-Type", "a parameter that cannot be encoded"},
	    {"Content-Type: a/b; name*=" U, "Content-Type", "a parameter that cannot be encoded"},
	    {"Content-Type: a/b; name=" U " x", "Content-Type",
	        "a parameter that cannot be encoded"},
	    {"S" U "bject: x", "", "no field name"},
	    {"Subject: \xfc", "Subject", "not well-formed UTF-8"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char in[400];

		snprintf(in, sizeof in, "%s\r\n", rows[i].in);
		buf_reset(&out);
		cr_expect_not(header_to_ascii(str_of(in), &out, &fault), "%s", rows[i].in);
		cr_expect_str_eq(fault.why, rows[i].why, "%s: %s", rows[i].in, fault.why);
		cr_expect(str_eq(fault.name, str_of(rows[i].name)), "%s", rows[i].in);
	}
}

static void
check_lines(struct str block, size_t max)
{
	struct str line;

	while (str_split(&block, '\n', &line))
		cr_expect_leq(line.n, max + 1, "%.*s", STR_ARG(line));
}

/* 2,000 characters of two, three and four octets: no line is longer than 76, and each word has
 * complete characters. */
Test(header_ascii, lines_and_characters)
{
	static const char *const characters[] = {U, "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	static const char *const begins[] = {"Subject: ",
	    "X-Quite-a-long-name-of-a-field-is-this-one:", "From: ", "From: a@b.example (((",
	    "Keywords: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,"};
	static const char *const ends[] = {"", "", " <a@b.example>", "))), c@d.example", ", b"};

	for (size_t i = 0; i < 15; i++) {
		struct buf in;

		buf_init(&in, 65536);
		buf_addz(&in, begins[i / 3]);
		for (size_t n = 0; n < 300; n++)
			buf_addf(&in, "%s%s", characters[i % 3], n % 50 == 49 ? "\r\n " : "");
		buf_addf(&in, "%s%s\r\n", characters[i % 3], ends[i / 3]);
		buf_reset(&out);
		cr_assert(header_to_ascii(buf_str(&in), &out, &fault), "%s", fault.why);
		check_lines(buf_str(&out), FOLD_COLUMNS);
		buf_clear(&in);
	}
}

Test(header_ascii, long_words_are_not_made_longer)
{
	struct buf in;

	buf_init(&in, 4096);
	buf_addz(&in, "Subject: " U "\r\n ");
	for (unsigned i = 0; i < HEADER_LINE_MAX - 1; i++)
		buf_addc(&in, 'x');
	buf_addz(&in, "\r\n\tx " U "\r\n");
	cr_assert(header_to_ascii(buf_str(&in), &out, &fault), "%s", fault.why);
	check_lines(buf_str(&out), HEADER_LINE_MAX);
	buf_clear(&in);
}

Test(header_ascii, maximum_of_the_output)
{
	buf_clear(&out);
	buf_init(&out, 40);
	cr_expect_not(
	    header_to_ascii(STR("Subject: " U U U U U U U U U U U U "\r\n"), &out, &fault));
	cr_expect_str_eq(fault.why, "too large with encoded words");
	cr_expect_not(header_to_ascii(STR(""), &out, &fault));
}

/* 64 KiB of one kind: none takes quadratic time. */
Test(header_ascii, many_of_one_kind_take_linear_time, .timeout = 5)
{
	static const struct {
		const char *begin, *piece, *end;
		const char *why; /* NULL: it can be encoded */
	} rows[] = {
	    {"Content-Type: a/b", ";c=" U, "", "too many parameters that are not ASCII"},
	    {"Content-Type: a/b", ";c", ";d=" U, NULL},
	    {"Date: " U, "(", "", "a part that is not text is not ASCII"},
	    {"Keywords: " U, "(" U ")", "", NULL},
	    {"Subject: ", U " ", "", NULL},
	    {"Subject: ", "=?x?q?y?= " U " ", "", NULL},
	    {"To: ", U " <a@b>,", "c", NULL},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf in;
		bool ok;

		buf_init(&in, 80000);
		buf_addz(&in, rows[i].begin);
		for (unsigned n = 1; in.n < 65000; n++)
			buf_addf(&in, "%s%s", rows[i].piece, n % 50 ? "" : "\r\n ");
		buf_addf(&in, "%s\r\n", rows[i].end);
		buf_reset(&out);
		ok = header_to_ascii(buf_str(&in), &out, &fault);
		cr_expect_eq(ok, !rows[i].why, "%zu: %s", i, fault.why ? fault.why : "");
		cr_expect(ok || strcmp(fault.why, rows[i].why) == 0, "%zu: %s", i, fault.why);
		buf_clear(&in);
	}
}
