/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is going on in a capture: resets of the same cause and pattern, at the same service and from the same side, are
 * one incident. A scan asks many services: all that one host meets is one incident. Knows verdicts only: no connection, no rule, no Wireshark.
 */
#ifndef RSTCAUSE_INCIDENTS_H
#define RSTCAUSE_INCIDENTS_H

#include "rstcause/catalogue.h"
#include "rstcause/verdict.h"

enum {
    MOST_INCIDENTS = 1000, /* what begins later is counted together */
    MOST_PEERS = 64        /* addresses kept of each incident */
};

typedef struct {
    uint32_t resets;
    uint32_t harmful; /* of them, those of severity warning or error */
    uint32_t copies;  /* of them, those that are the same packet again */
    uint32_t first_frame, last_frame;
    int64_t first_time, last_time; /* nanoseconds since the epoch; the earliest and the latest */
} incident_counts;

/* Owns what it points to. */
typedef struct {
    unsigned rank;   /* 0 for the one that did most harm, and among equals has most resets */
    unsigned number; /* in the order in which they began */
    rstcause_cause cause;
    rstcause_pattern pattern;
    rstcause_sender sender;
    rstcause_address address; /* what was asked, of length 0 where not known; of a scan, who asked */
    uint16_t port;            /* ... of a scan, 0 */
    char *service;            /* what was asked, as text */
    incident_counts counts;
    rstcause_severity worst;
    int64_t shortest_idle, longest_idle; /* nanoseconds of silence before; negative where not known */
    GArray *peers;                       /* of rstcause_address: who asked; the first MOST_PEERS */
    bool more_peers;                     /* there are others */
    /* Of its first reset; NULL where that has none. */
    char *explanation;
    char *advice;
} incident;

typedef struct incidents incidents;

incidents *incidents_new(void);

/* Accepts NULL. */
void incidents_free(incidents *all);

/* Forgets all that was counted. */
void incidents_clear(incidents *all);

/* Ranks, the first and the last of some that follow each other. */
typedef struct {
    unsigned first, last;
} incident_ranks;

/*
 * Counts a reset. 'time' in nanoseconds since the epoch. Returns the ranks whose incident or whose counts are new; the
 * number of incidents, which is no rank, where the reset belongs to none. O(log n) and O(1) for each such rank.
 */
incident_ranks incidents_add(incidents *all, const rstcause_verdict *verdict, int64_t time);

unsigned incidents_count(const incidents *all);

/* The incident of a rank; stays the same one until it is cleared, whatever its rank becomes. */
const incident *incidents_at(const incidents *all, unsigned rank);

/* What belongs to none of them, as there were MOST_INCIDENTS already; 'resets' is 0 where there was no such reset. */
const incident_counts *incidents_beyond(const incidents *all);

/* Adds one up to the other. */
void incident_counts_add(incident_counts *sum, const incident_counts *other);

/* The service that was asked: "192.0.2.1:80", "[2001:db8::1]:80"; to be freed with g_free(). */
char *incident_name_service(const rstcause_verdict *verdict);

#endif
