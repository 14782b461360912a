/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a reset states, format by format: what is read, what cause it names, and what is no statement at all.
 */
#include "rstcause/stated.h"

#include <string.h>

static void read_bytes(rstcause_stated *stated, const void *payload, uint32_t captured, uint32_t length, uint64_t magic)
{
    rstcause_segment segment = {.payload = payload, .payload_captured = captured, .length = length};

    rstcause_stated_read(stated, &segment, magic);
}

static void read_options(rstcause_stated *stated, const uint8_t *options, uint32_t length)
{
    rstcause_segment segment = {.options = options, .options_length = length};

    rstcause_stated_read(stated, &segment, rstcause_stated_default_magic);
}

/* Checks what a payload states; RSTCAUSE_CAUSES stands for no cause. */
static void check_magic(const void *payload, size_t length, uint64_t magic, const char *text, rstcause_cause cause,
                        uint32_t failure_code)
{
    rstcause_stated stated;

    read_bytes(&stated, payload, (uint32_t)length, (uint32_t)length, magic);
    g_assert_cmpstr(stated.text, ==, text);
    g_assert_cmpint(stated.has_cause ? stated.cause : RSTCAUSE_CAUSES, ==, cause);
    g_assert_cmpuint(stated.failure_code, ==, failure_code);
    g_assert_false(stated.is_fastclose);
    rstcause_stated_clear(&stated);
}

static void check(const void *payload, size_t length, const char *text, rstcause_cause cause, uint32_t failure_code)
{
    check_magic(payload, length, rstcause_stated_default_magic, text, cause, failure_code);
}

/* A literal's bytes without its closing NUL. */
#define BYTES(literal) (literal), sizeof(literal) - 1

static void test_compact(void)
{
    /* The three examples of draft-ietf-tcpm-rst-diagnostic-payload-02, section 5. */
    check(BYTES("\x33\xaa\x00\x02\x00\x00\x00\x00"), "diagnostic payload: code 2 (Desynchronized state)",
          RSTCAUSE_HALF_OPEN, 2);
    check(BYTES("\x33\xaa\x00\x0e\x00\x00\x00\x00"), "diagnostic payload: code 14 (Connection timeout)",
          RSTCAUSE_CAUSES, 14);
    check(BYTES("\x33\xaa\x04\xd2\x00\x00\x7e\xd9"), "diagnostic payload: code 1234 of enterprise 32473",
          RSTCAUSE_CAUSES, 0);
    check(BYTES("\x33\xaa\x12\x34\x00\x00\x00\x00"), "diagnostic payload: code 4660", RSTCAUSE_CAUSES, 4660);
}

