/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a row of the table of causes may require: each is one predicate over the facts and names the RFC section, stack or
 * measurement that it follows. S sent the reset, P is its peer.
 */
#include "causes.h"

#include "follow/units.h"

/* A server that turns a connection away does so at the ACK that completes the handshake or the data behind it. */
static const int64_t rejected_within = SECOND;

/* No host, container or NAT forgets a connection and answers again sooner after it spoke for it. */
static const int64_t quickest_loss = 100 * MILLISECOND;

/* A host that spoke so recently and does not tell its aborts from its answers may well have aborted. */
static const int64_t recently = SECOND;

/* Twice the maximum segment lifetime (RFC 9293 section 3.4.2). */
static const int64_t time_wait_at_most = 240 * SECOND;

/* BSD's and Linux' timers rise to 64 and 120 s, Windows' no further than some 20 s (five repeats). */
static const int64_t ceiling_of_timer = 60 * SECOND;

/* Less than this against every genuine reading is no forgery; so much is one, unless the row of the stack is wrong. */
enum { FOREIGN_FROM = WEIGHT_CONTRADICTED };

static finding when(bool holds)
{
    return holds ? HOLDS : FAILS;
}

static finding seen_when(bool holds)
{
    return holds ? HOLDS : UNSEEN;
}

/* A sender that goes on as if it had sent none has not: what was taken for its own end is a place on the way. */
bool requirement_is_present_at_sender(const reset_facts *f)
{
    return f->later.is_present_at_sender && f->later.sender_continues == 0;
}

unsigned requirement_weigh_later(const reset_facts *f)
{
    unsigned weight = 0;

    if (requirement_is_present_at_sender(f))
        return 0;
    if (f->later.is_absence_proven || f->later.accepted != 0)
        return RULED_OUT;
    /* The capture there may have ended just before. */
    if (f->later.absent_at_sender != 0)
        weight += WEIGHT_ODD;
    if (f->later.sender_continues != 0)
        weight += WEIGHT_CONTRADICTED;
    if (f->later.forged_sibling != 0)
        weight += WEIGHT_CONTRADICTED - WEIGHT_HINT;
    /* Two applications may abort at one moment as well. */
    if (f->later.counterpart != 0 && f->connection.is_established && !f->sender_closed && !f->receiver_closed)
        weight += f->later.counterpart_is_forged ? WEIGHT_ODD : WEIGHT_HINT;
    return weight;
}

/* Nothing genuine is left, as far as the stack is known. Damaged bits are no forgery. */
static finding is_foreign(const reset_facts *f, const form_matches *m)
{
    if (requirement_is_present_at_sender(f) || form_is_damaged(f))
        return FAILS;
    return when(form_least_against(m) + requirement_weigh_later(f) >= FOREIGN_FROM);
}

/* All that is wrong with it is that it has no flow label: so netfilter writes it in whichever host it is, the named one too
 * (nf_reject_ip6hdr_put()), which goes on then. */
static bool is_of_hosts_filter(const form_matches *m)
{
    return m->answer.weight > 0 && m->answer.weight == m->answer.against[FEATURE_FLOW_LABEL];
}

static finding is_proven_foreign(const reset_facts *f, const form_matches *m)
{
    bool has_sign = form_least_against(m) >= WEIGHT_ODD && !is_of_hosts_filter(m);

    return seen_when(f->later.is_absence_proven || (f->later.sender_continues != 0 && has_sign));
}

/* Only S's own socket knows its clock and its counter; the live window stands for them where it has neither. */
static finding goes_on_as_own(const reset_facts *f)
{
    return seen_when(f->at_next && f->has_ack &&
                     (f->ip_id_continues || f->clock_continues || (f->handshake_seen && f->reset.window != 0)));
}

/* S answered a SYN, its listener was closed before the handshake was complete, and the SYN came again. */
static bool has_lost_listener(const reset_facts *f)
{
    return f->sender_accepted && !f->connection.is_established && f->trigger.was_old && f->reset.sequence == 0;
}

/* RFC 9293 section 3.5.2 group 1: no connection and no listener; the answer to a segment without ACK acknowledges it.
 * P acknowledges nothing then: if it did, S had answered, though the capture does not hold it. */
