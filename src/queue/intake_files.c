/*
 * intake_files: owns a descriptor until COMMIT moves it to the spool or the file is closed. The
 * number of files of a peer and the reserved space are counted together, once, and given back once.
 * While late_ms is set an answer is owed, by the file or by the timeout. A file belongs to one
 * peer: no other can use it.
 */
#include "queue/intake_files.h"

#include <errno.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/mem.h"
#include "queue/intake_no_room.h"
#include "spool/frame.h"

enum {
	INTAKE_FILES_MAX = 100000,
	PEER_FILES_MAX = 4096,
	PEER_FILES_SHARE = 32, /* and at most this part of the process's descriptors */
	INTAKE_FILE_WAIT_MS =
	    10 * 1000, /* shorter than the timeout of submission, MESSAGE_LEASE_MS */
};

static struct intake_file *
intake_file_find_any(const struct queue *q, struct msgid id)
{
	char room[MSGID_KEY_BYTES];

	return map_get(q->files, msgid_key(id, room));
}

struct intake_file *
intake_file_find(const struct queue_peer *peer, struct msgid id)
{
	struct intake_file *r = intake_file_find_any(peer->queue, id);

	return r && r->peer == peer ? r : NULL;
}

static struct intake_file *
intake_file_ensure(struct queue_peer *peer, struct msgid id)
{
	struct queue *q = peer->queue;
	struct intake_file *r = intake_file_find_any(q, id);
	char room[MSGID_KEY_BYTES];

	if (r)
		return r->peer == peer ? r : NULL;
	if (map_count(q->files) >= INTAKE_FILES_MAX)
		return NULL;
	r = MEM_NEW(struct intake_file);
	*r = (struct intake_file){.peer = peer, .id = id, .fd = -1};
	map_put(q->files, msgid_key(id, room), r);
	return r;
}

/* ---- reservations ---- */

static void
intake_file_count(struct intake_file *r, struct str user, uint64_t declared)
{
	r->is_counted = true;
	r->peer->file_count++;
	size_reservation_begin(
	    &r->peer->queue->size_reservations, &r->reservation, user, declared, clock_mono_ms());
}

static void
intake_file_uncount(struct intake_file *r)
{
	if (!r->is_counted)
		return;
	r->is_counted = false;
	r->peer->file_count--;
	size_reservation_end(&r->peer->queue->size_reservations, &r->reservation);
}

void
intake_file_moved_to_spool(struct intake_file *r)
{
	r->fd = -1;
	intake_file_uncount(r);
}

void
intake_file_close(struct intake_file *r)
{
	struct queue *q = r->peer->queue;
	char room[MSGID_KEY_BYTES];

	spool_file_cancel(&r->wait);
	if (r->fd >= 0)
		spool_file_drop(q->spool, r->fd);
	intake_file_uncount(r);
	map_remove(q->files, msgid_key(r->id, room));
	mem_free(r);
}

/* ---- requests ---- */

static void
intake_file_answer(struct intake_file *r, uint64_t call, int error)
{
	struct message_status m = {.status = smtp_status_make(250, "2.0.0", "Ok")};

	if (error)
		m.status = intake_no_room(error);
	(void)!channel_answer(r->peer->channel, call, MESSAGE_STATUS, &m, error ? -1 : r->fd);
}

static void
intake_file_arrived(int fd, int error, void *arg)
{
	struct intake_file *r = arg;

	r->late_ms = 0;
	r->fd = fd;
	if (error)
		intake_file_uncount(r);
	intake_file_answer(r, r->call, error);
}

/* 0: it has a descriptor or waits for one; else an errno. */
static int
intake_file_open(struct intake_file *r, uint64_t call, const struct message_spool_file *m)
{
	struct queue *q = r->peer->queue;
	uint64_t declared = m->size_hint < FRAME_BODY_MAX ? m->size_hint : FRAME_BODY_MAX;
	int error = spool_admits_bodies(
	    q->spool, size_reservations_before(&q->size_reservations, m->user) + declared);

	if (r->peer->file_count >= q->peer_files_max)
		return EAGAIN;
	if (error)
		return error;
	r->fd = spool_file(q->spool);
	if (r->fd < 0 && errno != EAGAIN)
		return errno;
	intake_file_count(r, m->user, declared);
	if (r->fd >= 0)
		return 0;
	r->call = call;
	r->late_ms = clock_mono_ms() + clock_timeout_ms(INTAKE_FILE_WAIT_MS);
	spool_file_request(q->spool, &r->wait, intake_file_arrived, r);
	return 0;
}

static void
intake_file_refuse(struct queue_peer *peer, uint64_t call, int error)
{
	struct message_status m = {.status = intake_no_room(error)};

	(void)!channel_answer(peer->channel, call, MESSAGE_STATUS, &m, -1);
}

void
intake_files_request(struct queue_peer *peer, uint64_t call, const struct message_spool_file *m)
{
	struct queue *q = peer->queue;
	struct intake_file *r = intake_file_ensure(peer, (struct msgid){m->session, m->number});
	int error = spool_admits(q->spool);

	/* a second request for the same message while the first waits is an error */
	if (!error && (!r || r->late_ms))
		error = EAGAIN;
	if (!error && r->fd < 0)
		error = intake_file_open(r, call, m);
	if (error)
		intake_file_refuse(peer, call, error);
	else if (r->fd >= 0)
		intake_file_answer(r, call, 0);
}

void
intake_files_release(struct queue_peer *peer, const struct message_release *m)
{
	struct intake_file *r = intake_file_find(peer, (struct msgid){m->session, m->number});

	if (r)
		intake_file_close(r);
}

/* ---- all of them ---- */

static void
intake_file_check(struct str key, void *value, void *arg)
{
	struct intake_file *r = value;
	const int64_t *now = arg;

	(void)key;
	size_reservation_shrink(&r->peer->queue->size_reservations, &r->reservation, *now);
	if (!r->late_ms || r->late_ms > *now)
		return;
	spool_file_cancel(&r->wait);
	intake_file_arrived(-1, ETIMEDOUT, r);
}

void
intake_files_check(struct queue *q)
{
	int64_t now = clock_mono_ms();

	map_each(q->files, intake_file_check, &now);
}

static void
intake_file_close_of_peer(struct str key, void *value, void *arg)
{
	const struct queue_peer *peer = arg;
	struct intake_file *r = value;

	(void)key;
	if (!peer || r->peer == peer)
		intake_file_close(r);
}

void
intake_files_close(struct queue *q, const struct queue_peer *peer)
{
	map_each(q->files, intake_file_close_of_peer, (void *)(uintptr_t)peer);
}

void
intake_files_init(struct queue *q)
{
	struct rlimit limit = {.rlim_cur = PEER_FILES_MAX * PEER_FILES_SHARE};

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	q->peer_files_max = PEER_FILES_MAX;
	if (limit.rlim_cur / PEER_FILES_SHARE < PEER_FILES_MAX)
		q->peer_files_max = (unsigned)(limit.rlim_cur / PEER_FILES_SHARE);
	q->files = map_new();
	size_reservations_init(&q->size_reservations);
}
