/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps all connections, and forgets those that were idle longest. See connections.h. */
#include "connections.h"

#include <string.h>

#include "record.h"

/* After so long without a segment only what is still unanswered is needed of the window of recent segments: no answer
 * (see trigger.c) and no copy comes later. In units of 2^30 nanoseconds, which are 1.07 s, as rests_since. */
enum { TIME_UNIT_BITS = 30, REST_BEFORE_RELEASE = 4 };

/* Size of the cache of connections that had the latest segments; a power of two. */
enum { LATEST = 256 };

/* An entry of a GHashTable that is a set takes 12 bytes, and at most 5 of 8 stand empty after it has grown. */
enum { BYTES_IN_TABLE = 32 };

/* Of a chunk of the pool, with the bits that pool_join_free() needs. */
enum { BYTES_OF_CHUNK = POOL_GRANULES_PER_CHUNK * POOL_GRANULE + POOL_GRANULES_PER_CHUNK / 8 };

/* A tracker has to have room for a few connections. */
static const uint64_t least_bound = 1 << 20;

connection_store *connections_new(void)
{
    connection_store *store = g_new0(connection_store, 1);

    store->pool = pool_new();
    store->all = g_hash_table_new(port_pair_hash, port_pair_equal);
    for (unsigned i = 0; i < MOST_VANTAGES; i++)
        store->hosts[i] = g_hash_table_new(address_hash, address_equal);
    store->vantages = vantages_new(store->pool, store->all);
    store->latest = g_new0(connection_record *, LATEST);
    connections_bound(store, UINT64_MAX);
    return store;
}

void connections_free(connection_store *store)
{
    vantages_free(store->vantages);
    g_hash_table_destroy(store->all);
    for (unsigned i = 0; i < MOST_VANTAGES; i++)
        g_hash_table_destroy(store->hosts[i]);
    pool_free(store->pool);
    g_free(store->latest);
    g_free(store);
}

void connections_bound(connection_store *store, uint64_t bytes)
{
    const uint64_t eighth = MAX(bytes, least_bound) / 8;

    store->most_chunks = (uint32_t)MIN(eighth * RECORDS_EIGHTHS / BYTES_OF_CHUNK, POOL_MOST_CHUNKS);
    store->most_in_tables = (uint32_t)MIN(eighth * TABLES_EIGHTHS / BYTES_IN_TABLE, UINT32_MAX);
}

static host *find_host(connection_store *store, uint32_t vantage, const rstcause_address *address)
{
    host *found = g_hash_table_lookup(store->hosts[vantage], address);

    if (found == NULL) {
        found = pool_at(store->pool, pool_take(store->pool, sizeof *found));
        found->address = *address;
        g_hash_table_add(store->hosts[vantage], found);
        store->in_tables++;
    }
    found->connections++;
    return found;
}

/* The cache saves most segments a SipHash. Crafted ports that share a place cost no more than that SipHash. */
static unsigned latest_place(const port_pair *pair)
{
    return (pair->ports[0] * 31u ^ pair->ports[1] ^ pair->addresses[0]->bytes[3] ^ pair->addresses[1]->bytes[3]) &
           (LATEST - 1);
}

static connection_record *make(connection_store *store, const port_pair *pair)
{
    host *const hosts[2] = {find_host(store, pair->vantage, pair->addresses[0]),
                            find_host(store, pair->vantage, pair->addresses[1])};
    connection_record *made = connection_new(store->pool, hosts, pair->ports, pair->vantage);

    g_hash_table_add(store->all, made);
    store->in_tables++;
    return made;
}

connection_record *connections_find(connection_store *store, const rstcause_segment *segment, uint8_t side)
{
    port_pair pair = port_pair_of(segment, side);
    connection_record **latest = &store->latest[latest_place(&pair)], *found = *latest;

    pair.vantage = vantages_find(store->vantages, segment);
    if (found == NULL || !port_pair_equal(&found->pair, &pair))
        found = g_hash_table_lookup(store->all, &pair);
    if (found == NULL) {
        found = make(store, &pair);
        if (vantages_are_several(store->vantages))
            vantages_relate(store->vantages, found, side, segment);
    }
    *latest = found;
    return vantages_are_several(store->vantages) ? vantages_settle(store->vantages, found, side, segment) : found;
}

static uint32_t time_unit(int64_t time)
{
    return (uint32_t)MIN(time >> TIME_UNIT_BITS, UINT32_MAX); /* 2^62, the latest, would be one more */
}

static void put_in_queue(connection_store *store, connection_record *record)
{
    record->next_resting = NULL;
    if (store->last_resting != NULL)
        store->last_resting->next_resting = record;
    else
        store->first_resting = record;
    store->last_resting = record;
}

static void take_from_queue(connection_store *store)
{
    store->first_resting = store->first_resting->next_resting;
    if (store->first_resting == NULL)
        store->last_resting = NULL;
}

/*
 * Most connections of a long capture are closed or idle. Their recent segments are given back to the pool, for one
 * connection with each segment that comes. A connection with a segment since goes to the end of the queue. So does one
 * whose timestamp lies in the future, since it would hold up all others.
 */