static void test_compact_malformed(void)
{
    rstcause_stated stated;

    /* Value 0 is reserved; SEG.LEN is 8. */
    check(BYTES("\x33\xaa\x00\x00\x00\x00\x00\x00"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("\x33\xaa\x00\x02\x00\x00\x00"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("\x33\xaa\x00\x02\x00\x00\x00\x00\x00"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("\x33\xaa"), NULL, RSTCAUSE_CAUSES, 0);

    /* Cut by the capture before the enterprise number ends: whose code it is stays open. */
    read_bytes(&stated, "\x33\xaa\x00\x01\x00\x00", 6, 8, rstcause_stated_default_magic);
    g_assert_cmpstr(stated.text, ==, "truncated diagnostic payload: code 1 (Illegal option length)");
    g_assert_false(stated.has_cause);
    g_assert_cmpuint(stated.failure_code, ==, 0);
    rstcause_stated_clear(&stated);
}

static void test_registry(void)
{
    g_assert_null(rstcause_stated_failure_name(0));
    for (uint64_t code = 1; code <= 17; code++)
        g_assert_nonnull(rstcause_stated_failure_name(code));
    g_assert_null(rstcause_stated_failure_name(18));
    g_assert_null(rstcause_stated_failure_name(G_MAXUINT64));
    g_assert_cmpstr(rstcause_stated_failure_name(3), ==, "New data is received after CLOSE is called");
    g_assert_cmpstr(rstcause_stated_failure_name(17), ==, "Middlebox interference");
}

static void test_description(void)
{
    check(BYTES("\xf3\x17out of sockets"), "diagnostic payload: \"out of sockets\"", RSTCAUSE_CAUSES, 0);
    check(BYTES("\xf3\x17"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("\xf3\x17\xff\xff"), NULL, RSTCAUSE_CAUSES, 0);
}

static void test_cbor(void)
{
    /* The examples of draft-boucadair-tcpm-rst-diagnostic-payload-11, section 4. */
    check(BYTES("\x19\x30\x39\xa1\x01\x02"), "diagnostic payload: code 2 (Desynchronized state)", RSTCAUSE_HALF_OPEN,
          2);
    check(BYTES("\x19\x30\x39\xa1\x03\x65short"), "diagnostic payload: \"short\"", RSTCAUSE_CAUSES, 0);
    check(BYTES("\x19\x30\x39\xa2\x01\x19\x04\xd2\x02\x19\x7e\xd9"),
          "diagnostic payload: code 1234 of enterprise 32473", RSTCAUSE_CAUSES, 0);

    /* Both, although the draft forbids it. */
    check(BYTES("\x19\x30\x39\xa2\x01\x04\x03\x62no"), "diagnostic payload: code 4 (ABORT process), \"no\"",
          RSTCAUSE_ABORT, 4);
    /* Longer heads than needed, an indefinite map, a string in chunks, tags, an unknown key with a nested value. */
    check(BYTES("\xd9\xd9\xf7\x1b\x00\x00\x00\x00\x00\x00\x30\x39\xbf\x18\x01\x1a\x00\x00\x00\x03"
                "\x03\x7f\x62go\x63ing\xff\x07\x82\x81\x20\xf9\x00\x00\xff"),
          "diagnostic payload: code 3 (New data is received after CLOSE is called), \"going\"",
          RSTCAUSE_DATA_AFTER_CLOSE, 3);
    /* As the array that the draft's diagnostic notation shows. */
    check(BYTES("\x82\x19\x30\x39\xa1\x01\x05"),
          "diagnostic payload: code 5 (Unexpected ACK received by non-synchronized state connection)",
          RSTCAUSE_UNACCEPTABLE_ACK, 5);
}

static void test_magic(void)
{
    static const char cbor[] = "\x19\x26\x94\xa1\x01\x04";
    static const char compact[] = "\x26\x94\x00\x04\x00\x00\x00\x00";
    static const char text[] = "diagnostic payload: code 4 (ABORT process)";

    check(BYTES(cbor), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES(compact), NULL, RSTCAUSE_CAUSES, 0);
    check_magic(BYTES(cbor), 9876, text, RSTCAUSE_ABORT, 4);
    check_magic(BYTES(compact), 9876, text, RSTCAUSE_ABORT, 4);
    check_magic(BYTES("\x33\xaa\x00\x04\x00\x00\x00\x00"), 9876, text, RSTCAUSE_ABORT, 4);
    check_magic(BYTES("\x19\x30\x39\xa1\x01\x04"), 9876, text, RSTCAUSE_ABORT, 4);
    check_magic(BYTES("\x1b\x01\x02\x03\x04\x05\x06\x07\x08\xa1\x01\x04"), UINT64_C(0x0102030405060708), text,
                RSTCAUSE_ABORT, 4);
}

static void test_cbor_malformed(void)
{
    static const char malformed[] = "malformed diagnostic payload: code 4 (ABORT process)";
    char deep[64];
    rstcause_stated stated;

    /* What stood before the fault is shown, without a cause: trailing bytes, end of the map missing, a key twice. */
    check(BYTES("\x19\x30\x39\xa1\x01\x04\x00"), malformed, RSTCAUSE_CAUSES, 0);
    check(BYTES("\x19\x30\x39\xa2\x01\x04"), malformed, RSTCAUSE_CAUSES, 0);
    check(BYTES("\x19\x30\x39\xbf\x01\x04"), malformed, RSTCAUSE_CAUSES, 0);
    check(BYTES("\x19\x30\x39\xa2\x01\x04\x01\x05"), malformed, RSTCAUSE_CAUSES, 0);
    /* Nothing was read before it. */
    check(BYTES("\x19\x30\x39"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("\x19\x30\x39\xa0"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("\x19\x30\x39\x81\x02"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("\x19\x30\x39\xa1\x01\x20"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("\x19\x30\x39\xa1\x01\x1a\x00\x01\x00\x00"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("\x19\x30\x39\xa1\x61"
                "1\x02"),
          NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("\x19\x30\x39\xa1\x01\x1c"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("\x39\x30\x38\xa1\x01\x04"), NULL, RSTCAUSE_CAUSES, 0);
    /* A length that lies. */
    check(BYTES("\x19\x30\x39\xa1\x03\x7b\xff\xff\xff\xff\xff\xff\xff\xff"
                "abc"),
          "malformed diagnostic payload: \"abc\"", RSTCAUSE_CAUSES, 0);

    /* An unknown key whose value is nested as deep as is read, one deeper, and without end. */
    memcpy(deep, "\x19\x30\x39\xa2\x01\x04\x09", 7);
    memset(deep + 7, 0x81, sizeof deep - 7);
    check(deep, sizeof deep, malformed, RSTCAUSE_CAUSES, 0);
    deep[7 + 9] = 0;
    check(deep, 7 + 9 + 1, malformed, RSTCAUSE_CAUSES, 0);
    deep[7 + 8] = 0;
    check(deep, 7 + 8 + 1, "diagnostic payload: code 4 (ABORT process)", RSTCAUSE_ABORT, 4);

    read_bytes(&stated, "\x19\x30\x39\xa2\x01\x04\x02", 7, 12, rstcause_stated_default_magic);
    g_assert_cmpstr(stated.text, ==, "truncated diagnostic payload: code 4 (ABORT process)");
    g_assert_false(stated.has_cause);
    rstcause_stated_clear(&stated);
}

static void test_f5(void)
{
    rstcause_stated stated;

    check(BYTES("BIG-IP: [0x2664c65:2574] No flow found for ACK"),
          "BIG-IP: No flow found for ACK (code 0x2664c65, line 2574)", RSTCAUSE_HALF_OPEN, 0);
    check(BYTES("BIG-IP: [0x235ef8f:2618] No local listener"), "BIG-IP: No local listener (code 0x235ef8f, line 2618)",
          RSTCAUSE_CLOSED_PORT, 0);
    check(BYTES("BIG-IP: [0x2409a71:704] Flow expired (sweeper)"),
          "BIG-IP: Flow expired (sweeper) (code 0x2409a71, line 704)", RSTCAUSE_ABORT, 0);
    check(BYTES("BIG-IP: [0x34315a9:136] No server selected"), "BIG-IP: No server selected (code 0x34315a9, line 136)",
          RSTCAUSE_HANDSHAKE_REJECTED, 0);
    check(BYTES("BIG-IP: [0x34315a9:136] TCP retransmit timeout"),
          "BIG-IP: TCP retransmit timeout (code 0x34315a9, line 136)", RSTCAUSE_RETRANSMISSION_TIMEOUT, 0);
    /* The wild one: what happened on the other side of the proxy is no cause for this side. */
    check(BYTES("BIG-IP: [0x11c5672:3045] {peer} TCP RST from remote system"),
          "BIG-IP: TCP RST from remote system, on its connection to the other side (code 0x11c5672, line 3045)",
          RSTCAUSE_CAUSES, 0);
    check(BYTES("BIG-IP: [0x11c5672:3045] {peer} No flow found for ACK"),
          "BIG-IP: No flow found for ACK, on its connection to the other side (code 0x11c5672, line 3045)",
          RSTCAUSE_CAUSES, 0);
    check(BYTES("BIG-IP: [0x34315a9:136] Port denied ... lis= port=1.1"),
          "BIG-IP: Port denied ... lis= port=1.1 (code 0x34315a9, line 136)", RSTCAUSE_CAUSES, 0);
    check(BYTES("BIG-IP: [0x34315a9:136] No server selectedly"),
          "BIG-IP: No server selectedly (code 0x34315a9, line 136)", RSTCAUSE_CAUSES, 0);
    /* A place that is none stays text. */
    check(BYTES("BIG-IP: [0x:1] x"), "BIG-IP: [0x:1] x", RSTCAUSE_CAUSES, 0);
    check(BYTES("BIG-IP: [0x12:] x"), "BIG-IP: [0x12:] x", RSTCAUSE_CAUSES, 0);
    check(BYTES("BIG-IP: [0x12:34"), "BIG-IP: [0x12:34", RSTCAUSE_CAUSES, 0);
    check(BYTES("BIG-IP: ["), "BIG-IP: [", RSTCAUSE_CAUSES, 0);

    /* What the trailer of F5's own captures gives. */
    rstcause_segment segment = {.device_note = "[0x2409a71:704] Flow expired (sweeper)"};
    rstcause_stated_read(&stated, &segment, rstcause_stated_default_magic);
    g_assert_cmpstr(stated.text, ==, "BIG-IP: Flow expired (sweeper) (code 0x2409a71, line 704)");
    g_assert_true(stated.has_cause && stated.cause == RSTCAUSE_ABORT);
    rstcause_stated_clear(&stated);
    segment.device_note = "No local listener";
    rstcause_stated_read(&stated, &segment, rstcause_stated_default_magic);
    g_assert_cmpstr(stated.text, ==, "BIG-IP: No local listener");
    g_assert_true(stated.has_cause && stated.cause == RSTCAUSE_CLOSED_PORT);
    rstcause_stated_clear(&stated);
    segment.device_note = "";
    rstcause_stated_read(&stated, &segment, rstcause_stated_default_magic);
    g_assert_null(stated.text);
    rstcause_stated_clear(&stated);
}

/* Code 0x2409a71, line 704, and a text. */
#define F5_NOTE(flags)                                                                                                 \
    flags "\0\0\x02\x40\x9a\x71\x02\xc0"                                                                               \
          "Port denied"

static const char f5_zeros[40];

/* Padding, a record, the bytes of a medium record before the note, the note. Cut by a byte, nothing is read. */
static void check_trailer(const char *header, size_t header_length, size_t before_note, const char *note,
                          const char *told)
{
    GByteArray *trailer = g_byte_array_new();
    uint8_t length = 20;
    char *got;

    g_byte_array_append(trailer, (const uint8_t *)f5_zeros, 6);
    g_byte_array_append(trailer, (const uint8_t *)header, (unsigned)header_length);
    g_byte_array_append(trailer, (const uint8_t *)f5_zeros, (unsigned)before_note);
    g_byte_array_append(trailer, &length, 1);
    g_byte_array_append(trailer, (const uint8_t *)note, length);
    g_assert_null(rstcause_stated_read_f5_trailer(NULL, 0));
    got = rstcause_stated_read_f5_trailer(trailer->data, trailer->len);
    g_assert_cmpstr(got, ==, told);
    g_free(got);
    for (unsigned cut = 0; cut < trailer->len; cut++) {
        uint8_t *copy = g_memdup2(trailer->data, cut);

        g_assert_null(rstcause_stated_read_f5_trailer(copy, cut));
        g_free(copy);
    }
    g_byte_array_free(trailer, true);
}

#define CHECK_TRAILER(header, before, note, told) check_trailer(header, sizeof header - 1, before, note, told)

static void test_f5_trailer(void)
{
    static const char told[] = "[0x2409a71:704] Port denied";

    /* Old ones: versions 1 to 3, behind one of low noise, too. */
    CHECK_TRAILER("\x02\x30\x01", 26, F5_NOTE("\0"), told);
    CHECK_TRAILER("\x02\x31\x02", 27, F5_NOTE("\0"), told);
    CHECK_TRAILER("\x02\x35\x03", 31, F5_NOTE("\0"), told);
    CHECK_TRAILER("\x01\x05\x01zzzz\x02\x30\x01", 26, F5_NOTE("\1"), "[0x2409a71:704] {peer} Port denied");
    /* Another version of the note or of the record, a length that is another one. */
    CHECK_TRAILER("\x02\x30\x01", 26, F5_NOTE("\2"), NULL);
    CHECK_TRAILER("\x02\x30\x04", 26, F5_NOTE("\0"), NULL);
    CHECK_TRAILER("\x02\x2f\x01", 26, F5_NOTE("\0"), NULL);
    CHECK_TRAILER("\x04\x30\x01", 26, F5_NOTE("\0"), NULL);

    /* The new one: behind a frame check sequence and another record. */
    CHECK_TRAILER("\xf5\xde\xb0\xf5\0\x4c\0\1"
                  "\0\1\0\2\0\x3c\0\4",
                  31, F5_NOTE("\0"), told);
    CHECK_TRAILER("qqqq\xf5\xde\xb0\xf5\0\x54\0\1"
                  "\0\1\0\1\0\x08\0\4"
                  "\0\1\0\2\0\x3c\0\4",
                  31, F5_NOTE("\0"), told);
    CHECK_TRAILER("\xf5\xde\xb0\xf5\0\x4c\0\1"
                  "\0\1\0\2\0\x3c\0\5",
                  31, F5_NOTE("\0"), NULL);
    CHECK_TRAILER("\xf5\xde\xb0\xf5\0\x4c\0\1"
                  "\0\1\0\2\0\x3d\0\4",
                  31, F5_NOTE("\0"), NULL);
}

static void test_remark(void)
{
    check(BYTES("Go away, we're not home"), "Go away, we're not home", RSTCAUSE_CAUSES, 0);
    check(BYTES("tcp_close, during connect\0"), "tcp_close, during connect", RSTCAUSE_CAUSES, 0);
    check(BYTES("out of memory\n"), "out of memory", RSTCAUSE_CAUSES, 0);
    check(BYTES("Verbindung getrennt: \xc3\xbc"
                "berlastet"),
          "Verbindung getrennt: überlastet", RSTCAUSE_CAUSES, 0);
    check(BYTES("back\\slash here"), "back\\\\slash here", RSTCAUSE_CAUSES, 0);
}

static void test_no_remark(void)
{
    char block[300];

    /* Data of a stream in a damaged segment: protocol lines, markup, encoded or binary data, single words, numbers. */
    check(BYTES("GET / HTTP/1.1\r\nHost: example\r\n\r\n"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("421 Service not available\r\n"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("two lines\nof text"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("<p>some words</p>"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("see {\"json\": true}"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("hello"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("a word with QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("12:30:01 192.0.2.7 80 443"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("\x16\x03\x01\x02\x00\x01\x00"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("some \xff\xfe words"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("\0\0\0\0\0\0"), NULL, RSTCAUSE_CAUSES, 0);
    check(BYTES("\n"), NULL, RSTCAUSE_CAUSES, 0);
    check("", 0, NULL, RSTCAUSE_CAUSES, 0);
    check(NULL, 0, NULL, RSTCAUSE_CAUSES, 0);

    for (size_t i = 0; i < sizeof block; i++)
        block[i] = i % 6 == 5 ? ' ' : 'a';
    check(block, sizeof block, NULL, RSTCAUSE_CAUSES, 0);
    /* A full segment of which the capture holds the beginning only. */
    rstcause_stated stated;
    read_bytes(&stated, block, 60, 1460, rstcause_stated_default_magic);
    g_assert_null(stated.text);
    rstcause_stated_clear(&stated);
}

static void test_escapes(void)
{
    check(BYTES("BIG-IP: a\x1b[31mb\x07\r\n\tc\x7f"), "BIG-IP: a\\x1b[31mb\\x07\\x0d\\x0a\\x09c\\x7f", RSTCAUSE_CAUSES,
          0);
    check(BYTES("BIG-IP: x\0y"), "BIG-IP: x\\x00y", RSTCAUSE_CAUSES, 0);
    check(BYTES("BIG-IP: \xff\xc3"), "BIG-IP: \\xff\\xc3", RSTCAUSE_CAUSES, 0);
    /* U+202E turns the direction of what follows, U+0085 is a line end. */
    check(BYTES("BIG-IP: \xe2\x80\xaetxt\xc2\x85"), "BIG-IP: \\u202etxt\\u0085", RSTCAUSE_CAUSES, 0);
}

static void test_length(void)
{
    char payload[1000];
    rstcause_stated stated;

    for (unsigned shift = 0; shift < 4; shift++) {
        memcpy(payload, "BIG-IP: ", 8);
        for (size_t i = 8; i < sizeof payload; i++)
            payload[i] = "\xe2\x82\xac"[(i + shift) % 3]; /* the euro sign, at every offset from the cut */
        read_bytes(&stated, payload, sizeof payload, sizeof payload, rstcause_stated_default_magic);
        g_assert_cmpuint(strlen(stated.text), <=, 255);
        g_assert_cmpuint(strlen(stated.text), >, 245);
        g_assert_true(g_utf8_validate(stated.text, -1, NULL));
        g_assert_true(g_str_has_suffix(stated.text, "…"));
        rstcause_stated_clear(&stated);
    }
}

static void check_options(const char *options, size_t length, const char *text, rstcause_cause cause)
{
    rstcause_stated stated;

    read_options(&stated, (const uint8_t *)options, (uint32_t)length);
    g_assert_cmpstr(stated.text, ==, text);
    g_assert_cmpint(stated.has_cause ? stated.cause : RSTCAUSE_CAUSES, ==, cause);
    rstcause_stated_clear(&stated);
}

static void test_mptcp(void)
{
    static const uint8_t fastclose[] = {1, 30, 12, 0x70, 0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 1};
    rstcause_stated stated;

    check_options(BYTES("\x1e\x04\x80\x00"), "MP_TCPRST: Unspecified error (0), permanent", RSTCAUSE_CAUSES);
    check_options(BYTES("\x1e\x04\x81\x02"), "MP_TCPRST: Lack of resources (2), transient, flags T", RSTCAUSE_CAUSES);
    check_options(BYTES("\x01\x01\x1e\x04\x8f\x04"), "MP_TCPRST: Too much outstanding data (4), transient, flags UVWT",
                  RSTCAUSE_ABORT);
    check_options(BYTES("\x1e\x04\x88\x06"), "MP_TCPRST: Middlebox interference (6), permanent, flags U",
                  RSTCAUSE_ABORT);
    check_options(BYTES("\x1e\x04\x82\x07"), "MP_TCPRST: unassigned reason (7), permanent, flags W", RSTCAUSE_CAUSES);

    read_options(&stated, fastclose, sizeof fastclose);
    g_assert_cmpstr(stated.text, ==, "MP_FASTCLOSE: the whole MPTCP connection is closed");
    g_assert_true(stated.is_fastclose && stated.has_cause && stated.cause == RSTCAUSE_ABORT);
    rstcause_stated_clear(&stated);
}

static void test_mptcp_malformed(void)
{
    check_options(BYTES("\x1e\x05\x81\x02\x00"), NULL, RSTCAUSE_CAUSES);
    check_options(BYTES("\x1e\x04\x81"), NULL, RSTCAUSE_CAUSES);
    check_options(BYTES("\x1e\x02\x1e"), NULL, RSTCAUSE_CAUSES);
    check_options(BYTES("\x08\x00\x1e\x04\x81\x02"), NULL, RSTCAUSE_CAUSES);
    check_options(BYTES("\x08\x01\x1e\x04\x81\x02"), NULL, RSTCAUSE_CAUSES);
    check_options(BYTES("\x00\x1e\x04\x81\x02"), NULL, RSTCAUSE_CAUSES);
    check_options(BYTES("\x1e\x03\x70"), NULL, RSTCAUSE_CAUSES);
    check_options(BYTES("\x1e\x04\x10\x02"), NULL, RSTCAUSE_CAUSES);
    check_options(BYTES("\x1e"), NULL, RSTCAUSE_CAUSES);
}

/* A payload and an option state together; the payload's cause comes first. */
static void test_both(void)
{
    rstcause_segment segment = {.payload = (const uint8_t *)"\x33\xaa\x00\x03\x00\x00\x00\x00",
                                .payload_captured = 8,
                                .length = 8,
                                .options = (const uint8_t *)"\x1e\x04\x81\x05",
                                .options_length = 4};
    rstcause_stated stated;

    rstcause_stated_read(&stated, &segment, rstcause_stated_default_magic);
    g_assert_cmpstr(stated.text, ==,
                    "diagnostic payload: code 3 (New data is received after CLOSE is called); "
                    "MP_TCPRST: Unacceptable performance (5), transient, flags T");
    g_assert_cmpint(stated.cause, ==, RSTCAUSE_DATA_AFTER_CLOSE);
    rstcause_stated_clear(&stated);
    g_assert_null(stated.text);
}

static void test_netscaler(void)
{
    g_assert_cmpstr(rstcause_stated_netscaler(8196), ==, "bad SSL record");
    g_assert_cmpstr(rstcause_stated_netscaler(9700), ==, "reset received from the other side and passed on");
    g_assert_cmpstr(rstcause_stated_netscaler(10030), ==, "packet credits of the connection used up");
    g_assert_null(rstcause_stated_netscaler(0));
    g_assert_null(rstcause_stated_netscaler(8192));
    g_assert_null(rstcause_stated_netscaler(65535));

    /* Sorted, or the search would miss some: each code of a published block is found. */
    for (uint16_t code = 9300; code <= 9311; code++)
        g_assert_nonnull(rstcause_stated_netscaler(code));
    for (uint16_t code = 9832; code <= 9839; code++)
        g_assert_nonnull(rstcause_stated_netscaler(code));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stated/compact", test_compact);
    g_test_add_func("/stated/compact-malformed", test_compact_malformed);
    g_test_add_func("/stated/registry", test_registry);
    g_test_add_func("/stated/description", test_description);
    g_test_add_func("/stated/cbor", test_cbor);
    g_test_add_func("/stated/cbor-malformed", test_cbor_malformed);
    g_test_add_func("/stated/magic", test_magic);
    g_test_add_func("/stated/f5", test_f5);
    g_test_add_func("/stated/f5-trailer", test_f5_trailer);
    g_test_add_func("/stated/remark", test_remark);
    g_test_add_func("/stated/no-remark", test_no_remark);
    g_test_add_func("/stated/escapes", test_escapes);
    g_test_add_func("/stated/length", test_length);
    g_test_add_func("/stated/mptcp", test_mptcp);
    g_test_add_func("/stated/mptcp-malformed", test_mptcp_malformed);
    g_test_add_func("/stated/both", test_both);
    g_test_add_func("/stated/netscaler", test_netscaler);
    return g_test_run();
}
