/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rules, in the order in which they are asked: the table at the end is the page to read first. Each rule is one
 * predicate over the facts and names the RFC section, stack or measurement that it follows. S sent the reset, P is
 * its peer.
 */
#include "rules.h"

#include "abort_detail.h"
#include "forgery.h"
#include "follow/units.h"

/* A NAT or balancer forgets a TCP connection after a silence; the short ones take a minute (RFC 5382 REQ-5 asks for
 * two hours of an established one; 60 s for HAProxy's examples, 350 s and 240 s for two large clouds). */
static const int64_t forgotten_after = 60 * SECOND;

/* A server that turns a connection away does so at the ACK that completes the handshake or the data behind it. */
static const int64_t rejected_within = SECOND;

/* The initial retransmission timeout (RFC 6298 section 2.1): a SYN/ACK later than that finds a SYN sent again. */
static const int64_t late_syn_ack_after = SECOND;

/* No host, container or NAT forgets a connection and answers again sooner after it spoke for it. */
static const int64_t quickest_loss = 100 * MILLISECOND;

/* A host that spoke so recently and does not tell its aborts from its answers may well have aborted. */
static const int64_t recently = SECOND;

/* Twice the maximum segment lifetime (RFC 9293 section 3.4.2). */
static const int64_t time_wait_at_most = 240 * SECOND;

/* Connections that a host opened without bringing one about, from which on it scans. Browsers race a handful of
 * addresses (RFC 8305). */
static const uint32_t probes_of_a_scan = 8;

static void answer(judgement *j, const reset_facts *f, rstcause_cause cause, rstcause_detail detail,
                   rstcause_confidence confidence)
{
    const recent_segment *t = f->trigger;

    j->cause = cause;
    j->detail = detail;
    j->confidence = confidence;
    j->trigger = t != NULL ? t->frame : 0;
    if (t == NULL)
        judgement_add_evidence(j, "the capture does not hold the segment that it answers");
    else if (!f->has_ack)
        judgement_add_evidence(j,
                               "its sequence number is the ACK number of #%u, as in the answer to a segment that has "
                               "no place (RFC 9293 3.5.2)",
                               t->frame);
    else
        judgement_add_evidence(j, "its ACK number acknowledges just #%u", t->frame);
    if (t != NULL && f->sender->answer_delay >= 0)
        judgement_add_evidence(j, "it came %.3f ms after #%u; the shortest answer of its sender took %.3f ms",
                               (double)MAX(f->trigger_age, 0) / MILLISECOND, t->frame,
                               (double)f->sender->answer_delay / MILLISECOND);
}

static rstcause_detail detail_of(const recent_segment *trigger)
{
    if (trigger == NULL)
        return RSTCAUSE_NO_DETAIL;
    if (trigger->length > 0)
        return RSTCAUSE_DATA;
    return (trigger->flags & RSTCAUSE_FIN) != 0 ? RSTCAUSE_ANSWERED_FIN : RSTCAUSE_ANSWERED_ACK;
}

/* The same packet in the capture twice: a mirror port, the "any" interface, both sides of a router. */
static bool is_copy(judgement *j, const reset_facts *f)
{
    if (f->copied == NULL)
        return false;
    j->detail = RSTCAUSE_COPY;
    j->original = f->copied->frame;
    judgement_add_evidence(j, "IP ID and TCP header are those of #%u", f->copied->frame);
    return true;
}

/* SYN with RST, or FIN with RST, is sent by no stack (RFC 9293 section 3.10.7 knows no such segment): the bits are
 * damaged. So they are in data that is to be pushed and goes on where its sender was; what a reset may carry is a
 * statement (SHLD-2), and that is not pushed. */
