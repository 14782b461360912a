/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the connection of each segment and keeps the verdicts. Knows no rule. */
#include "rstcause/tracker.h"

#include <string.h>

#include "follow/connection.h"
#include "judge/judge.h"
#include "tell/tell.h"
#include "rstcause/stated.h"
#include "follow/units.h"

typedef struct {
    rstcause_address low, high;
    uint16_t low_port, high_port;
} port_pair;

/* Also its own key in the table of connections. */
typedef struct {
    port_pair pair;
    connection connection;
    bool is_ended;       /* waits among the ended ones... */
    int64_t rests_since; /* ... since this time, as far as is known */
} tracked;

/* So long after its last segment a connection that is over needs no look back: no answer takes as long (see trigger.c),
 * and no copy. */
static const int64_t rest_before_release = 4 * SECOND;

struct rstcause_tracker {
    uint64_t magic;
    GHashTable *connections; /* set of tracked, owned */
    GQueue ended;            /* of tracked, borrowed: those that are over and keep their windows yet, oldest first */
    GHashTable *hosts;       /* rstcause_address to host, both owned */
    judge *judge;
    rstcause_verdict *told; /* what was asked for last */
};

/* Mixed into the hashes, so that nobody can choose addresses that collide. */
static uint64_t hash_seed;

static uint64_t mix(uint64_t hash, uint64_t part)
{
    hash = (hash ^ part) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static uint64_t mix_address(uint64_t hash, const rstcause_address *address)
{
    uint64_t parts[2];

    memcpy(parts, address->bytes, sizeof parts);
    return mix(mix(hash, parts[0]), parts[1]);
}

static unsigned hash_address(gconstpointer key)
{
    return (unsigned)mix_address(hash_seed, key);
}

static gboolean equal_address(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(rstcause_address)) == 0;
}

static unsigned hash_pair(gconstpointer key)
{
    const port_pair *pair = key;

    return (unsigned)mix(mix_address(mix_address(hash_seed, &pair->low), &pair->high),
                         (uint64_t)pair->low_port << 16 | pair->high_port);
}

static gboolean equal_pair(gconstpointer a, gconstpointer b)
{
    const port_pair *one = a, *other = b;

    return one->low_port == other->low_port && one->high_port == other->high_port &&
           equal_address(&one->low, &other->low) && equal_address(&one->high, &other->high);
}

static void free_tracked(gpointer data)
{
    tracked *t = data;

    connection_clear(&t->connection);
    g_free(t);
}

rstcause_tracker *rstcause_tracker_new(uint64_t magic)
{
    rstcause_tracker *tracker = g_new0(rstcause_tracker, 1);

    if (hash_seed == 0)
        hash_seed = (uint64_t)g_random_int() << 32 | g_random_int() | 1;
    tracker->magic = magic;
    tracker->connections = g_hash_table_new_full(hash_pair, equal_pair, free_tracked, NULL);
    tracker->hosts = g_hash_table_new_full(hash_address, equal_address, g_free, g_free);
    tracker->judge = judge_new();
    return tracker;
}

void rstcause_tracker_free(rstcause_tracker *tracker)
{
    if (tracker == NULL)
        return;
    g_queue_clear(&tracker->ended);
    g_hash_table_destroy(tracker->connections);
    g_hash_table_destroy(tracker->hosts);
    judge_free(tracker->judge);
    tell_free(tracker->told);
    g_free(tracker);
}

static host *find_host(rstcause_tracker *tracker, const rstcause_address *address)
{
    host *found = g_hash_table_lookup(tracker->hosts, address);

    if (found == NULL) {
        found = g_new0(host, 1);
        g_hash_table_insert(tracker->hosts, g_memdup2(address, sizeof *address), found);
    }
    return found;
}

static tracked *find_connection(rstcause_tracker *tracker, const rstcause_segment *segment, uint8_t side)
{
    port_pair pair = {0};
    tracked *found;

    pair.low = side == 0 ? segment->source : segment->destination;
    pair.high = side == 0 ? segment->destination : segment->source;
    pair.low_port = side == 0 ? segment->source_port : segment->destination_port;
    pair.high_port = side == 0 ? segment->destination_port : segment->source_port;
    found = g_hash_table_lookup(tracker->connections, &pair);
    if (found == NULL) {
        found = g_new0(tracked, 1);
        found->pair = pair;
        connection_init(&found->connection, find_host(tracker, &pair.low), find_host(tracker, &pair.high));
        g_hash_table_add(tracker->connections, found);
    }
    return found;
}

/*
 * Most connections of a long capture are over: what they hold for a look back serves the living ones. One a segment; who
 * spoke since goes to the end of the queue.
 */
static void release_ended(rstcause_tracker *tracker, int64_t now)
{
    tracked *oldest = g_queue_peek_head(&tracker->ended);

    if (oldest == NULL || now < oldest->rests_since || time_between(now, oldest->rests_since) <= rest_before_release)
        return;
    if (connection_is_over(&oldest->connection) && oldest->connection.last_time > oldest->rests_since) {
        oldest->rests_since = oldest->connection.last_time;
        g_queue_push_tail_link(&tracker->ended, g_queue_pop_head_link(&tracker->ended));
        return;
    }
    if (connection_is_over(&oldest->connection))
        connection_forget_recent(&oldest->connection);
    oldest->is_ended = false;
    g_queue_pop_head(&tracker->ended);
}

static void note_end(rstcause_tracker *tracker, tracked *t, int64_t now)
{
    if (t->is_ended || !connection_is_over(&t->connection))
        return;
    t->is_ended = true;
    t->rests_since = now;
    g_queue_push_tail(&tracker->ended, t);
}

bool rstcause_tracker_observe(rstcause_tracker *tracker, const rstcause_segment *segment)
{
    uint8_t side = connection_side(segment);
    tracked *t = find_connection(tracker, segment, side);
    connection *c = &t->connection;
    rstcause_stated stated;

    release_ended(tracker, segment->time);
    if ((segment->flags & RSTCAUSE_RST) == 0) {
        if (c->resets[0].frame != 0 || c->resets[1].frame != 0)
            judge_later_segment(tracker->judge, c, side, segment);
        connection_follow(c, side, segment);
        note_end(tracker, t, segment->time);
        return false;
    }
    rstcause_stated_read(&stated, segment, tracker->magic);
    judge_reset(tracker->judge, c, side, segment, &stated);
    connection_follow_reset(c, side, segment);
    note_end(tracker, t, segment->time);
    return true;
}

const rstcause_verdict *rstcause_tracker_find(rstcause_tracker *tracker, uint32_t frame, uint8_t layer)
{
    const reset_case *found = judge_find(tracker->judge, frame, layer);

    tell_free(tracker->told);
    tracker->told = found != NULL ? tell_verdict(found) : NULL;
    return tracker->told;
}
