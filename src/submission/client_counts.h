/*
 * client_counts: how many sessions each client address has, over all submission processes: a table
 * in shared memory (made by main), one region per process, so that a crashed process's counts are
 * wiped by wiping its region.  Two keyed hashes per address: a collision can only count too many.
 */
#ifndef SUBMISSION_CLIENT_COUNTS_H
#define SUBMISSION_CLIENT_COUNTS_H

#include "base/str.h"

enum { CLIENTS_REGIONS = 64, CLIENTS_ROWS = 2, CLIENTS_COLUMNS = 8192 };

struct clients;

/* Bytes that main gives the memfd. */
size_t clients_bytes(void);
/* Maps the descriptor; region: this process's.  NULL with errno. */
struct clients *clients_open(int fd, unsigned region);
void clients_close(struct clients **c);
/* Main: forgets what a dead process had counted. */
void clients_wipe(int fd, unsigned region);
/* Main: sessions of all clients in all processes; 0 also when the table cannot be mapped. */
uint64_t clients_count(int fd);

/* Counts one more session of this network (IPv4 address or IPv6 /64, as 8 or 4 bytes); false, and
 * nothing is counted, when it has `limit` already. */
bool clients_enter(struct clients *c, struct str network, unsigned limit) MUST_USE;
/* Sessions of all clients in all processes. */
uint64_t clients_sessions(const struct clients *c);
void clients_leave(struct clients *c, struct str network);

#endif