static bool is_refusal(const reset_facts *f)
{
    /* Only a socket has a number and a clock of its own (tcp_v4_send_reset() writes neither). */
    bool is_of_socket = f->reset.sequence != 0 && f->reset.has_timestamps;

    return !is_of_socket && !f->sender_was_heard && f->has_trigger && f->has_ack &&
           (f->trigger.flags & RSTCAUSE_ACK) == 0 && !f->sender_closed && !f->sender_opened &&
           (!f->sender_accepted || has_lost_listener(f));
}

static bool answers_syn(const reset_facts *f)
{
    return f->has_trigger && (f->trigger.flags & RSTCAUSE_SYN) != 0;
}

static bool has_old_number(const reset_facts *f, uint32_t number)
{
    return f->connection.past.has_next[f->side] && number == f->connection.past.next[f->side];
}

/* A SYN for a port pair whose connection both had closed in order, met by the one that closed first and so waits
 * in TIME-WAIT. Linux accepts such a SYN or acknowledges it, so its peer resets (MEETS_OLD_CONNECTION). */
static finding meets_time_wait(const reset_facts *f)
{
    const past_connection *past = &f->connection.past;
    bool is_old_number = has_old_number(f, f->reset.sequence);

    if (past->end != PAST_CLOSED || f->reset.time - past->time > time_wait_at_most)
        return FAILS;
    return when(is_old_number ||
                (past->closed_first == f->side && f->stack != STACK_LINUX && f->stack != STACK_GVISOR));
}

/* S sent a SYN, and an ACK of something else came: P still has, or waits out, the connection before. RFC 9293 section
 * 3.5.1 figure 9, and section 3.6.1 for TIME-WAIT. Or S's SYN came again in the middle of the connection (lwIP, whose
 * numbers begin anew after each start; measured). */
static finding meets_old_connection(const reset_facts *f)
{
    const recent_segment *t = &f->trigger;
    const endpoint *s = f->sender;

    if (!f->has_trigger)
        return FAILS;
    if (f->reopens && t->time >= s->last_syn_time)
        return HOLDS;
    return when(f->sender_opened && !f->connection.is_established && (t->flags & RSTCAUSE_SYN) == 0 &&
                t->acknowledgement != s->isn + 1 && t->acknowledgement != s->isn);
}

static finding answers_syn_ack(const reset_facts *f)
{
    const recent_segment *t = &f->trigger;
    const endpoint *s = f->sender;

    /* With ACK and its own next number it is the application's close of a connection that has come about. */
    return when(f->sender_opened && !f->connection.is_established && f->has_trigger &&
                (t->flags & (RSTCAUSE_SYN | RSTCAUSE_ACK)) == (RSTCAUSE_SYN | RSTCAUSE_ACK) &&
                sequence_after(t->acknowledgement, s->isn) && !sequence_after(t->acknowledgement, s->next));
}

/* RFC 9293 section 3.5.2 group 2: in a state that is not synchronised, an ACK of what was never sent. */
static finding answers_never_sent(const reset_facts *f)
{
    const recent_segment *t = &f->trigger;
    const endpoint *s = f->sender;

    if (!f->has_trigger || s->syn_frame == 0 || (t->flags & RSTCAUSE_ACK) == 0 ||
        f->reset.sequence != t->acknowledgement)
        return FAILS;
    if (f->sender_opened && (f->connection.is_established || s->has_acknowledged))
        return FAILS;
    if (f->sender_accepted &&
        ((f->connection.is_established && s->frames > s->syn_count) || t->acknowledgement == s->isn + 1))
        return FAILS;
    if (sequence_after(t->acknowledgement, s->isn) && !sequence_after(t->acknowledgement, s->next))
        return FAILS;
    /* P may acknowledge what S sent before the capture began. */
    return seen_when(t->acknowledgement != 0 && t->acknowledgement != s->isn);
}

/* A SYN/ACK for a SYN that S did not send, as far as the capture shows: backscatter of somebody's forged SYN, or the
 * answer to an old one. */
