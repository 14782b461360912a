/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See fuzz.h. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include <glib.h>

void fuzz_require(bool holds, const char *sentence)
{
    if (holds)
        return;
    fprintf(stderr, "fuzz: %s\n", sentence);
    abort();
}

void fuzz_require_of(bool holds, uint32_t frame, const char *sentence)
{
    if (holds)
        return;
    fprintf(stderr, "fuzz: #%u: %s\n", frame, sentence);
    abort();
}

uint8_t fuzz_take(fuzz_bytes *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->next++;
}

uint8_t *fuzz_take_block(fuzz_bytes *input, size_t length, size_t *taken)
{
    uint8_t *block;

    *taken = MIN(length, input->left);
    block = g_memdup2(input->next, *taken);
    input->next += *taken;
    input->left -= *taken;
    return block;
}