static bool has_corrupt_flags(judgement *j, const reset_facts *f)
{
    bool is_data = f->reset->length > 0 && f->stated->text == NULL && f->has_ack && f->at_next && !f->ttl_differs &&
                   (f->reset->flags & RSTCAUSE_PSH) != 0;

    if (is_data) {
        j->cause = RSTCAUSE_UNKNOWN;
        j->detail = RSTCAUSE_CORRUPT_FLAGS;
        j->confidence = RSTCAUSE_LIKELY;
        judgement_add_evidence(j, "its %u bytes go on where its sender was, with the sender's own numbers, TTL%s",
                               f->reset->length, f->ip_id_continues ? " and IP ID" : "");
        return true;
    }
    if ((f->reset->flags & RSTCAUSE_SYN) == 0 && ((f->reset->flags & RSTCAUSE_FIN) == 0 || f->reset->length == 0))
        return false;
    j->cause = RSTCAUSE_UNKNOWN;
    j->detail = RSTCAUSE_CORRUPT_FLAGS;
    j->confidence = RSTCAUSE_LIKELY;
    judgement_add_evidence(j, "RST stands together with %s, which no stack sends",
                           (f->reset->flags & RSTCAUSE_SYN) != 0 ? "SYN" : "FIN and data");
    return true;
}

static bool is_forged(judgement *j, const reset_facts *f)
{
    return forgery_judge(j, f);
}

static bool is_already_reset(judgement *j, const reset_facts *f)
{
    const connection *c = f->connection;

    if (!f->was_reset)
        return false;
    j->cause = RSTCAUSE_ALREADY_RESET;
    j->original = c->reset_frame;
    j->confidence = f->trigger != NULL ? RSTCAUSE_CERTAIN : RSTCAUSE_LIKELY;
    j->trigger = f->trigger != NULL ? f->trigger->frame : 0;
    judgement_add_evidence(j, "#%u had reset the connection %.3f ms before", c->reset_frame,
                           (double)MAX(f->reset->time - c->reset_time, 0) / MILLISECOND);
    if (f->trigger != NULL)
        judgement_add_evidence(j, "it answers #%u, which was on the way", f->trigger->frame);
    return true;
}

static bool has_no_context(judgement *j, const reset_facts *f)
{
    if (!f->has_no_context || f->stated->has_cause || f->stated->is_remark)
        return false;
    j->cause = RSTCAUSE_UNKNOWN;
    j->detail = RSTCAUSE_NO_CONTEXT;
    judgement_add_evidence(j, "the capture holds no other segment of this connection");
    if (f->has_ack && f->reset->sequence == 0)
        judgement_add_evidence(j, "ACK with sequence number 0 is the form of an answer to a segment without ACK (RFC "
                                  "9293 section 3.5.2), as a closed port gives to a SYN");
    return true;
}

/* Nothing but the sender's own word. Whoever gives a reason in words has made the reset by itself: no stack puts any
 * into its answers. */
static bool is_stated_only(judgement *j, const reset_facts *f)
{
    if (!f->has_no_context)
        return false;
    j->cause = f->stated->has_cause ? f->stated->cause : RSTCAUSE_ABORT;
    judgement_add_evidence(
        j, "the capture holds no other segment of this connection: the cause rests on what the sender states");
    return true;
}

/* S answered a SYN, its listener was closed before the handshake was complete, and the SYN came again. */
static bool has_lost_listener(const reset_facts *f)
{
    return f->sender_accepted && !f->connection->is_established && f->trigger->was_old && f->reset->sequence == 0;
}

/* RFC 9293 section 3.5.2 group 1: no connection and no listener; the answer to a segment without ACK acknowledges it.
 * P acknowledges nothing then: if it did, S had answered, though the capture does not hold it. */
static bool is_refusal(const reset_facts *f)
{
    return !f->sender_was_heard && f->trigger != NULL && f->has_ack && (f->trigger->flags & RSTCAUSE_ACK) == 0 &&
           !f->sender_closed && (!f->sender_accepted || has_lost_listener(f));
}

static bool is_firewall_reject(judgement *j, const reset_facts *f)
{
    return is_refusal(f) && (f->trigger->flags & RSTCAUSE_SYN) != 0 && forgery_judge_refusal(j, f);
}

