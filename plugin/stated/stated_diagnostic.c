/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The diagnostic payload of draft-ietf-tcpm-rst-diagnostic-payload in each layout that its versions have had. It
 * must not know of segments, nor how the statement is shown.
 *
 *   8 bytes: 0x33AA, code (16 bits), enterprise number (32 bits)
 *                                       draft-boucadair-…-14 to -17, draft-ietf-… from -00
 *   0xF317, then the description        draft-boucadair-…-14 to -16
 *   CBOR sequence: 12345, {1: code, 2: enterprise number, 3: description}
 *                                       draft-boucadair-…-00 to -12; 12345 stands for an RFC number to come
 */
#include "stated_diagnostic.h"

#include "rstcause/stated.h"
#include "stated_cbor.h"

#define MAGIC_COMPACT     0x33aa
#define MAGIC_DESCRIPTION 0xf317
#define MAGIC_CBOR        12345
#define COMPACT_LENGTH    8
#define LAST_CODE         65535

/* Map keys of the CBOR sequence. */
enum { KEY_CODE = 1, KEY_ENTERPRISE = 2, KEY_DESCRIPTION = 3 };

const uint64_t rstcause_stated_default_magic = MAGIC_COMPACT;

#define NO_CAUSE RSTCAUSE_CAUSES

/*
 * "TCP Failure Causes" as draft-ietf-tcpm-rst-diagnostic-payload-02, section 9.1 fills it. A cause of ours is named
 * only where the description leaves no other: 8 to 14 may come from the host as well as from a NAT, proxy or
 * firewall, before or after the handshake, and 14 covers each of keep-alive, retransmission and idle timers.
 */
static const struct {
    const char *description;
    rstcause_cause cause;
} failures[] = {
    [1] = {"Illegal option length", NO_CAUSE},
    [2] = {"Desynchronized state", RSTCAUSE_HALF_OPEN}, /* RFC 9293 section 3.5.1, half-open connections */
    [3] = {"New data is received after CLOSE is called", RSTCAUSE_DATA_AFTER_CLOSE},
    [4] = {"ABORT process", RSTCAUSE_ABORT},
    [5] = {"Unexpected ACK received by non-synchronized state connection", RSTCAUSE_UNACCEPTABLE_ACK},
    [6] = {"Unexpected SYN in the window", NO_CAUSE},
    [7] = {"Unexpected security compartment", NO_CAUSE},
    [8] = {"Malformed message", NO_CAUSE},
    [9] = {"Not authorized", NO_CAUSE},
    [10] = {"Resource exceeded", NO_CAUSE},
    [11] = {"Network failure", NO_CAUSE},
    [12] = {"Reset received from the peer", NO_CAUSE},
    [13] = {"Destination unreachable", NO_CAUSE},
    [14] = {"Connection timeout", NO_CAUSE},
    /* RFC 8684 section 3.6: the sender gives up a subflow that was carrying data. */
    [15] = {"Too much outstanding data", RSTCAUSE_ABORT},
    [16] = {"Unacceptable performance", RSTCAUSE_ABORT},
    [17] = {"Middlebox interference", RSTCAUSE_ABORT},
};

const char *rstcause_stated_failure_name(uint64_t code)
{
    return code < G_N_ELEMENTS(failures) ? failures[code].description : NULL;
}

bool diagnostic_find_cause(uint64_t code, rstcause_cause *cause)
{
    if (!rstcause_stated_failure_name(code) || failures[code].cause == NO_CAUSE)
        return false;
    *cause = failures[code].cause;
    return true;
}

static uint32_t read_number(const uint8_t *bytes, size_t count)
{
    uint32_t value = 0;

    while (count-- > 0)
        value = value << 8 | *bytes++;
    return value;
}

/* Section 4.1: SEG.LEN is 8, and the value 0 is not used. Section 4.2: whatever else follows the number is ignored. */
static bool read_compact(diagnostic_payload *diagnostic, const uint8_t *payload, size_t captured, size_t length)
{
    if (length != COMPACT_LENGTH || captured < 4)
        return false;
    diagnostic->code = read_number(payload + 2, 2);
    if (diagnostic->code == 0)
        return false;
    if (captured < COMPACT_LENGTH)
        diagnostic->broken = true;
    else
        diagnostic->enterprise = read_number(payload + 4, 4);
    return true;
}

