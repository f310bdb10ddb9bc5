/*
 * unix_group: main and the tool look the group up when they read the file: no role has access to
 * the system's list of groups. A reload with the same name keeps the number and does not ask the
 * system again. As long as no number is known, nobody has the rights of the group.
 */
#include "conf/unix_group.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error_text.h"
#include "base/mem.h"

enum {
	NOGROUP_ID = 65534,       /* shown by the kernel for a group that is not mapped here */
	NAME_BYTES = 256,
	ENTRY_BYTES_MIN = 1024,
	ENTRY_BYTES_MAX = 4 << 20, /* for a group with all of its members */
	GROUPS_MAX = 65536,       /* the maximum for a process on Linux */
	GROUP_NOT_FOUND = -1,
};

/* 0: *gid_out is set; GROUP_NOT_FOUND: the last list of groups that the system asked does not have
 * it, and it is unknown whether another list was available (nsswitch.conf); else why the group
 * cannot be looked up, which may be ENOENT: from the socket of a directory service. */
static int
unix_group_look_up(const char *name, gid_t *gid_out)
{
	struct group entry, *found = NULL;
	char *room = NULL;
	size_t n = ENTRY_BYTES_MIN;
	int error;

	do {
		room = mem_grow(room, n);
		error = getgrnam_r(name, &entry, room, n, &found);
		n *= 4;
	} while (error == ERANGE && n <= ENTRY_BYTES_MAX);
	if (found)
		*gid_out = entry.gr_gid;
	mem_free(room);
	return found ? 0 : error ? error : GROUP_NOT_FOUND;
}

/* Only root may give a file to a group to which it does not belong.  -1 with errno: unknown. */
static int
unix_group_is_own(gid_t gid)
{
	gid_t *groups;
	int n, is_own = 0, failed;

	if (geteuid() == 0 || getegid() == gid)
		return 1;
	groups = mem_grow(NULL, GROUPS_MAX * sizeof *groups);
	n = getgroups(GROUPS_MAX, groups);
	failed = errno;
	for (int i = 0; i < n; i++)
		is_own |= groups[i] == gid;
	mem_free(groups);
	errno = failed;
	return n < 0 ? -1 : is_own;
}

static void
unix_group_check_own(const struct conf *c, int line, bool is_here, struct diagnostics *diagnostics)
{
	int is_own = unix_group_is_own((gid_t)c->help_desk);

	if (is_own < 0)
		diagnostics_add(diagnostics, line, DIAGNOSTIC_ERROR,
		    "help_desk_group: getgroups: %s", error_text(errno));
	else if (!is_own)
		diagnostics_add(diagnostics, line, is_here ? DIAGNOSTIC_WARNING : DIAGNOSTIC_ERROR,
		    "help_desk_group: uid %u is no member of the group \"%.*s\", and without root "
		    "the daemon can give its socket only to a group of its own user",
		    (unsigned)geteuid(), STR_ARG(c->help_desk_group));
}

static bool
unix_group_is_that_of(const struct conf *c, const struct conf *running)
{
	return running && str_eq(c->help_desk_group, running->help_desk_group);
}

/* Returns the same as unix_group_look_up. */
static int
unix_group_number(
    const struct conf *c, const struct conf *running, char name[NAME_BYTES], gid_t *out)
{
	snprintf(name, NAME_BYTES, "%.*s", STR_ARG(c->help_desk_group));
	if (unix_group_is_that_of(c, running) && running->has_help_desk) {
		*out = (gid_t)running->help_desk;
		return 0;
	}
	return c->help_desk_group.n < NAME_BYTES ? unix_group_look_up(name, out) : GROUP_NOT_FOUND;
}

static void
group_note_missed(
    const char *name, int error, bool is_refused, int line, struct diagnostics *diagnostics)
{
	static const char later[] = ": its members may do nothing before a reload that finds it";
	enum diagnostic_kind kind = is_refused ? DIAGNOSTIC_ERROR : DIAGNOSTIC_WARNING;

	if (error == GROUP_NOT_FOUND)
		diagnostics_add(diagnostics, line, kind,
		    "help_desk_group: no group \"%s\" is found%s: groupadd --system makes one, "
		    "usermod -aG adds a member", name, is_refused ? "" : later);
	else
		diagnostics_add(diagnostics, line, kind,
		    "help_desk_group: the group \"%s\" cannot be looked up: %s%s", name,
		    error_text(error), is_refused ? "" : later);
}

void
unix_group_find(struct conf *c, const struct conf_parse_tree *tree, const struct conf *running,
    bool is_here, struct diagnostics *diagnostics)
{
	bool is_new = running && !unix_group_is_that_of(c, running);
	int line = conf_parse_line(tree, "help_desk_group"), error;
	char name[NAME_BYTES];
	gid_t gid = 0;

	if (!c->help_desk_group.n)
		return;
	error = unix_group_number(c, running, name, &gid);
	if (error) {
		group_note_missed(name, error, is_new || (is_here && error == GROUP_NOT_FOUND),
		    line, diagnostics);
	} else if (gid == NOGROUP_ID) {
		diagnostics_add(diagnostics, line, DIAGNOSTIC_ERROR,
		    "help_desk_group: \"%s\": it needs a group of its own, for example "
		    "\"helpdesk\"",
		    name);
	} else {
		c->help_desk = gid;
		c->has_help_desk = true;
		unix_group_check_own(c, line, is_here, diagnostics);
	}
}
