/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of each pattern that other connections show. See surroundings.h. */
#include "surroundings.h"

#include "follow/units.h"
#include "patterns/idle_defaults.h"
#include "wording.h"

/* What is known of the time after which idle connections are lost. */
static char *tell_bracket(const situation *s)
{
    const service *of = s->service;
    char survived[DURATION_ROOM], lost[DURATION_ROOM];

    if (of == NULL || of->longest_survived == 0 || of->shortest_lost == 0)
        return g_strdup("");
    return g_strdup_printf(" In this capture the service's connections survived %s (#%u) and were lost after %s (#%u).",
                           wording_duration(of->longest_survived, survived), of->survived_frame,
                           wording_duration(of->shortest_lost, lost), of->lost_frame);
}

char *surroundings_explain_forgotten(const situation *s)
{
    const reset_facts *f = s->facts;
    char idle[DURATION_ROOM];
    char *bracket = tell_bracket(s), *text;

    text = g_strdup_printf("The connection was forgotten while it was idle for %s. "
                           "#%u met nobody who knew it, and nothing had closed it: a NAT, firewall or balancer on the "
                           "path lost it, or the %s did.%s",
                           wording_duration(s->idle, idle), f->trigger.frame, wording_sender(s), bracket);
    g_free(bracket);
    return text;
}

/* Half a percent and 200 ms more than the time itself: who forgets looks around at intervals of its own. */
char *surroundings_advise_forgotten(const situation *s)
{
    const service *of = s->service;
    bool is_bracketed = of != NULL && of->longest_survived > 0 && of->shortest_lost > of->longest_survived;
    int64_t lost = of != NULL && of->shortest_lost > 0 ? of->shortest_lost : s->idle;
    /* Without a bracket the time may be anything shorter: then only what is next to it is a hint. */
    int64_t least = is_bracketed && of->longest_survived > lost / 2 ? of->longest_survived : lost - lost / 50;
    char shortest[DURATION_ROOM];
    char *hint = idle_defaults_tell(FORGETS_IDLE, least, lost), *text;

    text = g_strdup_printf("Send keep-alives at shorter intervals than %s, or close idle connections before.%s%s",
                           wording_duration(is_bracketed ? of->longest_survived : lost, shortest),
                           hint != NULL ? " " : "", hint != NULL ? hint : "");
    g_free(hint);
    return text;
}

char *surroundings_explain_idle_closed(const situation *s)
{
    const idle_end *end = neighbours_find_idle_end(s->service, s);
    const char *who = s->judgement->cause == RSTCAUSE_INJECTED ? "A device on the path" : wording_sender(s);
    char idle[DURATION_ROOM];

    return g_strdup_printf("%s%s ends idle connections with a reset, this one after %s. "
                           "%u connections of this service were reset after the same silence, at different times, from "
                           "#%u on.",
                           s->judgement->cause == RSTCAUSE_INJECTED ? "" : "The ", who, wording_duration(s->idle, idle),
                           end->count, end->first_frame);
}

char *surroundings_advise_idle_closed(const situation *s)
{
    char idle[DURATION_ROOM];
    char *hint = wording_hint_at_closer(s->idle, s->facts->sender->answer_delay), *text;

    text = g_strdup_printf("Close idle connections before %s, or send something at shorter intervals.%s",
                           wording_duration(s->idle, idle), hint);
    g_free(hint);
    return text;
}

char *surroundings_explain_check(const situation *s)
{
    char period[DURATION_ROOM];

    return g_strdup_printf("Harmless: a health check, one every %s. "
                           "This client has opened %u connections to the port, sent nothing, and reset each at once.",
                           wording_duration(neighbours_find_period(s->client), period), s->client->visit_count);
}

char *surroundings_explain_scan(const situation *s)
{
    const scan *one = s->scan;
    char time[DURATION_ROOM];

    if (one->host != 0)
        return g_strdup_printf("A port scan: this client asked %u ports of one host within %s. "
                               "Each got a SYN or a probe, and no data.",
                               one->targets, wording_duration(one->last - one->first, time));
    return g_strdup_printf("A port scan: this client asked %u hosts for port %u within %s. "
                           "Each got a SYN or a probe, and no data.",
                           one->targets, one->port, wording_duration(one->last - one->first, time));
}

char *surroundings_advise_scan(const situation *s)
{
    (void)s;
    return g_strdup("Is the scan expected (a monitoring or a security audit)?");
}

char *surroundings_explain_stray(const situation *s)
{
    const reset_facts *f = s->facts;

    return g_strdup_printf("#%u went astray: it reached a host that has no such connection. "
                           "It lies outside the window of the %s, which goes on with the connection in #%u. A router "
                           "that translates addresses let it pass untranslated, or took it for its own.",
                           f->trigger.frame, wording_sender(s), f->later.lives_on);
}

char *surroundings_advise_stray(const situation *s)
{
    (void)s;
    return g_strdup("Drop what conntrack calls INVALID in the router's forward chain, or set "
                    "net.netfilter.nf_conntrack_tcp_be_liberal.");
}

char *surroundings_explain_restart(const situation *s)
{
    const service *of = s->service;
    char gone[DURATION_ROOM];

    if (of->refused.count == 1)
        return g_strdup_printf("The service went away and came back: it refused #%u and accepted again %s later. "
                               "It had accepted before, and what was open before is lost.",
                               of->refused.first_frame, wording_duration(of->accepted_after - of->refused.first, gone));
    return g_strdup_printf("The service went away and came back: it refused connections for %s. "
                           "The first refused is #%u, the last of %u is #%u; it accepted before and after, and what "
                           "was open before is lost.",
                           wording_duration(of->accepted_after - of->refused.first, gone), of->refused.first_frame,
                           of->refused.count, of->refused.last_frame);
}

char *surroundings_advise_restart(const situation *s)
{
    (void)s;
    return g_strdup("Why did the host or its service restart at this time? Clients must open new connections.");
}

char *surroundings_explain_overflow(const situation *s)
{
    const burst *one = bursts_find(&s->service->rejected, s->facts->reset.time);
    char time[DURATION_ROOM];

    return g_strdup_printf("The server accepts too slowly: it turned %u connections away within %s. "
                           "Others were taken at that time, so the queue of its listener was full (#%u to #%u).",
                           one->count, wording_duration(one->last - one->first, time), one->first_frame,
                           one->last_frame);
}

char *surroundings_advise_overflow(const situation *s)
{
    (void)s;
    return g_strdup("Raise the backlog of listen() and net.core.somaxconn, or the number of workers (nstat "
                    "TcpExtListenOverflows).");
}

char *surroundings_explain_mass(const situation *s)
{
    const burst_list *aborts = s->sender_is_client ? &s->client->aborts : &s->service->aborts;
    const burst *one = bursts_find(aborts, s->facts->reset.time);
    char time[DURATION_ROOM];

    return g_strdup_printf("The %s ended %u connections within %s, as a process does that ends. "
                           "They are those from #%u to #%u, all to the same service.",
                           wording_sender(s), one->count, wording_duration(one->last - one->first, time),
                           one->first_frame, one->last_frame);
}

char *surroundings_advise_mass(const situation *s)
{
    (void)s;
    return g_strdup("Harmless where a test or a load generator came to its end; else look for a crash at this time.");
}
