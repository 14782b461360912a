/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See pool.h. Knows no record. */
#include "pool.h"

#include <stdlib.h>
#include <string.h>

#include <glib.h>

enum { WORD_BITS = 64, WORDS_PER_CHUNK = POOL_GRANULES_PER_CHUNK / WORD_BITS };

/* At the start of a run that waits to be cut. */
typedef struct {
    place next;
    uint32_t granules;
} waiting_run;

static uint32_t granules_of(size_t size)
{
    g_assert(size > 0 && size <= POOL_LARGEST);
    return (uint32_t)((size + POOL_GRANULE - 1) / POOL_GRANULE);
}

static place begin_of_chunk(uint32_t chunk)
{
    return chunk * POOL_GRANULES_PER_CHUNK;
}

static void put_on_free_list(record_pool *pool, place where, uint32_t granules)
{
    memcpy(pool_at(pool, where), &pool->free[granules], sizeof(place));
    pool->free[granules] = where;
    pool->may_be_free[granules / 32] |= UINT32_C(1) << granules % 32;
}

static place take_from_free_list(record_pool *pool, uint32_t granules)
{
    place where = pool->free[granules];

    if (where != 0)
        memcpy(&pool->free[granules], pool_at(pool, where), sizeof(place));
    return where;
}

/* What is too short to wait as a run. */
static void put_in_pieces(record_pool *pool, place where, uint32_t granules)
{
    while (granules > 0) {
        uint32_t piece = MIN(granules, POOL_SIZES - 1);

        put_on_free_list(pool, where, piece);
        where += piece;
        granules -= piece;
    }
}

static void add_chunk(record_pool *pool)
{
    if (pool->chunk_count == POOL_MOST_CHUNKS)
        g_error("more state than a pool can hold");
    if (pool->chunk_count == pool->chunk_capacity) {
        pool->chunk_capacity = MAX(16, pool->chunk_capacity * 2);
        pool->chunks = g_renew(unsigned char *, pool->chunks, pool->chunk_capacity);
    }
    pool->chunks[pool->chunk_count] = g_malloc((size_t)POOL_GRANULES_PER_CHUNK * POOL_GRANULE);
    pool->fresh = begin_of_chunk(pool->chunk_count++);
    pool->fresh_end = pool->fresh + POOL_GRANULES_PER_CHUNK;
}

record_pool *pool_new(void)
{
    record_pool *pool = g_new0(record_pool, 1);

    add_chunk(pool);
    pool->granted = pool->chunk_count;
    pool->fresh = 1; /* place 0 is nowhere */
    return pool;
}

void pool_free(record_pool *pool)
{
    for (uint32_t i = 0; i < pool->chunk_count; i++)
        g_free(pool->chunks[i]);
    g_free(pool->chunks);
    g_free(pool->by_address);
    g_free(pool);
}

static void begin_next_run(record_pool *pool)
{
    waiting_run run;

    put_in_pieces(pool, pool->fresh, pool->fresh_end - pool->fresh);
    if (pool->runs == 0) {
        add_chunk(pool);
        return;
    }
    memcpy(&run, pool_at(pool, pool->runs), sizeof run);
    pool->fresh = pool->runs;
    pool->fresh_end = pool->fresh + run.granules;
    pool->runs = run.next;
}

/* From what no record uses. */
static place take_fresh(record_pool *pool, uint32_t granules)
{
    place where;

    if (pool->fresh_end - pool->fresh < granules)
        begin_next_run(pool);
    where = pool->fresh;
    pool->fresh += granules;
    return where;
}

/* The shortest size from this one on of which there is a free record; 0 where there is none. */
static uint32_t find_longer(record_pool *pool, uint32_t granules)
{
    for (uint32_t word = granules / 32; word < POOL_SIZE_WORDS; word++) {
        uint32_t above = word == granules / 32 ? ~UINT32_C(0) << granules % 32 : ~UINT32_C(0);

        while ((pool->may_be_free[word] & above) != 0) {
            uint32_t bit = (uint32_t)g_bit_nth_lsf(pool->may_be_free[word] & above, -1);

            if (pool->free[word * 32 + bit] != 0)
                return word * 32 + bit;
            pool->may_be_free[word] &= ~(UINT32_C(1) << bit);
        }
    }
    return 0;
}

