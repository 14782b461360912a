/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tap "rstcause". See tap.h. */
#include "tap.h"

#include <epan/tap.h>

#include "observe.h"

static int tap_rstcause;

void register_verdict_tap(void)
{
    tap_rstcause = register_tap(RSTCAUSE_TAP);
}

static char *keep(packet_info *pinfo, const char *text)
{
    return text != NULL ? wmem_strdup(pinfo->pool, text) : NULL;
}

/* Taps are called when all of the frame is dissected, and the tracker puts only one verdict into words at a time. */
void tap_verdict(const rstcause_verdict *verdict, packet_info *pinfo)
{
    rstcause_tap_data *data;

    if (!have_tap_listener(tap_rstcause))
        return;
    data = wmem_new0(pinfo->pool, rstcause_tap_data);
    data->verdict = *verdict;
    data->verdict.explanation = keep(pinfo, verdict->explanation);
    data->verdict.effect = keep(pinfo, verdict->effect);
    data->verdict.advice = keep(pinfo, verdict->advice);
    data->verdict.stated = keep(pinfo, verdict->stated);
    data->verdict.evidence = data->verdict.alternatives = NULL;
    data->severity = rstcause_verdict_severity(verdict);
    data->taken = read_time(pinfo);
    data->knows_all = pinfo->fd->visited;
    tap_queue_packet(tap_rstcause, pinfo, data);
}
