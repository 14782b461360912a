/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a row of the table of patterns may require: each is one predicate. S sent the reset, P is its peer. */
#include "patterns.h"

#include "follow/units.h"
#include "turns.h"

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

/* P's system knew of the FIN; and either S or P had let the connection rest, so that nobody was in the middle of a write. */
static bool followed_the_fin(const situation *s)
{
    const reset_facts *f = s->facts;

    return f->sender_closed && f->trigger.frame > f->sender->fin_frame &&
           f->trigger.acknowledgement == f->sender->fin_end &&
           (s->idle >= situation_idle_from || f->trigger.silence >= situation_idle_from);
}

/* S had not acknowledged all that P had sent: the rest of it was on its way. */
static bool was_still_coming(const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;
    uint32_t taken = s->acknowledged;

    if (f->has_ack && f->at_next && sequence_after(f->reset.acknowledgement, taken))
        taken = f->reset.acknowledgement;
    return s->has_acknowledged && sequence_after(p->next - (f->receiver_closed ? 1 : 0), taken);
}

/* Redirections and errors are the answers that a server may give without the body (RFC 9110 section 15.4 to 15.6); the body
 * goes on to come, or lies unread where S's queue was emptied. */
static bool replied_early(const reset_facts *f, const judgement *j)
{
    enum { FIRST_EARLY = 300, LAST_STATUS = 599 };
    const endpoint *s = f->sender, *p = f->receiver;
    bool is_request = p->first_said == RSTCAUSE_HTTP_REQUEST || p->syn_frame == 0;
    bool is_last_word = s->last_said == RSTCAUSE_HTTP_RESPONSE || s->last_said == RSTCAUSE_BYTES_UNKNOWN;
    bool is_at_once = time_between(p->last_data_time, s->last_data_time) < situation_idle_from;

    return is_request && is_last_word && s->http_status >= FIRST_EARLY && s->http_status <= LAST_STATUS &&
           p->last_said == RSTCAUSE_BYTES_UNKNOWN && is_at_once &&
           (p->last_data_frame > s->last_data_frame || was_still_coming(f) || j->detail == RSTCAUSE_UNREAD_DATA);
}

/* Less than this is the tail of a conversation: an echo of the close, a farewell. */
static const uint32_t least_download = 512;

/* close() empties the queue, and the window of the reset shows how much was in it (details_queue_was_emptied()). */
static uint32_t count_unread(const reset_facts *f, const judgement *j)
{
    const endpoint *s = f->sender;

    if (j->detail != RSTCAUSE_UNREAD_DATA || f->reset.window <= s->window || s->window_shift < 0 ||
        f->receiver->window_shift < 0)
        return 0;
    return (uint32_t)(f->reset.window - s->window) << s->window_shift;
}

static bool data_was_in_flight(const situation *s)
{
    const reset_facts *f = s->facts;
    const judgement *j = s->judgement;
    const endpoint *client = f->sender, *server = f->receiver;
    uint32_t taken = client->acknowledged;

    /* Who probes has waited in vain: what is not acknowledged is old. */
    if (situation_is_tls_alert(server) || f->last_word_was_probe)
        return false;
    if (j->cause == RSTCAUSE_DATA_AFTER_CLOSE)
        return f->sender_closed && f->has_trigger && f->trigger.length >= least_download;
    if (s->straggler != 0 || count_unread(f, j) >= least_download)
        return true;
    if (f->has_ack && sequence_after(f->reset.acknowledgement, taken))
        taken = f->reset.acknowledgement;
    return client->has_acknowledged && sequence_after(server->next, taken + least_download);
}

/* Who gets an end of file in mid-handshake complains with an alert, too; that refuses nothing. */
static bool alert_right_before(const reset_facts *f)
{
    static const int64_t right_before = 2 * SECOND;

    for (unsigned i = 0; i < 2; i++) {
        const endpoint *e = &f->connection.ends[i], *other = &f->connection.ends[!i];
        bool was_left = other->fin_frame != 0 && other->fin_frame < e->last_words_frame && e->has_acknowledged &&
                        !sequence_before(e->acknowledged, other->fin_end);

        if (situation_has_refused(e) && !was_left && f->reset.time - e->last_data_time <= right_before)
            return true;
    }
    return false;
}

/* S had data for P, and P's window stayed closed for so long that it is no moment's full buffer: S probed it (RFC 9293
 * section 3.8.6.1), or sent nothing for a second. */
static bool window_was_closed(const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;

    return f->connection.is_established && p->frames > p->syn_count && p->window == 0 && !f->receiver_closed &&
           s->bytes > 0 && (s->probes > 0 || s->repeats > 0 || f->reset.time - s->last_data_time >= SECOND);
}

/* A NAT or balancer keeps a connection for a minute at least (RFC 5382 REQ-5 asks for two hours); a shorter silence must
 * have cost two connections, and a shorter one yet none. */
static bool forgotten_when_idle(const situation *s)
{
    static const int64_t surely_idle = 60 * SECOND;
    const service *of = s->service;
    int64_t survived = of != NULL ? of->longest_survived : 0;

    if (!s->facts->has_trigger || s->idle < situation_idle_from || survived > s->idle + s->idle / 50)
        return false;
    return s->idle >= surely_idle || (of != NULL && of->lost >= 2 && survived > 0 && of->shortest_lost > survived);
}

