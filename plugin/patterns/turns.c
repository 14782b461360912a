/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose turn it was. See turns.h. */
#include "turns.h"

#include "follow/units.h"

/* One write of a small program fits into what may be sent at once (RFC 6928: ten segments). */
static const uint32_t most_at_once = 16384;

/* How late a segment may come that was sent without waiting for anybody: both ways, and a busy host. */
static int64_t round_trip(const reset_facts *f)
{
    return MAX(f->sender->answer_delay, 0) + MAX(f->receiver->answer_delay, 0) + 100 * MILLISECOND;
}

/* S's own RST,ACK may acknowledge it first. */
static bool has_taken_all(const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;

    if (f->has_ack && f->at_next && !sequence_before(f->reset.acknowledgement, p->next))
        return true;
    return s->has_acknowledged && !sequence_before(s->acknowledged, p->next);
}

/* More than fits into one write, and its sender had not stopped: an upload that was cut off. */
static bool was_going_on(const reset_facts *f)
{
    const endpoint *p = f->receiver;

    return p->turn_bytes > most_at_once && f->reset.time - p->last_data_time < round_trip(f);
}

/*
 * What S never answers is no question: logs, measured values, messages. A segment that begins with an HTTP request asks;
 * else S must have answered about as often as it has now been spoken to. Who ends in order, with a FIN, need not answer in
 * every protocol, but in HTTP.
 */
static bool is_question(const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;

    if (p->last_said == RSTCAUSE_HTTP_REQUEST || (p->turn_asks_http && p->turn_bursts <= 1))
        return true;
    return !f->sender_closed && p->turn_bursts < MOST_TURNS && p->turn_bursts <= s->turns + 1;
}

/* The client's Finished asks for nothing. Who has heard two flights of S has a session (RFC 8446 section 2, and with the
 * tickets; RFC 5246 section 7.3). A ClientHello by itself is a question. */
static bool is_in_handshake(const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;

    return p->first_said == RSTCAUSE_TLS_CLIENT_HELLO && s->turns == 1;
}

/* The rest of a request that was answered before it was all in. */
static bool was_answered_early(const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;

    return s->http_status != 0 && !p->turn_asks_http && p->last_said == RSTCAUSE_BYTES_UNKNOWN &&
           p->last_data_time - s->last_data_time < situation_idle_from;
}

/* The directory of Windows resets upon an unbindRequest, which SASL may hide, and which has no answer (RFC 4511 section 4.3). */
static bool may_be_unbind(const situation *s)
{
    enum { LDAP = 389, GLOBAL_CATALOG = 3268, LONGEST_UNBIND = 128 };
    static const int64_t at_once = 10 * MILLISECOND;
    const reset_facts *f = s->facts;
    uint16_t port = situation_service_port(s);

    return (port == LDAP || port == GLOBAL_CATALOG) && f->receiver->turn_bytes <= LONGEST_UNBIND &&
           f->reset.time - f->receiver->last_data_time <= at_once + MAX(f->sender->answer_delay, 0);
}

/* A listener that was closed never gave the connection to the application. S may close behind the request, and reset. */
bool turns_leave_unanswered(const situation *s)
{
    const reset_facts *f = s->facts;
    const endpoint *server = f->sender, *client = f->receiver;
    bool client_leaves = f->receiver_closed || s->farewell != 0 || situation_is_tls_alert(client) ||
                         client->last_said == RSTCAUSE_LEAVE || may_be_unbind(s);

    return f->sender_accepted && client->last_data_frame > server->last_data_frame && has_taken_all(f) &&
           !client_leaves && (!f->sender_closed || server->fin_frame > client->last_data_frame) && is_question(f) &&
           !is_in_handshake(f) && !was_going_on(f) && !was_answered_early(f) &&
           s->judgement->detail != RSTCAUSE_LISTENER_CLOSED;
}

/* Its outside says that it is an alert; or it is as long as one, and came without delay: words of the application's that
 * are as short come when they come. */
static bool is_goodbye(const reset_facts *f)
{
    const endpoint *p = f->receiver;

    return f->trigger.frame == p->last_data_frame && situation_is_tls_alert(p) && !situation_has_refused(p) &&
           (p->last_said != RSTCAUSE_TLS_RECORDS || f->trigger.silence < situation_idle_from);
}

/*
 * TLS 1.3 hides what a record is. Where S spoke no more after its first flight than an alert's length, that may have been a
 * refusal; where it spoke no more than the two tickets of OpenSSL, these alone, and S answered nothing.
 */
static bool may_have_refused(const reset_facts *f)
{
    enum { TURNS_OF_HANDSHAKE = 3, TWO_TICKETS = 2 * 255 };
    const endpoint *s = f->sender;

    return f->receiver->last_said == RSTCAUSE_TLS_RECORDS && s->turns <= TURNS_OF_HANDSHAKE &&
           s->turn_bytes <= TWO_TICKETS;
}

/*
 * P's alert was all that P said since S's last word: else S left P's request unanswered. Or P said it before S's FIN came, and
 * ended the connection by itself.
 */
bool turns_end_politely(const situation *s)
{
    const reset_facts *f = s->facts;
    const endpoint *server = f->sender, *client = f->receiver;
    bool is_all = client->turn_bytes == client->last_data_length;
    bool crossed = f->has_trigger && sequence_before(f->trigger.acknowledgement, server->fin_end);

    return f->sender_closed && f->has_trigger && is_goodbye(f) && !may_have_refused(f) && (is_all || crossed);
}
