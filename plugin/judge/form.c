/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compares a reset with the forms of its sender's stack, feature by feature. Sources besides those of the table in
 * follow/stack.c: Weaver, Sommer, Paxson, "Detecting Forged TCP Reset Packets" (NDSS 2009); RFC 5961; RFC 7323.
 *
 * One fixed cell that contradicts outweighs usual ones that fit. But what goes on exactly (the counter of IP IDs, the
 * clock of the timestamps) only S could know: then the row is wrong, or the stack is another, and a single odd cell
 * weighs little.
 */
#include "form.h"

#include "follow/units.h"

/* A route that changes, or a nearer backend, moves the TTL by a hop or two; forgers miss by more. */
static const int beyond_a_route_change = 3;

/* So many segments make a habit. */
static const uint32_t habit = 2;

/* IP IDs of a socket rise by one a packet, and by one a segment where a card cuts them (TSO: 64 KiB at most). */
static const uint16_t counter_reach = 4096;

/* A host that was there so short a time ago has neither restarted nor been forgotten since. */
static const int64_t a_moment = 100 * MILLISECOND;

/* Devices forget a connection after a silence; half a minute is the shortest of those that are in use (HAProxy's and
 * nginx' examples; RFC 5382 REQ-5 asks for 2 h 4 min). One that is flushed answers with the form of its own stack, Linux' as
 * a rule, and that is a form of answers. */
static const int64_t forgets_after = 30 * SECOND;

static void contradict(form_match *m, form_feature feature, unsigned weight)
{
    m->against[feature] = (uint8_t)MAX(m->against[feature], weight);
}

static void compare(form_match *m, form_feature feature, bool fits, unsigned weight)
{
    if (!fits)
        contradict(m, feature, weight);
}

static unsigned weight_of(firmness firm)
{
    return firm == FIXED ? WEIGHT_CONTRADICTED : firm == USUAL ? WEIGHT_ODD : WEIGHT_NONE;
}

/* 32, 64, 128 and 255 are what stacks start from; a route takes off a few tens. */
static uint8_t initial_ttl(uint8_t ttl)
{
    return ttl <= 32 ? 32 : ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255;
}

/* Hops from S's range of TTLs in this connection, else from what its host showed before; 0 where they agree. */
static bool find_ttl_distance(const reset_facts *f, int *distance)
{
    const endpoint *s = f->sender;
    uint8_t low = s->frames > 0 ? s->ttl_low : f->host_ttl;
    uint8_t high = s->frames > 0 ? s->ttl_high : f->host_ttl;

    if (f->reset.ttl == 0 || low == 0 || (s->frames == 0 && f->host_ttl_varies))
        return false;
    *distance = f->reset.ttl < low ? f->reset.ttl - low : f->reset.ttl > high ? f->reset.ttl - high : 0;
    return true;
}

static int count_hops(uint8_t ttl)
{
    return initial_ttl(ttl) - ttl;
}

/* A socket may set its own TTL (BGP: 1 or 255), and the kernel answers with its default: as many hops away, another
 * start. */
static bool may_be_default_ttl(const reset_facts *f)
{
    uint8_t ttl = f->sender->frames > 0 ? f->sender->ttl : f->host_ttl;

    return count_hops(ttl) == count_hops(f->reset.ttl) || ttl <= 2;
}

static void compare_ttl(form_match *m, const reset_facts *f, ttl_form expected)
{
    const endpoint *s = f->sender;
    bool may_be_elsewhere;
    int distance;

    if (!find_ttl_distance(f, &distance) || distance == 0)
        return;
    if (s->frames > 0 && s->ttl_low != s->ttl_high) {
        contradict(m, FEATURE_TTL, WEIGHT_HINT);
        return;
    }
    if (expected == TTL_OF_KERNEL && may_be_default_ttl(f))
        return;
    /* A backend that answers in S's name does so from its own place, but not from the link of the capture, where S is not. */
    may_be_elsewhere = expected == TTL_OF_KERNEL && count_hops(f->reset.ttl) > 0;
    contradict(m, FEATURE_TTL,
               !may_be_elsewhere && ABS(distance) >= beyond_a_route_change && s->frames >= habit ? WEIGHT_ODD
                                                                                                 : WEIGHT_HINT);
}

