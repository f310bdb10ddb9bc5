/*
 * header_text_encode: the text of a header field in which RFC 2047 section 5 allows encoded words.
 */
#ifndef MAIL_HEADER_TEXT_ENCODE_H
#define MAIL_HEADER_TEXT_ENCODE_H

#include "mail/fold.h"

enum header_text_form {
	HEADER_TEXT_UNSTRUCTURED,
	HEADER_TEXT_COMMENT, /* between two parentheses: "\" quotes */
	HEADER_TEXT_PHRASE,  /* words of a phrase: "\" quotes inside quotation marks, which go */
};

/* Octets of the word that s, which begins with no blank, begins with: up to a blank that is not
 * quoted. */
size_t header_text_word_bytes(struct str s, enum header_text_form form);
/* raw: well-formed UTF-8 as it stands in the field, without line ends.  From the first word beyond
 * ASCII to the last one it is encoded, the words before and behind stay as they are.  Encoded words
 * that stand there stay too: readers drop the blanks between two of them, so the blanks beside them
 * are encoded. */
void header_text_encode(struct fold *f, enum header_text_form form, struct str raw);

#endif
