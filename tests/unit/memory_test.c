/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a connection and a host cost, everything counted: heap growth by their number. */
#include "traffic.h"

enum { COUNT = 100000, CLIENTS = 4 };

static const int64_t second = INT64_C(1000000000);

/* Few hosts with very many connections, or one with each connection. */
static size_t measure(bool has_few_hosts, bool is_ipv6, traffic_end end)
{
    traffic *played = traffic_begin();
    size_t before = traffic_heap(), bytes;

    played->is_ipv6 = is_ipv6;
    played->has_ip_ids = true;
    for (uint32_t i = 0; i < COUNT; i++)
        traffic_play(played, 0x0a000000 + (has_few_hosts ? i % CLIENTS : i), (uint16_t)(1024 + i / CLIENTS), end, 3);
    traffic_wait(played, 10 * second, COUNT);
    bytes = (traffic_heap() - before) / COUNT;
    traffic_end_all(played);
    return bytes;
}

static void expect_at_most(size_t limit, const char *what, size_t bytes)
{
    if (traffic_heap() == 0) {
        g_test_skip("the C library does not tell what it gave");
        return;
    }
    g_test_message("%zu bytes for %s", bytes, what);
    g_assert_cmpuint(bytes, <=, limit);
}

static void weigh_closed(void)
{
    expect_at_most(384, "a connection with handshake, data and close", measure(true, false, TRAFFIC_CLOSED));
}

/* Idle, so that all that was sent is acknowledged for long; the last acknowledgement may yet be answered. */
static void weigh_open(void)
{
    expect_at_most(448, "a connection with handshake and data that is open and idle",
                   measure(true, false, TRAFFIC_OPEN));
}

static void weigh_syn(void)
{
    expect_at_most(256, "a connection that saw a SYN only", measure(true, false, TRAFFIC_SYN));
}

/* With the case of its reset, which is kept for good. */
static void weigh_refused(void)
{
    expect_at_most(900, "a SYN that was refused", measure(false, false, TRAFFIC_REFUSED));
}

static void weigh_host(void)
{
    size_t v4 = measure(false, false, TRAFFIC_SYN), v6 = measure(false, true, TRAFFIC_SYN);

    expect_at_most(320, "an address of a SYN flood, IPv4", v4);
    expect_at_most(320, "an address of a SYN flood, IPv6", v6);
    expect_at_most(64, "a host", v6 - measure(true, true, TRAFFIC_SYN));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/memory/closed", weigh_closed);
    g_test_add_func("/memory/open", weigh_open);
    g_test_add_func("/memory/syn", weigh_syn);
    g_test_add_func("/memory/refused", weigh_refused);
    g_test_add_func("/memory/host", weigh_host);
    return g_test_run();
}