static bool read_description(diagnostic_payload *diagnostic, const uint8_t *payload, size_t captured, size_t length)
{
    const char *end;
    const char *start = (const char *)payload + 2;
    size_t count = captured - 2;

    if (count == 0)
        return false;
    diagnostic->broken = captured < length;
    /* Where the capture cuts it, it may cut a character too. */
    if (!g_utf8_validate(start, (gssize)count, &end) && (!diagnostic->broken || start + count - end > 3))
        return false;
    diagnostic->description = g_string_new_len(start, end - start);
    return true;
}

/* One entry of the map, whose key was just read. false where it is not as the draft has it. */
static bool read_entry(diagnostic_payload *diagnostic, cbor_cursor *cursor, uint64_t key)
{
    cbor_head value;
    uint64_t *number;

    if (!cbor_read_head(cursor, &value))
        return false;
    switch (key) {
    case KEY_CODE:
        number = &diagnostic->code;
        break;
    case KEY_ENTERPRISE:
        number = &diagnostic->enterprise;
        break;
    case KEY_DESCRIPTION:
        if (diagnostic->description)
            return false;
        diagnostic->description = g_string_new(NULL);
        return cbor_read_string(cursor, &value, diagnostic->description) &&
               g_utf8_validate(diagnostic->description->str, (gssize)diagnostic->description->len, NULL);
    default:
        /* The registry of keys may grow (section 5.1 of those versions): what is not known is passed over. */
        return cbor_skip(cursor, &value);
    }
    /* A key that comes twice makes the map invalid (RFC 8949 section 5.6). */
    if (value.major != CBOR_UNSIGNED || *number != 0)
        return false;
    *number = value.value;
    return true;
}

static bool read_map(diagnostic_payload *diagnostic, cbor_cursor *cursor, const cbor_head *map)
{
    for (uint64_t i = 0; map->indefinite || i < map->value; i++) {
        cbor_head key;

        if (!cbor_read_head(cursor, &key))
            return false;
        if (map->indefinite && key.major == CBOR_SIMPLE && key.indefinite)
            return true;
        /* Keys are numbers; a key of another kind is a map of somebody else's. */
        if (key.major != CBOR_UNSIGNED || !read_entry(diagnostic, cursor, key.value))
            return false;
    }
    return true;
}

static bool read_cbor(diagnostic_payload *diagnostic, const uint8_t *payload, size_t captured, size_t length,
                      uint64_t magic)
{
    cbor_cursor cursor = {payload, payload + captured};
    cbor_head head;

    if (!cbor_read_head(&cursor, &head))
        return false;
    /* The draft shows the sequence as the array [12345, {…}], and some sender will take that at its word. */
    if (head.major == CBOR_ARRAY && !head.indefinite && head.value == 2 && !cbor_read_head(&cursor, &head))
        return false;
    if (head.major != CBOR_UNSIGNED || (head.value != magic && head.value != MAGIC_CBOR))
        return false;
    if (!cbor_read_head(&cursor, &head) || head.major != CBOR_MAP)
        return false;

    diagnostic->broken = !read_map(diagnostic, &cursor, &head) || cursor.next != cursor.end || captured < length;
    /* The registry ends at 65535; a vendor's may not, but its enterprise number has 32 bits (RFC 9371 section 1.2). */
    if (diagnostic->code > (diagnostic->enterprise ? G_MAXUINT32 : LAST_CODE) || diagnostic->enterprise > G_MAXUINT32)
        diagnostic->code = 0;
    if (diagnostic->description && diagnostic->description->len == 0) {
        g_string_free(diagnostic->description, true);
        diagnostic->description = NULL;
    }
    return diagnostic->code != 0 || diagnostic->description;
}

bool diagnostic_read(diagnostic_payload *diagnostic, const uint8_t *payload, size_t captured, size_t length,
                     uint64_t magic)
{
    *diagnostic = (diagnostic_payload){0};
    if (!payload || captured < 2)
        return false;

    uint32_t number = read_number(payload, 2);
    bool is_compact = number == magic || number == MAGIC_COMPACT;
    bool found = (is_compact && read_compact(diagnostic, payload, captured, length)) ||
                 (number == MAGIC_DESCRIPTION && read_description(diagnostic, payload, captured, length)) ||
                 read_cbor(diagnostic, payload, captured, length, magic);
    if (!found) {
        diagnostic_clear(diagnostic);
        *diagnostic = (diagnostic_payload){0};
    }
    return found;
}

void diagnostic_clear(diagnostic_payload *diagnostic)
{
    if (diagnostic->description)
        g_string_free(diagnostic->description, true);
    diagnostic->description = NULL;
}
