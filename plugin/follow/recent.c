/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The last few segments of one endpoint. Knows no connection and no cause. */
#include "recent.h"

#include "units.h"

/* Two captures of one packet are a forwarding delay apart; the next retransmission of it is an RTO (RFC 6298: 200 ms
 * and up in practice) or, for a tail loss probe, two round trips away. */
static const int64_t copy_with_ip_id_limit = 150 * MILLISECOND;
static const int64_t copy_without_ip_id_limit = 2 * MILLISECOND;
static const int64_t copy_at_once_limit = 200 * MICROSECOND;

void recent_clear(recent_segments *recent)
{
    g_free(recent->entries);
    *recent = (recent_segments){0};
}

static uint32_t digest(const rstcause_segment *segment)
{
    return segment->options_digest ^ segment->flow_label << 8;
}

recent_segment *recent_add(recent_segments *recent, const rstcause_segment *segment)
{
    recent_segment *entry;

    if (recent->used == recent->capacity && recent->capacity < RECENT_LIMIT) {
        recent->capacity = recent->capacity == 0 ? 4 : (uint16_t)(recent->capacity * 4);
        recent->entries = g_renew(recent_segment, recent->entries, recent->capacity);
        /* The ring is full and has not wrapped yet: it grows only then. */
        recent->newest = recent->used != 0 ? (uint16_t)(recent->used - 1) : (uint16_t)(recent->capacity - 1);
    }
    recent->newest = (uint16_t)((recent->newest + 1) % recent->capacity);
    if (recent->used < recent->capacity)
        recent->used++;
    entry = &recent->entries[recent->newest];
    *entry = (recent_segment){
        .frame = segment->frame,
        .time = segment->time,
        .sequence = segment->sequence,
        .end = segment->sequence + rstcause_segment_span(segment),
        .acknowledgement = segment->acknowledgement,
        .length = segment->length,
        .capture_interface = segment->capture_interface,
        .digest = digest(segment),
        .window = segment->window,
        .ip_id = segment->ip_id,
        .ttl = segment->ttl,
        .flags = segment->flags,
        .layer = segment->layer,
    };
    return entry;
}

recent_segment *recent_at(const recent_segments *recent, unsigned age)
{
    if (age >= recent->used)
        return NULL;
    return &recent->entries[(recent->newest + recent->capacity - age) % recent->capacity];
}

static bool has_same_header(const recent_segment *entry, const rstcause_segment *segment)
{
    return entry->sequence == segment->sequence && entry->acknowledgement == segment->acknowledgement &&
           entry->flags == segment->flags && entry->window == segment->window && entry->length == segment->length &&
           entry->ip_id == segment->ip_id && entry->digest == digest(segment);
}

static bool is_elsewhere(const recent_segment *entry, const rstcause_segment *segment)
{
    return entry->capture_interface != segment->capture_interface || entry->ttl != segment->ttl;
}

/* Without an IP ID, equal headers may be two packets: Linux answers each segment of a burst with the same reset. */
static bool may_be_copy_without_ip_id(const recent_segment *entry, const rstcause_segment *segment,
                                      const copy_habit *habit)
{
    bool is_own_reset = (segment->flags & (RSTCAUSE_RST | RSTCAUSE_ACK)) == (RSTCAUSE_RST | RSTCAUSE_ACK);
    int64_t apart = segment->time - entry->time;

    if (apart > copy_without_ip_id_limit)
        return false;
    /* Answers have no timestamps (Linux: tcp_v6_send_reset(); measured) and window 0, so a reset that has either and ACK
     * is the sender's own making, which it makes once. */
    if (is_own_reset && (segment->has_timestamps || segment->window != 0))
        return true;
    /* Data, or a reset of the sender's own making, is not sent twice so soon. */
    if (habit->seen == 0)
        return is_elsewhere(entry, segment) || ((segment->length > 0 || is_own_reset) && apart <= copy_at_once_limit);
    if (habit->elsewhere == habit->seen && !is_elsewhere(entry, segment))
        return false;
    return entry->copies < habit->most;
}

recent_segment *recent_find_copied(const recent_segments *recent, const rstcause_segment *segment,
                                   const copy_habit *habit)
{
    recent_segment *entry, *found = NULL;

    for (unsigned age = 0; (entry = recent_at(recent, age)) != NULL; age++) {
        int64_t apart = segment->time - entry->time;

        if (apart > copy_with_ip_id_limit)
            break;
        if (!has_same_header(entry, segment))
            continue;
        /* A stack gives a packet that it sends again a new IP ID. */
        if (segment->has_ip_id && segment->ip_id != 0)
            return entry;
        /* Of several equal ones the first that still lacks its copy. */
        if (may_be_copy_without_ip_id(entry, segment, habit))
            found = entry;
    }
    return found;
}

void recent_count_copy(recent_segment *entry, const rstcause_segment *copy, copy_habit *habit)
{
    entry->copies++;
    habit->seen++;
    habit->elsewhere += is_elsewhere(entry, copy);
    habit->most = MAX(habit->most, entry->copies);
}
