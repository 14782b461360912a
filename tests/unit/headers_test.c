/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding the headers of a segment among bytes: what agrees is taken, whatever stands before it, and nothing else. */
#include "rstcause/headers.h"

#include <string.h>

enum { SEED = 13, BEFORE = 14, IPV4_HEADER = 20, IPV6_HEADER = 40, TCP_HEADER = 20 };

static const uint8_t address_4[8] = {10, 1, 2, 3, 10, 4, 5, 6};
static const uint8_t address_6[32] = {0x20, 1, [15] = 1, 0x20, 1, [31] = 2};

static const rstcause_wanted wanted_4 = {address_4, address_4 + 4, 4, 40000, 443};
static const rstcause_wanted wanted_6 = {address_6, address_6 + 16, 16, 40000, 443};

static void append(GByteArray *packet, const void *bytes, unsigned length)
{
    g_byte_array_append(packet, bytes, length);
}

static void append_tcp(GByteArray *packet)
{
    static const uint8_t tcp[TCP_HEADER] = {0x9c, 0x40, 0x01, 0xbb, [12] = 0x50, 0x10};

    append(packet, tcp, sizeof tcp);
}

/* What stands before is of the link; 'extensions' stand between the header and TCP. */
static GByteArray *make_ipv4(uint8_t protocol, const void *extensions, unsigned length)
{
    uint8_t header[IPV4_HEADER] = {0x45, 0, 0, (uint8_t)(IPV4_HEADER + length + TCP_HEADER), [8] = 64, protocol};
    GByteArray *packet = g_byte_array_new();

    memcpy(header + 12, address_4, sizeof address_4);
    append(packet, "\x02\0\0\0\0\1\x02\0\0\0\0\2\x08\0", BEFORE);
    append(packet, header, sizeof header);
    append(packet, extensions, length);
    append_tcp(packet);
    return packet;
}

static GByteArray *make_ipv6(uint8_t next, const void *extensions, unsigned length)
{
    uint8_t header[IPV6_HEADER] = {0x60, [5] = (uint8_t)(length + TCP_HEADER), next, 64};
    GByteArray *packet = g_byte_array_new();

    memcpy(header + 8, address_6, sizeof address_6);
    append(packet, "\x02\0\0\0\0\1\x02\0\0\0\0\2\x86\xdd", BEFORE);
    append(packet, header, sizeof header);
    append(packet, extensions, length);
    append_tcp(packet);
    return packet;
}

/* Looks in a buffer of just its length. */
static bool find(rstcause_headers *found, const GByteArray *packet, unsigned captured, const rstcause_wanted *wanted)
{
    uint8_t *copy = g_memdup2(packet->data, captured);
    bool is_found = rstcause_headers_find(found, copy, captured, 0, wanted);

    g_free(copy);
    return is_found;
}

static void check(GByteArray *packet, const rstcause_wanted *wanted, size_t to_tcp)
{
    rstcause_headers found;
    rstcause_wanted of_ports_only = *wanted;

    g_assert_true(find(&found, packet, packet->len, wanted));
    g_assert_cmpuint(found.network, ==, BEFORE);
    g_assert_cmpuint(found.tcp, ==, BEFORE + to_tcp);
    g_assert_cmpuint(found.end, ==, packet->len);
    g_assert_true(rstcause_headers_are_at(&found, packet->data, packet->len, BEFORE, wanted));
    g_assert_false(rstcause_headers_are_at(&found, packet->data, packet->len, BEFORE - 1, wanted));
    g_assert_false(rstcause_headers_are_at(&found, packet->data, packet->len, packet->len + 1, wanted));
    of_ports_only.address_length = 0;
    g_assert_true(find(&found, packet, packet->len, &of_ports_only));
    /* The flags are there with 14 bytes of TCP. */
    g_assert_true(find(&found, packet, BEFORE + (unsigned)to_tcp + 14, wanted));
    for (unsigned captured = 0; captured < BEFORE + to_tcp + 14; captured++)
        g_assert_false(find(&found, packet, captured, wanted));
    g_byte_array_free(packet, true);
}

