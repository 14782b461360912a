/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the connection of each segment and keeps the verdicts. Knows no rule. */
#include "rstcause/tracker.h"

#include <string.h>

#include "connection.h"
#include "judge.h"
#include "rstcause/stated.h"

typedef struct {
    rstcause_address low, high;
    guint16 low_port, high_port;
} port_pair;

struct rstcause_tracker {
    guint64 magic;
    GHashTable *connections; /* port_pair to connection, both owned */
    GHashTable *hosts;       /* rstcause_address to host, both owned */
    GHashTable *verdicts;    /* frame and layer to the latest verdict on it, borrowed */
    GPtrArray *all_verdicts; /* owned; connections, hosts and other verdicts point to them */
};

/* Mixed into the hashes, so that nobody can choose addresses that collide. */
static guint64 hash_seed;

static guint64 mix(guint64 hash, guint64 part)
{
    hash = (hash ^ part) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static guint64 mix_address(guint64 hash, const rstcause_address *address)
{
    guint64 parts[2];

    memcpy(parts, address->bytes, sizeof parts);
    return mix(mix(hash, parts[0]), parts[1]);
}

static guint hash_address(gconstpointer key)
{
    return (guint)mix_address(hash_seed, key);
}

static gboolean equal_address(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(rstcause_address)) == 0;
}

static guint hash_pair(gconstpointer key)
{
    const port_pair *pair = key;

    return (guint)mix(mix_address(mix_address(hash_seed, &pair->low), &pair->high),
                      (guint64)pair->low_port << 16 | pair->high_port);
}

static gboolean equal_pair(gconstpointer a, gconstpointer b)
{
    const port_pair *one = a, *other = b;

    return one->low_port == other->low_port && one->high_port == other->high_port &&
           equal_address(&one->low, &other->low) && equal_address(&one->high, &other->high);
}

static guint64 verdict_key(guint32 frame, guint8 layer)
{
    return (guint64)frame << 8 | layer;
}

rstcause_tracker *rstcause_tracker_new(guint64 magic)
{
    rstcause_tracker *tracker = g_new0(rstcause_tracker, 1);

    if (hash_seed == 0)
        hash_seed = (guint64)g_random_int() << 32 | g_random_int() | 1;
    tracker->magic = magic;
    tracker->connections = g_hash_table_new_full(hash_pair, equal_pair, g_free, connection_free);
    tracker->hosts = g_hash_table_new_full(hash_address, equal_address, g_free, g_free);
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
    g_hash_table_destroy(tracker->verdicts);
    g_ptr_array_free(tracker->all_verdicts, TRUE);
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

static connection *find_connection(rstcause_tracker *tracker, const rstcause_segment *segment, guint8 side)
{
    port_pair pair = {0};
    connection *found;

    pair.low = side == 0 ? segment->source : segment->destination;
    pair.high = side == 0 ? segment->destination : segment->source;
    pair.low_port = side == 0 ? segment->source_port : segment->destination_port;
    pair.high_port = side == 0 ? segment->destination_port : segment->source_port;
    found = g_hash_table_lookup(tracker->connections, &pair);
    if (found == NULL) {
        found = connection_new(find_host(tracker, &pair.low), find_host(tracker, &pair.high));
        g_hash_table_insert(tracker->connections, g_memdup2(&pair, sizeof pair), found);
    }
    return found;
}

const rstcause_verdict *rstcause_tracker_observe(rstcause_tracker *tracker, const rstcause_segment *segment)
{
    guint8 side = connection_side(segment);
    connection *c = find_connection(tracker, segment, side);
    guint64 key = verdict_key(segment->frame, segment->layer);
    rstcause_stated stated;
    rstcause_verdict *verdict;

    if ((segment->flags & RSTCAUSE_RST) == 0) {
        judge_later_segment(c, side, segment);
        connection_follow(c, side, segment);
        return NULL;
    }
    rstcause_stated_read(&stated, segment, tracker->magic);
    verdict = judge_reset(c, side, segment, &stated);
    rstcause_stated_clear(&stated);
    connection_follow_reset(c, side, segment, verdict);
    g_ptr_array_add(tracker->all_verdicts, verdict);
    g_hash_table_insert(tracker->verdicts, g_memdup2(&key, sizeof key), verdict);
    return verdict;
}

const rstcause_verdict *rstcause_tracker_find(const rstcause_tracker *tracker, guint32 frame, guint8 layer)
{
    guint64 key = verdict_key(frame, layer);

    return g_hash_table_lookup(tracker->verdicts, &key);
}

void rstcause_tracker_note_last_words(rstcause_tracker *tracker, const rstcause_segment *segment, const char *words)
{
    guint8 side = connection_side(segment);
    endpoint *speaker = &find_connection(tracker, segment, side)->ends[side];

    g_free(speaker->last_words);
    speaker->last_words = g_utf8_make_valid(words, (gssize)MIN(strlen(words), 120));
    speaker->last_words_frame = segment->frame;
}
