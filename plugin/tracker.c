/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the connection of each segment and keeps the verdicts. Knows no rule. */
#include "rstcause/tracker.h"

#include "follow/connection.h"
#include "follow/port_pair.h"
#include "follow/record.h"
#include "follow/vantages.h"
#include "judge/judge.h"
#include "patterns/neighbours.h"
#include "tell/tell.h"
#include "rstcause/stated.h"
#include "follow/units.h"

/* After so long without a segment only what is still unanswered is needed of the window of recent segments: no answer
 * (see trigger.c) and no copy comes later. In units of 2^30 nanoseconds, which are 1.07 s, as rests_since. */
enum { TIME_UNIT_BITS = 30, REST_BEFORE_RELEASE = 4 };

/* Size of the cache of connections that had the latest segments; a power of two. */
enum { LATEST = 256 };

struct rstcause_tracker {
    uint64_t magic;
    record_pool *pool;                /* of connections and hosts */
    GHashTable *connections;          /* set of connection_record, by port_pair */
    GHashTable *hosts[MOST_VANTAGES]; /* sets of host, by rstcause_address: each place sees another TTL of a host */
    connection_record *first_resting, *last_resting; /* the queue of those whose windows may hold too much */
    connection_record *latest[LATEST]; /* of the latest segments, by latest_place(); the next one often has the same */
    vantages *vantages;
    judge *judge;
    neighbours *neighbours;
    rstcause_verdict *told; /* what was asked for last */
    GArray *answers;        /* of reset_answer, by trigger; of one trigger's the first reset comes first */
    unsigned latest_answer; /* the first whose trigger is the frame that was asked for last, or a later one */
};

rstcause_tracker *rstcause_tracker_new(uint64_t magic)
{
    rstcause_tracker *tracker = g_new0(rstcause_tracker, 1);

    tracker->magic = magic;
    tracker->pool = pool_new();
    tracker->connections = g_hash_table_new(port_pair_hash, port_pair_equal);
    for (unsigned i = 0; i < MOST_VANTAGES; i++)
        tracker->hosts[i] = g_hash_table_new(address_hash, address_equal);
    tracker->vantages = vantages_new(tracker->pool, tracker->connections);
    tracker->judge = judge_new();
    tracker->neighbours = neighbours_new();
    tracker->answers = g_array_new(false, false, sizeof(reset_answer));
    return tracker;
}

void rstcause_tracker_free(rstcause_tracker *tracker)
{
    if (tracker == NULL)
        return;
    vantages_free(tracker->vantages);
    g_hash_table_destroy(tracker->connections);
    for (unsigned i = 0; i < MOST_VANTAGES; i++)
        g_hash_table_destroy(tracker->hosts[i]);
    pool_free(tracker->pool);
    judge_free(tracker->judge);
    neighbours_free(tracker->neighbours);
    tell_free(tracker->told);
    g_array_free(tracker->answers, true);
    g_free(tracker);
}

static host *find_host(rstcause_tracker *tracker, uint32_t vantage, const rstcause_address *address)
{
    host *found = g_hash_table_lookup(tracker->hosts[vantage], address);

    if (found == NULL) {
        found = pool_at(tracker->pool, pool_take(tracker->pool, sizeof *found));
        found->address = *address;
        g_hash_table_add(tracker->hosts[vantage], found);
    }
    return found;
}

/* The cache saves most segments a SipHash. Crafted ports that share a place cost no more than that SipHash. */
static unsigned latest_place(const port_pair *pair)
{
    return (pair->ports[0] * 31u ^ pair->ports[1] ^ pair->addresses[0]->bytes[3] ^ pair->addresses[1]->bytes[3]) &
           (LATEST - 1);
}

static connection_record *find_connection(rstcause_tracker *tracker, const rstcause_segment *segment, uint8_t side)
{
    port_pair pair = port_pair_of(segment, side);
    connection_record **latest = &tracker->latest[latest_place(&pair)], *found = *latest;

    pair.vantage = vantages_find(tracker->vantages, segment);
    if (found == NULL || !port_pair_equal(&found->pair, &pair))
        found = g_hash_table_lookup(tracker->connections, &pair);
    if (found == NULL) {
        host *const hosts[2] = {find_host(tracker, pair.vantage, pair.addresses[0]),
                                find_host(tracker, pair.vantage, pair.addresses[1])};

        found = connection_new(tracker->pool, hosts, pair.ports, pair.vantage);
        g_hash_table_add(tracker->connections, found);
        if (vantages_are_several(tracker->vantages))
            vantages_relate(tracker->vantages, found, side, segment);
    }
    *latest = found;
    return vantages_are_several(tracker->vantages) ? vantages_settle(tracker->vantages, found, side, segment) : found;
}

static uint32_t time_unit(int64_t time)
{
    return (uint32_t)MIN(time >> TIME_UNIT_BITS, UINT32_MAX); /* 2^62, the latest, would be one more */
}

static void put_in_queue(rstcause_tracker *tracker, connection_record *record)
{
    record->next_resting = NULL;
    if (tracker->last_resting != NULL)
        tracker->last_resting->next_resting = record;
    else
        tracker->first_resting = record;
    tracker->last_resting = record;
}

