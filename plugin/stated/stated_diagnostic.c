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

const guint64 rstcause_stated_default_magic = MAGIC_COMPACT;

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

const char *rstcause_stated_failure_name(guint64 code)
{
    return code < G_N_ELEMENTS(failures) ? failures[code].description : NULL;
}

gboolean diagnostic_find_cause(guint64 code, rstcause_cause *cause)
{
    if (!rstcause_stated_failure_name(code) || failures[code].cause == NO_CAUSE)
        return FALSE;
    *cause = failures[code].cause;
    return TRUE;
}

static guint32 read_number(const guint8 *bytes, gsize count)
{
    guint32 value = 0;

    while (count-- > 0)
        value = value << 8 | *bytes++;
    return value;
}

/* Section 4.1: SEG.LEN is 8, and the value 0 is not used. Section 4.2: whatever else follows the number is ignored. */
static gboolean read_compact(diagnostic_payload *diagnostic, const guint8 *payload, gsize captured, gsize length)
{
    if (length != COMPACT_LENGTH || captured < 4)
        return FALSE;
    diagnostic->code = read_number(payload + 2, 2);
    if (diagnostic->code == 0)
        return FALSE;
    if (captured < COMPACT_LENGTH)
        diagnostic->broken = TRUE;
    else
        diagnostic->enterprise = read_number(payload + 4, 4);
    return TRUE;
}

static gboolean read_description(diagnostic_payload *diagnostic, const guint8 *payload, gsize captured, gsize length)
{
    const char *end;
    const char *start = (const char *)payload + 2;
    gsize count = captured - 2;

    if (count == 0)
        return FALSE;
    diagnostic->broken = captured < length;
    /* Where the capture cuts it, it may cut a character too. */
    if (!g_utf8_validate(start, (gssize)count, &end) && (!diagnostic->broken || start + count - end > 3))
        return FALSE;
    diagnostic->description = g_string_new_len(start, end - start);
    return TRUE;
}

/* One entry of the map, whose key was just read. FALSE where it is not as the draft has it. */
static gboolean read_entry(diagnostic_payload *diagnostic, cbor_cursor *cursor, guint64 key)
{
    cbor_head value;
    guint64 *number;

    if (!cbor_read_head(cursor, &value))
        return FALSE;
    switch (key) {
    case KEY_CODE:
        number = &diagnostic->code;
        break;
    case KEY_ENTERPRISE:
        number = &diagnostic->enterprise;
        break;
    case KEY_DESCRIPTION:
        if (diagnostic->description)
            return FALSE;
        diagnostic->description = g_string_new(NULL);
        return cbor_read_string(cursor, &value, diagnostic->description) &&
               g_utf8_validate(diagnostic->description->str, (gssize)diagnostic->description->len, NULL);
    default:
        /* The registry of keys may grow (section 5.1 of those versions): what is not known is passed over. */
        return cbor_skip(cursor, &value);
    }
    /* A key that comes twice makes the map invalid (RFC 8949 section 5.6). */
    if (value.major != CBOR_UNSIGNED || *number != 0)
        return FALSE;
    *number = value.value;
    return TRUE;
}

static gboolean read_map(diagnostic_payload *diagnostic, cbor_cursor *cursor, const cbor_head *map)
{
    for (guint64 i = 0; map->indefinite || i < map->value; i++) {
        cbor_head key;

        if (!cbor_read_head(cursor, &key))
            return FALSE;
        if (map->indefinite && key.major == CBOR_SIMPLE && key.indefinite)
            return TRUE;
        /* Keys are numbers; a key of another kind is a map of somebody else's. */
        if (key.major != CBOR_UNSIGNED || !read_entry(diagnostic, cursor, key.value))
            return FALSE;
    }
    return TRUE;
}

static gboolean read_cbor(diagnostic_payload *diagnostic, const guint8 *payload, gsize captured, gsize length,
                          guint64 magic)
{
    cbor_cursor cursor = {payload, payload + captured};
    cbor_head head;

    if (!cbor_read_head(&cursor, &head))
        return FALSE;
    /* The draft shows the sequence as the array [12345, {…}], and some sender will take that at its word. */
    if (head.major == CBOR_ARRAY && !head.indefinite && head.value == 2 && !cbor_read_head(&cursor, &head))
        return FALSE;
    if (head.major != CBOR_UNSIGNED || (head.value != magic && head.value != MAGIC_CBOR))
        return FALSE;
    if (!cbor_read_head(&cursor, &head) || head.major != CBOR_MAP)
        return FALSE;

    diagnostic->broken = !read_map(diagnostic, &cursor, &head) || cursor.next != cursor.end || captured < length;
    /* The registry ends at 65535; a vendor's may not, but its enterprise number has 32 bits (RFC 9371 section 1.2). */
    if (diagnostic->code > (diagnostic->enterprise ? G_MAXUINT32 : LAST_CODE) || diagnostic->enterprise > G_MAXUINT32)
        diagnostic->code = 0;
    if (diagnostic->description && diagnostic->description->len == 0) {
        g_string_free(diagnostic->description, TRUE);
        diagnostic->description = NULL;
    }
    return diagnostic->code != 0 || diagnostic->description;
}

gboolean diagnostic_read(diagnostic_payload *diagnostic, const guint8 *payload, gsize captured, gsize length,
                         guint64 magic)
{
    *diagnostic = (diagnostic_payload){0};
    if (!payload || captured < 2)
        return FALSE;

    guint32 number = read_number(payload, 2);
    gboolean is_compact = number == magic || number == MAGIC_COMPACT;
    gboolean found = (is_compact && read_compact(diagnostic, payload, captured, length)) ||
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
        g_string_free(diagnostic->description, TRUE);
    diagnostic->description = NULL;
}
