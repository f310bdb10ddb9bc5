/* Plays every file of tests/talks/relay; each is one session with a host. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "unit/relay/player.h"

Test(relay_talks, each_file_is_played)
{
	const char *top = getenv("TOP_SRCDIR");
	char path[600], why[400];
	struct dirent *e;
	unsigned played = 0;
	DIR *d;

	snprintf(path, sizeof path, "%s/tests/talks/relay", top ? top : "..");
	d = opendir(path);
	cr_assert_not_null(d, "no directory %s", path);
	while ((e = readdir(d))) {
		if (!strstr(e->d_name, ".talk"))
			continue;
		snprintf(path, sizeof path, "%s/tests/talks/relay/%s", top ? top : "..", e->d_name);
		cr_expect(player_play(path, why), "%s: %s", e->d_name, why);
		played++;
	}
	closedir(d);
	cr_assert_geq(played, 30, "only %u talks were found", played);
}
