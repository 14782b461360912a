/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One segment on its way into the record of its connection, for the files of this room that each take one thing out of it.
 * connection.c has the order.
 */
#ifndef RSTCAUSE_ARRIVAL_H
#define RSTCAUSE_ARRIVAL_H

#include "record.h"
#include "units.h"

typedef struct {
    record_pool *pool;
    connection_record *record;
    uint8_t side;
    const rstcause_segment *segment;
    uint32_t span;
    recent_segment noted;   /* what the window is to keep of it */
    endpoint_record *self;  /* who sent it */
    endpoint_record *other; /* NULL where that has not spoken */
    const endpoint_record *seen_of_other;
} arrival;

/* Times of the record are relative to its first; see packed.h. */
static inline packed_time arrival_pack(const arrival *a, int64_t time)
{
    return pack_time(time, a->record->first_time);
}

static inline int64_t arrival_unpack(const arrival *a, packed_time time)
{
    return unpack_time(time, a->record->first_time);
}

/* Does this segment belong to a connection after the one that the record holds? What that one came to is arrival_look_back(). */
bool arrival_begins_anew(const arrival *a);
past_connection arrival_look_back(const record_pool *pool, const connection_record *record);

/* The handshake is complete, or data without one have come; both FINs are acknowledged. */
void arrival_follow_establishment(arrival *a);
void arrival_follow_close(arrival *a);

/* The sequence numbers, words and FIN of who sent it, and the run of repeats. Sets 'is_repeat' of what is noted. */
void arrival_follow_sequence(arrival *a);

/* What it acknowledges, and how soon. */
void arrival_follow_acknowledgement(arrival *a);

/* TTL, DF, IP ID, window, flow label and timestamp. */
void arrival_follow_fingerprint(arrival *a);

#endif