static void take_from_queue(rstcause_tracker *tracker)
{
    tracker->first_resting = tracker->first_resting->next_resting;
    if (tracker->first_resting == NULL)
        tracker->last_resting = NULL;
}

/*
 * Most connections of a long capture are closed or idle. Their recent segments are given back to the pool, for one
 * connection with each segment that comes. A connection with a segment since goes to the end of the queue. So does one
 * whose timestamp lies in the future, since it would hold up all others.
 */
static void release_resting(rstcause_tracker *tracker, int64_t time)
{
    connection_record *oldest = tracker->first_resting;
    uint32_t now = time_unit(time), last;

    if (oldest == NULL || (now >= oldest->rests_since && now - oldest->rests_since <= REST_BEFORE_RELEASE))
        return;
    take_from_queue(tracker);
    last = time_unit(connection_last_time(tracker->pool, oldest));
    if (now < oldest->rests_since || last > oldest->rests_since) {
        oldest->rests_since = MAX(oldest->rests_since, last);
        put_in_queue(tracker, oldest);
        return;
    }
    connection_forget_recent(tracker->pool, oldest, time);
    oldest->is_queued = false;
}

/*
 * What is forgotten of a connection must not depend on the others, whose segments move the queue on: one that has rested so
 * long is forgotten before its next segment is followed, at the latest.
 */
static void release_rested(rstcause_tracker *tracker, connection_record *record, int64_t time)
{
    uint32_t now = time_unit(time), since = record->rests_since;

    if (!record->is_queued || now <= since || now - since <= REST_BEFORE_RELEASE)
        return;
    since = MAX(since, time_unit(connection_last_time(tracker->pool, record)));
    if (now > since && now - since > REST_BEFORE_RELEASE)
        connection_forget_recent(tracker->pool, record, time);
}

static void note_activity(rstcause_tracker *tracker, connection_record *record, const rstcause_segment *segment)
{
    uint32_t now = time_unit(segment->time);

    if (!record->is_queued) {
        record->is_queued = true;
        record->rests_since = now;
        put_in_queue(tracker, record);
    } else if ((segment->flags & RSTCAUSE_RST) != 0) {
        record->rests_since = MAX(record->rests_since, now); /* connection_last_time() counts no resets */
    }
}

/* What was said of resets may change with what their sender, or its peer, sends later. */
static void look_at_resets_again(rstcause_tracker *tracker, connection_record *record, uint8_t side,
                                 const rstcause_segment *segment)
{
    connection unfolded;
    recent_room room[2];

    connection_unfold(tracker->pool, record, &unfolded, room);
    judge_later_segment(tracker->judge, &unfolded, side, segment);
    connection_fold_resets(tracker->pool, record, &unfolded);
}

/* Does another place hold this reset, which was not met here yet? Of several equal ones the first; its number. */
static bool find_at_other_vantages(rstcause_tracker *tracker, const connection_record *record, uint8_t side,
                                   const rstcause_segment *reset, uint32_t *number)
{
    for (connection_record *other = vantages_next(tracker->vantages, record); other != NULL && other != record;
         other = vantages_next(tracker->vantages, other)) {
        bool ignores_ip_id = vantages_rewrite_ids(tracker->vantages, record, other);
        const recent_segment *same = NULL;
        connection unfolded;
        recent_room room[2];

        connection_unfold(tracker->pool, other, &unfolded, room);
        while ((same = recent_find_same(&unfolded.ends[side].recent, reset, ignores_ip_id, vantages_clocks_apart,
                                        same)) != NULL) {
            *number = same->reset_number;
            if (!judge_has_seen_at(tracker->judge, *number, record->pair.vantage))
                return true;
        }
    }
    return false;
}

static void judge_and_follow(rstcause_tracker *tracker, connection_record *record, uint8_t side,
                             const rstcause_segment *reset)
{
    connection unfolded;
    recent_room room[2];
    rstcause_stated stated;
    uint32_t number;

    rstcause_stated_read(&stated, reset, tracker->magic);
    connection_unfold(tracker->pool, record, &unfolded, room);
    if (find_at_other_vantages(tracker, record, side, reset, &number))
        number = judge_reset_again(tracker->judge, &unfolded, side, reset, &stated, number);
    else
        number = judge_reset(tracker->judge, &unfolded, side, reset, &stated);
    connection_fold_resets(tracker->pool, record, &unfolded);
    connection_follow_reset(tracker->pool, record, side, reset, number);
}

static void note_reset(void *data, const reset_case *one)
{
    neighbours_note_reset(data, one);
}

static void follow(rstcause_tracker *tracker, connection_record *record, uint8_t side, const rstcause_segment *segment)
{
    connection_outline outline;

    if (!connection_follow(tracker->pool, record, side, segment))
        return;
    outline = connection_outline_of(tracker->pool, record);
    neighbours_note_silence(tracker->neighbours, &outline, connection_longest_silence(tracker->pool, record),
                            segment->frame);
}

