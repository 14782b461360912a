/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gathers what can be said of a reset before it is judged. Knows no cause. */
#include "facts.h"

#include <string.h>

#include "trigger.h"
#include "follow/units.h"

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
        if (f->has_trigger && p->answer_delay >= 0 &&
            f->trigger.time - sent->time > delay + delay / 4 + AT_ONCE) /* jitter_of() in trigger.c */
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
    if (!f->connection.is_established && p->syn_frame != 0 && !p->syn_has_ack) {
        /* SYN-SENT: the ACK must acknowledge the SYN, with the data of a fast open or without (section 3.10.7.3). */
        return f->has_ack && sequence_after(f->reset.acknowledgement, p->isn) &&
               !sequence_after(f->reset.acknowledgement, p->next);
    }
    if (!p->has_acknowledged) {
        if (s->has_next)
            return sequence_distance(f->reset.sequence, s->next) <= 1 << 20;
        return true;
    }
    window = p->window;
    if (p->window_shift > 0 && s->window_shift >= 0)
        window <<= p->window_shift;
    else if (p->syn_frame == 0 || p->window_shift == SHIFT_UNKNOWN || s->window_shift == SHIFT_UNKNOWN)
        window <<= 8; /* the scale was agreed before the capture began; 8 is common, and too wide does no harm here */
    next = estimate_next_of_receiver(f, window);
    offset = sequence_difference(f->reset.sequence, next);
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
    const rstcause_segment *r = &f->reset;

    f->has_ack = (r->flags & RSTCAUSE_ACK) != 0;
    if (s->has_next) {
        f->at_next = r->sequence == s->next;
        f->below_next = sequence_before(r->sequence, s->next);
        f->above_next = sequence_after(r->sequence, s->next);
    }
    f->has_no_context = s->frames == 0 && f->receiver->frames == 0;
}

/* Only windows whose scale is known tell; what the capture missed of S may have moved its own on a little. */
static bool is_out_of_window(const reset_facts *f, const recent_segment *trigger)
{
    const endpoint *s = f->sender;
    bool is_window_known =
        s->has_acknowledged && s->frames > s->syn_count && s->window_shift >= 0 && f->receiver->window_shift >= 0;
    uint32_t edge = s->acknowledged + ((uint32_t)s->window << MAX(s->window_shift, 0)) + (1 << 16);

    return trigger->was_old || (is_window_known && sequence_after(trigger->sequence, edge));
}

static void gather_trigger(reset_facts *f, const connection *live)
{
    trigger_found found = trigger_find(live, f->side, &f->reset);
    const recent_segment *by_time = NULL;

    /* S knows a number that P has not acknowledged: it has the connection, and the capture misses what it sent. */
    if (found.segment == NULL && !f->has_ack && f->above_next)
        by_time = trigger_find_by_time(live, f->side, &f->reset);
    f->has_trigger = found.segment != NULL;
    f->number_is_known = found.has_number;
    f->has_trigger_by_time = by_time != NULL;
    if (by_time != NULL)
        f->trigger_by_time = *by_time;
    if (found.segment != NULL) {
        f->trigger = *found.segment;
        f->trigger_fits_time = found.fits_time;
        f->trigger_is_prompt = found.is_prompt;
        f->trigger_is_out_of_window = is_out_of_window(f, found.segment);
        f->trigger_is_very_early = found.is_much_too_early;
        f->trigger_age = f->reset.time - f->trigger.time;
    }
    /* An abort carries S's own next number (RFC 9293 section 3.10.5), so another number that is the trigger's tells
     * an answer; so does the ACK of a segment without ACK. */
    f->numbers_answer = f->has_trigger && ((!f->has_ack && (!f->sender->has_next || !f->at_next)) ||
                                           (f->has_ack && (f->trigger.flags & RSTCAUSE_ACK) == 0));
}