/* Of IPv4 only. What all of S's segments had, a device on the path left as it was. */
static void compare_df(form_match *m, const reset_facts *f, firmness firm, df_form expected)
{
    const endpoint *s = f->sender;
    bool is_ever_set = s->df_set > 0 && s->df_clear == 0;
    bool is_ever_clear = s->df_clear > 0 && s->df_set == 0;

    if (!f->reset.has_df || firm == OPEN)
        return;
    if (expected == DF_SET) {
        /* Where S's own segments come without it the stack or the path clears it. */
        if (s->df_clear == 0)
            compare(m, FEATURE_DF, f->reset.dont_fragment, weight_of(firm));
    } else if (is_ever_set || is_ever_clear) {
        bool has_habit = s->df_set + s->df_clear >= habit;

        compare(m, FEATURE_DF, f->reset.dont_fragment == is_ever_set, has_habit ? weight_of(firm) : WEIGHT_HINT);
    }
}

/* What a socket sends itself goes on with its IP IDs: Linux counts for each socket, Windows for the host. */
static void compare_counter(form_match *m, const reset_facts *f, firmness firm)
{
    const endpoint *s = f->sender;
    uint32_t counted = s->ip_ids - s->ip_ids_zero;
    bool has_counter = counted >= habit && s->ip_ids_rising + 1 >= counted;
    uint16_t step = (uint16_t)(f->reset.ip_id - s->last_counted_ip_id - 1);

    if (counted == 0 || (f->reset.ip_id != 0 && step < counter_reach))
        return;
    if (firm == FIXED && (has_counter || counted == 1))
        contradict(m, FEATURE_IP_ID, has_counter ? WEIGHT_CONTRADICTED : WEIGHT_ODD);
    else if (has_counter && counted >= 4)
        contradict(m, FEATURE_IP_ID, WEIGHT_HINT);
}

/* Linux before 5.x counts in its answers (observed: consecutive, with DF); a device may randomise; of a burst, later ones
 * have IDs. So another ID than 0 is a hint, and one without DF speaks through DF. */
static void compare_zero_id(form_match *m, const reset_facts *f)
{
    if (f->reset.ip_id != 0 && f->earlier_resets == 0)
        contradict(m, FEATURE_IP_ID, WEIGHT_HINT);
}

static void compare_window(form_match *m, const reset_facts *f, firmness firm, window_form expected)
{
    const endpoint *s = f->sender;
    uint16_t window = f->reset.window;

    /* A NetScaler writes its reason there. */
    if (firm == OPEN || f->reset_code != NULL)
        return;
    if (expected == WINDOW_ZERO) {
        compare(m, FEATURE_WINDOW, window == 0, weight_of(firm));
        return;
    }
    if (s->frames <= s->syn_count || !f->connection.is_established)
        return;
    if (window == 0)
        compare(m, FEATURE_WINDOW, s->window == 0, weight_of(firm));
    else
        /* A live window moves with what is read, but not beyond four times the widest that S ever offered. */
        compare(m, FEATURE_WINDOW, window <= 4 * (uint32_t)MAX(s->window_high, 1), WEIGHT_ODD);
}

static void compare_timestamps(form_match *m, const reset_facts *f, firmness firm, timestamps_form expected)
{
    bool are_agreed = f->sender->has_timestamps && f->receiver->has_timestamps && f->sender->syn_frame != 0;

    if (firm == OPEN || f->reset.header_is_cut)
        return;
    if (expected == TIMESTAMPS_ABSENT)
        compare(m, FEATURE_TIMESTAMPS, !f->reset.has_timestamps, weight_of(firm));
    else if (f->reset.has_timestamps && f->sender->has_timestamps)
        /* Old kernels wrote 0 (observed). */
        compare(m, FEATURE_TIMESTAMPS, f->clock_continues,
                f->reset.timestamp_value == 0 ? WEIGHT_HINT : weight_of(firm));
    else if (are_agreed)
        contradict(m, FEATURE_TIMESTAMPS, weight_of(firm));
}

/*
 * Linux draws a flow label for each socket and writes it into the socket's resets (tcp_v6_xmit()), and draws another when a
 * timer runs out (sk_rethink_txhash()); its answers have one of their own, but one (ip6_make_flowlabel(); in the lab none
 * of 103 was 0). What netfilter rejects in a host's name has none (nf_reject_ip6hdr_put()), and other stacks may answer
 * without.
 */
static void compare_flow_label(form_match *m, const reset_facts *f, bool is_own)
{
    const endpoint *s = f->sender;

    if (f->reset.source.length != 16 || s->frames < habit || s->flow_label == 0)
        return;
    if (f->reset.flow_label == 0)
        contradict(m, FEATURE_FLOW_LABEL,
                   is_own && f->stack == STACK_LINUX   ? WEIGHT_CONTRADICTED
                   : is_own || f->stack == STACK_LINUX ? WEIGHT_ODD
                                                       : WEIGHT_HINT);
    else if (is_own)
        compare(m, FEATURE_FLOW_LABEL, f->reset.flow_label == s->flow_label, WEIGHT_HINT);
}