static bool is_closed_port(judgement *j, const reset_facts *f)
{
    const host *h = f->sender->host;
    bool is_probe, is_same_distance;

    if (!is_refusal(f) || (f->sender->frames > 0 && !f->sender_accepted) || f->sender_opened)
        return false;
    is_probe = (f->trigger->flags & RSTCAUSE_SYN) == 0;
    is_same_distance = h->ttl_seen > 0 && !h->ttl_varies && h->ttl == f->reset->ttl;
    answer(j, f, RSTCAUSE_CLOSED_PORT, is_probe ? RSTCAUSE_PROBE : RSTCAUSE_NO_DETAIL,
           is_same_distance && f->connection->past.end != PAST_OPEN && f->connection->past.end != PAST_CLOSED
               ? RSTCAUSE_CERTAIN
               : RSTCAUSE_LIKELY);
    if (f->sender_accepted)
        judgement_add_evidence(j, "#%u asks for a connection again, after the SYN/ACK #%u: the listener has gone since",
                               f->trigger->frame, f->sender->syn_frame);
    else
        judgement_add_evidence(j, "#%u %s, and no SYN/ACK came", f->trigger->frame,
                               is_probe ? "is a probe without SYN to a pair that was never connected"
                                        : "asks for a connection");
    if (f->reset->sequence == 0)
        judgement_add_evidence(j, "its sequence number is 0, as RFC 9293 3.5.2 asks where nobody listens");
    if (is_same_distance)
        judgement_add_evidence(j, "its TTL %u is that of the host's other segments", f->reset->ttl);
    return true;
}

/* A SYN for a port pair whose connection both had closed in order, met by the one that closed first and so waits
 * in TIME-WAIT. Linux accepts such a SYN or acknowledges it, so its peer resets (see is_stale_ack()). */
static bool is_answer_to_reuse(judgement *j, const reset_facts *f)
{
    const connection *c = f->connection;
    bool is_old_number = c->past.has_next[f->side] && f->reset->sequence == c->past.next[f->side];

    if (!is_refusal(f) || (f->trigger->flags & RSTCAUSE_SYN) == 0 || c->past.end != PAST_CLOSED ||
        f->reset->time - c->past.time > time_wait_at_most)
        return false;
    if (!is_old_number && (c->past.closed_first != f->side || f->sender->host->stack == STACK_LINUX))
        return false;
    answer(j, f, RSTCAUSE_TIME_WAIT, RSTCAUSE_PORT_REUSE, RSTCAUSE_LIKELY);
    if (is_old_number)
        judgement_add_evidence(j, "its sequence number is where the connection before had come to");
    judgement_add_evidence(j, "the connection before on this port pair was closed in order by #%u", c->past.frame);
    return true;
}

/* S sent a SYN, and an ACK of something else came: P still has, or waits out, the connection before.
 * RFC 9293 section 3.5.1 figure 9, and section 3.6.1 for TIME-WAIT. */
static bool is_stale_ack(judgement *j, const reset_facts *f)
{
    const connection *c = f->connection;
    const recent_segment *t = f->trigger;
    bool is_old_number;

    if (t != NULL && endpoint_reopens(f->sender) && t->time >= f->sender->last_syn_time) {
        answer(j, f, RSTCAUSE_HALF_OPEN, RSTCAUSE_RECONNECT, RSTCAUSE_LIKELY);
        judgement_add_evidence(j,
                               "its sender had sent its SYN again in #%u, in the middle of the connection and with the "
                               "same number, and #%u answers that with the numbers of the connection",
                               f->sender->last_frame, t->frame);
        return true;
    }
    if (!f->sender_opened || c->is_established || t == NULL || (t->flags & RSTCAUSE_SYN) != 0 ||
        t->acknowledgement == f->sender->isn + 1 || t->acknowledgement == f->sender->isn)
        return false;
    is_old_number = c->past.has_next[f->side] && t->acknowledgement == c->past.next[f->side];
    if (c->past.end == PAST_CLOSED) {
        answer(j, f, RSTCAUSE_TIME_WAIT, RSTCAUSE_PORT_REUSE, is_old_number ? RSTCAUSE_CERTAIN : RSTCAUSE_LIKELY);
        judgement_add_evidence(j, "the connection before on this port pair was closed in order by #%u", c->past.frame);
    } else {
        answer(j, f, RSTCAUSE_HALF_OPEN, RSTCAUSE_RECONNECT, is_old_number ? RSTCAUSE_CERTAIN : RSTCAUSE_LIKELY);
        if (c->past.end == PAST_OPEN)
            judgement_add_evidence(j, "the connection before on this port pair was not closed (last segment #%u)",
                                   c->past.frame);
        judgement_add_evidence(j, "#%u answers the SYN #%u with the numbers of another connection", t->frame,
                               f->sender->syn_frame);
    }
    if (is_old_number)
        judgement_add_evidence(j, "the ACK number of #%u is where the connection before had come to", t->frame);
    return true;
}

