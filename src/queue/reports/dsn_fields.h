/*
 * dsn_fields: the part of a report that programs read: message/delivery-status (RFC 3464 section
 * 2), or message/global-delivery-status (RFC 6533).
 */
#ifndef QUEUE_REPORTS_DSN_FIELDS_H
#define QUEUE_REPORTS_DSN_FIELDS_H

#include "queue/reports/dsn_write.h"

void dsn_fields(struct dsn_writer *w);

#endif
