#include "zones.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct zones zones;

static const char records[] =
    "$TTL 300\n"
    "@ SOA ns hostmaster 1 3600 600 86400 60\n"
    "@ NS ns\n"
    "@ MX 10 MX1\n@ MX 20 mx3\n@ MX 10 mx2\n"
    "ns A 127.0.0.1\n"
    "mx1 A 192.0.2.1\nmx1 A 192.0.2.2\nmx1 AAAA 2001:db8::1\n"
    "v4 A 192.0.2.7\n"
    "v6 AAAA 2001:db8::7\n"
    "private A 10.1.2.3\nprivate A 127.0.0.1\n"
    "null MX 0 .\n"
    "text TXT nothing\n"
    "alias CNAME mx1\n"
    "aliasmx CNAME null\n"
    "loop1 CNAME loop2\nloop2 CNAME loop1\n"
    "odd MX 5 a\\032b\n"
    "short 1 A 192.0.2.9\n"
    "zero 0 A 192.0.2.9\n"
    "long 900000 A 192.0.2.9\n";

/* A port that no socket uses at this moment. */
static void
draw_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert(bind(fd, (struct sockaddr *)&a, n) == 0);
	cr_assert(getsockname(fd, (struct sockaddr *)&a, &n) == 0);
	close(fd);
	snprintf(zones.port, sizeof zones.port, "%u", ntohs(a.sin_port));
}

static void
write_zone(const char *name)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s.zone", zones.dir, name);
	f = fopen(path, "w");
	cr_assert(f);
	fputs(records, f);
	for (int i = 0; i < 150; i++)
		fprintf(f, "many MX %d host%d\n", 1000 - i, i);
	for (int i = 0; i < 60; i++)
		fprintf(f, "crowd A 192.0.2.%d\ncrowd AAAA 2001:db8::%d\n", i + 1, i + 1);
	fclose(f);
}

static int
run(const char *const argv[])
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *
script(const char *name, char out[512])
{
	const char *top = getenv("TOP_SRCDIR");

	snprintf(out, 512, "%s/tests/support/%s", top ? top : "..", name);
	return out;
}

void
zones_make_dir(void)
{
	snprintf(zones.dir, sizeof zones.dir, "/tmp/test_net.XXXXXX");
	cr_assert(mkdtemp(zones.dir));
	draw_port();
}

void
zones_remove_dir(void)
{
	run((const char *[]){"/bin/rm", "-rf", zones.dir, NULL});
}

void
zones_up(void)
{
	char up[512], files[3][100], state[100];
	int r;

	zones_make_dir();
	write_zone("example.test");
	write_zone("plain.test.unsigned");
	write_zone("broken.test.bogus");
	snprintf(files[0], 100, "%s/example.test.zone", zones.dir);
	snprintf(files[1], 100, "%s/plain.test.unsigned.zone", zones.dir);
	snprintf(files[2], 100, "%s/broken.test.bogus.zone", zones.dir);
	snprintf(state, sizeof state, "%s/dns", zones.dir);
	r = run((const char *[]){
	    script("dns-up", up), state, zones.port, files[0], files[1], files[2], NULL});
	if (r == 77)
		cr_skip_test("knotd is missing (Debian package knot)");
	cr_assert(r == 0);
}

void
zones_down(void)
{
	char down[512], state[100];

	snprintf(state, sizeof state, "%s/dns", zones.dir);
	run((const char *[]){script("dns-down", down), state, NULL});
	zones_remove_dir();
}

struct str
zones_anchor(void)
{
	static char room[65536];
	char path[200];
	struct str text = {room, 0};
	FILE *f;

	snprintf(path, sizeof path, "%s/dns/anchor", zones.dir);
	f = fopen(path, "r");
	if (!f)
		return STR(". IN DS 20326 8 1 0123456789abcdef0123456789abcdef01234567\n");
	text.n = fread(room, 1, sizeof room, f);
	fclose(f);
	return text;
}
