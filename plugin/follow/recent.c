/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The last few segments of one endpoint. Knows no connection and no cause. */
#include "recent.h"

#include <string.h>

#include "units.h"

/* Two captures of one packet are a forwarding delay apart; the next retransmission of it is an RTO (RFC 6298: 200 ms
 * and up in practice) or, for a tail loss probe, two round trips away. */
const int64_t recent_copy_limit = 150 * MILLISECOND;
static const int64_t copy_without_ip_id_limit = 2 * MILLISECOND;
static const int64_t copy_at_once_limit = 200 * MICROSECOND;

static size_t size_of_ring(unsigned capacity)
{
    return sizeof(recent_ring) + capacity * sizeof(packed_segment);
}

void recent_clear(record_pool *pool, place *where)
{
    if (*where != 0)
        pool_give_back(pool, *where, size_of_ring(((recent_ring *)pool_at(pool, *where))->capacity));
    *where = 0;
}

static uint32_t digest(const rstcause_segment *segment)
{
    return segment->options_digest ^ segment->flow_label << 8;
}

static uint16_t digest_of_interface(const rstcause_segment *segment)
{
    return (uint16_t)(segment->capture_interface ^ segment->capture_interface >> 16);
}

static packed_segment *entry_at(recent_ring *ring, unsigned age)
{
    return &ring->entries[ring->newest >= age ? ring->newest - age : ring->newest + ring->capacity - age];
}

/* Moves the newest 'used' of them to the start of a ring of that capacity, the oldest first. */
static void move(record_pool *pool, place *where, unsigned used, unsigned capacity)
{
    place moved = pool_take(pool, size_of_ring(capacity));
    recent_ring *to = pool_at(pool, moved);

    for (unsigned age = 0; age < used; age++)
        to->entries[used - 1 - age] = *entry_at(pool_at(pool, *where), age);
    to->capacity = (uint8_t)capacity;
    to->used = (uint8_t)used;
    to->newest = (uint8_t)((used + capacity - 1) % capacity);
    recent_clear(pool, where);
    *where = moved;
}

bool recent_is_full(const record_pool *pool, place where)
{
    const recent_ring *ring = recent_ring_at(pool, where);

    return ring != NULL && ring->used == ring->capacity && ring->capacity < RECENT_LIMIT;
}

/* One segment is all that most addresses of a flood ever send. */
static void make_room(record_pool *pool, place *where)
{
    const recent_ring *ring = recent_ring_at(pool, *where);

    if (ring == NULL)
        move(pool, where, 0, 1);
    else if (ring->used == ring->capacity && ring->capacity < RECENT_LIMIT)
        move(pool, where, ring->used, CLAMP(2u * ring->capacity, 4u, RECENT_LIMIT));
}

void recent_add(record_pool *pool, place *where, int64_t since, const rstcause_segment *segment,
                const recent_segment *noted)
{
    recent_ring *ring;

    make_room(pool, where);
    ring = pool_at(pool, *where);
    ring->newest = (uint8_t)((ring->newest + 1) % ring->capacity);
    if (ring->used < ring->capacity)
        ring->used++;
    *entry_at(ring, 0) = (packed_segment){
        .frame = segment->frame,
        .sequence = segment->sequence,
        .acknowledgement = segment->acknowledgement,
        .length = segment->length,
        .digest = digest(segment),
        .silence = (segment->flags & RSTCAUSE_RST) != 0 ? noted->reset_number : pack_duration(noted->silence),
        .time = pack_time(segment->time, since),
        .window = segment->window,
        .ip_id = segment->ip_id,
        .interface_digest = digest_of_interface(segment),
        .ttl = segment->ttl,
        .flags = segment->flags,
        .was_old = noted->was_old,
        .is_keepalive = noted->is_keepalive,
        .is_repeat = noted->is_repeat,
    };
}

static recent_segment unfold(const packed_segment *entry, int64_t since)
{
    bool is_reset = (entry->flags & RSTCAUSE_RST) != 0;
    uint32_t beyond_payload =
        ((entry->flags & RSTCAUSE_SYN) != 0 ? 1u : 0) + ((entry->flags & RSTCAUSE_FIN) != 0 ? 1u : 0);

    return (recent_segment){
        .time = unpack_time(entry->time, since),
        .silence = is_reset ? 0 : unpack_duration(entry->silence),
        .frame = entry->frame,
        .sequence = entry->sequence,
        .end = entry->sequence + entry->length + beyond_payload,
        .acknowledgement = entry->acknowledgement,
        .length = entry->length,
        .reset_number = is_reset ? entry->silence : 0,
        .window = entry->window,
        .ip_id = entry->ip_id,
        .ttl = entry->ttl,
        .flags = entry->flags,
        .was_old = entry->was_old,
        .is_keepalive = entry->is_keepalive,
        .is_repeat = entry->is_repeat,
        .answers = (uint8_t)entry->answers,
    };
}

