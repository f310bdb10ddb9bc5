/*
 * role_file: entries are in a list, the newest first: a file that is granted again under the same
 * name hides the former one. A file that cannot be read has an entry without a text; an empty file
 * has a text. All texts live until they are dropped together. No path is opened here.
 */
#include "ipc/role_file.h"

#include <errno.h>

#include "base/mem.h"

enum { FILE_BYTES_MAX = 4 << 20 };

struct role_file {
	SLIST_ENTRY(role_file) link;
	struct str name;
	struct buf text;
};

void
role_files_drop(struct role_files *files)
{
	struct role_file *f;

	while ((f = SLIST_FIRST(files))) {
		SLIST_REMOVE_HEAD(files, link);
		buf_clear(&f->text);
		mem_free((char *)f->name.p);
		mem_free(f);
	}
}

bool
role_files_add(struct role_files *files, struct str name, int fd)
{
	struct role_file *f = MEM_NEW(struct role_file);
	bool is_read;
	int error;

	f->name = str_make(mem_text(name.p, name.n), name.n);
	buf_init(&f->text, FILE_BYTES_MAX);
	/* an empty file has a text too, which is not NULL */
	is_read = buf_room(&f->text, 1) && buf_read_file(&f->text, fd) == 0;
	error = errno;
	if (!is_read)
		buf_clear(&f->text);
	SLIST_INSERT_HEAD(files, f, link);
	errno = error;
	return is_read;
}

struct str
role_files_find(const struct role_files *files, struct str name)
{
	const struct role_file *f;

	SLIST_FOREACH(f, files, link)
		if (str_eq(f->name, name))
			return buf_str(&f->text);
	return STR_NULL;
}
