/*
 * channel_packet: a message as a channel (ipc/channel.h) and the requests on it (ipc/requests.h)
 * pass it on.  No functions.
 */
#ifndef IPC_CHANNEL_PACKET_H
#define IPC_CHANNEL_PACKET_H

#include "ipc/message.h"

/* A received message, valid only during the call. */
struct channel_packet {
	enum message_type type;
	uint64_t call;  /* number of its request, for channel_answer; 0: it is no request */
	union message *message;
	int fd;         /* -1, or a descriptor that the handler owns now */
	bool is_fd_lost; /* its descriptor could not be sent or received */
};

#endif
