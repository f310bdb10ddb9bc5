/*
 * role_file: see the header.
 */
#include "ipc/role_file.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

enum { FILE_BYTES_MAX = 4 << 20 };

struct role_file {
	SLIST_ENTRY(role_file) link;
	struct str name;
	struct buf text;
};

void
role_files_drop(struct role *r)
{
	struct role_file *f;

	while ((f = SLIST_FIRST(&r->files))) {
		SLIST_REMOVE_HEAD(&r->files, link);
		buf_clear(&f->text);
		mem_free((char *)f->name.p);
		mem_free(f);
	}
}

void
role_file_take(struct role *r, struct str name, int fd)
{
	struct role_file *f = MEM_NEW(struct role_file);

	f->name = str_make(mem_text(name.p, name.n), name.n);
	buf_init(&f->text, FILE_BYTES_MAX);
	/* an empty file has a text too, which is not NULL */
	if (!buf_room(&f->text, 1) || buf_read_file(&f->text, fd) != 0) {
		log_error("%s: %.*s cannot be read: %s%s", r->spec->name, STR_ARG(name),
		    strerror(errno), errno == EFBIG ? ": at most 4 MiB are taken" : "");
		buf_clear(&f->text);
	}
	SLIST_INSERT_HEAD(&r->files, f, link);
}

struct str
role_file(const struct role *r, struct str name)
{
	const struct role_file *f;

	SLIST_FOREACH(f, &r->files, link)
		if (str_eq(f->name, name))
			return buf_str(&f->text);
	return STR_NULL;
}