static finding answers_unasked_syn_ack(const reset_facts *f)
{
    return when(f->has_trigger && !f->has_ack && f->sender->frames == 0 &&
                (f->trigger.flags & (RSTCAUSE_SYN | RSTCAUSE_ACK)) == (RSTCAUSE_SYN | RSTCAUSE_ACK));
}

/* Only S's direction is in the capture, and S sent nothing but its part of the handshake: the answer is judged by
 * where in the handshake it stands. */
static finding is_handshake_only(const reset_facts *f)
{
    const endpoint *s = f->sender;

    return when(!f->has_trigger && f->receiver->frames == 0 && !f->has_ack && s->syn_frame != 0 &&
                s->frames <= s->syn_count);
}

/*
 * Linux with tcp_abort_on_overflow, a SYN cookie that does not fit (tcp_check_req(), cookie_v4_check()), or a balancer
 * without a backend. A SYN/ACK sent again after P's ACK shows that S never took that, however late the reset comes.
 */
static finding completes_handshake(const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;
    const recent_segment *t = &f->trigger;
    const connection *c = &f->connection;

    if (!f->sender_accepted || f->has_ack || !f->has_trigger || s->next != s->isn + 1 ||
        t->acknowledgement != s->isn + 1 || f->sender_closed)
        return FAILS;
    if (s->has_acknowledged && s->acknowledged != (p->syn_frame != 0 ? p->isn + 1 : s->accepted_at))
        return FAILS;
    if (c->establish_frame != 0 && s->last_syn_time > c->establish_time)
        return HOLDS;
    /* The ACK may have been lost: then the later segment completes it. */
    return seen_when(t->time - (c->establish_frame != 0 ? c->establish_time : t->time) <= rejected_within);
}

/* Between a reset that its sender made on its own and an answer: is this one an answer? Linux sets ACK in the
 * first and not in the second (tcp_send_active_reset(), tcp_v4_send_reset()); others send aborts without ACK too. */
static finding is_answer(const reset_facts *f)
{
    const endpoint *s = f->sender;
    bool tells = stack_find(f->stack)->tells_own;

    if (!f->has_trigger)
        return !f->has_ack && (f->below_next || tells) ? HOLDS : f->has_ack ? FAILS : UNSEEN;
    if (f->numbers_answer || (tells && !f->has_ack) || form_answers_as_closed(f))
        return HOLDS;
    if (f->has_ack) {
        /* With ACK it is an abort that acknowledges the last data as well, but where S's counter of IP IDs, which began
         * anew, tells a restart (lwIP: measured), or where S has never spoken, and P heard nothing either. */
        bool began_anew = f->reset.has_ip_id && s->ip_ids_rising > 0 && !f->ip_id_continues &&
                          f->reset.ip_id <= s->last_counted_ip_id;

        if (tells)
            return FAILS;
        if (began_anew)
            return HOLDS;
        if (!f->trigger_fits_time)
            return FAILS;
        if (f->sender_closed || f->trigger.is_keepalive || (s->frames == 0 && !f->sender_was_heard))
            return HOLDS;
        return stack_find(f->stack)->answers_with_ack ? UNSEEN : FAILS;
    }
    if (!f->trigger_fits_time)
        return FAILS;
    /* At its own next number it may be either. What S's application has yet to read makes an abort likely; a trigger
     * that S had no time to take in since it last spoke speaks for an abort too. */
    if (s->frames == 0 || f->sender_closed)
        return HOLDS;
    return recent_asks_for_answer(&f->trigger) ? (f->since_spoke < recently ? UNSEEN : HOLDS) : FAILS;
}

/* RFC 9293 section 3.10.5: ABORT sends a reset at snd.nxt. Below it there are answers only. */
static finding is_own_doing(const reset_facts *f)
{
    if (f->sender->frames == 0 && (!f->has_ack || f->receiver->frames == 0))
        return FAILS;
    return when(!(f->sender->has_next && f->below_next && !f->has_ack));
}

static finding may_answer(const reset_facts *f)
{
    /* With ACK at its own next number a Linux answers nothing, whatever came before. */
    return when(f->has_trigger && !(f->has_ack && stack_find(f->stack)->tells_own));
}

