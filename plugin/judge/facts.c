/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gathers what can be said of a reset before it is judged. Knows no cause. */
#include "facts.h"

#include "trigger.h"
#include "follow/units.h"

/* What happens at once, on a host or in a device on the path, takes less. */
static const int64_t at_once = MILLISECOND;

/*
 * P's rcv.nxt when the reset reaches it, as far as the capture tells: what P has acknowledged, and what S sent after
 * that and before the reset. What S sent so early that the trigger would have acknowledged it, had P received it, was
 * lost.
 */
static uint32_t estimate_next_of_receiver(const reset_facts *f, uint32_t window)
{
    const endpoint *s = f->sender, *p = f->receiver;
    uint32_t next = p->acknowledged;
    int64_t delay = MAX(p->answer_delay, 0);
    const recent_segment *sent;

    for (unsigned age = s->recent.used; age-- > 0;) {
        sent = recent_at(&s->recent, age);
        if ((sent->flags & RSTCAUSE_RST) != 0 || sequence_after(sent->sequence, next) ||
            !sequence_after(sent->end, next))
            continue;
        /* What the window has no room for is dropped (RFC 9293 section 3.10.7.4). */
        if (p->has_acknowledged && sequence_after(sent->end, p->acknowledged + MAX(window, 1)))
            break;
        if (f->trigger != NULL && p->answer_delay >= 0 &&
            f->trigger->time - sent->time > delay + delay / 4 + at_once) /* jitter_of() in trigger.c */
            break;
        next = sent->end;
    }
    return next;
}

/*
 * Could P accept it? RFC 9293 section 3.10.7.4 and RFC 5961 section 3: in the window. One below the window is taken
 * too where P has S's FIN in (tcp_reset_check() in Linux's net/ipv4/tcp_input.c; Darwin does the same).
 */
static bool is_acceptable(reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;
    uint32_t window, next;
    int32_t offset;

    f->is_exact = true;
    if (!f->connection->is_established && p->syn_frame != 0 && !p->syn_has_ack) {
        /* SYN-SENT: the ACK must acknowledge the SYN, with the data of a fast open or without (section 3.10.7.3). */
        return f->has_ack && sequence_after(f->reset->acknowledgement, p->isn) &&
               !sequence_after(f->reset->acknowledgement, p->next);
    }
    if (!p->has_acknowledged) {
        if (s->has_next)
            return sequence_distance(f->reset->sequence, s->next) <= 1 << 20;
        return true;
    }
    window = p->window;
    if (p->window_shift > 0 && s->window_shift >= 0)
        window <<= p->window_shift;
    else if (p->syn_frame == 0)
        window <<= 8; /* the scale was agreed before the capture began; 8 is common, and too wide does no harm here */
    next = estimate_next_of_receiver(f, window);
    offset = sequence_difference(f->reset->sequence, next);
    f->is_exact = offset == 0 || offset == -1;
    f->receiver_took_fin = f->sender_closed && next == s->fin_end;
    /* What the capture missed of S may have moved P's window on. */
    if (s->has_next && f->above_next)
        window = MAX(window, 1 << 16);
    return (offset >= 0 && (uint32_t)offset <= MAX(window, 1)) || (offset == -1 && f->receiver_took_fin);
}

static void gather_form(reset_facts *f)
{
    const endpoint *s = f->sender;
    const rstcause_segment *r = f->reset;

    f->has_ack = (r->flags & RSTCAUSE_ACK) != 0;
    if (s->has_next) {
        f->at_next = r->sequence == s->next;
        f->below_next = sequence_before(r->sequence, s->next);
        f->above_next = sequence_after(r->sequence, s->next);
    }
    f->has_no_context = s->frames == 0 && f->receiver->frames == 0;
    f->copied = recent_find_copy(&s->recent, r, &f->connection->copies);
}

static void gather_trigger(reset_facts *f)
{
    trigger_found found = trigger_find(f->connection, f->side, f->reset);

    /* S knows a number that P has not acknowledged: it has the connection, and the capture misses what it sent. */
    if (found.segment == NULL && !f->has_ack && f->above_next)
        f->trigger_by_time = trigger_find_by_time(f->connection, f->side, f->reset);
    f->trigger = found.segment;
    f->trigger_fits_time = found.segment != NULL && found.fits_time;
    f->trigger_is_prompt = found.segment != NULL && found.is_prompt;
    if (f->trigger != NULL)
        f->trigger_age = f->reset->time - f->trigger->time;
    /* An abort carries S's own next number (RFC 9293 section 3.10.5), so another number that is the trigger's tells
     * an answer; so does the ACK of a segment without ACK. */
    f->numbers_answer = f->trigger != NULL && ((!f->has_ack && (!f->sender->has_next || !f->at_next)) ||
                                               (f->has_ack && (f->trigger->flags & RSTCAUSE_ACK) == 0));
}

