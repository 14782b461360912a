/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the headers of a segment among the bytes of a frame, by what is known of it. So whoever feeds the engine need not
 * know how the packet is carried: in Ethernet, in tunnels, in what was decrypted or put together from fragments.
 *
 * Taken is what agrees in all: version, lengths, protocol, addresses and ports.
 */
#ifndef RSTCAUSE_HEADERS_H
#define RSTCAUSE_HEADERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    const uint8_t *source, *destination; /* addresses; borrowed */
    uint8_t address_length;              /* 4 or 16; 0 where the addresses are not known, and any will do */
    uint16_t source_port, destination_port;
} rstcause_wanted;

/* Distances in bytes from the first byte of the buffer. */
typedef struct {
    size_t network; /* the IP header */
    size_t tcp;
    size_t end;       /* behind the packet, by the length in the IP header; 0 where it does not say (TSO) */
    bool is_fragment; /* a first fragment: 'end' is its own */
} rstcause_headers;

/* Whether the wanted segment's headers begin at 'at', which may lie behind the end; fills 'found' where they do, and leaves
 * it as it was where not. */
bool rstcause_headers_are_at(rstcause_headers *found, const uint8_t *bytes, size_t captured, size_t at,
                             const rstcause_wanted *wanted);

/* The first ones at 'from' or later. O(captured). */
bool rstcause_headers_find(rstcause_headers *found, const uint8_t *bytes, size_t captured, size_t from,
                           const rstcause_wanted *wanted);

/*
 * The IP header of a wanted segment whose TCP header stands in another buffer: that of the last fragment, or of a packet
 * that is encrypted or compressed. Sets what it carries there (an IP protocol number). Ports are not looked at.
 */
bool rstcause_headers_find_network(size_t *network, uint8_t *carried, const uint8_t *bytes, size_t captured,
                                   const rstcause_wanted *wanted);

/* Whether the wanted ports stand in the other buffer, behind what headers it begins with; sets where. 'tcp' is undefined
 * where they do not. */
bool rstcause_headers_find_tcp(size_t *tcp, uint8_t carried, const uint8_t *bytes, size_t captured,
                               const rstcause_wanted *wanted);

G_END_DECLS

#endif
