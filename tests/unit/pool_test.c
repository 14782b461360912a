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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pool/apart", keep_records_apart);
    g_test_add_func("/pool/again", use_again_what_is_given_back);
    return g_test_run();
}
