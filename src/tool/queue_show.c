/*
 * queue_show: `queue show`: prints the rows about a message, each kind in its own form.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/message.h"
#include "tool/print.h"
#include "tool/text_pieces.h"
#include "tool/tool.h"

/* A large body comes as a descriptor, with the row that describes it. */
struct tool_body_file {
	int fd;    /* -1: none */
	int error; /* why a body could not be read to its end */
};

struct tool_shown_message {
	struct tool_body_file body;
	const struct tool *tool;
	unsigned messages;
	bool has_recipients; /* of this message, so far */
};

static void
print_key(int indent, const char *label, struct str values, const char *key)
{
	print_labelled(indent, label, message_values_get(values, key));
}

/* Prints a part of a text of several lines, with each CR LF or LF replaced by the end of a line;
 * arg: a bool, true while the part before ended within a line. */
static void
print_some_lines(struct str text, void *arg)
{
	bool *is_within = arg;

	while (text.n) {
		struct str line = str_upto(text, str_find(text, '\n'));
		bool is_ended = line.n < text.n;

		text = str_from(text, line.n + is_ended);
		if (!*is_within)
			printf("  ");
		if (is_ended && line.n && line.p[line.n - 1] == '\r')
			line.n--;
		(void)print_text(line);
		if (is_ended)
			putchar('\n');
		*is_within = !is_ended;
	}
}

static void
print_lines(struct str text)
{
	bool is_within = false;

	print_some_lines(text, &is_within);
	if (is_within)
		putchar('\n');
}

/* ---- a body in a file ---- */

static void
body_file_take(int fd, void *arg)
{
	struct tool_body_file *b = arg;

	if (b->fd >= 0)
		close(b->fd);
	b->fd = fd;
}

static void
body_file_done(struct tool_body_file *b, int failed)
{
	if (failed)
		b->error = errno;
	close(b->fd);
	b->fd = -1;
}

/* The exit status of a command that ended with this one. */
static int
body_file_status(struct tool_body_file *b, int status)
{
	if (b->fd >= 0)
		close(b->fd);
	if (b->error == 0)
		return status;
	fprintf(stderr, "sallyport: the body could not be read to its end: %s\n",
	    strerror(b->error));
	return status ? status : EX_IOERR;
}

static void
print_large_body(struct tool_body_file *b)
{
	bool is_within = false;
	int failed;

	printf("Body\n");
	failed = text_pieces_read(b->fd, print_some_lines, &is_within);
	body_file_done(b, failed);
	if (is_within)
		putchar('\n');
}

/* ---- rows ---- */

/* Prints result, time and host of the last attempt, and the time of the next one. */
static void
print_attempts(struct str values)
{
	struct str host = message_values_get(values, "mx");
	struct str address = message_values_get(values, "mx_address");
	bool is_reply_of_host = str_eq(message_values_get(values, "reply_by"), STR("host"));

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
	print_key(4, is_reply_of_host ? "host said" : "result", values, "reply");
	print_key(4, "reason", values, "reason");
	print_key(4, "next attempt", values, "next");
}

static void
print_message(struct tool_shown_message *show, struct str values)
{
	if (show->messages++)
		putchar('\n');
	show->has_recipients = false;
	(void)print_text(message_values_get(values, "id"));
	putchar('\n');
	print_key(2, "state", values, "state");
	if (str_eq(message_values_get(values, "state"), STR("held")))
		print_key(2, "held because", values, "reason");
	print_key(2, "user", values, "user");
	print_labelled(2, "sender", message_values_get(values, "from").n
	        ? message_values_get(values, "from") : STR("<>"));
	print_key(2, "bytes", values, "size");
	print_key(2, "age in seconds", values, "age_s");
}

static void
print_recipient(struct tool_shown_message *show, struct str values)
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
body_is_in_file(struct str values)
{
	return str_eq(message_values_get(values, "in_file"), STR("yes"));
}

static void
print_body(struct tool_shown_message *show, struct str values)
{
	if (!body_is_in_file(values)) {
		printf("Body\n");
		print_lines(message_values_get(values, "body"));
	} else if (show->body.fd >= 0) {
		print_large_body(&show->body);
	} else {
		printf("Body: not shown, it is large: name this message alone, by its id\n");
	}
}

static bool
is_row_of_kind(struct str values, const char *kind)
{
	return str_eq(message_values_get(values, "row"), str_of(kind));
}

