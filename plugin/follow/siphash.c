/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See siphash.h; the names v0 to v3 are those of the paper. */
#include "siphash.h"

enum { COMPRESSION_ROUNDS = 2, FINALIZATION_ROUNDS = 4, WORD = 8 };

typedef struct {
    uint64_t v0, v1, v2, v3;
} sip_state;

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

/* SipRound: figure 2.1 of the paper. */
static void mix(sip_state *s, unsigned rounds)
{
    while (rounds-- > 0) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 = rotate(s->v0, 32) + s->v3;
        s->v2 += s->v1;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v2 = rotate(s->v2, 32);
    }
}

/* Written out, so that compilers make one load of it. */
static uint64_t read_word(const uint8_t *b)
{
    return b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24 | (uint64_t)b[4] << 32 |
           (uint64_t)b[5] << 40 | (uint64_t)b[6] << 48 | (uint64_t)b[7] << 56;
}

/* The last bytes, fewer than a word, with the length behind them. */
static uint64_t read_last_word(const uint8_t *bytes, size_t length)
{
    uint64_t word = (uint64_t)length << 56;

    for (size_t i = length % WORD; i-- > 0;)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

static void take_in(sip_state *s, uint64_t word)
{
    s->v3 ^= word;
    mix(s, COMPRESSION_ROUNDS);
    s->v0 ^= word;
}

uint64_t siphash(const siphash_key *key, const void *message, size_t length)
{
    const uint8_t *bytes = message;
    size_t whole = length - length % WORD;
    sip_state s = {
        key->low ^ UINT64_C(0x736f6d6570736575),
        key->high ^ UINT64_C(0x646f72616e646f6d),
        key->low ^ UINT64_C(0x6c7967656e657261),
        key->high ^ UINT64_C(0x7465646279746573),
    };

    for (size_t i = 0; i < whole; i += WORD)
        take_in(&s, read_word(bytes + i));
    take_in(&s, read_last_word(bytes + whole, length));
    s.v2 ^= 0xff;
    mix(&s, FINALIZATION_ROUNDS);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
