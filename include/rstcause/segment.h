/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One TCP segment as the capture shows it: what the engine takes in.
 *
 * Whoever feeds the engine finds the bytes of the network and the TCP header; reading them is done here, so
 * that the engine can be tested without Wireshark and needs no field of Wireshark's for each of its facts.
 */
#ifndef RSTCAUSE_SEGMENT_H
#define RSTCAUSE_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "first_bytes.h"

G_BEGIN_DECLS

/* TCP control bits, RFC 9293 section 3.1. A segment's 'flags' hold ECE and CWR (RFC 3168) besides. */
enum {
    RSTCAUSE_FIN = 0x01,
    RSTCAUSE_SYN = 0x02,
    RSTCAUSE_RST = 0x04,
    RSTCAUSE_PSH = 0x08,
    RSTCAUSE_ACK = 0x10,
    RSTCAUSE_URG = 0x20
};

/* An IPv4 address in the first 4 bytes (the rest zero) or an IPv6 address. */
typedef struct {
    uint8_t bytes[16];
    uint8_t length; /* 4 or 16; 0 where the segment did not come in IP */
} rstcause_address;

enum { RSTCAUSE_ADDRESS_TEXT = 46 }; /* bytes that the longest takes as text, with its end */

/* Writes the address as RFC 5952 has it; "?" where it has no length. Returns 'text'. */
const char *rstcause_address_text(const rstcause_address *address, char text[RSTCAUSE_ADDRESS_TEXT]);

/* To be set to zero before it is filled. */
typedef struct {
    /* Where it stands in the capture; set by the caller. */
    uint32_t frame;             /* frame number, 1 and up */
    uint8_t layer;              /* 0 for the first TCP header of the frame, 1 for the next (tunnels) */
    uint32_t capture_interface; /* any number for each, 0 where the file names none */
    int64_t time;               /* nanoseconds since the epoch, 0 to 2^62; may go backwards in a merged capture */

    /* The network header; filled by rstcause_segment_read_network(). */
    rstcause_address source, destination;
    uint8_t ttl; /* TTL or hop limit; 0 where unknown */
    bool has_ip_id;
    uint16_t ip_id;          /* IPv4 only */
    bool has_df;             /* IPv4 and not a fragment: DF of a fragment tells nothing of its sender */
    bool dont_fragment;      /* DF; as on the wire, also where has_df is not set */
    uint32_t flow_label;     /* IPv6 only, 20 bits */
    uint32_t network_length; /* bytes of TCP header and payload by the IP header; 0 where it does not say (TSO) */

    /* The TCP header; filled by rstcause_segment_read_tcp(). */
    uint16_t source_port, destination_port;
    uint32_t sequence;
    uint32_t acknowledgement; /* as on the wire, also where the ACK flag is not set */
    uint8_t flags;
    uint16_t mss;        /* maximum segment size option, 0 where absent */
    uint16_t window;     /* as on the wire, not scaled */
    uint32_t length;     /* payload in bytes, without Ethernet padding */
    int8_t window_shift; /* window scale option, -1 where absent */
    bool has_timestamps;
    uint32_t timestamp_value, timestamp_echo;
    bool sack_permitted;
    bool has_fastclose;      /* MPTCP's MP_FASTCLOSE (RFC 8684 section 3.5) */
    uint32_t options_digest; /* of all option bytes, to tell a copy from a like one */
    uint32_t option_order;   /* the first eight option kinds, four bits each, first kind lowest, kinds above 15 as 15: a
                              stack's fingerprint */
    bool header_is_cut;      /* the capture ends inside the TCP header */
    rstcause_first_bytes said; /* of the payload; to be set by a caller who passes no payload */

    /* Borrowed from the caller, valid during the call only; NULL where the capture does not hold them. */
    const uint8_t *options;
    uint32_t options_length;
    const uint8_t *payload;
    uint32_t payload_captured; /* bytes of payload that the capture holds, at most length */
    const char *device_note;   /* what the capturing device itself noted as the cause of this reset (F5 trailer); ends
                                  with NUL, any bytes else */
} rstcause_segment;

/*
 * Reads the fixed part of an IPv4 or IPv6 header (extension headers are the caller's to skip). 'to_tcp' is the
 * distance in bytes from its first byte to the TCP header. Returns false and leaves the segment without
 * addresses where the bytes are neither, or too few.
 */
bool rstcause_segment_read_network(rstcause_segment *segment, const uint8_t *header, size_t captured, size_t to_tcp);

/*
 * Reads a TCP header of which 'captured' bytes are there. 'reported' is the length of header and payload on the
 * wire as the capture file says it; segment->network_length overrules it where set, since a frame may be padded. Options
 * and payload of the segment then point into 'header'.
 * Returns false where not even the flags are there (fewer than 14 bytes) or the data offset is below 5.
 */
bool rstcause_segment_read_tcp(rstcause_segment *segment, const uint8_t *header, size_t captured, size_t reported);

/* The sequence space that the segment takes: payload, and one each for SYN and FIN (RFC 9293 section 3.4). */
uint32_t rstcause_segment_span(const rstcause_segment *segment);

G_END_DECLS

#endif