static void check_not(GByteArray *packet, const rstcause_wanted *wanted)
{
    rstcause_headers found;

    g_assert_false(find(&found, packet, packet->len, wanted));
    g_byte_array_free(packet, true);
}

static const uint8_t padding[8] = {6, 0, 1, 4};
static const uint8_t authentication[12] = {6, 1};
static const uint8_t atomic_fragment[8] = {6};
static const uint8_t first_fragment[8] = {6, 0, 0, 1};
static const uint8_t later_fragment[8] = {6, 0, 0, 8};

static void plain(void)
{
    check(make_ipv4(6, NULL, 0), &wanted_4, IPV4_HEADER);
    check(make_ipv6(6, NULL, 0), &wanted_6, IPV6_HEADER);
    check_not(make_ipv4(6, NULL, 0), &wanted_6);
    check_not(make_ipv6(6, NULL, 0), &wanted_4);
}

static void between(void)
{
    GByteArray *packet = make_ipv4(6, "\1\1\1\1", 4);

    packet->data[BEFORE] = 0x46;
    check(packet, &wanted_4, IPV4_HEADER + 4);
    check(make_ipv4(51, authentication, sizeof authentication), &wanted_4, IPV4_HEADER + sizeof authentication);
    check(make_ipv4(50, "\0\0\1\0\0\0\0\1", 8), &wanted_4, IPV4_HEADER + 8);
    check(make_ipv6(0, padding, sizeof padding), &wanted_6, IPV6_HEADER + sizeof padding);
    check(make_ipv6(60, padding, sizeof padding), &wanted_6, IPV6_HEADER + sizeof padding);
    check(make_ipv6(51, authentication, sizeof authentication), &wanted_6, IPV6_HEADER + sizeof authentication);
    check(make_ipv6(44, atomic_fragment, sizeof atomic_fragment), &wanted_6, IPV6_HEADER + sizeof atomic_fragment);
}

/* One thing that does not agree is enough. */
static void disagreement(void)
{
    static const struct {
        size_t at;
        uint8_t value;
    } changes[] = {
        {0, 0x65},               /* version */
        {0, 0x44},               /* header length */
        {2, 0x00},               /* total length, set to 22 below */
        {9, 17},                 /* protocol */
        {12, 11},                /* source */
        {19, 7},                 /* destination */
        {IPV4_HEADER + 1, 0x41}, /* source port */
        {IPV4_HEADER + 3, 0xba}, /* destination port */
    };

    for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
        GByteArray *packet = make_ipv4(6, NULL, 0);

        packet->data[BEFORE + changes[i].at] = changes[i].value;
        if (changes[i].at == 2)
            packet->data[BEFORE + 3] = 22;
        check_not(packet, &wanted_4);
    }
}

/* A source route has another destination in the header than the last one, which is the wanted one. */
static void on_its_way(void)
{
    GByteArray *packet = make_ipv6(43, padding, sizeof padding);

    packet->data[BEFORE + 39] = 9;
    check(packet, &wanted_6, IPV6_HEADER + sizeof padding);
}

