/*
 * segment_maker: a new segment's file, made in bounded pieces.
 */
#ifndef SPOOL_SEGMENT_MAKER_H
#define SPOOL_SEGMENT_MAKER_H

#include "spool/segment_pool.h"

/* Its file, empty; -1 with errno. */
int stock_make_begin(struct stock *p) MUST_USE;
/* Zeros once written and synced, so that later syncs of frames do not have to allocate; -1 with
 * errno, and it is removed. */
int stock_make_piece(struct stock *p) MUST_USE;
/* It gets its header and its name; NULL with errno, and it is removed. */
struct segment *stock_make_end(struct stock *p, bool is_reserve) MUST_USE;
/* If one is in the making it is removed. */
void stock_make_give_up(struct stock *p);

#endif
