/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Units of time, and sequence numbers that wrap. */
#ifndef RSTCAUSE_UNITS_H
#define RSTCAUSE_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#define MICROSECOND ((int64_t)1000)
#define MILLISECOND ((int64_t)1000000)
#define SECOND      ((int64_t)1000000000)

/* A path lets packets overtake one another by less than this, but for queues (longer: see who asks). */
#define REORDERING (3 * MILLISECOND)

/* So far the stamps of a capture lie from the order of its packets: libpcap stamps some 50 us late, and the cards of two
 * directions differ by as much (measured). */
#define CLOCK_NOISE (100 * MICROSECOND)

/* What happens at once, in one host or a device on the path, takes less. */
#define AT_ONCE MILLISECOND

/* A merged capture may go backwards in time; what matters is how near two packets are. */
static inline int64_t time_between(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

/* How far sequence number a stands behind b, modulo 2^32 (RFC 9293 section 3.4); negative where it stands before. */
static inline int32_t sequence_difference(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b);
}

/* The shorter way between the two: 0 to 2^31. */
static inline uint32_t sequence_distance(uint32_t a, uint32_t b)
{
    return MIN(a - b, b - a);
}

static inline bool sequence_before(uint32_t a, uint32_t b)
{
    return sequence_difference(a, b) < 0;
}

static inline bool sequence_after(uint32_t a, uint32_t b)
{
    return sequence_difference(a, b) > 0;
}

/* Is 'to' one of the next IDs of a counter that stands at 'from'? It may serve other connections in between, but hardly 64
 * packets: an ID at random falls in there once in a thousand. */
static inline bool ip_id_goes_on(uint16_t from, uint16_t to)
{
    uint16_t step = (uint16_t)(to - from);

    return step >= 1 && step <= 64;
}

#endif