bool rstcause_tracker_observe(rstcause_tracker *tracker, const rstcause_segment *segment)
{
    uint8_t side = connection_side(segment);
    connection_record *record = find_connection(tracker, segment, side);
    bool is_reset = (segment->flags & RSTCAUSE_RST) != 0;

    release_resting(tracker, segment->time);
    release_rested(tracker, record, segment->time);
    if (is_reset) {
        const reset_case *one;

        judge_and_follow(tracker, record, side, segment);
        one = judge_find(tracker->judge, segment->frame, segment->layer);
        if (one->copied == NULL)
            neighbours_note_reset(tracker->neighbours, one);
    } else {
        if (connection_has_resets(record) && judge_awaits(tracker->judge, record, side, segment))
            look_at_resets_again(tracker, record, side, segment);
        if ((segment->flags & (RSTCAUSE_SYN | RSTCAUSE_ACK)) == (RSTCAUSE_SYN | RSTCAUSE_ACK))
            judge_accepted(tracker->judge, record_host(record, side), segment);
        follow(tracker, record, side, segment);
    }
    note_activity(tracker, record, segment);
    return is_reset;
}

/* For judge_compare_vantages(). */
static const connection_record *unfold_next_vantage(void *data, const connection_record *record, other_vantage *other)
{
    rstcause_tracker *tracker = data;
    connection_record *next = vantages_next(tracker->vantages, record);

    if (next == NULL)
        return NULL;
    connection_unfold(tracker->pool, next, &other->connection, other->room);
    vantages_find_latest(tracker->vantages, next->pair.vantage, &other->latest_frame, &other->latest_time);
    return next;
}

static void note_refusal(void *data, const reset_case *one)
{
    neighbours_note_refusal(data, one);
}

static void note_connections(rstcause_tracker *tracker)
{
    GHashTableIter iter;
    gpointer record;

    g_hash_table_iter_init(&iter, tracker->connections);
    while (g_hash_table_iter_next(&iter, &record, NULL)) {
        const connection_outline outline = connection_outline_of(tracker->pool, record);

        neighbours_note_connection(tracker->neighbours, &outline);
    }
}

static int compare_answers(gconstpointer a, gconstpointer b)
{
    const reset_answer *one = a, *other = b;

    if (one->trigger != other->trigger)
        return one->trigger < other->trigger ? -1 : 1;
    return (one->reset > other->reset) - (one->reset < other->reset);
}

void rstcause_tracker_finish(rstcause_tracker *tracker)
{
    if (vantages_are_several(tracker->vantages))
        judge_compare_vantages(tracker->judge, unfold_next_vantage, tracker);
    /* What later segments changed of a verdict changes what its neighbours tell. */
    neighbours_forget_resets(tracker->neighbours);
    judge_visit(tracker->judge, note_reset, tracker->neighbours);
    judge_visit(tracker->judge, note_refusal, tracker->neighbours);
    if (neighbours_want_connections(tracker->neighbours))
        note_connections(tracker);
    if (judge_list_answers(tracker->judge, tracker->answers)) {
        g_array_sort(tracker->answers, compare_answers);
        tracker->latest_answer = 0;
    }
}

static uint32_t trigger_at(const rstcause_tracker *tracker, unsigned at)
{
    return g_array_index(tracker->answers, reset_answer, at).trigger;
}

/* Is this the first place whose trigger is this frame or a later one? */
static bool is_place_of(const rstcause_tracker *tracker, unsigned at, uint32_t frame)
{
    return (at == 0 || trigger_at(tracker, at - 1) < frame) &&
           (at == tracker->answers->len || trigger_at(tracker, at) >= frame);
}

static unsigned find_place_of(const rstcause_tracker *tracker, uint32_t frame)
{
    unsigned low = 0, high = tracker->answers->len;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;

        if (trigger_at(tracker, middle) < frame)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Frames are shown in their order for the most part: then the place is that of the frame before. */
static const reset_answer *find_answer(rstcause_tracker *tracker, uint32_t trigger)
{
    unsigned at = tracker->latest_answer;

    if (!is_place_of(tracker, at, trigger))
        at = tracker->latest_answer = find_place_of(tracker, trigger);
    if (at == tracker->answers->len || trigger_at(tracker, at) != trigger)
        return NULL;
    return &g_array_index(tracker->answers, reset_answer, at);
}

uint32_t rstcause_tracker_find_reset(rstcause_tracker *tracker, uint32_t trigger)
{
    const reset_answer *answer = find_answer(tracker, trigger);

    return answer != NULL ? answer->reset : 0;
}

const rstcause_verdict *rstcause_tracker_find_answer(rstcause_tracker *tracker, uint32_t trigger)
{
    const reset_answer *answer = find_answer(tracker, trigger);

    return answer != NULL ? rstcause_tracker_find(tracker, answer->reset, answer->layer) : NULL;
}

const rstcause_verdict *rstcause_tracker_find(rstcause_tracker *tracker, uint32_t frame, uint8_t layer)
{
    const reset_case *found = judge_find(tracker->judge, frame, layer);

    tell_free(tracker->told);
    tracker->told = found != NULL ? tell_verdict(found, tracker->neighbours) : NULL;
    return tracker->told;
}
