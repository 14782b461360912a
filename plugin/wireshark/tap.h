/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tap "rstcause": gives each verdict to whoever counts resets. Costs nothing while nobody listens. */
#ifndef RSTCAUSE_TAP_H
#define RSTCAUSE_TAP_H

#include "compat.h"
#include "rstcause/catalogue.h"
#include "rstcause/verdict.h"

/* What a listener is given, once for each reset that a frame shows. As long as the packet. */
typedef struct {
    rstcause_verdict verdict; /* without evidence and alternatives, which are NULL */
    rstcause_severity severity;
    int64_t taken;  /* of the frame, nanoseconds since the epoch */
    bool knows_all; /* the whole file has been seen: what comes later can change the verdict no more */
} rstcause_tap_data;

/* The name that listeners give. */
#define RSTCAUSE_TAP "rstcause"

/* Once, at registration. */
void register_verdict_tap(void);

void tap_verdict(const rstcause_verdict *verdict, packet_info *pinfo);

#endif
