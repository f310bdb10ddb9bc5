/*
 * own_rights: a directory that is not there yet is judged by the nearest one above it that is.
 */
#include "main/own_rights.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error_text.h"
#include "main/listen_socket.h"

enum { PATH_BYTES = 4096, TEXT_BYTES = 2 * PATH_BYTES + 400 };

struct own_rights {
	own_rights_fn *on_lack;
	void *arg;
	unsigned count;
};

static void __attribute__((format(printf, 2, 3)))
own_rights_add(struct own_rights *r, const char *format, ...)
{
	char text[TEXT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	r->count++;
	r->on_lack(text, r->arg);
}

/* Cuts the last name; false: nothing is above. */
static bool
own_rights_go_up(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash || path[1] == '\0')
		return false;
	slash[slash == path] = '\0';
	return true;
}

/* 0: the directory is usable, or can be made; else errno, and `path` is where that is found. */
static int
own_rights_of_directory(char *path)
{
	struct stat st;
	bool is_there = stat(path, &st) == 0;

	if (is_there)
		return st.st_uid == geteuid() ? 0 : EPERM;
	while (!is_there && errno == ENOENT && own_rights_go_up(path))
		is_there = stat(path, &st) == 0;
	if (!is_there)
		return errno;
	return access(path, W_OK | X_OK) == 0 ? 0 : errno;
}

static void
own_rights_check_directory(
    struct own_rights *r, const char *key, struct str path, const char *name)
{
	char at[PATH_BYTES];
	int error;

	snprintf(at, sizeof at, "%.*s", STR_ARG(path));
	error = own_rights_of_directory(at);
	/* another error is one of the disk: the start reports it */
	if (error == EACCES || error == EPERM || error == EROFS)
		own_rights_add(r,
		    "%s: %.*s cannot be used by uid %u: %s: %s: without root, set %s to a "
		    "directory of your own, such as \"/home/YOU/sallyport/%s\"",
		    key, STR_ARG(path), (unsigned)geteuid(), at,
		    error == EPERM ? "it belongs to another user" : error_text(error), key, name);
}

static void
own_rights_check_ports(struct own_rights *r, const struct conf *c)
{
	for (size_t l = 0; l < c->listen.count; l++)
		if (listen_socket_is_forbidden(&c->listen.item[l]))
			own_rights_add(r,
			    "listen: port %lld may not be taken by uid %u: without root, set one "
			    "above 1023, or give the program CAP_NET_BIND_SERVICE",
			    (long long)c->listen.item[l].port, (unsigned)geteuid());
}

/* One certificate is enough for a start. */
static void
own_rights_check_keys(struct own_rights *r, const struct conf *c)
{
	char key[PATH_BYTES], certificate[PATH_BYTES];
	bool is_hidden = c->tls.count > 0;

	for (size_t t = 0; t < c->tls.count && is_hidden; t++) {
		snprintf(key, sizeof key, "%.*s", STR_ARG(c->tls.item[t].private_key));
		snprintf(certificate, sizeof certificate, "%.*s",
		    STR_ARG(c->tls.item[t].certificate));
		is_hidden = (access(key, R_OK) != 0 && errno == EACCES) ||
		    (access(certificate, R_OK) != 0 && errno == EACCES);
	}
	if (is_hidden)
		own_rights_add(r,
		    "tls: %s with its key cannot be read by uid %u: without root, copy both to "
		    "files of your own, and set tls.certificate and tls.private_key to them",
		    certificate, (unsigned)geteuid());
}

unsigned
own_rights_each_lack(const struct conf *c, own_rights_fn *on_lack, void *arg)
{
	struct own_rights r = {on_lack, arg, 0};

	if (geteuid() == 0)
		return 0;
	own_rights_check_keys(&r, c);
	own_rights_check_directory(&r, "run_directory", c->run_directory, "run");
	own_rights_check_directory(&r, "queue.directory", c->queue.directory, "spool");
	own_rights_check_directory(&r, "state_directory", c->state_directory, "state");
	own_rights_check_ports(&r, c);
	return r.count;
}
