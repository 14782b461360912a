/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a row of the table of patterns may require: each is one predicate. S sent the reset, P is its peer. */
#include "patterns.h"

#include "follow/units.h"

/* The shortest round trip that was measured may be shorter than today's, or not measured at all. */
static int64_t round_trip_at_most(int64_t shortest)
{
    return MAX(2 * shortest, 200 * MILLISECOND);
}

/* Every segment acknowledges all that has come (RFC 9293 section 3.4), so what does not acknowledge the FIN left before it
 * came. More than a round trip later the FIN was lost, and the story is another one. */
static bool crossed_the_fin(const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;

    if (!sequence_before(f->trigger.acknowledgement, s->fin_end))
        return false;
    if (f->trigger.frame > s->fin_frame)
        return f->trigger.time - s->fin_time <= round_trip_at_most(p->answer_delay);
    /* It stands before the FIN: the capture was taken nearer to P, and S sent its FIN before it could have it. */
    return s->fin_time - f->trigger.time <= round_trip_at_most(s->answer_delay) &&
           (!s->has_acknowledged || !sequence_after(s->acknowledged, f->trigger.sequence));
}

static bool followed_the_fin(const reset_facts *f)
{
    return f->trigger.frame > f->sender->fin_frame && f->trigger.acknowledgement == f->sender->fin_end;
}

/* S's own RST,ACK may acknowledge it first. A listener that was closed never gave the connection to the application. */
static bool took_request_in(const reset_facts *f, const judgement *j)
{
    const endpoint *s = f->sender, *p = f->receiver;
    bool is_acknowledged = s->has_acknowledged && !sequence_before(s->acknowledged, p->next);

    if (f->has_ack && f->at_next && !sequence_before(f->reset.acknowledgement, p->next))
        is_acknowledged = true;
    return f->sender_accepted && p->last_data_frame > s->last_data_frame && is_acknowledged && !f->receiver_closed &&
           !f->sender_closed && !situation_is_tls_alert(p) && j->detail != RSTCAUSE_LISTENER_CLOSED;
}

/* Redirections and errors are the answers that a server may give without the body (RFC 9110 section 15.4 to 15.6); the body
 * goes on to come, or lies unread where S's queue was emptied. */
static bool replied_early(const reset_facts *f, const judgement *j)
{
    enum { FIRST_EARLY = 300, LAST_STATUS = 599 };
    const endpoint *s = f->sender, *p = f->receiver;
    bool is_request = p->first_said == RSTCAUSE_HTTP_REQUEST || p->syn_frame == 0;
    bool is_last_word = s->last_said == RSTCAUSE_HTTP_RESPONSE || s->last_said == RSTCAUSE_BYTES_UNKNOWN;
    bool goes_on =
        p->last_data_frame > s->last_data_frame && p->last_data_time - s->last_data_time < situation_idle_from;

    return is_request && is_last_word && s->http_status >= FIRST_EARLY && s->http_status <= LAST_STATUS &&
           p->last_said == RSTCAUSE_BYTES_UNKNOWN && (goes_on || j->detail == RSTCAUSE_UNREAD_DATA);
}

static bool data_was_in_flight(const reset_facts *f, const judgement *j)
{
    const endpoint *s = f->sender, *p = f->receiver;
    uint32_t taken = s->acknowledged;

    if (situation_is_tls_alert(p) || p->last_said == RSTCAUSE_SMTP_REPLY || p->last_said == RSTCAUSE_FTP_REPLY)
        return false;
    if (j->cause == RSTCAUSE_DATA_AFTER_CLOSE)
        return f->sender_closed && f->has_trigger && f->trigger.length > 0 && !f->trigger.is_keepalive;
    if (f->has_ack && sequence_after(f->reset.acknowledgement, taken))
        taken = f->reset.acknowledgement;
    return s->has_acknowledged && sequence_after(p->next - (f->receiver_closed ? 1 : 0), taken);
}

static bool alert_right_before(const reset_facts *f)
{
    static const int64_t right_before = 2 * SECOND;

    for (unsigned i = 0; i < 2; i++) {
        const endpoint *e = &f->connection.ends[i];

        if (situation_has_refused(e) && f->reset.time - e->last_data_time <= right_before)
            return true;
    }
    return false;
}

