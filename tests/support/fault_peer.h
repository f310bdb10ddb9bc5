/*
 * fault_peer: the other end of a connection, in a thread of its own: it plays a small talk with
 * STARTTLS, as server or as client, up to a point, and then does something hostile.
 */
#ifndef TESTS_FAULT_PEER_H
#define TESTS_FAULT_PEER_H

#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdbool.h>

/* Where the talk stops to be a talk. */
enum fault_point {
	FAULT_AT_GREETING,  /* before the first byte */
	FAULT_IN_GREETING,  /* half a line is sent */
	FAULT_AFTER_EHLO,   /* server: it is read, not answered; client: it is answered */
	FAULT_AT_STARTTLS,  /* server: it is read, not answered; client: the answer is not read */
	FAULT_BEFORE_HELLO, /* TLS is agreed; the ClientHello is not read or not sent */
	FAULT_IN_HELLO,     /* server: the ClientHello is read; client: half of it is sent */
	FAULT_IN_HANDSHAKE, /* server: half of its answer is sent; client: the answer is not read */
	FAULT_SECURED,      /* the handshake is complete */
	FAULT_IN_DATA,      /* in the middle of a large message */
	FAULT_AFTER_DOT,    /* the message is over, the reply is not sent or not read */
	FAULT_AT_QUIT,      /* QUIT is read or sent */
	FAULT_POINTS,
};

/* What it does then. */
enum fault_act {
	FAULT_CLOSE,
	FAULT_RESET,
	FAULT_HALF_RECORD, /* the head of a record and a part of it, then silence */
	FAULT_JUNK,        /* 100 zero bytes, then silence */
	FAULT_JUNK_RESET,  /* a complete record that is none, then a reset */
	FAULT_ALERT,       /* a fatal TLS alert, then close */
	FAULT_SILENCE,
	FAULT_DRIBBLE,    /* a byte now and then */
	FAULT_FLOOD,      /* lines without end; inside TLS where it stands */
	FAULT_HALF_CLOSE, /* close_notify (without TLS: only the end of sending), then plain bytes
	                   */
	FAULT_ACTS,
};

extern const char *const fault_point_names[FAULT_POINTS];
extern const char *const fault_act_names[FAULT_ACTS];

struct fault_peer {
	int fd; /* blocking; the peer closes it */
	bool is_server;
	enum fault_point at;
	enum fault_act act;
	gnutls_certificate_credentials_t credentials;
	/* its own */
	pthread_t thread;
	gnutls_session_t session;
	size_t push_max; /* bytes of the handshake that may still be sent */
	bool stops; /* of the handshake nothing more is read */
	bool is_up;
	bool is_over; /* it is to end */
};

/* FAULT_FLOOD ends after so many bytes. */
enum { FAULT_FLOOD_BYTES = 8 << 20, FAULT_DATA_BYTES = 300000 };

void fault_peer_begin(struct fault_peer *p);
/* Ends whatever it waits for, and the thread. */
void fault_peer_end(struct fault_peer *p);

#endif
