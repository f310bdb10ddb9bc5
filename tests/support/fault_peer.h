/*
 * fault_peer: the other end of a connection, in a thread of its own: it plays a short session with
 * STARTTLS, as server or as client, up to a point, and then does something hostile.
 */
#ifndef TESTS_FAULT_PEER_H
#define TESTS_FAULT_PEER_H

#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdbool.h>

/* The point at which the hostile act begins. */
enum fault_point {
	FAULT_AT_GREETING,  /* before the first byte */
	FAULT_IN_GREETING,  /* half a line is sent */
	FAULT_AFTER_EHLO,   /* server: it is read, not answered; client: it is answered */
	FAULT_AT_STARTTLS,  /* server: it is read, not answered; client: the answer is not read */
	FAULT_BEFORE_HELLO, /* STARTTLS is accepted; the ClientHello is not read or not sent */
	FAULT_IN_HELLO,     /* server: the ClientHello is read; client: half of it is sent */
	FAULT_IN_HANDSHAKE, /* server: half of its answer is sent; client: the answer is not read */
	FAULT_SECURED,      /* the handshake is complete */
	FAULT_IN_DATA,      /* in the middle of a large message */
	FAULT_AFTER_DOT,    /* the end of the message is sent, the reply is not sent or not read */
	FAULT_AT_QUIT,      /* QUIT is read or sent */
	FAULT_POINTS,
};

/* What the peer does there. */
enum fault_act {
	FAULT_CLOSE,
	FAULT_RESET,
	FAULT_HALF_RECORD, /* the header and a part of a TLS record, then silence */
	FAULT_JUNK,        /* 100 zero bytes, then silence */
	FAULT_JUNK_RESET,  /* a complete record without valid content, then a reset */
	FAULT_ALERT,       /* a fatal TLS alert, then close */
	FAULT_SILENCE,
	FAULT_DRIBBLE,    /* a byte at a time, with pauses */
	FAULT_FLOOD,      /* an endless reply; inside TLS if it is established */
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
	/* internal */
	pthread_t thread;
	gnutls_session_t session;
	size_t push_max; /* bytes of the handshake that may still be sent */
	bool stops; /* nothing more of the handshake is read */
	bool is_up;
	bool is_over; /* fault_peer_end was called */
};

/* FAULT_FLOOD ends after so many bytes. */
enum { FAULT_FLOOD_BYTES = 8 << 20, FAULT_DATA_BYTES = 300000 };

/* Starts the thread, with fd, is_server, at, act and credentials set. */
void fault_peer_begin(struct fault_peer *p);
/* Interrupts what the thread waits for, and ends it. */
void fault_peer_end(struct fault_peer *p);

#endif
