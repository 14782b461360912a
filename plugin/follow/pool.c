/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See pool.h. Knows no record. */
#include "pool.h"

#include <string.h>

#include <glib.h>

static uint32_t granules_of(size_t size)
{
    g_assert(size > 0 && size <= POOL_LARGEST);
    return (uint32_t)((size + POOL_GRANULE - 1) / POOL_GRANULE);
}

static void add_chunk(record_pool *pool)
{
    /* 2^32 granules are 32 GiB. */
    if (pool->chunk_count == UINT32_MAX / POOL_GRANULES_PER_CHUNK)
        g_error("more state than a pool can hold");
    if (pool->chunk_count == pool->chunk_capacity) {
        pool->chunk_capacity = MAX(16, pool->chunk_capacity * 2);
        pool->chunks = g_renew(unsigned char *, pool->chunks, pool->chunk_capacity);
    }
    pool->chunks[pool->chunk_count++] = g_malloc((size_t)POOL_GRANULES_PER_CHUNK * POOL_GRANULE);
    pool->used = 0;
}

record_pool *pool_new(void)
{
    record_pool *pool = g_new0(record_pool, 1);

    add_chunk(pool);
    pool->used = 1; /* place 0 is nowhere */
    return pool;
}

void pool_free(record_pool *pool)
{
    for (uint32_t i = 0; i < pool->chunk_count; i++)
        g_free(pool->chunks[i]);
    g_free(pool->chunks);
    g_free(pool);
}

static void put_on_free_list(record_pool *pool, place where, uint32_t granules)
{
    memcpy(pool_at(pool, where), &pool->free[granules], sizeof(place));
    pool->free[granules] = where;
}

/* From what no record has used yet. */
static place take_fresh(record_pool *pool, uint32_t granules)
{
    uint32_t left = POOL_GRANULES_PER_CHUNK - pool->used;
    place where;

    if (left < granules) {
        if (left > 0)
            put_on_free_list(pool, (pool->chunk_count - 1) * POOL_GRANULES_PER_CHUNK + pool->used, left);
        add_chunk(pool);
    }
    where = (pool->chunk_count - 1) * POOL_GRANULES_PER_CHUNK + pool->used;
    pool->used += granules;
    return where;
}

place pool_take(record_pool *pool, size_t size)
{
    uint32_t granules = granules_of(size);
    place where = pool->free[granules];

    if (where != 0)
        memcpy(&pool->free[granules], pool_at(pool, where), sizeof(place));
    else
        where = take_fresh(pool, granules);
    memset(pool_at(pool, where), 0, granules * (size_t)POOL_GRANULE);
    return where;
}

void pool_give_back(record_pool *pool, place where, size_t size)
{
    if (where != 0)
        put_on_free_list(pool, where, granules_of(size));
}
