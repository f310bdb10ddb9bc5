/*
 * password: see the header.
 */
#include "main/password.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/mem.h"

static bool
read_line(char out[PASSWORD_TEXT_BYTES])
{
	size_t n;

	if (!fgets(out, PASSWORD_TEXT_BYTES, stdin))
		return false;
	n = strcspn(out, "\r\n");
	if (out[n] == 0 && n == PASSWORD_TEXT_BYTES - 1)
		return false; /* cut: too long */
	out[n] = 0;
	return n > 0;
}

static bool
ask(const char *prompt, char out[PASSWORD_TEXT_BYTES])
{
	struct termios before, quiet;
	bool ok;

	fputs(prompt, stderr);
	if (tcgetattr(0, &before) != 0)
		return false;
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(0, TCSAFLUSH, &quiet);
	ok = read_line(out);
	tcsetattr(0, TCSAFLUSH, &before);
	fputs("\n", stderr);
	return ok;
}

static bool
ask_twice(char out[PASSWORD_TEXT_BYTES])
{
	char again[PASSWORD_TEXT_BYTES];
	bool ok;

	if (!ask("Password: ", out) || !ask("Again: ", again))
		return false;
	ok = strcmp(out, again) == 0;
	mem_wipe(again, sizeof again);
	if (!ok)
		fputs("sallyport: the two are not the same\n", stderr);
	return ok;
}

bool
password_read(bool from_stdin, bool is_new, char out[PASSWORD_TEXT_BYTES])
{
	bool ok;

	if (!from_stdin && !isatty(0)) {
		fputs("sallyport: no terminal to ask on: use --password-stdin or --generate\n",
		    stderr);
		return false;
	}
	if (from_stdin)
		ok = read_line(out);
	else
		ok = is_new ? ask_twice(out) : ask("Password: ", out);
	if (!ok)
		fputs("sallyport: no password was given (1 to 1024 octets)\n", stderr);
	return ok;
}
