/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last few segments of one endpoint: enough to find the segment that a reset answers, and packets that the
 * capture holds twice. A fixed bound per endpoint, taken in steps, so that a flood of SYNs costs little.
 */
#ifndef RSTCAUSE_RECENT_H
#define RSTCAUSE_RECENT_H

#include "rstcause/segment.h"

/* A reset per segment in flight is common; more than this many unanswered ones at once are not looked back on. */
enum { RECENT_LIMIT = 64 };

/* One cache line: a busy connection holds many. */
typedef struct {
    int64_t time;
    int64_t silence; /* nanoseconds since the segment of either side before it */
    uint32_t frame;
    uint32_t sequence;
    uint32_t end; /* sequence number behind it, SYN and FIN counted */
    uint32_t acknowledgement;
    uint32_t length;
    uint32_t capture_interface;
    uint32_t digest; /* of its TCP options and its flow label */
    uint16_t window;
    uint16_t ip_id;
    uint8_t ttl;
    uint8_t flags;
    uint8_t layer;
    uint8_t answers;  /* resets that answered it */
    uint8_t copies;   /* how often the capture holds this packet again */
    bool was_old : 1; /* when it came, the peer had acknowledged all of it already */
    bool is_keepalive : 1;
    bool is_repeat : 1; /* starts below what its sender had sent */
} recent_segment;

typedef struct {
    recent_segment *entries;
    uint16_t capacity, used, newest;
} recent_segments;

void recent_clear(recent_segments *recent);

/* Adds a segment, dropping the oldest where the bound is reached. Returns the entry, valid until the next call. */
recent_segment *recent_add(recent_segments *recent, const rstcause_segment *segment);

/* The entry 'age' places back (0 is the newest), NULL where there are not so many. */
recent_segment *recent_at(const recent_segments *recent, unsigned age);

/* How the capture holds packets twice, learned from those with an IP ID or data of their own. */
typedef struct {
    uint16_t seen;      /* copies so far */
    uint16_t elsewhere; /* of these, with another TTL or on another interface than the first */
    uint8_t most;       /* copies of one packet */
} copy_habit;

/* The packet of which this one is the same packet captured again, NULL where there is none. */
recent_segment *recent_find_copied(const recent_segments *recent, const rstcause_segment *segment,
                                   const copy_habit *habit);

/* Counts a copy of 'entry'. */
void recent_count_copy(recent_segment *entry, const rstcause_segment *copy, copy_habit *habit);

#endif
