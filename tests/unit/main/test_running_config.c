/* running_config: the running configuration is sent as a whole, or not at all. */
#include <criterion/criterion.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>

#include "conf/read.h"
#include "conf/write.h"
#include "main/running_config.h"
#include "rig.h"
#include "support/ask.h"

static struct rig r;

static void
running_set_up(void)
{
	rig_set_up(&r);
}

static void
running_tear_down(void)
{
	rig_tear_down(&r);
}

TestSuite(running_config, .init = running_set_up, .fini = running_tear_down, .timeout = 60);

struct setting {
	struct daemon d;
	struct channel *client, *answers;
	int status;
	bool is_over;
	struct buf final_text, shown;
};

static void
running_receive(struct channel *c, const struct channel_packet *p, void *arg)
{
	struct message_admin_done done = {0};
	struct setting *s = arg;

	s->status = str_eq(p->message->admin.verb, STR("config.diff"))
	    ? running_config_compare(&s->d, c, p->call, &s->final_text)
	    : running_config_send(&s->d, c, p->call, &s->final_text);
	cr_assert_eq(channel_answer(c, p->call, MESSAGE_ADMIN_DONE, &done, -1), 0);
}

static void
running_lost(struct channel *c, void *arg)
{
	(void)c;
	(void)arg;
	cr_assert_fail("the channel is lost");
}

static void
running_show(struct setting *s, struct str values)
{
	static const char *const keys[] = {"text", "key", "note"};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		buf_adds(&s->shown, message_values_get(values, keys[i]));
}

static void
running_answered(enum request_end end, const struct channel_packet *p, void *arg)
{
	struct setting *s = arg;

	if (end == REQUEST_ROW)
		running_show(s, p->message->admin_row.values);
	s->is_over |= end != REQUEST_ROW;
}

enum { GROUPS = 20000 };

/* Two lists of the maximum length, of names with labels of that length, in the shortest form. */
static void
running_write(struct buf *text, unsigned label)
{
	static const char pad[] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789";
	int n = (int)label;

	buf_addz(text, "hostname=\"mail.example.com\";domains=({name=\"example.com\"}");
	for (unsigned i = 1; i < GROUPS; i++)
		buf_addf(text, ",{name=\"%u.%.*s.%.*s.%.*s.test\"}", i, n, pad, n, pad, n, pad);
	buf_addz(text, ");limits={users=({user=\"a@example.com\";per_user=\"1/1h\"}");
	for (unsigned i = 1; i < GROUPS; i++)
		buf_addf(text, ",{user=\"%u@%.*s.%.*s.%.*s.test\";per_user=\"1/1h\"}", i, n, pad, n,
		    pad, n, pad);
	buf_addz(text, ")};");
}

/* A daemon with this configuration. */
static void
running_begin(struct setting *s, struct str text)
{
	struct conf_report report;

	*s = (struct setting){.d.config_path = r.config};
	buf_init(&s->final_text, 4096);
	buf_init(&s->shown, 64 << 20);
	conf_report_init(&report);
	s->d.conf = conf_read_text(text, &report);
	cr_assert(s->d.conf, "%.*s", STR_ARG(buf_str(&report.text)));
	conf_report_clear(&report);
}

static void
running_receive_all(struct setting *s, const char *verb)
{
	struct message_admin m = {.verb = str_of(verb)};
	int ends[2];

	cr_assert_eq(channel_pair(ends), 0);
	s->client = channel_new(r.d.base, ends[0], running_receive, running_lost, s);
	s->answers = channel_new(r.d.base, ends[1], running_receive, running_lost, s);
	ask_pooled(s->client, MESSAGE_ADMIN, &m, running_answered, s);
	for (int i = 0; i < 2000 && !s->is_over; i++)
		rig_run(&r, 5);
	cr_assert(s->is_over);
}

/* The answer for a configuration with names of that length. */
static void
running_ask(struct setting *s, unsigned label)
{
	struct buf text;

	buf_init(&text, 64 << 20);
	running_write(&text, label);
	running_begin(s, buf_str(&text));
	buf_clear(&text);
	running_receive_all(s, "config.show");
}

static void
running_end(struct setting *s)
{
	channel_free(&s->client);
	channel_free(&s->answers);
	conf_drop(&s->d.conf);
	buf_clear(&s->final_text);
	buf_clear(&s->shown);
}