static place split_longer(record_pool *pool, uint32_t granules)
{
    uint32_t longer = find_longer(pool, granules);
    place where;

    if (longer == 0)
        return 0;
    where = take_from_free_list(pool, longer);
    put_in_pieces(pool, where + granules, longer - granules);
    return where;
}

place pool_take(record_pool *pool, size_t size)
{
    uint32_t granules = granules_of(size);
    place where = take_from_free_list(pool, granules);

    if (where == 0 && pool->splits)
        where = split_longer(pool, granules);
    if (where == 0)
        where = take_fresh(pool, granules);
    memset(pool_at(pool, where), 0, granules * (size_t)POOL_GRANULE);
    return where;
}

void pool_give_back(record_pool *pool, place where, size_t size)
{
    if (where != 0)
        put_on_free_list(pool, where, granules_of(size));
}

static int compare_addresses(const void *a, const void *b)
{
    const pool_chunk_address *one = a, *other = b;

    return (one->address > other->address) - (one->address < other->address);
}

static void list_addresses(record_pool *pool)
{
    pool->by_address = g_renew(pool_chunk_address, pool->by_address, pool->chunk_count);
    for (uint32_t i = 0; i < pool->chunk_count; i++)
        pool->by_address[i] = (pool_chunk_address){(uintptr_t)pool->chunks[i], i};
    qsort(pool->by_address, pool->chunk_count, sizeof *pool->by_address, compare_addresses);
    pool->addresses = pool->chunk_count;
}

place pool_place_of(record_pool *pool, const void *record)
{
    const uintptr_t address = (uintptr_t)record;
    uint32_t low = 0, high = pool->chunk_count;
    const pool_chunk_address *found;

    if (pool->addresses != pool->chunk_count)
        list_addresses(pool);
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (pool->by_address[middle].address <= address)
            low = middle;
        else
            high = middle;
    }
    found = &pool->by_address[low];
    return begin_of_chunk(found->chunk) + (place)((address - found->address) / POOL_GRANULE);
}

static void mark(uint64_t *marks, place where, uint32_t granules)
{
    for (place at = where; at < where + granules; at++)
        marks[at / WORD_BITS] |= UINT64_C(1) << at % WORD_BITS;
}

/* Marks what is free, and empties the lists of it. */
static void collect_free(record_pool *pool, uint64_t *marks)
{
    waiting_run run;

    for (uint32_t granules = 1; granules < POOL_SIZES; granules++)
        for (place where; (where = take_from_free_list(pool, granules)) != 0;)
            mark(marks, where, granules);
    for (place where = pool->runs; where != 0; where = run.next) {
        memcpy(&run, pool_at(pool, where), sizeof run);
        mark(marks, where, run.granules);
    }
    mark(marks, pool->fresh, pool->fresh_end - pool->fresh);
    memset(pool->may_be_free, 0, sizeof pool->may_be_free);
    pool->runs = pool->fresh = pool->fresh_end = 0;
}

static void give_run(record_pool *pool, place where, uint32_t granules)
{
    const waiting_run run = {pool->runs, granules};

    if (granules < POOL_RESERVE) {
        put_in_pieces(pool, where, granules);
        return;
    }
    memcpy(pool_at(pool, where), &run, sizeof run);
    pool->runs = where;
}

/* Where the next granule stands that is marked, or is not; 'end' where there is none. */
static place find_next(const uint64_t *marks, place from, place end, bool is_marked)
{
    const uint64_t other = is_marked ? 0 : ~UINT64_C(0);

    while (from < end) {
        if (from % WORD_BITS == 0 && marks[from / WORD_BITS] == other)
            from += WORD_BITS;
        else if ((marks[from / WORD_BITS] >> from % WORD_BITS & 1) == is_marked)
            return from;
        else
            from++;
    }
    return end;
}

void pool_join_free(record_pool *pool)
{
    uint64_t *marks = g_new0(uint64_t, (size_t)pool->chunk_count * WORDS_PER_CHUNK);

    collect_free(pool, marks);
    for (uint32_t chunk = 0; chunk < pool->chunk_count; chunk++) {
        place end = begin_of_chunk(chunk) + POOL_GRANULES_PER_CHUNK, at = begin_of_chunk(chunk);

        while ((at = find_next(marks, at, end, true)) < end) {
            place past = find_next(marks, at, end, false);

            give_run(pool, at, past - at);
            at = past;
        }
    }
    pool->splits = true;
    g_free(marks);
}
