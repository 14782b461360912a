/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fuzz targets without a fuzzer, under any compiler: their corpus, and changes of it from a fixed seed. What a
 * target promises stands in tests/fuzz; it aborts with a sentence where the engine breaks that.
 */
#include <string.h>

#include "dialogue.h"
#include "fuzz.h"
#include "mutate.h"
#include "oracle.h"

enum { LARGEST = 4096, SEED = 9293, CHANGED_DIALOGUES = 1500, CHANGED_PAYLOADS = 30000 };

/* The inputs of a target: GBytes *. */
static GPtrArray *read_corpus(const char *target)
{
    GPtrArray *corpus = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    char *folder = g_build_filename(FUZZ_CORPUS, target, NULL);
    GDir *files = g_dir_open(folder, 0, NULL);
    const char *name;

    g_assert_nonnull(files);
    while ((name = g_dir_read_name(files)) != NULL) {
        char *path = g_build_filename(folder, name, NULL), *data;
        size_t size;

        if (g_file_get_contents(path, &data, &size, NULL))
            g_ptr_array_add(corpus, g_bytes_new_take(data, size));
        g_free(path);
    }
    g_dir_close(files);
    g_free(folder);
    g_assert_cmpuint(corpus->len, >, 10);
    return corpus;
}

typedef void (*fuzz_target)(const uint8_t *data, size_t size);

static void run_corpus(const GPtrArray *corpus, fuzz_target target)
{
    for (unsigned i = 0; i < corpus->len; i++) {
        size_t size;
        const uint8_t *data = g_bytes_get_data(g_ptr_array_index(corpus, i), &size);

        target(data, size);
    }
}

/* One of the corpus, for changes; returns its size. */
static size_t copy_any(GRand *random, const GPtrArray *corpus, uint8_t data[LARGEST])
{
    size_t size;
    const void *from =
        g_bytes_get_data(g_ptr_array_index(corpus, g_rand_int_range(random, 0, (int32_t)corpus->len)), &size);

    size = MIN(size, LARGEST);
    memcpy(data, from, size);
    return size;
}

/* The corpus must lead the judge to each cause, or it tests less than it seems to. */
static void check_counts(void)
{
    for (unsigned cause = 0; cause < RSTCAUSE_CAUSES; cause++) {
        g_test_message("%s: %" G_GUINT64_FORMAT ", certain %" G_GUINT64_FORMAT, rstcause_cause_name(cause),
                       oracle_counted.causes[cause], oracle_counted.certain[cause]);
        g_assert_cmpuint(oracle_counted.causes[cause], >, 0);
    }
}

static void test_engine(void)
{
    GRand *random = g_rand_new_with_seed(SEED);
    GPtrArray *corpus = read_corpus("engine");
    uint8_t data[LARGEST];

    run_corpus(corpus, fuzz_engine);
    check_counts();
    for (unsigned i = 0; i < CHANGED_DIALOGUES; i++) {
        size_t size = copy_any(random, corpus, data);

        size = dialogue_mutate(data, size, sizeof data, g_rand_int(random));
        fuzz_engine(data, size);
    }
    g_ptr_array_unref(corpus);
    g_rand_free(random);
}

/* One long capture, in which records are packed, and segments forgotten. */
static void test_long_dialogue(void)
{
    enum { RECORDS = 8000, SIZE = DIALOGUE_HEADER + RECORDS * DIALOGUE_RECORD };
    GRand *random = g_rand_new_with_seed(SEED);
    uint8_t *data = g_malloc0(SIZE);
    size_t size = 0;

    while (size + DIALOGUE_RECORD * 32 < SIZE)
        size = dialogue_mutate(data, size, SIZE, g_rand_int(random));
    fuzz_engine(data, size);
    g_free(data);
    g_rand_free(random);
}

/* Bits, bytes, a piece left out, a piece twice. */
static size_t change_bytes(GRand *random, uint8_t data[LARGEST], size_t size)
{
    size_t at, rest;

    if (size == 0)
        return 1;
    at = (size_t)g_rand_int_range(random, 0, (int32_t)size);
    rest = size - at;
    switch (g_rand_int_range(random, 0, 5)) {
    case 0:
        data[at] ^= (uint8_t)(1 << g_rand_int_range(random, 0, 8));
        return size;
    case 1:
        data[at] = (uint8_t)g_rand_int(random);
        return size;
    case 2: /* the values at the ends of ranges, and CBOR's long and indefinite heads */
        data[at] = (const uint8_t[]){
            0x00, 0x7f, 0x80, 0xff, 0x1b, 0x5f, 0x7b, 0x9f, 0xbf, 0xdb}[g_rand_int_range(random, 0, 10)];
        return size;
    case 3:
        memmove(data + at, data + at + 1, rest - 1);
        return size - 1;
    default:
        rest = MIN(rest, LARGEST - size);
        memmove(data + at + rest, data + at, size - at);
        return size + rest;
    }
}

static void run_changed(const char *name, fuzz_target target)
{
    GRand *random = g_rand_new_with_seed(SEED);
    GPtrArray *corpus = read_corpus(name);
    uint8_t data[LARGEST] = {0};

    run_corpus(corpus, target);
    for (unsigned i = 0; i < CHANGED_PAYLOADS; i++) {
        size_t size = copy_any(random, corpus, data);

        for (int count = g_rand_int_range(random, 1, 6); count > 0; count--)
            size = change_bytes(random, data, size);
        target(data, size);
    }
    g_ptr_array_unref(corpus);
    g_rand_free(random);
}

static void test_stated(void)
{
    run_changed("stated", fuzz_stated);
}

static void test_payload(void)
{
    run_changed("payload", fuzz_payload);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/fuzz/engine", test_engine);
    g_test_add_func("/fuzz/long-dialogue", test_long_dialogue);
    g_test_add_func("/fuzz/stated", test_stated);
    g_test_add_func("/fuzz/payload", test_payload);
    return g_test_run();
}
