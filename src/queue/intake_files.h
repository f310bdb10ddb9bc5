/*
 * intake_files: files for large bodies.  SPOOL_FILE asks for one for the body of a session's
 * message; COMMIT takes it, RELEASE or the loss of the peer closes it.  Where the spool has none
 * ready the answer comes when it has, or in time that the disk does not answer.
 */
#ifndef QUEUE_INTAKE_FILES_H
#define QUEUE_INTAKE_FILES_H

#include "queue/queue_internal.h"
#include "spool/body_files.h"

/* A body that submission is writing, of one message. */
struct intake_file {
	struct queue_peer *peer;
	struct msgid id;
	int fd;                          /* -1: none yet, or the spool's again */
	struct size_reservation promise;          /* as the client said */
	bool is_counted;                 /* the file, in what the peer has */
	/* while it waits for the spool */
	struct spool_file_wait wait;
	uint64_t call;
	int64_t late_ms;                 /* monotonic; 0: it does not wait */
};

void intake_files_init(struct queue *q);
/* Of that peer, or NULL: all. */
void intake_files_close(struct queue *q, const struct queue_peer *peer);
/* Each second: refuses those that have waited too long; promises fall. */
void intake_files_check(struct queue *q);

void intake_files_request(
    struct queue_peer *peer, uint64_t call, const struct message_spool_file *m);
void intake_files_release(struct queue_peer *peer, const struct message_release *m);
/* Only what the peer itself asked for: another's is not its to commit or close. */
struct intake_file *intake_file_find(const struct queue_peer *peer, struct msgid id);
/* The descriptor is the spool's now. */
void intake_file_moved_to_spool(struct intake_file *r);
void intake_file_close(struct intake_file *r);

#endif
