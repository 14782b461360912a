/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two ends of a connection, captured at once. See ends.h. */
#include "ends.h"

/* So many of S's segments at both ends show that both see the same S. */
static const uint32_t enough_seen = 2;

/* The same host answers in so much less of the time at its own end. */
static const int64_t much_quicker = 2;

/* A hop takes one off the TTL; on one link S's own end is where its answers come without the path's delay. */
ends_order ends_compare(const reset_facts *f, const connection *there)
{
    const endpoint *here = f->sender, *other = &there->ends[f->side];

    if (here->frames == 0 || other->frames == 0)
        return ENDS_UNDECIDED;
    if (other->ttl_low > here->ttl_high)
        return ENDS_THERE_IS_SENDERS;
    if (other->ttl_high < here->ttl_low)
        return ENDS_HERE_IS_SENDERS;
    if (here->answer_delay < 0 || other->answer_delay < 0)
        return ENDS_UNDECIDED;
    if (other->answer_delay * much_quicker < here->answer_delay)
        return ENDS_THERE_IS_SENDERS;
    return here->answer_delay * much_quicker < other->answer_delay ? ENDS_HERE_IS_SENDERS : ENDS_UNDECIDED;
}

bool ends_prove_absence(const reset_facts *f, const connection *there)
{
    const endpoint *s = &there->ends[f->side], *p = &there->ends[!f->side];

    return !there->is_incomplete && !f->connection.is_incomplete && f->sender->frames >= enough_seen &&
           s->frames >= f->sender->frames && p->frames >= f->receiver->frames && p->frames > 0;
}