static bool is_handshake_abandoned(judgement *j, const reset_facts *f)
{
    const connection *c = f->connection;
    const recent_segment *t = f->trigger;
    const endpoint *s = f->sender;
    rstcause_detail detail = RSTCAUSE_CANCELLED;

    if (!f->sender_opened || c->is_established || t == NULL ||
        (t->flags & (RSTCAUSE_SYN | RSTCAUSE_ACK)) != (RSTCAUSE_SYN | RSTCAUSE_ACK) ||
        !sequence_after(t->acknowledgement, s->isn) || sequence_after(t->acknowledgement, s->next))
        return false;
    if (s->syn_is_bare || s->host->probes >= probes_of_a_scan)
        detail = RSTCAUSE_SYN_SCAN;
    else if (t->time - s->syn_time >= late_syn_ack_after)
        detail = RSTCAUSE_LATE_SYN_ACK;
    answer(j, f, RSTCAUSE_HANDSHAKE_ABANDONED, detail,
           f->has_ack || f->ttl_differs ? RSTCAUSE_LIKELY : RSTCAUSE_CERTAIN);
    judgement_add_evidence(j, "#%u acknowledges the SYN #%u as it should, %.3f ms later", t->frame, s->syn_frame,
                           (double)(t->time - s->syn_time) / MILLISECOND);
    if (detail == RSTCAUSE_SYN_SCAN && s->syn_is_bare)
        judgement_add_evidence(j, "the SYN has none of the options that every stack in use sends: a scanner made it");
    else if (detail == RSTCAUSE_SYN_SCAN)
        judgement_add_evidence(j, "this host sent %u SYNs to different ports or hosts that led to no connection",
                               s->host->probes);
    return true;
}

/* RFC 9293 section 3.5.2 group 2: in a state that is not synchronised, an ACK of what was never sent. */
static bool is_unacceptable_ack(judgement *j, const reset_facts *f)
{
    const recent_segment *t = f->trigger;
    const endpoint *s = f->sender;

    if (t == NULL || f->has_ack || s->syn_frame == 0 || (t->flags & RSTCAUSE_ACK) == 0)
        return false;
    if (f->sender_opened && (f->connection->is_established || s->has_acknowledged))
        return false;
    if (f->sender_accepted &&
        ((f->connection->is_established && s->frames > s->syn_count) || t->acknowledgement == s->isn + 1))
        return false;
    if (sequence_after(t->acknowledgement, s->isn) && !sequence_after(t->acknowledgement, s->next))
        return false;
    answer(j, f, RSTCAUSE_UNACCEPTABLE_ACK, RSTCAUSE_NO_DETAIL,
           t->acknowledgement == 0 || t->acknowledgement == s->isn ? RSTCAUSE_POSSIBLE
           : f->connection->is_established                         ? RSTCAUSE_LIKELY
                                                                   : RSTCAUSE_CERTAIN);
    judgement_add_evidence(j, "#%u acknowledges %u, but its receiver had sent only the SYN #%u with number %u",
                           t->frame, t->acknowledgement, s->syn_frame, s->isn);
    return true;
}

/* A SYN/ACK for a SYN that S did not send, as far as the capture shows: backscatter of somebody's forged SYN, or
 * the answer to an old one. */
static bool is_unasked_syn_ack(judgement *j, const reset_facts *f)
{
    const connection *c = f->connection;
    const recent_segment *t = f->trigger;

    if (t == NULL || f->has_ack || f->sender->frames > 0 ||
        (t->flags & (RSTCAUSE_SYN | RSTCAUSE_ACK)) != (RSTCAUSE_SYN | RSTCAUSE_ACK))
        return false;
    if (c->past.end == PAST_RESET) {
        answer(j, f, RSTCAUSE_ALREADY_RESET, RSTCAUSE_NO_DETAIL, RSTCAUSE_LIKELY);
        j->original = c->past.frame;
        judgement_add_evidence(
            j, "#%u had reset the connection of this port pair; a SYN of it that came late asked for another",
            c->past.frame);
    } else if (c->past.end == PAST_CLOSED) {
        answer(j, f, RSTCAUSE_TIME_WAIT, RSTCAUSE_LATE_SEGMENT, RSTCAUSE_LIKELY);
        judgement_add_evidence(j,
                               "the connection of this port pair had been closed in order by #%u; a SYN of it that "
                               "came late asked for another",
                               c->past.frame);
    } else {
        answer(j, f, RSTCAUSE_UNACCEPTABLE_ACK, RSTCAUSE_NO_DETAIL, RSTCAUSE_POSSIBLE);
        judgement_add_evidence(j, "#%u answers a SYN that the capture does not hold", t->frame);
    }
    return true;
}

