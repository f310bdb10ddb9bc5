/*
 * secret: the first line of a small file.  A file that others can read is a warning, not an error.
 */
#include "conf/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error_text.h"
#include "base/mem.h"
#include "base/path_access.h"
#include "base/regular_file.h"

enum { SECRET_BYTES = 1024 };

struct conf_secret_origin {
	const struct conf_source *source;
	int line;
	struct diagnostics *diagnostics;
	bool may_lack_credentials;
	const char *path;
};

static struct str
add_secret_error(const struct conf_secret_origin *at, const char *what)
{
	diagnostics_add(
	    at->diagnostics, at->line, DIAGNOSTIC_ERROR, "routes.password: %s: %s", at->path, what);
	return STR_NULL;
}

static struct str
add_secret_open_error(const struct conf_secret_origin *at, int error)
{
	char what[PATH_ACCESS_HINT_BYTES + 100], hint[PATH_ACCESS_HINT_BYTES];

	snprintf(what, sizeof what, "%s%s", regular_file_error(error),
	    path_access_hint(str_of(at->path), error, hint));
	return add_secret_error(at, what);
}

static struct str
read_secret_line(const struct conf_secret_origin *at, int fd, struct arena *arena)
{
	char bytes[SECRET_BYTES + 1];
	struct stat st;
	struct str secret;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return add_secret_error(at, error_text(errno));
	if (st.st_mode & 077)
		diagnostics_add(at->diagnostics, at->line, DIAGNOSTIC_WARNING,
		    "routes.password: %s can be read by others than its owner (mode %03o)",
		    at->path, (unsigned)st.st_mode & 0777);
	n = read(fd, bytes, sizeof bytes);
	if (n < 0)
		return add_secret_error(at, error_text(errno));
	if (n > SECRET_BYTES)
		return add_secret_error(at, "longer than 1024 bytes");
	secret = str_make(bytes, (size_t)n);
	if (secret.n && secret.p[secret.n - 1] == '\n')
		secret.n--;
	if (secret.n && secret.p[secret.n - 1] == '\r')
		secret.n--;
	if (secret.n == 0 || str_has(secret, '\n') || str_has(secret, '\0'))
		secret = add_secret_error(at, "must hold one line");
	else
		secret = arena_str(arena, secret);
	mem_wipe(bytes, sizeof bytes);
	return secret;
}

static struct str
read_secret_file(const struct conf_secret_origin *at, struct arena *arena)
{
	int fd = regular_file_open(at->path, O_RDONLY);
	struct str secret;

	if (fd < 0)
		return add_secret_open_error(at, errno);
	secret = read_secret_line(at, fd, arena);
	close(fd);
	return secret;
}

static void
warn_if_public(const struct conf_secret_origin *at)
{
	const char *file = conf_source_location(at->source, at->line).file;
	struct stat st;

	if (stat(file, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IROTH))
		diagnostics_add(at->diagnostics, at->line, DIAGNOSTIC_WARNING,
		    "routes.password: it stands in a file that everybody can read (mode %03o): "
		    "chmod o-r %s, or let it stand in a file of its own: \"file:/path\"",
		    (unsigned)st.st_mode & 0777, file);
}

/* Outside the daemon's unit there is no credential; only the daemon can check that it exists. */
static struct str
without_credentials(const struct conf_secret_origin *at, struct str password)
{
	if (!at->may_lack_credentials)
		return add_secret_error(
		    at, "CREDENTIALS_DIRECTORY is not set: no LoadCredential= in the unit?");
	diagnostics_add(at->diagnostics, at->line, DIAGNOSTIC_WARNING,
	    "routes.password: %s cannot be read here: systemd gives it to the daemon alone "
	    "(LoadCredential= in its unit), which refuses to start without it",
	    at->path);
	return password;
}

static struct str
resolve_route_password(struct str password, struct conf_secret_origin *at, struct arena *arena)
{
	const char *directory;

	if (str_starts(password, STR("file:"))) {
		at->path = arena_str(arena, str_from(password, 5)).p;
		return read_secret_file(at, arena);
	}
	if (!str_starts(password, STR("credential:"))) {
		if (password.n > 0)
			warn_if_public(at);
		return password;
	}
	at->path = arena_str(arena, password).p;
	directory = getenv("CREDENTIALS_DIRECTORY");
	if (!directory)
		return without_credentials(at, password);
	at->path = arena_printf(arena, "%s/%.*s", directory, STR_ARG(str_from(password, 11))).p;
	return read_secret_file(at, arena);
}

void
conf_read_secrets(struct conf *c, const struct conf_parse_tree *tree,
    const struct conf_source *source, bool may_lack_credentials, struct diagnostics *diagnostics)
{
	/* nothing else uses the tree until it is returned */
	struct conf_route *routes = (struct conf_route *)(uintptr_t)c->routes.item;

	for (size_t i = 0; i < c->routes.count; i++) {
		struct conf_secret_origin at = {.source = source, .diagnostics = diagnostics,
		    .may_lack_credentials = may_lack_credentials};
		char path[64];

		snprintf(path, sizeof path, "routes.[%zu].password", i);
		at.line = conf_parse_line(tree, path);
		if (str_starts(routes[i].password, STR("file:")))
			routes[i].password_file = str_from(routes[i].password, 5);
		routes[i].password = resolve_route_password(routes[i].password, &at, &c->arena);
	}
}
