/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Follows the segments of one connection. Knows no cause; see connection.h. */
#include "connection.h"

#include <string.h>

#include "arrival.h"

bool endpoint_reopens(const endpoint *e)
{
    return !e->syn_has_ack && e->syn_count > 1 && e->frames > e->syn_count && e->last_syn_time == e->last_time;
}

bool connection_is_over(const connection_record *record)
{
    return record->is_closed || record->is_reset;
}

bool connection_has_resets(const connection_record *record)
{
    return record->has_resets;
}

uint8_t connection_side(const rstcause_segment *segment)
{
    int order = memcmp(&segment->source, &segment->destination, sizeof segment->source);

    if (order == 0)
        order = (int)segment->source_port - (int)segment->destination_port;
    return order > 0 ? 1 : 0;
}

uint8_t connection_client(const connection *c, const rstcause_segment *segment, uint8_t side)
{
    if (c->client >= 0)
        return (uint8_t)c->client;
    /* Servers listen on the lower port, but for the odd one: the well-known and registered ranges lie below the
     * ephemeral one (RFC 6335). */
    return segment->source_port < segment->destination_port ? !side : side;
}

static bool is_keepalive(const arrival *a)
{
    const endpoint_record *self = a->self, *other = a->seen_of_other;
    const rstcause_segment *segment = a->segment;

    /* RFC 9293 section 3.8.4: one below snd.nxt, with no data or one byte, where all before was acknowledged. */
    return self->has_next && segment->length <= 1 && (segment->flags & (RSTCAUSE_SYN | RSTCAUSE_FIN)) == 0 &&
           (segment->flags & RSTCAUSE_ACK) != 0 && segment->sequence == self->next - 1 && other->has_acknowledged &&
           other->acknowledged == self->next;
}

/* Whose segments are looked at. */
typedef struct {
    const endpoint_record *peer; /* who gets them */
    int64_t peer_last_time;
} spent_test;

/*
 * Nothing will look for the segment any more: it is too old for a copy, and its receiver has shown that it processed it, so
 * that no reset answers it. judge/trigger.c asks the same of a candidate, with a shorter time.
 */
static bool is_spent(const recent_segment *segment, const void *data)
{
    const spent_test *test = data;
    const endpoint_record *peer = test->peer;
    bool has_span = segment->end != segment->sequence && !segment->is_keepalive;
    int64_t delay = unpack_duration(peer->answer_delay);

    if ((segment->flags & RSTCAUSE_RST) != 0)
        return true;
    /* That shows who waits in TIME-WAIT. */
    if (segment->was_old)
        return false;
    if (has_span && peer->has_acknowledged && sequence_after(segment->end, peer->acknowledged))
        return false;
    if (has_span && (segment->flags & RSTCAUSE_SYN) == 0)
        return peer->has_acknowledged;
    /* Nothing acknowledges it, but its receiver spoke after it must have had it. */
    return delay >= 0 && test->peer_last_time - segment->time > 2 * delay + MILLISECOND;
}

static void trim(record_pool *pool, connection_record *record, uint8_t side, int64_t now, bool is_final)
{
    const endpoint_record *peer = record_read_end(pool, record, !side);
    const spent_test test = {.peer = peer, .peer_last_time = unpack_time(peer->last_time, record->first_time)};

    recent_trim(pool, &record->recent[side], record->first_time, now - recent_copy_limit, is_spent, &test, is_final);
}

void connection_forget_recent(record_pool *pool, connection_record *record, int64_t now)
{
    for (uint8_t side = 0; side < 2; side++) {
        if (connection_is_over(record))
            recent_clear(pool, &record->recent[side]);
        else
            trim(pool, record, side, now, true);
    }
}

static void remember(record_pool *pool, connection_record *record, uint8_t side, const rstcause_segment *segment,
                     const recent_segment *noted)
{
    if (recent_is_full(pool, record->recent[side]))
        trim(pool, record, side, segment->time, false);
    recent_add(pool, &record->recent[side], record->first_time, segment, noted);
}

static void begin(connection_record *record, const rstcause_segment *segment)
{
    if (record->is_begun)
        return;
    record->is_begun = true;
    record->first_time = segment->time;
}

/* What the window is to keep of a segment besides what stands in it. */
static recent_segment note(const record_pool *pool, const connection_record *record, uint8_t side,
                           const rstcause_segment *segment)
{
    const endpoint_record *last = record_read_end(pool, record, record->last_side),
                          *other = record_read_end(pool, record, !side);
    uint32_t end = segment->sequence + rstcause_segment_span(segment);

    return (recent_segment){
        .end = end,
        .silence = last->frames != 0 ? segment->time - unpack_time(last->last_time, record->first_time) : 0,
        .was_old = other->has_acknowledged && end != segment->sequence && !sequence_after(end, other->acknowledged),
    };
}