/* RFC 1337 section 2: an old segment reaches TIME-WAIT, is acknowledged, and the peer, which has closed, resets. */
static bool is_assassination(const reset_facts *f)
{
    const recent_segment *own;

    if (f->trigger->end != f->trigger->sequence)
        return false;
    /* P closed first, so it is P that waits, and only a late segment makes it speak. */
    if (f->receiver->fin_frame < f->sender->fin_frame)
        return true;
    for (unsigned age = 0; (own = recent_at(&f->sender->recent, age)) != NULL; age++) {
        if (own->frame < f->connection->closed_frame)
            return false;
        if (own->frame < f->trigger->frame && own->was_old)
            return true;
    }
    return false;
}

static bool is_time_wait(judgement *j, const reset_facts *f)
{
    bool is_assassinated;

    if (!f->closed_before)
        return false;
    is_assassinated = f->trigger != NULL && is_assassination(f);
    answer(j, f, RSTCAUSE_TIME_WAIT,
           is_assassinated      ? RSTCAUSE_ASSASSINATION
           : f->trigger != NULL ? RSTCAUSE_LATE_SEGMENT
                                : RSTCAUSE_NO_DETAIL,
           f->trigger == NULL     ? RSTCAUSE_POSSIBLE
           : f->trigger_fits_time ? RSTCAUSE_CERTAIN
                                  : RSTCAUSE_LIKELY);
    judgement_add_evidence(j, "both FINs (#%u and #%u) had been acknowledged by #%u",
                           MIN(f->sender->fin_frame, f->receiver->fin_frame),
                           MAX(f->sender->fin_frame, f->receiver->fin_frame), f->connection->closed_frame);
    return true;
}

/* Linux with tcp_abort_on_overflow, a SYN cookie that does not fit (tcp_check_req(), cookie_v4_check()), or a
 * balancer without a backend. */
static bool is_handshake_rejected(judgement *j, const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;
    const recent_segment *t = f->trigger;
    int64_t waited;

    if (!f->sender_accepted || f->has_ack || t == NULL || s->next != s->isn + 1 || t->acknowledgement != s->isn + 1 ||
        f->sender_closed)
        return false;
    if (s->has_acknowledged && s->acknowledged != (p->syn_frame != 0 ? p->isn + 1 : s->accepted_at))
        return false;
    /* A SYN/ACK sent again shows that the ACKs before it were not taken. */
    waited =
        t->time - MAX(f->connection->establish_frame != 0 ? f->connection->establish_time : t->time, s->last_syn_time);
    if (waited > rejected_within)
        return false;
    answer(j, f, RSTCAUSE_HANDSHAKE_REJECTED, RSTCAUSE_NO_DETAIL,
           f->stack == STACK_LINUX && f->trigger_fits_time && t->frame == f->connection->establish_frame
               ? RSTCAUSE_CERTAIN
               : RSTCAUSE_LIKELY);
    judgement_add_evidence(
        j, "its sender had acknowledged nothing beyond the SYN, and sent nothing but the SYN/ACK #%u", s->syn_frame);
    judgement_add_evidence(j,
                           t->frame == f->connection->establish_frame
                               ? "#%u is the ACK that completes the handshake"
                               : "#%u came right behind the ACK that completes the handshake",
                           t->frame);
    return true;
}

/* Only S's direction is in the capture, and S sent nothing but its part of the handshake: the answer is judged by
 * where in the handshake it stands. */
