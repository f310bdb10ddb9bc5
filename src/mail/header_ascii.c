/*
 * header_ascii: converts field by field. A structured field is processed token by token: comments,
 * and words where a phrase is allowed, are text and can be encoded; everything else must be ASCII.
 */
#include "mail/header_ascii.h"

#include "mail/header.h"
#include "mail/header_parameters.h"
#include "mail/header_text_encode.h"

enum { HEADER_ASCII_SCRATCH_BYTES = 8 << 20 };

enum header_form {
	FORM_TEXT,       /* unstructured: every field that is not listed below */
	FORM_TOKENS,     /* only its comments are text */
	FORM_PHRASES,    /* phrases, and parts in angle brackets */
	FORM_ADDRESSES,
	FORM_PARAMETERS,
};

static const struct {
	enum header_form form;
	const char *names; /* each between blanks */
} header_forms[] = {
    {FORM_ADDRESSES,
	" from sender reply-to to cc bcc resent-from resent-sender resent-reply-to resent-to "
	"resent-cc resent-bcc mail-followup-to mail-reply-to disposition-notification-to "
	"return-receipt-to errors-to apparently-to "},
    {FORM_PHRASES, " keywords list-id "},
    {FORM_PARAMETERS, " content-type content-disposition "},
    {FORM_TOKENS,
	" received return-path date resent-date message-id resent-message-id in-reply-to "
	"references mime-version content-transfer-encoding content-id content-language "
	"auto-submitted delivered-to original-recipient list-help list-subscribe list-unsubscribe "
	"list-unsubscribe-post list-post list-owner list-archive dkim-signature arc-seal "
	"arc-message-signature arc-authentication-results authentication-results autocrypt "},
};

struct header_ascii_field {
	struct fold fold;
	struct arena *arena;
	bool in_angle; /* between "<" and ">" */
	const char *why; /* it cannot be encoded; NULL: no fault yet */
};

static enum header_form
header_form_of(struct str name, struct arena *arena)
{
	struct str word = arena_lower(arena, arena_printf(arena, " %.*s ", STR_ARG(name)));

	for (size_t i = 0; i < sizeof header_forms / sizeof *header_forms; i++)
		if (strstr(header_forms[i].names, word.p))
			return header_forms[i].form;
	return FORM_TEXT;
}

/* ---- tokens ---- */

static size_t
ascii_blanks(struct str s)
{
	size_t n = 0;

	while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
		n++;
	return n;
}

/* Words with blanks between them, up to a special character that is not quoted; no blanks at the
 * end. */
static size_t
ascii_words_bytes(struct str s)
{
	bool is_quoted = false;
	size_t n = 0;

	while (n < s.n && (is_quoted || !strchr("()<>,:;@", s.p[n]))) {
		if (s.p[n] == '"')
			is_quoted = !is_quoted;
		n += s.p[n] == '\\' ? 2 : 1;
	}
	n = n < s.n ? n : s.n;
	while (n && ascii_blanks(str_from(str_upto(s, n), n - 1)))
		n--;
	return n;
}

/* ---- comments ---- */

static size_t
ascii_comment_text_bytes(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != '(' && s.p[n] != ')')
		n += s.p[n] == '\\' ? 2 : 1;
	return n < s.n ? n : s.n;
}

static void
ascii_put_comment(struct fold *f, struct str comment)
{
	if (str_is_ascii(comment)) {
		fold_text(f, comment);
		return;
	}
	fold_blank(f);
	while (comment.n) {
		size_t n = ascii_comment_text_bytes(comment);

		f->closing = 0;
		while (f->closing < FOLD_COLUMNS && n + f->closing < comment.n &&
		       comment.p[n + f->closing] == ')')
			f->closing++;
		header_text_encode(f, HEADER_TEXT_COMMENT, str_upto(comment, n));
		fold_text(f, str_upto(str_from(comment, n), 1));
		comment = str_from(comment, n + 1);
	}
	f->closing = 0;
	fold_require_blank(f);
}

/* ---- structured fields ---- */

/* Whether each quotation mark has its partner, and "\\" occurs only inside quotes. */
static bool
ascii_quotes_are_closed(struct str words)
{
	bool is_quoted = false;

	for (size_t i = 0; i < words.n; i++) {
		if (words.p[i] == '"')
			is_quoted = !is_quoted;
		else if (words.p[i] == '\\' && (!is_quoted || ++i == words.n))
			return false;
	}
	return !is_quoted;
}

static void
ascii_put_words(struct header_ascii_field *w, struct str words, bool may_phrase)
{
	/* for some readers, folding inside a quoted local part would be part of the address */
	w->fold.is_unbreakable = !may_phrase && str_has(words, '"');
	if (str_is_ascii(words))
		fold_text(&w->fold, words);
	else if (!may_phrase || w->in_angle)
		w->why = "a part that is not text is not ASCII";
	else if (!ascii_quotes_are_closed(words))
		w->why = "words that cannot be read";
	else
		header_text_encode(&w->fold, HEADER_TEXT_PHRASE, words);
	w->fold.is_unbreakable = false;
}

