/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must hold of the verdicts on any packets. Aborts with a sentence where it does not. Must not know how the engine judges. */
#ifndef ORACLE_H
#define ORACLE_H

#include "dialogue.h"
#include "rstcause/verdict.h"

/* How often each was said at the end, of all inputs so far. */
typedef struct {
    uint64_t resets;
    uint64_t causes[RSTCAUSE_CAUSES];
    uint64_t certain[RSTCAUSE_CAUSES];
    uint64_t details[RSTCAUSE_DETAILS];
    uint64_t patterns[RSTCAUSE_PATTERNS];
} oracle_counts;

extern oracle_counts oracle_counted;

/* Judges the packets of a dialogue, several times over. */
void oracle_judge(const GPtrArray *packets);

#endif