static bool is_one_sided_handshake(judgement *j, const reset_facts *f)
{
    const connection *c = f->connection;
    const endpoint *s = f->sender;

    if (f->trigger != NULL || f->receiver->frames > 0 || f->has_ack || s->syn_frame == 0 || s->frames > s->syn_count)
        return false;
    if (f->reset->sequence == s->isn + 1) {
        j->cause = f->sender_opened ? RSTCAUSE_HANDSHAKE_ABANDONED : RSTCAUSE_HANDSHAKE_REJECTED;
    } else if (c->past.end == PAST_CLOSED) {
        j->cause = RSTCAUSE_TIME_WAIT;
        j->detail = RSTCAUSE_PORT_REUSE;
    } else if (c->past.end == PAST_OPEN) {
        j->cause = RSTCAUSE_HALF_OPEN;
        j->detail = RSTCAUSE_RECONNECT;
    } else {
        j->cause = RSTCAUSE_UNACCEPTABLE_ACK;
    }
    judgement_add_evidence(j, "its sender sent nothing before but #%u, and its number %s", s->syn_frame,
                           f->reset->sequence == s->isn + 1 ? "is the one behind that" : "is another's");
    return true;
}

/* Between a reset that its sender made on its own and an answer: is this one an answer? Linux sets ACK in the
 * first and not in the second (tcp_send_active_reset(), tcp_v4_send_reset()); others send aborts without ACK too. */
static bool is_answer(const reset_facts *f)
{
    const endpoint *s = f->sender;

    if (f->trigger == NULL)
        return !f->has_ack && (f->below_next || f->stack == STACK_LINUX);
    if (f->has_ack)
        return f->trigger_fits_time;
    if (f->numbers_answer || f->stack == STACK_LINUX)
        return true;
    if (!f->trigger_fits_time)
        return false;
    /* At its own next number it may be either. What S's application has yet to read makes an abort likely; a trigger
     * that S had no time to take in since it last spoke speaks for an abort too. */
    return s->frames == 0 || f->trigger->length > 0 || f->trigger->is_keepalive || f->sender_closed ||
           (f->trigger->flags & RSTCAUSE_FIN) != 0;
}

/* RFC 9293 section 3.6.1: S has closed and can take no more (RFC 1122 section 4.2.2.13: it SHOULD then reset). */
static bool is_data_after_close(judgement *j, const reset_facts *f)
{
    rstcause_confidence confidence;

    if (f->trigger_by_time != NULL && !f->sender_closed) {
        j->cause = RSTCAUSE_DATA_AFTER_CLOSE;
        j->detail = detail_of(f->trigger_by_time);
        j->trigger = f->trigger_by_time->frame;
        judgement_add_evidence(j,
                               "its sequence number is %d above its sender's last one in this capture, and the peer "
                               "has not acknowledged that: its sender "
                               "knows the connection and had sent more, the FIN probably among it",
                               sequence_difference(f->reset->sequence, f->sender->next));
        judgement_add_evidence(j, "it came a round trip after #%u, which its sender had not acknowledged", j->trigger);
        return true;
    }
    if (!f->sender_closed || !f->connection->is_established || !is_answer(f))
        return false;
    if (f->trigger == NULL)
        confidence = RSTCAUSE_POSSIBLE;
    else
        confidence = f->trigger_fits_time && f->connection->resets[f->side].frame == 0 &&
                             (f->numbers_answer || f->stack == STACK_LINUX || f->trigger->end != f->trigger->sequence)
                         ? RSTCAUSE_CERTAIN
                         : RSTCAUSE_LIKELY;
    answer(j, f, RSTCAUSE_DATA_AFTER_CLOSE, detail_of(f->trigger), confidence);
    judgement_add_evidence(j, "its sender had closed with FIN #%u", f->sender->fin_frame);
    return true;
}

