/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signs that a third party made a reset. Sources: Weaver, Sommer, Paxson, "Detecting Forged TCP Reset Packets" (NDSS
 * 2009); RFC 5961; "Global, passive detection of connection tampering" (SIGCOMM 2023).
 *
 * False alarms are the danger, so one weak sign is evidence and no verdict:
 * - answers come from the kernel with the default TTL, ID 0 and no options, whatever the socket used;
 * - a NAT or balancer that forgot a connection resets in the host's name, and that is "half-open";
 * - routes change.
 */
#include "forgery.h"

#include "follow/units.h"

/* A route that changes moves the TTL by a hop or two; forgers miss by more. */
static const int beyond_a_route_change = 3;

/* Where S spoke less than this before, its TTL cannot have aged. */
static const int64_t a_while = 60 * SECOND;

/* IP IDs of a socket rise by one a packet, and by one a segment where a card cuts them (TSO: 64 KiB at most). */
static const uint16_t counter_reach = 4096;

/* S was there a moment ago, so that it cannot have crashed, restarted and come back in between. */
static const int64_t a_moment = 100 * MILLISECOND;

/* The ticks by which a timestamp may run ahead of the capture's clock: a coarse clock (Linux at HZ 100: 10 ms), twice. */
static const int64_t clock_slack = 20;

/* Answers of a path nearer than this move by the host's own timer as much as by the path. */
static const int64_t near_path = 5 * MILLISECOND;

/* How much each sign weighs: 2 stands by itself, 1 needs another. */
typedef struct {
    uint8_t ttl, ip_id, sequence, acknowledgement, options, window, form, early, counterpart;
} signs;

/* 32, 64, 128 and 255 are what stacks start from; a route takes off a few tens. */
static uint8_t initial_ttl(uint8_t ttl)
{
    return ttl <= 32 ? 32 : ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255;
}

/* A socket may set its own TTL (BGP: 1 or 255), and the kernel answers with its default: as many hops away, another start. */
static bool may_be_default_ttl(const reset_facts *f)
{
    uint8_t hops_of_sender = (uint8_t)(initial_ttl(f->sender->ttl) - f->sender->ttl);
    uint8_t hops_of_reset = (uint8_t)(initial_ttl(f->reset->ttl) - f->reset->ttl);

    return hops_of_sender == hops_of_reset || hops_of_reset == 0 || f->sender->ttl <= 2;
}

/* Its timestamp is what S's clock shows by now (RFC 7323 section 5.4: 1 to 1000 ticks a second; Linux, Windows and
 * Darwin 1000 or 100). */
static bool clock_goes_on(const reset_facts *f)
{
    const endpoint *s = f->sender;
    int64_t ticks = sequence_difference(f->reset->timestamp_value, s->timestamp_value);

    return f->reset->has_timestamps && s->has_timestamps && ticks >= 0 &&
           ticks <= (f->reset->time - s->timestamp_time) / MILLISECOND + clock_slack;
}

static uint8_t weigh_ttl(const reset_facts *f)
{
    const endpoint *s = f->sender;

    if (!f->ttl_differs || s->ttl_low != s->ttl_high)
        return 0;
    /* What else goes on as the sender's own outweighs it: the route changed, or the application set its TTL late. */
    if (f->is_own_form && f->has_ack)
        return ABS(f->ttl_distance) >= beyond_a_route_change && f->reset->time - s->last_time <= a_while &&
                       !f->ip_id_continues && !clock_goes_on(f)
                   ? 2
                   : 1;
    if (f->is_own_form && !may_be_default_ttl(f))
        return 1;
    return !may_be_default_ttl(f) && ABS(f->ttl_distance) >= beyond_a_route_change && s->frames >= 2 ? 1 : 0;
}

/* What a socket sends itself goes on with its IP IDs: Linux counts for each socket, Windows for the host. */
static uint8_t weigh_ip_id(const reset_facts *f)
{
    const endpoint *s = f->sender;
    uint32_t counted = s->ip_ids - s->ip_ids_zero;
    bool has_counter = counted >= 2 && s->ip_ids_rising + 1 >= counted;

    if (!f->is_own_form || !f->reset->has_ip_id || counted == 0)
        return 0;
    if (f->reset->ip_id != 0 && (uint16_t)(f->reset->ip_id - s->last_counted_ip_id - 1) < counter_reach)
        return 0;
    if (f->stack == STACK_LINUX && f->has_ack && (has_counter || counted == 1))
        return 2;
    return has_counter && counted >= 4 && f->has_ack ? 1 : 0;
}

