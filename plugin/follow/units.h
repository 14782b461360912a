/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Units of time, and sequence numbers that wrap. */
#ifndef RSTCAUSE_UNITS_H
#define RSTCAUSE_UNITS_H

#include <glib.h>

#define MICROSECOND ((gint64)1000)
#define MILLISECOND ((gint64)1000000)
#define SECOND      ((gint64)1000000000)

/* A merged capture may go backwards in time; what matters is how near two packets are. */
static inline gint64 time_between(gint64 a, gint64 b)
{
    return a > b ? a - b : b - a;
}

/* How far sequence number a stands behind b, modulo 2^32 (RFC 9293 section 3.4); negative where it stands before. */
static inline gint32 sequence_difference(guint32 a, guint32 b)
{
    return (gint32)(a - b);
}

/* The shorter way between the two: 0 to 2^31. */
static inline guint32 sequence_distance(guint32 a, guint32 b)
{
    return MIN(a - b, b - a);
}

static inline gboolean sequence_before(guint32 a, guint32 b)
{
    return sequence_difference(a, b) < 0;
}

static inline gboolean sequence_after(guint32 a, guint32 b)
{
    return sequence_difference(a, b) > 0;
}

#endif
