/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the connection of each segment and keeps the verdicts. Knows no rule. */
#include "rstcause/tracker.h"

#include "follow/connection.h"
#include "follow/port_pair.h"
#include "follow/record.h"
#include "judge/judge.h"
#include "rstcause/stated.h"
#include "follow/units.h"

/* So long after its last segment a connection needs no look back but on what is still unanswered: no answer takes as long
 * (see trigger.c), and no copy. In units of 2^30 nanoseconds, as rests_since. */
enum { TIME_UNIT_BITS = 30, REST_BEFORE_RELEASE = 4 };

struct rstcause_tracker {
    uint64_t magic;
    record_pool *pool;                               /* of connections and hosts */
    GHashTable *connections;                         /* set of connection_record, by port_pair */
    GHashTable *hosts;                               /* set of host, by rstcause_address */
    connection_record *first_resting, *last_resting; /* the queue of those whose windows may hold too much */
    connection_record *latest;                       /* of the latest segment; the next one often has the same */
    GHashTable *verdicts;                            /* frame and layer to the latest verdict on it, borrowed */
    GPtrArray *all_verdicts;                         /* owned; connections, hosts and other verdicts point to them */
};

static uint64_t verdict_key(uint32_t frame, uint8_t layer)
{
    return (uint64_t)frame << 8 | layer;
}

rstcause_tracker *rstcause_tracker_new(uint64_t magic)
{
    rstcause_tracker *tracker = g_new0(rstcause_tracker, 1);

    tracker->magic = magic;
    tracker->pool = pool_new();
    tracker->connections = g_hash_table_new(port_pair_hash, port_pair_equal);
    tracker->hosts = g_hash_table_new(address_hash, address_equal);
    tracker->verdicts = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    tracker->all_verdicts = g_ptr_array_new_with_free_func(judge_free_verdict);
    return tracker;
}

void rstcause_tracker_free(rstcause_tracker *tracker)
{
    if (tracker == NULL)
        return;
    g_hash_table_destroy(tracker->connections);
    g_hash_table_destroy(tracker->hosts);
    pool_free(tracker->pool);
    g_hash_table_destroy(tracker->verdicts);
    g_ptr_array_free(tracker->all_verdicts, true);
    g_free(tracker);
}

static host *find_host(rstcause_tracker *tracker, const rstcause_address *address)
{
    host *found = g_hash_table_lookup(tracker->hosts, address);

    if (found == NULL) {
        found = pool_at(tracker->pool, pool_take(tracker->pool, sizeof *found));
        found->address = *address;
        g_hash_table_add(tracker->hosts, found);
    }
    return found;
}

static connection_record *find_connection(rstcause_tracker *tracker, const rstcause_segment *segment, uint8_t side)
{
    port_pair pair = port_pair_of(segment, side);
    connection_record *found = tracker->latest;

    if (found != NULL && port_pair_equal(&found->pair, &pair))
        return found;
    found = g_hash_table_lookup(tracker->connections, &pair);
    if (found == NULL) {
        host *const hosts[2] = {find_host(tracker, pair.addresses[0]), find_host(tracker, pair.addresses[1])};

        found = connection_new(tracker->pool, hosts, pair.ports);
        g_hash_table_add(tracker->connections, found);
    }
    tracker->latest = found;
    return found;
}

static uint32_t time_unit(int64_t time)
{
    return (uint32_t)(time >> TIME_UNIT_BITS);
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
 * Most connections of a long capture are over or idle: what they hold for a look back serves the living ones. One a
 * segment. Who spoke since goes to the end of the queue, and so does who is stamped in the future, which would keep the
 * others waiting.
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
    judge_later_segment(&unfolded, side, segment);
    connection_fold_resets(tracker->pool, record, &unfolded);
}

static rstcause_verdict *judge(rstcause_tracker *tracker, connection_record *record, uint8_t side,
                               const rstcause_segment *reset)
{
    connection unfolded;
    recent_room room[2];
    rstcause_stated stated;
    rstcause_verdict *verdict;

    rstcause_stated_read(&stated, reset, tracker->magic);
    connection_unfold(tracker->pool, record, &unfolded, room);
    verdict = judge_reset(&unfolded, side, reset, &stated, tracker->all_verdicts);
    connection_fold_resets(tracker->pool, record, &unfolded);
    rstcause_stated_clear(&stated);
    return verdict;
}

const rstcause_verdict *rstcause_tracker_observe(rstcause_tracker *tracker, const rstcause_segment *segment)
{
    uint8_t side = connection_side(segment);
    connection_record *record = find_connection(tracker, segment, side);
    uint64_t key = verdict_key(segment->frame, segment->layer);
    rstcause_verdict *verdict = NULL;

    release_resting(tracker, segment->time);
    if ((segment->flags & RSTCAUSE_RST) == 0) {
        if (connection_has_resets(record))
            look_at_resets_again(tracker, record, side, segment);
        connection_follow(tracker->pool, record, side, segment);
    } else {
        verdict = judge(tracker, record, side, segment);
        connection_follow_reset(tracker->pool, record, side, segment, tracker->all_verdicts->len);
        g_ptr_array_add(tracker->all_verdicts, verdict);
        g_hash_table_insert(tracker->verdicts, g_memdup2(&key, sizeof key), verdict);
    }
    note_activity(tracker, record, segment);
    return verdict;
}

const rstcause_verdict *rstcause_tracker_find(const rstcause_tracker *tracker, uint32_t frame, uint8_t layer)
{
    uint64_t key = verdict_key(frame, layer);

    return g_hash_table_lookup(tracker->verdicts, &key);
}

void rstcause_tracker_note_last_words(rstcause_tracker *tracker, const rstcause_segment *segment, const char *words)
{
    uint8_t side = connection_side(segment);

    connection_note_last_words(tracker->pool, find_connection(tracker, segment, side), side, segment->frame, words);
}
