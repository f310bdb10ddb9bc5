/*
 * tool: what the commands of sallyport(1) share: the parsed command line, asking the daemon, and
 * printing what it answers.
 */
#ifndef TOOL_TOOL_H
#define TOOL_TOOL_H

#include "base/buf.h"
#include "conf/conf.h"

enum {
	TOOL_ARGS_MAX = 16,
	TOOL_OPTIONS_MAX = 32,
	TOOL_VALUES_MAX = 60000,
	TOOL_NO_DAEMON = -1, /* of tool_ask: not an exit code */
	EX_NEGATIVE = 1, EX_USAGE = 64, EX_DATAERR = 65, EX_NOUSER = 67, EX_UNAVAILABLE = 69,
	EX_SOFTWARE = 70, EX_IOERR = 74, EX_TEMPFAIL = 75, EX_NOPERM = 77, EX_CONFIG = 78,
};

struct tool {
	const char *config_path;
	bool is_config_given;            /* by option */
	bool is_config_hidden;           /* this user may not read it; of tool_conf_to_ask */
	const char *run_directory;       /* by option; NULL: the configuration's */
	struct conf *conf;               /* of tool_conf_to_ask; NULL: not asked for yet */
	const char *args[TOOL_ARGS_MAX]; /* behind the command's words */
	int arg_count;
	bool json, quiet, yes, dry_run, all;
	bool is_hurried;                 /* asks with the short deadline, whatever the verb */
	bool generate, password_stdin;
	bool running;                    /* of `config show` */
	bool body, raw;                  /* of `queue show` */
	bool hold, release;              /* of `user suspend` and `user resume` */
	/* every option that was given, as getopt has it, and its name */
	char options[TOOL_OPTIONS_MAX];
	const char *option_names[TOOL_OPTIONS_MAX];
	int option_count;
	bool hides_refusal;              /* what this user may not ask is passed over */
	struct buf values;               /* --user, --reason …: a keyed list for the daemon */
	unsigned filter_count;           /* how many of them choose messages */
	/* takes the descriptor that came with a row, before the row is heard; NULL: closed */
	void (*take_fd)(int fd, void *arg);
};

struct tool_command {
	const char *noun;
	const char *verb;                /* NULL: the noun is the whole command */
	int (*run)(struct tool *t, const struct tool_command *c);
	const char *asks;                /* the daemon's word for it, where it is just passed on */
	const char *usage;
	const char *help;
	const char *takes;               /* letters of its own options, see main.c; or NULL */
	int args_max;
};

/* Reads the configuration for a command; NULL: errors are printed, the end is EX_CONFIG. */
struct conf *tool_conf(const struct tool *t);

/* What is needed to ask the running daemon, which is run_directory alone: never NULL.  Where the
 * file has an error, that is said once, in one line, and the defaults stand for all other keys; so
 * they do, and nothing is said, where this user may not read the usual file.
 * Where the file has another run_directory than the daemon was started with, the daemon's counts,
 * as far as this user may see it. */
const struct conf *tool_conf_to_ask(struct tool *t);

/* One row of an answer: a keyed list; a key may come several times. */
typedef void tool_row_fn(struct str values, void *arg);

/* Asks the running daemon, with the values of the command line: rows as they come, then its last
 * words (tool_print_result).  Returns the exit code; TOOL_NO_DAEMON without a message when no
 * daemon is running. */
int tool_ask(const struct tool *t, const struct conf *c, const char *verb, tool_row_fn *row,
    void *arg);
/* That no daemon is running, and where it was looked for; the exit code. */
int tool_say_no_daemon(const struct tool *t, const struct conf *c);
/* Has a daemon the lock of the run directory?  Main holds it as long as it lives. */
bool tool_daemon_runs(const struct conf *c);
/* Words on standard output (exit code 0) or standard error. */
void tool_say(int exit_code, struct str text);
/* The last words of an answer: an error always; else nothing with --quiet, and with --json an
 * object, if there were no rows. */
void tool_print_result(const struct tool *t, int exit_code, struct str text, bool has_rows);
/* tool_ask with the command line's configuration and values; says so when no daemon answers. */
int tool_ask_running(struct tool *t, const char *verb, tool_row_fn *row, void *arg);

/* Warns of accounts that no configured domain covers.  May change the user of this process, so it
 * comes last. */
void tool_check_accounts(const char *file, const struct conf *c, struct conf_report *report);

/* The same of the file beside the running daemon, on standard error; nothing with --quiet. */
void tool_warn_of_accounts(const struct tool *t);

/* 0, or an exit code: exactly one name must be given; it is added to the values. */
int tool_user_name(struct tool *t, const struct tool_command *c);
/* Of the running daemon, or of the store when it is off. */
int tool_user_ask(struct tool *t, const char *verb, tool_row_fn *row, void *arg);
/* The words behind a queue command are ids of its filter. */
void tool_add_ids(struct tool *t);

/* block_commands.c, config_commands.c, config_show.c,
 * user_commands.c, user_show.c, queue_commands.c, queue_show.c */
int tool_block_list(struct tool *t, const struct tool_command *c);
int tool_block_act(struct tool *t, const struct tool_command *c);
int tool_config_check(struct tool *t, const struct tool_command *c);
int tool_config_show(struct tool *t, const struct tool_command *c);
int tool_config_diff(struct tool *t, const struct tool_command *c);
int tool_config_explain(struct tool *t, const struct tool_command *c);
int tool_reload(struct tool *t, const struct tool_command *c);
int tool_status(struct tool *t, const struct tool_command *c);
int tool_user_secret(struct tool *t, const struct tool_command *c);
int tool_user_list(struct tool *t, const struct tool_command *c);
int tool_user_show(struct tool *t, const struct tool_command *c);
int tool_user_act(struct tool *t, const struct tool_command *c);
int tool_queue_list(struct tool *t, const struct tool_command *c);
int tool_queue_show(struct tool *t, const struct tool_command *c);
int tool_queue_act(struct tool *t, const struct tool_command *c);
int tool_test_auth(struct tool *t, const struct tool_command *c);
int tool_test_route(struct tool *t, const struct tool_command *c);

#endif
