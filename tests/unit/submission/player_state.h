/*
 * player_state: the inside of a player, shared by player.c and player_events.c.
 */
#ifndef TESTS_SUBMISSION_PLAYER_STATE_H
#define TESTS_SUBMISSION_PLAYER_STATE_H

#include "submission/session.h"
#include "support/talk.h"
#include "unit/submission/player.h"

enum answer_kind { NO_ANSWER, AUTH_ANSWER, QUEUE_ANSWER };

struct player {
	struct session *session;
	struct conf *conf;
	struct talk talk;
	const struct talk_act *act;
	char *why;
	enum session_step step;
	bool bytewise, is_whole_only, is_manual, has_unseen;
	unsigned tokens;     /* that can be taken without a request */
	bool is_failing;     /* the spool */
	bool has_room_bytes; /* the talk has set the room of the spool; else there is room for any
	                        message */
	uint64_t room_bytes;
	bool no_tls, no_auth, no_queue, no_file;
	int write_error;                  /* of writes to the file, as errno; 0: they succeed */
	bool is_writing;                  /* to the file */
	bool is_disk_stalled;             /* a write does not end */
	bool is_closing_full;             /* too many files wait to be closed */
	bool is_disk_busy;                /* writes of other sessions end meanwhile */
	int64_t disk_began_ms;            /* when the write that does not end began */
	enum answer_kind expected_answer; /* of the session's request */
	int64_t now_ms, deadline_ms;
	struct buf conf_text, in, replies, requests, refused;
	/* of the last commit */
	unsigned committed;
	struct buf header, body, envelope, file;
};

extern const struct session_services player_services;

/* Returns false, with the reason and the line of the talk. */
bool player_fail(struct player *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes the replies of the session. */
void player_collect(struct player *p, enum session_step step);
/* Continues the session with its input. */
void player_continue(struct player *p);
void player_input(struct player *p, struct str bytes);
bool player_expect_line(struct player *p, struct buf *from, const char *end, struct str pattern);
/* Runs a "!" line. */
bool player_event(struct player *p, struct str text);

#endif
