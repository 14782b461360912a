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

#include "units.h"

/* Segments of S with one and the same TTL, from which on another TTL is a sign. */
static const guint32 stable_after = 2;

typedef struct {
    gboolean ttl, ip_id, sequence, options, early;
} signs;

/* 30, 32, 60, 64, 128 and 255 are what stacks start from; a route takes off a few tens. */
static guint8 initial_ttl(guint8 ttl)
{
    return ttl <= 32 ? 32 : ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255;
}

static gboolean ttl_is_stable(const endpoint *e)
{
    return e->frames >= stable_after && e->ttl_low == e->ttl_high;
}

/* A socket may set its own TTL (BGP: 1 or 255), and the kernel answers with its default: as many hops away, another start. */
static gboolean may_be_default_ttl(const reset_facts *f)
{
    guint8 hops_of_sender = (guint8)(initial_ttl(f->sender->ttl) - f->sender->ttl);
    guint8 hops_of_reset = (guint8)(initial_ttl(f->reset->ttl) - f->reset->ttl);

    return hops_of_sender == hops_of_reset || hops_of_reset == 0 || f->sender->ttl <= 2;
}

/* A reset that its sender's socket made continues the socket's handwriting; an answer has the kernel's own. */
static gboolean is_own_form(const reset_facts *f)
{
    return f->has_ack && (f->trigger == NULL || (f->trigger->flags & RSTCAUSE_ACK) != 0);
}

static signs find_signs(const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;
    const rstcause_segment *r = f->reset;
    signs found = { FALSE, FALSE, FALSE, FALSE, FALSE };
    gboolean has_counter = s->ip_ids >= 4 && s->ip_ids_rising + 2 >= s->ip_ids;

    found.ttl = f->ttl_differs && ttl_is_stable(s) && (is_own_form(f) || !may_be_default_ttl(f));
    found.ip_id = is_own_form(f) && has_counter && r->has_ip_id && !f->ip_id_continues &&
                  (guint16)(r->ip_id - s->last_ip_id) > 1024;
    /* In the window, but neither where S was nor what P had acknowledged: guessed. Lost packets make S's next number
     * uncertain upwards, so P must have acknowledged all that S had sent. */
    found.sequence = f->connection->is_established && s->has_next && p->has_acknowledged && !f->at_next && f->trigger == NULL &&
                     ((f->above_next && p->acknowledged == s->next && f->is_effective) || (f->below_next && f->has_ack));
    found.options = is_own_form(f) && f->stack == STACK_LINUX && s->has_timestamps && p->has_timestamps && !r->has_timestamps;
    found.early = f->trigger != NULL && s->answer_delay > 5 * MILLISECOND && f->trigger_age < s->answer_delay / 4 && !f->at_next;
    return found;
}

static guint add_signs(judgement *j, const reset_facts *f, const signs *found)
{
    const endpoint *s = f->sender;
    guint count = 0;

    if (found->ttl) {
        judgement_add_evidence(j, "its TTL %u differs from the %u of all %u other segments of its sender", f->reset->ttl, s->ttl, s->frames);
        count++;
    }
    if (found->ip_id) {
        judgement_add_evidence(j, "its IP ID %u is far from its sender's counter, which stood at %u", f->reset->ip_id, s->last_ip_id);
        count++;
    }
    if (found->sequence) {
        judgement_add_evidence(j, "its sequence number is %d from its sender's next one, all of which the peer had acknowledged",
                               sequence_difference(f->reset->sequence, s->next));
        count++;
    }
    if (found->options) {
        judgement_add_evidence(j, "it lacks the timestamps that both ends had agreed on and Linux puts into its own resets");
        count++;
    }
    if (found->early) {
        judgement_add_evidence(j, "it came %.3f ms after #%u, but its sender never answered in less than %.3f ms", (double)f->trigger_age / MILLISECOND,
                               f->trigger->frame, (double)s->answer_delay / MILLISECOND);
        count++;
    }
    return count;
}

void forgery_add_evidence(judgement *j, const reset_facts *f)
{
    signs found = find_signs(f);

    add_signs(j, f, &found);
}

gboolean forgery_judge(judgement *j, const reset_facts *f)
{
    signs found = find_signs(f);
    guint count = found.ttl + found.ip_id + found.sequence + found.options + found.early;

    /* Two independent signs; or a TTL that the sender never showed in a reset that claims to be the socket's own,
     * where the sender had shown enough. */
    if (count < 2 && !(found.ttl && is_own_form(f) && f->sender->frames >= 4))
        return FALSE;
    j->cause = RSTCAUSE_INJECTED;
    j->detail = found.ttl ? RSTCAUSE_FORGED_TTL : found.ip_id ? RSTCAUSE_FORGED_IP_ID : found.sequence ? RSTCAUSE_FORGED_SEQUENCE : RSTCAUSE_NO_DETAIL;
    j->confidence = count >= 2 ? RSTCAUSE_LIKELY : RSTCAUSE_POSSIBLE;
    add_signs(j, f, &found);
    return TRUE;
}

gboolean forgery_judge_refusal(judgement *j, const reset_facts *f)
{
    const host *h = f->sender->host;
    gboolean is_nearer;

    if (h->ttl_seen < stable_after || h->ttl_varies || h->ttl <= 2 || f->reset->ttl == 0)
        return FALSE;
    /* Fewer hops away than the host, from the same start: a device on the path. Another start may be the kernel's. */
    is_nearer = f->reset->ttl > h->ttl && initial_ttl(f->reset->ttl) == initial_ttl(h->ttl);
    if (!is_nearer)
        return FALSE;
    j->cause = RSTCAUSE_FIREWALL_REJECT;
    j->confidence = RSTCAUSE_LIKELY;
    j->trigger = f->trigger->frame;
    judgement_add_evidence(j, "it answers the SYN #%u", f->trigger->frame);
    judgement_add_evidence(j, "its TTL %u is that of a device %d hop%s nearer than the host, whose %u other segments came with TTL %u", f->reset->ttl,
                           f->reset->ttl - h->ttl, f->reset->ttl - h->ttl == 1 ? "" : "s", h->ttl_seen, h->ttl);
    return TRUE;
}

gboolean forgery_is_proven_by(const connection *c, guint8 side, const rstcause_segment *segment)
{
    const endpoint *s = &c->ends[side];
    gint64 since = segment->time - c->last_reset_time[side];
    gint64 settle = MAX(2 * MAX(s->answer_delay, 0), 20 * MILLISECOND);

    if (c->reset_frame == 0 || c->reset_side != side || (segment->flags & (RSTCAUSE_RST | RSTCAUSE_SYN)) != 0 || !s->has_next ||
        since < settle)
        return FALSE;
    /* New data or a FIN at S's own next number, or an ACK of what P sent after the reset. */
    if (segment->sequence == s->next && rstcause_segment_span(segment) > 0)
        return TRUE;
    return segment->sequence == s->next && (segment->flags & RSTCAUSE_ACK) != 0 && s->has_acknowledged &&
           sequence_after(segment->acknowledgement, s->acknowledged);
}