/* RFC 9293 section 3.8.4; Linux: tcp_keepalive_timer() sends RST,ACK when the probes are used up. */
static bool is_keepalive_timeout(judgement *j, const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;
    int64_t interval, waited;

    if (!f->has_ack || s->probes == 0 || p->last_time > s->probe_first_time || f->reset->sequence - s->next + 1 > 1)
        return false;
    interval = s->probes > 1 ? (s->probe_last_time - s->probe_first_time) / (s->probes - 1) : 0;
    waited = f->reset->time - s->probe_last_time;
    if (waited < interval / 2)
        return false;
    j->cause = RSTCAUSE_KEEPALIVE_TIMEOUT;
    j->confidence = s->probes > 1 && waited >= interval - interval / 5 && waited <= interval + interval / 5
                        ? RSTCAUSE_CERTAIN
                        : RSTCAUSE_LIKELY;
    judgement_add_evidence(j, "its sender sent %u keep-alive probe%s (#%u to #%u) and got no answer", s->probes,
                           s->probes == 1 ? "" : "s", s->probe_first_frame, s->probe_last_frame);
    judgement_add_evidence(j, "it came %.3f s after the last probe", (double)waited / SECOND);
    return true;
}

/* RFC 9293 section 3.8.3: R2 is reached. Linux gives up in silence; Windows and BSD (tcp_timer_rexmt()) reset. */
static bool is_retransmission_timeout(judgement *j, const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;
    int64_t waited = f->reset->time - s->repeat_last_time;

    if (s->repeats < 2 || !s->repeats_back_off || p->last_time > s->repeat_first_time ||
        waited < s->repeat_gap - s->repeat_gap / 10)
        return false;
    j->cause = RSTCAUSE_RETRANSMISSION_TIMEOUT;
    j->confidence = s->repeats >= 3 ? RSTCAUSE_CERTAIN : RSTCAUSE_LIKELY;
    judgement_add_evidence(
        j, "its sender sent #%u again %u times, the last time in #%u, with growing gaps, and got no acknowledgement",
        s->repeat_first_frame, s->repeats, s->repeat_last_frame);
    judgement_add_evidence(j, "it came %.3f s after the last repeat: the next one was due", (double)waited / SECOND);
    return true;
}

/* RFC 9293 section 3.5.1 figures 10 and 11: S has no such connection, and never closed it. */
static bool is_half_open(judgement *j, const reset_facts *f)
{
    const endpoint *s = f->sender;
    const recent_segment *t = f->trigger;
    rstcause_detail detail = RSTCAUSE_NO_DETAIL;
    rstcause_confidence confidence = RSTCAUSE_LIKELY;
    int64_t since_spoke;

    if (f->sender_closed || !is_answer(f))
        return false;
    /* With ACK it is an abort that acknowledges the last data as well, but where S's counter of IP IDs, which began
     * anew, tells a restart (lwIP: measured), or where S has never spoken, and P heard nothing either. */
    if (f->has_ack && (s->frames > 0 || f->sender_was_heard) && !(t != NULL && t->is_keepalive) &&
        (!f->reset->has_ip_id || s->ip_ids_rising == 0 || f->ip_id_continues ||
         f->reset->ip_id > s->last_counted_ip_id))
        return false;
    if (t == NULL) {
        answer(j, f, RSTCAUSE_HALF_OPEN, detail, RSTCAUSE_POSSIBLE);
        judgement_add_evidence(j, "no FIN or reset of its sender came before");
        return true;
    }
    since_spoke = s->frames > 0 ? t->time - s->last_time : -1;
    if (t->is_keepalive)
        detail = RSTCAUSE_KEEPALIVE_PROBE;
    else if (t->silence >= forgotten_after)
        detail = RSTCAUSE_IDLE_EXPIRED;
    else if (t->length > 0)
        detail = RSTCAUSE_DATA;
    if (f->stack == STACK_LINUX && f->handshake_seen && s->frames > 0 && f->trigger_fits_time && !f->ttl_differs &&
        since_spoke >= quickest_loss && (t->length > 0 || t->is_keepalive))
        confidence = RSTCAUSE_CERTAIN;
    else if (!f->trigger_fits_time || f->sender_was_heard || (f->has_ack && s->frames == 0))
        confidence = RSTCAUSE_POSSIBLE;
    else if (f->stack != STACK_LINUX && !f->numbers_answer && since_spoke >= 0 && since_spoke < recently)
        confidence = RSTCAUSE_POSSIBLE;
    answer(j, f, RSTCAUSE_HALF_OPEN, detail, confidence);
    judgement_add_evidence(j, "no FIN or reset of its sender came before");
    if (f->sender_was_heard)
        judgement_add_evidence(j, "the peer acknowledges what the capture does not hold: its sender may have closed");
    if (f->stack == STACK_LINUX)
        judgement_add_evidence(j, "its sender's stack is Linux, whose own aborts carry ACK");
    if (since_spoke >= 0)
        judgement_add_evidence(j, "its sender had last spoken in #%u, %.3f s before #%u", s->last_frame,
                               (double)since_spoke / SECOND, t->frame);
    if (f->ttl_differs)
        judgement_add_evidence(
            j, "its TTL %u differs from the sender's others (%u to %u): a NAT or balancer may have answered",
            f->reset->ttl, s->ttl_low, s->ttl_high);
    return true;
}

