/*
 * wire: packets on a SEQPACKET socket: u32 call, u8 is-answer, then the message, and at most one
 * descriptor beside it.
 */
#ifndef IPC_WIRE_H
#define IPC_WIRE_H

#include "ipc/message.h"

enum {
	WIRE_HEAD_BYTES = 5,
	WIRE_PACKET_MAX = WIRE_HEAD_BYTES + MESSAGE_BYTES_MAX,
	WIRE_BATCH = 4, /* packets taken by one system call */
};

struct wire_packet {
	struct str bytes; /* empty: the peer is gone, or the packet was larger than its room */
	int fd;           /* -1, or a descriptor that belongs to the receiver now */
};

/* Into an emptied buffer; false: over its ceiling. */
bool wire_pack(struct buf *out, uint32_t call, bool is_answer, enum message_type type,
    const void *message) MUST_USE;
/* What wire_pack wrote, without decoding the message: false for what is no packet. */
bool wire_head(struct str bytes, uint32_t *call_out, bool *is_answer_out) MUST_USE;

/* May what wire_pack wrote hold a password? */
bool wire_is_secret(struct str packet);

/* 0, or -1 with errno; fd (-1: none) stays the caller's. */
int wire_send(int socket_fd, struct str packet, int fd) MUST_USE;
/* As many packets as are there, up to `count` (at most WIRE_BATCH); packet i goes to
 * room + i * size.  Never waits: -1 with EAGAIN when there is none. */
int wire_receive(int socket_fd, char *room, size_t size, struct wire_packet *out, int count)
    MUST_USE;

#endif