void connections_release_resting(connection_store *store, int64_t time)
{
    connection_record *oldest = store->first_resting;
    uint32_t now = time_unit(time), last;

    if (oldest == NULL || (now >= oldest->rests_since && now - oldest->rests_since <= REST_BEFORE_RELEASE))
        return;
    take_from_queue(store);
    last = time_unit(connection_last_time(store->pool, oldest));
    if (now < oldest->rests_since || last > oldest->rests_since) {
        oldest->rests_since = MAX(oldest->rests_since, last);
        put_in_queue(store, oldest);
        return;
    }
    connection_forget_recent(store->pool, oldest, time);
    oldest->is_queued = false;
}

void connections_release_rested(connection_store *store, connection_record *record, int64_t time)
{
    uint32_t now = time_unit(time), since = record->rests_since;

    if (!record->is_queued || now <= since || now - since <= REST_BEFORE_RELEASE)
        return;
    since = MAX(since, time_unit(connection_last_time(store->pool, record)));
    if (now > since && now - since > REST_BEFORE_RELEASE)
        connection_forget_recent(store->pool, record, time);
}

void connections_note_activity(connection_store *store, connection_record *record, const rstcause_segment *segment)
{
    uint32_t now = time_unit(segment->time);

    if (!record->is_queued) {
        record->is_queued = true;
        record->rests_since = now;
        put_in_queue(store, record);
    } else if ((segment->flags & RSTCAUSE_RST) != 0) {
        record->rests_since = MAX(record->rests_since, now); /* connection_last_time() counts no resets */
    }
}

bool connections_have_room(connection_store *store)
{
    record_pool *pool = store->pool;

    if (store->in_tables > store->most_in_tables)
        return false;
    if (G_LIKELY(pool_has_room(pool)))
        return true;
    if (pool->granted == store->most_chunks)
        return false;
    pool->granted++;
    return true;
}

static uint32_t latest_frame(const connection_store *store, const connection_record *record)
{
    return connection_latest_frame(store->pool, vantages_holder(store->vantages, record));
}

static GArray *list_latest_frames(const connection_store *store)
{
    GArray *frames = g_array_sized_new(false, false, sizeof(uint32_t), g_hash_table_size(store->all));
    GHashTableIter iter;
    gpointer record;

    g_hash_table_iter_init(&iter, store->all);
    while (g_hash_table_iter_next(&iter, &record, NULL)) {
        uint32_t frame = latest_frame(store, record);

        g_array_append_val(frames, frame);
    }
    return frames;
}

enum { HALF_BITS = 16, HALVES = 1 << HALF_BITS };

/* The one in which the value of this rank lies; 'rank' becomes that among them. */
static uint32_t find_half(const uint32_t counts[HALVES], uint32_t *rank)
{
    uint32_t half = 0;

    while (counts[half] <= *rank)
        *rank -= counts[half++];
    return half;
}

/* The value that so many others come before; there are more than that. Its upper half is found first, then its lower. */
static uint32_t find_by_rank(const GArray *values, uint32_t rank)
{
    uint32_t *counts = g_new0(uint32_t, HALVES), upper, lower;

    for (unsigned i = 0; i < values->len; i++)
        counts[g_array_index(values, uint32_t, i) >> HALF_BITS]++;
    upper = find_half(counts, &rank);
    memset(counts, 0, HALVES * sizeof *counts);
    for (unsigned i = 0; i < values->len; i++) {
        uint32_t value = g_array_index(values, uint32_t, i);

        counts[value & (HALVES - 1)] += value >> HALF_BITS == upper;
    }
    lower = find_half(counts, &rank);
    g_free(counts);
    return upper << HALF_BITS | lower;
}

static void leave_queue(connection_store *store, uint32_t until)
{
    connection_record *next = store->first_resting;

    store->first_resting = store->last_resting = NULL;
    while (next != NULL) {
        connection_record *record = next;

        next = record->next_resting;
        if (latest_frame(store, record) > until)
            put_in_queue(store, record);
    }
}

static void leave_host(connection_store *store, host *left, uint32_t vantage, const forgetting *told)
{
    if (--left->connections > 0)
        return;
    told->forget_host(told->data, left);
    g_hash_table_remove(store->hosts[vantage], &left->address);
    pool_give_back(store->pool, pool_place_of(store->pool, left), sizeof *left);
    store->in_tables--;
}

/* It has left the queue and the table already. */
static void forget(connection_store *store, connection_record *record, const forgetting *told)
{
    host *const hosts[2] = {record_host(record, 0), record_host(record, 1)};
    const uint32_t vantage = record->pair.vantage;

    told->forget_connection(told->data, record);
    vantages_forget(store->vantages, record);
    connection_free(store->pool, record);
    store->in_tables--;
    leave_host(store, hosts[0], vantage, told);
    leave_host(store, hosts[1], vantage, told);
}

bool connections_forget_idle(connection_store *store, const forgetting *told)
{
    GArray *frames = list_latest_frames(store);
    GHashTableIter iter;
    gpointer record;
    bool are_some = frames->len > 0;

    if (are_some) {
        uint32_t until = find_by_rank(frames, frames->len / 4);

        leave_queue(store, until);
        for (unsigned i = 0; i < LATEST; i++)
            store->latest[i] = NULL;
        g_hash_table_iter_init(&iter, store->all);
        while (g_hash_table_iter_next(&iter, &record, NULL)) {
            if (latest_frame(store, record) > until)
                continue;
            g_hash_table_iter_remove(&iter);
            forget(store, record, told);
        }
        pool_join_free(store->pool);
    }
    g_array_free(frames, true);
    return are_some;
}
