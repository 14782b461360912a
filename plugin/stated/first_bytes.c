/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells what a payload is by its first bytes. Knows formats only, no connections, and no names of codes. */
#include "rstcause/first_bytes.h"

#include <string.h>

/* Of a TLS record: RFC 8446 section 5.1. The longest is a compressed and encrypted one of RFC 5246 section 6.2.3. */
enum { RECORD_HEADER = 5, CHANGE_CIPHER_SPEC = 20, ALERT = 21, HANDSHAKE = 22, LONGEST_RECORD = 0x4800 };
enum { CLIENT_HELLO = 1, ALERT_LENGTH = 2 };

/* SSH: RFC 4253 sections 6 and 11.1. */
enum { SSH_PACKET_HEADER = 5, SSH_MSG_DISCONNECT = 1, SSH_LEAST_PADDING = 4, SSH_MOST_REASON = 15 };

static uint16_t read_16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t read_32(const uint8_t *bytes)
{
    return (uint32_t)read_16(bytes) << 16 | read_16(bytes + 2);
}

static bool begins_with(const uint8_t *bytes, size_t length, const char *text)
{
    size_t wanted = strlen(text);

    return length >= wanted && memcmp(bytes, text, wanted) == 0;
}

static bool begins_with_word(const uint8_t *bytes, size_t length, const char *word)
{
    size_t wanted = strlen(word);

    return length >= wanted && g_ascii_strncasecmp((const char *)bytes, word, wanted) == 0;
}

/* Three digits; 0 where there are not. */
static uint16_t read_code(const uint8_t *bytes, size_t length)
{
    if (length < 3 || !g_ascii_isdigit(bytes[0]) || !g_ascii_isdigit(bytes[1]) || !g_ascii_isdigit(bytes[2]))
        return 0;
    return (uint16_t)((bytes[0] - '0') * 100 + (bytes[1] - '0') * 10 + (bytes[2] - '0'));
}

/* Where the next line begins; NULL where the bytes end before. */
static const uint8_t *find_next_line(const uint8_t *line, const uint8_t *end)
{
    const uint8_t *feed = memchr(line, '\n', (size_t)(end - line));

    return feed != NULL && feed + 1 < end ? feed + 1 : NULL;
}

/* In the lines behind that of the status, RFC 9112 sections 5 and 9.6. */
static bool announces_close(const uint8_t *status, const uint8_t *end)
{
    static const char name[] = "Connection:";
    const uint8_t *line = status;

    while ((line = find_next_line(line, end)) != NULL && *line != '\r' && *line != '\n') {
        const uint8_t *value = line + strlen(name);

        if (!begins_with_word(line, (size_t)(end - line), name))
            continue;
        while (value < end && (*value == ' ' || *value == '\t'))
            value++;
        return begins_with_word(value, (size_t)(end - value), "close");
    }
    return false;
}

static rstcause_first_bytes read_response(const uint8_t *payload, size_t length)
{
    enum { CODE = 9 }; /* behind "HTTP/1.1 " */
    rstcause_first_bytes found = {0};

    if (length < CODE + 3 || !begins_with(payload, length, "HTTP/1.") || payload[CODE - 1] != ' ')
        return found;
    found.code = read_code(payload + CODE, length - CODE);
    if (found.code < 100)
        return found;
    found.kind = RSTCAUSE_HTTP_RESPONSE;
    found.closes = announces_close(payload, payload + length);
    return found;
}

/* RFC 9112 section 3.2: a path, an address, or the authority of CONNECT. RTSP and SIP have methods of the same names, and
 * targets of other schemes. */
static bool is_http_target(const uint8_t *target, size_t length, const char *method)
{
    return (length > 0 && target[0] == '/') || begins_with(target, length, "http") ||
           (length > 0 && strcmp(method, "CONNECT ") == 0);
}

