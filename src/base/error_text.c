/*
 * error_text: the remedies are constants, so that no text is freed and none is cut.
 */
#include "base/error_text.h"

#include <errno.h>
#include <string.h>

#define TEXT_RAISE ERROR_TEXT_RAISE "limits.sessions and queue.concurrency"
#define TEXT_RAISE_MACHINE "raise the limit of the machine (sysctl fs.file-max)"

bool
error_text_is_descriptors(int error)
{
	return error == EMFILE || error == ENFILE || error == ETOOMANYREFS;
}

const char *
error_text_remedy(int error)
{
	if (error == ENFILE)
		return ": " TEXT_RAISE_MACHINE;
	return error_text_is_descriptors(error) ? ": " TEXT_RAISE : "";
}

const char *
error_text(int error)
{
	const char *text;

	if (error == EMFILE)
		return "Too many open files: " TEXT_RAISE;
	if (error == ENFILE)
		return "Too many open files in system: " TEXT_RAISE_MACHINE;
	if (error == ETOOMANYREFS)
		return "Too many open files on their way to other processes: " TEXT_RAISE;
	text = strerrordesc_np(error);
	return text ? text : "Unknown error";
}