static void gather_history(reset_facts *f)
{
    const connection *c = &f->connection;
    const endpoint *s = f->sender, *p = f->receiver;
    uint32_t until = f->has_trigger ? f->trigger.frame : f->reset.frame;
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
                                (f->has_ack ? !sequence_before(f->reset.acknowledgement, p->fin_end)
                                            : delay < 0 || f->reset.time - p->fin_time >= delay);
    }
    f->closed_before = c->closed_frame != 0 && c->closed_frame < until;
    if (c->reset_frame != 0) {
        /* S could not have seen P's reset yet: less than a path's delay has passed since. */
        int64_t since = f->reset.time - c->reset_time;

        f->crossed = c->reset_side != f->side && (s->path_is_timed ? since < delay : since < AT_ONCE) &&
                     (!f->has_trigger || f->trigger.frame < c->reset_frame);
        /* A socket that had taken the other reset in would be gone, and a reset is never answered. */
        if (c->reset_side != f->side && f->has_ack && f->at_next && !f->has_trigger && since < MAX(delay, 0) + AT_ONCE)
            f->crossed = true;
        f->was_reset = !f->crossed;
    }
    if (c->last_frame != 0)
        f->silence = f->reset.time - c->last_time;
}

static void gather_data(reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;

    if (s->has_next && p->has_acknowledged && sequence_after(s->next, p->acknowledged)) {
        f->pending = (uint32_t)sequence_difference(s->next, p->acknowledged);
        if (f->sender_closed && s->next == s->fin_end)
            f->pending--;
        if (!f->connection.is_established && s->next == s->isn + 1)
            f->pending = 0;
    }
    if (s->has_next && p->has_next && p->has_acknowledged && f->connection.is_established) {
        uint32_t taken = s->has_acknowledged ? s->acknowledged : p->first;
        int32_t left;

        if (f->has_ack && sequence_after(f->reset.acknowledgement, taken) &&
            !sequence_after(f->reset.acknowledgement, p->next))
            taken = f->reset.acknowledgement;
        left = sequence_difference(p->next, taken);
        if (left > 0 && f->receiver_closed && p->next == p->fin_end)
            left--;
        f->has_data_lost = true;
        /* No more than the capture saw them send. */
        f->data_lost = MIN(f->pending, s->bytes) + MIN((uint32_t)MAX(left, 0), p->bytes);
    }
}

/* What the numbers do not tell of the harm. */
static void gather_harm(reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;

    /* S took the client's last words in, all of them, and had said nothing since. */
    f->left_unanswered = f->sender_accepted && p->last_data_frame > s->last_data_frame && s->has_acknowledged &&
                         !sequence_before(s->acknowledged, p->next) && !f->receiver_closed && !f->sender_closed;
    f->trigger_is_goodbye =
        f->has_trigger && f->trigger.frame == p->last_words_frame &&
        (p->last_words.kind == RSTCAUSE_TLS_ALERT || p->last_words.kind == RSTCAUSE_TLS_ENCRYPTED_ALERT);
}

/* The ticks by which a timestamp may run ahead of the capture's clock: the segment before it was stamped and then waited,
 * in a queue or for the address of the next hop (RFC 4861 section 10: three times a second). A forger's guess is off by more. */
static const int64_t clock_slack = 3000;

/* Its timestamp is what S's clock shows by now (RFC 7323 section 5.4: 1 to 1000 ticks a second; Linux, Windows and
 * Darwin 1000 or 100). */
static bool clock_goes_on(const reset_facts *f)
{
    const endpoint *s = f->sender;
    int64_t ticks = sequence_difference(f->reset.timestamp_value, s->timestamp_value);

    return f->reset.has_timestamps && s->has_timestamps && ticks >= 0 &&
           ticks <= time_between(f->reset.time, s->timestamp_time) / MILLISECOND + clock_slack;
}

