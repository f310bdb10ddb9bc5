/*
 * wire: packets on a SEQPACKET socket: u64 request, u8 kind, then the message, and at most one
 * descriptor beside it.
 */
#ifndef IPC_WIRE_H
#define IPC_WIRE_H

#include <sys/uio.h>

#include "ipc/message.h"

enum {
	WIRE_HEAD_BYTES = 9,
	WIRE_PACKET_MAX = WIRE_HEAD_BYTES + MESSAGE_BYTES_MAX,
	WIRE_BATCH = 4, /* packets taken by one system call */
};

enum wire_kind {
	WIRE_MESSAGE, /* its request is 0: no answer is expected */
	WIRE_ANSWER,
	WIRE_REFUSAL, /* there will be no answer; no message follows */
};

struct wire_head {
	uint64_t request;
	enum wire_kind kind;
	bool is_fd_lost; /* the sender could not pass the descriptor that belongs to it */
};

struct wire_packet {
	struct str bytes; /* empty: the peer is gone, or the packet was larger than its room */
	int fd;           /* -1, or a descriptor that belongs to the receiver now */
	bool is_fd_lost;  /* one was sent, and this process could not take it (EMFILE, ENFILE) */
	bool is_foul;     /* more than one was sent; all that came are closed */
};

/* Into an emptied buffer; false: over its ceiling.  type MESSAGE_NONE: the head alone. */
bool wire_pack(struct buf *out, const struct wire_head *head, enum message_type type,
    const void *message) MUST_USE;
/* What wire_pack wrote, without decoding the message: false for what is no packet. */
bool wire_head(struct str bytes, struct wire_head *out) MUST_USE;

/* What wire_pack wrote goes without its descriptor. */
void wire_mark_fd_lost(char *packet);

/* May what wire_pack wrote hold a password? */
bool wire_is_secret(struct str packet);

/* 0, or -1 with errno; never waits: EAGAIN when there is no room.  fd (-1: none) stays the
 * caller's. */
int wire_send(int socket_fd, struct str packet, int fd) MUST_USE;
/* As many packets as are there, up to `count` (at most WIRE_BATCH); packet i goes to
 * room + i * size.  Never waits: -1 with EAGAIN when there is none. */
int wire_receive(int socket_fd, char *room, size_t size, struct wire_packet *out, int count)
    MUST_USE;

/* One packet into room; flags MSG_DONTWAIT, or 0: waits as the socket does.  -1 with errno. */
int wire_receive_one(int socket_fd, struct iovec room, int flags, struct wire_packet *out)
    MUST_USE;

/* The socket's send buffer is made large enough for the largest packet.  -1: the system allows no
 * such buffer (errno ENOBUFS), or it is no socket. */
int wire_grow_send_buffer(int socket_fd) MUST_USE;
bool wire_has_send_buffer(int socket_fd);
/* What net.core.wmem_max must be at least for that, where CAP_NET_ADMIN is missing. */
size_t wire_send_buffer_needed(void);

#endif
