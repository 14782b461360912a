/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hashes of addresses and port pairs: SipHash as its authors give it, and nothing to gain by choosing addresses. */
#include "follow/port_pair.h"
#include "follow/siphash.h"

#include <string.h>

#include "rstcause/stated.h"
#include "rstcause/tracker.h"

/* Key 00 01 ... 0f, messages of 0 to 15 bytes 00 01 ... 0e: the paper's appendix A has the last one, the reference
 * implementation of the same authors (vectors.h) all of them. */
static void match_reference_vectors(void)
{
    static const uint64_t expected[] = {
        UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd), UINT64_C(0x0d6c8009d9a94f5a),
        UINT64_C(0x85676696d7fb7e2d), UINT64_C(0xcf2794e0277187b7), UINT64_C(0x18765564cd99a68d),
        UINT64_C(0xcbc9466e58fee3ce), UINT64_C(0xab0200f58b01d137), UINT64_C(0x93f5f5799a932462),
        UINT64_C(0x9e0082df0ba9e4b0), UINT64_C(0x7a5dbbc594ddb9f3), UINT64_C(0xf4b32f46226bada7),
        UINT64_C(0x751e8fbc860ee5fb), UINT64_C(0x14ea5627c0843d90), UINT64_C(0xf723ca908e7af2ee),
        UINT64_C(0xa129ca6149be45e5),
    };
    const siphash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    uint8_t message[G_N_ELEMENTS(expected)];

    for (size_t length = 0; length < G_N_ELEMENTS(expected); length++) {
        g_assert_cmphex(siphash(&key, message, length), ==, expected[length]);
        message[length] = (uint8_t)length;
    }
}

/* The multiplication of what the tables used before: a flipped top byte stays in the top byte, so that the second half
 * of an address can take it back. */
static uint64_t multiply(uint64_t hash, uint64_t part)
{
    hash = (hash ^ part) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

enum { BITS = 8, CRAFTED = 1 << (2 * BITS) };

/* Of these, 2^BITS each collide under that multiplication, whatever was mixed in before. */
static rstcause_address craft(uint32_t i)
{
    const uint64_t turn = i >> BITS, answer = i & ((1 << BITS) - 1);
    const uint64_t parts[2] = {turn << (64 - BITS), answer << (64 - BITS) | answer << (32 - BITS)};
    rstcause_address address = {.length = 16};

    memcpy(address.bytes, parts, sizeof parts);
    return address;
}

static uint64_t hash_as_before(const rstcause_address *address)
{
    uint64_t parts[2];

    memcpy(parts, address->bytes, sizeof parts);
    return (unsigned)multiply(multiply(UINT64_C(0x1234567890abcdef), parts[0]), parts[1]);
}

static unsigned count_distinct(GHashTable *seen)
{
    unsigned count = g_hash_table_size(seen);

    g_hash_table_destroy(seen);
    return count;
}

static void scatter_crafted_addresses(void)
{
    GHashTable *before = g_hash_table_new(NULL, NULL), *now = g_hash_table_new(NULL, NULL),
               *pairs = g_hash_table_new(NULL, NULL);
    const rstcause_address peer = {.length = 16};

    for (uint32_t i = 0; i < CRAFTED; i++) {
        rstcause_address address = craft(i);
        port_pair pair = {{&peer, &address}, {80, 1024}, 0};

        g_hash_table_add(before, GUINT_TO_POINTER(hash_as_before(&address)));
        g_hash_table_add(now, GUINT_TO_POINTER(address_hash(&address)));
        g_hash_table_add(pairs, GUINT_TO_POINTER(port_pair_hash(&pair)));
    }
    /* The set does what it is made for. */
    g_assert_cmpuint(count_distinct(before), ==, CRAFTED >> BITS);
    /* Of 65,536 numbers of 32 bits drawn at random, one or so is drawn twice. */
    g_assert_cmpuint(count_distinct(now), >=, CRAFTED - 16);
    g_assert_cmpuint(count_distinct(pairs), >=, CRAFTED - 16);
}

static double time_flood(rstcause_address (*address_of)(uint32_t), uint32_t count)
{
    rstcause_tracker *tracker = rstcause_tracker_new(rstcause_stated_default_magic);
    int64_t begun = g_get_monotonic_time();

    for (uint32_t i = 0; i < count; i++) {
        rstcause_segment syn = {.frame = i + 1,
                                .time = i * INT64_C(1000),
                                .flags = RSTCAUSE_SYN,
                                .source = address_of(i),
                                .destination = {.length = 16, .bytes = {0xfd, 1}},
                                .source_port = 1024,
                                .destination_port = 80,
                                .window_shift = -1};

        rstcause_tracker_observe(tracker, &syn);
    }
    begun = g_get_monotonic_time() - begun;
    rstcause_tracker_free(tracker);
    return (double)MAX(begun, 1);
}

static rstcause_address count_up(uint32_t i)
{
    rstcause_address address = {.length = 16, .bytes = {0xfd}};

    memcpy(address.bytes + 12, &i, sizeof i);
    return address;
}

/* Side by side with addresses that nobody chose; with the multiplication it was 8 times as slow. The machine may have
 * other work, so the best of a few tries counts. */
static void stay_fast_with_crafted_addresses(void)
{
    double best = G_MAXDOUBLE;

    for (unsigned attempt = 0; attempt < 5 && best > 2; attempt++)
        best = MIN(best, time_flood(craft, CRAFTED) / time_flood(count_up, CRAFTED));
    g_test_message("crafted addresses take %.2f times as long as others", best);
    g_assert_cmpfloat(best, <, 3);
}

/* Neither half nor the order of a pair may be lost, nor the length of an address. */
static void tell_pairs_apart(void)
{
    const rstcause_address one = {.length = 4, .bytes = {10, 0, 0, 1}}, other = {.length = 4, .bytes = {10, 0, 0, 2}},
                           wide = {.length = 16, .bytes = {10, 0, 0, 1}};
    const port_pair pairs[] = {
        {{&one, &other}, {1, 2}, 0}, {{&one, &other}, {2, 1}, 0},  {{&other, &one}, {1, 2}, 0},
        {{&one, &one}, {1, 2}, 0},   {{&wide, &other}, {1, 2}, 0}, {{&one, &other}, {1, 2}, 1},
    };

    for (size_t a = 0; a < G_N_ELEMENTS(pairs); a++) {
        for (size_t b = 0; b < G_N_ELEMENTS(pairs); b++) {
            g_assert_cmpint(port_pair_equal(&pairs[a], &pairs[b]), ==, a == b);
            g_assert_cmpint(port_pair_hash(&pairs[a]) == port_pair_hash(&pairs[b]), ==, a == b);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hash/siphash", match_reference_vectors);
    g_test_add_func("/hash/crafted-addresses", scatter_crafted_addresses);
    g_test_add_func("/hash/crafted-flood", stay_fast_with_crafted_addresses);
    g_test_add_func("/hash/pairs", tell_pairs_apart);
    return g_test_run();
}
