/*
 * talks_submission: plays every file of tests/talks/submission against a session, in whole lines
 * and byte by byte. Prints TAP, one line for each talk.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/submission/player.h"

enum { TALKS_MIN = 80 };

static int
is_talk(const struct dirent *e)
{
	const char *end = strrchr(e->d_name, '.');

	return end && strcmp(end, ".talk") == 0;
}

int
main(void)
{
	const char *top = getenv("TOP_SRCDIR");
	struct dirent **names = NULL;
	char directory[600], path[900], why[400];
	int count, failed = 0;

	snprintf(directory, sizeof directory, "%s/tests/talks/submission", top ? top : "..");
	count = scandir(directory, &names, is_talk, alphasort);
	if (count < TALKS_MIN) {
		printf("1..1\nnot ok 1 - only %d talks in %s\n", count, directory);
		return 1;
	}
	printf("1..%d\n", count);
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof path, "%s/%s", directory, names[i]->d_name);
		why[0] = '\0';
		if (player_play(path, why)) {
			printf("ok %d - %s\n", i + 1, names[i]->d_name);
		} else {
			printf("not ok %d - %s: %s\n", i + 1, names[i]->d_name, why);
			failed++;
		}
		free(names[i]);
	}
	free(names);
	return failed > 0;
}
