/*
 * daemon_metrics: the rows of `sallyport metrics`, one for each row of base/metric_table.h, in its
 * order.
 */
#ifndef MAIN_DAEMON_METRICS_H
#define MAIN_DAEMON_METRICS_H

#include "main/daemon.h"

/* The present value of a metric, of main's own ones too.  False: it has none now. */
bool daemon_metrics_read(struct daemon *d, enum metric m, uint64_t *value_out) MUST_USE;
/* Answers that call with a row per metric. */
void daemon_metrics_send_rows(struct daemon *d, struct channel *control, uint64_t call);

#endif
