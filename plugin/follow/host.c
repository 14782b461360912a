/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the capture shows of one address over all its connections. Knows no cause. */
#include "host.h"

#include <string.h>

void host_learn(host *learner, const rstcause_segment *segment)
{
    if ((segment->flags & RSTCAUSE_SYN) != 0 && learner->stack == STACK_UNKNOWN)
        learner->stack = stack_of_syn(segment);
    if (learner->ttl_seen > 0 && segment->ttl != learner->ttl)
        learner->ttl_varies = true;
    learner->ttl = segment->ttl;
    learner->ttl_seen++;
}

void host_count_probe(host *learner, const rstcause_segment *segment)
{
    if (learner->last_target_port == segment->destination_port &&
        memcmp(&learner->last_target, &segment->destination, sizeof learner->last_target) == 0)
        return;
    learner->last_target = segment->destination;
    learner->last_target_port = segment->destination_port;
    learner->probes++;
}

void host_discount_probe(host *learner)
{
    if (learner->probes > 0)
        learner->probes--;
}
