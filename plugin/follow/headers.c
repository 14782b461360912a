/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the headers of one segment among bytes. Knows formats only, no connections; see rstcause/headers.h. */
#include "rstcause/headers.h"

#include <string.h>

/* IP protocol numbers (IANA). */
enum {
    HOP_BY_HOP = 0,
    TCP = 6,
    ROUTING = 43,
    FRAGMENT = 44,
    ESP = 50,
    AH = 51,
    DESTINATION_OPTIONS = 60,
    IPCOMP = 108,
    MOBILITY = 135,
    HIP = 139,
    SHIM6 = 140
};

enum { IPV4_HEADER = 20, IPV6_HEADER = 40, EXTENSION = 8, TCP_TO_FLAGS = 14, TCP_PORTS = 4, ESP_HEADER = 8 };

/* More extension headers than any packet has; a chain of thousands is crafted. */
enum { MOST_EXTENSIONS = 16 };

typedef struct {
    size_t length; /* of all network headers; behind them stands what they carry */
    size_t end;    /* behind the packet, 0 where it does not say */
    uint8_t carried;
    bool is_first_fragment, is_later_fragment;
    bool is_routed; /* on its way: another destination than the last may stand in the header */
} network_header;

static uint16_t read_16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* RFC 8200 section 4, RFC 4302 section 2. They stand behind IPv4, too. False where the bytes end inside of them. */
static bool skip_extensions(network_header *header, const uint8_t *bytes, size_t captured)
{
    for (unsigned i = 0; i < MOST_EXTENSIONS && !header->is_later_fragment; i++) {
        const uint8_t *extension = bytes + header->length;
        size_t length = EXTENSION;

        switch (header->carried) {
        case HOP_BY_HOP:
        case ROUTING:
        case DESTINATION_OPTIONS:
        case MOBILITY:
        case HIP:
        case SHIM6:
        case FRAGMENT:
        case AH:
            break;
        default:
            return true;
        }
        if (captured < header->length + EXTENSION)
            return false;
        if (header->carried == AH) {
            length = ((size_t)extension[1] + 2) * 4;
        } else if (header->carried == FRAGMENT) {
            header->is_later_fragment = read_16(extension + 2) >> 3 != 0;
            header->is_first_fragment = !header->is_later_fragment && (extension[3] & 1) != 0;
        } else {
            header->is_routed |= header->carried == ROUTING;
            length = ((size_t)extension[1] + 1) * 8;
        }
        if (captured < header->length + length)
            return false;
        header->carried = extension[0];
        header->length += length;
    }
    return true;
}

/* False where the bytes are no IP header, or end inside of it, or its lengths contradict each other. */
static bool read_network(network_header *header, const uint8_t *bytes, size_t captured)
{
    *header = (network_header){0};
    if (captured >= IPV4_HEADER && bytes[0] >> 4 == 4) {
        uint16_t fragment = read_16(bytes + 6);

        header->length = (size_t)(bytes[0] & 0xf) * 4;
        header->end = read_16(bytes + 2);
        header->carried = bytes[9];
        header->is_later_fragment = (fragment & 0x1fff) != 0;
        header->is_first_fragment = !header->is_later_fragment && (fragment & 0x2000) != 0;
        header->is_routed = header->length > IPV4_HEADER; /* the options may name a source route */
        if (header->length < IPV4_HEADER || captured < header->length)
            return false;
    } else if (captured >= IPV6_HEADER && bytes[0] >> 4 == 6) {
        uint16_t payload = read_16(bytes + 4);

        header->length = IPV6_HEADER;
        header->end = payload != 0 ? (size_t)payload + IPV6_HEADER : 0;
        header->carried = bytes[6];
    } else {
        return false;
    }
    return skip_extensions(header, bytes, captured) && (header->end == 0 || header->end >= header->length);
}

static bool agrees_in_source(const uint8_t *bytes, const rstcause_wanted *wanted)
{
    uint8_t length = wanted->address_length;
    const uint8_t *source = bytes + (length == 4 ? 12 : 8);

    return length == 0 || (bytes[0] >> 4 == (length == 4 ? 4 : 6) && memcmp(source, wanted->source, length) == 0);
}

