/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the segment that a reset answers. Resets come in bursts, each for a trigger of its own, in order, a round
 * trip later where the capture was taken at the other end. Knows numbers and times, no cause.
 */
#include "trigger.h"

#include "follow/units.h"

/* What a host itself may have added to the shortest delay that was measured: the tick of its timer (HZ 250 in Linux)
 * and the turn of its thread. */
static const int64_t host_delay = 5 * MILLISECOND;

/* Timestamps in a capture lag behind the packets by some tens of microseconds. */
static const int64_t lag_of_capture = 50 * MICROSECOND;

/* The least payload that a full segment has; a frame of TSO or GRO holds several segments, each of which may be answered. */
static const uint32_t full_segment = 1200;

/* Where nothing is known of the path, answers are looked for this near first. */
static const int64_t usual_unmeasured = 10 * MILLISECOND;

/* What a host may be slower than usual: delayed ACKs take 40 to 200 ms (Linux, Windows), so a busy one takes no less. */
static const int64_t slow_host = 250 * MILLISECOND;

/* Room for queues on the path, which the shortest delay did not meet. The lab's answers scatter by an eighth of the
 * delay, but for a host's own few milliseconds and for lost packets. */
static int64_t jitter_of(int64_t delay)
{
    return delay / 4;
}

/* What of a shortest answer no path takes away: in the lab no genuine answer came below 0.7 of it (88 with paths of
 * several milliseconds), and forged ones below a half. */
static int64_t half_of(int64_t delay)
{
    return delay / 2;
}

/* An answer takes the path's delay to its sender and back: no less, but for jitter and for what the host was slower
 * when it was measured. */
static int64_t earliest_answer(const endpoint *sender)
{
    int64_t delay = sender->answer_delay;

    int64_t least = delay > 2 * MILLISECOND ? half_of(delay) : 0;

    return sender->path_is_timed ? MAX(delay - MAX(delay / 8, host_delay), least) : 0;
}

static int64_t latest_usual_answer(int64_t delay)
{
    return delay + MAX(jitter_of(delay), MIN(2 * delay, host_delay)) + 2 * lag_of_capture;
}

/* Segments of a burst are sent at once; a retransmission timer waits longer (RFC 6298; a tail loss probe two round
 * trips and some, RFC 8985). */
static const int64_t longest_burst = 50 * MILLISECOND;

/* Where nothing is known of the path: no path on earth that is in use takes longer. */
static const int64_t longest_delay = 2 * SECOND;

/* RFC 9293 section 3.5.2: the answer to a segment with ACK has that number as its sequence number; the answer to
 * one without acknowledges it. */
static bool numbers_fit(const rstcause_segment *reset, const endpoint *sender, const recent_segment *candidate)
{
    if ((reset->flags & RSTCAUSE_ACK) == 0)
        return (candidate->flags & RSTCAUSE_ACK) != 0 && candidate->acknowledgement == reset->sequence;
    /* BSD does not count a FIN (tcp_respond() by tcp_input(): only SYN lengthens it; measured with libslirp). */
    if ((candidate->flags & RSTCAUSE_ACK) == 0)
        return candidate->end == reset->acknowledgement ||
               candidate->sequence + candidate->length == reset->acknowledgement;
    /* gVisor's answer after its close does not acknowledge what it answers (measured). */
    if (sender->stack == STACK_GVISOR && sender->fin_frame != 0 && sender->has_next &&
        reset->sequence == sender->next && candidate->end != candidate->sequence &&
        candidate->sequence == reset->acknowledgement)
        return true;
    if (candidate->end != reset->acknowledgement)
        return false;
    if (endpoint_reopens(sender))
        return reset->sequence == candidate->acknowledgement;
    /* S's own resets acknowledge all that S has; one that acknowledges less, just this probe, answers it. */
    if (candidate->is_keepalive)
        return sender->has_acknowledged && sequence_before(reset->acknowledgement, sender->acknowledged);
    /* lwIP sets ACK in all its answers, also to what it has had before. */
    if (stack_find(sender->stack)->answers_with_ack && reset->sequence == candidate->acknowledgement)
        return true;
    /* In SYN-RECEIVED a number that S never reached can only be that of an ACK which it refuses; lwIP and picoTCP set ACK
     * there (measured). */
    if (sender->syn_has_ack && sender->frames == sender->syn_count && reset->sequence == candidate->acknowledgement &&
        reset->sequence != sender->next)
        return true;
    if (sender->has_acknowledged && !sequence_after(candidate->end, sender->acknowledged))
        return false;
    /* lwIP sets ACK in all its answers (tcp_rst(); measured), and other stacks that are not known may. */
    if ((!sender->has_acknowledged || sender->stack == STACK_UNKNOWN) && reset->sequence == candidate->acknowledgement)
        return true;
    /* Windows answers what comes after its close with RST,ACK that acknowledges just that (observed). */
    return sender->fin_frame != 0 && candidate->end != candidate->sequence && sender->has_next &&
           reset->sequence == sender->next;
}