/* RFC 9293 section 3.10.5: ABORT sends a reset at snd.nxt. */
static bool is_abort(judgement *j, const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;
    bool has_proof;

    if (s->frames == 0 && (!f->has_ack || f->receiver->frames == 0))
        return false;
    if (s->has_next && f->below_next && !f->has_ack)
        return false;
    j->cause = RSTCAUSE_ABORT;
    /* RFC 8684 section 3.5: MP_FASTCLOSE on an ACK asks for the reset that closes the connection. */
    if (p->fastclose_frame != 0) {
        j->trigger = p->fastclose_frame;
        j->detail = RSTCAUSE_FASTCLOSE;
        j->confidence = RSTCAUSE_CERTAIN;
        judgement_add_evidence(j, "it answers #%u, in which the peer closes the MPTCP connection with MP_FASTCLOSE",
                               p->fastclose_frame);
        return true;
    }
    has_proof = f->has_ack && f->at_next && f->connection->is_established && !f->ttl_differs &&
                (f->ip_id_continues || (s->has_timestamps && f->reset->has_timestamps) ||
                 (f->handshake_seen && f->reset->window != 0));
    /* An unknown stack's answer may look the same. */
    has_proof = has_proof && f->trigger == NULL;
    j->confidence = has_proof ? RSTCAUSE_CERTAIN : f->at_next && s->frames > 0 ? RSTCAUSE_LIKELY : RSTCAUSE_POSSIBLE;
    j->detail = abort_detail_find(j, f);
    judgement_add_evidence(
        j, f->at_next
               ? "its sequence number is its sender's own next one: no answer to a segment, but the sender's own doing"
               : "its sequence number is not its sender's next one in this capture, which misses segments");
    if (f->has_ack && f->stack == STACK_LINUX)
        judgement_add_evidence(j, "it has the ACK flag, which Linux sets in resets of its own making only");
    if (f->ip_id_continues)
        judgement_add_evidence(j, "its IP ID %u is the next of its sender's counter", f->reset->ip_id);
    return true;
}

static bool is_unknown(judgement *j, const reset_facts *f)
{
    j->cause = RSTCAUSE_UNKNOWN;
    judgement_add_evidence(
        j, f->has_ack ? "it acknowledges no segment in the capture and does not continue its sender's numbers"
                      : "no segment in the capture has its sequence number as ACK number");
    return true;
}

/*
 * Asked from the top; the first that applies gives the verdict. What a packet is (a copy, damaged, forged) comes
 * before what it means; what came before it (a reset) before what it answers; the more specific state of the
 * connection before the more general.
 */
static bool (*const rules[])(judgement *, const reset_facts *) = {
    is_copy,            /* the packet that it copies has the cause */
    has_corrupt_flags,  /* unknown */
    is_forged,          /* injected */
    is_already_reset,   /* already-reset */
    has_no_context,     /* unknown */
    is_stated_only,     /* whatever the sender states */
    is_answer_to_reuse, /* time-wait: a SYN met TIME-WAIT */
    is_firewall_reject, /* firewall-reject */
    is_closed_port,     /* closed-port */
    is_stale_ack,       /* half-open or time-wait: a SYN met the connection before */
    is_handshake_abandoned,
    is_unacceptable_ack,
    is_unasked_syn_ack, /* unacceptable-ack, or what became of the connection before */
    is_one_sided_handshake,
    is_time_wait,
    is_handshake_rejected,
    is_data_after_close,
    is_keepalive_timeout,
    is_retransmission_timeout,
    is_half_open,
    is_abort,
    is_unknown,
};

void rules_judge(judgement *j, const reset_facts *f)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rules); i++) {
        if (rules[i](j, f))
            return;
    }
}
