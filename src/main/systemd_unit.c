/*
 * systemd_unit: reads only those settings that the shipped unit has, or that a drop-in needs, in
 * the order of systemd: the unit, then all drop-ins by name, and the last value counts. systemd
 * itself is not asked, so the result is never more than a warning. Where no unit is found nothing
 * is said.
 */
#include "main/systemd_unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/path_access.h"

enum {
	UNIT_BYTES_MAX = 1 << 20,
	LISTS_BYTES_MAX = 64 << 10,
	PATH_BYTES = 4096,
	DROP_INS_MAX = 256, /* further drop-ins are not read */
};

/* Where units and their drop-ins are: the first directory with one of that name counts. */
static const char *const systemd_unit_directories[] = {"/etc/systemd/system", "/run/systemd/system",
    "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"};
enum { UNIT_DIRECTORIES = sizeof systemd_unit_directories / sizeof *systemd_unit_directories };

struct systemd_unit {
	bool is_strict, hides_home, home_takes_binds, hides_tmp;
	struct buf writable, bound; /* paths, each followed by a line feed */
};

struct systemd_unit_checking {
	const struct systemd_unit *unit;
	const char *file;
	struct conf_report *report;
};

/* ---- reading ---- */

static void
systemd_unit_add_path(struct buf *list, const char *prefix, struct str path)
{
	struct str target;

	/* "-/path": it may be missing; SOURCE:TARGET:OPTIONS */
	while (path.n && (path.p[0] == '-' || path.p[0] == '+'))
		path = str_from(path, 1);
	target = str_from(path, str_find(path, ':') + 1);
	if (target.n)
		path = str_upto(target, str_find(target, ':'));
	if (path.n)
		buf_addf(list, "%s%.*s\n", prefix, STR_ARG(path));
}

/* Adds each word of the value; an empty value empties the list. */
static void
systemd_unit_add_list(struct buf *list, const char *prefix, struct str value)
{
	struct str word;

	if (!value.n)
		buf_reset(list);
	while (str_split(&value, ' ', &word))
		systemd_unit_add_path(list, prefix, word);
}

static bool
systemd_unit_is_yes(struct str value)
{
	return !(str_eq(value, STR("no")) || str_eq(value, STR("false")) ||
	    str_eq(value, STR("off")) || str_eq(value, STR("0")));
}

static void
systemd_unit_read_setting(struct systemd_unit *s, struct str name, struct str value)
{
	static const struct {
		struct str name;
		const char *prefix;
	} directories[] = {{STR("LogsDirectory"), "/var/log/"},
	    {STR("StateDirectory"), "/var/lib/"}, {STR("RuntimeDirectory"), "/run/"},
	    {STR("CacheDirectory"), "/var/cache/"}};

	if (str_eq(name, STR("ProtectSystem")))
		s->is_strict = str_eq(value, STR("strict"));
	if (str_eq(name, STR("ProtectHome"))) {
		s->home_takes_binds = str_eq(value, STR("tmpfs"));
		s->hides_home = systemd_unit_is_yes(value) && !str_eq(value, STR("read-only"));
	}
	if (str_eq(name, STR("PrivateTmp")))
		s->hides_tmp = systemd_unit_is_yes(value);
	if (str_eq(name, STR("ReadWritePaths")) || str_eq(name, STR("BindPaths")))
		systemd_unit_add_list(&s->writable, "", value);
	if (str_eq(name, STR("BindPaths")) || str_eq(name, STR("BindReadOnlyPaths")))
		systemd_unit_add_list(&s->bound, "", value);
	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++)
		if (str_eq(name, directories[i].name))
			systemd_unit_add_list(&s->writable, directories[i].prefix, value);
}

static bool
systemd_unit_read_file(struct systemd_unit *s, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct str rest, line;
	struct buf text;
	bool is_read;

	if (fd < 0)
		return false;
	buf_init(&text, UNIT_BYTES_MAX);
	is_read = buf_read_file(&text, fd) == 0;
	close(fd);
	for (rest = buf_str(&text); is_read && str_split(&rest, '\n', &line);) {
		size_t equals = str_find(line, '=');

		systemd_unit_read_setting(s, str_trim(str_upto(line, equals)),
		    str_trim(str_from(line, equals + 1)));
	}
	buf_clear(&text);
	return is_read;
}

/* ---- drop-ins ---- */

struct systemd_drop_in {
	const char *directory;
	char name[NAME_MAX + 1];
};

struct systemd_drop_ins {
	size_t count;
	struct systemd_drop_in item[DROP_INS_MAX];
};

static bool
systemd_drop_ins_have(const struct systemd_drop_ins *all, const char *name)
{
	for (size_t i = 0; i < all->count; i++)
		if (strcmp(all->item[i].name, name) == 0)
			return true;
	return false;
}

static void
systemd_drop_ins_add(struct systemd_drop_ins *all, const char *root, const char *unit_directory)
{
	char directory[PATH_BYTES];
	const struct dirent *e;
	DIR *d;

	snprintf(directory, sizeof directory, "%s%s/sallyport.service.d", root, unit_directory);
	d = opendir(directory);
	if (!d)
		return;
	while (all->count < DROP_INS_MAX && (e = readdir(d))) {
		struct systemd_drop_in *in = &all->item[all->count];

		if (!str_iends(str_of(e->d_name), STR(".conf")) ||
		    systemd_drop_ins_have(all, e->d_name))
			continue;
		in->directory = unit_directory;
		snprintf(in->name, sizeof in->name, "%s", e->d_name);
		all->count++;
	}
	closedir(d);
}

