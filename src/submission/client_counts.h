/*
 * client_counts: how many sessions each client address has, over all submission processes. It is a
 * table in shared memory, made by main, with one region for each process, so that the counts of a
 * crashed process are removed by wiping its region. Each address has two keyed hashes: a collision
 * can only make a count too high.
 */
#ifndef SUBMISSION_CLIENT_COUNTS_H
#define SUBMISSION_CLIENT_COUNTS_H

#include "base/str.h"

enum { CLIENT_COUNTS_REGIONS = 64, CLIENT_COUNTS_ROWS = 2, CLIENT_COUNTS_COLUMNS = 8192 };

struct client_counts;

/* The size that main gives the memfd. */
size_t client_counts_bytes(void);
/* Maps the descriptor; region is the one of this process. NULL with errno. */
struct client_counts *client_counts_open(int fd, unsigned region);
/* Unmaps the table; the counts of this process stay in it. */
void client_counts_close(struct client_counts **c);
/* For main: wipes the counts of a process that has ended. */
void client_counts_wipe(int fd, unsigned region);
/* For main: the sessions of all clients in all processes; also 0 when the table cannot be
 * mapped. */
uint64_t client_counts_total(int fd);

/* Counts one more session of this network (4 bytes: an IPv4 address; 8 bytes: an IPv6 /64). When
 * the network already has `limit` sessions: false, and nothing is counted. */
bool client_counts_add(struct client_counts *c, struct str network, unsigned limit) MUST_USE;
/* The sessions of all clients in all processes. */
uint64_t client_counts_sessions(const struct client_counts *c);
/* Ends one session that client_counts_add counted. */
void client_counts_remove(struct client_counts *c, struct str network);

#endif
