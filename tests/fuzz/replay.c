/*
 * replay: runs a fuzz target over its seeds, over mutations of them and over seeds in which one
 * piece stands thousands of times (deterministic), so that `make check` covers every parser with
 * any compiler.  Each run has its time: a parser that looks at every octet for every other one
 * fails.  The program's name says the target: fuzz_NAME reads tests/fuzz/seeds/NAME.  With file
 * arguments it runs just those.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20, MUTATIONS = 2000, STRETCHES = 12, STRETCH_BYTES = 100000, RUN_S = 30 };

struct piece {
	const uint8_t *p;
	size_t n;
};

static uint64_t seed = 0x5a11790f7;

static uint32_t
draw(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((seed >> 33) % below);
}

/* An exact-size heap copy, so that the sanitizers see a read beyond the end. */
static void
run_timed(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		abort();
	memcpy(copy, p, n);
	alarm(RUN_S);
	LLVMFuzzerTestOneInput(copy, n);
	alarm(0);
	free(copy);
}

static size_t
mutate(uint8_t *p, size_t n)
{
	static const char odd[] = "\0\r\n.<>@\"\\ +=:;,()[]-\x7f\x80\xff";
	uint32_t at = n ? draw((uint32_t)n) : 0;

	switch (draw(5)) {
	case 0:
		return n ? (p[at] ^= (uint8_t)(1u << draw(8)), n) : 0;
	case 1:
		return n ? (p[at] = (uint8_t)odd[draw(sizeof odd - 1)], n) : 0;
	case 2:
		return at;
	case 3:
		if (n < INPUT_MAX) {
			memmove(p + at + 1, p + at, n - at);
			p[at] = (uint8_t)odd[draw(sizeof odd - 1)];
			return n + 1;
		}
		return n;
	default:
		if (n > at + 1)
			memmove(p + at, p + at + 1, n - at - 1);
		return n ? n - 1 : 0;
	}
}

/* A piece of the seed, or one that opens, closes or divides something. */
static struct piece
draw_piece(const uint8_t *p, size_t n)
{
	static const char *pieces[] = {"<", ">", "@", "(", "\"", "\\", ",", ";", "=?", "<a@", "@a ",
	    "(()", " ", "\r\n ", "a: b\r\n", "\n", ".", "'", "a", "=?utf-8?q?a?= ", "[", ":", "{",
	    "&", "%"};
	const char *text = pieces[draw(sizeof pieces / sizeof *pieces)];

	if (draw(3) == 0 && n > 16)
		return (struct piece){p + draw((uint32_t)n - 16), 1 + draw(15)};
	return (struct piece){(const uint8_t *)text, strlen(text)};
}

/* Two pieces, each again and again, somewhere in the seed. */
static size_t
stretch(uint8_t *out, const uint8_t *p, size_t n)
{
	size_t at = draw((uint32_t)n + 1), m = at;

	memcpy(out, p, at);
	for (size_t end = at + STRETCH_BYTES; end <= at + 2 * STRETCH_BYTES; end += STRETCH_BYTES)
		for (struct piece piece = draw_piece(p, n); m < end; m += piece.n)
			memcpy(out + m, piece.p, piece.n);
	memcpy(out + m, p + at, n - at);
	return m + n - at;
}

static void
run_file(const char *path)
{
	static uint8_t original[INPUT_MAX], changed[INPUT_MAX];
	FILE *f = fopen(path, "rb");
	size_t n, m;

	if (!f) {
		printf("Bail out! cannot open %s\n", path);
		exit(1);
	}
	n = fread(original, 1, sizeof original, f);
	fclose(f);
	run_timed(original, n);
	for (int i = 0; i < MUTATIONS && n < 65536; i++) {
		memcpy(changed, original, n);
		m = n;
		for (uint32_t j = 0, times = 1 + draw(4); j < times; j++)
			m = mutate(changed, m);
		run_timed(changed, m);
	}
	for (int i = 0; i < STRETCHES && n < 65536; i++)
		run_timed(changed, stretch(changed, original, n));
}

static int
run_seeds(const char *name)
{
	const char *top = getenv("TOP_SRCDIR");
	char path[1024];
	struct dirent *e;
	int files = 0;
	DIR *d;

	snprintf(path, sizeof path, "%s/tests/fuzz/seeds/%s", top ? top : ".", name);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		char file[1400];

		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof file, "%s/%s", path, e->d_name);
		run_file(file);
		files++;
	}
	if (d)
		closedir(d);
	return files;
}

int
main(int argc, char **argv)
{
	const char *name = strstr(argv[0], "fuzz_");
	int files;

	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			run_file(argv[i]);
		return 0;
	}
	name = name ? name + 5 : argv[0];
	printf("1..1\n");
	files = run_seeds(name);
	printf("%sok 1 - %s: %d seeds, %d mutations each\n", files ? "" : "not ", name, files,
	    MUTATIONS);
	return files ? 0 : 1;
}
