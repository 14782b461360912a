/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a later segment of the named sender tells of a reset. See later.h. */
#include "later.h"

#include "follow/units.h"

/* Packets overtake one another seldom by as much as this, where nothing is known of the path. */
static const int64_t longest_disorder = 100 * MILLISECOND;

/* The ticks that a coarse clock may show too many (Linux at HZ 100: 10 ms), twice. */
static const uint32_t clock_slack = 20;

bool later_counts_reset(const reset_facts *f, const connection *c, uint8_t side, const rstcause_segment *segment)
{
    uint16_t step = (uint16_t)(segment->ip_id - f->reset.ip_id);
    uint32_t since = c->ends[side].frames - f->sender->frames;

    /* A counter that did not count it is one less ahead: of a forger who wrote the very next ID. */
    return f->ip_id_continues && f->at_next && segment->has_ip_id && ip_id_goes_on(f->reset.ip_id, segment->ip_id) &&
           step > since;
}

bool later_accepts(const reset_facts *f, const connection *c, const rstcause_segment *segment)
{
    const endpoint *s = &c->ends[f->side], *p = &c->ends[!f->side];

    return (segment->flags & (RSTCAUSE_SYN | RSTCAUSE_ACK)) == (RSTCAUSE_SYN | RSTCAUSE_ACK) && s->frames == 0 &&
           p->syn_frame != 0 && p->syn_count == f->receiver->syn_count && segment->acknowledgement == p->isn + 1 &&
           f->has_trigger && (f->trigger.flags & RSTCAUSE_SYN) != 0;
}

/* S's clock says that it made this segment before the reset: the reset's own timestamp, or where an answer has none the time
 * that has passed since S's last segment (RFC 7323 section 5.4: a thousand ticks a second at most; of a clock with fewer that
 * is said too often, and then the segment proves nothing). */
static bool was_made_before(const reset_facts *f, const endpoint *s, const rstcause_segment *segment)
{
    int32_t ticks = sequence_difference(segment->timestamp_value, s->timestamp_value);

    if (!segment->has_timestamps)
        return false;
    if (f->reset.has_timestamps)
        return f->clock_continues && sequence_before(segment->timestamp_value, f->reset.timestamp_value);
    return s->has_timestamps && ticks > 0 && ticks + 1 < (f->reset.time - s->timestamp_time) / MILLISECOND;
}

/* Made before the reset, which overtook it: S's clock or its counter says so. It does not come later than the path takes. */
static bool was_overtaken(const reset_facts *f, const endpoint *s, const rstcause_segment *segment)
{
    if (segment->time - f->reset.time > MAX(2 * s->answer_delay, longest_disorder))
        return false;
    if (was_made_before(f, s, segment))
        return true;
    return !(f->clock_continues && segment->has_timestamps) && f->ip_id_continues && f->has_ack && segment->has_ip_id &&
           segment->ip_id != 0 && ip_id_goes_on(segment->ip_id, f->reset.ip_id);
}

/* S acknowledges the very segment that the reset answers as if it had no connection. Before that segment it was silent so
 * long that nothing of S was on its way, so that this is S's answer, however soon it comes. A SYN/ACK is left out: it is
 * answered twice where a program on S makes its segments itself, and S's kernel does not know of it. */
static bool acknowledges_trigger(const reset_facts *f, const endpoint *s, const rstcause_segment *segment)
{
    bool may_be_answer = (segment->flags & RSTCAUSE_ACK) != 0 && segment->sequence == s->next &&
                         !sequence_after(segment->acknowledgement, f->receiver->next);
    bool is_alone = f->trigger.silence > longest_disorder && (f->trigger.flags & RSTCAUSE_SYN) == 0;

    return !f->has_ack && f->has_trigger && is_alone && may_be_answer && segment->time >= f->reset.time &&
           sequence_after(segment->acknowledgement, f->trigger.sequence);
}

/* The reset refuses S's SYN/ACK, which S takes all the same (RFC 9293 section 3.10.7.3). Programs that write their SYNs
 * themselves do so, too, while their host's kernel resets: such a SYN is bare. */
static bool takes_syn_ack(const reset_facts *f, const endpoint *s, const rstcause_segment *segment)
{
    const uint8_t syn_ack = RSTCAUSE_SYN | RSTCAUSE_ACK;

    return !f->has_ack && f->has_trigger && (f->trigger.flags & syn_ack) == syn_ack && s->syn_frame != 0 &&
           !s->syn_is_bare && (segment->flags & (RSTCAUSE_SYN | RSTCAUSE_ACK)) == RSTCAUSE_ACK &&
           segment->sequence == s->next && segment->acknowledgement == f->trigger.end;
}

