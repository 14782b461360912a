/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Very many plain connections for a tracker, and what they cost in memory. Must not know how the engine keeps them. */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include "rstcause/tracker.h"

typedef struct {
    rstcause_tracker *tracker;
    uint32_t frame;  /* of the latest segment; so many were there */
    int64_t time;    /* of the latest segment */
    int64_t step;    /* nanoseconds between two segments */
    bool is_ipv6;    /* else IPv4 */
    bool has_ip_ids; /* of IPv4: rising ones */
    uint32_t server; /* which address the server has */
} traffic;

/* How far a connection goes. */
typedef enum { TRAFFIC_SYN, TRAFFIC_REFUSED, TRAFFIC_OPEN, TRAFFIC_CLOSED } traffic_end;

/* A new tracker, and nothing in it. End it with traffic_end_all(). */
traffic *traffic_begin(void);
void traffic_end_all(traffic *played);

/* The address with this number; any two differ in their last bytes, in both families. */
rstcause_address traffic_address(const traffic *played, uint32_t number);

/* One connection: a SYN, and for TRAFFIC_OPEN and TRAFFIC_CLOSED the handshake and so many requests of 100 bytes with
 * responses of two segments, each acknowledged. */
void traffic_play(traffic *played, uint32_t client, uint16_t port, traffic_end end, unsigned rounds);

/* Time goes by, with a segment now and then of a connection that plays no other part. */
void traffic_wait(traffic *played, int64_t time, unsigned segments);

/* Bytes that the process has from malloc(), 0 where the C library does not tell (or a sanitizer counts itself). */
size_t traffic_heap(void);

#endif