/* Writes the first token of s; returns its octets. */
static size_t
ascii_put_token(struct header_ascii_field *w, struct str s, bool may_phrase)
{
	size_t n = ascii_blanks(s);

	if (n) {
		fold_text(&w->fold, str_upto(s, n));
		return n;
	}
	if (s.p[0] == '(') {
		n = header_comment_bytes(s);
		if (n)
			ascii_put_comment(&w->fold, str_upto(s, n));
		else
			w->why = "a comment that is not closed";
		return n;
	}
	n = ascii_words_bytes(s);
	if (n) {
		ascii_put_words(w, str_upto(s, n), may_phrase);
		return n;
	}
	w->in_angle = s.p[0] == '<' || (w->in_angle && s.p[0] != '>');
	fold_text(&w->fold, str_upto(s, 1));
	return 1;
}

/* may_phrase: words outside angle brackets are phrases. */
static void
ascii_put_tokens(struct header_ascii_field *w, struct str s, bool may_phrase)
{
	while (s.n && !w->why)
		s = str_from(s, ascii_put_token(w, s, may_phrase));
}

static void
ascii_put_addresses(struct header_ascii_field *w, struct str body)
{
	struct header_address *list;
	size_t count, at = 0;

	if (!header_addresses(body, w->arena, &list, &count)) {
		w->why = "a list of addresses that cannot be read";
		return;
	}
	for (size_t i = 0; i < count && !w->why; i++) {
		ascii_put_tokens(w, str_make(body.p + at, list[i].at - at), true);
		if (!w->why && !str_is_ascii(list[i].text))
			w->why = "an address that is not ASCII";
		at = list[i].at + list[i].n;
		ascii_put_tokens(w, str_make(body.p + list[i].at, list[i].n), false);
	}
	ascii_put_tokens(w, str_from(body, at), true);
}

static void
ascii_put_parameters(struct header_ascii_field *w, struct str body)
{
	size_t at = header_parameters_at(body);

	ascii_put_tokens(w, str_upto(body, at), false);
	if (!w->why)
		w->why = header_parameters_encode(&w->fold, str_from(body, at));
}

/* ---- fields ---- */

/* Removes the line ends of folding; the blanks after them stay. */
static struct str
ascii_unfold(struct str body, struct arena *arena)
{
	char *p = arena_new(arena, body.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < body.n; i++)
		if (body.p[i] != '\r' && body.p[i] != '\n')
			p[n++] = body.p[i];
	return str_make(p, n);
}

static const char *
ascii_put_field(const struct header_field *f, struct arena *arena, struct buf *out)
{
	struct header_ascii_field w = {.arena = arena};
	struct str body = ascii_unfold(f->body, arena);
	enum header_form form = header_form_of(f->name, arena);

	fold_begin(&w.fold, out, f->name);
	w.fold.has_pairs = form != FORM_TEXT;
	switch (form) {
	case FORM_TEXT:
		header_text_encode(&w.fold, HEADER_TEXT_UNSTRUCTURED, body);
		break;
	case FORM_TOKENS:
		ascii_put_tokens(&w, body, false);
		break;
	case FORM_PHRASES:
		ascii_put_tokens(&w, body, true);
		break;
	case FORM_ADDRESSES:
		ascii_put_addresses(&w, body);
		break;
	case FORM_PARAMETERS:
		ascii_put_parameters(&w, body);
		break;
	}
	fold_end(&w.fold);
	return w.why;
}

static bool
ascii_check(struct buf *out, struct header_fault *fault)
{
	if (fault->why)
		return false;
	if (!buf_ok(out))
		fault->why = "too large with encoded words";
	else if (header_is_sendable(buf_str(out), fault) && !str_is_ascii(buf_str(out)))
		fault->why = "not ASCII";
	fault->name = STR_NULL; /* the name in out may not live as long */
	return !fault->why;
}

bool
header_to_ascii(struct str block, struct buf *out, struct header_fault *fault_out)
{
	struct str rest = block;
	struct arena arena;

	*fault_out = (struct header_fault){.why = NULL};
	if (!header_is_sendable(block, fault_out))
		return false;
	arena_init(&arena, HEADER_ASCII_SCRATCH_BYTES);
	while (rest.n && !fault_out->why && buf_ok(out)) {
		struct header_field f;

		fault_out->why = header_take(&rest, &f);
		if (!fault_out->why && str_is_ascii(f.raw))
			buf_adds(out, f.raw);
		else if (!fault_out->why)
			fault_out->why = ascii_put_field(&f, &arena, out);
		fault_out->name = fault_out->why ? f.name : STR_NULL;
		arena_clear(&arena);
	}
	arena_clear(&arena);
	return ascii_check(out, fault_out);
}
