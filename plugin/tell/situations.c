/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of each pattern. See situations.h. */
#include "situations.h"

#include <stdio.h>

#include "follow/units.h"

enum { DURATION_ROOM = 24 };

/* "0.4 ms", "5.0 s", "351 s", "2.5 h": idle times are told to the second, as they are set. */
static const char *duration(int64_t nanoseconds, char buffer[DURATION_ROOM])
{
    double seconds = (double)MAX(nanoseconds, 0) / SECOND;

    if (seconds < 0.0000995)
        g_strlcpy(buffer, "less than 0.1 ms", DURATION_ROOM);
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

static const char *sender(const situation *s)
{
    return s->sender_is_client ? "client" : "server";
}

static const char *receiver(const situation *s)
{
    return s->sender_is_client ? "server" : "client";
}

static char *explain_race(const situation *s)
{
    const reset_facts *f = s->facts;
    char idle[DURATION_ROOM], gap[DURATION_ROOM];

    if (f->trigger.frame < f->sender->fin_frame)
        return g_strdup_printf("The %s closed the idle connection after %s, while a request was on its way. "
                               "FIN #%u was sent before #%u (%u bytes) can have arrived, which left %s before the FIN "
                               "came: neither side could know of the other's.",
                               sender(s), duration(s->idle, idle), f->sender->fin_frame, f->trigger.frame,
                               f->trigger.length, duration(f->sender->fin_time - f->trigger.time, gap));
    return g_strdup_printf("The %s closed the idle connection after %s, %s before request #%u came. "
                           "The request (%u bytes) had left before FIN #%u can have reached the %s: it does not "
                           "acknowledge the FIN.",
                           sender(s), duration(s->idle, idle), duration(f->trigger.time - f->sender->fin_time, gap),
                           f->trigger.frame, f->trigger.length, f->sender->fin_frame, receiver(s));
}

static char *advise_race(const situation *s)
{
    char idle[DURATION_ROOM];

    return g_strdup_printf("Let the %s drop idle connections sooner than the %s, which closes them after %s, and retry "
                           "requests that may be repeated.",
                           receiver(s), sender(s), duration(s->idle, idle));
}

static char *explain_stale(const situation *s)
{
    const reset_facts *f = s->facts;
    char idle[DURATION_ROOM], gap[DURATION_ROOM];

    return g_strdup_printf("The %s used a connection that the %s had closed %s before. "
                           "FIN #%u ended it after %s of idleness, and #%u (%u bytes) acknowledges that FIN: the %s's "
                           "system knew of it.",
                           receiver(s), sender(s), duration(f->trigger.time - f->sender->fin_time, gap),
                           f->sender->fin_frame, duration(s->idle, idle), f->trigger.frame, f->trigger.length,
                           receiver(s));
}

static char *advise_stale(const situation *s)
{
    char idle[DURATION_ROOM];

    return g_strdup_printf(
        "Let the %s's pool notice the end of file before it uses a connection (validate it), or drop "
        "idle ones before %s.",
        receiver(s), duration(s->idle, idle));
}

static char *explain_goodbye(const situation *s)
{
    const reset_facts *f = s->facts;

    return g_strdup_printf("Harmless: a TLS goodbye came after the %s had closed. "
                           "Alert #%u met a socket that FIN #%u had closed already.",
                           sender(s), f->trigger.frame, f->sender->fin_frame);
}

typedef struct {
    char *(*explain)(const situation *s);
    char *(*advise)(const situation *s); /* NULL where there is nothing to do */
} pattern_words;

static const pattern_words words[RSTCAUSE_PATTERNS] = {
    [RSTCAUSE_KEEP_ALIVE_RACE] = {explain_race, advise_race},
    [RSTCAUSE_STALE_CONNECTION] = {explain_stale, advise_stale},
    [RSTCAUSE_LATE_CLOSE_NOTIFY] = {explain_goodbye, NULL},
};

char *situations_explain(rstcause_pattern pattern, const situation *s)
{
    return words[pattern].explain != NULL ? words[pattern].explain(s) : NULL;
}

char *situations_advise(rstcause_pattern pattern, const situation *s)
{
    return words[pattern].advise != NULL ? words[pattern].advise(s) : NULL;
}
