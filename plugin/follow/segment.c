/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the network and TCP header of one segment. Knows formats only, no connections.
 */
#include "rstcause/segment.h"

#include <string.h>

#ifdef G_OS_WIN32
#include <ws2tcpip.h>
#else
#include <arpa/inet.h>
#endif

/* Kinds of TCP options: RFC 9293 section 3.2, RFC 7323, RFC 2018. */
enum {
    OPTION_END = 0,
    OPTION_NOP = 1,
    OPTION_MSS = 2,
    OPTION_WINDOW_SCALE = 3,
    OPTION_SACK_PERMITTED = 4,
    OPTION_TIMESTAMPS = 8,
    OPTION_MPTCP = 30
};

enum { MPTCP_FASTCLOSE = 7, MP_FASTCLOSE_LENGTH = 12 }; /* RFC 8684 section 3.5 */

enum { IPV4_HEADER = 20, IPV6_HEADER = 40, TCP_HEADER = 20, TCP_HEADER_TO_FLAGS = 14 };

static uint16_t read_16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t read_32(const uint8_t *bytes)
{
    return (uint32_t)read_16(bytes) << 16 | read_16(bytes + 2);
}

static void read_addresses(rstcause_segment *segment, const uint8_t *source, uint8_t length)
{
    segment->source.length = segment->destination.length = length;
    memcpy(segment->source.bytes, source, length);
    memcpy(segment->destination.bytes, source + length, length);
}

bool rstcause_segment_read_network(rstcause_segment *segment, const uint8_t *header, size_t captured, size_t to_tcp)
{
    size_t total = 0;

    if (captured >= IPV4_HEADER && header[0] >> 4 == 4) {
        total = read_16(header + 2);
        segment->has_ip_id = true;
        segment->ip_id = read_16(header + 4);
        segment->has_df = (read_16(header + 6) & 0x3fff) == 0; /* no fragment: RFC 791 section 3.1 */
        segment->dont_fragment = (header[6] & 0x40) != 0;
        segment->ttl = header[8];
        read_addresses(segment, header + 12, 4);
    } else if (captured >= IPV6_HEADER && header[0] >> 4 == 6) {
        uint16_t payload = read_16(header + 4);

        /* Zero: a jumbogram (RFC 2675), or a segment that the sender's card has yet to cut. */
        total = payload != 0 ? (size_t)payload + IPV6_HEADER : 0;
        segment->ttl = header[7];
        segment->flow_label = read_32(header) & 0xfffff;
        read_addresses(segment, header + 8, 16);
    } else {
        return false;
    }
    segment->network_length = total > to_tcp ? (uint32_t)(total - to_tcp) : 0;
    return true;
}

/* A length that lies ends the walk: what was read before it stays. */
static void read_options(rstcause_segment *segment)
{
    const uint8_t *option = segment->options;
    size_t left = segment->options_length;
    unsigned seen = 0;

    /* Options fill whole words (RFC 9293 section 3.1); one that the capture cuts off tells nothing. */
    for (size_t i = 0; i + sizeof(uint32_t) <= left; i += sizeof(uint32_t))
        segment->options_digest = segment->options_digest * 33 + read_32(option + i);
    while (left > 0) {
        uint8_t kind = option[0];
        size_t length = 1;

        if (kind != OPTION_END && kind != OPTION_NOP) {
            if (left < 2 || option[1] < 2 || option[1] > left)
                return;
            length = option[1];
        }
        if (seen < 8)
            segment->option_order |= (uint32_t)MIN(kind, 15) << (4 * seen++);
        if (kind == OPTION_END)
            return;
        if (kind == OPTION_WINDOW_SCALE && length == 3) {
            segment->window_shift = (int8_t)MIN(option[2], 14); /* RFC 7323 section 2.3 */
        } else if (kind == OPTION_MSS && length == 4) {
            segment->mss = read_16(option + 2);
        } else if (kind == OPTION_SACK_PERMITTED) {
            segment->sack_permitted = true;
        } else if (kind == OPTION_TIMESTAMPS && length == 10) {
            segment->has_timestamps = true;
            segment->timestamp_value = read_32(option + 2);
            segment->timestamp_echo = read_32(option + 6);
        } else if (kind == OPTION_MPTCP && length == MP_FASTCLOSE_LENGTH) {
            segment->has_fastclose |= option[2] >> 4 == MPTCP_FASTCLOSE;
        }
        option += length;
        left -= length;
    }
}

bool rstcause_segment_read_tcp(rstcause_segment *segment, const uint8_t *header, size_t captured, size_t reported)
{
    size_t header_length;
    size_t total = segment->network_length != 0 ? segment->network_length : reported;

    if (captured < TCP_HEADER_TO_FLAGS)
        return false;
    header_length = (size_t)(header[12] >> 4) * 4;
    if (header_length < TCP_HEADER)
        return false;

    segment->source_port = read_16(header);
    segment->destination_port = read_16(header + 2);
    segment->sequence = read_32(header + 4);
    segment->acknowledgement = read_32(header + 8);
    segment->flags = header[13];
    segment->window_shift = -1;
    segment->length = total > header_length ? (uint32_t)(total - header_length) : 0;
    segment->header_is_cut = captured < header_length;
    if (captured >= TCP_HEADER) {
        segment->window = read_16(header + 14);
        segment->options = header + TCP_HEADER;
        segment->options_length = (uint32_t)(MIN(captured, header_length) - TCP_HEADER);
        read_options(segment);
    }
    if (captured > header_length && segment->length > 0) {
        segment->payload = header + header_length;
        segment->payload_captured = (uint32_t)MIN(captured - header_length, segment->length);
        segment->said = rstcause_first_bytes_read(segment->payload, segment->payload_captured, segment->source_port);
    }
    return true;
}

uint32_t rstcause_segment_span(const rstcause_segment *segment)
{
    return segment->length + ((segment->flags & RSTCAUSE_SYN) != 0) + ((segment->flags & RSTCAUSE_FIN) != 0);
}

const char *rstcause_address_text(const rstcause_address *address, char text[RSTCAUSE_ADDRESS_TEXT])
{
    if (address->length == 0 ||
        inet_ntop(address->length == 4 ? AF_INET : AF_INET6, address->bytes, text, RSTCAUSE_ADDRESS_TEXT) == NULL)
        g_strlcpy(text, "?", RSTCAUSE_ADDRESS_TEXT);
    return text;
}
