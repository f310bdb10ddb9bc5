/*
 * content: the bytes of a model's message, which follow from its id alone.
 */
#ifndef TESTS_CONTENT_H
#define TESTS_CONTENT_H

#include "model.h"

enum { CONTENT_MAX = 70000 };

struct content {
	char envelope[64];
	char header[100];
	char body[CONTENT_MAX];
	size_t header_bytes;
};

void content_make(const struct model_message *g, struct content *c);
/* Random bytes that follow from the seed. */
void content_fill(uint64_t seed, char *p, size_t n);
/* "reply 7" */
struct str content_version(const char *what, uint32_t version, char out[64]);

#endif
