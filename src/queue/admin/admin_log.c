/*
 * admin_log: each condition has its own key, so that addresses are shown as log.addresses requires.
 * A filter without a condition is written as such and not left out. The number of ids in the line
 * is bounded, the count is not. The line tells what the command has counted; the messages
 * themselves may be gone.
 */
#include "queue/admin/admin_log.h"

#include "base/log.h"
#include "ipc/operator_log.h"

enum { IDS_BYTES = ADMIN_COMMAND_IDS_LOGGED * ID_NUMBER_TEXT_BYTES + 64 };

static void
log_filter(struct log_line *l, const struct admin_filter *f)
{
	const struct str texts[] = {f->user, f->account, f->from, f->to, f->domain, f->state};
	bool is_all = f->id_count == 0 && f->older_ms == 0;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		is_all &= texts[i].n == 0;
	if (is_all)
		log_str(l, "filter", STR("all"));
	if (f->id_count)
		log_num(l, "filter_ids", f->id_count);
	if (f->user.n)
		log_user(l, "filter_user", f->user);
	if (f->account.n)
		log_user(l, "filter_user", f->account);
	if (f->from.n)
		log_addr(l, "filter_from", f->from);
	if (f->to.n)
		log_addr(l, "filter_to", f->to);
	if (f->domain.n)
		log_quoted(l, "filter_domain", f->domain);
	if (f->state.n)
		log_str(l, "filter_state", f->state);
	if (f->older_ms)
		log_num(l, "filter_older_s", (uint64_t)f->older_ms / 1000);
}

static void
log_ids(struct log_line *l, const struct admin_command *command)
{
	char id[ID_NUMBER_TEXT_BYTES];
	struct buf ids;

	buf_init(&ids, IDS_BYTES);
	for (size_t i = 0; i < command->changed && i < ADMIN_COMMAND_IDS_LOGGED; i++)
		buf_addf(&ids, "%s%s", i ? " " : "", msgid_text(command->first_ids[i], 0, id));
	if (command->changed > ADMIN_COMMAND_IDS_LOGGED)
		buf_addf(&ids, " and %zu more", command->changed - ADMIN_COMMAND_IDS_LOGGED);
	log_quoted(l, "ids", buf_str(&ids));
	buf_clear(&ids);
}

void
admin_command_log(const struct admin_command *command)
{
	const struct message_admin m = {.verb = str_of(command->verb->name),
	    .by = command->by,
	    .claimed_name = command->claimed_name};
	struct log_line l;

	operator_log_begin(&l, &m);
	log_num(&l, "count", command->changed);
	if (command->failed)
		log_num(&l, "failed", command->failed);
	log_filter(&l, &command->filter);
	if (command->held_for.n)
		log_quoted(&l, "filter_held_for", command->held_for);
	log_ids(&l, command);
	log_quoted(&l, "reason", command->reason);
	log_end(&l);
}