static uint8_t weigh_sequence(const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;

    if (!f->connection->is_established || !s->has_next || !p->has_acknowledged || f->at_next || f->trigger != NULL ||
        f->trigger_by_time != NULL)
        return 0;
    /* Neither where S was nor what P had acknowledged: guessed, if it is not that the path or the capture lost what S
     * sent last. Beyond P's window S cannot have sent. */
    if (f->above_next)
        return f->is_effective ? p->acknowledged == s->next : 2;
    return f->has_ack && f->stack == STACK_LINUX && !f->sender_closed ? 1 : 0;
}

/* The ACK number of a reset with ACK is S's rcv.nxt: not below what S had acknowledged, nor above what P sent. */
static uint8_t weigh_acknowledgement(const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;

    if (!f->is_own_form || !f->has_ack || !s->has_acknowledged || !f->connection->is_established)
        return 0;
    if (sequence_before(f->reset->acknowledgement, s->acknowledged))
        return f->stack != STACK_UNKNOWN ? 2 : 1;
    return p->has_next && sequence_after(f->reset->acknowledgement, p->next) &&
                   sequence_difference(f->reset->acknowledgement, p->next) > 1 << 16
               ? 2
               : 0;
}

/* Linux sends a reset without ACK as an answer only (tcp_v4_send_reset()), at once, and here is nothing of a while ago
 * or now that it could answer: what P sent last it had taken in, or it asks for no answer. */
static uint8_t weigh_form(const reset_facts *f)
{
    const endpoint *s = f->sender;
    const recent_segment *t = f->trigger;
    bool is_idle_trigger;

    if (f->stack != STACK_LINUX || f->has_ack || f->sender_closed || f->was_reset || !f->at_next ||
        !f->connection->is_established || s->frames <= s->syn_count || s->frames < 2 || f->receiver->frames == 0)
        return 0;
    is_idle_trigger = t != NULL && f->since_spoke < a_moment && t->end == t->sequence && !t->is_keepalive;
    if (t != NULL && !is_idle_trigger)
        return 0;
    /* The segment that it answers may be missing, or S was away for long enough. */
    if (f->connection->is_incomplete || f->reset->time - s->last_time >= SECOND)
        return 1;
    return t != NULL && f->trigger_is_prompt ? 1 : 2;
}

static signs find_signs(const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;
    signs found = {0};

    found.ttl = weigh_ttl(f);
    found.ip_id = weigh_ip_id(f);
    found.sequence = weigh_sequence(f);
    found.acknowledgement = weigh_acknowledgement(f);
    /* Linux puts them into its own resets wherever both ends agreed on them; measured. */
    if (f->is_own_form && f->has_ack && f->stack == STACK_LINUX && s->has_timestamps && p->has_timestamps &&
        !f->reset->has_timestamps && s->syn_frame != 0 && !f->reset->header_is_cut)
        found.options = 2;
    /* Linux writes its live window into its own resets; others write 0. Measured: open in each of 377. */
    if (f->is_own_form && f->has_ack && f->at_next && f->stack == STACK_LINUX && f->reset->window == 0 &&
        s->window != 0 && f->connection->is_established)
        found.window = 2;
    found.form = weigh_form(f);
    /* No jitter makes a path four times as short. */
    found.early = f->trigger != NULL && s->path_is_timed && s->answer_delay > near_path &&
                  f->trigger_age < s->answer_delay / 4 && !f->at_next;
    found.counterpart = f->has_counterpart && f->connection->is_established && !f->sender_closed && !f->receiver_closed;
    return found;
}

static unsigned weigh(const signs *found)
{
    return found->ttl + found->ip_id + found->sequence + found->acknowledgement + found->options + found->window +
           found->form + found->early + found->counterpart;
}

static void add_signs(judgement *j, const reset_facts *f, const signs *found)
{
    const endpoint *s = f->sender;

    if (found->ttl)
        judgement_add_evidence(j, "its TTL %u differs from the %u of its sender's other segments (%u)", f->reset->ttl,
                               s->ttl, s->frames);
    if (found->ip_id)
        judgement_add_evidence(j, "its IP ID %u is far from its sender's counter, which stood at %u", f->reset->ip_id,
                               s->last_counted_ip_id);
    if (found->sequence)
        judgement_add_evidence(j, "its sequence number is %d from its sender's next one",
                               sequence_difference(f->reset->sequence, s->next));
    if (found->acknowledgement)
        judgement_add_evidence(j, "its ACK number %u is none that its sender can have had, which was at %u",
                               f->reset->acknowledgement, s->acknowledged);
    if (found->options)
        judgement_add_evidence(
            j, "it lacks the timestamps that both ends had agreed on and Linux puts into its own resets");
    if (found->window)
        judgement_add_evidence(j, "its window is 0, but Linux writes the live window into its own resets, which was %u",
                               s->window);
    if (found->form)
        judgement_add_evidence(j,
                               "it has no ACK flag, as Linux' answers have, but its sender had spoken %.3f ms before "
                               "and no segment asks for such an answer",
                               (double)f->since_spoke / MILLISECOND);
    if (found->early)
        judgement_add_evidence(j, "it came %.3f ms after #%u, but its sender never answered in less than %.3f ms",
                               (double)f->trigger_age / MILLISECOND, f->trigger->frame,
                               (double)s->answer_delay / MILLISECOND);
    if (found->counterpart)
        judgement_add_evidence(j, "the other direction was reset at the same moment, in #%u",
                               f->connection->resets[!f->side].frame);
}