static void gather_fingerprint(reset_facts *f)
{
    const endpoint *s = f->sender;
    const rstcause_segment *r = &f->reset;
    uint32_t counted = s->ip_ids - s->ip_ids_zero;

    f->ip_id_continues = r->has_ip_id && counted >= 1 && s->ip_ids_rising + 1 >= counted &&
                         ip_id_goes_on(s->last_counted_ip_id, r->ip_id);
    f->clock_continues = clock_goes_on(f);
    f->stack = s->stack != STACK_UNKNOWN ? s->stack : (host_stack)s->host->stack;
    f->since_spoke = s->frames == 0 ? -1 : MAX((f->has_trigger ? f->trigger.time : r->time) - s->last_time, 0);
    f->host_ttl = s->host->ttl;
    f->host_ttl_seen = s->host->ttl_seen;
    f->host_ttl_varies = s->host->ttl_varies;
    f->host_probes = s->host->probes;
}

/* RFC 1337 section 2: an old segment reaches TIME-WAIT, is acknowledged, and the peer, which has closed, resets. */
static bool was_assassinated(const reset_facts *f, const connection *live)
{
    const recent_segment *own;

    if (!f->has_trigger || !f->closed_before || f->trigger.end != f->trigger.sequence)
        return false;
    /* P closed first, so it is P that waits, and only a late segment makes it speak. */
    if (f->receiver->fin_frame < f->sender->fin_frame)
        return true;
    for (unsigned age = 0; (own = recent_at(&live->ends[f->side].recent, age)) != NULL; age++) {
        if (own->frame < f->connection.closed_frame)
            return false;
        if (own->frame < f->trigger.frame && own->was_old)
            return true;
    }
    return false;
}

void facts_gather(reset_facts *f, const connection *c, uint8_t side, const rstcause_segment *reset,
                  const rstcause_stated *stated)
{
    const recent_segment *latest;

    *f = (reset_facts){
        .reset = *reset,
        .connection = *c,
        .side = side,
        .stated = *stated,
        .reset_code = rstcause_stated_netscaler(reset->window),
        .earlier_resets = c->resets[side].count,
        .reopens = endpoint_reopens(&c->ends[side]),
    };
    f->reset.options = f->reset.payload = NULL;
    f->reset.device_note = NULL;
    facts_name_ends(f);
    gather_form(f);
    gather_trigger(f, c);
    gather_history(f);
    gather_data(f);
    gather_harm(f);
    gather_fingerprint(f);
    f->was_assassinated = was_assassinated(f, c);
    f->look_back_is_short = c->ends[!side].recent.used >= RECENT_LIMIT;
    latest = recent_at(&c->ends[side].recent, 0);
    f->last_word_was_probe = latest != NULL && latest->is_keepalive;
    for (unsigned end = 0; end < 2; end++)
        f->connection.ends[end].recent = (recent_segments){0};
}

void facts_put_trigger(reset_facts *f, const rstcause_segment *segment)
{
    f->has_trigger = true;
    f->trigger = (recent_segment){
        .frame = segment->frame,
        .time = segment->time,
        .sequence = segment->sequence,
        .end = segment->sequence + rstcause_segment_span(segment),
        .acknowledgement = segment->acknowledgement,
        .length = segment->length,
        .flags = segment->flags,
        .silence = f->silence,
        .is_keepalive = f->sender->frames > 0 && segment->length <= 1 && segment->sequence + 1 == f->receiver->next &&
                        (segment->flags & (RSTCAUSE_SYN | RSTCAUSE_FIN)) == 0,
    };
    f->trigger_age = f->reset.time - segment->time;
    f->closed_before = f->connection.closed_frame != 0;
    f->trigger_fits_time = f->trigger_is_prompt = true;
    f->trigger_is_very_early = false;
    f->was_assassinated =
        f->closed_before && f->trigger.end == f->trigger.sequence && f->receiver->fin_frame < f->sender->fin_frame;
    f->numbers_answer = !f->has_ack && (!f->sender->has_next || !f->at_next);
}

void facts_name_ends(reset_facts *f)
{
    f->sender = &f->connection.ends[f->side];
    f->receiver = &f->connection.ends[!f->side];
}

void facts_clear(reset_facts *f)
{
    rstcause_stated_clear(&f->stated);
}
