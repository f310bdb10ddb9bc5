/*
 * tool_show: `queue show`: the rows about a message, each kind in its own form.
 */
#include <stdio.h>
#include <unistd.h>

#include "ipc/message.h"
#include "main/print.h"
#include "main/tool.h"

struct show {
	const struct tool *tool;
	unsigned messages;
	bool has_recipients; /* of this message, so far */
};

static void
print_key(int indent, const char *label, struct str values, const char *key)
{
	print_labelled(indent, label, message_values_get(values, key));
}

/* A text of several lines, each with its end stripped. */
static void
print_lines(struct str text)
{
	struct str line;

	while (str_split(&text, '\n', &line)) {
		if (line.n && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0 && text.n == 0)
			break;
		printf("  ");
		(void)print_text(line);
		putchar('\n');
	}
}

/* What the last attempt came to, when and where it was, and when the next one is. */
static void
print_attempts(struct str values)
{
	struct str host = message_values_get(values, "mx");
	struct str address = message_values_get(values, "mx_address");
	bool is_theirs = str_eq(message_values_get(values, "reply_by"), STR("host"));

	print_key(4, "attempts", values, "tries");
	print_key(4, "last attempt", values, "tried");
	print_key(4, "found out", values, "found");
	if (host.n || address.n) {
		printf("    %-*s ", PRINT_LABEL_COLUMNS, "host");
		(void)print_text(host);
		printf("%s[", host.n ? " " : "");
		(void)print_text(address);
		printf("]\n");
	}
	print_key(4, is_theirs ? "host said" : "result", values, "reply");
	print_key(4, "reason", values, "reason");
	print_key(4, "next attempt", values, "next");
}

static void
print_message(struct show *show, struct str values)
{
	if (show->messages++)
		putchar('\n');
	show->has_recipients = false;
	(void)print_text(message_values_get(values, "id"));
	putchar('\n');
	print_key(2, "state", values, "state");
	if (str_eq(message_values_get(values, "state"), STR("held")))
		print_key(2, "held because", values, "reason");
	print_key(2, "login", values, "user");
	print_labelled(2, "sender", message_values_get(values, "from").n
	        ? message_values_get(values, "from") : STR("<>"));
	print_key(2, "bytes", values, "size");
	print_key(2, "age in seconds", values, "age_s");
}

static void
print_recipient(struct show *show, struct str values)
{
	if (!show->has_recipients)
		printf("Recipients\n");
	show->has_recipients = true;
	printf("  ");
	(void)print_text(message_values_get(values, "id"));
	printf("  ");
	(void)print_text(message_values_get(values, "to"));
	printf("  ");
	(void)print_text(message_values_get(values, "state"));
	putchar('\n');
	print_attempts(values);
}

static void
print_content(struct str values)
{
	printf("Envelope\n");
	print_key(2, "arrival", values, "arrival");
	print_key(2, "client", values, "client");
	print_key(2, "credential", values, "credential");
	print_key(2, "header From", values, "header_from");
	print_key(2, "ENVID", values, "envid");
	print_key(2, "SMTPUTF8", values, "smtputf8");
	print_key(2, "body in bytes", values, "body_bytes");
	printf("Header\n");
	print_lines(message_values_get(values, "header"));
}

static bool
is_in_file(struct str values)
{
	return str_eq(message_values_get(values, "in_file"), STR("yes"));
}

static void
print_body(struct str values)
{
	if (is_in_file(values)) {
		printf("Body: not shown, it is large and in a file of its own\n");
		return;
	}
	printf("Body\n");
	print_lines(message_values_get(values, "body"));
}

static bool
is_row(struct str values, const char *kind)
{
	return str_eq(message_values_get(values, "row"), str_of(kind));
}

static void
show_row(struct str values, void *arg)
{
	struct show *show = arg;

	if (show->tool->json)
		print_json(values);
	else if (is_row(values, "message") && show->tool->quiet)
		printf("%.*s\n", STR_ARG(message_values_get(values, "id")));
	else if (show->tool->quiet)
		return;
	else if (is_row(values, "message"))
		print_message(show, values);
	else if (is_row(values, "recipient"))
		print_recipient(show, values);
	else if (is_row(values, "content"))
		print_content(values);
	else if (is_row(values, "body"))
		print_body(values);
}

/* The message as it is stored.  The header waits for its body: half a message is none. */
struct raw {
	struct buf header;
	bool is_large;
};

static void
raw_row(struct str values, void *arg)
{
	struct raw *raw = arg;
	struct str body = message_values_get(values, "body");

	if (is_row(values, "content"))
		buf_adds(&raw->header, message_values_get(values, "header"));
	if (!is_row(values, "body"))
		return;
	raw->is_large = is_in_file(values);
	if (raw->is_large)
		return;
	fwrite(raw->header.p, 1, raw->header.n, stdout);
	fputs("\r\n", stdout);
	fwrite(body.p, 1, body.n, stdout);
}

static int
show_raw(struct tool *t, const struct command *command)
{
	struct raw raw = {0};
	int status;

	if (isatty(STDOUT_FILENO)) {
		fputs("sallyport: --raw does not write to a terminal: send it to a file or a pipe, "
		      "or use --body\n", stderr);
		return EX_USE;
	}
	buf_init(&raw.header, TOOL_VALUES_MAX * 2);
	status = tool_ask_running(t, command->asks, raw_row, &raw);
	if (status == 0 && raw.is_large) {
		fputs("sallyport: the body is not shown: it is large and in a file of its own\n",
		    stderr);
		status = EX_FOUND;
	}
	buf_clear(&raw.header);
	return status;
}

int
tool_queue_show(struct tool *t, const struct command *command)
{
	struct show show = {.tool = t};

	tool_add_ids(t);
	if (t->filter_count == 0 || (t->raw && t->arg_count != 1)) {
		fprintf(stderr, "usage: sallyport %s\n", command->usage);
		return EX_USE;
	}
	if (t->body || t->raw)
		message_values_add(&t->values, "body", STR("1"));
	return t->raw ? show_raw(t, command)
	              : tool_ask_running(t, command->asks, show_row, &show);
}
