/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A target under libFuzzer: FUZZ_TARGET is its function. FUZZ_DIALOGUE is defined where its inputs are dialogues. */
#include "fuzz.h"
#include "mutate.h"

/* The names are libFuzzer's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FUZZ_TARGET(data, size);
    return 0;
}

#ifdef FUZZ_DIALOGUE
/* Whole records are moved three times out of four: bytes put in between would make a record of each one behind. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    return seed % 4 != 0 ? dialogue_mutate(data, size, most, seed / 4) : LLVMFuzzerMutate(data, size, most);
}
#endif