static void fragments(void)
{
    rstcause_headers found;
    GByteArray *packet = make_ipv6(44, first_fragment, sizeof first_fragment);
    size_t network, tcp;
    uint8_t carried;

    g_assert_true(find(&found, packet, packet->len, &wanted_6));
    g_assert_true(found.is_fragment);
    g_byte_array_free(packet, true);
    check_not(make_ipv6(44, later_fragment, sizeof later_fragment), &wanted_6);

    packet = make_ipv6(44, later_fragment, sizeof later_fragment);
    g_assert_true(rstcause_headers_find_network(&network, &carried, packet->data, packet->len, &wanted_6));
    g_assert_cmpuint(network, ==, BEFORE);
    g_assert_cmpuint(carried, ==, 6);
    g_byte_array_free(packet, true);
    packet = make_ipv4(6, NULL, 0);
    g_assert_false(rstcause_headers_find_network(&network, &carried, packet->data, packet->len, &wanted_4));
    packet->data[BEFORE + 7] = 1;
    g_assert_true(rstcause_headers_find_network(&network, &carried, packet->data, packet->len, &wanted_4));
    g_assert_cmpuint(carried, ==, 6);
    g_assert_true(rstcause_headers_find_tcp(&tcp, carried, packet->data + BEFORE + IPV4_HEADER, TCP_HEADER, &wanted_4));
    g_assert_cmpuint(tcp, ==, 0);
    g_assert_false(rstcause_headers_find_tcp(&tcp, 17, packet->data + BEFORE + IPV4_HEADER, TCP_HEADER, &wanted_4));
    g_assert_false(rstcause_headers_find_tcp(&tcp, 6, packet->data + BEFORE + IPV4_HEADER, 13, &wanted_4));
    g_byte_array_free(packet, true);
}

/* Behind an initialisation vector, and behind further extension headers. */
static void other_buffer(void)
{
    GByteArray *decrypted = g_byte_array_new();
    size_t tcp;

    append(decrypted, padding, sizeof padding);
    append_tcp(decrypted);
    g_assert_true(rstcause_headers_find_tcp(&tcp, 50, decrypted->data, decrypted->len, &wanted_4));
    g_assert_cmpuint(tcp, ==, 8);
    g_assert_true(rstcause_headers_find_tcp(&tcp, 60, decrypted->data, decrypted->len, &wanted_6));
    g_assert_cmpuint(tcp, ==, 8);
    g_assert_false(rstcause_headers_find_tcp(&tcp, 6, decrypted->data, decrypted->len, &wanted_6));
    g_byte_array_free(decrypted, true);
}

/* Damaged packets, and chains of headers that lie: nothing is read behind the end. */
static void mutations(void)
{
    GRand *random = g_rand_new_with_seed(SEED);
    unsigned found_in = 0;

    for (unsigned i = 0; i < 20000; i++) {
        const rstcause_wanted *wanted = i % 2 ? &wanted_6 : &wanted_4;
        GByteArray *packet = i % 2 ? make_ipv6(i % 4 == 1 ? 0 : 44, padding, sizeof padding) : make_ipv4(6, NULL, 0);
        unsigned captured = (unsigned)g_rand_int_range(random, 0, (gint32)packet->len + 1);
        rstcause_headers found;
        rstcause_wanted any = *wanted;
        size_t network, tcp;
        uint8_t carried;

        for (unsigned count = (unsigned)g_rand_int_range(random, 0, 3); count > 0; count--)
            packet->data[g_rand_int_range(random, 0, (gint32)packet->len)] = (uint8_t)g_rand_int_range(random, 0, 256);
        any.address_length = 0;
        found_in += find(&found, packet, captured, wanted);
        find(&found, packet, captured, &any);
        g_byte_array_set_size(packet, captured);
        rstcause_headers_find_network(&network, &carried, packet->data, packet->len, &any);
        rstcause_headers_find_tcp(&tcp, (uint8_t)(i % 64), packet->data, packet->len, wanted);
        g_byte_array_free(packet, true);
    }
    g_assert_cmpuint(found_in, >, 0);
    g_rand_free(random);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/headers/plain", plain);
    g_test_add_func("/headers/between", between);
    g_test_add_func("/headers/disagreement", disagreement);
    g_test_add_func("/headers/on-its-way", on_its_way);
    g_test_add_func("/headers/fragments", fragments);
    g_test_add_func("/headers/other-buffer", other_buffer);
    g_test_add_func("/headers/mutations", mutations);
    return g_test_run();
}