static int
systemd_drop_ins_compare(const void *a, const void *b)
{
	return strcmp(
	    ((const struct systemd_drop_in *)a)->name, ((const struct systemd_drop_in *)b)->name);
}

/* As systemd does: in the order of their names, in whichever directory; the last value counts. */
static void
systemd_unit_read_drop_ins(const char *root, struct systemd_unit *s)
{
	struct systemd_drop_ins *all = MEM_NEW(struct systemd_drop_ins);
	char path[PATH_BYTES + NAME_MAX + 2];

	for (size_t i = 0; i < UNIT_DIRECTORIES; i++)
		systemd_drop_ins_add(all, root, systemd_unit_directories[i]);
	qsort(all->item, all->count, sizeof *all->item, systemd_drop_ins_compare);
	for (size_t i = 0; i < all->count; i++) {
		snprintf(path, sizeof path, "%s%s/sallyport.service.d/%s", root,
		    all->item[i].directory, all->item[i].name);
		(void)systemd_unit_read_file(s, path);
	}
	mem_free(all);
}

/* Reads the first unit that is found, and the drop-ins of all directories. */
static bool
systemd_unit_read(const char *root, struct systemd_unit *s)
{
	char path[PATH_BYTES - 2];
	bool is_there = false;

	snprintf(path, sizeof path, "%s/run/systemd/system", root);
	if (access(path, F_OK) != 0)
		return false;
	for (size_t i = 0; i < UNIT_DIRECTORIES && !is_there; i++) {
		snprintf(
		    path, sizeof path, "%s%s/sallyport.service", root, systemd_unit_directories[i]);
		is_there = systemd_unit_read_file(s, path);
	}
	if (is_there)
		systemd_unit_read_drop_ins(root, s);
	return is_there;
}

/* ---- checking ---- */

static bool
systemd_unit_lists_path(const struct buf *list, struct str path)
{
	struct str rest = buf_str(list), line;

	while (str_split(&rest, '\n', &line))
		if (line.n && path_access_is_below(path, line))
			return true;
	return false;
}

static void
systemd_unit_warn(const struct systemd_unit_checking *k, const char *key, struct str path,
    const char *setting, const char *remedy)
{
	buf_addf(&k->report->text,
	    "%s: warning: %s: %.*s: the unit sallyport.service %s: %s (sallyportd(8), \"Paths "
	    "outside the unit\")\n", k->file, key, STR_ARG(path), setting, remedy);
	k->report->warnings++;
}

static bool
systemd_unit_check_read(const struct systemd_unit_checking *k, const char *key, struct str path)
{
	const struct systemd_unit *s = k->unit;
	bool is_bound = systemd_unit_lists_path(&s->bound, path);

	if (s->hides_home && path_access_hidden_by_home(path).n &&
	    !(s->home_takes_binds && is_bound)) {
		systemd_unit_warn(k, key, path, "hides it from the daemon (ProtectHome=)",
		    "choose another place, or a drop-in with ProtectHome=tmpfs and BindPaths= or "
		    "BindReadOnlyPaths=");
		return false;
	}
	if (s->hides_tmp && path_access_hidden_by_tmp(path).n && !is_bound) {
		systemd_unit_warn(k, key, path, "hides it from the daemon (PrivateTmp=)",
		    "choose another place");
		return false;
	}
	return true;
}

static void
systemd_unit_check_write(const struct systemd_unit_checking *k, const char *key, struct str path)
{
	if (path.n && systemd_unit_check_read(k, key, path) && k->unit->is_strict &&
	    !systemd_unit_lists_path(&k->unit->writable, path))
		systemd_unit_warn(k, key, path,
		    "does not let the daemon write there (ProtectSystem=)",
		    "choose another place, or a drop-in with ReadWritePaths=");
}

static void
systemd_unit_check_paths(const struct systemd_unit_checking *k, const struct conf *c)
{
	systemd_unit_check_write(k, "queue.directory", c->queue.directory);
	systemd_unit_check_write(k, "state_directory", c->state_directory);
	systemd_unit_check_write(k, "run_directory", c->run_directory);
	if (c->log.target == CONF_LOG_FILE)
		systemd_unit_check_write(k, "log.target", c->log.file);
	for (size_t i = 0; i < c->tls.count; i++) {
		systemd_unit_check_read(k, "tls.certificate", c->tls.item[i].certificate);
		systemd_unit_check_read(k, "tls.private_key", c->tls.item[i].private_key);
	}
	for (size_t i = 0; i < c->routes.count; i++) {
		systemd_unit_check_read(k, "routes.ca_file", c->routes.item[i].ca_file);
		systemd_unit_check_read(k, "routes.password", c->routes.item[i].password_file);
	}
	if (c->dns.dnssec != DNSSEC_OFF)
		systemd_unit_check_read(k, "dns.trust_anchor", c->dns.trust_anchor);
	systemd_unit_check_read(k, "dns.resolv_conf", c->dns.resolv_conf);
	systemd_unit_check_read(k, "dns.hosts_file", c->dns.hosts_file);
}

void
systemd_unit_check(
    const char *root, const char *file, const struct conf *c, struct conf_report *report)
{
	struct systemd_unit s = {0};
	struct systemd_unit_checking k = {&s, file, report};

	buf_init(&s.writable, LISTS_BYTES_MAX);
	buf_init(&s.bound, LISTS_BYTES_MAX);
	if (systemd_unit_read(root, &s))
		systemd_unit_check_paths(&k, c);
	buf_clear(&s.writable);
	buf_clear(&s.bound);
}
