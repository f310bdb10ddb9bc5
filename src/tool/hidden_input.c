/*
 * hidden_input: see the header.  A handler only calls what is safe in one, and then lets the signal
 * do what it does without the handler.
 */
#include "tool/hidden_input.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <termios.h>
#include <unistd.h>

static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};

enum { SIGNALS = sizeof signals / sizeof *signals };

static struct termios shown, hidden;
static struct sigaction before[SIGNALS];

/* Does not wait for what is still to be printed, as TCSAFLUSH does: output may be stopped. */
static void
hidden_input_restore_echo(void)
{
	(void)tcflush(STDIN_FILENO, TCIFLUSH);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &shown);
}

/* The part of a password that was typed is not left for who reads next. */
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
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	errno = error;
}

static void
hidden_input_catch_signals(void)
{
	struct sigaction mine = {
	    .sa_handler = hidden_input_signal_received, .sa_flags = SA_RESTART};

	/* one after the other: a second one must not find the terminal half given back */
	sigemptyset(&mine.sa_mask);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaddset(&mine.sa_mask, signals[i]);
	for (size_t i = 0; i < SIGNALS; i++) {
		sigaction(signals[i], NULL, &before[i]);
		/* what nohup ignores stays ignored */
		if (before[i].sa_handler != SIG_IGN)
			sigaction(signals[i], &mine, NULL);
	}
}

static void
hidden_input_restore_signals(void)
{
	for (size_t i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &before[i], NULL);
}

bool
hidden_input_begin(void)
{
	if (tcgetattr(STDIN_FILENO, &shown) != 0)
		return false;
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	hidden_input_catch_signals();
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0)
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
