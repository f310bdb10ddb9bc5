/*
 * tool: what the commands of sallyport(1) share: the parsed command line, requests to the daemon,
 * and the output of its answers.
 */
#ifndef TOOL_TOOL_H
#define TOOL_TOOL_H

#include "base/buf.h"
#include "conf/conf.h"
#include "ipc/operator_commands.h"

enum {
	TOOL_OPTIONS_MAX = 32,
	TOOL_VALUES_MAX = 60000,
	TOOL_NO_DAEMON = -1, /* returned by tool_ask: not an exit code */
	EX_NEGATIVE = 1, EX_USAGE = 64, EX_DATAERR = 65, EX_NOUSER = 67, EX_UNAVAILABLE = 69,
	EX_SOFTWARE = 70, EX_IOERR = 74, EX_TEMPFAIL = 75, EX_NOPERM = 77, EX_CONFIG = 78,
};

struct tool {
	const char *config_path;
	bool is_config_given;            /* by option */
	bool is_config_hidden;           /* this user may not read it; set by tool_conf_to_ask */
	const char *run_directory;       /* by option; NULL: the configuration's */
	struct conf *conf;               /* set by tool_conf_to_ask; NULL: not read yet */
	const char *args[OPERATOR_ARGS_MAX]; /* the words after the command */
	int arg_count;
	bool json, quiet, yes, dry_run, all;
	bool uses_short_deadline; /* for requests with any verb */
	bool generate, password_stdin;
	bool running;                    /* for `config show` */
	bool body, raw;                  /* for `queue show` */
	bool hold, release;              /* for `user suspend` and `user resume` */
	/* every option that was given, as getopt returns it, and its name */
	char options[TOOL_OPTIONS_MAX];
	const char *option_names[TOOL_OPTIONS_MAX];
	int option_count;
	int hidden_status;               /* an answer with this status is not printed; 0: all are */
	/* --user, --reason …: a keyed list that is sent to the daemon */
	struct buf values;
	unsigned filter_count;           /* how many of them choose messages */
	/* gets the descriptor that came with a row, before the row; NULL: it is closed */
	void (*take_fd)(int fd, void *arg);
};

/* Reads the configuration for a command.  NULL: the errors are printed, the exit code is EX_CONFIG.
 * The caller frees it with conf_drop. */
struct conf *tool_conf(const struct tool *t);

/* Returns the configuration for requests to the running daemon, of which only run_directory is
 * needed; never NULL, owned by t.  If the file has an error, one line reports it, and the defaults
 * apply to all other keys; the same, without a line, if this user may not read the usual file.  If
 * the file has another run_directory than the daemon was started with, that of the daemon is used,
 * as far as this user may see it. */
const struct conf *tool_conf_to_ask(struct tool *t);

/* One row of an answer: a keyed list; a key may occur several times. */
typedef void tool_row_fn(struct str values, void *arg);

/* Sends a request to the running daemon, with the values of the command line: calls `row` for each
 * row, then prints the final text of the answer (tool_print_result).  Returns the exit code;
 * TOOL_NO_DAEMON without a message when no daemon is running. */
int tool_ask(const struct tool *t, const struct conf *c, const char *verb, tool_row_fn *row,
    void *arg);
/* Prints that no daemon is running, and where it was looked for; returns the exit code. */
int tool_report_no_daemon(const struct tool *t, const struct conf *c);
/* True if a daemon has the lock of the run directory; main holds it as long as it runs. */
bool tool_daemon_runs(const struct conf *c);
/* Prints text on standard output (exit code 0) or standard error. */
void tool_print_text(int exit_code, struct str text);
/* Prints the final text of an answer: errors always; other text not with --quiet, and with --json
 * as an object, if there were no rows. */
void tool_print_result(const struct tool *t, int exit_code, struct str text, bool has_rows);
/* tool_ask with the configuration and values of the command line; reports that no daemon
 * answers. */
int tool_ask_running(struct tool *t, const char *verb, tool_row_fn *row, void *arg);

/* Warns of accounts that no configured domain covers.  May change the user of this process, so it
 * must be the last step. */
void tool_check_accounts(const char *file, const struct conf *c, struct conf_report *report);

/* The same for the configuration file of the running daemon, on standard error; nothing with
 * --quiet. */
void tool_warn_of_accounts(const struct tool *t);

/* Adds the one name that must be given to the values.  0, or an exit code. */
int tool_user_name(struct tool *t, const struct operator_command *c);
/* Sends a user command to the running daemon, or runs it on the account store when there is
 * none. */
int tool_user_ask(struct tool *t, const char *verb, tool_row_fn *row, void *arg);
/* Adds the words after a queue command to its filter, as ids. */
void tool_add_ids(struct tool *t);

/* Prints the tables of commands and columns as JSON: all, or those of that first word. */
void tool_print_command_table(const char *noun);

/* The commands: block_commands.c, config_commands.c, config_show.c, metrics_command.c,
 * user_commands.c, user_show.c, queue_commands.c, queue_show.c. */
int tool_block_list(struct tool *t, const struct operator_command *c);
int tool_block_act(struct tool *t, const struct operator_command *c);
int tool_config_check(struct tool *t, const struct operator_command *c);
int tool_config_show(struct tool *t, const struct operator_command *c);
int tool_config_diff(struct tool *t, const struct operator_command *c);
int tool_config_explain(struct tool *t, const struct operator_command *c);
int tool_reload(struct tool *t, const struct operator_command *c);
int tool_status(struct tool *t, const struct operator_command *c);
int tool_metrics(struct tool *t, const struct operator_command *c);
int tool_user_secret(struct tool *t, const struct operator_command *c);
int tool_user_list(struct tool *t, const struct operator_command *c);
int tool_user_show(struct tool *t, const struct operator_command *c);
int tool_user_act(struct tool *t, const struct operator_command *c);
int tool_queue_list(struct tool *t, const struct operator_command *c);
int tool_queue_show(struct tool *t, const struct operator_command *c);
int tool_queue_act(struct tool *t, const struct operator_command *c);
int tool_test_auth(struct tool *t, const struct operator_command *c);
int tool_test_route(struct tool *t, const struct operator_command *c);

#endif