/* A method of RFC 9110 section 9.3 or RFC 5789, and its target. */
static rstcause_first_bytes read_request(const uint8_t *payload, size_t length)
{
    static const char *const methods[] = {"GET ",     "HEAD ",    "POST ",  "PUT ",  "DELETE ",
                                          "CONNECT ", "OPTIONS ", "TRACE ", "PATCH "};
    rstcause_first_bytes found = {0};

    for (size_t i = 0; i < G_N_ELEMENTS(methods); i++) {
        size_t method = strlen(methods[i]);

        if (begins_with(payload, length, methods[i]) && is_http_target(payload + method, length - method, methods[i]))
            found.kind = RSTCAUSE_HTTP_REQUEST;
    }
    return found;
}

static bool is_record(const uint8_t *bytes, size_t length)
{
    return length >= RECORD_HEADER && bytes[0] >= CHANGE_CIPHER_SPEC && bytes[0] <= 23 && bytes[1] == 3 &&
           bytes[2] <= 4 && read_16(bytes + 3) > 0 && read_16(bytes + 3) <= LONGEST_RECORD;
}

static void read_alert(rstcause_first_bytes *found, const uint8_t *record, size_t length)
{
    enum { WARNING = 1, FATAL = 2 };
    const uint8_t *alert = record + RECORD_HEADER;

    if (read_16(record + 3) != ALERT_LENGTH) {
        found->kind = RSTCAUSE_TLS_ENCRYPTED_ALERT;
    } else if (length >= RECORD_HEADER + ALERT_LENGTH && (alert[0] == WARNING || alert[0] == FATAL)) {
        found->kind = RSTCAUSE_TLS_ALERT;
        found->level = alert[0];
        found->code = alert[1];
    }
}

/* All the records that begin in the payload: the last one is what was said last. */
static rstcause_first_bytes read_records(const uint8_t *payload, size_t length)
{
    rstcause_first_bytes found = {0};
    size_t at = 0;

    while (at < length && is_record(payload + at, length - at)) {
        const uint8_t *record = payload + at;
        size_t left = length - at;

        found = (rstcause_first_bytes){.kind = RSTCAUSE_TLS_RECORDS};
        if (record[0] == ALERT)
            read_alert(&found, record, left);
        else if (at == 0 && record[0] == HANDSHAKE && left > RECORD_HEADER && record[RECORD_HEADER] == CLIENT_HELLO)
            found.kind = RSTCAUSE_TLS_CLIENT_HELLO;
        at += RECORD_HEADER + read_16(record + 3);
    }
    return found;
}

/* Its lengths must add up: message, reason, description, language and padding fill the packet. */
static rstcause_first_bytes read_disconnect(const uint8_t *payload, size_t length)
{
    enum { REASON = SSH_PACKET_HEADER + 1, DESCRIPTION = REASON + 4, FIXED = 1 + 1 + 4 + 4 + 4 };
    rstcause_first_bytes found = {0};
    uint32_t packet, reason, description, language;
    uint8_t padding;

    if (length < DESCRIPTION + 4 || payload[SSH_PACKET_HEADER] != SSH_MSG_DISCONNECT)
        return found;
    packet = read_32(payload);
    padding = payload[4];
    reason = read_32(payload + REASON);
    description = read_32(payload + DESCRIPTION);
    if (packet > 0xffff || padding < SSH_LEAST_PADDING || reason == 0 || reason > SSH_MOST_REASON ||
        description > packet || length < DESCRIPTION + 4 + description + 4)
        return found;
    language = read_32(payload + DESCRIPTION + 4 + description);
    if (language > packet || packet != FIXED + description + language + padding)
        return found;
    found.kind = RSTCAUSE_SSH_DISCONNECT;
    found.code = (uint16_t)reason;
    return found;
}

static rstcause_bytes_kind kind_of_reply(uint16_t port)
{
    switch (port) {
    case 21:
        return RSTCAUSE_FTP_REPLY;
    case 25:
    case 587: /* RFC 6409 */
        return RSTCAUSE_SMTP_REPLY;
    default:
        return RSTCAUSE_BYTES_UNKNOWN;
    }
}

