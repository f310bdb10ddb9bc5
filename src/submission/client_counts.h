/*
 * client_counts: how many sessions each client address has, over all submission processes: a table
 * in shared memory (made by main), one region per process, so that a crashed process's counts are
 * wiped by wiping its region.  Two keyed hashes per address: a collision can only count too many.
 */
#ifndef SUBMISSION_CLIENT_COUNTS_H
#define SUBMISSION_CLIENT_COUNTS_H

#include "base/str.h"

enum { CLIENT_COUNTS_REGIONS = 64, CLIENT_COUNTS_ROWS = 2, CLIENT_COUNTS_COLUMNS = 8192 };

struct client_counts;

/* Bytes that main gives the memfd. */
size_t client_counts_bytes(void);
/* Maps the descriptor; region: this process's.  NULL with errno. */
struct client_counts *client_counts_open(int fd, unsigned region);
void client_counts_close(struct client_counts **c);
/* Main: forgets what a dead process had counted. */
void client_counts_wipe(int fd, unsigned region);
/* Main: sessions of all clients in all processes; 0 also when the table cannot be mapped. */
uint64_t client_counts_total(int fd);

/* Counts one more session of this network (IPv4 address or IPv6 /64, as 8 or 4 bytes); false, and
 * nothing is counted, when it has `limit` already. */
bool client_counts_add(struct client_counts *c, struct str network, unsigned limit) MUST_USE;
/* Sessions of all clients in all processes. */
uint64_t client_counts_sessions(const struct client_counts *c);
void client_counts_remove(struct client_counts *c, struct str network);

#endif