Test(running_config, the_whole_configuration_is_sent)
{
	struct setting s;
	struct buf whole;

	running_ask(&s, 20);
	buf_init(&whole, 64 << 20);
	conf_write(s.d.conf, CONF_ALL, false, false, &whole);
	cr_expect_gt(whole.n, 1u << 20);
	cr_expect_eq(s.status, 0);
	cr_expect_eq(s.final_text.n, 0);
	cr_expect(
	    str_eq(buf_str(&whole), buf_str(&s.shown)), "%zu and %zu bytes", whole.n, s.shown.n);
	buf_clear(&whole);
	running_end(&s);
}

Test(running_config, a_too_large_configuration_is_refused)
{
	struct setting s;

	running_ask(&s, 55);
	cr_expect_eq(s.status, EXIT_CONFIG);
	cr_expect_eq(s.shown.n, 0, "%zu bytes of it are shown", s.shown.n);
	cr_expect(str_eq(buf_str(&s.final_text),
		      STR("the running configuration is larger than 8 MiB and is not shown\n")),
	    "%.*s", STR_ARG(buf_str(&s.final_text)));
	running_end(&s);
}

/* Questions to the system's list of groups. */
static unsigned group_lookups;

int
getgrnam_r(const char *name, struct group *entry, char *room, size_t n, struct group **found)
{
	(void)name;
	(void)entry;
	(void)room;
	(void)n;
	group_lookups++;
	*found = NULL;
	return 0;
}

static const char running_looked_up[] = "help_desk_group: a comparison does not look the group up: "
					"a reload does, and is refused where it cannot be used";

/* A lookup could take long, if the groups come from another host. */
Test(running_config, a_group_that_is_compared_is_not_looked_up)
{
	static const struct {
		const char *running, *file;
		bool has_note;
	} rows[] = {{"", "help_desk_group = \"no-such-group\";\n", true},
	    {"help_desk_group = \"adm\";\n", "help_desk_group = \"no-such-group\";\n", true},
	    {"help_desk_group = \"no-such-group\";\n", "help_desk_group = \"no-such-group\";\n",
	        false},
	    {"help_desk_group = \"adm\";\n", "", false}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		static const char minimal[] =
		    "hostname = \"mail.example.com\";\ndomains = ( { name = \"example.com\"; } );\n"
		    "tls: { certificate = \"/absent.crt\"; private_key = \"/absent.key\"; };\n";
		struct conf_report report;
		struct setting s;
		struct conf *file;
		char text[400];

		snprintf(text, sizeof text, "%s%s", minimal, rows[i].file);
		rig_write(r.config, text);
		snprintf(text, sizeof text, "%s%s", minimal, rows[i].running);
		running_begin(&s, str_of(text));
		group_lookups = 0;
		running_receive_all(&s, "config.diff");
		cr_expect_eq(group_lookups, 0, "%zu: %u", i, group_lookups);
		conf_report_init(&report);
		file = conf_read_file(r.config, CONF_SECRETS_READ_HERE, &report);
		cr_expect_eq(group_lookups, rows[i].file[0] != '\0', "a check looks it up");
		conf_drop(&file);
		conf_report_clear(&report);
		buf_addc(&s.final_text, 0);
		buf_addc(&s.shown, 0);
		cr_expect_eq(s.status, 0, "%s", s.final_text.p);
		cr_expect_eq(strstr(s.final_text.p, running_looked_up) != NULL, rows[i].has_note,
		    "%zu: %s", i, s.final_text.p);
		cr_expect_eq(strstr(s.shown.p, running_looked_up) != NULL, rows[i].has_note,
		    "%zu: %s", i, s.shown.p);
		running_end(&s);
	}
}

Test(running_config, lines_that_do_not_fit_are_counted)
{
	static const struct {
		const char *text, *shown;
		size_t most;
	} rows[] = {{"", "", 10}, {"one\ntwo\n", "one\ntwo\n", 8},
	    {"one\ntwo\n", "one\n(and 1 more line)\n", 7},
	    {"one\ntwo\nthree\n\n", "(and 3 more lines)\n", 3}, {"one\ntwo", "one\ntwo", 100},
	    {"a long line\nb\n", "(and 2 more lines)\n", 5}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf out;

		buf_init(&out, 1000);
		running_config_add_lines(&out, str_of(rows[i].text), rows[i].most);
		cr_expect(str_eq(buf_str(&out), str_of(rows[i].shown)), "%zu: %.*s", i,
		    STR_ARG(buf_str(&out)));
		buf_clear(&out);
	}
}
