/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a reset's sender itself says the reason is, as one line of text and, where it names one, a cause of ours.
 * It must not know the connection: whether the sender is right is judged elsewhere.
 */
#include "rstcause/stated.h"

#include <inttypes.h>
#include <string.h>

#include "stated_diagnostic.h"

#define MAX_TEXT 255 /* bytes, from the contract */

/* TCP option kinds and the MPTCP subtypes that go with a reset, RFC 8684 sections 3.5 and 3.6. */
enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_MPTCP = 30 };
enum { MP_FASTCLOSE = 0x7, MP_TCPRST = 0x8 };
#define MP_FASTCLOSE_LENGTH 12
#define MP_TCPRST_LENGTH    4
#define MP_TCPRST_TRANSIENT 0x1

/*
 * Appends text from the network: valid UTF-8, where what is no printable character is escaped. That takes in the
 * format characters (Unicode Cf), which could turn the rest of the line around. The backslash is escaped as well,
 * so that an escape cannot be feigned.
 */
static void append_escaped(GString *line, const char *text, size_t length)
{
    const char *end = text + length;

    while (text < end && line->len <= MAX_TEXT) {
        gunichar c = g_utf8_get_char_validated(text, end - text);

        /* NUL counts as invalid here. */
        if (c == (gunichar)-1 || c == (gunichar)-2) {
            g_string_append_printf(line, "\\x%02x", (uint8_t)*text++);
            continue;
        }
        if (c == '\\')
            g_string_append(line, "\\\\");
        else if (g_unichar_isprint(c))
            g_string_append_unichar(line, c);
        else if (c < 0x80)
            g_string_append_printf(line, "\\x%02x", c);
        else
            g_string_append_printf(line, "\\u%04x", c);
        text = g_utf8_next_char(text);
    }
}

static void begin_statement(GString *line)
{
    if (line->len > 0)
        g_string_append(line, "; ");
}

static void name_cause(rstcause_stated *stated, rstcause_cause cause)
{
    if (stated->has_cause)
        return;
    stated->has_cause = true;
    stated->cause = cause;
}

static void state_diagnostic(rstcause_stated *stated, GString *line, const diagnostic_payload *diagnostic, bool is_cut)
{
    const char *name = diagnostic->enterprise ? NULL : rstcause_stated_failure_name(diagnostic->code);

    begin_statement(line);
    if (diagnostic->broken)
        g_string_append(line, is_cut ? "truncated " : "malformed ");
    g_string_append(line, "diagnostic payload:");
    if (diagnostic->code) {
        g_string_append_printf(line, " code %" PRIu64, diagnostic->code);
        if (diagnostic->enterprise)
            g_string_append_printf(line, " of enterprise %" PRIu64, diagnostic->enterprise);
        else if (name)
            g_string_append_printf(line, " (%s)", name);
    }
    if (diagnostic->description) {
        g_string_append(line, diagnostic->code ? ", \"" : " \"");
        append_escaped(line, diagnostic->description->str, diagnostic->description->len);
        g_string_append_c(line, '"');
    }

    rstcause_cause cause;
    if (diagnostic->broken || diagnostic->enterprise)
        return;
    stated->failure_code = (uint32_t)diagnostic->code;
    if (diagnostic_find_cause(diagnostic->code, &cause))
        name_cause(stated, cause);
}

/*
 * Reasons of BIG-IP that name a cause of ours. Others do not: "Port denied", "Policy action" and "VIP down" are
 * given before the handshake and in mid-connection, "RST from BIG-IP internal Linux host" passes on a reset.
 */
static const struct {
    const char *reason;
    rstcause_cause cause;
} f5_reasons[] = {
    {"Flow expired", RSTCAUSE_ABORT}, /* its sweeper takes idle flows away and resets both ends */
    {"handshake timeout", RSTCAUSE_RETRANSMISSION_TIMEOUT},
    {"No flow found for ACK", RSTCAUSE_HALF_OPEN},
    {"No local listener", RSTCAUSE_CLOSED_PORT},
    {"No pool member available", RSTCAUSE_HANDSHAKE_REJECTED}, /* a proxy without a backend */
    {"No server selected", RSTCAUSE_HANDSHAKE_REJECTED},
    {"TCP 3WHS rejected", RSTCAUSE_HANDSHAKE_REJECTED},
    {"TCP retransmit timeout", RSTCAUSE_RETRANSMISSION_TIMEOUT},
};