/* The destination may be another one where the packet is still to be routed to the one that is wanted. */
static bool agrees_in_destination(const uint8_t *bytes, const rstcause_wanted *wanted, const network_header *header)
{
    uint8_t length = wanted->address_length;

    return length == 0 || header->is_routed ||
           memcmp(bytes + (length == 4 ? 16 : 24), wanted->destination, length) == 0;
}

static bool agrees_in_ports(const uint8_t *tcp, const rstcause_wanted *wanted)
{
    return read_16(tcp) == wanted->source_port && read_16(tcp + 2) == wanted->destination_port;
}

bool rstcause_headers_are_at(rstcause_headers *found, const uint8_t *bytes, size_t captured, size_t at,
                             const rstcause_wanted *wanted)
{
    network_header header;
    const uint8_t *network = bytes + at;

    if (captured < at || captured - at < IPV4_HEADER + TCP_TO_FLAGS)
        return false;
    captured -= at;
    /* Shortest first: most places are none. */
    if ((network[0] >> 4 == 6 && captured < IPV6_HEADER) || !agrees_in_source(network, wanted) ||
        !read_network(&header, network, captured) || !agrees_in_destination(network, wanted, &header))
        return false;
    /* With a null cipher (RFC 2410) TCP stands in the clear. */
    if (header.carried == ESP)
        header.length += ESP_HEADER;
    else if (header.carried != TCP)
        return false;
    if (header.is_later_fragment || captured < header.length + TCP_TO_FLAGS ||
        (header.end != 0 && header.end < header.length + TCP_PORTS) ||
        !agrees_in_ports(network + header.length, wanted))
        return false;
    found->network = at;
    found->tcp = at + header.length;
    found->end = header.end != 0 ? at + header.end : 0;
    found->is_fragment = header.is_first_fragment;
    return true;
}

bool rstcause_headers_find(rstcause_headers *found, const uint8_t *bytes, size_t captured, size_t from,
                           const rstcause_wanted *wanted)
{
    for (size_t at = from; at + IPV4_HEADER + TCP_TO_FLAGS <= captured; at++)
        if ((bytes[at] >> 4 == 4 || bytes[at] >> 4 == 6) && rstcause_headers_are_at(found, bytes, captured, at, wanted))
            return true;
    return false;
}

bool rstcause_headers_find_network(size_t *network, uint8_t *carried, const uint8_t *bytes, size_t captured,
                                   const rstcause_wanted *wanted)
{
    for (size_t at = 0; at + IPV4_HEADER <= captured; at++) {
        network_header header;
        bool is_part;

        if ((bytes[at] >> 4 == 6 && captured - at < IPV6_HEADER) || !agrees_in_source(bytes + at, wanted) ||
            !read_network(&header, bytes + at, captured - at) || !agrees_in_destination(bytes + at, wanted, &header))
            continue;
        is_part = header.is_first_fragment || header.is_later_fragment;
        if (!is_part && header.carried != ESP && header.carried != IPCOMP)
            continue;
        *network = at;
        *carried = header.carried;
        return true;
    }
    return false;
}

bool rstcause_headers_find_tcp(size_t *tcp, uint8_t carried, const uint8_t *bytes, size_t captured,
                               const rstcause_wanted *wanted)
{
    /* What was decrypted may begin with the initialisation vector of its cipher. */
    static const size_t vectors[] = {0, 8, 16};
    network_header header = {.carried = carried};
    bool is_in_clear = carried != ESP && carried != IPCOMP;

    if (is_in_clear && (!skip_extensions(&header, bytes, captured) || header.carried != TCP))
        return false;
    for (size_t i = 0; i < (is_in_clear ? 1 : G_N_ELEMENTS(vectors)); i++) {
        *tcp = header.length + vectors[i];
        if (captured >= *tcp + TCP_TO_FLAGS && agrees_in_ports(bytes + *tcp, wanted))
            return true;
    }
    return false;
}
