/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of one packet of a dialogue, in the form of its sender's stack. See dialogue.h for what a record says. */
#ifndef PACKET_H
#define PACKET_H

#include "dialogue.h"

/* One side of a connection, as its packets show it. */
typedef struct {
    dialogue_stack stack;
    uint8_t address[16]; /* of IPv4 the first four bytes */
    uint16_t port;
    uint8_t ttl;
    uint16_t ip_id; /* the next of its counter */
    uint32_t flow_label;
    uint32_t clock; /* what its timestamps are ahead of the capture's milliseconds */
} packet_end;

typedef struct {
    bool is_ipv6;
    uint8_t flags;
    uint32_t sequence, acknowledgement; /* as on the wire */
    uint32_t length;                    /* of the payload; made so long as its words where the record says no length */
    const uint8_t *record;
} packet_plan;

/* Fills in the bytes of a packet whose time is set. */
void packet_make(dialogue_packet *packet, packet_plan *plan, packet_end *from, const packet_end *to);

/* Takes hops from its TTL, where it has that. */
void packet_take_hops(dialogue_packet *packet, uint8_t hops);

#endif
