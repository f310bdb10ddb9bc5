/*
 * password_input: the password is left in the caller's buffer alone, which the caller wipes; the
 * repetition is wiped here. Prompts go to standard error, so that output may go to a file. A line
 * that is empty or too long is refused and not cut. Which passwords are allowed is not known here.
 */
#include "tool/password_input.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "tool/hidden_input.h"

static bool
read_password_line(char out[PASSWORD_INPUT_BYTES])
{
	size_t n;

	if (!fgets(out, PASSWORD_INPUT_BYTES, stdin))
		return false;
	n = strcspn(out, "\r\n");
	if (out[n] == 0 && n == PASSWORD_INPUT_BYTES - 1)
		return false; /* too long: cut by fgets */
	out[n] = 0;
	return n > 0;
}

/* Runs while the terminal does not echo. */
static bool
prompt_for_password(const char *prompt, char out[PASSWORD_INPUT_BYTES])
{
	bool ok;

	fputs(prompt, stderr);
	ok = read_password_line(out);
	fputs("\n", stderr);
	return ok;
}

static bool
prompt_twice(char out[PASSWORD_INPUT_BYTES])
{
	char again[PASSWORD_INPUT_BYTES];
	bool ok;

	if (!prompt_for_password("Password: ", out) || !prompt_for_password("Again: ", again))
		return false;
	ok = strcmp(out, again) == 0;
	mem_wipe(again, sizeof again);
	if (!ok)
		fputs("sallyport: the two passwords are not the same\n", stderr);
	return ok;
}

/* The echo is off before the first prompt appears, because users type at once. */
static bool
prompt_hidden(bool is_new, char out[PASSWORD_INPUT_BYTES])
{
	bool ok;

	if (!hidden_input_begin()) {
		fprintf(stderr, "sallyport: the terminal does not hide what is typed: %s\n",
		    strerror(errno));
		return false;
	}
	ok = is_new ? prompt_twice(out) : prompt_for_password("Password: ", out);
	hidden_input_end();
	return ok;
}

bool
password_input_read(bool from_stdin, bool is_new, char out[PASSWORD_INPUT_BYTES])
{
	bool ok;

	if (!from_stdin && !isatty(0)) {
		fputs("sallyport: no terminal to ask on: use --password-stdin or --generate\n",
		    stderr);
		return false;
	}
	ok = from_stdin ? read_password_line(out) : prompt_hidden(is_new, out);
	if (!ok)
		fputs("sallyport: no password was given (1 to 1024 octets)\n", stderr);
	return ok;
}
