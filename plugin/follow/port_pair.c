/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See port_pair.h. Knows no connection. */
#include "port_pair.h"

#include <string.h>

#include "siphash.h"

static const siphash_key *key_of_this_run(void)
{
    static siphash_key key;
    static gsize is_drawn;

    if (g_once_init_enter(&is_drawn)) {
        key.low = (uint64_t)g_random_int() << 32 | g_random_int();
        key.high = (uint64_t)g_random_int() << 32 | g_random_int();
        g_once_init_leave(&is_drawn, 1);
    }
    return &key;
}

port_pair port_pair_of(const rstcause_segment *segment, uint8_t side)
{
    port_pair pair = {0};

    pair.addresses[side] = &segment->source;
    pair.addresses[!side] = &segment->destination;
    pair.ports[side] = segment->source_port;
    pair.ports[!side] = segment->destination_port;
    return pair;
}

/* Appends an address, with its length, so that no two lists of addresses give the same bytes. */
static size_t append(uint8_t *message, size_t used, const rstcause_address *address)
{
    size_t length = MIN(address->length, sizeof address->bytes);

    message[used++] = address->length;
    memcpy(message + used, address->bytes, length);
    return used + length;
}

unsigned port_pair_hash(gconstpointer key)
{
    const port_pair *pair = key;
    uint8_t message[sizeof pair->ports + sizeof pair->vantage + 2 * sizeof(rstcause_address)];
    size_t used = sizeof pair->ports + sizeof pair->vantage;

    memcpy(message, pair->ports, sizeof pair->ports);
    memcpy(message + sizeof pair->ports, &pair->vantage, sizeof pair->vantage);
    used = append(message, used, pair->addresses[0]);
    used = append(message, used, pair->addresses[1]);
    return (unsigned)siphash(key_of_this_run(), message, used);
}

gboolean port_pair_equal(gconstpointer a, gconstpointer b)
{
    const port_pair *one = a, *other = b;

    return one->ports[0] == other->ports[0] && one->ports[1] == other->ports[1] && one->vantage == other->vantage &&
           address_equal(one->addresses[0], other->addresses[0]) &&
           address_equal(one->addresses[1], other->addresses[1]);
}

unsigned address_hash(gconstpointer key)
{
    uint8_t message[sizeof(rstcause_address)];

    return (unsigned)siphash(key_of_this_run(), message, append(message, 0, key));
}

gboolean address_equal(gconstpointer one, gconstpointer other)
{
    return memcmp(one, other, sizeof(rstcause_address)) == 0;
}
