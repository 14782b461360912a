/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the capture shows of one address over all its connections. Knows no cause. */
#include "host.h"

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
