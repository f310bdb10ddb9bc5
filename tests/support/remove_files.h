/*
 * remove_files: removes the files of a directory of a test, but not the directory; names that begin
 * with a dot stay.
 */
#ifndef TESTS_SUPPORT_REMOVE_FILES_H
#define TESTS_SUPPORT_REMOVE_FILES_H

#include <dirent.h>
#include <unistd.h>

static inline void
remove_files(const char *directory)
{
	DIR *d = opendir(directory);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}

#endif
