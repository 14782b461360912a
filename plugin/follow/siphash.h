/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SipHash-2-4, a hash with a secret key: who does not know the key cannot find messages that collide. Aumasson and
 * Bernstein, "SipHash: a fast short-input PRF" (INDOCRYPT 2012), section 2.
 */
#ifndef RSTCAUSE_SIPHASH_H
#define RSTCAUSE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t low, high; /* bytes 0 to 7 and 8 to 15 of the key, little-endian */
} siphash_key;

uint64_t siphash(const siphash_key *key, const void *message, size_t length);

#endif
