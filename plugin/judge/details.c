/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Details are claims like causes: where several mechanisms leave the same packets, one is named only where something
 * measured or laid down tells it from the others.
 */
#include "details.h"

#include "follow/units.h"

/* Idle timeouts of servers and clients begin here or above (nginx 75 s, Apache 5 to 60 s, NetScaler 180 s); what is
 * quiet for less may be at work. */
static const int64_t idle_after = 30 * SECOND;

/* A NAT or balancer forgets a TCP connection after a silence; the short ones take a minute (RFC 5382 REQ-5 asks for
 * 2 h 4 min at least; 60 s for HAProxy's examples, 350 s and 240 s for two large clouds). */
static const int64_t forgotten_after = 60 * SECOND;

/* The initial retransmission timeout (RFC 6298 section 2.1): a SYN/ACK later than that finds a SYN sent again. */
static const int64_t late_syn_ack_after = SECOND;

/* Connections that a host opened without bringing one about, from which on it scans. Browsers race a handful of
 * addresses (RFC 8305). */
static const uint32_t probes_of_a_scan = 8;

/*
 * close() with unread data empties the receive queue before it resets (tcp_close() in Linux's net/ipv4/tcp.c), so
 * the window in the reset is larger than in the segment before; measured on Linux 6.18.
 */
bool details_queue_was_emptied(const reset_facts *f)
{
    return f->stack == STACK_LINUX && f->has_ack && f->sender->frames > 0 && f->reset.window > f->sender->window &&
           (f->sender->syn_frame == 0 || f->sender->last_frame != f->sender->syn_frame);
}

/* Nothing of P came to S since the handshake: so there was nothing to read. */
static bool can_have_nothing_unread(const reset_facts *f)
{
    return f->handshake_seen && !f->connection.is_incomplete && f->receiver->frames > 0 && f->receiver->bytes == 0;
}

static rstcause_detail detail_of_abort(const reset_facts *f)
{
    if (f->stated.is_fastclose)
        return RSTCAUSE_FASTCLOSE;
    if (f->later.listener_sibling != 0 && !f->later.port_goes_on && !f->receiver_closed && f->sender_accepted &&
        f->sender->bytes == 0 && f->receiver->bytes == 0 && !f->sender_closed)
        return RSTCAUSE_LISTENER_CLOSED;
    if (f->receiver_fin_known)
        return RSTCAUSE_AFTER_FIN;
    if (f->silence >= idle_after)
        return RSTCAUSE_IDLE;
    if (f->receiver->bytes > 0 && details_queue_was_emptied(f))
        return RSTCAUSE_UNREAD_DATA;
    if (f->pending > 0)
        return RSTCAUSE_PENDING_DATA;
    /* With data of P in the stream SO_LINGER 0 and unread data leave the same packets. */
    if (f->stack == STACK_LINUX && f->has_ack && f->sender->bytes > 0 && can_have_nothing_unread(f))
        return RSTCAUSE_LINGER;
    return RSTCAUSE_NO_DETAIL;
}

static rstcause_detail detail_of_answer(const recent_segment *trigger)
{
    if (trigger->length > 0)
        return RSTCAUSE_DATA;
    return (trigger->flags & RSTCAUSE_FIN) != 0 ? RSTCAUSE_ANSWERED_FIN : RSTCAUSE_ANSWERED_ACK;
}

static rstcause_detail detail_of_half_open(const reset_facts *f)
{
    if (!f->has_trigger)
        return RSTCAUSE_NO_DETAIL;
    if (f->trigger.is_keepalive)
        return RSTCAUSE_KEEPALIVE_PROBE;
    if (f->trigger.silence >= forgotten_after)
        return RSTCAUSE_IDLE_EXPIRED;
    return f->trigger.length > 0 ? RSTCAUSE_DATA : RSTCAUSE_NO_DETAIL;
}

