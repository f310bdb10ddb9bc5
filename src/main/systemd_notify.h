/*
 * systemd_notify: what the service manager is told (sd_notify(3)): nothing happens without one.
 */
#ifndef MAIN_SYSTEMD_NOTIFY_H
#define MAIN_SYSTEMD_NOTIFY_H

#include <stdint.h>

/* "READY=1", "WATCHDOG=1"; several lines are one message. */
void systemd_notify_state(const char *state);
/* STATUS=: one line for `systemctl status`. */
void systemd_notify_status(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* How long the manager waits for a sign of life (WATCHDOG_USEC, when meant for this process); 0: it
 * does not. */
int64_t systemd_notify_watchdog_ms(void);

#endif
