/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several places of one capture. See ends.h. */
#include "ends.h"

#include "follow/vantages.h"

/* Fewer segments of S than this do not show that both places see the same host. */
static const uint32_t enough_seen = 2;

/* At the sender's own end its answers take less than the path's delay: at most this fraction (one half) of what they take
 * at the other place. */
static const int64_t much_quicker = 2;

typedef enum { ORDER_UNDECIDED, THERE_IS_NEARER, HERE_IS_NEARER } vantages_order;

/* Each hop decrements the TTL. Where the TTLs are equal, S answers faster at the place that is nearer to it. */
static vantages_order find_order(const reset_facts *f, const connection *there)
{
    const endpoint *here = f->sender, *other = &there->ends[f->side];

    if (here->frames == 0 || other->frames == 0)
        return ORDER_UNDECIDED;
    if (other->ttl_low > here->ttl_high)
        return THERE_IS_NEARER;
    if (other->ttl_high < here->ttl_low)
        return HERE_IS_NEARER;
    if (here->answer_delay < 0 || other->answer_delay < 0)
        return ORDER_UNDECIDED;
    if (other->answer_delay * much_quicker < here->answer_delay)
        return THERE_IS_NEARER;
    return here->answer_delay * much_quicker < other->answer_delay ? HERE_IS_NEARER : ORDER_UNDECIDED;
}

/* No hop has taken anything off it: the TTLs that stacks begin with. */
static bool is_unrouted(uint8_t ttl)
{
    return ttl == 32 || ttl == 64 || ttl == 128 || ttl == 255;
}

bool ends_show_presence(const reset_facts *f, const connection *there)
{
    return is_unrouted(f->reset.ttl) && is_unrouted(f->sender->ttl_low) && is_unrouted(f->sender->ttl_high) &&
           find_order(f, there) == HERE_IS_NEARER;
}

/* The port pair may have been used again since. */
static bool is_same_connection(const reset_facts *f, const connection *there)
{
    for (unsigned side = 0; side < 2; side++) {
        const endpoint *here = &f->connection.ends[side], *other = &there->ends[side];

        if (here->syn_frame != 0 && other->syn_frame != 0 && here->isn != other->isn)
            return false;
    }
    return true;
}

bool ends_show_absence(const reset_facts *f, const connection *there, int64_t latest_time)
{
    const endpoint *s = &there->ends[f->side], *p = &there->ends[!f->side];

    return is_same_connection(f, there) && find_order(f, there) == THERE_IS_NEARER && !there->is_incomplete &&
           !f->connection.is_incomplete && f->sender->frames >= enough_seen && s->frames >= f->sender->frames &&
           p->frames >= f->receiver->frames && p->frames > 0 && latest_time >= f->reset.time - vantages_clocks_apart;
}

/*
 * Not later than this, by the clock there, S would have sent it: that clock is ahead of the one here by no more than any
 * segment of P seems to take from here to there.
 */
static int64_t find_time_there(const reset_facts *f, const connection *there)
{
    const endpoint *p = &there->ends[!f->side];
    bool has_both = p->syn_frame != 0 && f->receiver->syn_frame != 0 && p->isn == f->receiver->isn &&
                    p->syn_count == 1 && f->receiver->syn_count == 1;

    return f->reset.time + (has_both ? p->syn_time - f->receiver->syn_time : vantages_clocks_apart);
}

uint32_t ends_find_later(const reset_facts *f, const connection *there, uint32_t latest_frame, int64_t latest_time)
{
    const endpoint *s = &there->ends[f->side], *p = &there->ends[!f->side];

    /* What P had not received, or had not sent yet, when the reset came to it. */
    if (there->last_frame > f->reset.frame && (s->frames > f->sender->frames || p->frames > f->receiver->frames))
        return there->last_frame;
    return latest_time > find_time_there(f, there) ? latest_frame : 0;
}