static bool find_f5_cause(const char *reason, size_t length, rstcause_cause *cause)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(f5_reasons); i++) {
        size_t known = strlen(f5_reasons[i].reason);

        /* More may follow the reason: "Flow expired (sweeper)", "… lis=name port=1.1". */
        if (length >= known && g_ascii_strncasecmp(reason, f5_reasons[i].reason, known) == 0 &&
            (length == known || reason[known] == ' ')) {
            *cause = f5_reasons[i].cause;
            return true;
        }
    }
    return false;
}

/*
 * "[0xCODE:LINE]", the place in BIG-IP's source that decided on the reset. Returns its length, 0 where the text
 * does not begin like that.
 */
static size_t read_f5_place(const char *text, size_t length, size_t *code_length, size_t *line_length)
{
    size_t at = 1;

    if (length == 0 || text[0] != '[')
        return 0;
    if (length > 3 && text[1] == '0' && text[2] == 'x')
        at = 3;
    size_t digits = at;
    while (at < length && g_ascii_isxdigit(text[at]))
        at++;
    *code_length = at - 1;
    if (at == digits || at >= length || text[at] != ':')
        return 0;
    digits = ++at;
    while (at < length && g_ascii_isdigit(text[at]))
        at++;
    *line_length = at - digits;
    return *line_length > 0 && at < length && text[at] == ']' ? at + 1 : 0;
}

/*
 * What F5 BIG-IP says, without the words "BIG-IP:" before it: "[0xCODE:LINE] {peer} reason". {peer} marks a reason
 * that arose on the other of the proxy's two connections, so it names no cause for this one.
 */
static void state_f5(rstcause_stated *stated, GString *line, const char *text, size_t length)
{
    size_t code_length, line_length;
    size_t place = read_f5_place(text, length, &code_length, &line_length);
    const char *reason = text + place;
    const char *end = text + length;
    bool is_peer = false;
    rstcause_cause cause;

    while (reason < end && *reason == ' ')
        reason++;
    if (end - reason >= 6 && memcmp(reason, "{peer}", 6) == 0) {
        is_peer = true;
        reason += 6;
        while (reason < end && *reason == ' ')
            reason++;
    }

    begin_statement(line);
    g_string_append(line, "BIG-IP: ");
    append_escaped(line, reason, (size_t)(end - reason));
    if (is_peer)
        g_string_append(line, ", on its connection to the other side");
    if (place)
        g_string_append_printf(line, " (code %.*s, line %.*s)", (int)code_length, text + 1, (int)line_length,
                               text + 1 + code_length + 1);

    if (!is_peer && find_f5_cause(reason, (size_t)(end - reason), &cause))
        name_cause(stated, cause);
}

/*
 * Whether a payload is a remark on the reset (RFC 9293 section 3.5.3, SHLD-2) rather than data of the stream: a
 * segment whose RST flag comes from damage carries stream data, and some of it is text. A remark is one line that
 * a person can read. The lines of text protocols end in CR LF, so any line end but a C programmer's "\n" tells
 * stream data; so does more than a field's length, markup, a single word (commands, test patterns), and what is not
 * mostly words: encoded data comes in long ones, numbers and addresses have few letters.
 */
static bool is_remark(const char *text, size_t length)
{
    enum { LONGEST_WORD = 32, FEWEST_LETTERS = 4 };
    unsigned characters = 0, letters = 0, spaces = 0, word = 0;

    if (length > MAX_TEXT || !g_utf8_validate(text, (gssize)length, NULL))
        return false;
    for (const char *at = text; at < text + length; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);

        if (!g_unichar_isprint(c) || c == '<' || c == '{')
            return false;
        characters++;
        letters += g_unichar_isalpha(c) ? 1 : 0;
        spaces += c == ' ' ? 1 : 0;
        word = c == ' ' ? 0 : word + 1;
        if (word > LONGEST_WORD)
            return false;
    }
    return letters >= FEWEST_LETTERS && spaces > 0 && 4 * (letters + spaces) >= 3 * characters;
}