static rstcause_detail detail_of_abandoned(const reset_facts *f)
{
    const endpoint *s = f->sender;

    /* An application's close of a connection that has come about has ACK and S's next number: no scanner's kernel sends it. */
    if (!f->has_ack && (s->syn_is_bare || f->host_probes >= probes_of_a_scan))
        return RSTCAUSE_SYN_SCAN;
    if (f->has_trigger && f->trigger.time - s->syn_time >= late_syn_ack_after)
        return RSTCAUSE_LATE_SYN_ACK;
    return RSTCAUSE_CANCELLED;
}

static rstcause_detail detail_of_forgery(const judgement *j, const reset_facts *f)
{
    const form_match *own = &j->forms.own, *answer = &j->forms.answer;
    /* The reading that it comes nearest to tells what is wrong with it. */
    const form_match *nearest = own->weight <= answer->weight ? own : answer;

    if (f->later.absent_at_sender != 0)
        return RSTCAUSE_ABSENT_AT_SENDER;
    /* Azure's load balancers reset both ends of a connection that was idle for 4 minutes (vendor's documentation). */
    if (f->later.counterpart != 0 && f->silence >= forgotten_after)
        return RSTCAUSE_IDLE_TIMEOUT;
    /* The number is the same whatever form it is held against. */
    if (f->above_next && own->against[FEATURE_SEQUENCE] >= WEIGHT_ODD &&
        answer->against[FEATURE_TRIGGER] >= WEIGHT_CONTRADICTED)
        return RSTCAUSE_FORGED_SEQUENCE;
    /* Another distance is what a person sees first, and can check with other packets. */
    if (nearest->against[FEATURE_TTL] > 0)
        return RSTCAUSE_FORGED_TTL;
    if (nearest->against[FEATURE_IP_ID] >= WEIGHT_ODD)
        return RSTCAUSE_FORGED_IP_ID;
    if (nearest->against[FEATURE_ACKNOWLEDGEMENT] >= WEIGHT_ODD)
        return RSTCAUSE_FORGED_SEQUENCE;
    if (nearest->against[FEATURE_DF] + nearest->against[FEATURE_WINDOW] + nearest->against[FEATURE_TIMESTAMPS] +
            nearest->against[FEATURE_ACK_FLAG] >=
        WEIGHT_ODD)
        return RSTCAUSE_FORGED_FORM;
    if (f->later.sender_continues != 0 || f->later.accepted != 0)
        return RSTCAUSE_SENDER_CONTINUES;
    if (f->later.counterpart != 0)
        return RSTCAUSE_BOTH_DIRECTIONS;
    if (nearest->against[FEATURE_TIME] >= WEIGHT_ODD)
        return RSTCAUSE_FORGED_TIMING;
    if (nearest->against[FEATURE_FLOW_LABEL] > 0)
        return RSTCAUSE_FORGED_FORM;
    return RSTCAUSE_NO_DETAIL;
}

rstcause_detail details_find(const judgement *j, const reset_facts *f)
{
    switch (j->cause) {
    case RSTCAUSE_ABORT:
        return j->row->detail != RSTCAUSE_NO_DETAIL           ? j->row->detail
               : f->has_no_context && !f->stated.is_fastclose ? RSTCAUSE_NO_DETAIL
                                                              : detail_of_abort(f);
    case RSTCAUSE_HALF_OPEN:
        return j->row->detail != RSTCAUSE_NO_DETAIL ? j->row->detail : detail_of_half_open(f);
    case RSTCAUSE_TIME_WAIT:
        if (j->row->detail != RSTCAUSE_NO_DETAIL || !f->has_trigger)
            return j->row->detail;
        return f->was_assassinated ? RSTCAUSE_ASSASSINATION : RSTCAUSE_LATE_SEGMENT;
    case RSTCAUSE_DATA_AFTER_CLOSE:
        return f->has_trigger           ? detail_of_answer(&f->trigger)
               : f->has_trigger_by_time ? detail_of_answer(&f->trigger_by_time)
                                        : RSTCAUSE_NO_DETAIL;
    case RSTCAUSE_HANDSHAKE_ABANDONED:
        return j->row->detail != RSTCAUSE_NO_DETAIL ? detail_of_abandoned(f) : RSTCAUSE_NO_DETAIL;
    case RSTCAUSE_INJECTED:
        return detail_of_forgery(j, f);
    default:
        return j->row->detail;
    }
}