/* Two that agree to the accuracy of a timer are no chance; else it takes three. */
static bool ended_when_idle(const situation *s)
{
    rstcause_cause cause = s->judgement->cause;
    const idle_end *end = s->service != NULL && (cause == RSTCAUSE_ABORT || cause == RSTCAUSE_INJECTED)
                              ? neighbours_find_idle_end(s->service, s)
                              : NULL;
    bool is_exact = end != NULL && end->longest - end->shortest <= end->longest / 200 + 25 * MILLISECOND;

    return end != NULL && end->count >= (is_exact ? 2 : 3) && !s->awaits_reply &&
           s->service->longest_survived <= s->idle + s->idle / 50;
}

/* The server aborts what it has open, and then its listener is gone. */
static const int64_t goes_down_within = 10 * SECOND;

static bool is_going_down(const service *of, int64_t time)
{
    return time <= of->refused.first && time >= of->refused.first - goes_down_within;
}

static uint32_t count_losses(const service *of)
{
    uint32_t count = of->refused.count;

    for (unsigned i = 0; i < of->restarts.used; i++)
        count += of->restarts.kept[i].count;
    for (unsigned i = 0; i < of->aborts.used; i++)
        if (is_going_down(of, of->aborts.kept[i].last))
            count += of->aborts.kept[i].count;
    return count;
}

/* The connection is from before, and its server has not spoken for it since. */
static bool is_from_before(const situation *s)
{
    const connection *c = &s->facts->connection;
    const service *of = s->service;

    if (s->judgement->cause == RSTCAUSE_ABORT && !is_going_down(of, s->facts->reset.time))
        return false;
    return c->is_established && c->establish_time < of->refused.first && s->asked->last_time < of->refused.first;
}

static bool came_back(const situation *s)
{
    const service *of = s->service;

    if (of == NULL || s->sender_is_client || of->refused.count == 0 || of->accepted_before == 0 ||
        of->accepted_after == 0 || of->accepted_between || count_losses(of) < 2)
        return false;
    return s->judgement->cause == RSTCAUSE_CLOSED_PORT || is_from_before(s);
}

static bool queue_overflowed(const situation *s)
{
    enum { SEVERAL = 3 };
    const burst *one = s->service != NULL ? bursts_find(&s->service->rejected, s->facts->reset.time) : NULL;

    return one != NULL && one->count >= SEVERAL && one->others_were_taken;
}

/* A browser has six connections to a server, which it may end at one moment. */
static bool is_one_of_many(const burst_list *aborts, int64_t time)
{
    enum { MANY = 8 };
    const burst *one = bursts_find(aborts, time);

    return one != NULL && one->count >= MANY;
}

static bool aborts_with_many(const situation *s)
{
    int64_t time = s->facts->reset.time;

    return s->sender_is_client ? s->client != NULL && is_one_of_many(&s->client->aborts, time)
                               : s->service != NULL && is_one_of_many(&s->service->aborts, time);
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
    case IS_HALF_OPEN:
        return j->cause == RSTCAUSE_HALF_OPEN && j->detail != RSTCAUSE_RECONNECT;
    case IS_HANDSHAKE_REJECTED:
        return j->cause == RSTCAUSE_HANDSHAKE_REJECTED;
    case IS_RESTART_CAUSE:
        return j->cause == RSTCAUSE_HALF_OPEN || j->cause == RSTCAUSE_CLOSED_PORT || j->cause == RSTCAUSE_ABORT;
    case IS_SCAN_CAUSE:
        return j->cause == RSTCAUSE_CLOSED_PORT || neighbours_is_visit(s);
    case IS_ABORT_OR_DATA_AFTER_CLOSE:
        return j->cause == RSTCAUSE_ABORT || j->cause == RSTCAUSE_DATA_AFTER_CLOSE;
    case GAVE_UP:
        return j->cause == RSTCAUSE_ABORT || j->cause == RSTCAUSE_RETRANSMISSION_TIMEOUT ||
               j->cause == RSTCAUSE_KEEPALIVE_TIMEOUT || j->cause == RSTCAUSE_HALF_OPEN;
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
        return followed_the_fin(s);
    case ANSWERS_TLS_GOODBYE:
        return turns_end_politely(s);
    case TOOK_REQUEST_IN:
        return turns_leave_unanswered(s);
    case REPLIED_EARLY:
        return replied_early(f, j);
    case HAD_ASKED:
        return f->sender->bytes > 0 && f->receiver->last_data_frame > f->sender->last_data_frame;
    case DATA_WAS_IN_FLIGHT:
        return data_was_in_flight(s);
    case ALERT_RIGHT_BEFORE:
        return alert_right_before(f);
    case PROTOCOLS_DIFFER:
        return situation_compare_protocols(s) != PROTOCOLS_AGREE;
    case WINDOW_WAS_CLOSED:
        return window_was_closed(f);
    case WENT_ASTRAY:
        return f->has_trigger && f->trigger_is_out_of_window && !f->trigger.is_keepalive && f->later.lives_on != 0;
    case FORGOTTEN_WHEN_IDLE:
        return forgotten_when_idle(s);
    case ENDED_WHEN_IDLE:
        return ended_when_idle(s);
    case VISITS_IN_STEP:
        return neighbours_is_visit(s) && s->client != NULL && neighbours_find_period(s->client) > 0;
    case BELONGS_TO_SCAN:
        return s->scan != NULL;
    case SERVICE_CAME_BACK:
        return came_back(s);
    case QUEUE_OVERFLOWED:
        return queue_overflowed(s);
    case ONE_OF_MANY_ABORTS:
        return j->detail != RSTCAUSE_LISTENER_CLOSED && aborts_with_many(s);
    default:
        return false;
    }
}
