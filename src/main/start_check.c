/*
 * start_check: see the header.
 */
#include "main/start_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error_text.h"
#include "main/listen_socket.h"
#include "main/os.h"
#include "main/own_rights.h"
#include "policy/destination.h"

enum { PATH_BYTES = 4096, WHY_BYTES = 4096 };

struct start_check {
	const char *file;
	const struct conf *conf;
	struct conf_report *report;
};

static void __attribute__((format(printf, 3, 4)))
start_check_add_finding(const struct start_check *p, bool is_error, const char *format, ...)
{
	char text[PATH_BYTES + WHY_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	buf_addf(&p->report->text, "%s: %s: %s\n", p->file, is_error ? "error" : "warning", text);
	p->report->errors += is_error;
	p->report->warnings += !is_error;
}

/* Without root the user does not change, and who will start the daemon is not known. */
static void
start_check_user(const struct start_check *p)
{
	struct buf why;

	if (geteuid() != 0)
		return;
	buf_init(&why, WHY_BYTES);
	if (!os_check_user(p->conf, &why))
		start_check_add_finding(
		    p, p->conf->user.n > 0, "user: %.*s", STR_ARG(buf_str(&why)));
	buf_clear(&why);
}

static void
start_check_listeners(const struct start_check *p)
{
	for (size_t i = 0; i < p->conf->listen.count; i++) {
		struct str address = p->conf->listen.item[i].address;

		if (address.n && listen_socket_probe(address) == EADDRNOTAVAIL)
			start_check_add_finding(p, true,
			    "listen: this host has no address %.*s (`ip address` shows those that "
			    "it has)", STR_ARG(address));
	}
}

/* Checks the file, or the directory in which it would be created.  0, or errno. */
static int
start_check_log_file(struct str file)
{
	char path[PATH_BYTES];
	struct stat st;

	snprintf(path, sizeof path, "%.*s", STR_ARG(file));
	/* os_report_log reports what is not a regular file */
	if (stat(path, &st) == 0)
		return !S_ISREG(st.st_mode) || access(path, W_OK) == 0 ? 0 : errno;
	if (errno != ENOENT)
		return errno;
	snprintf(path, sizeof path, "%.*s", STR_ARG(str_upto(file, str_rfind(file, '/') + 1)));
	return access(path, W_OK | X_OK) == 0 ? 0 : errno;
}

static void
start_check_log(const struct start_check *p)
{
	const struct conf *c = p->conf;
	int error;

	if (c->log.target != CONF_LOG_FILE)
		return;
	error = start_check_log_file(c->log.file);
	/* that the caller may not write there does not mean that the daemon may not */
	if (error && !(geteuid() != 0 && (error == EACCES || error == EPERM)))
		start_check_add_finding(p, true, "log.target: %.*s cannot be opened: %s",
		    STR_ARG(c->log.file), error_text(error));
}

static void
start_check_file(const struct start_check *p, const char *key, struct str path)
{
	char name[PATH_BYTES];

	snprintf(name, sizeof name, "%.*s", STR_ARG(path));
	if (path.n && access(name, R_OK) != 0)
		start_check_add_finding(
		    p, errno != EACCES, "%s: %s: %s", key, name, error_text(errno));
}

/* resources_system_report checks resolv.conf and the hosts file. */
static void
start_check_files(const struct start_check *p)
{
	const struct conf *c = p->conf;

	for (size_t i = 0; i < c->routes.count; i++)
		start_check_file(p, "routes.ca_file", c->routes.item[i].ca_file);
}

/* ---- routes ---- */

static bool
start_check_is_own_listener(
    const struct conf *c, const struct destination *d, const struct conf_listen *l)
{
	struct str host = d->next_hop;
	struct conf_listen at;

	if (d->port != l->port)
		return false;
	if (str_ieq(host, c->hostname))
		return true;
	if (str_ieq(host, STR("localhost")))
		host = STR("127.0.0.1");
	at = (struct conf_listen){.address = host, .port = l->port};
	return listen_socket_probe(host) == 0 && listen_socket_overlaps(&at, l);
}

static void
start_check_routes(const struct start_check *p)
{
	const struct conf *c = p->conf;

	for (size_t i = 0; i < c->routes.count; i++) {
		struct destination d;
		bool is_own = false;

		destination_of_route(&c->routes.item[i], &d);
		for (size_t l = 0; d.next_hop.n && l < c->listen.count && !is_own; l++)
			is_own = start_check_is_own_listener(c, &d, &c->listen.item[l]);
		if (is_own)
			start_check_add_finding(p, false,
			    "routes: route %zu, to %.*s port %u, leads to a listener of this "
			    "gateway itself",
			    i + 1, STR_ARG(d.next_hop), d.port);
	}
}

/* Another user, or root, may be who starts the daemon. */
static void
start_check_add_lack(const char *text, void *arg)
{
	start_check_add_finding(arg, false, "as this user the daemon would not start: %s", text);
}

void
start_check_report(const char *file, const struct conf *c, struct conf_report *report)
{
	struct start_check p = {file, c, report};

	start_check_user(&p);
	(void)own_rights_each_lack(c, start_check_add_lack, &p);
	start_check_listeners(&p);
	start_check_log(&p);
	start_check_files(&p);
	start_check_routes(&p);
}
