/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading the network and TCP headers: lengths that lie, padding, cut captures, damaged options. */
#include "rstcause/segment.h"

#include <string.h>

enum { IPV4_HEADER = 20, IPV6_HEADER = 40 };

static void write_16(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

/* 10.1.2.3 to 10.4.5.6, ID 0x1234, DF, TTL 57. */
static void make_ipv4(uint8_t header[IPV4_HEADER], uint16_t total)
{
    static const uint8_t model[IPV4_HEADER] = {0x45, 0, 0,  0, 0x12, 0x34, 0x40, 0, 57, 6,
                                               0,    0, 10, 1, 2,    3,    10,   4, 5,  6};

    memcpy(header, model, IPV4_HEADER);
    write_16(header + 2, total);
}

static void make_ipv6(uint8_t header[IPV6_HEADER], uint16_t payload)
{
    memset(header, 0, IPV6_HEADER);
    header[0] = 0x60;
    write_16(header + 4, payload);
    header[6] = 6;
    header[7] = 61;
    header[8] = header[24] = 0x20;
    header[23] = 1;
    header[39] = 2;
}

/* Port 40000 to 443, sequence number 0x01020304, ACK 0xa0b0c0d0, window 1000, checksum 0xbeef. */
static void make_tcp(uint8_t *header, unsigned words, uint8_t flags)
{
    static const uint8_t model[20] = {0x9c, 0x40, 0x01, 0xbb, 1,    2,    3,    4,    0xa0, 0xb0,
                                      0xc0, 0xd0, 0,    0,    0x03, 0xe8, 0xbe, 0xef, 0,    0};

    memcpy(header, model, sizeof model);
    header[12] = (uint8_t)(words << 4);
    header[13] = flags;
}

static void read_ipv4(void)
{
    rstcause_segment segment = {.frame = 7};
    uint8_t header[IPV4_HEADER];

    make_ipv4(header, 20 + 20 + 100);
    g_assert_true(rstcause_segment_read_network(&segment, header, sizeof header, 20));
    g_assert_cmpuint(segment.source.length, ==, 4);
    g_assert_cmpmem(segment.source.bytes, 4, "\x0a\x01\x02\x03", 4);
    g_assert_cmpmem(segment.destination.bytes, 4, "\x0a\x04\x05\x06", 4);
    g_assert_cmpuint(segment.ttl, ==, 57);
    g_assert_true(segment.has_ip_id);
    g_assert_cmpuint(segment.ip_id, ==, 0x1234);
    g_assert_cmpuint(segment.network_length, ==, 120);
    g_assert_cmpuint(segment.frame, ==, 7);
}

static void read_ipv6(void)
{
    rstcause_segment segment = {0};
    uint8_t header[IPV6_HEADER];

    make_ipv6(header, 20 + 5);
    g_assert_true(rstcause_segment_read_network(&segment, header, sizeof header, 40));
    g_assert_cmpuint(segment.source.length, ==, 16);
    g_assert_cmpuint(segment.source.bytes[15], ==, 1);
    g_assert_cmpuint(segment.destination.bytes[15], ==, 2);
    g_assert_cmpuint(segment.ttl, ==, 61);
    g_assert_false(segment.has_ip_id);
    g_assert_cmpuint(segment.network_length, ==, 25);
}

/* IPv4 options and IPv6 extension headers stand between; the payload length counts from where TCP begins. */
static void read_behind_more_headers(void)
{
    rstcause_segment segment = {0};
    uint8_t ipv4[IPV4_HEADER], ipv6[IPV6_HEADER];

    make_ipv4(ipv4, 24 + 20 + 3);
    g_assert_true(rstcause_segment_read_network(&segment, ipv4, sizeof ipv4, 24));
    g_assert_cmpuint(segment.network_length, ==, 23);
    make_ipv6(ipv6, 16 + 20 + 9);
    g_assert_true(rstcause_segment_read_network(&segment, ipv6, sizeof ipv6, 56));
    g_assert_cmpuint(segment.network_length, ==, 29);
}

/* Zero total length: the card has yet to cut it (TSO); then the length of the frame counts. */
static void read_without_ip_length(void)
{
    rstcause_segment segment = {0};
    uint8_t ip[IPV4_HEADER], ip6[IPV6_HEADER], tcp[20];

    make_ipv4(ip, 0);
    make_tcp(tcp, 5, RSTCAUSE_ACK);
    g_assert_true(rstcause_segment_read_network(&segment, ip, sizeof ip, 20));
    g_assert_cmpuint(segment.network_length, ==, 0);
    g_assert_true(rstcause_segment_read_tcp(&segment, tcp, sizeof tcp, 20 + 65160));
    g_assert_cmpuint(segment.length, ==, 65160);

    make_ipv6(ip6, 0);
    g_assert_true(rstcause_segment_read_network(&segment, ip6, sizeof ip6, 40));
    g_assert_cmpuint(segment.network_length, ==, 0);
}

static void refuse_what_is_no_ip(void)
{
    rstcause_segment segment = {0};
    uint8_t header[IPV6_HEADER];

    make_ipv4(header, 40);
    g_assert_false(rstcause_segment_read_network(&segment, header, 19, 20));
    make_ipv6(header, 40);
    g_assert_false(rstcause_segment_read_network(&segment, header, 39, 40));
    header[0] = 0x55;
    g_assert_false(rstcause_segment_read_network(&segment, header, sizeof header, 20));
    g_assert_false(rstcause_segment_read_network(&segment, header, 0, 0));
    g_assert_cmpuint(segment.source.length, ==, 0);
}

/* Ethernet pads to 60 bytes; IP says that the reset has no payload. */
static void ignore_padding(void)
{
    rstcause_segment segment = {0};
    uint8_t ip[IPV4_HEADER], tcp[26] = {0};

    make_ipv4(ip, 40);
    make_tcp(tcp, 5, RSTCAUSE_RST);
    g_assert_true(rstcause_segment_read_network(&segment, ip, sizeof ip, 20));
    g_assert_true(rstcause_segment_read_tcp(&segment, tcp, sizeof tcp, sizeof tcp));
    g_assert_cmpuint(segment.length, ==, 0);
    g_assert_null(segment.payload);
    g_assert_cmpuint(segment.payload_captured, ==, 0);
}

static void read_tcp(void)
{
    rstcause_segment segment = {0};
    uint8_t tcp[20 + 4];

    make_tcp(tcp, 5, RSTCAUSE_ACK | RSTCAUSE_PSH);
    tcp[12] |= 0x0a;
    memcpy(tcp + 20, "abcd", 4);
    g_assert_true(rstcause_segment_read_tcp(&segment, tcp, sizeof tcp, 20 + 100));
    g_assert_cmpuint(segment.source_port, ==, 40000);
    g_assert_cmpuint(segment.destination_port, ==, 443);
    g_assert_cmphex(segment.sequence, ==, 0x01020304);
    g_assert_cmphex(segment.acknowledgement, ==, 0xa0b0c0d0);
    g_assert_cmphex(segment.flags, ==, RSTCAUSE_ACK | RSTCAUSE_PSH);
    g_assert_cmpuint(segment.window, ==, 1000);
    g_assert_cmpuint(segment.length, ==, 100);
    g_assert_cmpuint(segment.payload_captured, ==, 4);
    g_assert_cmpmem(segment.payload, 4, "abcd", 4);
    g_assert_false(segment.header_is_cut);
    g_assert_cmpint(segment.window_shift, ==, -1);
}

/* Fewer than 14 bytes hold no flags; from 14 on the verdict can be given. The buffer ends where the bytes do, so
 * that a sanitizer sees any step beyond. */
static void read_cut_headers(void)
{
    uint8_t whole[40];

    make_tcp(whole, 10, RSTCAUSE_SYN);
    memcpy(whole + 20, "\x02\x04\x05\xb4\x04\x02\x08\x0a\x00\x00\x00\x01\x00\x00\x00\x02\x01\x03\x03\x07", 20);
    for (size_t captured = 0; captured <= sizeof whole; captured++) {
        rstcause_segment segment = {0};
        uint8_t *header = g_memdup2(whole, captured);
        bool is_read = rstcause_segment_read_tcp(&segment, header, captured, sizeof whole);

        g_assert_cmpint(is_read, ==, captured >= 14);
        if (is_read) {
            g_assert_cmpint(segment.header_is_cut, ==, captured < sizeof whole);
            g_assert_cmpuint(segment.window, ==, captured >= 20 ? 1000 : 0);
            g_assert_cmpint(segment.sack_permitted, ==, captured >= 26);
            g_assert_cmpint(segment.has_timestamps, ==, captured >= 36);
            g_assert_cmpint(segment.window_shift, ==, captured >= 40 ? 7 : -1);
            g_assert_cmpuint(segment.length, ==, 0);
        }
        g_free(header);
    }
}

static void refuse_short_data_offset(void)
{
    uint8_t tcp[20];

    for (unsigned words = 0; words < 5; words++) {
        rstcause_segment segment = {0};

        make_tcp(tcp, words, RSTCAUSE_RST);
        g_assert_false(rstcause_segment_read_tcp(&segment, tcp, sizeof tcp, sizeof tcp));
    }
}

/* The frame, or IP, is shorter than the header says: no payload, rather than four billion bytes. */
static void lengths_that_lie(void)
{
    rstcause_segment segment = {0};
    uint8_t ip[IPV4_HEADER], tcp[60] = {0};

    make_tcp(tcp, 15, RSTCAUSE_ACK);
    g_assert_true(rstcause_segment_read_tcp(&segment, tcp, 20, 20));
    g_assert_cmpuint(segment.length, ==, 0);
    g_assert_true(segment.header_is_cut);

    make_ipv4(ip, 30);
    g_assert_true(rstcause_segment_read_network(&segment, ip, sizeof ip, 20));
    g_assert_cmpuint(segment.network_length, ==, 10);
    make_tcp(tcp, 5, RSTCAUSE_ACK);
    g_assert_true(rstcause_segment_read_tcp(&segment, tcp, sizeof tcp, sizeof tcp));
    g_assert_cmpuint(segment.length, ==, 0);
    g_assert_null(segment.payload);

    /* IP claims more than the frame holds: cut by a snapshot length, and that is believed. */
    segment = (rstcause_segment){0};
    make_ipv4(ip, 20 + 20 + 1000);
    g_assert_true(rstcause_segment_read_network(&segment, ip, sizeof ip, 20));
    g_assert_true(rstcause_segment_read_tcp(&segment, tcp, sizeof tcp, sizeof tcp));
    g_assert_cmpuint(segment.length, ==, 1000);
    g_assert_cmpuint(segment.payload_captured, ==, 40);
}

static rstcause_segment read_options(const uint8_t *options, size_t length)
{
    rstcause_segment segment = {0};
    uint8_t header[60] = {0};

    make_tcp(header, 5 + (unsigned)(length + 3) / 4, RSTCAUSE_SYN);
    memcpy(header + 20, options, length);
    g_assert_true(rstcause_segment_read_tcp(&segment, header, 20 + (length + 3) / 4 * 4, sizeof header));
    return segment;
}

static void read_every_option(void)
{
    static const uint8_t options[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 1, 0, 1, 3, 3, 14};
    static const uint8_t sack[] = {1, 1, 5, 10, 0, 0, 0x10, 0, 0, 0, 0x20, 0};
    static const uint8_t fastclose[] = {30, 12, 0x70, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    rstcause_segment segment = read_options(options, sizeof options);

    g_assert_true(segment.sack_permitted);
    g_assert_true(segment.has_timestamps);
    g_assert_cmpuint(segment.timestamp_value, ==, 9);
    g_assert_cmpint(segment.window_shift, ==, 14);
    g_assert_cmphex(segment.option_order, ==, 0x31842);
    segment = read_options(sack, sizeof sack);
    g_assert_false(segment.sack_permitted);
    g_assert_cmphex(segment.option_order, ==, 0x511);
    segment = read_options(fastclose, sizeof fastclose);
    g_assert_true(segment.has_fastclose);
}

/* RFC 7323 section 2.3: a shift above 14 counts as 14. */
static void limit_window_shift(void)
{
    static const uint8_t options[] = {3, 3, 200, 0};

    g_assert_cmpint(read_options(options, sizeof options).window_shift, ==, 14);
}

/* What was read before the lie stays, nothing behind it is. */
static void stop_at_bad_option(const uint8_t *bad, size_t length)
{
    uint8_t options[40] = {3, 3, 5};
    rstcause_segment segment;

    memcpy(options + 3, bad, length);
    memcpy(options + 3 + length, "\x02\x04\x05\xb4", 4);
    segment = read_options(options, 3 + length + 4);
    g_assert_cmpint(segment.window_shift, ==, 5);
}

static void stop_at_bad_options(void)
{
    stop_at_bad_option((const uint8_t[]){8, 0}, 2);   /* length 0 */
    stop_at_bad_option((const uint8_t[]){8, 1}, 2);   /* shorter than itself */
    stop_at_bad_option((const uint8_t[]){8, 200}, 2); /* beyond the header */
    stop_at_bad_option((const uint8_t[]){0}, 1);      /* the end of the options */
}

/* A kind at the very end, without its length. */
static void stop_at_lone_kind(void)
{
    static const uint8_t options[] = {1, 1, 1, 8};

    g_assert_false(read_options(options, sizeof options).has_timestamps);
}

/* A known kind with a length that is not its own is skipped. */
static void skip_options_of_wrong_length(void)
{
    static const uint8_t options[] = {8, 4, 0, 0, 2, 3, 1, 3, 4, 7, 7, 5, 4, 0, 0, 1};
    rstcause_segment segment = read_options(options, sizeof options);

    g_assert_false(segment.has_timestamps);
    g_assert_cmpint(segment.window_shift, ==, -1);
}

/* RFC 9293 section 3.4: SYN and FIN take a number each. */
static void count_sequence_space(void)
{
    rstcause_segment segment = {.length = 10, .flags = RSTCAUSE_ACK};

    g_assert_cmpuint(rstcause_segment_span(&segment), ==, 10);
    segment.flags = RSTCAUSE_FIN | RSTCAUSE_ACK;
    g_assert_cmpuint(rstcause_segment_span(&segment), ==, 11);
    segment.flags = RSTCAUSE_SYN | RSTCAUSE_FIN;
    segment.length = 0;
    g_assert_cmpuint(rstcause_segment_span(&segment), ==, 2);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/segment/ipv4", read_ipv4);
    g_test_add_func("/segment/ipv6", read_ipv6);
    g_test_add_func("/segment/more-headers", read_behind_more_headers);
    g_test_add_func("/segment/no-ip-length", read_without_ip_length);
    g_test_add_func("/segment/no-ip", refuse_what_is_no_ip);
    g_test_add_func("/segment/padding", ignore_padding);
    g_test_add_func("/segment/tcp", read_tcp);
    g_test_add_func("/segment/cut-headers", read_cut_headers);
    g_test_add_func("/segment/short-data-offset", refuse_short_data_offset);
    g_test_add_func("/segment/lengths-that-lie", lengths_that_lie);
    g_test_add_func("/segment/options", read_every_option);
    g_test_add_func("/segment/window-shift", limit_window_shift);
    g_test_add_func("/segment/bad-options", stop_at_bad_options);
    g_test_add_func("/segment/lone-kind", stop_at_lone_kind);
    g_test_add_func("/segment/wrong-length", skip_options_of_wrong_length);
    g_test_add_func("/segment/span", count_sequence_space);
    return g_test_run();
}