void recent_trim(record_pool *pool, place *where, int64_t since, int64_t before, recent_test is_spent, const void *data,
                 bool is_final)
{
    packed_segment kept[RECENT_LIMIT];
    recent_ring *ring;
    unsigned count = 0;

    if (*where == 0)
        return;
    ring = pool_at(pool, *where);
    for (unsigned age = ring->used; age-- > 0;) {
        const packed_segment *entry = entry_at(ring, age);
        recent_segment segment;

        if (unpack_time(entry->time, since) < before) {
            segment = unfold(entry, since);
            if (is_spent(&segment, data))
                continue;
        }
        kept[count++] = *entry;
    }
    if (count == ring->used || (!is_final && count > ring->capacity / 2))
        return;
    if (count > 0)
        memcpy(ring->entries, kept, count * sizeof *kept);
    ring->used = (uint8_t)count;
    ring->newest = (uint8_t)((count + ring->capacity - 1) % ring->capacity);
    if (!is_final)
        return;
    if (count > 0)
        move(pool, where, count, count);
    else
        recent_clear(pool, where);
}

recent_segments recent_unfold(const record_pool *pool, place where, int64_t since, recent_room *room)
{
    recent_segments recent = {.room = room, .since = since};

    room->known = 0;
    if (where != 0) {
        recent.ring = pool_at(pool, where);
        recent.used = recent.ring->used;
    }
    return recent;
}

const recent_segment *recent_at(const recent_segments *recent, unsigned age)
{
    recent_room *room = recent->room;

    if (age >= recent->used)
        return NULL;
    for (; room->known <= age; room->known++)
        room->segments[room->known] = unfold(entry_at(recent->ring, room->known), recent->since);
    return &room->segments[age];
}

void recent_mark_answered(const recent_segments *recent, const recent_segment *segment)
{
    size_t age = (size_t)(segment - recent->room->segments);
    packed_segment *entry;

    g_assert(age < recent->room->known);
    entry = entry_at(recent->ring, (unsigned)age);
    if (entry->answers < MOST_ANSWERS)
        entry->answers++;
    recent->room->segments[age].answers = (uint8_t)entry->answers;
}

static bool has_same_tcp_header(const packed_segment *entry, const rstcause_segment *segment)
{
    return entry->sequence == segment->sequence && entry->acknowledgement == segment->acknowledgement &&
           entry->flags == segment->flags && entry->window == segment->window && entry->length == segment->length &&
           entry->digest == digest(segment);
}

static bool has_same_header(const packed_segment *entry, const rstcause_segment *segment)
{
    return has_same_tcp_header(entry, segment) && entry->ip_id == segment->ip_id;
}

static bool is_elsewhere(const packed_segment *entry, const rstcause_segment *segment)
{
    return entry->interface_digest != digest_of_interface(segment) || entry->ttl != segment->ttl;
}

/* Without an IP ID, equal headers may be two packets: Linux answers each segment of a burst with the same reset. */
static bool may_be_copy_without_ip_id(const packed_segment *entry, const rstcause_segment *segment, int64_t apart,
                                      const copy_habit *habit)
{
    bool is_own_reset = (segment->flags & (RSTCAUSE_RST | RSTCAUSE_ACK)) == (RSTCAUSE_RST | RSTCAUSE_ACK);

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

int recent_find_copied(recent_ring *ring, int64_t since, const rstcause_segment *segment, const copy_habit *habit)
{
    int found = RECENT_NO_COPY;

    for (unsigned age = 0; ring != NULL && age < ring->used; age++) {
        const packed_segment *entry = entry_at(ring, age);
        int64_t apart = segment->time - unpack_time(entry->time, since);

        if (apart > recent_copy_limit)
            break;
        if (!has_same_header(entry, segment))
            continue;
        /* A stack gives a packet that it sends again a new IP ID. */
        if (segment->has_ip_id && segment->ip_id != 0)
            return (int)age;
        /* Of several equal ones the first that still lacks its copy. */
        if (may_be_copy_without_ip_id(entry, segment, apart, habit))
            found = (int)age;
    }
    return found;
}

const recent_segment *recent_find_copy(const recent_segments *recent, const rstcause_segment *segment,
                                       const copy_habit *habit)
{
    int age = recent_find_copied(recent->ring, recent->since, segment, habit);

    return age != RECENT_NO_COPY ? recent_at(recent, (unsigned)age) : NULL;
}

const recent_segment *recent_find_same(const recent_segments *recent, const rstcause_segment *segment,
                                       bool ignores_ip_id, int64_t apart, const recent_segment *after)
{
    unsigned age = after != NULL ? (unsigned)(after - recent->room->segments) : recent->used;

    while (age-- > 0) {
        const packed_segment *entry = entry_at(recent->ring, age);

        if (has_same_tcp_header(entry, segment) && (ignores_ip_id || entry->ip_id == segment->ip_id) &&
            entry->interface_digest != digest_of_interface(segment) &&
            time_between(segment->time, unpack_time(entry->time, recent->since)) <= apart)
            return recent_at(recent, age);
    }
    return NULL;
}

void recent_count_copy(recent_ring *ring, unsigned age, const rstcause_segment *copy, copy_habit *habit)
{
    packed_segment *entry = entry_at(ring, age);

    if (entry->copies < MOST_COPIES)
        entry->copies++;
    if (habit->seen < UINT16_MAX) {
        habit->seen++;
        habit->elsewhere += is_elsewhere(entry, copy);
    }
    habit->most = MAX(habit->most, (uint8_t)entry->copies);
}
