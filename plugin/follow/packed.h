/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times and durations in fewer bytes, for what is kept of every connection. */
#ifndef RSTCAUSE_PACKED_H
#define RSTCAUSE_PACKED_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

/*
 * A time in 48 bits, counted from the first segment of its connection, before or after: exact to the nanosecond for 19.5
 * hours, to the microsecond for 2.2 years, and what is further away counts as those 2.2 years.
 */
typedef struct {
    uint16_t words[3]; /* the lowest first: 46 bits of distance, the sign, the unit */
} packed_time;

enum { TIME_BITS = 46, COARSE_TIME = 1000 };

static inline packed_time pack_time(int64_t time, int64_t since)
{
    const uint64_t most = (UINT64_C(1) << TIME_BITS) - 1;
    uint64_t bits = time < since ? UINT64_C(1) << TIME_BITS : 0;
    uint64_t distance = time < since ? (uint64_t)since - (uint64_t)time : (uint64_t)time - (uint64_t)since;

    if (distance > most) {
        bits |= UINT64_C(1) << (TIME_BITS + 1);
        distance = MIN(distance / COARSE_TIME, most);
    }
    bits |= distance;
    return (packed_time){{(uint16_t)bits, (uint16_t)(bits >> 16), (uint16_t)(bits >> 32)}};
}

static inline int64_t unpack_time(packed_time packed, int64_t since)
{
    uint64_t bits = packed.words[0] | (uint64_t)packed.words[1] << 16 | (uint64_t)packed.words[2] << 32;
    int64_t distance = (int64_t)(bits & ((UINT64_C(1) << TIME_BITS) - 1));

    if ((bits & UINT64_C(1) << (TIME_BITS + 1)) != 0)
        distance *= COARSE_TIME;
    return (bits & UINT64_C(1) << TIME_BITS) != 0 ? since - distance : since + distance;
}

/*
 * A duration of 0 nanoseconds and more in 32 bits, rounded down: exact to the nanosecond below 1.07 s, to the microsecond
 * below 18 minutes, to the millisecond below 12 days, to the second below 34 years. What is below 0 counts as 0, what is
 * above as those 34 years.
 */
typedef uint32_t packed_duration;

enum { DURATION_BITS = 30, DURATION_STEP = 1000 };

#define NO_DURATION UINT32_MAX /* unpacks to -1 */

static inline packed_duration pack_duration(int64_t duration)
{
    const uint64_t most = (UINT64_C(1) << DURATION_BITS) - 2;
    uint64_t value = (uint64_t)MAX(duration, 0);
    uint32_t unit = 0;

    for (; value > most && unit < 3; unit++)
        value /= DURATION_STEP;
    return (uint32_t)MIN(value, most) | unit << DURATION_BITS;
}

static inline int64_t unpack_duration(packed_duration packed)
{
    static const int64_t units[] = {1, 1000, 1000000, 1000000000};

    if (packed == NO_DURATION)
        return -1;
    return (packed & ((UINT32_C(1) << DURATION_BITS) - 1)) * units[packed >> DURATION_BITS];
}

/* Counts that stop where their type ends. */
static inline uint8_t count_up_8(uint8_t count, bool counts)
{
    return counts && count < UINT8_MAX ? (uint8_t)(count + 1) : count;
}

static inline uint16_t count_up_16(uint16_t count)
{
    return count < UINT16_MAX ? (uint16_t)(count + 1) : count;
}

static inline uint32_t add_up_32(uint32_t sum, uint32_t more)
{
    return sum > UINT32_MAX - more ? UINT32_MAX : sum + more;
}

#endif
