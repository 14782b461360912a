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

/* An answer takes the path's delay to its sender and back: no less, but for jitter and for what the host was slower
 * when it was measured. */
static int64_t earliest_answer(const endpoint *sender)
{
    int64_t delay = sender->answer_delay;

    return sender->path_is_timed ? MAX(delay - MAX(delay / 8, host_delay), 0) : 0;
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
    if (candidate->end != reset->acknowledgement)
        return false;
    if (endpoint_reopens(sender))
        return reset->sequence == candidate->acknowledgement;
    /* S's own resets acknowledge all that S has; one that acknowledges less, just this probe, answers it. */
    if (candidate->is_keepalive)
        return sender->has_acknowledged && sequence_before(reset->acknowledgement, sender->acknowledged);
    if (sender->has_acknowledged && !sequence_after(candidate->end, sender->acknowledged))
        return false;
    /* lwIP sets ACK in all its answers (tcp_rst(); measured), and other stacks that are not known may. */
    if ((!sender->has_acknowledged || sender->stack == STACK_UNKNOWN) && reset->sequence == candidate->acknowledgement)
        return true;
    /* Windows answers what comes after its close with RST,ACK that acknowledges just that (observed). */
    return sender->fin_frame != 0 && candidate->end != candidate->sequence && sender->has_next &&
           reset->sequence == sender->next;
}

/* S knew the connection when it took this segment in, so its reset does not answer it. */
static bool was_taken_in(const endpoint *sender, const recent_segment *candidate, int64_t delay, int64_t last_spoken)
{
    bool is_accepted_syn = sender->syn_has_ack && (candidate->flags & (RSTCAUSE_SYN | RSTCAUSE_ACK)) == RSTCAUSE_SYN;

    if (candidate->end != candidate->sequence && !candidate->was_old && !candidate->is_keepalive &&
        sender->has_acknowledged && !sequence_after(candidate->end, sender->acknowledged) &&
        ((candidate->flags & RSTCAUSE_SYN) == 0 || is_accepted_syn))
        return true;
    /* S would have acknowledged what it says nothing of: that is on its way still. */
    if (candidate->end != candidate->sequence && !candidate->was_old && !candidate->is_keepalive &&
        sender->has_acknowledged && sequence_after(candidate->end, sender->acknowledged))
        return false;
    /* S went on to speak after it must have had the segment. */
    return last_spoken > candidate->time && delay >= 0 &&
           last_spoken - candidate->time > delay + jitter_of(delay) + lag_of_capture;
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

typedef struct {
    const recent_segment *newest, *oldest_usual;
} candidates;

static const recent_segment *best_of(const candidates *found)
{
    return found->oldest_usual != NULL ? found->oldest_usual : found->newest;
}

static void consider(candidates *found, const recent_segment *candidate, int64_t since, int64_t usual)
{
    if (found->newest == NULL)
        found->newest = candidate;
    if (since <= usual)
        found->oldest_usual = candidate;
}

trigger_found trigger_find(const connection *c, uint8_t side, const rstcause_segment *reset)
{
    const endpoint *sender = &c->ends[side];
    const recent_segments *recent = &c->ends[!side].recent;
    int64_t delay = sender->answer_delay;
    int64_t earliest = earliest_answer(sender);
    int64_t usual = delay >= 0 ? latest_usual_answer(delay) : usual_unmeasured;
    int64_t burst = 0;
    /* A reset of its own making shows that S was there; an answer does not. */
    bool spoke_by_reset = c->reset_frame != 0 && c->reset_side == side && c->reset_verdict->trigger == 0;
    int64_t last_spoken = spoke_by_reset ? c->reset_time : sender->last_time;
    bool has_closed_only = sender->fin_frame != 0 && c->reset_frame == 0;
    candidates all = {NULL, NULL}, demanding = {NULL, NULL};
    const recent_segment *candidate, *best, *too_young = NULL;

    for (unsigned age = 0; (candidate = recent_at(recent, age)) != NULL; age++) {
        int64_t since = reset->time - candidate->time;

        if (candidate->frame <= c->resets[side].answered_frame)
            break;
        if (candidate->was_answered || (candidate->flags & RSTCAUSE_RST) != 0 ||
            !numbers_fit(reset, sender, candidate) || was_taken_in(sender, candidate, delay, last_spoken))
            continue;
        if (since < earliest) {
            too_young = candidate;
            continue;
        }
        if (was_repeated(recent, age, reset->time - earliest))
            continue;
        /* Where nothing is known of the path, or it has become slower, the newest one's age sets the scale for its
         * neighbours in the burst. */
        if (all.newest == NULL && (delay < 0 || since > usual))
            burst = since + usual_unmeasured;
        consider(&all, candidate, since, MAX(usual, burst));
        if (candidate->end != candidate->sequence)
            consider(&demanding, candidate, since, MAX(usual, burst));
    }
    /* A socket that has closed takes the ACK of its FIN as any other; it is data or a FIN that it cannot take. */
    best = has_closed_only && demanding.newest != NULL ? best_of(&demanding) : best_of(&all);
    if (best == NULL)
        return (trigger_found){too_young, false, false};
    return (trigger_found){
        .segment = best,
        .fits_time = reset->time - best->time <= (delay < 0 ? longest_delay : usual + slow_host),
        .is_prompt = delay < 0 || reset->time - best->time <= usual,
    };
}

const recent_segment *trigger_find_by_time(const connection *c, uint8_t side, const rstcause_segment *reset)
{
    const endpoint *sender = &c->ends[side];
    const recent_segment *candidate, *oldest = NULL;
    int64_t delay = sender->answer_delay;

    for (unsigned age = 0; delay >= 0 && (candidate = recent_at(&c->ends[!side].recent, age)) != NULL; age++) {
        int64_t since = reset->time - candidate->time;

        if (since > latest_usual_answer(delay))
            break;
        if (candidate->end != candidate->sequence && since >= earliest_answer(sender) && !candidate->was_answered &&
            (candidate->flags & RSTCAUSE_RST) == 0 && !was_taken_in(sender, candidate, delay, sender->last_time))
            oldest = candidate;
    }
    return oldest;
}
