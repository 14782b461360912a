/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is learned of one address: its stack by the options of its SYN, its TTL, whether it scans. */
#include "follow/host.h"

#include <string.h>

static host_stack stack_of(const char *options, unsigned length, uint8_t ttl)
{
    rstcause_segment segment = {.ttl = ttl};
    uint8_t header[60] = {[12] = (uint8_t)((5 + length / 4) << 4), [13] = RSTCAUSE_SYN};

    g_assert_cmpuint(length % 4, ==, 0);
    memcpy(header + 20, options, length);
    g_assert_true(rstcause_segment_read_tcp(&segment, header, 20 + length, 20 + length));
    return stack_of_syn(&segment);
}

/* MSS, SACK permitted, timestamps, no-operation, window scale: tcp_options_write() in Linux's net/ipv4/tcp_output.c. */
static void know_linux(void)
{
    g_assert_cmpint(stack_of("\2\4\5\xb4\4\2\x8\xa\0\0\0\1\0\0\0\0\1\3\3\7", 20, 64), ==, STACK_LINUX);
    g_assert_cmpint(stack_of("\2\4\5\xb4\1\1\4\2\1\3\3\7", 12, 52), ==, STACK_LINUX);
    g_assert_cmpint(stack_of("\2\4\5\xb4\4\2\x8\xa\0\0\0\1\0\0\0\0", 16, 64), ==, STACK_LINUX);
}

/* All options off but the MSS: the window tells it, 44 segments of 1460 (tcp_select_initial_window()). */
static void know_linux_with_options_off(void)
{
    const rstcause_segment linux_syn = {.ttl = 57, .option_order = 2, .mss = 1460, .window = 64240};
    const rstcause_segment from_255 = {.ttl = 250, .option_order = 2, .mss = 1460, .window = 64240};
    const rstcause_segment other_window = {.ttl = 57, .option_order = 2, .mss = 1460, .window = 65535};
    const rstcause_segment one_segment = {.ttl = 57, .option_order = 2, .mss = 1460, .window = 1460};

    g_assert_cmpint(stack_of_syn(&linux_syn), ==, STACK_LINUX);
    g_assert_cmpint(stack_of_syn(&from_255), ==, STACK_UNKNOWN);
    g_assert_cmpint(stack_of_syn(&other_window), ==, STACK_UNKNOWN);
    g_assert_cmpint(stack_of_syn(&one_segment), ==, STACK_UNKNOWN);
}

/* What follows, here the request for a fast open (RFC 7413), does not disguise it. */
static void know_linux_with_fast_open(void)
{
    g_assert_cmpint(stack_of("\2\4\5\xb4\4\2\x8\xa\0\0\0\1\0\0\0\0\1\3\3\7\x22\2\1\1", 24, 64), ==, STACK_LINUX);
}

/* Signatures of p0f 3: Windows 7 and later, and XP, whose options others write, too, but not from TTL 128. */
static void know_windows(void)
{
    g_assert_cmpint(stack_of("\2\4\5\xb4\1\3\3\x8\1\1\4\2", 12, 128), ==, STACK_WINDOWS);
    g_assert_cmpint(stack_of("\2\4\5\xb4\1\3\3\x8\1\1\4\2", 12, 110), ==, STACK_WINDOWS);
    g_assert_cmpint(stack_of("\2\4\5\xb4\1\1\4\2", 8, 120), ==, STACK_WINDOWS);
    g_assert_cmpint(stack_of("\2\4\5\xb4\1\1\4\2", 8, 60), !=, STACK_WINDOWS);
}

static void know_darwin(void)
{
    g_assert_cmpint(stack_of("\2\4\5\xb4\1\3\3\6\1\1\x8\xa\0\0\0\1\0\0\0\0\4\2\0\0", 24, 64), ==, STACK_DARWIN);
}

/* A raw SYN of a scanner has nobody's fingerprint. */
static void know_nobody(void)
{
    g_assert_cmpint(stack_of("\2\4\5\xb4", 4, 50), ==, STACK_UNKNOWN);
    g_assert_cmpint(stack_of("", 0, 50), ==, STACK_UNKNOWN);
}

static void learn_ttl(void)
{
    host learner = {0};
    rstcause_segment segment = {.ttl = 52};

    host_learn(&learner, &segment);
    host_learn(&learner, &segment);
    g_assert_cmpuint(learner.ttl, ==, 52);
    g_assert_cmpuint(learner.ttl_seen, ==, 2);
    g_assert_false(learner.ttl_varies);
    segment.ttl = 50;
    host_learn(&learner, &segment);
    g_assert_true(learner.ttl_varies);
}

/* The same target again (a retransmission) is one probe; a connection that came about is none. */
static void count_probes(void)
{
    host learner = {0};
    rstcause_segment syn = {.flags = RSTCAUSE_SYN, .destination = {.length = 4, .bytes = {10, 0, 0, 2}}};

    host_discount_probe(&learner);
    g_assert_cmpuint(learner.probes, ==, 0);
    for (uint16_t port = 1; port <= 5; port++) {
        syn.destination_port = port;
        host_count_probe(&learner, &syn);
        host_count_probe(&learner, &syn);
    }
    g_assert_cmpuint(learner.probes, ==, 5);
    host_discount_probe(&learner);
    g_assert_cmpuint(learner.probes, ==, 4);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/host/linux", know_linux);
    g_test_add_func("/host/linux-fast-open", know_linux_with_fast_open);
    g_test_add_func("/host/linux-options-off", know_linux_with_options_off);
    g_test_add_func("/host/windows", know_windows);
    g_test_add_func("/host/darwin", know_darwin);
    g_test_add_func("/host/nobody", know_nobody);
    g_test_add_func("/host/ttl", learn_ttl);
    g_test_add_func("/host/probes", count_probes);
    return g_test_run();
}
