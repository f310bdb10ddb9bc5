/*
 * main: sallyport, the administrator's tool.  Help and parser use the table of commands in
 * ipc/operator_commands.h.  Its letters of options: F the filter, a --all, n --dry-run, R --reason,
 * b --body, r --raw, g --generate, p --password-stdin, H --hold, L --release, D --for, U --running;
 * the others belong to every command.
 */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "ipc/message.h"
#include "tool/tool.h"

static int help(struct tool *t, const struct operator_command *c);
static int version(struct tool *t, const struct operator_command *c);

/* What runs each command of operator_commands that has a usage. */
static const struct {
	const char *words;
	int (*run)(struct tool *t, const struct operator_command *c);
} functions[] = {
    {"status", tool_status},
    {"metrics", tool_metrics},
    {"config check", tool_config_check},
    {"config show", tool_config_show},
    {"config diff", tool_config_diff},
    {"config explain", tool_config_explain},
    {"reload", tool_reload},
    {"user add", tool_user_secret},
    {"user list", tool_user_list},
    {"user show", tool_user_show},
    {"user password", tool_user_secret},
    {"user suspend", tool_user_act},
    {"user resume", tool_user_act},
    {"user remove", tool_user_act},
    {"block list", tool_block_list},
    {"block add", tool_block_act},
    {"block remove", tool_block_act},
    {"queue list", tool_queue_list},
    {"queue show", tool_queue_show},
    {"queue retry", tool_queue_act},
    {"queue hold", tool_queue_act},
    {"queue release", tool_queue_act},
    {"queue delete", tool_queue_act},
    {"test auth", tool_test_auth},
    {"test route", tool_test_route},
    {"version", version},
    {"help", help},
};

static int
version(struct tool *t, const struct operator_command *c)
{
	(void)t;
	(void)c;
	printf("sallyport %s\n", PACKAGE_VERSION);
	return 0;
}

/* The second word of a command; "": it has only one. */
static const char *
command_second_word(const struct operator_command *c)
{
	const char *blank = strchr(c->words, ' ');

	return blank ? blank + 1 : "";
}

static struct str
command_first_word(const struct operator_command *c)
{
	struct str words = str_of(c->words);

	return str_upto(words, str_find(words, ' '));
}

/* Prints the commands of a noun, or of all nouns (NULL); false: there are none. */
static bool
print_commands(FILE *to, const char *noun)
{
	bool is_any = false;

	for (size_t i = 0; i < operator_commands_count; i++) {
		const struct operator_command *c = &operator_commands[i];

		if (!c->usage || (noun && !str_eq(command_first_word(c), str_of(noun))))
			continue;
		fprintf(to, "  %-48s %s\n", c->usage, c->help);
		is_any = true;
	}
	return is_any;
}

static bool
has_commands(const char *noun)
{
	for (size_t i = 0; i < operator_commands_count; i++)
		if (operator_commands[i].usage &&
		    str_eq(command_first_word(&operator_commands[i]), str_of(noun)))
			return true;
	return false;
}

static void
print_usage(FILE *to)
{
	fputs("usage: sallyport [-c FILE] COMMAND …\n\n", to);
	(void)print_commands(to, NULL);
	fputs("\n  FILTER: IDs, or --user --from --to --domain --id --state --older\n"
	      "  In place of FILTER, except for queue show: --all\n"
	      "  Queue commands that change something: --dry-run (-n) --reason TEXT\n"
	      "  Everywhere: --json (-j) --quiet (-q) --yes (-y)\n"
	      "  --config FILE (-c), --run-directory DIRECTORY, --help (-h), --version (-V)\n",
	    to);
}

static int
help(struct tool *t, const struct operator_command *c)
{
	const char *noun = t->arg_count ? t->args[0] : NULL;

	(void)c;
	if (noun && !has_commands(noun)) {
		fprintf(stderr, "sallyport: no such command \"%s\"; see sallyport help\n", noun);
		return EX_USAGE;
	}
	if (t->json)
		tool_print_command_table(noun);
	else if (noun)
		(void)print_commands(stdout, noun);
	else
		print_usage(stdout);
	return 0;
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
matches_command_word(const char *given, struct str word, bool exact)
{
	return exact ? str_eq(word, str_of(given)) : str_starts(word, str_of(given));
}

/* Finds a command by its exact words, or by unambiguous beginnings of them.  *words_out: the number
 * of its words. */
static const struct operator_command *
find_tool_command(char **words_given, int count, bool exact, int *words_out)
{
	const struct operator_command *found = NULL;

	for (size_t i = 0; i < operator_commands_count; i++) {
		const struct operator_command *c = &operator_commands[i];
		const char *second = command_second_word(c);
		int need = second[0] ? 2 : 1;

		if (!c->usage || count < need)
			continue;
		if (!matches_command_word(words_given[0], command_first_word(c), exact))
			continue;
		if (need > 1 && !matches_command_word(words_given[1], str_of(second), exact))
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
check_command_usage(const struct tool *t, const struct operator_command *c, int count, char **rest)
{
	if (count > c->args_max) {
		fprintf(stderr, "sallyport: unexpected argument \"%s\"\nusage: sallyport %s\n",
		    rest[c->args_max], c->usage);
		return false;
	}
	for (int i = 0; i < t->option_count; i++) {
		if (strchr("cdjqyhV", t->options[i]) ||
		    (c->options && strchr(c->options, t->options[i])))
			continue;
		fprintf(stderr, "sallyport: --%s is no option of \"%s\"\nusage: sallyport %s\n",
		    t->option_names[i], c->words, c->usage);
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
static const struct operator_command *
nearest_command(const char *noun, const char *verb)
{
	size_t best = (strlen(noun) + strlen(verb)) / 4 + 2;
	const struct operator_command *found = NULL;

	for (size_t i = 0; i < operator_commands_count; i++) {
		const struct operator_command *c = &operator_commands[i];
		const char *second = command_second_word(c);
		size_t d = str_distance(command_first_word(c), str_of(noun));

		if (second[0])
			d += str_distance(str_of(second), str_of(verb));
		if (c->usage && d < best) {
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
	const struct operator_command *c = meant ? NULL : nearest_command(noun, verb);

	if (meant || c)
		fprintf(stderr, "; did you mean \"%s\"?\n", meant ? meant : c->words);
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
run_named_command(struct tool *t, const struct operator_command *c)
{
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
		if (strcmp(functions[i].words, c->words) == 0)
			return functions[i].run(t, c);
	die("the command %s has no function", c->words);
}

static int
run_tool_command(struct tool *t, int count, char **given)
{
	const struct operator_command *c;
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
	return run_named_command(t, c);
}

int
main(int argc, char **argv)
{
	struct tool t = {.config_path = "/etc/sallyport/sallyport.cfg"};
	int status;

	log_open(2, LOG_TO_USER);
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
