/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last few segments of one endpoint: enough to find the segment that a reset answers, and packets that the
 * capture holds twice. A fixed bound per endpoint, taken in steps, so that a flood of SYNs costs little. Kept packed,
 * and unpacked one by one for whoever looks back.
 */
#ifndef RSTCAUSE_RECENT_H
#define RSTCAUSE_RECENT_H

#include "packed.h"
#include "pool.h"
#include "rstcause/segment.h"

/* A reset per segment in flight is common; more than this many unanswered ones at once are not looked back on. */
enum { RECENT_LIMIT = 64 };

/* One segment as a judge reads it. */
typedef struct {
    int64_t time;
    int64_t silence; /* nanoseconds since the segment of either side before it; rounded as packed.h says */
    uint32_t frame;
    uint32_t sequence;
    uint32_t end; /* sequence number behind it, SYN and FIN counted */
    uint32_t acknowledgement;
    uint32_t length;
    uint32_t reset_number; /* of a reset: the number that connection_follow_reset() was given */
    uint16_t window;
    uint16_t ip_id;
    uint8_t ttl;
    uint8_t flags;
    bool was_old; /* when it came, the peer had acknowledged all of it already */
    bool is_keepalive;
    bool is_repeat;  /* starts below what its sender had sent */
    uint8_t answers; /* resets that answered it */
} recent_segment;

/* It has data, SYN or FIN, or is a keep-alive probe: a host that knows the connection answers it. A pure ACK asks for nothing. */
static inline bool recent_asks_for_answer(const recent_segment *segment)
{
    return segment->end != segment->sequence || segment->is_keepalive;
}

/* ... and as it is kept. Counts stop where their bits end. */
enum { MOST_ANSWERS = 127, MOST_COPIES = 63 };

typedef struct {
    uint32_t frame;
    uint32_t sequence;
    uint32_t acknowledgement;
    uint32_t length;
    uint32_t digest;  /* of its TCP options and its flow label */
    uint32_t silence; /* packed_duration; of a reset, its number */
    packed_time time;
    uint16_t window;
    uint16_t ip_id;
    uint16_t interface_digest;
    uint8_t ttl;
    uint8_t flags;
    unsigned was_old : 1;
    unsigned is_keepalive : 1;
    unsigned is_repeat : 1;
    unsigned answers : 7; /* resets that answered it */
    unsigned copies : 6;  /* how often the capture holds this packet again */
} packed_segment;

typedef struct {
    uint8_t capacity, used, newest;
    packed_segment entries[];
} recent_ring;

/* Adds a segment to the ring at 'where', 0 for one that is to be made, dropping the oldest where the bound is reached.
 * 'noted' is what recent_segment has of it besides what the segment itself says. Times count from 'since'. */
void recent_add(record_pool *pool, place *where, int64_t since, const rstcause_segment *segment,
                const recent_segment *noted);
void recent_clear(record_pool *pool, place *where);

/* The next segment will need more memory. */
bool recent_is_full(const record_pool *pool, place where);

/*
 * Drops the segments that came before a time and of which 'is_spent' says so. With 'is_final' their memory is given back.
 * Without it the memory is kept for the next segments, and nothing is dropped unless half of the ring becomes free: so a
 * trim of each full ring costs O(1) a segment.
 */
typedef bool (*recent_test)(const recent_segment *segment, const void *data);
void recent_trim(record_pool *pool, place *where, int64_t since, int64_t before, recent_test is_spent, const void *data,
                 bool is_final);

/* How the capture holds packets twice, learned from those with an IP ID or data of their own. */
typedef struct {
    uint16_t seen;      /* copies so far */
    uint16_t elsewhere; /* of these, with another TTL or on another interface than the first */
    uint8_t most;       /* copies of one packet */
} copy_habit;

/* The ring at a place; NULL where there is none. */
static inline recent_ring *recent_ring_at(const record_pool *pool, place where)
{
    return where != 0 ? pool_at(pool, where) : NULL;
}

enum { RECENT_NO_COPY = -1 };

/* The packet of which this one is the same packet captured again: how many places back, RECENT_NO_COPY where there is
 * none. 'ring' may be NULL. */
int recent_find_copied(recent_ring *ring, int64_t since, const rstcause_segment *segment, const copy_habit *habit);

/* Counts a copy of the segment 'age' places back. */
void recent_count_copy(recent_ring *ring, unsigned age, const rstcause_segment *copy, copy_habit *habit);

/* Two captures of one packet are no further apart. */
extern const int64_t recent_copy_limit;

/* Room for the segments of a ring that were looked at. */
typedef struct {
    unsigned known; /* the newest so many */
    recent_segment segments[RECENT_LIMIT];
} recent_room;

/* A ring for whoever looks back. */
typedef struct {
    recent_ring *ring; /* borrowed; NULL where there is none */
    recent_room *room; /* borrowed from the caller */
    int64_t since;
    unsigned used;
} recent_segments;

recent_segments recent_unfold(const record_pool *pool, place where, int64_t since, recent_room *room);

/* The segment 'age' places back (0 is the newest), NULL where there are not so many. It stays in the caller's room. */
const recent_segment *recent_at(const recent_segments *recent, unsigned age);

/* A reset answered this segment, which recent_at() has given. */
void recent_mark_answered(const recent_segments *recent, const recent_segment *segment);

/* As recent_find_copied(), for whoever looks back; NULL where there is none. */
const recent_segment *recent_find_copy(const recent_segments *recent, const rstcause_segment *segment,
                                       const copy_habit *habit);

/* The same packet, captured on another interface whose clock may be another, so far 'apart' at most: of several equal ones
 * the oldest, or the first behind 'after'. NULL where there is none. */
const recent_segment *recent_find_same(const recent_segments *recent, const rstcause_segment *segment,
                                       bool ignores_ip_id, int64_t apart, const recent_segment *after);

#endif
