/*
 * header_text_encode: neighbouring words beyond ASCII, with all between them, are encoded as one
 * text. Readers do not show the blanks between two encoded words, so blanks that are to be seen
 * there are encoded too. Words that are encoded already stay as they are. It knows no line length:
 * that is fold's.
 */
#include "mail/header_text_encode.h"

#include "mail/encoded_word.h"

static size_t
header_text_blanks(struct str s)
{
	size_t n = 0;

	while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
		n++;
	return n;
}

size_t
header_text_word_bytes(struct str s, enum header_text_form form)
{
	bool is_quoted = false;
	size_t n = 0;

	while (n < s.n && (is_quoted || (s.p[n] != ' ' && s.p[n] != '\t'))) {
		if (form == HEADER_TEXT_PHRASE && s.p[n] == '"')
			is_quoted = !is_quoted;
		n += form != HEADER_TEXT_UNSTRUCTURED && s.p[n] == '\\' ? 2 : 1;
	}
	return n < s.n ? n : s.n;
}

/* Removes quoting, as readers do. */
static void
header_text_unquote(struct str raw, enum header_text_form form, struct buf *out)
{
	for (size_t i = 0; i < raw.n; i++) {
		if (form == HEADER_TEXT_PHRASE && raw.p[i] == '"')
			continue;
		if (form != HEADER_TEXT_UNSTRUCTURED && raw.p[i] == '\\' && i + 1 < raw.n)
			i++;
		buf_addc(out, raw.p[i]);
	}
}

/* From a word beyond ASCII, the first word of s, to the last one before an encoded word or the end;
 * including the blanks after it when an encoded word follows directly. */
static size_t
header_text_span_bytes(struct str s, enum header_text_form form)
{
	size_t at = 0, end = 0, span = 0;

	while (at < s.n) {
		size_t n = header_text_word_bytes(str_from(s, at), form);
		struct str word = str_make(s.p + at, n);

		if (encoded_word_is(word))
			return span == end ? at : span;
		end = at + n;
		if (!str_is_ascii(word))
			span = end;
		at = end + header_text_blanks(str_from(s, end));
	}
	return span;
}

static void
header_text_put_span(struct fold *f, enum header_text_form form, struct str raw)
{
	struct buf plain;

	buf_init(&plain, raw.n + 1);
	header_text_unquote(raw, form, &plain);
	fold_encoded(f, buf_str(&plain));
	buf_clear(&plain);
}

void
header_text_encode(struct fold *f, enum header_text_form form, struct str raw)
{
	bool is_after_encoded = false;

	while (raw.n) {
		size_t blanks = header_text_blanks(raw);
		size_t n = blanks + header_text_word_bytes(str_from(raw, blanks), form);
		struct str word = str_make(raw.p + blanks, n - blanks);

		if (str_is_ascii(word)) {
			fold_text(f, str_upto(raw, n));
			is_after_encoded = encoded_word_is(word);
		} else {
			n = blanks + header_text_span_bytes(str_from(raw, blanks), form);
			if (!is_after_encoded)
				fold_text(f, str_upto(raw, blanks));
			header_text_put_span(f, form,
			    str_make(raw.p + (is_after_encoded ? 0 : blanks),
			        is_after_encoded ? n : n - blanks));
			is_after_encoded = false;
		}
		raw = str_from(raw, n);
	}
}