/* S's last word was a probe, and the next was due. Its answers were seen, but may not have come to S. */
static bool may_have_missed_answers(const reset_facts *f)
{
    return f->last_word_was_probe && f->has_ack && f->sender->window != 0 && f->receiver->window != 0;
}

/*
 * A pure ACK asks for no answer of a host that knows the connection. Whether it does is not seen where this is the first
 * segment of the pair: of a scan with ACKs nothing else is to be seen (RFC 9293 section 3.5.2, group 1).
 */
static finding asks_for_answer(const reset_facts *f)
{
    if (!f->has_trigger)
        return UNSEEN;
    /* A SYN/ACK asks whether S wants a connection, not whether it knows one. */
    if ((f->trigger.flags & RSTCAUSE_SYN) != 0)
        return FAILS;
    if (recent_asks_for_answer(&f->trigger))
        return HOLDS;
    if (f->sender->frames > 0 || f->receiver->frames > 1)
        return FAILS;
    /* No answer bears timestamps, a socket's own reset does. */
    return f->reset.has_timestamps ? FAILS : UNSEEN;
}

/* RFC 9293 section 3.8.4; Linux: tcp_keepalive_timer() sends RST,ACK when the probes are used up. */
static finding are_probes_unanswered(const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;
    int64_t interval = s->probes > 1 ? (s->probe_last_time - s->probe_first_time) / (s->probes - 1) : 0;

    if (f->has_ack && s->probes > 0 && p->last_time <= s->probe_first_time && p->window != 0 &&
        f->reset.sequence - s->next + 1 <= 1 && f->reset.time - s->probe_last_time >= interval / 2)
        return HOLDS;
    return may_have_missed_answers(f) ? UNSEEN : FAILS;
}

/* The reset comes when the next probe was due. Linux rounds its timers up by an eighth at most (levels of the wheel in
 * kernel/time/timer.c), each gap on its own. */
static finding are_probes_in_step(const reset_facts *f)
{
    const endpoint *s = f->sender;
    int64_t interval = s->probes > 1 ? (s->probe_last_time - s->probe_first_time) / (s->probes - 1) : 0;
    int64_t waited = f->reset.time - s->probe_last_time;

    return seen_when(s->probes > 1 && waited >= interval - interval / 8 && waited <= interval + interval / 8);
}

/* RFC 9293 section 3.8.3: R2 is reached. Linux gives up in silence; Windows and BSD (tcp_timer_rexmt()) reset; a user
 * timeout (smoltcp) falls between two repeats. */
bool requirement_repeats_unanswered(const reset_facts *f)
{
    return f->sender->repeats >= 2 && f->receiver->last_time <= f->sender->repeat_first_time;
}

static finding are_repeats_unanswered(const reset_facts *f)
{
    const endpoint *s = f->sender;
    int64_t waited = f->reset.time - s->repeat_last_time;

    return when(requirement_repeats_unanswered(f) && s->repeats_back_off &&
                waited >= s->repeat_gap - s->repeat_gap / 10);
}

/* The next repeat was due when twice the last gap was over, or that gap again, where the timer has reached its ceiling (RFC
 * 6298 section 2.5: 60 s or more). */
static bool are_repeats_in_step(const reset_facts *f)
{
    const endpoint *s = f->sender;
    int64_t waited = f->reset.time - s->repeat_last_time;
    int64_t due = s->repeat_gap >= ceiling_of_timer ? s->repeat_gap : 2 * s->repeat_gap;

    return s->repeats >= 3 && waited >= due - due / 10 && waited - s->repeat_gap <= s->repeat_gap + s->repeat_gap / 5;
}

/* Linux gives up without a word (tcp_write_err()), but where a closed socket finds no memory left for it
 * (tcp_out_of_resources()). */
static finding gives_up_aloud(const reset_facts *f)
{
    return when(!stack_find(f->stack)->gives_up_silently || f->sender_closed);
}

/* Certain where it ran out in step; else it may have. */
static finding has_timer_run_out(const reset_facts *f)
{
    bool in_step = (are_probes_unanswered(f) == HOLDS && are_probes_in_step(f) == HOLDS) ||
                   (are_repeats_unanswered(f) == HOLDS && are_repeats_in_step(f) && gives_up_aloud(f) == HOLDS);

    if (in_step)
        return HOLDS;
    return requirement_repeats_unanswered(f) || are_probes_unanswered(f) == HOLDS || may_have_missed_answers(f) ? UNSEEN
                                                                                                                : FAILS;
}

