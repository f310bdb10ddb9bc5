/*
 * content: see the header.
 */
#include "content.h"

#include <stdio.h>

void
content_fill(uint64_t seed, char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		p[i] = (char)(seed >> 56);
	}
}

void
content_make(const struct model_message *g, struct content *c)
{
	content_fill(g->id.session, c->envelope, sizeof c->envelope);
	content_fill(g->id.session + 1, c->header, sizeof c->header);
	content_fill(g->id.session + 2, c->body, g->body_bytes);
	/* the spool refuses these in a file */
	for (size_t i = 0; g->in_file && i < g->body_bytes; i++)
		if (c->body[i] == '\0' || c->body[i] == '\r' || c->body[i] == '\n')
			c->body[i] = 'x';
	c->header_bytes = g->id.session / 7 % sizeof c->header;
}

struct str
content_version(const char *what, uint32_t version, char out[64])
{
	return str_make(out, (size_t)snprintf(out, 64, "%s %u", what, version));
}
