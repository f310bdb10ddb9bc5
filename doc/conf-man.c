/*
 * conf-man: writes sallyport.cfg(5) at build time: the frame given as argument, with the key table's words
 * in place of the line "@KEYS@".
 */
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/explain.h"

enum { LINE_BYTES = 1024, KEYS_BYTES = 1 << 20 };

static void
put_keys(void)
{
	struct buf keys;

	buf_init(&keys, KEYS_BYTES);
	conf_write_mdoc(&keys);
	fwrite(keys.p, 1, keys.n, stdout);
	buf_clear(&keys);
}

int
main(int argc, char **argv)
{
	char line[LINE_BYTES];
	FILE *frame = argc == 2 ? fopen(argv[1], "r") : NULL;

	if (!frame) {
		fprintf(stderr, "usage: conf-man FRAME\n");
		return 1;
	}
	while (fgets(line, sizeof line, frame)) {
		if (strcmp(line, "@KEYS@\n") == 0)
			put_keys();
		else
			fputs(line, stdout);
	}
	fclose(frame);
	return fflush(stdout) == 0 ? 0 : 1;
}
