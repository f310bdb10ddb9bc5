#include "upkeep_disk.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "spool/spool_internal.h"

struct upkeep_disk upkeep_disk = {.set_aside_fd = -1};

static const char blocked_text[] = "STUCK";

static ssize_t
watch_pread(struct fsio *f, int fd, void *p, size_t n, off_t at)
{
	ssize_t got = rig.disk->pread(f, fd, p, n, at);
	char *words = got > 0 ? memmem(p, (size_t)got, blocked_text, strlen(blocked_text)) : NULL;

	if (upkeep_disk.has_holes && n == SEGMENT_SALVAGE_BYTES) {
		usleep(HOLE_MS * 1000);
		upkeep_disk.holes++;
		errno = EIO;
		return -1;
	}
	if (!words)
		return got;
	if (upkeep_disk.let_through-- <= 0)
		rig_block(&upkeep_disk.is_read_blocked);
	words[strlen(blocked_text) + 1] ^= (char)upkeep_disk.damaged_byte;
	return got;
}

static int
watch_open(struct fsio *f, const char *name, int flags)
{
	int fd = rig.disk->open(f, name, flags);

	if (strstr(name, ".aside"))
		upkeep_disk.set_aside_fd = fd;
	return fd;
}

static int
watch_sync_data(struct fsio *f, int fd)
{
	rig_block(fd == upkeep_disk.set_aside_fd ? &upkeep_disk.is_set_aside_blocked
						  : &upkeep_disk.is_log_blocked);
	return rig.disk->sync_data(f, fd);
}

void
upkeep_disk_watch(struct fsio_ops *ops)
{
	ops->pread = watch_pread;
	ops->open = watch_open;
	ops->sync_data = watch_sync_data;
}
