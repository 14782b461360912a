/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 10,000 mutated statements: no crash, no read outside the bytes given (under AddressSanitizer), and always what
 * rstcause/stated.h promises. The seed is fixed, so that a failure comes back.
 */
#include "rstcause/stated.h"

#include <string.h>

#define MUTATIONS 10000
#define SEED      9293
#define LONGEST   600

typedef struct {
    const char *bytes;
    size_t length;
} sample;

#define SAMPLE(literal)                                                                                                \
    {                                                                                                                  \
        (literal), sizeof(literal) - 1                                                                                 \
    }

static const sample payloads[] = {
    SAMPLE("\x33\xaa\x00\x02\x00\x00\x00\x00"),
    SAMPLE("\x33\xaa\x04\xd2\x00\x00\x7e\xd9"),
    SAMPLE("\xf3\x17no backend is left"),
    SAMPLE("\x19\x30\x39\xa1\x01\x02"),
    SAMPLE("\x19\x30\x39\xa2\x01\x19\x04\xd2\x02\x19\x7e\xd9"),
    SAMPLE("\x19\x30\x39\xa1\x03\x78\x1f"
           "brief human-readable descripti\xc3\xb6"),
    SAMPLE(
        "\xd9\xd9\xf7\x1b\x00\x00\x00\x00\x00\x00\x30\x39\xbf\x18\x01\x1a\x00\x00\x00\x03\x03\x7f\x62go\x63ing\xff\x07"
        "\x82\x81\x20\xf9\x00\x00\xff"),
    SAMPLE("BIG-IP: [0x11c5672:3045] {peer} TCP RST from remote system"),
    SAMPLE("BIG-IP: [0x2664c65:2574] No flow found for ACK"),
    SAMPLE("Go away, we're not home"),
    SAMPLE("\x02\x26\x01"
           "zzzzzzzzzzzzzzzzzzzzzzzzzz"
           "\x0a\0zzzzzzzzx"),
    SAMPLE("\xf5\xde\xb0\xf5\0\x42\0\1"
           "\0\1\0\2\0\x32\0\4"
           "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"
           "\x0a\0zzzzzzzzx"),
};

static const sample options[] = {
    SAMPLE("\x01\x01\x08\x0a\x00\x00\x00\x01\x00\x00\x00\x02\x1e\x04\x81\x02"),
    SAMPLE("\x1e\x0c\x70\x00\x01\x02\x03\x04\x05\x06\x07\x08\x1e\x04\x8f\x06\x00\x00\x00\x00"),
};

static void mutate(GRand *random, GByteArray *bytes)
{
    uint8_t byte = (uint8_t)g_rand_int_range(random, 0, 256);

    if (bytes->len == 0) {
        g_byte_array_append(bytes, &byte, 1);
        return;
    }
    unsigned at = (unsigned)g_rand_int_range(random, 0, (int32_t)bytes->len);
    unsigned rest = bytes->len - at;

    switch (g_rand_int_range(random, 0, 6)) {
    case 0:
        bytes->data[at] ^= (uint8_t)(1 << g_rand_int_range(random, 0, 8));
        break;
    case 1:
        bytes->data[at] = byte;
        break;
    case 2: /* the values at the ends of ranges, and CBOR's long and indefinite heads */
        bytes->data[at] = (const uint8_t[]){0x00, 0x7f, 0x80, 0xff, 0x1b, 0x5f, 0x7b, 0x9f, 0xbf, 0xdb}[byte % 10];
        break;
    case 3:
        g_byte_array_remove_range(bytes, at, 1 + byte % rest);
        break;
    case 4:
        g_byte_array_set_size(bytes, at);
        break;
    default: { /* a piece of itself once more */
        uint8_t *piece = g_memdup2(bytes->data + at, rest);
        if (bytes->len + rest <= LONGEST)
            g_byte_array_append(bytes, piece, rest);
        g_free(piece);
        break;
    }
    }
}

static GByteArray *mutate_sample(GRand *random, const sample *samples, size_t count)
{
    const sample *picked = &samples[g_rand_int_range(random, 0, (int32_t)count)];
    GByteArray *bytes = g_byte_array_new();

    g_byte_array_append(bytes, (const uint8_t *)picked->bytes, (unsigned)picked->length);
    for (int i = g_rand_int_range(random, 1, 6); i > 0; i--)
        mutate(random, bytes);
    return bytes;
}

/* In memory of its own and just as long, where a byte too far is noticed; NULL where there is none. */
static uint8_t *copy_exactly(const GByteArray *bytes)
{
    return g_memdup2(bytes->data, bytes->len);
}

static void check_promises(const rstcause_stated *stated)
{
    if (!stated->text) {
        g_assert_false(stated->has_cause);
        g_assert_false(stated->is_fastclose);
        g_assert_cmpuint(stated->failure_code, ==, 0);
        return;
    }
    g_assert_cmpuint(strlen(stated->text), >, 0);
    g_assert_cmpuint(strlen(stated->text), <=, 255);
    g_assert_true(g_utf8_validate(stated->text, -1, NULL));
    for (const char *at = stated->text; *at; at = g_utf8_next_char(at))
        g_assert_true(g_unichar_isprint(g_utf8_get_char(at)));
    if (stated->has_cause)
        g_assert_cmpint(stated->cause, <, RSTCAUSE_CAUSES);
    g_assert_cmpuint(stated->failure_code, <=, 65535);
}

static void test_mutations(void)
{
    GRand *random = g_rand_new_with_seed(SEED);
    unsigned states = 0;

    for (unsigned i = 0; i < MUTATIONS; i++) {
        GByteArray *payload = mutate_sample(random, payloads, G_N_ELEMENTS(payloads));
        GByteArray *option = mutate_sample(random, options, G_N_ELEMENTS(options));
        uint8_t *payload_copy = copy_exactly(payload);
        uint8_t *option_copy = copy_exactly(option);
        rstcause_segment segment = {
            .payload = payload_copy,
            .payload_captured = payload->len,
            .length = payload->len + (uint32_t)(g_rand_boolean(random) ? 0 : g_rand_int_range(random, 0, 20)),
            .options = i % 2 ? option_copy : NULL,
            .options_length = i % 2 ? option->len : 0,
        };
        char *note = i % 4 == 0 ? g_strndup((const char *)payload->data, payload->len) : NULL;
        char *trailer_note = rstcause_stated_read_f5_trailer(payload_copy, payload->len);
        segment.device_note = note != NULL ? note : trailer_note;
        rstcause_stated stated;

        rstcause_stated_read(&stated, &segment, i % 3 ? rstcause_stated_default_magic : g_rand_int(random));
        check_promises(&stated);
        states += stated.text ? 1 : 0;
        rstcause_stated_clear(&stated);

        g_free(note);
        g_free(trailer_note);
        g_free(payload_copy);
        g_free(option_copy);
        g_byte_array_free(payload, true);
        g_byte_array_free(option, true);
    }
    g_rand_free(random);
    /* Mutations that all miss the formats would test nothing. */
    g_assert_cmpuint(states, >, MUTATIONS / 4);
    g_assert_cmpuint(states, <, MUTATIONS);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stated/fuzz", test_mutations);
    return g_test_run();
}