/* The answer to a segment without ACK acknowledges it, whatever the stack (RFC 9293 section 3.10.7.1). */
static bool answers_without_ack(const reset_facts *f)
{
    return f->has_trigger && (f->trigger.flags & RSTCAUSE_ACK) == 0;
}

static void compare_cells(form_match *m, const reset_facts *f, const reset_form *form, bool is_answer)
{
    bool wants_ack = form->ack.is == ACK_SET || (is_answer && answers_without_ack(f));

    if (form->ack.firm != OPEN)
        compare(m, FEATURE_ACK_FLAG, f->has_ack == wants_ack, weight_of(form->ack.firm));
    compare_window(m, f, form->window.firm, form->window.is);
    compare_df(m, f, form->df.firm, form->df.is);
    compare_timestamps(m, f, form->timestamps.firm, form->timestamps.is);
    if (form->ttl.firm != OPEN)
        compare_ttl(m, f, form->ttl.is);
    if (f->reset.has_ip_id && form->ip_id.firm != OPEN) {
        if (form->ip_id.is == IP_ID_ZERO)
            compare_zero_id(m, f);
        else
            compare_counter(m, f, form->ip_id.firm);
    }
}

/* Where P has taken back the window that S has filled, Linux aborts at the end of what is left (tcp_acceptable_seq() in
 * net/ipv4/tcp_output.c). */
static bool is_at_edge_of_window(const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;
    unsigned shift = p->window_shift > 0 && s->window_shift >= 0 ? (unsigned)p->window_shift : 0;

    return f->stack == STACK_LINUX && f->has_ack && f->below_next && p->has_acknowledged &&
           f->reset.sequence == p->acknowledged + ((uint32_t)p->window << shift);
}

/* An abort has S's next number (RFC 9293 section 3.10.5) and acknowledges what S has. */
static void compare_own_numbers(form_match *m, const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;
    bool is_beyond = f->above_next && !f->connection.is_incomplete && p->has_acknowledged && p->acknowledged == s->next;

    if (s->has_next && f->connection.is_established) {
        if (f->below_next && !is_at_edge_of_window(f))
            contradict(m, FEATURE_SEQUENCE, WEIGHT_CONTRADICTED);
        else if (f->above_next)
            /* The path or the capture may have lost what S sent last; beyond P's window S cannot have sent. */
            contradict(m, FEATURE_SEQUENCE,
                       !f->is_effective ? WEIGHT_CONTRADICTED
                       : is_beyond      ? WEIGHT_ODD
                                        : WEIGHT_HINT);
    }
    if (!f->has_ack || !s->has_acknowledged || !f->connection.is_established)
        return;
    if (sequence_before(f->reset.acknowledgement, s->acknowledged))
        contradict(m, FEATURE_ACKNOWLEDGEMENT, f->stack != STACK_UNKNOWN ? WEIGHT_CONTRADICTED : WEIGHT_HINT);
    else if (p->has_next && sequence_difference(f->reset.acknowledgement, p->next) > 1 << 16)
        contradict(m, FEATURE_ACKNOWLEDGEMENT, WEIGHT_CONTRADICTED);
}

/* Is something of P that it would answer missing from the capture? */
static bool may_lack_trigger(const reset_facts *f)
{
    return f->receiver->frames == 0 || f->connection.is_incomplete || !f->handshake_seen || f->has_trigger_by_time ||
           f->look_back_is_short;
}

/* What no segment of P ever acknowledged is the number of no answer, in a capture that misses nothing. Else an old segment
 * may have come again on the way to S, behind the place of the capture: S answers that where it has closed or reset, and
 * acknowledges it where it lives (RFC 9293 section 3.10.7.4). */
static unsigned weigh_missing_trigger(const reset_facts *f)
{
    const endpoint *p = f->receiver;
    bool was_never_acknowledged = p->has_acknowledged && sequence_after(f->reset.sequence, p->acknowledged);

    if (may_lack_trigger(f))
        return WEIGHT_HINT;
    if (was_never_acknowledged)
        return WEIGHT_CONTRADICTED;
    if (f->closed_before || f->was_reset)
        return WEIGHT_HINT;
    return f->sender_closed || f->number_is_known ? WEIGHT_ODD : WEIGHT_CONTRADICTED;
}

/* An answer has the number of what it answers, and comes when it can. A host that has just spoken and has not closed knows
 * the connection: it answers no pure ACK (RFC 9293 section 3.10.7.4). */