static finding is_late_enough(const reset_facts *f)
{
    if (f->since_spoke < 0)
        return UNSEEN;
    if (stack_find(f->stack)->tells_own || f->numbers_answer)
        return when(f->since_spoke >= quickest_loss);
    return when(f->since_spoke >= recently);
}

/* Whoever closes while P's window is shut closes in silence: the FIN waits behind the data (RFC 9293 section 3.10.4; Linux:
 * tcp_close() queues it). */
bool requirement_fin_may_wait(const reset_facts *f)
{
    return !f->sender_closed && f->connection.is_established && f->receiver->frames > 0 && f->receiver->window == 0;
}

static finding has_sender_closed(const reset_facts *f)
{
    return f->sender_closed ? HOLDS : requirement_fin_may_wait(f) ? UNSEEN : FAILS;
}

/* What the capture misses of S may hold its FIN. */
static finding is_sender_not_closed(const reset_facts *f)
{
    if (f->sender_closed)
        return FAILS;
    return seen_when(!f->sender_was_heard && !f->connection.is_incomplete && !requirement_fin_may_wait(f));
}

static finding has_same_distance(const reset_facts *f)
{
    uint8_t ttl = f->host_ttl_seen > 0 ? f->host_ttl : f->later.host_ttl;

    if (ttl == 0 || f->host_ttl_varies)
        return UNSEEN;
    return when(ttl == f->reset.ttl);
}

/*
 * Fewer hops away than the host, from the same start: a device on the path. Another start may be the kernel's. Over IPv6 a
 * kernel that answers for itself writes a flow label (ip6_make_flowlabel(); a gateway or the host of a container), and
 * netfilter's REJECT none (nf_reject_ip6hdr_put()).
 */
static finding is_nearer_device(const reset_facts *f)
{
    uint8_t ttl = f->host_ttl_seen > 1 ? f->host_ttl : f->later.host_ttl;
    bool has_same_start = (f->reset.ttl <= 64) == (ttl <= 64) && (f->reset.ttl <= 128) == (ttl <= 128);

    if (f->later.accepted != 0)
        return HOLDS;
    return when(ttl > 2 && !f->host_ttl_varies && has_same_start && f->reset.ttl > ttl && f->reset.flow_label == 0);
}