bool later_goes_on(const reset_facts *f, const connection *c, uint8_t side, const rstcause_segment *segment)
{
    const endpoint *s = &c->ends[side];

    if ((segment->flags & RSTCAUSE_SYN) != 0 || was_overtaken(f, s, segment))
        return false;
    if (acknowledges_trigger(f, s, segment))
        return true;
    /* Nothing follows a FIN (RFC 9293 section 3.6): who made such a segment is another question. */
    if (!s->has_next || (s->fin_frame != 0 && segment->sequence == s->fin_end && rstcause_segment_span(segment) > 0))
        return false;
    /* What the reset overtook on its way lies below its number, and does not come later than the path takes. */
    if (sequence_before(segment->sequence, f->reset.sequence) && rstcause_segment_span(segment) > 0 &&
        segment->time - f->reset.time <= MAX(2 * s->answer_delay, longest_disorder))
        return false;
    /* A socket that has reset is gone: its clock made nothing after that, nor did its counter give out the same ID again (of
     * 1,034 genuine resets with timestamps none was followed by a later one of S, nor by its own ID). */
    if (f->clock_continues && segment->has_timestamps &&
        sequence_after(segment->timestamp_value, f->reset.timestamp_value))
        return true;
    if (f->ip_id_continues && f->has_ack && segment->has_ip_id && segment->ip_id == f->reset.ip_id)
        return true;
    if (takes_syn_ack(f, s, segment))
        return true;
    if (segment->time - f->reset.time < REORDERING)
        return false;
    /* New data or a FIN at S's next number, an ACK of what P sent after the reset, or a clock that went on. */
    if (segment->sequence == s->next && rstcause_segment_span(segment) > 0)
        return true;
    if (segment->sequence == s->next && (segment->flags & RSTCAUSE_ACK) != 0 && s->has_acknowledged &&
        sequence_after(segment->acknowledgement, s->acknowledged) && c->ends[!side].has_next &&
        sequence_after(segment->acknowledgement, f->receiver->next))
        return true;
    return segment->has_timestamps && s->has_timestamps && !f->clock_continues &&
           sequence_after(segment->timestamp_value, f->sender->timestamp_value + clock_slack) &&
           segment->time - f->reset.time > clock_slack * MILLISECOND;
}

/* S has not had P's probe: it echoes an older timestamp (RFC 7323 section 4.3). */
static bool left_out_probe(const reset_facts *f, const rstcause_segment *segment)
{
    return f->trigger.is_keepalive && f->trigger.frame == f->receiver->last_frame && segment->has_timestamps &&
           f->receiver->has_timestamps && sequence_before(segment->timestamp_echo, f->receiver->timestamp_value);
}

/*
 * Each segment acknowledges all that its sender has (RFC 9293 section 3.10.7.4). Who makes a reset beside the path lets the
 * trigger pass, and S acknowledges it; a NAT, balancer or firewall that answers in S's place keeps it.
 */
bool later_misses_trigger(const reset_facts *f, const connection *c, uint8_t side, const rstcause_segment *segment)
{
    bool has_data = f->trigger.length > 0 && (f->trigger.flags & RSTCAUSE_SYN) == 0;
    bool is_left_out = (has_data && !f->trigger.was_old && (segment->flags & RSTCAUSE_ACK) != 0 &&
                        !sequence_after(segment->acknowledgement, f->trigger.sequence)) ||
                       left_out_probe(f, segment);

    return !f->has_ack && f->has_trigger && is_left_out &&
           segment->time - f->trigger.time > MAX(2 * c->ends[side].answer_delay, longest_disorder);
}

/*
 * Its clock, which counts milliseconds as Linux' does, had gone on past the moment of the reset when S made the segment: an
 * ACK that was delayed. That is shown by the time since S's last timestamp, which both agree upon.
 */
static bool was_made_behind(const reset_facts *f, const rstcause_segment *segment)
{
    static const int64_t jitter = 5;
    const endpoint *s = f->sender;
    int64_t ticks = (int32_t)(segment->timestamp_value - s->timestamp_value);
    int64_t passed = (segment->time - s->timestamp_time) / MILLISECOND;
    int64_t until_reset = (f->reset.time - s->timestamp_time) / MILLISECOND;

    return s->has_timestamps && segment->has_timestamps && segment->sequence == s->next &&
           (segment->flags & (RSTCAUSE_SYN | RSTCAUSE_ACK)) == RSTCAUSE_ACK &&
           segment->time - f->reset.time >= REORDERING && time_between(ticks, passed) <= jitter &&
           ticks > until_reset + jitter;
}

bool later_lives_on(const reset_facts *f, const connection *c, uint8_t side, const rstcause_segment *segment)
{
    return later_goes_on(f, c, side, segment) || (f->trigger_is_out_of_window && was_made_behind(f, segment));
}

/* What was found before the reset is the better trigger, unless it asks for nothing and the late one does. */
static bool has_better_trigger(const reset_facts *f, const rstcause_segment *segment)
{
    return f->has_trigger && (recent_asks_for_answer(&f->trigger) || rstcause_segment_span(segment) == 0);
}

/* The port pair may begin a new connection behind its reset. A SYN that P repeats is no better trigger than the first. */
static bool is_of_another(const reset_facts *f, const rstcause_segment *segment)
{
    return f->receiver->has_next && ((segment->flags & RSTCAUSE_SYN) != 0 ||
                                     sequence_distance(segment->sequence, f->receiver->next) > OTHER_CONNECTION_GAP);
}

bool later_is_trigger(const reset_facts *f, const rstcause_segment *segment)
{
    return !f->has_ack && !is_of_another(f, segment) && !has_better_trigger(f, segment) &&
           (segment->flags & RSTCAUSE_ACK) != 0 && segment->acknowledgement == f->reset.sequence &&
           time_between(segment->time, f->reset.time) <= CLOCK_NOISE &&
           segment->frame - f->reset.frame <= LATER_MOST_OUT_OF_ORDER &&
           (!f->has_trigger || !f->sender->path_is_timed || f->sender->answer_delay <= 2 * CLOCK_NOISE);
}
