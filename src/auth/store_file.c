/*
 * store_file: see the header.
 */
#include "auth/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* A symbolic link in its place is another file. */
static int
store_file_stat(const char *directory, struct stat *out)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof path, "%s/accounts.db", directory);
	return fstatat(AT_FDCWD, path, out, AT_SYMLINK_NOFOLLOW);
}

static bool
store_file_is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

enum store_file_state
store_file_compare(const struct store_file *file, const char *directory)
{
	struct stat now;

	if (store_file_stat(directory, &now) != 0)
		return errno == ENOENT ? STORE_FILE_OTHER : STORE_FILE_UNKNOWN;
	return store_file_is_same_file(&file->noted, &now) && file->noted.st_size == now.st_size &&
		file->noted.st_mtim.tv_sec == now.st_mtim.tv_sec &&
		file->noted.st_mtim.tv_nsec == now.st_mtim.tv_nsec
	    ? STORE_FILE_SAME
	    : STORE_FILE_OTHER;
}

bool
store_file_note(struct store_file *file, const char *directory)
{
	struct stat now;

	if (store_file_stat(directory, &now) != 0)
		return false;
	if (file->noted.st_ino && !store_file_is_same_file(&file->noted, &now))
		return false;
	file->noted = now;
	return true;
}

void
store_file_directory_path(const char *directory, char out[PATH_MAX])
{
	ssize_t n = readlink(directory, out, PATH_MAX - 1);

	out[n > 0 ? n : 0] = 0;
}
