/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for very many small records of a few sizes, without malloc's header for each, and named by 32 bits instead of a
 * pointer. (GLib has no such thing any more: g_slice is malloc since 2.76.) Records do not move. All go with the pool.
 */
#ifndef RSTCAUSE_POOL_H
#define RSTCAUSE_POOL_H

#include <stddef.h>
#include <stdint.h>

/* Where a record stands; 0 is nowhere. */
typedef uint32_t place;

enum { POOL_GRANULE = 8, POOL_GRANULES_PER_CHUNK = 8192, POOL_LARGEST = 4096 };

typedef struct {
    unsigned char **chunks;
    uint32_t chunk_count, chunk_capacity;
    uint32_t used; /* granules of the last chunk */
    place free[POOL_LARGEST / POOL_GRANULE +
               1]; /* the first free record of each size, which holds the place of the next */
} record_pool;

record_pool *pool_new(void);
void pool_free(record_pool *pool);

/* A record of zeros, aligned for any type of 8 bytes. 'size' is 1 to POOL_LARGEST. */
place pool_take(record_pool *pool, size_t size);

/* Gives a record of that size back. Nothing happens where it is 0. */
void pool_give_back(record_pool *pool, place where, size_t size);

/* The record at a place that is not 0. */
static inline void *pool_at(const record_pool *pool, place where)
{
    return pool->chunks[where / POOL_GRANULES_PER_CHUNK] + where % POOL_GRANULES_PER_CHUNK * (size_t)POOL_GRANULE;
}

#endif