static void gather_history(reset_facts *f)
{
    const connection *c = f->connection;
    const endpoint *s = f->sender, *p = f->receiver;
    uint32_t until = f->trigger != NULL ? f->trigger->frame : f->reset->frame;
    int64_t delay = s->answer_delay;

    f->sender_opened = s->syn_frame != 0 && !s->syn_has_ack;
    f->sender_accepted = s->syn_frame != 0 && s->syn_has_ack;
    f->sender_was_heard = s->frames == 0 && p->syn_frame != 0 && !p->syn_has_ack && p->has_acknowledged;
    f->handshake_seen = f->sender_opened || f->sender_accepted || p->syn_frame != 0;
    f->sender_closed = s->fin_frame != 0;
    f->is_effective = is_acceptable(f);
    f->receiver_closed = p->fin_frame != 0;
    if (p->fin_frame != 0) {
        /* The ACK number of a reset is S's own rcv.nxt; that of a bare one may be anything (observed with XP). */
        f->receiver_fin_known = (s->has_acknowledged && !sequence_before(s->acknowledged, p->fin_end)) ||
                                (f->has_ack ? !sequence_before(f->reset->acknowledgement, p->fin_end)
                                            : delay < 0 || f->reset->time - p->fin_time >= delay);
    }
    f->closed_before = c->closed_frame != 0 && c->closed_frame < until;
    if (c->reset_frame != 0) {
        /* S could not have seen P's reset yet: less than a path's delay has passed since. */
        int64_t since = f->reset->time - c->reset_time;

        f->crossed = c->reset_side != f->side && (s->path_is_timed ? since < delay : since < at_once) &&
                     (f->trigger == NULL || f->trigger->frame < c->reset_frame);
        /* A socket that had taken the other reset in would be gone, and a reset is never answered. */
        if (c->reset_side != f->side && f->has_ack && f->at_next && f->trigger == NULL &&
            since < MAX(delay, 0) + at_once)
            f->crossed = true;
        f->was_reset = !f->crossed;
    }
    if (c->last_frame != 0)
        f->silence = f->reset->time - c->last_time;
}

static void gather_data(reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;

    if (p->last_data_frame != 0 && (s->last_data_frame == 0 || p->last_data_time > s->last_data_time))
        f->unread = p->last_data_length;
    if (s->has_next && p->has_acknowledged && sequence_after(s->next, p->acknowledged)) {
        f->pending = (uint32_t)sequence_difference(s->next, p->acknowledged);
        if (f->sender_closed && s->next == s->fin_end)
            f->pending--;
        if (!f->connection->is_established && s->next == s->isn + 1)
            f->pending = 0;
    }
    if (s->has_next && p->has_next && p->has_acknowledged && f->connection->is_established) {
        uint32_t taken = s->has_acknowledged ? s->acknowledged : p->first;
        int32_t left;

        if (f->has_ack && sequence_after(f->reset->acknowledgement, taken) &&
            !sequence_after(f->reset->acknowledgement, p->next))
            taken = f->reset->acknowledgement;
        left = sequence_difference(p->next, taken);
        if (left > 0 && f->receiver_closed && p->next == p->fin_end)
            left--;
        f->has_data_lost = true;
        f->data_lost = f->pending + (uint32_t)MAX(left, 0);
    }
}

static void gather_handwriting(reset_facts *f)
{
    const connection *c = f->connection;
    const endpoint *s = f->sender;
    const rstcause_segment *r = f->reset;

    if (s->frames > 0 && r->ttl != 0) {
        if (r->ttl < s->ttl_low)
            f->ttl_distance = (int)r->ttl - s->ttl_low;
        else if (r->ttl > s->ttl_high)
            f->ttl_distance = (int)r->ttl - s->ttl_high;
        f->ttl_differs = f->ttl_distance != 0;
    }
    f->ip_id_continues =
        r->has_ip_id && s->ip_ids - s->ip_ids_zero >= 1 && s->ip_ids_rising + 1 >= s->ip_ids - s->ip_ids_zero &&
        (uint16_t)(r->ip_id - s->last_counted_ip_id) >= 1 && (uint16_t)(r->ip_id - s->last_counted_ip_id) <= 64;
    f->stack = s->stack != STACK_UNKNOWN ? s->stack : (host_stack)s->host->stack;
    f->since_spoke = s->frames == 0 ? -1 : (f->trigger != NULL ? f->trigger->time : r->time) - s->last_time;
    /* A device that resets both ends does so at once; two ends that abort by themselves rarely do. */
    f->has_counterpart = c->resets[!f->side].frame != 0 && time_between(r->time, c->resets[!f->side].time) <= at_once &&
                         (f->trigger == NULL || f->trigger->frame < c->resets[!f->side].frame);
    f->is_own_form = s->frames > 0 && f->receiver->frames > 0 &&
                     (f->has_ack ? f->trigger == NULL || (f->trigger->flags & RSTCAUSE_ACK) != 0
                                 : f->trigger == NULL || !f->trigger_fits_time);
}

void facts_gather(reset_facts *f, const connection *c, uint8_t side, const rstcause_segment *reset,
                  const rstcause_stated *stated)
{
    *f = (reset_facts){
        .reset = reset,
        .connection = c,
        .side = side,
        .sender = &c->ends[side],
        .receiver = &c->ends[!side],
        .stated = stated,
    };
    gather_form(f);
    gather_trigger(f);
    gather_history(f);
    gather_data(f);
    gather_handwriting(f);
}
