/*
 * header_text_encode: encodes the text of a header field where RFC 2047 section 5 allows encoded
 * words.
 */
#ifndef MAIL_HEADER_TEXT_ENCODE_H
#define MAIL_HEADER_TEXT_ENCODE_H

#include "mail/fold.h"

enum header_text_form {
	HEADER_TEXT_UNSTRUCTURED,
	HEADER_TEXT_COMMENT, /* inside parentheses: "\" quotes */
	HEADER_TEXT_PHRASE,  /* words of a phrase: "\" quotes inside quotation marks, which are
	                        removed */
};

/* The octets of the first word of s, which does not begin with a blank: up to a blank that is not
 * quoted. */
size_t header_text_word_bytes(struct str s, enum header_text_form form);
/* raw: well-formed UTF-8 as it is in the field, without line ends. Encodes from the first word
 * beyond ASCII to the last one; the words before and after are unchanged. Encoded words that are
 * already there stay too: readers drop the blanks between two of them, therefore the blanks beside
 * them are encoded. */
void header_text_encode(struct fold *f, enum header_text_form form, struct str raw);

#endif
