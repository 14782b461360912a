/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pool of records: none overlaps another, each begins as zeros, and memory given back serves again. */
#include "follow/pool.h"

#include <stdbool.h>
#include <string.h>

#include <glib.h>

enum { RECORDS = 20000 };

static size_t size_of(uint32_t number)
{
    return 1 + number * UINT32_C(2654435761) % (number % 100 == 0 ? POOL_LARGEST : 300);
}

static bool holds_only(const unsigned char *bytes, size_t size, unsigned char value)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != value)
            return false;
    }
    return true;
}

static void take(record_pool *pool, place *where, uint32_t number)
{
    where[number] = pool_take(pool, size_of(number));
    g_assert_cmpuint(where[number], !=, 0);
    g_assert_cmpuint((uintptr_t)pool_at(pool, where[number]) % POOL_GRANULE, ==, 0);
    g_assert_true(holds_only(pool_at(pool, where[number]), size_of(number), 0));
    memset(pool_at(pool, where[number]), (int)(number % 251 + 1), size_of(number));
}

static void keep_records_apart(void)
{
    record_pool *pool = pool_new();
    place *where = g_new0(place, RECORDS);

    for (uint32_t i = 0; i < RECORDS; i++)
        take(pool, where, i);
    for (uint32_t i = 0; i < RECORDS; i += 3) {
        pool_give_back(pool, where[i], size_of(i));
        where[i] = 0;
    }
    for (uint32_t i = 0; i < RECORDS; i += 6)
        take(pool, where, i);
    for (uint32_t i = 0; i < RECORDS; i++)
        g_assert_true(where[i] == 0 || holds_only(pool_at(pool, where[i]), size_of(i), (unsigned char)(i % 251 + 1)));
    g_free(where);
    pool_free(pool);
}

static void use_again_what_is_given_back(void)
{
    record_pool *pool = pool_new();
    uint32_t chunks = 0;

    pool_give_back(pool, 0, 40);
    for (unsigned round = 0; round < 100; round++) {
        place where[1000];

        for (unsigned i = 0; i < G_N_ELEMENTS(where); i++)
            where[i] = pool_take(pool, 40 + round % 8);
        for (unsigned i = 0; i < G_N_ELEMENTS(where); i++)
            pool_give_back(pool, where[i], 40 + round % 8);
        if (round < 8)
            chunks = pool->chunk_count;
    }
    g_assert_cmpuint(pool->chunk_count, ==, chunks);
    pool_free(pool);
}

static uint32_t count_free_bytes(const place *where, uint32_t count)
{
    uint32_t granules = 0;

    for (uint32_t i = 0; i < count; i++)
        granules += where[i] == 0 ? (uint32_t)(size_of(i) + POOL_GRANULE - 1) / POOL_GRANULE : 0;
    return granules * POOL_GRANULE;
}

/* What lies free side by side serves other sizes, and no more chunks are needed; what is in use stays as it is. */
static void join_what_is_free(void)
{
    record_pool *pool = pool_new();
    place *where = g_new0(place, RECORDS);
    uint32_t chunks, bytes = 0;

    for (uint32_t i = 0; i < RECORDS; i++)
        take(pool, where, i);
    chunks = pool->granted = pool->chunk_count;
    /* Every thirtieth keeps its place: between two lie some 4 kB. */
    for (uint32_t i = 0; i < RECORDS; i++) {
        if (i % 30 == 0)
            continue;
        pool_give_back(pool, where[i], size_of(i));
        where[i] = 0;
    }
    pool_join_free(pool);
    for (uint32_t size = 1; bytes < count_free_bytes(where, RECORDS) / 10 * 8; size = size % 2000 + 97) {
        place one = pool_take(pool, size);

        g_assert_true(holds_only(pool_at(pool, one), size, 0));
        memset(pool_at(pool, one), 255, size);
        bytes += size;
    }
    g_assert_cmpuint(pool->chunk_count, ==, chunks);
    for (uint32_t i = 0; i < RECORDS; i++)
        g_assert_true(where[i] == 0 || holds_only(pool_at(pool, where[i]), size_of(i), (unsigned char)(i % 251 + 1)));
    g_free(where);
    pool_free(pool);
}

/* All is given back: there is room for a segment, as often as that. */
static void have_room_again(void)
{
    record_pool *pool = pool_new();
    place where[1000];
    uint32_t chunks;

    for (unsigned i = 0; i < G_N_ELEMENTS(where); i++)
        where[i] = pool_take(pool, 1000);
    chunks = pool->granted = pool->chunk_count;
    while (pool_has_room(pool))
        pool_take(pool, POOL_LARGEST);
    g_assert_cmpuint(pool->chunk_count, ==, chunks);
    for (unsigned i = 0; i < G_N_ELEMENTS(where); i++)
        pool_give_back(pool, where[i], 1000);
    g_assert_false(pool_has_room(pool));
    pool_join_free(pool);
    for (unsigned i = 0; i < 200; i++) {
        g_assert_true(pool_has_room(pool));
        pool_take(pool, POOL_LARGEST);
    }
    g_assert_cmpuint(pool->chunk_count, ==, chunks);
    pool_free(pool);
}

static void find_place_of_record(void)
{
    record_pool *pool = pool_new();
    place *where = g_new0(place, RECORDS);

    for (uint32_t i = 0; i < RECORDS; i++) {
        take(pool, where, i);
        if (i % 1000 == 0 || i + 1 == RECORDS)
            for (uint32_t j = 0; j <= i; j += 7)
                g_assert_cmpuint(pool_place_of(pool, pool_at(pool, where[j])), ==, where[j]);
    }
    g_free(where);
    pool_free(pool);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pool/apart", keep_records_apart);
    g_test_add_func("/pool/again", use_again_what_is_given_back);
    g_test_add_func("/pool/join", join_what_is_free);
    g_test_add_func("/pool/room", have_room_again);
    g_test_add_func("/pool/place-of", find_place_of_record);
    return g_test_run();
}
