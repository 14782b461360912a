/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See wording.h. */
#include "wording.h"

#include <stdio.h>

#include "follow/units.h"
#include "patterns/idle_defaults.h"

const char *wording_duration(int64_t nanoseconds, char buffer[DURATION_ROOM])
{
    double seconds = (double)MAX(nanoseconds, 0) / SECOND;

    if (seconds < 0.0009995)
        snprintf(buffer, DURATION_ROOM, "%.2f ms", MAX(seconds * 1000, 0.01));
    else if (seconds < 0.09995)
        snprintf(buffer, DURATION_ROOM, "%.1f ms", seconds * 1000);
    else if (seconds < 0.9995)
        snprintf(buffer, DURATION_ROOM, "%.0f ms", seconds * 1000);
    else if (seconds < 99.95)
        snprintf(buffer, DURATION_ROOM, "%.1f s", seconds);
    else if (seconds < 9999.5)
        snprintf(buffer, DURATION_ROOM, "%.0f s", seconds);
    else
        snprintf(buffer, DURATION_ROOM, "%.1f h", seconds / 3600);
    return buffer;
}

const char *wording_sender(const situation *s)
{
    return s->sender_is_client ? "client" : "server";
}

const char *wording_receiver(const situation *s)
{
    return s->sender_is_client ? "server" : "client";
}

char *wording_hint_at_closer(int64_t idle, int64_t round_trip)
{
    char *found = idle_defaults_tell(CLOSES_IDLE, idle - idle / 50 - MAX(round_trip, 0), idle + idle / 100);
    char *hint = g_strconcat(found != NULL ? " " : "", found, NULL);

    g_free(found);
    return hint;
}
