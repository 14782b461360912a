/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the segment that a reset answers. */
#ifndef RSTCAUSE_TRIGGER_H
#define RSTCAUSE_TRIGGER_H

#include "follow/connection.h"

typedef struct {
    const recent_segment *segment; /* borrowed from the connection, NULL where the reset can answer none */
    bool fits_time;                /* its age is that of an answer of this endpoint, or nothing is known of the path */
    bool is_prompt;                /* ... as the clock tells, and no longer than the endpoint usually takes */
    bool is_much_too_early; /* it came in less than half of the shortest time in which the endpoint ever answered */
    bool has_number; /* a segment that is kept has the number, though the endpoint had taken it in, as it seems */
} trigger_found;

/* The segment of the other side that a reset of 'side' answers. */
trigger_found trigger_find(const connection *connection, uint8_t side, const rstcause_segment *reset);

/* The oldest segment with data or FIN that S has not taken in and after which the reset came as an answer would:
 * for resets whose numbers tell nothing because the capture misses segments. NULL where there is none. */
const recent_segment *trigger_find_by_time(const connection *connection, uint8_t side, const rstcause_segment *reset);

#endif
