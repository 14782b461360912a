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

static uint64_t read_little_endian(const uint8_t *bytes, size_t count)
{
    uint64_t word = 0;

    for (size_t i = 0; i < count; i++)
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
        take_in(&s, read_little_endian(bytes + i, WORD));
    take_in(&s, read_little_endian(bytes + whole, length - whole) | (uint64_t)length << 56);
    s.v2 ^= 0xff;
    mix(&s, FINALIZATION_ROUNDS);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
