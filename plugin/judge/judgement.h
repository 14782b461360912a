/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rules have found so far of one reset; the judge makes the verdict of it. */
#ifndef RSTCAUSE_JUDGEMENT_H
#define RSTCAUSE_JUDGEMENT_H

#include "facts.h"

typedef struct {
    rstcause_cause cause;
    rstcause_detail detail;
    rstcause_confidence confidence;
    uint32_t trigger, original; /* frames, as in the verdict */
    GPtrArray *evidence;        /* of char *, owned by the verdict to be */
} judgement;

void judgement_add_evidence(judgement *judgement, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