/* Data or an ACK that nobody had seen before: no need to look for the packet that this one copies. */
static bool tells_news(const endpoint_record *self, const endpoint_record *other, const rstcause_segment *segment)
{
    int32_t ahead = sequence_difference(segment->sequence + rstcause_segment_span(segment), self->next);

    if ((segment->flags & RSTCAUSE_SYN) != 0)
        return false;
    return (self->has_next && ahead > 0 && ahead <= OTHER_CONNECTION_GAP) ||
           ((segment->flags & RSTCAUSE_ACK) != 0 && self->has_acknowledged && other->has_next &&
            sequence_after(segment->acknowledgement, self->acknowledged) &&
            !sequence_after(segment->acknowledgement, other->next));
}

/* The capture holds this packet already, and that is noted. */
static bool is_copy(record_pool *pool, connection_record *record, uint8_t side, const rstcause_segment *segment)
{
    recent_ring *ring = recent_ring_at(pool, record->recent[side]);
    int age = recent_find_copied(ring, record->first_time, segment, &record_read_history(pool, record)->copies);

    if (age == RECENT_NO_COPY)
        return false;
    recent_count_copy(ring, (unsigned)age, segment, &record_open_history(pool, record)->copies);
    return true;
}

static void look_at_ends(arrival *a)
{
    a->self = record_open_end(a->pool, a->record, a->side);
    a->other = a->record->ends[!a->side] != 0 ? pool_at(a->pool, a->record->ends[!a->side]) : NULL;
    a->seen_of_other = record_read_end(a->pool, a->record, !a->side);
}

/* Shorter ones are the pace of a conversation. */
static const int64_t shortest_silence = SECOND;

/* What is said after a silence shows that the connection lives on when the other side speaks, too. */
static bool follow_silence(arrival *a)
{
    enum { MOST = (1 << SILENCE_BITS) - 1 };
    connection_record *record = a->record;
    packed_duration survived = 0;
    course_record *course;

    if (record->tested_silence != 0 && record->last_side != a->side) {
        survived = pack_duration((int64_t)record->tested_silence << SILENCE_UNIT_BITS);
        record->tested_silence = 0;
    }
    if (a->noted.silence >= shortest_silence && record->is_established)
        record->tested_silence = (unsigned)MIN((uint64_t)a->noted.silence >> SILENCE_UNIT_BITS, MOST) & MOST;
    if (survived == 0 || survived <= record_read_course(a->pool, record)->longest_silence)
        return false;
    course = record_open_course(a->pool, record);
    course->longest_silence = survived;
    return true;
}

bool connection_follow(record_pool *pool, connection_record *record, uint8_t side, const rstcause_segment *segment)
{
    arrival a = {.pool = pool, .record = record, .side = side, .segment = segment};
    endpoint_record *self;
    bool outlives;
    host *sender = record_host(record, side);

    if (!tells_news(record_read_end(pool, record, side), record_read_end(pool, record, !side), segment) &&
        is_copy(pool, record, side, segment))
        return false;
    look_at_ends(&a);
    if (arrival_begins_anew(&a)) {
        past_connection past = arrival_look_back(pool, record);

        record_begin_anew(pool, record, &past);
    }
    begin(record, segment);
    self = a.self;
    if (self->stack == STACK_UNKNOWN)
        self->stack = sender->stack & 15u;
    a.noted = note(pool, record, side, segment);
    a.span = a.noted.end - segment->sequence;
    a.noted.is_keepalive = is_keepalive(&a);

    outlives = follow_silence(&a);
    arrival_follow_fingerprint(&a);
    arrival_follow_sequence(&a);
    arrival_follow_acknowledgement(&a);
    if (segment->has_fastclose)
        record_open_exception(pool, self)->fastclose_frame = segment->frame;
    remember(pool, record, side, segment, &a.noted);
    self->window = segment->window;
    self->frames++;
    self->last_frame = segment->frame;
    self->last_time = arrival_pack(&a, segment->time);
    record->last_side = side & 1u;
    if (!record->is_established)
        arrival_follow_establishment(&a);
    arrival_follow_close(&a);
    host_learn(sender, segment);
    return outlives;
}

void connection_follow_reset(record_pool *pool, connection_record *record, uint8_t side,
                             const rstcause_segment *segment, uint32_t reset_number)
{
    recent_segment noted;

    if (is_copy(pool, record, side, segment))
        return;
    begin(record, segment);
    noted = note(pool, record, side, segment);
    noted.reset_number = reset_number;
    remember(pool, record, side, segment, &noted);
}
