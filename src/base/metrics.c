/*
 * metrics: the work is one record behind a version number.  The number is odd while the record is
 * written, so that a reader who sees an odd number reads again.  Each counter is one word of 64
 * bits, which is stored at once.  The only state of this file is the region of the thread.
 */
#include "base/metrics.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"

struct metrics_now {
	char word[METRICS_WORD_BYTES];
	char detail[METRICS_DETAIL_BYTES];
	uint64_t session; /* 0: without id */
	uint32_t number;
	uint32_t unused;
	char trouble[METRICS_TROUBLE_BYTES];
};

struct metrics_region {
	_Atomic uint64_t progress;
	_Atomic uint64_t disk_ms;
	_Atomic int64_t lack_ms; /* monotonic, of the last lack of descriptors; 0: none */
	_Atomic uint32_t is_blocking;
	_Atomic uint32_t version;
	struct metrics_now now;
	/* by enum metric; of a gauge the value and 1, so that 0 says that none is set */
	_Atomic uint64_t counts[METRIC_COUNT];
};

_Static_assert(sizeof(struct metrics_region) <= METRICS_BYTES, "the region is too small");

enum { METRICS_READS_MAX = 100 };

static _Thread_local struct metrics_region *own;

/* ---- main ---- */

int
metrics_create(void)
{
	int fd = memfd_create("metrics", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	if (ftruncate(fd, METRICS_BYTES) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0)
		return fd;
	close(fd);
	return -1;
}

const struct metrics_region *
metrics_map(int fd)
{
	void *p = mmap(NULL, METRICS_BYTES, PROT_READ, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

void
metrics_unmap(const struct metrics_region **region)
{
	if (*region)
		munmap((void *)(uintptr_t)*region, METRICS_BYTES);
	*region = NULL;
}

static struct metrics_now
metrics_copy(const struct metrics_region *r)
{
	struct metrics_now copy;

	for (int i = 0; i < METRICS_READS_MAX; i++) {
		uint32_t before = atomic_load_explicit(&r->version, memory_order_acquire);

		memcpy(&copy, &r->now, sizeof copy);
		atomic_thread_fence(memory_order_acquire);
		if (before % 2 == 0 &&
		    before == atomic_load_explicit(&r->version, memory_order_relaxed))
			break;
	}
	return copy;
}

static char *
metrics_add(char *to, const char *p, size_t n)
{
	for (size_t i = 0; i < n && p[i]; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c > 0x20 && c < 0x7f && c != '\\')
			*to++ = (char)c;
		else if (c == ' ')
			*to++ = ' ';
		else
			to += snprintf(to, 5, "\\x%02X", c);
	}
	*to = 0;
	return to;
}

char *
metrics_read_work(const struct metrics_region *region, char out[METRICS_TEXT_BYTES])
{
	/* four characters for each byte of word and detail, an id, blanks and the NUL */
	char text[4 * (METRICS_WORD_BYTES + METRICS_DETAIL_BYTES) + ID_NUMBER_TEXT_BYTES + 8];
	char id[ID_NUMBER_TEXT_BYTES], *to = text;
	struct metrics_now now = region ? metrics_copy(region) : (struct metrics_now){0};

	to = metrics_add(to, now.word, sizeof now.word);
	if (now.session) {
		*to++ = ' ';
		msgid_text((struct msgid){now.session, now.number}, 0, id);
		to = metrics_add(to, id, sizeof id);
	}
	if (now.detail[0]) {
		*to++ = ' ';
		to = metrics_add(to, now.detail, sizeof now.detail);
	}
	snprintf(out, METRICS_TEXT_BYTES, "%.*s", METRICS_TEXT_BYTES - 1, text[0] ? text : "-");
	return out;
}

char *
metrics_read_trouble(
    const struct metrics_region *region, char out[METRICS_TROUBLE_TEXT_BYTES])
{
	struct metrics_now now = region ? metrics_copy(region) : (struct metrics_now){0};

	out[0] = 0;
	metrics_add(out, now.trouble, sizeof now.trouble - 1);
	return out;
}

bool
metrics_read_lacks_descriptors(const struct metrics_region *region)
{
	int64_t at_ms = region ? atomic_load_explicit(&region->lack_ms, memory_order_relaxed) : 0;
	int64_t now_ms = clock_mono_ms();

	return at_ms > 0 && at_ms <= now_ms && now_ms - at_ms < METRICS_LACK_MS;
}

uint64_t
metrics_read_disk_ms(const struct metrics_region *region)
{
	return region ? atomic_load_explicit(&region->disk_ms, memory_order_relaxed) : 0;
}

uint64_t
metrics_read_progress(const struct metrics_region *region)
{
	return region ? atomic_load_explicit(&region->progress, memory_order_relaxed) : 0;
}

bool
metrics_read_is_blocking(const struct metrics_region *region)
{
	return region && atomic_load_explicit(&region->is_blocking, memory_order_relaxed);
}

bool
metrics_read(const struct metrics_region *region, enum metric m, uint64_t *value_out)
{
	bool is_gauge = metric_table[m].type == METRIC_GAUGE;
	uint64_t value = 0;

	if (region)
		value = atomic_load_explicit(&region->counts[m], memory_order_relaxed);
	*value_out = is_gauge && value ? value - 1 : value;
	return region && (value || !is_gauge);
}

/* ---- the role ---- */

int
metrics_use(int fd)
{
	void *p = mmap(NULL, METRICS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -1;
	metrics_leave();
	own = p;
	return 0;
}

void
metrics_leave(void)
{
	if (own)
		munmap(own, METRICS_BYTES);
	own = NULL;
}

/* Makes the version odd: the record is incomplete. */
static uint32_t
metrics_begin_write(struct metrics_region *r)
{
	uint32_t version = atomic_load_explicit(&r->version, memory_order_relaxed);

	atomic_store_explicit(&r->version, version + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	return version;
}

static void
metrics_end_write(struct metrics_region *r, uint32_t version)
{
	atomic_store_explicit(&r->version, version + 2, memory_order_release);
}

static void
metrics_write(const char *word, struct msgid id, struct str detail)
{
	struct metrics_region *r = own;
	uint32_t version;

	if (!r)
		return;
	version = metrics_begin_write(r);
	for (size_t i = 0; i < sizeof r->now.word; i++)
		if ((r->now.word[i] = word[i]) == 0)
			break;
	r->now.session = id.session;
	r->now.number = id.number;
	detail = str_upto(detail, sizeof r->now.detail - 1);
	if (detail.n)
		memcpy(r->now.detail, detail.p, detail.n);
	r->now.detail[detail.n] = 0;
	metrics_end_write(r, version);
}

void
metrics_work(const char *word)
{
	metrics_write(word, (struct msgid){0, 0}, STR_NULL);
}

void
metrics_work_id(const char *word, struct msgid id)
{
	metrics_write(word, id, STR_NULL);
}

void
metrics_work_on(const char *word, struct str detail)
{
	metrics_write(word, (struct msgid){0, 0}, detail);
}

void
metrics_trouble(const char *text)
{
	struct metrics_region *r = own;
	uint32_t version;

	if (!r)
		return;
	version = metrics_begin_write(r);
	snprintf(r->now.trouble, sizeof r->now.trouble, "%s", text);
	metrics_end_write(r, version);
}

void
metrics_lacks_descriptors(void)
{
	if (own)
		atomic_store_explicit(&own->lack_ms, clock_mono_ms(), memory_order_relaxed);
}

void
metrics_disk(int64_t ms)
{
	if (own)
		atomic_store_explicit(
		    &own->disk_ms, ms > 0 ? (uint64_t)ms : 0, memory_order_relaxed);
}

/* Only this thread writes: a load and a store are enough. */
void
metrics_count(enum metric m, uint64_t n)
{
	uint64_t value;

	if (!own)
		return;
	value = atomic_load_explicit(&own->counts[m], memory_order_relaxed);
	atomic_store_explicit(&own->counts[m], value + n, memory_order_relaxed);
}

void
metrics_set(enum metric m, uint64_t value)
{
	if (own)
		atomic_store_explicit(&own->counts[m],
		    value + (metric_table[m].type == METRIC_GAUGE), memory_order_relaxed);
}

void
metrics_progress(void)
{
	if (own)
		atomic_fetch_add_explicit(&own->progress, 1, memory_order_relaxed);
}

void
metrics_blocking(bool is_blocking)
{
	if (own)
		atomic_store_explicit(&own->is_blocking, is_blocking, memory_order_relaxed);
}
