/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the connection of each segment and keeps the verdicts. Knows no rule. */
#include "rstcause/tracker.h"

#include <string.h>

#include "follow/connection.h"
#include "follow/port_pair.h"
#include "judge/judge.h"
#include "rstcause/stated.h"
#include "follow/units.h"

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
    GHashTable *verdicts;    /* frame and layer to the latest verdict on it, borrowed */
    GPtrArray *all_verdicts; /* owned; connections, hosts and other verdicts point to them */
};

static void free_tracked(gpointer data)
{
    tracked *t = data;

    connection_clear(&t->connection);
    g_free(t);
}

static uint64_t verdict_key(uint32_t frame, uint8_t layer)
{
    return (uint64_t)frame << 8 | layer;
}

rstcause_tracker *rstcause_tracker_new(uint64_t magic)
{
    rstcause_tracker *tracker = g_new0(rstcause_tracker, 1);

    tracker->magic = magic;
    tracker->connections = g_hash_table_new_full(port_pair_hash, port_pair_equal, free_tracked, NULL);
    tracker->hosts = g_hash_table_new_full(address_hash, address_equal, g_free, g_free);
    tracker->verdicts = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    tracker->all_verdicts = g_ptr_array_new_with_free_func(judge_free_verdict);
    return tracker;
}

void rstcause_tracker_free(rstcause_tracker *tracker)
{
    if (tracker == NULL)
        return;
    g_queue_clear(&tracker->ended);
    g_hash_table_destroy(tracker->connections);
    g_hash_table_destroy(tracker->hosts);
    g_hash_table_destroy(tracker->verdicts);
    g_ptr_array_free(tracker->all_verdicts, true);
    g_free(tracker);
}

/* Sets 'address' to the one that the table owns. */
static host *find_host(rstcause_tracker *tracker, const rstcause_address **address)
{
    gpointer owned, found;

    if (!g_hash_table_lookup_extended(tracker->hosts, *address, &owned, &found)) {
        owned = g_memdup2(*address, sizeof **address);
        found = g_new0(host, 1);
        g_hash_table_insert(tracker->hosts, owned, found);
    }
    *address = owned;
    return found;
}

static tracked *find_connection(rstcause_tracker *tracker, const rstcause_segment *segment, uint8_t side)
{
    port_pair pair = port_pair_of(segment, side);
    tracked *found = g_hash_table_lookup(tracker->connections, &pair);

    if (found == NULL) {
        found = g_new0(tracked, 1);
        found->pair = pair;
        connection_init(&found->connection, find_host(tracker, &found->pair.addresses[0]),
                        find_host(tracker, &found->pair.addresses[1]));
        g_hash_table_add(tracker->connections, found);
    }
    return found;
}

/*
 * Most connections of a long capture are over: what they hold for a look back serves the living ones. One a segment.
 * Who spoke since goes to the end of the queue, and so does who is stamped in the future, which would keep the others
 * waiting.
 */
static void release_ended(rstcause_tracker *tracker, int64_t now)
{
    tracked *oldest = g_queue_peek_head(&tracker->ended);
    bool is_over, spoke_since;

    if (oldest == NULL)
        return;
    is_over = connection_is_over(&oldest->connection);
    if (is_over && now >= oldest->rests_since && now - oldest->rests_since <= rest_before_release)
        return;
    spoke_since = oldest->connection.last_time > oldest->rests_since;
    if (is_over && (spoke_since || now < oldest->rests_since)) {
        if (spoke_since)
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

const rstcause_verdict *rstcause_tracker_observe(rstcause_tracker *tracker, const rstcause_segment *segment)
{
    uint8_t side = connection_side(segment);
    tracked *t = find_connection(tracker, segment, side);
    connection *c = &t->connection;
    uint64_t key = verdict_key(segment->frame, segment->layer);
    rstcause_stated stated;
    rstcause_verdict *verdict;

    release_ended(tracker, segment->time);
    if ((segment->flags & RSTCAUSE_RST) == 0) {
        judge_later_segment(c, side, segment);
        connection_follow(c, side, segment);
        note_end(tracker, t, segment->time);
        return NULL;
    }
    rstcause_stated_read(&stated, segment, tracker->magic);
    verdict = judge_reset(c, side, segment, &stated);
    rstcause_stated_clear(&stated);
    connection_follow_reset(c, side, segment, verdict);
    note_end(tracker, t, segment->time);
    g_ptr_array_add(tracker->all_verdicts, verdict);
    g_hash_table_insert(tracker->verdicts, g_memdup2(&key, sizeof key), verdict);
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
    endpoint *speaker = &find_connection(tracker, segment, side)->connection.ends[side];

    g_free(speaker->last_words);
    speaker->last_words = g_utf8_make_valid(words, (gssize)MIN(strlen(words), 120));
    speaker->last_words_frame = segment->frame;
}
