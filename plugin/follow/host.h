/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the capture shows of one address over all its connections: its TTL, its stack, whether it scans. One small
 * record an address, for the life of the tracker.
 */
#ifndef RSTCAUSE_HOST_H
#define RSTCAUSE_HOST_H

#include "pool.h"
#include "rstcause/segment.h"
#include "rstcause/verdict.h"

/* Stacks that reset in ways of their own, told by the order of the options in their SYN. */
typedef enum { STACK_UNKNOWN, STACK_LINUX, STACK_WINDOWS, STACK_DARWIN } host_stack;

typedef struct {
    rstcause_address address; /* first, so that a pointer to it points to the host */
    uint8_t stack;            /* host_stack */
    uint8_t ttl;              /* of its latest segment that was no reset, 0 before the first */
    bool ttl_varies;          /* segments of different connections came with different TTLs */
    uint32_t ttl_seen;        /* segments that showed it */
    uint32_t probes;          /* SYNs to a port or host that it had not tried before and that led to no connection */
    uint32_t last_target;     /* address and port of the latest, hashed */
    place resets;             /* host_resets, made with the first that is worth a note */
} host;

/* What its resets have in common. */
typedef struct {
    rstcause_verdict
        *unserved_abort; /* latest abort of a connection that this host accepted and never used; owned by the tracker */
    int64_t unserved_time;
    uint16_t unserved_port;
    uint16_t reset_code; /* the NetScaler reset code of its latest reset, 0 where it had none */
    bool is_netscaler;
} host_resets;

/* NULL where nothing was noted yet. */
host_resets *host_resets_find(const record_pool *pool, const host *resetter);

/* Makes the record where there is none. */
host_resets *host_resets_make(record_pool *pool, host *resetter);

/* Learns from a segment that is no reset. */
void host_learn(host *learner, const rstcause_segment *segment);

/* Counts a SYN of this host to a target. */
void host_count_probe(host *learner, const rstcause_segment *segment);

/* A connection of this host came about: it is no mere probe. */
void host_discount_probe(host *learner);

host_stack host_stack_of_options(const rstcause_segment *segment);

#endif
