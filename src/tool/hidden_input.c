/*
 * hidden_input: the state is that of the process, so there is one use at a time. A signal shows the
 * terminal again and discards what was typed, then has its default effect; after a stop the
 * terminal is hidden again. The handler calls only functions that are safe in one. A signal that
 * was ignored stays ignored.
 */
#include "tool/hidden_input.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <termios.h>
#include <unistd.h>

static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};

enum { SIGNALS = sizeof signals / sizeof *signals };

static struct termios terminal_shown, terminal_hidden;
static struct sigaction former_actions[SIGNALS];

/* Does not wait for pending output, as TCSAFLUSH does: output may be stopped. */
static void
hidden_input_restore_echo(void)
{
	(void)tcflush(STDIN_FILENO, TCIFLUSH);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &terminal_shown);
}

/* Restores the terminal, and discards the part of a password that was typed, so that no other
 * program reads it. */
static void
hidden_input_signal_received(int number)
{
	const struct sigaction plain = {.sa_handler = SIG_DFL};
	struct sigaction mine;
	int error = errno;
	sigset_t only, old;

	hidden_input_restore_echo();
	sigemptyset(&only);
	sigaddset(&only, number);
	sigaction(number, &plain, &mine);
	raise(number);
	/* here the process ends, or stops until SIGCONT */
	sigprocmask(SIG_UNBLOCK, &only, &old);
	sigprocmask(SIG_SETMASK, &old, NULL);
	sigaction(number, &mine, NULL);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal_hidden);
	errno = error;
}

static void
hidden_input_catch_signals(void)
{
	struct sigaction mine = {
	    .sa_handler = hidden_input_signal_received, .sa_flags = SA_RESTART};

	/* one after the other: no second signal may arrive while the terminal is half restored */
	sigemptyset(&mine.sa_mask);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaddset(&mine.sa_mask, signals[i]);
	for (size_t i = 0; i < SIGNALS; i++) {
		sigaction(signals[i], NULL, &former_actions[i]);
		/* what nohup ignores stays ignored */
		if (former_actions[i].sa_handler != SIG_IGN)
			sigaction(signals[i], &mine, NULL);
	}
}

static void
hidden_input_restore_signals(void)
{
	for (size_t i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &former_actions[i], NULL);
}

bool
hidden_input_begin(void)
{
	if (tcgetattr(STDIN_FILENO, &terminal_shown) != 0)
		return false;
	terminal_hidden = terminal_shown;
	terminal_hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	hidden_input_catch_signals();
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal_hidden) == 0)
		return true;
	hidden_input_restore_signals();
	return false;
}

void
hidden_input_end(void)
{
	hidden_input_restore_echo();
	hidden_input_restore_signals();
}
