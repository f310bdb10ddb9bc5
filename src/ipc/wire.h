/*
 * wire: packets on a SEQPACKET socket: u64 request, u8 kind, then the message, and at most one
 * descriptor passed with it.
 */
#ifndef IPC_WIRE_H
#define IPC_WIRE_H

#include <sys/uio.h>

#include "ipc/message.h"

enum {
	WIRE_HEAD_BYTES = 9,
	WIRE_PACKET_MAX = WIRE_HEAD_BYTES + MESSAGE_BYTES_MAX,
	WIRE_BATCH = 4, /* packets received by one system call */
};

enum wire_kind {
	WIRE_MESSAGE, /* request 0: no answer is expected */
	WIRE_ANSWER,
	WIRE_REFUSAL, /* there will be no answer; no message follows */
};

struct wire_head {
	uint64_t request;
	enum wire_kind kind;
	bool is_fd_lost; /* the sender could not pass its descriptor */
};

struct wire_packet {
	struct str bytes; /* empty: the peer has closed, or the packet was larger than its room */
	int fd;           /* -1, or a descriptor that the receiver owns now */
	bool is_fd_lost;  /* this process could not receive its descriptor (EMFILE, ENFILE) */
	bool is_invalid;     /* it had more than one descriptor; all of them are closed */
};

/* Writes a packet to an empty buffer; false: the ceiling is reached.  type MESSAGE_NONE: the head
 * only. */
bool wire_pack(struct buf *out, const struct wire_head *head, enum message_type type,
    const void *message) MUST_USE;
/* Reads the head of a packet, without decoding the message; false: it is no packet. */
bool wire_head(struct str bytes, struct wire_head *out) MUST_USE;

/* Marks a packet that is sent without its descriptor. */
void wire_mark_fd_lost(char *packet);

/* May the packet hold a password? */
bool wire_is_secret(struct str packet);

/* 0, or -1 with errno; never waits: EAGAIN when the socket is full.  fd (-1: none) stays the
 * caller's. */
int wire_send(int socket_fd, struct str packet, int fd) MUST_USE;
/* Receives the packets that are there, up to `count` (at most WIRE_BATCH); packet i goes to room +
 * i * size.  Never waits: -1 with EAGAIN when there is none. */
int wire_receive(int socket_fd, char *room, size_t size, struct wire_packet *out, int count)
    MUST_USE;

/* Receives one packet into room; flags MSG_DONTWAIT, or 0: waits as the socket does.  -1 with
 * errno. */
int wire_receive_one(int socket_fd, struct iovec room, int flags, struct wire_packet *out)
    MUST_USE;

/* Makes the send buffer of the socket large enough for the largest packet.  -1: the system does not
 * allow it (errno ENOBUFS), or it is no socket. */
int wire_grow_send_buffer(int socket_fd) MUST_USE;
/* Is the send buffer large enough? */
bool wire_has_send_buffer(int socket_fd);
/* The least value of net.core.wmem_max for that, without CAP_NET_ADMIN. */
size_t wire_send_buffer_needed(void);

#endif
