/*
 * systemd_notify: the socket is non-blocking: a manager that does not read cannot block main. It is
 * opened for the first message and stays open. A message that cannot be sent is dropped without an
 * error: nothing that main does depends on it.
 */
#include "main/systemd_notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

enum { SYSTEMD_NOTIFY_TEXT_BYTES = 700 };

void
systemd_notify_state(const char *state)
{
	static int fd = -1; /* stays open, so that a lack of descriptors prevents no message */
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n = path ? strlen(path) : 0;

	if (n == 0 || n >= sizeof to.sun_path)
		return;
	memcpy(to.sun_path, path, n);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = 0;
	if (fd < 0)
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
}

void
systemd_notify_status(const char *format, ...)
{
	char text[SYSTEMD_NOTIFY_TEXT_BYTES] = "STATUS=";
	size_t begin = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + begin, sizeof text - begin, format, args);
	va_end(args);
	/* a line feed would begin another variable */
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20)
			*p = ' ';
	systemd_notify_state(text);
}

int64_t
systemd_notify_watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t usec_number, pid_number;

	if (!usec || !str_u64(str_of(usec), &usec_number) || usec_number / 1000 > INT32_MAX)
		return 0;
	if (pid && (!str_u64(str_of(pid), &pid_number) || pid_number != (uint64_t)getpid()))
		return 0;
	return (int64_t)(usec_number / 1000);
}
