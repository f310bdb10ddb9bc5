/*
 * player_state: the inside of a player, shared by player.c and player_events.c.
 */
#ifndef TESTS_SUBMISSION_PLAYER_STATE_H
#define TESTS_SUBMISSION_PLAYER_STATE_H

#include "submission/session.h"
#include "support/talk.h"
#include "unit/submission/player.h"

enum answer_kind { NO_ANSWER, AUTH_ANSWER, VERDICT_ANSWER };

struct player {
	struct session *session;
	struct conf *conf;
	struct talk talk;
	const struct talk_act *act;
	char *why;
	enum session_step step;
	bool bytewise, is_whole_only, is_manual, has_unseen;
	unsigned tokens; /* that are there without asking */
	bool is_failing;     /* the spool */
	bool has_room_bytes; /* the talk said what the spool has room for; else: for any message */
	uint64_t room_bytes;
	bool no_tls, no_auth, no_queue, no_file;
	int write_error;     /* of a piece of the file, as errno; 0: it is written */
	bool is_writing;    /* a piece of the file */
	bool is_disk_still; /* and it does not end */
	bool is_disk_crowded; /* too many files wait to be closed */
	bool is_disk_busy;  /* while those of others do */
	int64_t disk_began_ms; /* with the piece that does not end */
	enum answer_kind owed; /* what the session waits for */
	enum answer_kind done;
	int64_t now_ms, deadline_ms;
	struct buf conf_text, in, said, asked, refused;
	/* of the last commit */
	unsigned committed;
	struct buf header, body, envelope, file;
};

extern const struct session_services player_services;

/* False, with the reason and its place. */
bool player_wrong(struct player *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes what the session said. */
void player_collect(struct player *p, enum session_step step);
/* Lets the session go on with its input. */
void player_pump(struct player *p);
void player_feed(struct player *p, struct str bytes);
bool player_expect_line(struct player *p, struct buf *from, const char *end, struct str pattern);
/* A "!" line. */
bool player_event(struct player *p, struct str text);

#endif
