/*
 * port_holder: the kernel's tables show the inode and owner of each socket to every user; which
 * process has it is a link in /proc/PID/fd, which only root with CAP_SYS_PTRACE and the same user
 * may read. With ProcSubset=pid there is no /proc/net, but there is /proc/self/net.
 */
#include "main/port_holder.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "main/listen_socket.h"

enum { PATH_BYTES = 300, LINE_BYTES = 512, ADDRESS_WORDS = 4 };

/* ---- sockets ---- */

/* The address of a row as text: 8 or 32 hexadecimal digits, each 8 of them a word in host byte
 * order. */
static bool
port_holder_address(const char *digits, char text[INET6_ADDRSTRLEN])
{
	size_t count = strlen(digits) / 8;
	uint32_t words[ADDRESS_WORDS];

	if (count != 1 && count != ADDRESS_WORDS)
		return false;
	for (size_t n = 0; n < count; n++)
		if (sscanf(digits + 8 * n, "%8x", &words[n]) != 1)
			return false;
	return inet_ntop(count == 1 ? AF_INET : AF_INET6, words, text, INET6_ADDRSTRLEN) != NULL;
}

/* A socket for all IPv6 addresses usually accepts IPv4 too. */
static bool
port_holder_clashes(const struct conf_listen *l, const char *address, unsigned port)
{
	bool is_all = strcmp(address, "::") == 0;
	struct conf_listen other = {.port = port, .address = is_all ? STR("") : str_of(address)};

	return listen_socket_overlaps(l, &other);
}

static bool
port_holder_row(const char *line, const struct conf_listen *l, struct port_holder *out)
{
	enum { LISTENS = 0x0a };
	char digits[33], address[INET6_ADDRSTRLEN];
	unsigned port, state, uid;
	unsigned long inode;

	if (sscanf(line, " %*u: %32[0-9A-Fa-f]:%4x %*s %2x %*s %*s %*s %u %*u %lu", digits, &port,
		&state, &uid, &inode) != 5)
		return false;
	if (state != LISTENS || !port_holder_address(digits, address) ||
	    !port_holder_clashes(l, address, port))
		return false;
	*out = (struct port_holder){.inode = inode, .uid = uid};
	return true;
}

/* ---- processes ---- */

/* True if the process (a number, or "self") has the socket open. */
static bool
port_holder_has(const char *process, uint64_t inode)
{
	char path[PATH_BYTES], wanted[64], found[64];
	struct dirent *e;
	bool has = false;
	DIR *d;

	snprintf(wanted, sizeof wanted, "socket:[%llu]", (unsigned long long)inode);
	snprintf(path, sizeof path, "/proc/%s/fd", process);
	d = opendir(path);
	while (d && !has && (e = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, found, sizeof found - 1);

		found[n > 0 ? n : 0] = 0;
		has = strcmp(found, wanted) == 0;
	}
	if (d)
		closedir(d);
	return has;
}

/* The name of the process, which the process itself can choose. */
static void
port_holder_name(struct port_holder *h)
{
	char path[PATH_BYTES];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/comm", (int)h->pid);
	f = fopen(path, "re");
	if (!f || !fgets(h->name, sizeof h->name, f))
		h->name[0] = 0;
	if (f)
		fclose(f);
	h->name[strcspn(h->name, "\n")] = 0;
	for (char *p = h->name; *p; p++)
		if (!isprint((unsigned char)*p))
			*p = '?';
}

static void
port_holder_process(struct port_holder *h)
{
	DIR *d = opendir("/proc");
	struct dirent *e;

	while (d && h->pid == 0 && (e = readdir(d)))
		if (isdigit((unsigned char)e->d_name[0]) && port_holder_has(e->d_name, h->inode))
			h->pid = (pid_t)strtol(e->d_name, NULL, 10);
	if (d)
		closedir(d);
	if (h->pid)
		port_holder_name(h);
}

/* ---- all ---- */

static bool
port_holder_search(const char *table, const struct conf_listen *l, struct port_holder *out)
{
	FILE *f = fopen(table, "re");
	char line[LINE_BYTES];
	bool is_found = false;

	while (f && !is_found && fgets(line, sizeof line, f))
		is_found =
		    port_holder_row(line, l, out) && !port_holder_has("self", out->inode);
	if (f)
		fclose(f);
	return is_found;
}

bool
port_holder_find(const struct conf_listen *l, struct port_holder *out)
{
	if (!port_holder_search("/proc/self/net/tcp", l, out) &&
	    !port_holder_search("/proc/self/net/tcp6", l, out))
		return false;
	port_holder_process(out);
	return true;
}
