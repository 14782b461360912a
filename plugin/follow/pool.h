/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory for very many small records of a few sizes, without malloc's header for each, and named by 32 bits instead of a
 * pointer. (GLib has no such thing any more: g_slice is malloc since 2.76.) Records do not move. All go with the pool.
 *
 * Memory that was given back serves records of the same size. Once pool_join_free() was called it serves any size: who has
 * a bound to keep calls that when much was given back, and needs no more chunks.
 */
#ifndef RSTCAUSE_POOL_H
#define RSTCAUSE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a record stands; 0 is nowhere. */
typedef uint32_t place;

enum { POOL_GRANULE = 8, POOL_GRANULES_PER_CHUNK = 8192, POOL_LARGEST = 4096 };

/* As many as 32 bits name: 32 GiB. */
#define POOL_MOST_CHUNKS (UINT32_MAX / POOL_GRANULES_PER_CHUNK)

/* What pool_has_room() promises, in granules: 16 KiB, so 4 of the largest records. */
enum { POOL_RESERVE = 2048 };

enum { POOL_SIZES = POOL_LARGEST / POOL_GRANULE + 1, POOL_SIZE_WORDS = (POOL_SIZES + 31) / 32 };

/* The address of a chunk, to find the place of a record. */
typedef struct {
    uintptr_t address;
    uint32_t chunk;
} pool_chunk_address;

typedef struct {
    unsigned char **chunks;
    uint32_t chunk_count, chunk_capacity;
    uint32_t granted;                      /* chunks that may be there; its owner's */
    place fresh, fresh_end;                /* what new records are cut from */
    place runs;                            /* the first of more of that, none shorter than POOL_RESERVE */
    bool splits;                           /* free records of other sizes serve, too */
    place free[POOL_SIZES];                /* the first free record of each size, which holds the place of the next */
    uint32_t may_be_free[POOL_SIZE_WORDS]; /* a bit for each size of which there may be one */
    pool_chunk_address *by_address;        /* of 'addresses' chunks */
    uint32_t addresses;
} record_pool;

record_pool *pool_new(void);
void pool_free(record_pool *pool);

/* A record of zeros, aligned for any type of 8 bytes. 'size' is 1 to POOL_LARGEST. More chunks than were granted are taken
 * where it must be; ends the program where more than POOL_MOST_CHUNKS are needed. */
place pool_take(record_pool *pool, size_t size);

/* Gives a record of that size back. Nothing happens where it is 0. */
void pool_give_back(record_pool *pool, place where, size_t size);

/* The record at a place that is not 0. */
static inline void *pool_at(const record_pool *pool, place where)
{
    return pool->chunks[where / POOL_GRANULES_PER_CHUNK] + where % POOL_GRANULES_PER_CHUNK * (size_t)POOL_GRANULE;
}

/* The place of a record. O(log chunks), and O(chunks log chunks) where there are more of them than last time. */
place pool_place_of(record_pool *pool, const void *record);

/* Records of together 16 KiB can be taken without more chunks than were granted. */
static inline bool pool_has_room(const record_pool *pool)
{
    return pool->chunk_count < pool->granted || pool->fresh_end - pool->fresh >= POOL_RESERVE || pool->runs != 0;
}

/* Joins what lies free side by side, and lets it serve records of any size from now on. O(size of the pool), and takes a
 * 64th of that for as long. */
void pool_join_free(record_pool *pool);

#endif
