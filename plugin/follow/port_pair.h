/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two addresses and ports that name a connection, and how tables find addresses and pairs. The hashes have a key
 * that is drawn once for each run, so that nobody can choose addresses that collide.
 */
#ifndef RSTCAUSE_PORT_PAIR_H
#define RSTCAUSE_PORT_PAIR_H

#include "rstcause/segment.h"

/* The addresses are borrowed: from the hosts, or from a segment while a pair is looked up. */
typedef struct {
    const rstcause_address *addresses[2]; /* [0] is the lower of address and port */
    uint16_t ports[2];
    uint32_t vantage; /* of captures merged from several places, which one; 0 else */
} port_pair;

/* 'side' is the one that sent the segment; see connection_side(). */
port_pair port_pair_of(const rstcause_segment *segment, uint8_t side);

/* For a GHashTable of port_pair. */
unsigned port_pair_hash(gconstpointer pair);
gboolean port_pair_equal(gconstpointer one, gconstpointer other);

/* For a GHashTable of rstcause_address. */
unsigned address_hash(gconstpointer address);
gboolean address_equal(gconstpointer one, gconstpointer other);

#endif
