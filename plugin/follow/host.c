/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the capture shows of one address over all its connections. Knows no cause. */
#include "host.h"

#include "port_pair.h"

/* Option kinds of a SYN, first kind in the lowest four bits, as segment.c packs them. */
#define ORDER(a, b, c, d, e, f)                                                                                        \
    ((uint32_t)(a) | (uint32_t)(b) << 4 | (uint32_t)(c) << 8 | (uint32_t)(d) << 12 | (uint32_t)(e) << 16 |             \
     (uint32_t)(f) << 20)

/*
 * The order in which a stack writes the options of its SYN is its handwriting. Linux: tcp_options_write() in
 * net/ipv4/tcp_output.c, measured with every combination of timestamps, scaling and SACK; Windows and Darwin: the
 * signatures of p0f 3, observed in public captures. What follows (fast open, MPTCP, end) does not count.
 * 1 no-operation, 2 MSS, 3 window scale, 4 SACK permitted, 8 timestamps.
 */
static const struct {
    uint32_t order;
    uint8_t kinds;
    uint8_t lowest_ttl, highest_ttl; /* as received: where it is Windows' or Linux' is told by where the TTL began */
    host_stack stack;
} handwriting[] = {
    {ORDER(2, 4, 8, 1, 3, 0), 5, 1, 255, STACK_LINUX},    {ORDER(2, 4, 8, 0, 0, 0), 3, 1, 255, STACK_LINUX},
    {ORDER(2, 1, 3, 1, 1, 8), 6, 1, 255, STACK_DARWIN},   {ORDER(2, 1, 3, 1, 1, 4), 6, 1, 255, STACK_WINDOWS},
    {ORDER(2, 1, 1, 4, 1, 3), 6, 1, 255, STACK_LINUX},    {ORDER(2, 1, 1, 8, 1, 3), 6, 1, 255, STACK_LINUX},
    {ORDER(2, 1, 3, 4, 8, 0), 5, 65, 128, STACK_WINDOWS}, {ORDER(2, 1, 1, 4, 0, 0), 4, 65, 128, STACK_WINDOWS},
    {ORDER(2, 1, 1, 4, 0, 0), 4, 1, 64, STACK_LINUX},     {ORDER(2, 1, 1, 8, 0, 0), 4, 1, 64, STACK_LINUX},
    {ORDER(2, 1, 3, 0, 0, 0), 3, 1, 64, STACK_LINUX},     {ORDER(2, 1, 3, 0, 0, 0), 3, 65, 128, STACK_WINDOWS},
};

/* With all options off, Linux is told by its window of 10 segments and more, rounded down to whole ones
 * (tcp_select_initial_window() in net/ipv4/tcp_output.c; p0f 3: "mss*10", "mss*20", "mss*44"). */
static bool has_window_of_linux(const rstcause_segment *segment)
{
    const uint16_t kind_of_mss = 2, fewest_segments = 10, initial_ttl = 64;

    return segment->option_order == kind_of_mss && segment->mss > 0 && segment->window % segment->mss == 0 &&
           segment->window / segment->mss >= fewest_segments && segment->ttl <= initial_ttl;
}

host_stack host_stack_of_options(const rstcause_segment *segment)
{
    if (has_window_of_linux(segment))
        return STACK_LINUX;
    for (size_t i = 0; i < G_N_ELEMENTS(handwriting); i++) {
        uint32_t mask = ((uint32_t)1 << (4 * handwriting[i].kinds)) - 1;

        if ((segment->option_order & mask) == handwriting[i].order && segment->ttl >= handwriting[i].lowest_ttl &&
            segment->ttl <= handwriting[i].highest_ttl)
            return handwriting[i].stack;
    }
    return segment->ttl > 64 && segment->ttl <= 128 ? STACK_WINDOWS : STACK_UNKNOWN;
}

host_resets *host_resets_find(const record_pool *pool, const host *resetter)
{
    return resetter->resets != 0 ? pool_at(pool, resetter->resets) : NULL;
}

host_resets *host_resets_make(record_pool *pool, host *resetter)
{
    if (resetter->resets == 0)
        resetter->resets = pool_take(pool, sizeof(host_resets));
    return pool_at(pool, resetter->resets);
}

void host_learn(host *learner, const rstcause_segment *segment)
{
    if ((segment->flags & RSTCAUSE_SYN) != 0 && learner->stack == STACK_UNKNOWN)
        learner->stack = (uint8_t)host_stack_of_options(segment);
    if (learner->ttl_seen > 0 && segment->ttl != learner->ttl)
        learner->ttl_varies = true;
    learner->ttl = segment->ttl;
    learner->ttl_seen++;
}

void host_count_probe(host *learner, const rstcause_segment *segment)
{
    /* Two targets in a row with one hash are taken for one: once in 2^32. */
    uint32_t target = address_hash(&segment->destination) + segment->destination_port;

    if (learner->last_target == target)
        return;
    learner->last_target = target;
    learner->probes++;
}

void host_discount_probe(host *learner)
{
    if (learner->probes > 0)
        learner->probes--;
}
