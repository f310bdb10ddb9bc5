/*
 * main: sallyport, the administrator's tool.  Help, parser and execution all use the table of
 * commands.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "ipc/message.h"
#include "tool/tool.h"

static int help(struct tool *t, const struct tool_command *c);
static int version(struct tool *t, const struct tool_command *c);

/* Options of commands, as letters: F the filter, a --all, n --dry-run, R --reason, b --body, r
 * --raw, g --generate, p --password-stdin, H --hold, L --release, D --for, U --running.  The others
 * belong to every command. */
static const struct tool_command commands[] = {
    {"status", NULL, tool_status, "main.status", "status",
	"processes and queue at a glance", NULL, 0},
    {"metrics", NULL, tool_metrics, "main.metrics", "metrics",
	"counters and measurements, in the text format of Prometheus", NULL, 0},
    {"config", "check", tool_config_check, NULL, "config check [FILE]",
	"check a configuration: every error with file, line and suggestion", NULL, 1},
    {"config", "show", tool_config_show, NULL, "config show [--all] [--running]",
	"what differs from the defaults, or every key: of the file, or of the daemon", "aU", 0},
    {"config", "diff", tool_config_diff, "main.diff", "config diff",
	"what a reload would change: exit status 1 if anything", NULL, 0},
    {"config", "explain", tool_config_explain, NULL, "config explain KEY",
	"what a key means, its default, its value now and in the file", NULL, 1},
    {"reload", NULL, tool_reload, "reload", "reload", "check the configuration and apply it",
	NULL, 0},
    {"user", "add", tool_user_secret, "user.add",
	"user add NAME [--password-stdin | --generate]", "a new account", "gp", 1},
    {"user", "list", tool_user_list, "user.list", "user list", "all accounts", NULL, 0},
    {"user", "show", tool_user_show, "user.show", "user show NAME",
	"one account: logins, addresses, limits, mail", NULL, 1},
    {"user", "password", tool_user_secret, "user.password",
	"user password NAME [--password-stdin | --generate]", "a new password", "gp", 1},
    {"user", "suspend", tool_user_act, "user.suspend",
	"user suspend NAME [--hold] [--reason TEXT]",
	"refuse logins from now on, end open sessions, hold queued mail", "RH", 1},
    {"user", "resume", tool_user_act, "user.resume", "user resume NAME [--release]",
	"end a suspension, send held mail", "L", 1},
    {"user", "remove", tool_user_act, "user.remove", "user remove NAME [--reason TEXT]",
	"delete an account", "R", 1},
    {"block", "list", tool_block_list, "block.list", "block list",
	"networks and logins that are refused, and until when", NULL, 0},
    {"block", "add", tool_block_act, "block.add",
	"block add TARGET --for DURATION [--reason TEXT]", "refuse logins for a time", "DR", 1},
    {"block", "remove", tool_block_act, "block.remove", "block remove TARGET [--reason TEXT]",
	"end a block, also an automatic one", "R", 1},
    {"queue", "list", tool_queue_list, "queue.list", "queue list [FILTER]", "messages waiting",
	"Fa", TOOL_ARGS_MAX},
    {"queue", "show", tool_queue_show, "queue.show", "queue show FILTER [--body | --raw]",
	"envelope, attempts, header, body of one message or several", "Fbr", TOOL_ARGS_MAX},
    {"queue", "retry", tool_queue_act, "queue.retry", "queue retry FILTER", "try now", "FanR",
	TOOL_ARGS_MAX},
    {"queue", "hold", tool_queue_act, "queue.hold", "queue hold FILTER [--reason TEXT]",
	"keep, but do not send", "FanR", TOOL_ARGS_MAX},
    {"queue", "release", tool_queue_act, "queue.release", "queue release FILTER", "end a hold",
	"FanR", TOOL_ARGS_MAX},
    {"queue", "delete", tool_queue_act, "queue.delete", "queue delete FILTER",
	"remove without a report", "FanR", TOOL_ARGS_MAX},
    {"test", "auth", tool_test_auth, "test.auth", "test auth NAME [--password-stdin]",
	"try a login as the daemon would", "p", 1},
    {"test", "route", tool_test_route, "route.test", "test route ADDRESS",
	"which way mail to an address would go", NULL, 1},
    {"version", NULL, version, NULL, "version", "the version", NULL, 0},
    {"help", NULL, help, NULL, "help [WORD]", "this text, or that part of it", NULL, 1},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static int
version(struct tool *t, const struct tool_command *c)
{
	(void)t;
	(void)c;
	printf("sallyport %s\n", PACKAGE_VERSION);
	return 0;
}

/* Prints the commands of a noun, or of all nouns (NULL); false: there are none. */
static bool
print_commands(FILE *to, const char *noun)
{
	bool is_any = false;

	for (size_t i = 0; i < COMMANDS; i++) {
		if (noun && strcmp(commands[i].noun, noun) != 0)
			continue;
		fprintf(to, "  %-48s %s\n", commands[i].usage, commands[i].help);
		is_any = true;
	}
	return is_any;
}

static void
print_usage(FILE *to)
{
	fputs("usage: sallyport [-c FILE] COMMAND …\n\n", to);
	(void)print_commands(to, NULL);
	fputs("\n  FILTER: IDs, or --user --from --to --domain --id --state --older; --all\n"
	      "  Queue commands that change something: --dry-run (-n) --reason TEXT\n"
	      "  Everywhere: --json (-j) --quiet (-q) --yes (-y)\n"
	      "  --config FILE (-c), --run-directory DIRECTORY, --help (-h), --version (-V)\n",
	    to);
}

static int
help(struct tool *t, const struct tool_command *c)
{
	(void)c;
	if (t->arg_count == 0) {
		print_usage(stdout);
		return 0;
	}
	if (print_commands(stdout, t->args[0]))
		return 0;
	fprintf(stderr, "sallyport: no such command \"%s\"; see sallyport help\n", t->args[0]);
	return EX_USAGE;
}

/* ---- options ---- */

static const struct option words[] = {
    {"config", required_argument, NULL, 'c'},
    {"run-directory", required_argument, NULL, 'd'},
    {"json", no_argument, NULL, 'j'},
    {"quiet", no_argument, NULL, 'q'},
    {"yes", no_argument, NULL, 'y'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"dry-run", no_argument, NULL, 'n'},
    {"all", no_argument, NULL, 'a'},
    {"running", no_argument, NULL, 'U'},
    {"body", no_argument, NULL, 'b'},
    {"raw", no_argument, NULL, 'r'},
    {"hold", no_argument, NULL, 'H'},
    {"release", no_argument, NULL, 'L'},
    {"generate", no_argument, NULL, 'g'},
    {"password-stdin", no_argument, NULL, 'p'},
    {"reason", required_argument, NULL, 'R'},
    {"for", required_argument, NULL, 'D'},
    {"user", required_argument, NULL, 'F'},
    {"from", required_argument, NULL, 'F'},
    {"to", required_argument, NULL, 'F'},
    {"domain", required_argument, NULL, 'F'},
    {"id", required_argument, NULL, 'F'},
    {"state", required_argument, NULL, 'F'},
    {"older", required_argument, NULL, 'F'},
    {0},
};

static void
set_option_flag(struct tool *t, int c)
{
	const struct {
		int letter;
		bool *flag;
	} flags[] = {{'j', &t->json}, {'q', &t->quiet}, {'y', &t->yes},
	    {'n', &t->dry_run}, {'a', &t->all}, {'b', &t->body}, {'r', &t->raw},
	    {'H', &t->hold}, {'L', &t->release}, {'U', &t->running},
	    {'g', &t->generate}, {'p', &t->password_stdin}};

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (flags[i].letter == c)
			*flags[i].flag = true;
}

static void
add_given_option(struct tool *t, int c, const char *name)
{
	if (t->option_count == TOOL_OPTIONS_MAX)
		return;
	t->options[t->option_count] = (char)c;
	t->option_names[t->option_count++] = name;
}

static const char *
tool_option_name(int c)
{
	for (const struct option *o = words; o->name; o++)
		if (o->val == c)
			return o->name;
	return "?";
}

/* Returns -1: continue; else the exit code. */
static int
read_tool_options(struct tool *t, int argc, char **argv)
{
	int c, which = 0;

	while ((c = getopt_long(argc, argv, "c:jqyhVn", words, &which)) != -1) {
		add_given_option(t, c, c == 'F' ? words[which].name : tool_option_name(c));
		switch (c) {
		case 'c':
			t->config_path = optarg;
			t->is_config_given = true;
			break;
		case 'd':
			t->run_directory = optarg;
			break;
		case 'F':
			t->filter_count++;
			message_values_add(&t->values, words[which].name, str_of(optarg));
			break;
		case 'R':
			message_values_add(&t->values, "reason", str_of(optarg));
			break;
		case 'D':
			message_values_add(&t->values, "for", str_of(optarg));
			break;
		case 'h':
			return help(t, NULL);
		case 'V':
			return version(t, NULL);
		case '?':
			return EX_USAGE;
		default:
			set_option_flag(t, c);
		}
	}
	return -1;
}

/* ---- commands ---- */

static bool
matches_command_word(const char *given, const char *word, bool exact)
{
	return strncmp(given, word, exact ? strlen(word) + 1 : strlen(given)) == 0;
}

/* Finds a command by its exact words, or by unambiguous beginnings of them.  *words_out: the number
 * of its words. */
static const struct tool_command *
find_tool_command(char **words_given, int count, bool exact, int *words_out)
{
	const struct tool_command *found = NULL;

	for (size_t i = 0; i < COMMANDS; i++) {
		const struct tool_command *c = &commands[i];
		int need = c->verb ? 2 : 1;

		if (count < need)
			continue;
		if (!matches_command_word(words_given[0], c->noun, exact))
			continue;
		if (c->verb && !matches_command_word(words_given[1], c->verb, exact))
			continue;
		if (found)
			return NULL;
		found = c;
		*words_out = need;
	}
	return found;
}

/* Refuses a word or option that the command does not use, since the user meant something by it. */
static bool
check_command_usage(const struct tool *t, const struct tool_command *c, int count, char **rest)
{
	const char *verb = c->verb ? c->verb : "", *blank = c->verb ? " " : "";

	if (count > c->args_max) {
		fprintf(stderr, "sallyport: unexpected argument \"%s\"\nusage: sallyport %s\n",
		    rest[c->args_max], c->usage);
		return false;
	}
	for (int i = 0; i < t->option_count; i++) {
		if (strchr("cdjqyhV", t->options[i]) ||
		    (c->option_letters && strchr(c->option_letters, t->options[i])))
			continue;
		fprintf(stderr,
		    "sallyport: --%s is no option of \"%s%s%s\"\nusage: sallyport %s\n",
		    t->option_names[i], c->noun, blank, verb, c->usage);
		return false;
	}
	return true;
}

/* The command that other mail servers have under this name. */
static const char *
command_of_other_servers(const char *noun, const char *verb)
{
	static const char *const others[][3] = {{"queue", "flush", "queue retry --all"},
	    {"queue", "remove", "queue delete"}, {"queue", "requeue", "queue retry"},
	    {"config", "test", "config check"}, {"user", "delete", "user remove"},
	    {"user", "disable", "user suspend"}, {"user", "enable", "user resume"}};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (strcmp(others[i][0], noun) == 0 && strcmp(others[i][1], verb) == 0)
			return others[i][2];
	return NULL;
}

/* The most similar command; the sum of the distances of its words must be small. */
static const struct tool_command *
nearest_command(const char *noun, const char *verb)
{
	size_t best = (strlen(noun) + strlen(verb)) / 4 + 2;
	const struct tool_command *found = NULL;

	for (size_t i = 0; i < COMMANDS; i++) {
		const struct tool_command *c = &commands[i];
		size_t d = str_distance(str_of(c->noun), str_of(noun));

		if (c->verb)
			d += str_distance(str_of(c->verb), str_of(verb));
		if (d < best) {
			best = d;
			found = c;
		}
	}
	return found;
}

static void
suggest_command(const char *noun, const char *verb)
{
	const char *meant = command_of_other_servers(noun, verb);
	const struct tool_command *c = meant ? NULL : nearest_command(noun, verb);

	if (meant)
		fprintf(stderr, "; did you mean \"%s\"?\n", meant);
	else if (c)
		fprintf(stderr, "; did you mean \"%s%s%s\"?\n", c->noun, c->verb ? " " : "",
		    c->verb ? c->verb : "");
	else
		fputs("; see sallyport help\n", stderr);
}

static int
unknown_command(int count, char **given)
{
	if (count == 1 && print_commands(stderr, given[0]))
		return EX_USAGE;
	fprintf(stderr, "sallyport: no such command \"%s%s%s\"", given[0], count > 1 ? " " : "",
	    count > 1 ? given[1] : "");
	suggest_command(given[0], count > 1 ? given[1] : "");
	return EX_USAGE;
}

static int
run_tool_command(struct tool *t, int count, char **given)
{
	const struct tool_command *c;
	int named = 0;

	if (count == 0) {
		print_usage(stderr);
		return EX_USAGE;
	}
	c = find_tool_command(given, count, true, &named);
	if (!c)
		c = find_tool_command(given, count, false, &named);
	if (!c)
		return unknown_command(count, given);
	if (!check_command_usage(t, c, count - named, given + named))
		return EX_USAGE;
	for (int i = named; i < count; i++)
		t->args[t->arg_count++] = given[i];
	return c->run(t, c);
}

int
main(int argc, char **argv)
{
	struct tool t = {.config_path = "/etc/sallyport/sallyport.cfg"};
	int status;

	buf_init(&t.values, TOOL_VALUES_MAX);
	status = read_tool_options(&t, argc, argv);
	if (status < 0)
		status = run_tool_command(&t, argc - optind, argv + optind);
	if (t.values.p)
		mem_wipe(t.values.p, t.values.n);
	buf_clear(&t.values);
	conf_drop(&t.conf);
	return status;
}
