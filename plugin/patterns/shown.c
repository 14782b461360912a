/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a row of the table of patterns may require: each is one predicate. S sent the reset, P is its peer. */
#include "patterns.h"

#include "follow/units.h"

/* The shortest round trip that was measured may be shorter than today's, or not measured at all. */
static int64_t round_trip_at_most(int64_t shortest)
{
    return MAX(2 * shortest, 200 * MILLISECOND);
}

/* Every segment acknowledges all that has come (RFC 9293 section 3.4), so what does not acknowledge the FIN left before it
 * came. More than a round trip later the FIN was lost, and the story is another one. */
static bool crossed_the_fin(const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;

    if (!sequence_before(f->trigger.acknowledgement, s->fin_end))
        return false;
    if (f->trigger.frame > s->fin_frame)
        return f->trigger.time - s->fin_time <= round_trip_at_most(p->answer_delay);
    /* It stands before the FIN: the capture was taken nearer to P, and S sent its FIN before it could have it. */
    return s->fin_time - f->trigger.time <= round_trip_at_most(s->answer_delay) &&
           (!s->has_acknowledged || !sequence_after(s->acknowledged, f->trigger.sequence));
}

static bool followed_the_fin(const reset_facts *f)
{
    return f->trigger.frame > f->sender->fin_frame && f->trigger.acknowledgement == f->sender->fin_end;
}

bool shown_holds(shown_requirement wanted, const situation *s)
{
    const reset_facts *f = s->facts;
    const judgement *j = s->judgement;

    switch (wanted) {
    case IS_DATA_AFTER_CLOSE:
        return j->cause == RSTCAUSE_DATA_AFTER_CLOSE;
    case IS_MORE_THAN_POSSIBLE:
        return j->confidence != RSTCAUSE_POSSIBLE;
    case IS_OF_SERVER:
        return !s->sender_is_client;
    case CLOSED_WHILE_IDLE:
        return f->sender_closed && s->idle >= situation_idle_from;
    case ANSWERS_NEW_DATA:
        return f->has_trigger && f->trigger.length > 0 && !f->trigger.is_keepalive && !f->trigger.was_old;
    case CROSSED_THE_FIN:
        return crossed_the_fin(f);
    case FOLLOWED_THE_FIN:
        return followed_the_fin(f);
    case ANSWERS_TLS_GOODBYE:
        return f->trigger_is_goodbye && f->sender_closed;
    default:
        return false;
    }
}
