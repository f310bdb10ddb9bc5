/*
 * player_state: the state of a talk that is being played, for the files of the player.
 */
#ifndef UNIT_RELAY_PLAYER_STATE_H
#define UNIT_RELAY_PLAYER_STATE_H

#include "relay/smtp_client.h"
#include "support/talk.h"

enum {
	RECIPIENTS_MAX = 1000,
	BODY_MAX = 4 << 20,
	NOW_MS = 1000,
	WANTED_BEFORE = 3, /* so many requests for a block are answered with AWAITED */
};

struct player {
	struct talk talk;
	const struct talk_act *act;
	char *why;
	struct smtp_client_options options;
	struct smtp_client *client;
	enum smtp_client_step step;
	struct envelope envelope;
	struct envelope_recipient recipients[RECIPIENTS_MAX];
	uint32_t numbers[RECIPIENTS_MAX];
	struct message_source message;
	struct buf output; /* sent by the client, but not compared yet */
	struct buf body;
	size_t piece_bytes;
	uint64_t wanted_at; /* the block that was requested last */
	unsigned wanted_count;    /* how often it was requested before */
	bool is_slow; /* awaited blocks cannot be read */
};

struct player_event {
	const char *name; /* NULL: the end of the table */
	bool (*run)(struct player *p, struct str args);
};

/* The events that define the message. */
extern const struct player_event player_message_events[];

/* Writes the reason into `why`; always returns false. */
bool player_wrong(struct player *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool player_word_is(struct str word, const char *text);
unsigned player_number_of(struct str word);

#endif
