/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the capture shows of one address over all its connections. Knows no cause. */
#include "host.h"

#include <string.h>

#include "port_pair.h"

void host_learn(host *learner, const rstcause_segment *segment)
{
    if ((segment->flags & RSTCAUSE_SYN) != 0 && learner->stack == STACK_UNKNOWN)
        learner->stack = (uint8_t)stack_of_syn(segment);
    if (learner->ttl_seen > 0 && segment->ttl != learner->ttl)
        learner->ttl_varies = true;
    learner->ttl = segment->ttl;
    learner->ttl_seen++;
}

void host_count_probe(host *learner, const rstcause_segment *segment)
{
    /* Two of the last targets with one hash are taken for one: once in 2^32. */
    uint32_t target = address_hash(&segment->destination) + segment->destination_port;

    for (unsigned i = 0; i < LAST_TARGETS; i++) {
        if (learner->last_targets[i] == target)
            return;
    }
    memmove(learner->last_targets + 1, learner->last_targets, (LAST_TARGETS - 1) * sizeof target);
    learner->last_targets[0] = target;
    learner->probes++;
}

void host_discount_probe(host *learner)
{
    if (learner->probes > 0)
        learner->probes--;
}
