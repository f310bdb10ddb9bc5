/*
 * store_file: each call looks at the file system again; the only state is what the caller's struct
 * noted last. A file is the same by device and inode, and unchanged by size and time: no byte of it
 * is read. The directory is a link of /proc to a descriptor, so its target shows that the directory
 * was moved; while the link cannot be read, the last result stays.
 */
#include "auth/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
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

char *
store_file_identity(const struct store_file *file, char out[STORE_FILE_IDENTITY_BYTES])
{
	const struct stat *st = &file->noted;

	out[0] = 0;
	if (st->st_ino)
		snprintf(out, STORE_FILE_IDENTITY_BYTES, "%llu %llu %lld %lld.%ld",
		    (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
		    (long long)st->st_size, (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	return out;
}

const char store_file_directory_gone_text[] =
    "the state directory was moved or removed while it is in use: no account or block can be "
    "changed: put it back, or restart sallyportd";

static void
store_file_directory_path(const char *directory, char out[PATH_MAX])
{
	ssize_t n = readlink(directory, out, PATH_MAX - 1);

	out[n > 0 ? n : 0] = 0;
}

void
store_file_directory_note(struct store_file_directory *d, const char *directory)
{
	store_file_directory_path(directory, d->path);
}

bool
store_file_directory_is_gone(
    struct store_file_directory *d, const char *directory, char path_out[PATH_MAX])
{
	store_file_directory_path(directory, path_out);
	if (d->path[0] && path_out[0])
		d->is_gone = strcmp(path_out, d->path) != 0;
	return d->is_gone;
}