/* When S spoke last. */
typedef struct {
    uint32_t frame;
    int64_t time;
} words;

/* S knew the connection when it took this segment in, so its reset does not answer it. */
static bool was_taken_in(const endpoint *sender, const recent_segment *candidate, int64_t delay, const words *last)
{
    bool is_accepted_syn = sender->syn_has_ack || (candidate->flags & RSTCAUSE_ACK) != 0;

    if (candidate->end != candidate->sequence && !candidate->was_old && !candidate->is_keepalive &&
        sender->has_acknowledged && !sequence_after(candidate->end, sender->acknowledged) &&
        ((candidate->flags & RSTCAUSE_SYN) == 0 || is_accepted_syn))
        return true;
    /* S would have acknowledged what it says nothing of: that is on its way still. */
    if (candidate->end != candidate->sequence && !candidate->was_old && !candidate->is_keepalive &&
        sender->has_acknowledged && sequence_after(candidate->end, sender->acknowledged))
        return false;
    /* S went on to speak after it must have had the segment. Where what it said stands before the segment, the clock was set
     * back in between. */
    return last->frame > candidate->frame && delay >= 0 &&
           last->time - candidate->time > delay + jitter_of(delay) + lag_of_capture;
}

/* A later segment, from before 'latest', is the same sent again: the earlier one got no answer. */
static bool was_repeated(const recent_segments *recent, unsigned age, int64_t latest)
{
    const recent_segment *candidate = recent_at(recent, age);

    for (unsigned later = 0; later < age; later++) {
        const recent_segment *other = recent_at(recent, later);

        if (other->time <= latest && (other->flags & RSTCAUSE_RST) == 0 && other->sequence == candidate->sequence &&
            other->end == candidate->end && other->end != other->sequence &&
            other->time - candidate->time > longest_burst)
            return true;
    }
    return false;
}

/* How well the time since a candidate is that of an answer to it, best first. Too young is nearer than too old: a nearer
 * backend or a quicker path answers sooner, but a host that is there does not wait. */
typedef enum { IN_TIME, EARLY, LATE, MUCH_TOO_EARLY, MUCH_TOO_LATE } answer_timing;

static uint8_t most_answers(const recent_segment *segment)
{
    return (uint8_t)CLAMP(segment->length / full_segment, 1, UINT8_MAX);
}

typedef struct {
    const recent_segment *segment;
    answer_timing timing;
    bool asks;      /* it asks for an answer; a pure ACK does not */
    unsigned worth; /* less is better */
} candidate;

/* Segments so near behind one another left in one burst. */
static const int64_t back_to_back = MILLISECOND;

static bool asks_for_answer(const recent_segment *segment, const endpoint *sender)
{
    /* A listener that turns the connection away does it at the ACK that completes the handshake. */
    bool completes =
        sender->syn_has_ack && sender->frames == sender->syn_count && segment->acknowledgement == sender->isn + 1;

    return recent_asks_for_answer(segment) || completes ||
           (sender->has_next && sequence_after(segment->acknowledgement, sender->next));
}

typedef struct {
    int64_t earliest, usual, latest, delay;
} answer_times;

static answer_timing time_of(const answer_times *times, int64_t age)
{
    if (age < times->earliest - CLOCK_NOISE)
        return times->delay >= 0 && age < half_of(times->delay) ? MUCH_TOO_EARLY : EARLY;
    if (age <= times->usual)
        return IN_TIME;
    return age <= times->latest ? LATE : MUCH_TOO_LATE;
}

static answer_times expect_answer(const endpoint *sender)
{
    int64_t delay = sender->answer_delay;
    int64_t usual = delay >= 0 ? latest_usual_answer(delay) : usual_unmeasured;

    return (answer_times){
        .earliest = earliest_answer(sender),
        .usual = usual,
        .latest = delay < 0 ? longest_delay : usual + slow_host,
        .delay = sender->path_is_timed ? delay : -1,
    };
}

/* The time from a segment to the reset. Where that is before the newest that it may answer, the clock was set back in
 * between: what is known then is how much older the others are. */
static int64_t age_of(const recent_segment *segment, const recent_segment *newest, const rstcause_segment *reset,
                      const endpoint *sender)
{
    int64_t age = reset->time - newest->time;

    return (age < -CLOCK_NOISE ? MAX(sender->answer_delay, 0) : age) + newest->time - segment->time;
}

