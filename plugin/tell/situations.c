/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of each pattern. See situations.h. */
#include "situations.h"

#include <stdio.h>

#include "follow/units.h"
#include "stated/last_words.h"

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

static char *explain_unanswered(const situation *s)
{
    const reset_facts *f = s->facts;
    char waited[DURATION_ROOM];

    return g_strdup_printf("The server took request #%u in and reset %s later, without a byte of reply. "
                           "It had acknowledged all %u bytes of it, and sent nothing since.",
                           f->receiver->last_data_frame, duration(f->reset.time - f->receiver->last_data_time, waited),
                           f->receiver->last_data_length);
}

static char *advise_unanswered(const situation *s)
{
    (void)s;
    return g_strdup("Look at the server's log at this time: it crashed, timed out, or refused while at work.");
}

static char *tell_status(const situation *s)
{
    const rstcause_first_bytes said = {.kind = RSTCAUSE_HTTP_RESPONSE, .code = s->facts->sender->http_status};

    return last_words_tell(&said);
}

static char *explain_early(const situation *s)
{
    const endpoint *server = s->facts->sender, *client = s->facts->receiver;
    char *status = tell_status(s), *text;

    if (client->last_data_frame > server->last_data_frame)
        text = g_strdup_printf("The server answered with %s while the request was still coming. "
                               "Its answer ends with #%u; the request went on to #%u, which nobody read.",
                               status, server->last_data_frame, client->last_data_frame);
    else
        text = g_strdup_printf("The server answered with %s and closed with the request unread. "
                               "Its answer ends with #%u; of the request up to #%u some was left in its socket, so "
                               "that the system reset.",
                               status, server->last_data_frame, client->last_data_frame);
    g_free(status);
    return text;
}

static char *advise_early(const situation *s)
{
    char *status = tell_status(s);
    char *text = g_strdup_printf("The reset may have cost the client the answer (%s): let the server read the request "
                                 "to its end (lingering close), or the client send Expect: 100-continue.",
                                 status);

    g_free(status);
    return text;
}

static char *explain_cancelled(const situation *s)
{
    const reset_facts *f = s->facts;
    char waited[DURATION_ROOM];

    if (s->judgement->cause == RSTCAUSE_DATA_AFTER_CLOSE)
        return g_strdup_printf("The client closed while the server was still sending. "
                               "It had asked in #%u and left with FIN #%u, %s later; #%u (%u bytes) met nobody.",
                               f->sender->last_data_frame, f->sender->fin_frame,
                               duration(f->sender->fin_time - f->sender->last_data_time, waited), f->trigger.frame,
                               f->trigger.length);
    return g_strdup_printf("The client reset while the server was still sending. "
                           "It had asked in #%u and left %s later; what the server sent up to #%u was on its way.",
                           f->sender->last_data_frame, duration(f->reset.time - f->sender->last_data_time, waited),
                           f->receiver->last_data_frame);
}

static char *advise_cancelled(const situation *s)
{
    (void)s;
    return g_strdup("Did a timeout of the client run out, or did its user leave?");
}

static char *explain_refusal(const situation *s)
{
    const reset_facts *f = s->facts;
    bool is_own = situation_has_refused(f->sender);
    const endpoint *e = is_own ? f->sender : f->receiver;
    char *alert = last_words_tell(&e->last_words), *text;

    text = g_strdup_printf("The %s refused the other's TLS: %s. It said so in #%u, and the reset followed.",
                           is_own ? sender(s) : receiver(s), alert, e->last_words_frame);
    g_free(alert);
    return text;
}

static char *advise_refusal(const situation *s)
{
    (void)s;
    return g_strdup("Compare certificate, name, and the versions of TLS that both sides allow, as the alert says.");
}

static const char *name_protocol(uint8_t said)
{
    switch (said) {
    case RSTCAUSE_HTTP_REQUEST:
    case RSTCAUSE_HTTP_RESPONSE:
        return "plain HTTP";
    case RSTCAUSE_TLS_CLIENT_HELLO:
    case RSTCAUSE_TLS_RECORDS:
    case RSTCAUSE_TLS_ALERT:
    case RSTCAUSE_TLS_ENCRYPTED_ALERT:
        return "TLS";
    case RSTCAUSE_SMTP_REPLY:
        return "SMTP";
    case RSTCAUSE_FTP_REPLY:
        return "FTP";
    case RSTCAUSE_SSH_VERSION:
    case RSTCAUSE_SSH_DISCONNECT:
        return "SSH";
    default:
        return "something else";
    }
}

static char *explain_protocols(const situation *s)
{
    const reset_facts *f = s->facts;
    const endpoint *client = s->sender_is_client ? f->sender : f->receiver;
    const endpoint *server = s->sender_is_client ? f->receiver : f->sender;

    return g_strdup_printf("The client speaks %s to a port where the server speaks %s. "
                           "So say the first bytes of each.",
                           name_protocol(client->first_said), name_protocol(server->first_said));
}

static char *advise_protocols(const situation *s)
{
    (void)s;
    return g_strdup("Is it the right port, and do both sides agree on TLS?");
}

static char *explain_slow_reader(const situation *s)
{
    const reset_facts *f = s->facts;
    char waited[DURATION_ROOM];

    return g_strdup_printf("The %s did not read: its window was closed when the %s gave up. "
                           "#%u says so, and the last data was sent %s before the reset.",
                           receiver(s), sender(s), f->receiver->last_frame,
                           duration(f->reset.time - f->sender->last_data_time, waited));
}

static char *advise_slow_reader(const situation *s)
{
    return g_strdup_printf("Why does the %s's application not read: is it blocked, or too slow?", receiver(s));
}

typedef struct {
    char *(*explain)(const situation *s);
    char *(*advise)(const situation *s); /* NULL where there is nothing to do */
} pattern_words;

static const pattern_words words[RSTCAUSE_PATTERNS] = {
    [RSTCAUSE_KEEP_ALIVE_RACE] = {explain_race, advise_race},
    [RSTCAUSE_STALE_CONNECTION] = {explain_stale, advise_stale},
    [RSTCAUSE_LATE_CLOSE_NOTIFY] = {explain_goodbye, NULL},
    [RSTCAUSE_EARLY_REPLY] = {explain_early, advise_early},
    [RSTCAUSE_CANCELLED_DOWNLOAD] = {explain_cancelled, advise_cancelled},
    [RSTCAUSE_REQUEST_UNANSWERED] = {explain_unanswered, advise_unanswered},
    [RSTCAUSE_REFUSED_BY_TLS] = {explain_refusal, advise_refusal},
    [RSTCAUSE_WRONG_PROTOCOL] = {explain_protocols, advise_protocols},
    [RSTCAUSE_SLOW_READER] = {explain_slow_reader, advise_slow_reader},
};

char *situations_explain(rstcause_pattern pattern, const situation *s)
{
    return words[pattern].explain != NULL ? words[pattern].explain(s) : NULL;
}

char *situations_advise(rstcause_pattern pattern, const situation *s)
{
    return words[pattern].advise != NULL ? words[pattern].advise(s) : NULL;
}
