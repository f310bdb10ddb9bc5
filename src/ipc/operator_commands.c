/*
 * operator_commands: the table.  Only root sees the configuration of the daemon: it names users,
 * hosts and files, which no question about a message needs.
 */
#include "ipc/operator_commands.h"

const struct operator_command operator_commands[] = {
    {.words = "status", .verb = "status", .owner = ROLE_MAIN, .right = OPERATOR_LOOK,
	.is_quick = true, .usage = "status", .help = "processes and queue at a glance",
	.since = "0.1.0"},
    {.words = "status", .verb = "queue.status", .owner = ROLE_QUEUE, .right = OPERATOR_LOOK,
	.is_quick = true, .since = "0.1.0"},
    {.words = "status", .verb = "dns.status", .owner = ROLE_RELAY, .right = OPERATOR_LOOK,
	.is_quick = true, .since = "0.1.0"},
    {.words = "metrics", .verb = "metrics", .owner = ROLE_MAIN, .right = OPERATOR_LOOK,
	.is_quick = true, .usage = "metrics",
	.help = "counters and measurements, in the text format of Prometheus", .since = "0.1.0"},
    {.words = "config check", .usage = "config check [FILE]",
	.help = "check a configuration: every error with file, line and suggestion", .args_max = 1,
	.since = "0.1.0"},
    {.words = "config show", .usage = "config show [--all] [--running]",
	.help = "what differs from the defaults, or every key: of the file, or of the daemon",
	.options = "aU", .since = "0.1.0"},
    {.words = "config show --running", .verb = "config.show", .owner = ROLE_MAIN,
	.right = OPERATOR_ACT, .is_quick = true, .since = "0.1.0"},
    {.words = "config diff", .verb = "config.diff", .owner = ROLE_MAIN, .right = OPERATOR_ACT,
	.is_quick = true, .usage = "config diff",
	.help = "what a reload would change: exit status 1 if anything", .since = "0.1.0"},
    {.words = "config explain", .usage = "config explain KEY",
	.help = "what a key means, its default, its value now and in the file", .args_max = 1,
	.since = "0.1.0"},
    {.words = "reload", .verb = "reload", .owner = ROLE_MAIN, .right = OPERATOR_ACT,
	.is_quick = true, .usage = "reload", .help = "check the configuration and apply it",
	.since = "0.1.0"},
    {.words = "user add", .verb = "user.add", .owner = ROLE_AUTH, .right = OPERATOR_ACT,
	.usage = "user add NAME [--password-stdin | --generate]", .help = "a new account",
	.options = "gp", .args_max = 1, .since = "0.1.0"},
    {.words = "user list", .verb = "user.list", .owner = ROLE_AUTH, .right = OPERATOR_LOOK,
	.usage = "user list", .help = "all accounts", .since = "0.1.0"},
    {.words = "user show", .verb = "user.show", .owner = ROLE_AUTH, .right = OPERATOR_LOOK,
	.usage = "user show NAME", .help = "one account: logins, addresses, limits, mail",
	.args_max = 1, .since = "0.1.0"},
    {.words = "user show", .verb = "queue.user", .owner = ROLE_QUEUE, .right = OPERATOR_LOOK,
	.since = "0.1.0"},
    {.words = "user password", .verb = "user.password", .owner = ROLE_AUTH, .right = OPERATOR_ACT,
	.usage = "user password NAME [--password-stdin | --generate]", .help = "a new password",
	.options = "gp", .args_max = 1, .since = "0.1.0"},
    {.words = "user suspend", .verb = "user.suspend", .owner = ROLE_AUTH, .right = OPERATOR_ACT,
	.usage = "user suspend NAME [--hold] [--reason TEXT]",
	.help = "refuse logins from now on, end open sessions; --hold: hold queued mail",
	.options = "RH", .args_max = 1, .since = "0.1.0"},
    {.words = "user resume", .verb = "user.resume", .owner = ROLE_AUTH, .right = OPERATOR_ACT,
	.usage = "user resume NAME [--release]",
	.help = "end a suspension; --release: send what it holds", .options = "L", .args_max = 1,
	.since = "0.1.0"},
    {.words = "user remove", .verb = "user.remove", .owner = ROLE_AUTH, .right = OPERATOR_ACT,
	.usage = "user remove NAME [--reason TEXT]",
	.help = "delete an account; its queued mail goes on", .options = "R", .args_max = 1,
	.since = "0.1.0"},
    {.words = "block list", .verb = "block.list", .owner = ROLE_AUTH, .right = OPERATOR_LOOK,
	.usage = "block list", .help = "networks and logins that are refused, and until when",
	.since = "0.1.0"},
    {.words = "block add", .verb = "block.add", .owner = ROLE_AUTH, .right = OPERATOR_ACT,
	.usage = "block add TARGET --for DURATION [--reason TEXT]",
	.help = "refuse logins for a time", .options = "DR", .args_max = 1, .since = "0.1.0"},
    {.words = "block remove", .verb = "block.remove", .owner = ROLE_AUTH, .right = OPERATOR_HELP,
	.usage = "block remove TARGET [--reason TEXT]",
	.help = "end a block, also an automatic one", .options = "R", .args_max = 1,
	.since = "0.1.0"},
    {.words = "queue list", .verb = "queue.list", .owner = ROLE_QUEUE, .right = OPERATOR_LOOK,
	.usage = "queue list [FILTER]", .help = "messages waiting", .options = "Fa",
	.args_max = OPERATOR_ARGS_MAX, .since = "0.1.0"},
    {.words = "queue show", .verb = "queue.show", .owner = ROLE_QUEUE, .right = OPERATOR_LOOK,
	.root_key = "body", .root_words = "queue show with --body or --raw",
	.usage = "queue show FILTER [--body | --raw]",
	.help = "envelope, attempts, header, body of one message or several", .options = "Fbr",
	.args_max = OPERATOR_ARGS_MAX, .since = "0.1.0"},
    {.words = "queue retry", .verb = "queue.retry", .owner = ROLE_QUEUE, .right = OPERATOR_ACT,
	.usage = "queue retry FILTER", .help = "try now", .options = "FanR",
	.args_max = OPERATOR_ARGS_MAX, .since = "0.1.0"},
    {.words = "queue hold", .verb = "queue.hold", .owner = ROLE_QUEUE, .right = OPERATOR_ACT,
	.usage = "queue hold FILTER [--reason TEXT]", .help = "keep, but do not send",
	.options = "FanR", .args_max = OPERATOR_ARGS_MAX, .since = "0.1.0"},
    {.words = "queue release", .verb = "queue.release", .owner = ROLE_QUEUE, .right = OPERATOR_ACT,
	.usage = "queue release FILTER", .help = "end a hold", .options = "FanR",
	.args_max = OPERATOR_ARGS_MAX, .since = "0.1.0"},
    {.words = "queue delete", .verb = "queue.delete", .owner = ROLE_QUEUE, .right = OPERATOR_ACT,
	.usage = "queue delete FILTER", .help = "remove without a report", .options = "FanR",
	.args_max = OPERATOR_ARGS_MAX, .since = "0.1.0"},
    {.words = "test auth", .verb = "test.auth", .owner = ROLE_AUTH, .right = OPERATOR_ACT,
	.usage = "test auth NAME [--password-stdin]", .help = "try a login as the daemon would",
	.options = "p", .args_max = 1, .since = "0.1.0"},
    {.words = "test route", .verb = "route.test", .owner = ROLE_RELAY, .right = OPERATOR_LOOK,
	.usage = "test route ADDRESS", .help = "which way mail to an address would go",
	.args_max = 1, .since = "0.1.0"},
    {.words = "version", .usage = "version", .help = "the version", .since = "0.1.0"},
    {.words = "help", .usage = "help [WORD]", .help = "this text, or that part of it",
	.args_max = 1, .since = "0.1.0"},
};
const size_t operator_commands_count = sizeof operator_commands / sizeof *operator_commands;

const struct operator_command *
operator_commands_find_verb(struct str verb)
{
	for (size_t i = 0; i < operator_commands_count; i++)
		if (operator_commands[i].verb && str_eq(verb, str_of(operator_commands[i].verb)))
			return &operator_commands[i];
	return NULL;
}

bool
operator_commands_verb_is_quick(struct str verb)
{
	const struct operator_command *c = operator_commands_find_verb(verb);

	return c && c->is_quick;
}

const char *
operator_commands_right_name(enum operator_right right)
{
	static const char *const names[] = {[OPERATOR_ACT] = "root",
	    [OPERATOR_LOOK] = "help desk (look)",
	    [OPERATOR_HELP] = "help desk (act)"};

	return names[right];
}
