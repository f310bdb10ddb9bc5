/* schedule_sim: a schedule with a simulated clock, deliveries without messages, and a simulated
 * relay. */
#ifndef TESTS_UNIT_QUEUE_SCHEDULE_SIM_H
#define TESTS_UNIT_QUEUE_SCHEDULE_SIM_H

#include "queue/schedule/schedule.h"
#include "support.h"

enum { SIM_USERS = 8, MINUTE_MS = 60000, HOUR_MS = 3600000 };

extern const int64_t sim_start_ms;
extern const int64_t sim_retry_ms[3];
extern const struct smtp_status sim_sent, sim_unreachable;
extern const char sim_users[SIM_USERS][8];

struct schedule *sim_schedule(uint32_t concurrency, uint32_t destination_concurrency);
/* Of the first user, due at the start, for five days. */
struct sched_delivery *sim_deliveries(size_t count);
enum schedule_act sim_next(struct schedule *s, int64_t now_ms, struct schedule_step *step);
/* Takes one step that must look up this domain, and answers. */
void sim_answer(struct schedule *s, const char *domain, const char *destination, int64_t now_ms);
/* Answers the lookup. */
void sim_reported(struct schedule *s, struct str domain, struct str destination,
    const struct smtp_status *status, int64_t now_ms);
/* Delivers all that may run now; returns how many. */
size_t sim_drain(struct schedule *s, int64_t now_ms, struct sched_delivery **out, size_t max);

#endif
