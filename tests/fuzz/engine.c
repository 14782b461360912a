/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See fuzz.h. */
#include "fuzz.h"

#include "oracle.h"

void fuzz_engine(const uint8_t *data, size_t size)
{
    GPtrArray *packets = dialogue_read(data, size);

    oracle_judge(packets);
    g_ptr_array_unref(packets);
}
