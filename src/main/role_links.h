/*
 * role_links: which roles talk with each other, and the channels between them: one link for each
 * two processes that are linked.  A role that loses such a channel while its peer lives tells main,
 * and the two are joined anew, with growing pauses.
 */
#ifndef MAIN_ROLE_LINKS_H
#define MAIN_ROLE_LINKS_H

#include "main/daemon.h"

/* A new process gets a channel to every linked process that runs. */
void role_links_make(struct instance *i);
/* PEER_LOST of a role.  Ignored when the pair it speaks of is not the newest one, or when one of
 * the two has ended meanwhile: then its successor is joined by role_links_make. */
void role_links_lost(struct instance *from, const struct message_peer_lost *m);
void role_links_free(struct daemon *d);

#endif
