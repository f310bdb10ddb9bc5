/*
 * intake_files: files for large bodies.  SPOOL_FILE requests one for the body of a message; COMMIT
 * uses it, RELEASE or the loss of the peer closes it.  When the spool has no file ready, the answer
 * waits for one, but only for a limited time.
 */
#ifndef QUEUE_INTAKE_FILES_H
#define QUEUE_INTAKE_FILES_H

#include "queue/queue_internal.h"
#include "spool/body_files.h"

/* A file into which submission writes the body of one message. */
struct intake_file {
	struct queue_peer *peer;
	struct msgid id;
	int fd;                          /* -1: none yet, or the spool owns it again */
	struct size_reservation reservation;          /* of the size that the client declared */
	bool is_counted;                 /* in peer->file_count */
	/* while it waits for the spool */
	struct spool_file_wait wait;
	uint64_t call;
	int64_t late_ms;                 /* monotonic; 0: it does not wait */
};

void intake_files_init(struct queue *q);
/* All files of that peer; NULL: of all peers. */
void intake_files_close(struct queue *q, const struct queue_peer *peer);
/* Called each second: refuses requests that have waited too long; reduces the reservations. */
void intake_files_check(struct queue *q);

void intake_files_request(
    struct queue_peer *peer, uint64_t call, const struct message_spool_file *m);
void intake_files_release(struct queue_peer *peer, const struct message_release *m);
/* Finds only files of this peer: a peer may not commit or close files of another. */
struct intake_file *intake_file_find(const struct queue_peer *peer, struct msgid id);
/* The spool owns the descriptor now. */
void intake_file_moved_to_spool(struct intake_file *r);
void intake_file_close(struct intake_file *r);

#endif
