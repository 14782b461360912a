/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the segment that a reset answers. Resets come in bursts, each for a trigger of its own, in order, a round
 * trip later where the capture was taken at the other end. Knows numbers and times, no cause.
 */
#include "trigger.h"

#include "units.h"

/* An answer takes the path's delay to its sender and back. The shortest one measured may itself have waited (a
 * delayed ACK), so an answer may come in half of that; and it may wait for a busy host. */
static gint64 earliest_answer(gint64 delay)
{
    return delay / 2;
}

static gint64 latest_usual_answer(gint64 delay)
{
    return 3 * delay + 2 * MILLISECOND;
}

/* Where nothing is known of the path: no path on earth that is in use takes longer. */
static const gint64 longest_delay = 2 * SECOND;

/* RFC 9293 section 3.5.2: the answer to a segment with ACK has that number as its sequence number; the answer to
 * one without acknowledges it. */
static gboolean numbers_fit(const rstcause_segment *reset, const endpoint *sender, const recent_segment *candidate)
{
    if ((reset->flags & RSTCAUSE_ACK) == 0)
        return (candidate->flags & RSTCAUSE_ACK) != 0 && candidate->acknowledgement == reset->sequence;
    if ((candidate->flags & RSTCAUSE_ACK) == 0)
        return candidate->end == reset->acknowledgement;
    /* Windows answers what comes after its close with RST,ACK that acknowledges just that (observed). */
    return sender->fin_frame != 0 && candidate->end == reset->acknowledgement && candidate->end != candidate->sequence &&
           sender->has_acknowledged && sequence_after(candidate->end, sender->acknowledged) &&
           sender->has_next && reset->sequence == sender->next;
}

/* S knew the connection when it took this segment in, so its reset does not answer it. */
static gboolean was_taken_in(const endpoint *sender, const recent_segment *candidate, gint64 delay)
{
    if (candidate->end != candidate->sequence && !candidate->was_old && !candidate->is_keepalive && sender->has_acknowledged &&
        !sequence_after(candidate->end, sender->acknowledged) && (candidate->flags & RSTCAUSE_SYN) == 0)
        return TRUE;
    /* S went on to speak after it must have had the segment. */
    return sender->last_frame > candidate->frame && delay >= 0 && sender->fin_frame != sender->last_frame &&
           sender->last_time - candidate->time > latest_usual_answer(delay);
}

/* A later segment, from before 'latest', is the same sent again: the earlier one got no answer. */
static gboolean was_repeated(const recent_segments *recent, guint age, gint64 latest)
{
    const recent_segment *candidate = recent_at(recent, age);

    for (guint later = 0; later < age; later++) {
        const recent_segment *other = recent_at(recent, later);

        if (other->time <= latest && (other->flags & RSTCAUSE_RST) == 0 && other->sequence == candidate->sequence &&
            other->end == candidate->end && other->end != other->sequence)
            return TRUE;
    }
    return FALSE;
}

trigger_found trigger_find(const connection *c, guint8 side, const rstcause_segment *reset)
{
    const endpoint *sender = &c->ends[side];
    const recent_segments *recent = &c->ends[!side].recent;
    gint64 delay = sender->answer_delay;
    gint64 usual = delay >= 0 ? latest_usual_answer(delay) : 10 * MILLISECOND;
    recent_segment *newest = NULL, *oldest_usual = NULL, *too_young = NULL;
    recent_segment *candidate;

    for (guint age = 0; (candidate = recent_at(recent, age)) != NULL; age++) {
        gint64 since = reset->time - candidate->time;

        if (candidate->frame <= c->last_answered_frame[side])
            break;
        if (candidate->was_answered || (candidate->flags & RSTCAUSE_RST) != 0 || !numbers_fit(reset, sender, candidate) ||
            was_taken_in(sender, candidate, delay))
            continue;
        if (delay > 0 && since < earliest_answer(delay)) {
            too_young = candidate;
            continue;
        }
        if (was_repeated(recent, age, reset->time - (delay > 0 ? earliest_answer(delay) : 0)))
            continue;
        if (newest == NULL) {
            newest = candidate;
            /* With nothing known of the path, the answer's age sets the scale for its neighbours. */
            if (delay < 0)
                usual = MAX(usual, since + 10 * MILLISECOND);
        }
        if (since <= usual)
            oldest_usual = candidate;
    }
    if (oldest_usual != NULL)
        return (trigger_found) { oldest_usual, TRUE };
    if (newest != NULL)
        return (trigger_found) { newest, delay < 0 ? reset->time - newest->time <= longest_delay
                                                   : reset->time - newest->time <= usual + 250 * MILLISECOND };
    return (trigger_found) { too_young, FALSE };
}
