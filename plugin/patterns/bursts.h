/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events close together in time, as many as are worth to be kept. Knows not what they are. */
#ifndef RSTCAUSE_BURSTS_H
#define RSTCAUSE_BURSTS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t first, last; /* times, nanoseconds since the epoch */
    uint32_t first_frame, last_frame;
    uint32_t count;
    bool others_were_taken; /* for whoever keeps it: other connections came about at that time */
} burst;

/* The latest and the largest ones. */
enum { MOST_BURSTS = 6 };

typedef struct {
    burst kept[MOST_BURSTS];
    uint8_t used, newest;
} burst_list;

/* An event, which belongs to the newest burst where that was no longer than 'gap' nanoseconds ago. O(MOST_BURSTS). */
void bursts_add(burst_list *list, int64_t time, uint32_t frame, int64_t gap);

/* The burst that an event at this time belongs to; NULL where it was not kept. */
const burst *bursts_find(const burst_list *list, int64_t time);

#endif
