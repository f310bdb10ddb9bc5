/*
 * replay: runs a fuzz target over its seeds and over mutations of them (deterministic), so that
 * `make check` covers every parser with any compiler.  The program's name says the target:
 * fuzz_NAME reads tests/fuzz/seeds/NAME.  With file arguments it runs just those.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20, MUTATIONS = 2000 };

static uint64_t seed = 0x5a11790f7;

static uint32_t
draw(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((seed >> 33) % below);
}

/* An exact-size heap copy, so that the sanitizers see a read beyond the end. */
static void
run(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		abort();
	memcpy(copy, p, n);
	LLVMFuzzerTestOneInput(copy, n);
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
	run(original, n);
	for (int i = 0; i < MUTATIONS && n < 65536; i++) {
		memcpy(changed, original, n);
		m = n;
		for (uint32_t j = 0, times = 1 + draw(4); j < times; j++)
			m = mutate(changed, m);
		run(changed, m);
	}
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
	printf("%sok 1 - %s: %d seeds, %d mutations each\n", files ? "" : "not ", name, files, MUTATIONS);
	return files ? 0 : 1;
}
