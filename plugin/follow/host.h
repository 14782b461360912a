/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the capture shows of one address over all its connections: its TTL, its stack, whether it scans. One small
 * record an address, for as long as one of its connections is remembered.
 */
#ifndef RSTCAUSE_HOST_H
#define RSTCAUSE_HOST_H

#include "rstcause/segment.h"
#include "stack.h"

/* Who tries a service, its substitutes and the name server by turns does not scan. */
enum { LAST_TARGETS = 4 };

typedef struct {
    rstcause_address address; /* first, so that a pointer to it points to the host */
    uint8_t stack;            /* host_stack */
    uint8_t ttl;              /* of its latest segment that was no reset, 0 before the first */
    bool ttl_varies;          /* two of its segments in a row had different TTLs */
    uint32_t ttl_seen;        /* segments that showed it */
    uint32_t probes; /* SYNs to another port or host than the last few SYNs, less those that led to a connection */
    uint32_t last_targets[LAST_TARGETS]; /* address and port, hashed; the latest first */
    uint32_t connections;                /* that are remembered; it is forgotten with the last of them */
} host;

/* Learns from a segment that is no reset. */
void host_learn(host *learner, const rstcause_segment *segment);

/* Counts a SYN of this host, unless it goes to the same address and port as one of the last few. */
void host_count_probe(host *learner, const rstcause_segment *segment);

/* A connection of this host came about: it is no mere probe. */
void host_discount_probe(host *learner);

#endif