/* What S may answer, the newest first. Returns how many. */
static unsigned find_candidates(const connection *c, uint8_t side, const rstcause_segment *reset,
                                candidate found[RECENT_LIMIT])
{
    const endpoint *sender = &c->ends[side];
    const recent_segments *recent = &c->ends[!side].recent;
    answer_times times = expect_answer(sender);
    /* A reset of its own making shows that S was there; an answer does not. */
    bool spoke_by_reset = c->reset_frame != 0 && c->reset_side == side && c->reset_is_own;
    words last = {spoke_by_reset ? c->reset_frame : sender->last_frame,
                  spoke_by_reset ? c->reset_time : sender->last_time};
    bool has_closed_only = sender->fin_frame != 0 && c->reset_frame == 0;
    const recent_segment *segment;
    unsigned count = 0;

    for (unsigned age = 0; (segment = recent_at(recent, age)) != NULL; age++) {
        candidate *one = &found[count];
        int64_t since;

        if (segment->frame < c->resets[side].answered_frame)
            break;
        if (segment->answers >= most_answers(segment) || (segment->flags & RSTCAUSE_RST) != 0 ||
            !numbers_fit(reset, sender, segment) || was_taken_in(sender, segment, times.delay, &last) ||
            was_repeated(recent, age, reset->time - times.earliest))
            continue;
        since = age_of(segment, count > 0 ? found[0].segment : segment, reset, sender);
        /* Where nothing is known of the path, or it has become slower, the newest one's age sets the scale for its
         * neighbours in the burst. */
        if (count == 0 && (sender->answer_delay < 0 || since > times.usual))
            times.usual = MAX(times.usual, since + usual_unmeasured);
        *one =
            (candidate){.segment = segment, .timing = time_of(&times, since), .asks = asks_for_answer(segment, sender)};
        /* A pure ACK asks for nothing, so that data too young beat one too old. And a socket that has closed takes the ACK of
         * its FIN as any other; it is data or a FIN that it cannot take. */
        one->worth = 2 * (unsigned)one->timing + (one->asks ? 0 : has_closed_only ? 4 : 3);
        /* Where the card of the receiver put the segments together, one answer was all. */
        one->worth += segment->answers > 0;
        count++;
    }
    return count;
}

/* The best, and of equals the first that was sent; then the first of its burst, which no limit of time splits. */
static const candidate *choose(const candidate found[], unsigned count)
{
    const candidate *best = NULL;

    for (unsigned i = 0; i < count; i++) {
        if (best == NULL || found[i].worth <= best->worth ||
            (found[i].asks == best->asks && found[i].timing == best->timing + 1 && best == &found[i - 1] &&
             best->segment->time - found[i].segment->time <= back_to_back))
            best = &found[i];
    }
    return best;
}

/* On a path whose queues are full a segment may be on its way for several times the shortest answer, and for longer where
 * the stream has gone on behind it. */
static bool has_number_of_any(const connection *c, uint8_t side, const rstcause_segment *reset)
{
    bool has_gone_on = sequence_before(reset->sequence, c->ends[!side].acknowledged);
    const int64_t longest = MAX(3 * MAX(c->ends[side].answer_delay, 0), has_gone_on ? slow_host : 0);
    const recent_segment *segment;

    for (unsigned age = 0; (segment = recent_at(&c->ends[!side].recent, age)) != NULL; age++) {
        if (reset->time - segment->time <= longest && segment->answers == 0 && (segment->flags & RSTCAUSE_RST) == 0 &&
            numbers_fit(reset, &c->ends[side], segment))
            return true;
    }
    return false;
}

/* The clock was not set back since, nor is it so coarse that the path takes no time at all. */
static bool clock_tells(const recent_segment *newest, const rstcause_segment *reset, const endpoint *sender)
{
    int64_t age = reset->time - newest->time;

    return age >= -CLOCK_NOISE && (age != 0 || sender->answer_delay != 0);
}

trigger_found trigger_find(const connection *c, uint8_t side, const rstcause_segment *reset)
{
    candidate found[RECENT_LIMIT];
    unsigned count = find_candidates(c, side, reset, found);
    const candidate *best = choose(found, count);
    const answer_times times = expect_answer(&c->ends[side]);
    answer_timing timing;
    int64_t age;

    if (best == NULL)
        return (trigger_found){.has_number = has_number_of_any(c, side, reset)};
    age = age_of(best->segment, found[0].segment, reset, &c->ends[side]);
    timing = time_of(&times, age);
    return (trigger_found){
        .segment = best->segment,
        .fits_time = timing != MUCH_TOO_EARLY && timing != MUCH_TOO_LATE,
        .is_prompt = times.delay < 0 || (age <= times.usual && clock_tells(found[0].segment, reset, &c->ends[side])),
        .is_much_too_early = timing == MUCH_TOO_EARLY,
    };
}

const recent_segment *trigger_find_by_time(const connection *c, uint8_t side, const rstcause_segment *reset)
{
    const endpoint *sender = &c->ends[side];
    const recent_segment *segment, *oldest = NULL;
    words last = {sender->last_frame, sender->last_time};
    int64_t delay = sender->answer_delay;

    for (unsigned age = 0; delay >= 0 && (segment = recent_at(&c->ends[!side].recent, age)) != NULL; age++) {
        int64_t since = reset->time - segment->time;

        if (since > latest_usual_answer(delay))
            break;
        if (segment->end != segment->sequence && since >= earliest_answer(sender) && segment->answers == 0 &&
            (segment->flags & RSTCAUSE_RST) == 0 && !was_taken_in(sender, segment, delay, &last))
            oldest = segment;
    }
    return oldest;
}