static void
show_row(struct str values, void *arg)
{
	struct tool_shown_message *show = arg;

	if (show->tool->json && show->body.fd >= 0)
		body_file_done(&show->body, print_json_file(values, "body", show->body.fd));
	else if (show->tool->json)
		print_json(values);
	else if (is_row_of_kind(values, "message") && show->tool->quiet)
		printf("%.*s\n", STR_ARG(message_values_get(values, "id")));
	else if (show->tool->quiet)
		return;
	else if (is_row_of_kind(values, "message"))
		print_message(show, values);
	else if (is_row_of_kind(values, "recipient"))
		print_recipient(show, values);
	else if (is_row_of_kind(values, "content"))
		print_content(values);
	else if (is_row_of_kind(values, "body"))
		print_body(show, values);
}

/* The message as it is stored.  The header is printed only with its body: half a message is
 * useless. */
struct tool_raw_message {
	struct tool_body_file body;
	struct buf header;
	unsigned messages;
	bool is_large; /* and came without its descriptor */
};

static void
raw_write(struct str piece, void *arg)
{
	(void)arg;
	fwrite(piece.p, 1, piece.n, stdout);
}

static void
raw_row(struct str values, void *arg)
{
	struct tool_raw_message *raw = arg;
	struct str body = message_values_get(values, "body");

	if (is_row_of_kind(values, "message")) {
		raw->messages++;
		buf_reset(&raw->header);
	}
	if (raw->messages > 1)
		return;
	if (is_row_of_kind(values, "content"))
		buf_adds(&raw->header, message_values_get(values, "header"));
	if (!is_row_of_kind(values, "body"))
		return;
	raw->is_large = body_is_in_file(values) && raw->body.fd < 0;
	if (raw->is_large)
		return;
	fwrite(raw->header.p, 1, raw->header.n, stdout);
	fputs("\r\n", stdout);
	if (raw->body.fd >= 0)
		body_file_done(&raw->body, text_pieces_read(raw->body.fd, raw_write, NULL));
	else
		fwrite(body.p, 1, body.n, stdout);
}

static void
show_count(struct str values, void *arg)
{
	(void)values;
	++*(unsigned *)arg;
}

/* One argument may be the id of a session and match several messages; one file takes one
 * message. */
static int
show_refuse_several(const struct tool *t, unsigned count)
{
	fprintf(stderr, "sallyport: %s has %u messages, and --raw writes one: name one of them "
	    "(sallyport queue list %s)\n", t->args[0], count, t->args[0]);
	return EX_USAGE;
}

static int
show_raw(struct tool *t, const struct operator_command *command)
{
	struct tool_raw_message raw = {.body.fd = -1};
	unsigned count = 0;
	int status;

	if (isatty(STDOUT_FILENO)) {
		fputs("sallyport: --raw does not write to a terminal: send it to a file or a pipe, "
		      "or use --body\n", stderr);
		return EX_USAGE;
	}
	/* before anything is written */
	status = tool_ask_running(t, "queue.list", show_count, &count);
	if (status == 0 && count > 1)
		return show_refuse_several(t, count);
	if (status)
		return status;
	buf_init(&raw.header, TOOL_VALUES_MAX * 2);
	status = tool_ask_running(t, command->verb, raw_row, &raw);
	if (status == 0 && raw.messages > 1) /* another message arrived meanwhile */
		status = show_refuse_several(t, raw.messages);
	if (status == 0 && raw.is_large) {
		fputs("sallyport: the body is not shown: it is large: name this message alone, by "
		      "its id\n", stderr);
		status = EX_NEGATIVE;
	}
	buf_clear(&raw.header);
	return body_file_status(&raw.body, status);
}

int
tool_queue_show(struct tool *t, const struct operator_command *command)
{
	struct tool_shown_message show = {.body.fd = -1, .tool = t};

	tool_add_ids(t);
	if (t->filter_count == 0 || (t->raw && t->arg_count != 1)) {
		fprintf(stderr, "usage: sallyport %s\n", command->usage);
		return EX_USAGE;
	}
	if (t->body || t->raw)
		message_values_add(&t->values, "body", STR("1"));
	t->take_fd = body_file_take;
	if (t->raw)
		return show_raw(t, command);
	return body_file_status(
	    &show.body, tool_ask_running(t, command->verb, show_row, &show));
}