static void compare_answer_numbers(form_match *m, const reset_facts *f, bool is_of_host)
{
    bool asks = f->has_trigger && recent_asks_for_answer(&f->trigger);
    bool is_live = is_of_host && !f->sender_closed && !f->reopens && !f->was_reset && f->connection.is_established &&
                   f->sender->frames > f->sender->syn_count && f->since_spoke >= 0 && f->since_spoke < a_moment;

    if (!f->has_trigger) {
        contradict(m, FEATURE_TRIGGER, weigh_missing_trigger(f));
        return;
    }
    if (is_live && !asks && f->at_next)
        contradict(m, FEATURE_TRIGGER, f->trigger_is_prompt || !f->trigger_fits_time ? WEIGHT_ODD : WEIGHT_HINT);
    /* A nearer backend may answer sooner than the one before. */
    if (f->trigger_is_very_early && f->sender->answer_delay > 2 * MILLISECOND)
        contradict(m, FEATURE_TIME, WEIGHT_ODD);
}

/*
 * SYN with RST, or FIN with RST and data, is sent by no stack (RFC 9293 section 3.10.7 knows no such segment): the bits are
 * damaged. So they are in data that is to be pushed and goes on where its sender was; what a reset may carry is a statement
 * (SHLD-2), and that is not pushed. passt pushes its resets, but without data.
 */
bool form_is_damaged(const reset_facts *f)
{
    uint8_t flags = f->reset.flags;
    bool is_data =
        f->reset.length > 0 && f->stated.text == NULL && f->has_ack && f->at_next && (flags & RSTCAUSE_PSH) != 0;

    return is_data || f->later.counted_by_sender != 0 || (flags & RSTCAUSE_SYN) != 0 ||
           ((flags & RSTCAUSE_FIN) != 0 && f->reset.length > 0);
}

/* A gateway next to the capture that has lost its table answers what the host would not, and with its own TTL. That is one
 * event, so its two signs are not added up where nothing else speaks against an answer. */
static void allow_for_flushed_gateway(form_match *m)
{
    for (form_feature i = 0; i < FEATURES; i++) {
        if (i != FEATURE_TTL && i != FEATURE_TRIGGER && m->against[i] > 0)
            return;
    }
    if (m->against[FEATURE_TRIGGER] > 0)
        m->against[FEATURE_TTL] = MIN(m->against[FEATURE_TTL], WEIGHT_HINT);
}

static void add_up(form_match *m, const reset_facts *f, bool may_be_known_by_continuing)
{
    unsigned heaviest = 0;
    bool goes_on = may_be_known_by_continuing && (f->ip_id_continues || f->clock_continues);

    for (form_feature i = 0; i < FEATURES; i++) {
        m->weight += m->against[i];
        heaviest = MAX(heaviest, m->against[i]);
    }
    if (goes_on && m->weight == heaviest)
        m->weight = MIN(heaviest, WEIGHT_HINT);
}

bool form_answers_as_closed(const reset_facts *f)
{
    return f->has_ack && f->sender_closed && f->at_next && stack_find(f->stack)->answers_after_fin;
}

form_matches form_compare(const reset_facts *f)
{
    const stack_row *row = stack_find(f->stack);
    form_matches matches = {0};

    if (f->sender->frames > 0 || f->host_ttl_seen > 0) {
        compare_cells(&matches.own, f, &row->own, false);
        compare_cells(&matches.answer, f, form_answers_as_closed(f) ? &row->own : &row->answer, true);
    }
    compare_flow_label(&matches.own, f, true);
    compare_flow_label(&matches.answer, f, false);
    if (form_is_damaged(f)) {
        contradict(&matches.own, FEATURE_FLAGS, WEIGHT_CONTRADICTED);
        contradict(&matches.answer, FEATURE_FLAGS, WEIGHT_CONTRADICTED);
        contradict(&matches.device, FEATURE_FLAGS, WEIGHT_CONTRADICTED);
    }
    compare_own_numbers(&matches.own, f);
    compare_answer_numbers(&matches.answer, f, true);
    allow_for_flushed_gateway(&matches.answer);
    compare_answer_numbers(&matches.device, f, false);
    /* A device that stands for a live connection does not answer for it. */
    if (f->since_spoke >= 0 && f->since_spoke < forgets_after && f->trigger.silence < forgets_after)
        contradict(&matches.device, FEATURE_TRIGGER, WEIGHT_CONTRADICTED);
    add_up(&matches.own, f, true);
    add_up(&matches.answer, f, false);
    add_up(&matches.device, f, false);
    return matches;
}

unsigned form_least_against(const form_matches *m)
{
    return MIN(m->own.weight, MIN(m->answer.weight, m->device.weight));
}
