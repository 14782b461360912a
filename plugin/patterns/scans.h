/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who asks many: ports of one host, or hosts for one port. */
#ifndef RSTCAUSE_SCANS_H
#define RSTCAUSE_SCANS_H

#include "rstcause/segment.h"

/* Of one host that asks. */
typedef struct scan {
    uint32_t host;    /* hashed; 0 where it is one port of many hosts */
    uint32_t network; /* ... of this network, hashed; 0 where it is many ports of one host */
    uint16_t port;    /* 0 where it is many ports of one host */
    int64_t first, last;
    uint32_t targets; /* as many different ones, or more where it went on for longer than is looked back */
} scan;

enum { MOST_SCANS = 4, MOST_TARGETS = 16 };

typedef struct {
    uint32_t host, network; /* hashed */
    uint16_t port;
    int64_t time;
} scan_target;

typedef struct {
    rstcause_address address;          /* first, so that it is its own key */
    scan_target targets[MOST_TARGETS]; /* the latest */
    uint32_t target_count;
    scan scans[MOST_SCANS];
    uint8_t scans_used, newest;
} asking_host;

/* It asked this address and port in vain, or only to see. 'in_any_network': what it sends is a scanner's, so that the targets
 * need not be neighbours. O(MOST_TARGETS). */
void scans_add(asking_host *asking, const rstcause_address *target, uint16_t port, int64_t time, bool in_any_network);

/* The scan that asking this target belongs to; NULL where it belongs to none. */
const scan *scans_find(const asking_host *asking, const rstcause_address *target, uint16_t port, int64_t time);

#endif