static bool speaks_tls(uint8_t said)
{
    return said == RSTCAUSE_TLS_CLIENT_HELLO || said == RSTCAUSE_TLS_RECORDS || said == RSTCAUSE_TLS_ALERT ||
           said == RSTCAUSE_TLS_ENCRYPTED_ALERT;
}

/* A server's answer to a ClientHello is a TLS record (RFC 8446 section 5.1), and to an HTTP request an HTTP response; a
 * server that speaks first and the client that does not heed it differ as well. */
static bool protocols_differ(const situation *s)
{
    const reset_facts *f = s->facts;
    const endpoint *client = s->sender_is_client ? f->sender : f->receiver;
    const endpoint *server = s->sender_is_client ? f->receiver : f->sender;

    if (client->syn_frame == 0 || f->connection.is_incomplete || client->bytes == 0 || server->bytes == 0)
        return false;
    switch (client->first_said) {
    case RSTCAUSE_TLS_CLIENT_HELLO:
        return !speaks_tls(server->first_said);
    case RSTCAUSE_HTTP_REQUEST:
        return server->first_said != RSTCAUSE_BYTES_UNKNOWN && server->first_said != RSTCAUSE_HTTP_RESPONSE;
    case RSTCAUSE_SSH_VERSION:
        return speaks_tls(server->first_said) || server->first_said == RSTCAUSE_HTTP_RESPONSE;
    default:
        return false;
    }
}

/* S had data for P, and P's window stayed closed for so long that it is no moment's full buffer: S probed it (RFC 9293
 * section 3.8.6.1), or sent nothing for a second. */
static bool window_was_closed(const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;

    return f->connection.is_established && p->frames > p->syn_count && p->window == 0 && !f->receiver_closed &&
           s->bytes > 0 && (s->probes > 0 || s->repeats > 0 || f->reset.time - s->last_data_time >= SECOND);
}

bool shown_holds(shown_requirement wanted, const situation *s)
{
    const reset_facts *f = s->facts;
    const judgement *j = s->judgement;

    switch (wanted) {
    case IS_DATA_AFTER_CLOSE:
        return j->cause == RSTCAUSE_DATA_AFTER_CLOSE;
    case IS_ABORT:
        return j->cause == RSTCAUSE_ABORT;
    case IS_ABORT_OR_DATA_AFTER_CLOSE:
        return j->cause == RSTCAUSE_ABORT || j->cause == RSTCAUSE_DATA_AFTER_CLOSE;
    case GAVE_UP:
        return j->cause == RSTCAUSE_ABORT || j->cause == RSTCAUSE_RETRANSMISSION_TIMEOUT ||
               j->cause == RSTCAUSE_KEEPALIVE_TIMEOUT;
    case IS_MORE_THAN_POSSIBLE:
        return j->confidence != RSTCAUSE_POSSIBLE;
    case IS_OF_SERVER:
        return !s->sender_is_client;
    case IS_OF_CLIENT:
        return s->sender_is_client;
    case CLOSED_WHILE_IDLE:
        return f->sender_closed && s->idle >= situation_idle_from;
    case ANSWERS_NEW_DATA:
        return f->has_trigger && f->trigger.length > 0 && !f->trigger.is_keepalive && !f->trigger.was_old;
    case CROSSED_THE_FIN:
        return crossed_the_fin(f);
    case FOLLOWED_THE_FIN:
        return followed_the_fin(f);
    case ANSWERS_TLS_GOODBYE:
        return f->sender_closed && f->has_trigger && f->trigger.frame == f->receiver->last_data_frame &&
               situation_is_tls_alert(f->receiver) && !situation_has_refused(f->receiver);
    case TOOK_REQUEST_IN:
        return took_request_in(f, j);
    case REPLIED_EARLY:
        return replied_early(f, j);
    case HAD_ASKED:
        return f->sender->bytes > 0 && f->receiver->last_data_frame > f->sender->last_data_frame;
    case DATA_WAS_IN_FLIGHT:
        return data_was_in_flight(f, j);
    case ALERT_RIGHT_BEFORE:
        return alert_right_before(f);
    case PROTOCOLS_DIFFER:
        return protocols_differ(s);
    case WINDOW_WAS_CLOSED:
        return window_was_closed(f);
    default:
        return false;
    }
}
