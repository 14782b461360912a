/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fuzz targets, and what they have in common. A target takes any bytes, and aborts with a sentence where the engine breaks
 * a promise. It runs under libFuzzer (entry.c), and in unit/fuzz_test.c under any compiler.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Connections of any kind, and what must hold of the verdicts on their resets: see dialogue.h and oracle.h. */
void fuzz_engine(const uint8_t *data, size_t size);

/*
 * What a reset's sender states: payloads (diagnostic in both layouts, BIG-IP's text, remarks), TCP options, the trailer of
 * an F5 device, NetScaler's windows. Checked is what rstcause/stated.h promises. An input: a byte of choices (stated.c), how
 * many bytes of payload the capture lacks, the length of the options, the options, the payload.
 */
void fuzz_stated(const uint8_t *data, size_t size);

/*
 * What a payload is by its first bytes, and what is told of last words. Checked is what rstcause/first_bytes.h and
 * stated/last_words.h promise. An input: a byte that chooses the source port, the payload.
 */
void fuzz_payload(const uint8_t *data, size_t size);

/* Aborts with this sentence unless the promise holds. */
void fuzz_require(bool holds, const char *sentence);

/* ... of what was found in a frame. */
void fuzz_require_of(bool holds, uint32_t frame, const char *sentence);

/* The bytes of an input that are not used yet. */
typedef struct {
    const uint8_t *next;
    size_t left;
} fuzz_bytes;

/* The next byte, 0 where none is left. */
uint8_t fuzz_take(fuzz_bytes *input);

/*
 * The next 'length' bytes, or as many as there are, in memory of their own and just as long, where a byte too far is
 * noticed. Free with g_free(); NULL where there are none. Sets 'taken'.
 */
uint8_t *fuzz_take_block(fuzz_bytes *input, size_t length, size_t *taken);

#endif
