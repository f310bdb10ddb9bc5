/*
 * role_links: which roles communicate with each other, and the channels between them: one link for
 * each pair of linked processes.  A role that loses such a channel while the other process still
 * runs reports it to main, and main connects the two again, with growing pauses.
 */
#ifndef MAIN_ROLE_LINKS_H
#define MAIN_ROLE_LINKS_H

#include "main/daemon.h"

/* Sends a new process a channel to every linked process that runs. */
void role_links_make(struct instance *i);
/* PEER_LOST of a role.  Ignored when its channel is not the newest one, or when one of the two has
 * ended meanwhile: role_links_make then connects its successor. */
void role_links_lost(struct instance *from, const struct message_peer_lost *m);
/* Frees all links; the channels belong to the instances. */
void role_links_free(struct daemon *d);

#endif
