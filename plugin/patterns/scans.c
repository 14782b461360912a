/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells a scan by its targets. See scans.h. */
#include "scans.h"

#include "follow/port_pair.h"
#include "follow/units.h"

/*
 * So many different targets within so long a time. Who looks for a service tries a handful of addresses (RFC 8305); file
 * sharing asks many hosts, but each for a port of its own and in networks of their own.
 */
static const unsigned least_targets = 10;
static const int64_t look_back = 60 * SECOND;

static uint32_t hash_host(const rstcause_address *address)
{
    return address_hash(address) | 1; /* 0 is nobody */
}

/* Its /24, or its /64 (RFC 4291 section 2.5.4). */
static uint32_t hash_network(const rstcause_address *address)
{
    rstcause_address network = {.length = address->length};

    memcpy(network.bytes, address->bytes, address->length == 4 ? 3 : 8);
    return address_hash(&network) | 1;
}

static bool is_same(const scan_target *one, const scan_target *other)
{
    return one->host == other->host && one->port == other->port;
}

static bool belongs(const scan *to, const scan_target *target)
{
    if (to->host != 0)
        return target->host == to->host;
    return target->port == to->port && (to->network == 0 || target->network == to->network);
}

/* How many of the latest targets belong to what would be this scan, and since when. */
static unsigned count_targets(const asking_host *asking, const scan *to, int64_t time, int64_t *first)
{
    unsigned count = 0, kept = MIN(asking->target_count, MOST_TARGETS);

    for (unsigned i = 0; i < kept; i++) {
        const scan_target *target = &asking->targets[i];

        if (!belongs(to, target) || time_between(time, target->time) > look_back)
            continue;
        *first = count == 0 ? target->time : MIN(*first, target->time);
        count++;
    }
    return count;
}

static scan *find_running(asking_host *asking, const scan *like, int64_t time)
{
    for (unsigned i = 0; i < asking->scans_used; i++) {
        scan *one = &asking->scans[i];

        if (one->host == like->host && one->network == like->network && one->port == like->port &&
            time <= one->last + look_back)
            return one;
    }
    return NULL;
}

static void go_on(asking_host *asking, scan like, int64_t time)
{
    scan *running = find_running(asking, &like, time);
    unsigned count;

    if (running != NULL) {
        running->last = MAX(running->last, time);
        running->targets++;
        return;
    }
    count = count_targets(asking, &like, time, &like.first);
    if (count < least_targets)
        return;
    like.last = time;
    like.targets = count;
    if (asking->scans_used < MOST_SCANS)
        asking->newest = asking->scans_used++;
    else
        asking->newest = (uint8_t)((asking->newest + 1) % MOST_SCANS);
    asking->scans[asking->newest] = like;
}

void scans_add(asking_host *asking, const rstcause_address *address, uint16_t port, int64_t time, bool in_any_network)
{
    const scan_target target = {hash_host(address), in_any_network ? 0 : hash_network(address), port, time};

    for (unsigned i = 0; i < MIN(asking->target_count, MOST_TARGETS); i++) {
        if (is_same(&asking->targets[i], &target)) {
            asking->targets[i].time = time;
            return;
        }
    }
    asking->targets[asking->target_count++ % MOST_TARGETS] = target;
    go_on(asking, (scan){.host = target.host}, time);
    go_on(asking, (scan){.network = target.network, .port = port}, time);
}

const scan *scans_find(const asking_host *asking, const rstcause_address *address, uint16_t port, int64_t time)
{
    const scan_target near = {hash_host(address), hash_network(address), port, time};

    for (unsigned i = 0; i < asking->scans_used; i++) {
        const scan *one = &asking->scans[i];

        if (belongs(one, &near) && time >= one->first && time <= one->last)
            return one;
    }
    return NULL;
}
