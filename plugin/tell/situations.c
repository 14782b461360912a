/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of each pattern. See situations.h. */
#include "situations.h"

#include <stdio.h>

#include "follow/units.h"
#include "patterns/idle_defaults.h"
#include "stated/last_words.h"

enum { DURATION_ROOM = 24 };

/* "0.4 ms", "5.0 s", "351 s", "2.5 h": idle times are told to the second, as they are set. */
static const char *duration(int64_t nanoseconds, char buffer[DURATION_ROOM])
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

static const char *sender(const situation *s)
{
    return s->sender_is_client ? "client" : "server";
}

static const char *receiver(const situation *s)
{
    return s->sender_is_client ? "server" : "client";
}

/* "75 s is the default of nginx.", behind a space; or nothing. */
static char *hint_at_closer(int64_t idle, int64_t round_trip)
{
    char *found = idle_defaults_tell(CLOSES_IDLE, idle - idle / 50 - MAX(round_trip, 0), idle + idle / 100);
    char *hint = g_strconcat(found != NULL ? " " : "", found, NULL);

    g_free(found);
    return hint;
}

static char *explain_race(const situation *s)
{
    const reset_facts *f = s->facts;
    char idle[DURATION_ROOM], gap[DURATION_ROOM];

    if (f->trigger.frame < f->sender->fin_frame)
        return g_strdup_printf("The %s closed the idle connection after %s, while a request was on its way. "
                               "FIN #%u left before #%u (%u bytes) can have arrived, and came %s after that had left.",
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
    char *hint = hint_at_closer(s->idle, s->facts->receiver->answer_delay), *text;

    text = g_strdup_printf("Let the %s drop idle connections sooner than the %s, which closes them after %s, and retry "
                           "requests that may be repeated.%s",
                           receiver(s), sender(s), duration(s->idle, idle), hint);
    g_free(hint);
    return text;
}

static char *explain_stale(const situation *s)
{
    const reset_facts *f = s->facts;
    char idle[DURATION_ROOM], gap[DURATION_ROOM];

    return g_strdup_printf(
        "The %s used a connection that the %s had closed %s before. "
        "FIN #%u ended it%s%s, and #%u (%u bytes) acknowledges that FIN: the %s's system knew of it.",
        receiver(s), sender(s), duration(f->trigger.time - f->sender->fin_time, gap), f->sender->fin_frame,
        s->idle >= situation_idle_from ? " after a silence of " : "",
        s->idle >= situation_idle_from ? duration(s->idle, idle) : "", f->trigger.frame, f->trigger.length,
        receiver(s));
}

static char *advise_stale(const situation *s)
{
    char idle[DURATION_ROOM];
    char *hint, *text;

    if (s->idle < situation_idle_from)
        return g_strdup_printf("Let the %s notice the end of file before it uses a connection again (validate it).",
                               receiver(s));
    hint = hint_at_closer(s->idle, s->facts->receiver->answer_delay);
    text = g_strdup_printf("Let the %s notice the end of file before it uses a connection again (validate it), or drop "
                           "idle ones before %s.%s",
                           receiver(s), duration(s->idle, idle), hint);
    g_free(hint);
    return text;
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

    return g_strdup_printf("The server acknowledged request #%u and reset %s later, without a byte of reply. "
                           "It had received all %u bytes of it, and sent nothing since.",
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

    if (s->judgement->cause == RSTCAUSE_DATA_AFTER_CLOSE)
        return g_strdup_printf("The client left while the server was still sending. "
                               "It had closed with FIN #%u, and #%u (%u bytes) met nobody any more.",
                               f->sender->fin_frame, f->trigger.frame, f->trigger.length);
    if (s->straggler != 0)
        return g_strdup_printf("The client left while the server was still sending. "
                               "It reset the connection, and data that had been sent before came up to #%u.",
                               s->straggler);
    if (s->judgement->detail == RSTCAUSE_UNREAD_DATA)
        return g_strdup_printf("The client left before it had read what the server sent. "
                               "Data up to #%u came, and some of that was unread when it closed.",
                               f->receiver->last_data_frame);
    return g_strdup_printf("The client left while the server was still sending. "
                           "It reset the connection, and what the server had sent up to #%u was still on its way.",
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
    const char *spoken = name_protocol(s->asking->first_said);

    switch (situation_compare_protocols(s)) {
    case SERVER_SPOKE_FIRST:
        return g_strdup_printf("The client speaks %s to a port where the server speaks first, in another protocol. "
                               "With %s it is the client that begins.",
                               spoken, spoken);
    case NO_TLS_ANSWER:
        return g_strdup("The client began TLS, and the server ended the connection at once, without a word. "
                        "Whoever speaks TLS answers a ClientHello with a TLS record, if only with an alert.");
    case NO_ANSWER_ON_TLS_PORT:
        return g_strdup_printf("The client speaks %s to port %u, where TLS is spoken. "
                               "The server ended the connection at once, without a word.",
                               spoken, situation_service_port(s));
    default:
        return g_strdup_printf("The client speaks %s to a port where the server speaks %s. "
                               "So say the first bytes of each.",
                               spoken, name_protocol(s->asked->first_said));
    }
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

/* What is known of the time after which idle connections are lost. */
static char *tell_bracket(const situation *s)
{
    const service *of = s->service;
    char survived[DURATION_ROOM], lost[DURATION_ROOM];

    if (of == NULL || of->longest_survived == 0 || of->shortest_lost == 0)
        return g_strdup("");
    return g_strdup_printf(" In this capture the service's connections survived %s (#%u) and were lost after %s (#%u).",
                           duration(of->longest_survived, survived), of->survived_frame,
                           duration(of->shortest_lost, lost), of->lost_frame);
}

static char *explain_forgotten(const situation *s)
{
    const reset_facts *f = s->facts;
    char idle[DURATION_ROOM];
    char *bracket = tell_bracket(s), *text;

    text = g_strdup_printf("The connection was forgotten while it was idle for %s. "
                           "#%u met nobody who knew it, and nothing had closed it: a NAT, firewall or balancer on the "
                           "path lost it, or the %s did.%s",
                           duration(s->idle, idle), f->trigger.frame, sender(s), bracket);
    g_free(bracket);
    return text;
}

/* Half a percent and 200 ms more than the time itself: who forgets looks around at intervals of its own. */
static char *advise_forgotten(const situation *s)
{
    const service *of = s->service;
    bool is_bracketed = of != NULL && of->longest_survived > 0 && of->shortest_lost > of->longest_survived;
    int64_t lost = of != NULL && of->shortest_lost > 0 ? of->shortest_lost : s->idle;
    /* Without a bracket the time may be anything shorter: then only what is next to it is a hint. */
    int64_t least = is_bracketed && of->longest_survived > lost / 2 ? of->longest_survived : lost - lost / 50;
    char shortest[DURATION_ROOM];
    char *hint = idle_defaults_tell(FORGETS_IDLE, least, lost), *text;

    text = g_strdup_printf("Send keep-alives at shorter intervals than %s, or close idle connections before.%s%s",
                           duration(is_bracketed ? of->longest_survived : lost, shortest), hint != NULL ? " " : "",
                           hint != NULL ? hint : "");
    g_free(hint);
    return text;
}

static char *explain_idle_closed(const situation *s)
{
    const idle_end *end = neighbours_find_idle_end(s->service, s);
    const char *who = s->judgement->cause == RSTCAUSE_INJECTED ? "A device on the path" : sender(s);
    char idle[DURATION_ROOM];

    return g_strdup_printf("%s%s ends idle connections with a reset, this one after %s. "
                           "%u connections of this service were reset after the same silence, at different times, from "
                           "#%u on.",
                           s->judgement->cause == RSTCAUSE_INJECTED ? "" : "The ", who, duration(s->idle, idle),
                           end->count, end->first_frame);
}

static char *advise_idle_closed(const situation *s)
{
    char idle[DURATION_ROOM];
    char *hint = hint_at_closer(s->idle, s->facts->sender->answer_delay), *text;

    text = g_strdup_printf("Close idle connections before %s, or send something at shorter intervals.%s",
                           duration(s->idle, idle), hint);
    g_free(hint);
    return text;
}

static char *explain_check(const situation *s)
{
    char period[DURATION_ROOM];

    return g_strdup_printf("Harmless: a health check, one every %s. "
                           "This client has opened %u connections to the port, sent nothing, and reset each at once.",
                           duration(neighbours_find_period(s->client), period), s->client->visit_count);
}

static char *explain_scan(const situation *s)
{
    const scan *one = s->scan;
    char time[DURATION_ROOM];

    if (one->host != 0)
        return g_strdup_printf("A port scan: this client asked %u ports of one host within %s. "
                               "Each got a SYN or a probe, and no data.",
                               one->targets, duration(one->last - one->first, time));
    return g_strdup_printf("A port scan: this client asked %u hosts for port %u within %s. "
                           "Each got a SYN or a probe, and no data.",
                           one->targets, one->port, duration(one->last - one->first, time));
}

static char *advise_scan(const situation *s)
{
    (void)s;
    return g_strdup("Is the scan expected (a monitoring or a security audit)?");
}

static char *explain_stray(const situation *s)
{
    const reset_facts *f = s->facts;

    return g_strdup_printf("#%u went astray: it reached a host that has no such connection. "
                           "It lies outside the window of the %s, which goes on with the connection in #%u. A router "
                           "that translates addresses let it pass untranslated, or took it for its own.",
                           f->trigger.frame, sender(s), f->later.lives_on);
}

static char *advise_stray(const situation *s)
{
    (void)s;
    return g_strdup("Drop what conntrack calls INVALID in the router's forward chain, or set "
                    "net.netfilter.nf_conntrack_tcp_be_liberal.");
}

static char *explain_restart(const situation *s)
{
    const service *of = s->service;
    char gone[DURATION_ROOM];

    return g_strdup_printf("The service went away and came back: it refused connections for %s. "
                           "It refused %u, from #%u to #%u, and accepted before and after; what was open before is "
                           "lost.",
                           duration(of->accepted_after - of->refused.first, gone), of->refused.count,
                           of->refused.first_frame, of->refused.last_frame);
}

static char *advise_restart(const situation *s)
{
    (void)s;
    return g_strdup("Why did the host or its service restart at this time? Clients must open new connections.");
}

static char *explain_overflow(const situation *s)
{
    const burst *one = bursts_find(&s->service->rejected, s->facts->reset.time);
    char time[DURATION_ROOM];

    return g_strdup_printf("The server accepts too slowly: it turned %u connections away within %s. "
                           "Others were taken at that time, so the queue of its listener was full (#%u to #%u).",
                           one->count, duration(one->last - one->first, time), one->first_frame, one->last_frame);
}

static char *advise_overflow(const situation *s)
{
    (void)s;
    return g_strdup("Raise the backlog of listen() and net.core.somaxconn, or the number of workers (nstat "
                    "TcpExtListenOverflows).");
}

static char *explain_mass(const situation *s)
{
    const burst_list *aborts = s->sender_is_client ? &s->client->aborts : &s->service->aborts;
    const burst *one = bursts_find(aborts, s->facts->reset.time);
    char time[DURATION_ROOM];

    return g_strdup_printf("The %s ended %u connections within %s: its process ended. "
                           "They are those from #%u to #%u, all to the same service.",
                           sender(s), one->count, duration(one->last - one->first, time), one->first_frame,
                           one->last_frame);
}

static char *advise_mass(const situation *s)
{
    (void)s;
    return g_strdup("Harmless where a test or a load generator came to its end; else look for a crash at this time.");
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
    [RSTCAUSE_IDLE_FORGOTTEN] = {explain_forgotten, advise_forgotten},
    [RSTCAUSE_IDLE_CLOSED] = {explain_idle_closed, advise_idle_closed},
    [RSTCAUSE_HEALTH_CHECK] = {explain_check, NULL},
    [RSTCAUSE_STRAY_SEGMENT] = {explain_stray, advise_stray},
    [RSTCAUSE_PORT_SCAN] = {explain_scan, advise_scan},
    [RSTCAUSE_HOST_RESTARTED] = {explain_restart, advise_restart},
    [RSTCAUSE_BACKLOG_OVERFLOW] = {explain_overflow, advise_overflow},
    [RSTCAUSE_MASS_ABORT] = {explain_mass, advise_mass},
};

char *situations_explain(rstcause_pattern pattern, const situation *s)
{
    return words[pattern].explain != NULL ? words[pattern].explain(s) : NULL;
}

char *situations_advise(rstcause_pattern pattern, const situation *s)
{
    return words[pattern].advise != NULL ? words[pattern].advise(s) : NULL;
}
