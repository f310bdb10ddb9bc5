/*
 * client_counts: a counting sketch in shared memory. A cell holds one counter for each process,
 * next to each other, so that a sum reads two cache lines. Each counter has one writer, its
 * process; therefore there is no lock.
 */
#include "submission/client_counts.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"

/* The shared memory; main creates it filled with zeros. */
struct client_counts_table {
	_Atomic uint64_t secret; /* set by the process that comes first; 0: not yet */
	_Atomic uint32_t sessions[CLIENT_COUNTS_REGIONS];
	_Atomic uint16_t cells[CLIENT_COUNTS_ROWS][CLIENT_COUNTS_COLUMNS][CLIENT_COUNTS_REGIONS];
};

struct client_counts {
	struct client_counts_table *table;
	unsigned region;
};

size_t
client_counts_bytes(void)
{
	return sizeof(struct client_counts_table);
}

static struct client_counts_table *
map_client_table(int fd)
{
	void *p = mmap(
	    NULL, sizeof(struct client_counts_table), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int
draw_table_secret(struct client_counts_table *t)
{
	uint64_t none = 0, own = 0;

	while (own == 0)
		if (getrandom(&own, sizeof own, 0) != sizeof own)
			return -1;
	atomic_compare_exchange_strong(&t->secret, &none, own);
	return 0;
}

struct client_counts *
client_counts_open(int fd, unsigned region)
{
	struct client_counts *c;
	struct client_counts_table *t;

	if (region >= CLIENT_COUNTS_REGIONS) {
		errno = EINVAL;
		return NULL;
	}
	t = map_client_table(fd);
	if (!t)
		return NULL;
	if (draw_table_secret(t) != 0) {
		munmap(t, sizeof *t);
		return NULL;
	}
	c = MEM_NEW(struct client_counts);
	c->table = t;
	c->region = region;
	return c;
}

void
client_counts_close(struct client_counts **c)
{
	if (!*c)
		return;
	munmap((*c)->table, sizeof(struct client_counts_table));
	mem_free(*c);
	*c = NULL;
}

void
client_counts_wipe(int fd, unsigned region)
{
	struct client_counts_table *t =
	    region < CLIENT_COUNTS_REGIONS ? map_client_table(fd) : NULL;

	if (!t)
		return;
	atomic_store_explicit(&t->sessions[region], 0, memory_order_relaxed);
	for (size_t row = 0; row < CLIENT_COUNTS_ROWS; row++)
		for (size_t column = 0; column < CLIENT_COUNTS_COLUMNS; column++)
			atomic_store_explicit(
			    &t->cells[row][column][region], 0, memory_order_relaxed);
	munmap(t, sizeof *t);
}

/* The cell of a network in one row. */
static _Atomic uint16_t *
client_cell_of(const struct client_counts *c, size_t row, struct str network)
{
	static const uint64_t rows[CLIENT_COUNTS_ROWS] = {0, 0x9e3779b97f4a7c15u};
	uint64_t secret = atomic_load_explicit(&c->table->secret, memory_order_relaxed);
	struct hash_key key = {secret, rows[row]};

	return c->table->cells[row][hash_bytes(key, network) % CLIENT_COUNTS_COLUMNS];
}

static unsigned
sum_client_cell(const _Atomic uint16_t *cell)
{
	unsigned n = 0;

	for (size_t i = 0; i < CLIENT_COUNTS_REGIONS; i++)
		n += atomic_load_explicit(&cell[i], memory_order_relaxed);
	return n;
}

static void
change_client_count(struct client_counts *c, struct str network, int change)
{
	_Atomic uint32_t *sessions = &c->table->sessions[c->region];
	int64_t sum = (int64_t)atomic_load_explicit(sessions, memory_order_relaxed) + change;

	if (sum >= 0)
		atomic_store_explicit(sessions, (uint32_t)sum, memory_order_relaxed);
	for (size_t row = 0; row < CLIENT_COUNTS_ROWS; row++) {
		_Atomic uint16_t *own = &client_cell_of(c, row, network)[c->region];
		int n = atomic_load_explicit(own, memory_order_relaxed) + change;

		/* below 0: main has wiped the region meanwhile */
		if (n >= 0 && n <= UINT16_MAX)
			atomic_store_explicit(own, (uint16_t)n, memory_order_relaxed);
	}
}

/* Counts first and compares then: two processes at the limit may both refuse, but never both
 * accept. */
bool
client_counts_add(struct client_counts *c, struct str network, unsigned limit)
{
	unsigned fewest = UINT32_MAX;

	change_client_count(c, network, 1);
	atomic_thread_fence(memory_order_seq_cst);
	for (size_t row = 0; row < CLIENT_COUNTS_ROWS; row++) {
		unsigned n = sum_client_cell(client_cell_of(c, row, network));

		fewest = n < fewest ? n : fewest;
	}
	if (fewest <= limit)
		return true;
	change_client_count(c, network, -1);
	return false;
}

static uint64_t
sum_client_sessions(const struct client_counts_table *t)
{
	uint64_t n = 0;

	for (size_t i = 0; i < CLIENT_COUNTS_REGIONS; i++)
		n += atomic_load_explicit(&t->sessions[i], memory_order_relaxed);
	return n;
}

uint64_t
client_counts_sessions(const struct client_counts *c)
{
	return sum_client_sessions(c->table);
}

uint64_t
client_counts_total(int fd)
{
	struct client_counts_table *t = map_client_table(fd);
	uint64_t n;

	if (!t)
		return 0;
	n = sum_client_sessions(t);
	munmap(t, sizeof *t);
	return n;
}

void
client_counts_remove(struct client_counts *c, struct str network)
{
	change_client_count(c, network, -1);
}