bool forgery_add_evidence(judgement *j, const reset_facts *f)
{
    signs found = find_signs(f);

    add_signs(j, f, &found);
    return weigh(&found) > 0;
}

bool forgery_judge(judgement *j, const reset_facts *f)
{
    signs found = find_signs(f);
    unsigned weight = weigh(&found);

    if (weight < 2)
        return false;
    j->cause = RSTCAUSE_INJECTED;
    j->detail = found.ttl                                 ? RSTCAUSE_FORGED_TTL
                : found.ip_id                             ? RSTCAUSE_FORGED_IP_ID
                : found.sequence || found.acknowledgement ? RSTCAUSE_FORGED_SEQUENCE
                : found.counterpart                       ? RSTCAUSE_BOTH_DIRECTIONS
                                                          : RSTCAUSE_NO_DETAIL;
    j->confidence = weight > 2 ? RSTCAUSE_LIKELY : RSTCAUSE_POSSIBLE;
    add_signs(j, f, &found);
    return true;
}

bool forgery_judge_refusal(judgement *j, const reset_facts *f)
{
    const host *h = f->sender->host;
    bool is_nearer;

    if (h->ttl_seen < 2 || h->ttl_varies || h->ttl <= 2 || f->reset->ttl == 0)
        return false;
    /* Fewer hops away than the host, from the same start: a device on the path. Another start may be the kernel's. */
    is_nearer = f->reset->ttl > h->ttl && initial_ttl(f->reset->ttl) == initial_ttl(h->ttl);
    if (!is_nearer)
        return false;
    j->cause = RSTCAUSE_FIREWALL_REJECT;
    j->confidence = RSTCAUSE_LIKELY;
    j->trigger = f->trigger->frame;
    judgement_add_evidence(j, "it answers the SYN #%u", f->trigger->frame);
    judgement_add_evidence(
        j, "its TTL %u is that of a device %d hop%s nearer than the host, whose %u other segments came with TTL %u",
        f->reset->ttl, f->reset->ttl - h->ttl, f->reset->ttl - h->ttl == 1 ? "" : "s", h->ttl_seen, h->ttl);
    return true;
}

/* Packets overtake one another by less than this. */
static const int64_t reordering = 3 * MILLISECOND;

bool forgery_is_proven_by(const connection *c, uint8_t side, const rstcause_segment *segment)
{
    const endpoint *s = &c->ends[side];

    if (segment->time - c->resets[side].time < reordering)
        return false;
    if ((segment->flags & RSTCAUSE_SYN) != 0) {
        /* The SYN that was refused in S's name is accepted after all, and had not been sent again. */
        const endpoint *p = &c->ends[!side];

        return (segment->flags & RSTCAUSE_ACK) != 0 && s->frames == 0 && p->syn_frame != 0 &&
               p->last_syn_time < c->resets[side].time && segment->acknowledgement == p->isn + 1;
    }
    /* Nothing follows a FIN (RFC 9293 section 3.6): who made such a segment is another question. */
    if (!s->has_next || (s->fin_frame != 0 && segment->sequence == s->fin_end && rstcause_segment_span(segment) > 0))
        return false;
    /* New data or a FIN at S's next number, an ACK of what P sent after the reset, or a clock that went on. */
    if (segment->sequence == s->next && rstcause_segment_span(segment) > 0)
        return !sequence_before(segment->sequence, c->resets[side].sequence);
    if (segment->sequence == s->next && (segment->flags & RSTCAUSE_ACK) != 0 && s->has_acknowledged &&
        sequence_after(segment->acknowledgement, s->acknowledged) && c->ends[!side].has_next &&
        sequence_after(segment->acknowledgement, c->resets[side].peer_next))
        return true;
    return segment->has_timestamps && s->has_timestamps &&
           sequence_after(segment->timestamp_value, s->timestamp_value + (uint32_t)clock_slack) &&
           segment->time - c->resets[side].time > clock_slack * MILLISECOND;
}
