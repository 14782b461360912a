/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of each pattern that one connection shows, and the table of all. See situations.h. */
#include "situations.h"

#include "follow/units.h"
#include "stated/last_words.h"
#include "surroundings.h"
#include "wording.h"

static char *explain_race(const situation *s)
{
    const reset_facts *f = s->facts;
    char idle[DURATION_ROOM], gap[DURATION_ROOM];

    if (f->trigger.frame < f->sender->fin_frame)
        return g_strdup_printf("The %s closed the idle connection after %s, while a request was on its way. "
                               "FIN #%u left before #%u (%u bytes) can have arrived, and came %s after that had left.",
                               wording_sender(s), wording_duration(s->idle, idle), f->sender->fin_frame,
                               f->trigger.frame, f->trigger.length,
                               wording_duration(f->sender->fin_time - f->trigger.time, gap));
    return g_strdup_printf("The %s closed the idle connection after %s, %s before request #%u came. "
                           "The request (%u bytes) had left before FIN #%u can have reached the %s: it does not "
                           "acknowledge the FIN.",
                           wording_sender(s), wording_duration(s->idle, idle),
                           wording_duration(f->trigger.time - f->sender->fin_time, gap), f->trigger.frame,
                           f->trigger.length, f->sender->fin_frame, wording_receiver(s));
}

static char *advise_race(const situation *s)
{
    char idle[DURATION_ROOM];
    char *hint = wording_hint_at_closer(s->idle, s->facts->receiver->answer_delay), *text;

    text = g_strdup_printf("Let the %s drop idle connections sooner than the %s, which closes them after %s, and retry "
                           "requests that may be repeated.%s",
                           wording_receiver(s), wording_sender(s), wording_duration(s->idle, idle), hint);
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
        wording_receiver(s), wording_sender(s), wording_duration(f->trigger.time - f->sender->fin_time, gap),
        f->sender->fin_frame, s->idle >= situation_idle_from ? " after a silence of " : "",
        s->idle >= situation_idle_from ? wording_duration(s->idle, idle) : "", f->trigger.frame, f->trigger.length,
        wording_receiver(s));
}

static char *advise_stale(const situation *s)
{
    char idle[DURATION_ROOM];
    char *hint, *text;

    if (s->idle < situation_idle_from)
        return g_strdup_printf("Let the %s notice the end of file before it uses a connection again (validate it).",
                               wording_receiver(s));
    hint = wording_hint_at_closer(s->idle, s->facts->receiver->answer_delay);
    text = g_strdup_printf("Let the %s notice the end of file before it uses a connection again (validate it), or drop "
                           "idle ones before %s.%s",
                           wording_receiver(s), wording_duration(s->idle, idle), hint);
    g_free(hint);
    return text;
}

static char *explain_goodbye(const situation *s)
{
    const reset_facts *f = s->facts;

    return g_strdup_printf("Harmless: a TLS goodbye came after the %s had closed. "
                           "#%u, the alert with which the %s ended TLS, met a socket that FIN #%u had closed already.",
                           wording_sender(s), f->trigger.frame, wording_receiver(s), f->sender->fin_frame);
}

static char *explain_unanswered(const situation *s)
{
    const reset_facts *f = s->facts;
    const endpoint *client = f->receiver;
    const char *what =
        client->last_said == RSTCAUSE_TLS_CLIENT_HELLO && s->asked->bytes == 0 ? "ClientHello" : "request";
    char waited[DURATION_ROOM];
    bool is_all_known = client->turn_bytes < UINT16_MAX;

    wording_duration(f->reset.time - client->last_data_time, waited);
    if (f->sender_closed)
        return g_strdup_printf("The server acknowledged %s #%u, and closed and reset %s later without a byte of reply. "
                               "It had sent nothing but FIN #%u since.",
                               what, client->last_data_frame, waited, f->sender->fin_frame);
    if (client->turn_bytes == client->last_data_length)
        return g_strdup_printf("The server acknowledged %s #%u and reset %s later, without a byte of reply. "
                               "It had received all %u bytes of it, and sent nothing since.",
                               what, client->last_data_frame, waited, client->last_data_length);
    if (!is_all_known)
        return g_strdup_printf("The server acknowledged a long %s up to #%u and reset %s later, without a byte of "
                               "reply. It had sent nothing since that began.",
                               what, client->last_data_frame, waited);
    return g_strdup_printf(
        "The server acknowledged %s #%u and reset %s later, without a byte of reply. "
        "It had acknowledged all %u bytes that the client said since the server's last word, and sent nothing since.",
        what, client->last_data_frame, waited, client->turn_bytes);
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
                           is_own ? wording_sender(s) : wording_receiver(s), alert, e->last_words_frame);
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

/* What the server speaks, by its words, or by its port where they are of no known protocol. */
static const char *name_of_server(const situation *s)
{
    const char *usual = situation_name_service(situation_service_port(s));

    return s->asked->first_said == RSTCAUSE_BYTES_UNKNOWN && usual != NULL ? usual
                                                                           : name_protocol(s->asked->first_said);
}

static char *explain_no_http(const situation *s)
{
    const char *usual = situation_name_service(situation_service_port(s));

    if (usual == NULL)
        return g_strdup_printf("The client speaks plain HTTP to port %u, where others speak something else. "
                               "The server ended the connection at once, without a word.",
                               situation_service_port(s));
    return g_strdup_printf("The client speaks plain HTTP to port %u, which is %s's. "
                           "The server ended the connection at once, without a word.",
                           situation_service_port(s), usual);
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
    case NO_HTTP_ANSWER:
        return explain_no_http(s);
    default:
        return g_strdup_printf("The client speaks %s to a port where the server speaks %s. "
                               "So say the first bytes of each.",
                               spoken, name_of_server(s));
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
                           wording_receiver(s), wording_sender(s), f->receiver->last_frame,
                           wording_duration(f->reset.time - f->sender->last_data_time, waited));
}

static char *advise_slow_reader(const situation *s)
{
    return g_strdup_printf("Why does the %s's application not read: is it blocked, or too slow?", wording_receiver(s));
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
    [RSTCAUSE_IDLE_FORGOTTEN] = {surroundings_explain_forgotten, surroundings_advise_forgotten},
    [RSTCAUSE_IDLE_CLOSED] = {surroundings_explain_idle_closed, surroundings_advise_idle_closed},
    [RSTCAUSE_HEALTH_CHECK] = {surroundings_explain_check, NULL},
    [RSTCAUSE_STRAY_SEGMENT] = {surroundings_explain_stray, surroundings_advise_stray},
    [RSTCAUSE_PORT_SCAN] = {surroundings_explain_scan, surroundings_advise_scan},
    [RSTCAUSE_HOST_RESTARTED] = {surroundings_explain_restart, surroundings_advise_restart},
    [RSTCAUSE_BACKLOG_OVERFLOW] = {surroundings_explain_overflow, surroundings_advise_overflow},
    [RSTCAUSE_MASS_ABORT] = {surroundings_explain_mass, surroundings_advise_mass},
};

char *situations_explain(rstcause_pattern pattern, const situation *s)
{
    return words[pattern].explain != NULL ? words[pattern].explain(s) : NULL;
}

char *situations_advise(rstcause_pattern pattern, const situation *s)
{
    return words[pattern].advise != NULL ? words[pattern].advise(s) : NULL;
}
