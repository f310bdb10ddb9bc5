/*
 * systemd_notify: messages to the service manager (sd_notify(3)); without one nothing is sent.
 */
#ifndef MAIN_SYSTEMD_NOTIFY_H
#define MAIN_SYSTEMD_NOTIFY_H

#include <stdint.h>

/* Sends "READY=1", "WATCHDOG=1"; several lines are one message. */
void systemd_notify_state(const char *state);
/* Sends STATUS=: one line for `systemctl status`. */
void systemd_notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The watchdog interval of the manager (WATCHDOG_USEC, when it is meant for this process); 0: it
 * has no watchdog. */
int64_t systemd_notify_watchdog_ms(void);

#endif
