/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Very many connections in one capture: each reset has its own verdict, none is mixed up with another's. */
#include "rstcause/tracker.h"

#include "rstcause/stated.h"

enum { CONNECTIONS = 200000 };

static void set_address(rstcause_address *address, guint32 value)
{
    *address = (rstcause_address) { .length = 4 };
    for (guint i = 0; i < 4; i++)
        address->bytes[i] = (guint8)(value >> (24 - 8 * i));
}

/* SYNs from addresses that differ, as in a flood with forged sources; each is refused. */
static void refuse_a_flood(void)
{
    rstcause_tracker *tracker = rstcause_tracker_new(rstcause_stated_default_magic);
    gint64 time = 0;

    for (guint32 i = 0; i < CONNECTIONS; i++) {
        rstcause_segment syn = { .frame = 2 * i + 1, .time = time, .ttl = 64, .has_ip_id = TRUE, .ip_id = 0, .flags = RSTCAUSE_SYN,
                                 .source_port = (guint16)(1024 + i % 50000), .destination_port = 80, .sequence = i * 2654435761u, .window_shift = -1 };
        rstcause_segment rst = { .frame = 2 * i + 2, .time = time + 20000, .ttl = 64, .has_ip_id = TRUE, .flags = RSTCAUSE_RST | RSTCAUSE_ACK,
                                 .source_port = 80, .destination_port = syn.source_port, .acknowledgement = syn.sequence + 1, .window_shift = -1 };
        const rstcause_verdict *verdict;

        set_address(&syn.source, 0x0a000000 + i);
        set_address(&syn.destination, 0xc0a80001);
        rst.source = syn.destination;
        rst.destination = syn.source;
        g_assert_null(rstcause_tracker_observe(tracker, &syn));
        verdict = rstcause_tracker_observe(tracker, &rst);
        g_assert_nonnull(verdict);
        g_assert_cmpint(verdict->cause, ==, RSTCAUSE_CLOSED_PORT);
        g_assert_cmpuint(verdict->trigger, ==, syn.frame);
        time += 1000;
    }
    for (guint32 i = 0; i < CONNECTIONS; i++) {
        g_assert_null(rstcause_tracker_find(tracker, 2 * i + 1, 0));
        g_assert_nonnull(rstcause_tracker_find(tracker, 2 * i + 2, 0));
    }
    rstcause_tracker_free(tracker);
}

/* The layers of a tunnel are told apart: the same frame may hold two resets. */
static void tell_layers_apart(void)
{
    rstcause_tracker *tracker = rstcause_tracker_new(rstcause_stated_default_magic);
    rstcause_segment outer = { .frame = 1, .layer = 0, .flags = RSTCAUSE_RST, .source_port = 1, .destination_port = 2, .window_shift = -1 };
    rstcause_segment inner = { .frame = 1, .layer = 1, .flags = RSTCAUSE_RST, .source_port = 3, .destination_port = 4, .window_shift = -1 };
    const rstcause_verdict *of_outer = rstcause_tracker_observe(tracker, &outer), *of_inner = rstcause_tracker_observe(tracker, &inner);

    g_assert_true(of_outer != of_inner);
    g_assert_true(rstcause_tracker_find(tracker, 1, 0) == of_outer);
    g_assert_true(rstcause_tracker_find(tracker, 1, 1) == of_inner);
    g_assert_null(rstcause_tracker_find(tracker, 1, 2));
    g_assert_null(rstcause_tracker_find(tracker, 2, 0));
    rstcause_tracker_free(tracker);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/flood/refused", refuse_a_flood);
    g_test_add_func("/flood/layers", tell_layers_apart);
    return g_test_run();
}