static void state_payload(rstcause_stated *stated, GString *line, const rstcause_segment *segment, uint64_t magic)
{
    static const char f5_mark[] = "BIG-IP: ";
    const char *text = (const char *)segment->payload;
    size_t length = segment->payload_captured;
    diagnostic_payload diagnostic;

    if (!segment->payload || length == 0)
        return;
    if (diagnostic_read(&diagnostic, segment->payload, length, segment->length, magic)) {
        state_diagnostic(stated, line, &diagnostic, length < segment->length);
        diagnostic_clear(&diagnostic);
        return;
    }

    while (length > 0 && text[length - 1] == '\0')
        length--;
    if (length > 0 && text[length - 1] == '\n')
        length--;
    if (length > strlen(f5_mark) && memcmp(text, f5_mark, strlen(f5_mark)) == 0) {
        stated->is_remark = true;
        state_f5(stated, line, text + strlen(f5_mark), length - strlen(f5_mark));
    } else if (segment->length <= MAX_TEXT && is_remark(text, length)) {
        stated->is_remark = true;
        begin_statement(line);
        append_escaped(line, text, length);
    }
}

static void state_mp_tcprst(rstcause_stated *stated, GString *line, uint8_t flags, uint8_t reason)
{
    static const char *const reasons[] = {
        "Unspecified error",           "MPTCP-specific error",      "Lack of resources",
        "Administratively prohibited", "Too much outstanding data", "Unacceptable performance",
        "Middlebox interference",
    };
    static const char flag_names[] = "UVWT";
    enum { TOO_MUCH_DATA = 4, MIDDLEBOX = 6 };

    begin_statement(line);
    g_string_append_printf(line, "MP_TCPRST: %s (%u), %s",
                           reason < G_N_ELEMENTS(reasons) ? reasons[reason] : "unassigned reason", reason,
                           flags & MP_TCPRST_TRANSIENT ? "transient" : "permanent");
    if (flags) {
        g_string_append(line, ", flags ");
        for (unsigned i = 0; i < 4; i++)
            if (flags & 0x8 >> i)
                g_string_append_c(line, flag_names[i]);
    }
    /* These tell of a subflow in use; the others are also given to one that is still being joined. */
    if (reason >= TOO_MUCH_DATA && reason <= MIDDLEBOX)
        name_cause(stated, RSTCAUSE_ABORT);
}

static void state_options(rstcause_stated *stated, GString *line, const uint8_t *options, size_t length)
{
    size_t at = 0;

    while (at < length && options[at] != OPTION_END) {
        if (options[at] == OPTION_NOP) {
            at++;
            continue;
        }
        /* RFC 9293 section 3.1: the length counts kind and length as well. */
        if (length - at < 2 || options[at + 1] < 2 || options[at + 1] > length - at)
            return;
        const uint8_t *option = options + at;
        uint8_t subtype = option[1] > 2 ? option[2] >> 4 : 0;

        if (option[0] == OPTION_MPTCP && subtype == MP_TCPRST && option[1] == MP_TCPRST_LENGTH) {
            state_mp_tcprst(stated, line, option[2] & 0xf, option[3]);
        } else if (option[0] == OPTION_MPTCP && subtype == MP_FASTCLOSE && option[1] == MP_FASTCLOSE_LENGTH) {
            begin_statement(line);
            g_string_append(line, "MP_FASTCLOSE: the whole MPTCP connection is closed");
            stated->is_fastclose = true;
            name_cause(stated, RSTCAUSE_ABORT);
        }
        at += option[1];
    }
}

/* Cuts at the end of a character, with an ellipsis for what is lost. */
static void limit_length(GString *line)
{
    static const char ellipsis[] = "…";

    if (line->len <= MAX_TEXT)
        return;
    size_t length = MAX_TEXT - strlen(ellipsis);
    while (((uint8_t)line->str[length] & 0xc0) == 0x80)
        length--;
    g_string_truncate(line, length);
    g_string_append(line, ellipsis);
}

void rstcause_stated_read(rstcause_stated *stated, const rstcause_segment *segment, uint64_t magic)
{
    GString *line = g_string_new(NULL);

    *stated = (rstcause_stated){0};
    state_payload(stated, line, segment, magic);
    /* BIG-IP notes in its trailer just what it writes into the payload. */
    if (segment->device_note && *segment->device_note && line->len == 0) {
        stated->is_remark = true;
        state_f5(stated, line, segment->device_note, strlen(segment->device_note));
    }
    if (segment->options)
        state_options(stated, line, segment->options, segment->options_length);

    limit_length(line);
    stated->text = g_string_free(line, line->len == 0);
}

void rstcause_stated_clear(rstcause_stated *stated)
{
    g_free(stated->text);
    *stated = (rstcause_stated){0};
}
