/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All connections of a capture, and their hosts: finds the record of each segment, gives the memory of windows back that
 * nobody looks at any more, and keeps a bound: where that is reached, those that were idle longest are forgotten. Knows no
 * cause.
 */
#ifndef RSTCAUSE_CONNECTIONS_H
#define RSTCAUSE_CONNECTIONS_H

#include "connection.h"
#include "vantages.h"

/* Of a bound, what records may take, and what the tables that find them; the rest is for others who know connections. */
enum { RECORDS_EIGHTHS = 5, TABLES_EIGHTHS = 2, OTHERS_EIGHTHS = 1 };

typedef struct {
    record_pool *pool;                /* of connections and hosts */
    GHashTable *all;                  /* set of connection_record, by port_pair */
    GHashTable *hosts[MOST_VANTAGES]; /* sets of host, by rstcause_address: each place sees another TTL of a host */
    vantages *vantages;
    connection_record *first_resting, *last_resting; /* the queue of those whose windows may hold too much */
    connection_record **latest; /* of the latest segments, by latest_place(); the next one often has the same */
    uint32_t in_tables;         /* connections and hosts */
    uint32_t most_in_tables, most_chunks;
} connection_store;

/* Without a bound, which is as much as there are names for: some 32 GiB. */
connection_store *connections_new(void);
void connections_free(connection_store *store);

/* Records, and the tables that find them, are to take seven eighths of so many bytes at most; 1 MiB is the least. */
void connections_bound(connection_store *store, uint64_t bytes);

/* The record that is to take in a segment; made where there is none. 'side' as connection_side() has it. */
connection_record *connections_find(connection_store *store, const rstcause_segment *segment, uint8_t side);

/* Gives the windows of connections back that have rested: O(1), of one connection for each segment. */
void connections_release_resting(connection_store *store, int64_t time);

/* What is forgotten of a connection must not depend on the others, whose segments move the queue on: one that has rested so
 * long is forgotten before its next segment is followed, at the latest. */
void connections_release_rested(connection_store *store, connection_record *record, int64_t time);

/* A segment of this connection was taken in. */
void connections_note_activity(connection_store *store, connection_record *record, const rstcause_segment *segment);

/* Is there room for all that one segment may need? To be asked before it is looked at. Cheap. */
bool connections_have_room(connection_store *store);

/* Who keeps something by the address of a connection, or of a host, is told before that is given back. */
typedef struct {
    void (*forget_connection)(void *data, const connection_record *record);
    void (*forget_host)(void *data, const host *host);
    void *data;
} forgetting;

/* Forgets the quarter that was idle longest, with the hosts that have no other connection. O(connections), and there must be
 * as many new ones before it is called again: O(1) for each, amortised. Returns false where there was none. */
bool connections_forget_idle(connection_store *store, const forgetting *told);

#endif