/* Several lines may come at once; in a reply of more than one line the code is in each, or in the first and the last. */
static rstcause_first_bytes read_reply(const uint8_t *payload, size_t length, uint16_t port)
{
    rstcause_first_bytes found = {0};
    const uint8_t *end = payload + length;

    if (kind_of_reply(port) == RSTCAUSE_BYTES_UNKNOWN || read_code(payload, length) == 0)
        return found;
    found.kind = (uint8_t)kind_of_reply(port);
    for (const uint8_t *line = payload; line != NULL; line = find_next_line(line, end)) {
        uint16_t code = read_code(line, (size_t)(end - line));

        if (code != 0)
            found.code = code;
    }
    return found;
}

/*
 * MQTT's DISCONNECT (version 3.1.1, section 3.14), MySQL's COM_QUIT (its client/server protocol), PostgreSQL's Terminate (its
 * message formats), LDAP's unbindRequest (RFC 4511 section 4.3) with a message ID of up to four bytes.
 */
static bool is_leave(const uint8_t *payload, size_t length)
{
    enum { UNBIND = 0x42, SHORTEST_UNBIND = 7, LONGEST_UNBIND = 10 };

    if ((length == 2 && memcmp(payload, "\xe0\0", 2) == 0) || (length == 5 && memcmp(payload, "\1\0\0\0\1", 5) == 0) ||
        (length == 5 && memcmp(payload, "X\0\0\0\4", 5) == 0))
        return true;
    return length >= SHORTEST_UNBIND && length <= LONGEST_UNBIND && payload[0] == 0x30 && payload[1] == length - 2 &&
           payload[2] == 2 && payload[length - 2] == UNBIND && payload[length - 1] == 0;
}

static rstcause_first_bytes read_known(const uint8_t *payload, size_t captured, uint16_t source_port)
{
    rstcause_first_bytes found = {0};

    if (captured == 0)
        return found;
    if (is_leave(payload, captured)) {
        found.kind = RSTCAUSE_LEAVE;
        return found;
    }
    switch (payload[0]) {
    case 'H':
        found = read_response(payload, captured);
        return found.kind != RSTCAUSE_BYTES_UNKNOWN ? found : read_request(payload, captured);
    case 'C':
    case 'D':
    case 'G':
    case 'O':
    case 'P':
    case 'T':
        return read_request(payload, captured);
    case 'S':
        if (begins_with(payload, captured, "SSH-"))
            found.kind = RSTCAUSE_SSH_VERSION;
        return found;
    case 0:
        return read_disconnect(payload, captured);
    case 20:
    case ALERT:
    case HANDSHAKE:
    case 23:
        return read_records(payload, captured);
    default:
        return g_ascii_isdigit(payload[0]) ? read_reply(payload, captured, source_port) : found;
    }
}

/* Letters, digits, marks, bytes of UTF-8, and what moves a line on. */
static bool begins_a_text(const uint8_t *payload, size_t length)
{
    enum { LOOKED_AT = 4 };

    for (size_t i = 0; i < MIN(length, LOOKED_AT); i++)
        if (payload[i] < 0x20 && payload[i] != '\t' && payload[i] != '\r' && payload[i] != '\n')
            return false;
    return true;
}

/* How services say that they do not understand: Redis (RESP, simple errors), memcached and beanstalkd (protocol.txt of both),
 * POP3 (RFC 1939 section 3), IMAP (RFC 9051 section 7.1.3), sshd. */
static bool complains(const uint8_t *payload, size_t length)
{
    static const char *const complaints[] = {"-ERR ",      "ERROR\r\n", "CLIENT_ERROR ", "UNKNOWN_COMMAND\r\n",
                                             "BAD_FORMAT", "* BAD ",    "Invalid SSH"};

    for (size_t i = 0; i < G_N_ELEMENTS(complaints); i++)
        if (begins_with(payload, length, complaints[i]))
            return true;
    return false;
}

rstcause_first_bytes rstcause_first_bytes_read(const uint8_t *payload, size_t captured, uint16_t source_port)
{
    rstcause_first_bytes found = read_known(payload, captured, source_port);

    found.is_foreign =
        found.kind == RSTCAUSE_BYTES_UNKNOWN && (!begins_a_text(payload, captured) || complains(payload, captured));
    return found;
}
