/*
 * stage: only these functions call a stage, so the order of the table is the order of the work.
 */
#include "submission/stage.h"

#include "base/metrics.h"

enum stage_step
stage_refuse(struct stage_message *m, const char *reason, const struct smtp_status *status)
{
	m->reason = reason;
	m->status = *status;
	return STAGE_REFUSE;
}

/* Takes the message through r->at and the stages behind it. */
static enum stage_step
run_stages(struct stage_run *r)
{
	enum stage_step step = STAGE_NEXT;

	while (step == STAGE_NEXT && r->at->name) {
		metrics_work_id(r->at->name, r->message->envelope.id);
		step = r->at->begin(r->message);
		if (step == STAGE_NEXT)
			r->at++;
	}
	r->is_waiting = step == STAGE_WAIT;
	return step;
}

enum stage_step
stage_run_begin(struct stage_run *r, const struct stage *table, struct stage_message *m)
{
	*r = (struct stage_run){.at = table, .message = m};
	return run_stages(r);
}

enum stage_step
stage_run_answer(struct stage_run *r, const void *answer)
{
	enum stage_step step = r->at->answered(r->message, answer);

	r->is_waiting = step == STAGE_WAIT;
	if (step != STAGE_NEXT)
		return step;
	r->at++;
	return run_stages(r);
}

bool
stage_run_is_waiting(const struct stage_run *r)
{
	return r->is_waiting;
}

int64_t
stage_run_wait_ms(const struct stage_run *r)
{
	return r->at->wait_ms;
}

void
stage_run_cancel(struct stage_run *r)
{
	if (r->is_waiting && r->at->cancel)
		r->at->cancel(r->message);
	r->is_waiting = false;
}