finding requirement_find(requirement wanted, const reset_facts *f, const form_matches *m)
{
    const past_end past = f->connection.past.end;
    const endpoint *s = f->sender, *p = f->receiver;

    switch (wanted) {
    case FLAGS_ARE_DAMAGED:
        return when(form_is_damaged(f));
    case IS_FOREIGN:
        return is_foreign(f, m);
    case IS_PROVEN_FOREIGN:
        return is_proven_foreign(f, m);
    case GOES_ON_AS_OWN:
        return goes_on_as_own(f);
    case HAS_CONTEXT:
        return when(!f->has_no_context);
    case STATES_CAUSE:
        return when(f->stated.has_cause || f->stated.is_remark);
    case RESET_BEFORE:
        return when(f->was_reset);
    case FIRST_IN_ITS_NAME:
        return when(f->earlier_resets == 0);
    case SENDER_SEEN:
        return seen_when(s->frames > 0);
    case SENDER_OPENED:
        return when(f->sender_opened);
    case SENDER_ACCEPTED:
        return when(f->sender_accepted);
    case RECEIVER_SEEN:
        return seen_when(p->frames > 0);
    case HANDSHAKE_SEEN:
        return seen_when(f->handshake_seen);
    case ESTABLISHED:
        return when(f->connection.is_established);
    case CONNECTING:
        return when(f->sender_opened && !f->connection.is_established && !s->has_acknowledged);
    case SENDER_CLOSED:
        return has_sender_closed(f);
    case SENDER_NOT_CLOSED:
        return is_sender_not_closed(f);
    case BOTH_CLOSED:
        return when(f->closed_before);
    case TRIGGER_FOUND:
        return seen_when(f->has_trigger);
    case TRIGGER_HAS_ACK:
        return f->has_trigger ? when((f->trigger.flags & RSTCAUSE_ACK) != 0) : UNSEEN;
    case TRIGGER_IN_TIME:
        return f->has_trigger ? when(f->trigger_fits_time) : UNSEEN;
    case TRIGGER_ASKS:
        return asks_for_answer(f);
    case TRIGGER_ASKS_OR_IS_NEW:
        /* A pure ACK asks for no answer, but of a socket that is gone. If it has waited longer than that host takes, the
         * segment that is answered may stand behind the reset: the clocks of captures are uneven (measured: 1 to 50 us). */
        return f->has_trigger ? when(recent_asks_for_answer(&f->trigger) || f->trigger_is_prompt) : UNSEEN;
    case MAY_ANSWER:
        return may_answer(f);
    case AFTER_A_WHILE:
        return is_late_enough(f);
    case STACK_TELLS:
        return seen_when(stack_find(f->stack)->tells_own || f->numbers_answer);
    case IS_ANSWER:
        return is_answer(f);
    case IS_OWN_DOING:
        return is_own_doing(f);
    case REFUSES_SYN:
        return when(is_refusal(f) && answers_syn(f));
    case MEETS_BARE_RESET:
        return when(!f->has_ack && s->frames == 0 && p->syn_frame != 0 && !p->syn_has_ack &&
                    p->frames == p->syn_count && !f->has_trigger);
    case REFUSES_PROBE:
        return when(is_refusal(f) && !answers_syn(f) && s->frames == 0);
    case LOOKS_LIKE_REFUSAL:
        return when(f->has_ack && f->reset.sequence == 0);
    case ACCEPTED_LATER:
        return when(f->later.accepted != 0);
    case SAME_DISTANCE:
        return has_same_distance(f);
    case NEARER_DEVICE:
        return is_nearer_device(f);
    case NO_OLD_CONNECTION:
        return when(past != PAST_OPEN && past != PAST_CLOSED);
    case OLD_CONNECTION_OPEN:
        return past == PAST_OPEN ? HOLDS : past == PAST_CLOSED ? FAILS : UNSEEN;
    case OLD_CONNECTION_CLOSED:
        return when(past == PAST_CLOSED);
    case OLD_CONNECTION_RESET:
        return when(past == PAST_RESET);
    case OLD_NUMBER:
        return seen_when(f->has_trigger && has_old_number(f, f->trigger.acknowledgement));
    case MEETS_TIME_WAIT:
        return meets_time_wait(f);
    case MEETS_OLD_CONNECTION:
        return meets_old_connection(f);
    case ANSWERS_SYN_ACK:
        return answers_syn_ack(f);
    case ANSWERS_NEVER_SENT:
        return answers_never_sent(f);
    case ANSWERS_UNASKED_SYN_ACK:
        return answers_unasked_syn_ack(f);
    case HANDSHAKE_ONLY:
        return is_handshake_only(f);
    case BEHIND_OWN_SYN:
        return when(f->reset.sequence == s->isn + 1);
    case COMPLETES_HANDSHAKE:
        return completes_handshake(f);
    case AT_FIRST_ACK:
        return when(f->has_trigger && f->trigger.frame == f->connection.establish_frame);
    case CLOSED_BY_TIME:
        return when(f->has_trigger_by_time);
    case MEETS_FASTCLOSE:
        return when(p->fastclose_frame != 0);
    case PROBES_UNANSWERED:
        return are_probes_unanswered(f);
    case PROBES_IN_STEP:
        return are_probes_in_step(f);
    case REPEATS_UNANSWERED:
        return are_repeats_unanswered(f);
    case REPEATS_IN_STEP:
        return seen_when(are_repeats_in_step(f));
    case GIVES_UP_ALOUD:
        return gives_up_aloud(f);
    case TIMER_RAN_OUT:
        return has_timer_run_out(f);
    case OWN_FORM:
    case ANSWER_FORM:
    case ANSWER_FORM_OF_ANY:
    case ANY_FORM:
    case NO_REQUIREMENT:
    case REQUIREMENTS:
        break; /* a form has a price, see causes.c; the others are no requirements */
    }
    return UNSEEN;
}
