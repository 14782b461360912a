/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Very many connections in one capture: each reset has its own verdict, none is mixed up with another's. */
#include "rstcause/tracker.h"

#include "rstcause/stated.h"
#include "traffic.h"

enum { CONNECTIONS = 200000, CLOSED_CONNECTIONS = 5000 };

static void set_address(rstcause_address *address, uint32_t value)
{
    *address = (rstcause_address){.length = 4};
    for (unsigned i = 0; i < 4; i++)
        address->bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* The two halves of each address are alike in their bits, so that a hash that merely combined them would see one. */
static void set_address_of_v6(rstcause_address *address, uint32_t value)
{
    *address = (rstcause_address){.length = 16};
    for (unsigned i = 0; i < 4; i++)
        address->bytes[i] = address->bytes[8 + i] = (uint8_t)(value >> (24 - 8 * i));
}

/* SYNs from addresses that differ, as in a flood with forged sources; each is refused. */
static void refuse_a_flood(gconstpointer data)
{
    rstcause_tracker *tracker = rstcause_tracker_new(rstcause_stated_default_magic);
    void (*const set)(rstcause_address *, uint32_t) = GPOINTER_TO_INT(data) == 6 ? set_address_of_v6 : set_address;
    int64_t time = 0;

    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        rstcause_segment syn = {.frame = 2 * i + 1,
                                .time = time,
                                .ttl = 64,
                                .has_ip_id = true,
                                .ip_id = 0,
                                .flags = RSTCAUSE_SYN,
                                .source_port = (uint16_t)(1024 + i % 50000),
                                .destination_port = 80,
                                .sequence = i * 2654435761u,
                                .window_shift = -1};
        rstcause_segment rst = {.frame = 2 * i + 2,
                                .time = time + 20000,
                                .ttl = 64,
                                .has_ip_id = true,
                                .flags = RSTCAUSE_RST | RSTCAUSE_ACK,
                                .source_port = 80,
                                .destination_port = syn.source_port,
                                .acknowledgement = syn.sequence + 1,
                                .window_shift = -1};
        const rstcause_verdict *verdict;

        set(&syn.source, 0x0a000000 + i);
        set(&syn.destination, 0xc0a80001);
        rst.source = syn.destination;
        rst.destination = syn.source;
        g_assert_false(rstcause_tracker_observe(tracker, &syn));
        g_assert_true(rstcause_tracker_observe(tracker, &rst));
        verdict = rstcause_tracker_find(tracker, rst.frame, 0);
        g_assert_nonnull(verdict);
        g_assert_cmpint(verdict->cause, ==, RSTCAUSE_CLOSED_PORT);
        g_assert_cmpuint(verdict->trigger, ==, syn.frame);
        time += 1000;
    }
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        g_assert_null(rstcause_tracker_find(tracker, 2 * i + 1, 0));
        g_assert_nonnull(rstcause_tracker_find(tracker, 2 * i + 2, 0));
    }
    rstcause_tracker_free(tracker);
}

/* What served the look back is given back, so that a long capture costs what its ends do. With a first connection
 * stamped in the future, as by a capture card that lost its clock, too. */
static void forget_what_is_closed(gconstpointer is_first_in_future)
{
    traffic *played = traffic_begin();
    const int64_t begun = played->time;
    size_t before = traffic_heap();

    if (is_first_in_future != NULL)
        played->time = INT64_C(1) << 61;
    for (uint32_t i = 0; i < CLOSED_CONNECTIONS; i++) {
        traffic_play(played, 0x0a000000 + i, 40000, TRAFFIC_CLOSED, 16);
        if (i == 0)
            played->time = begun;
    }
    /* Of the last 60 or so none has rested for long. */
    g_assert_cmpuint((traffic_heap() - before) / CLOSED_CONNECTIONS, <, 512);
    traffic_end_all(played);
}

/* The layers of a tunnel are told apart: the same frame may hold two resets. */
static void tell_layers_apart(void)
{
    rstcause_tracker *tracker = rstcause_tracker_new(rstcause_stated_default_magic);
    rstcause_segment outer = {
        .frame = 1, .layer = 0, .flags = RSTCAUSE_RST, .source_port = 1, .destination_port = 2, .window_shift = -1};
    rstcause_segment inner = {
        .frame = 1, .layer = 1, .flags = RSTCAUSE_RST, .source_port = 3, .destination_port = 4, .window_shift = -1};

    inner.flags |= RSTCAUSE_ACK;
    g_assert_true(rstcause_tracker_observe(tracker, &outer));
    g_assert_true(rstcause_tracker_observe(tracker, &inner));
    g_assert_cmpint(rstcause_tracker_find(tracker, 1, 0)->cause, ==, RSTCAUSE_UNKNOWN);
    g_assert_cmpint(rstcause_tracker_find(tracker, 1, 1)->cause, ==, RSTCAUSE_CLOSED_PORT);
    g_assert_null(rstcause_tracker_find(tracker, 1, 2));
    g_assert_null(rstcause_tracker_find(tracker, 2, 0));
    rstcause_tracker_free(tracker);
}

/* tshark -2 -R drops a frame after its first pass and gives its number to the next one. What pointed to the verdict on
 * the first still does. */
static void take_frame_number_again(void)
{
    rstcause_tracker *tracker = rstcause_tracker_new(rstcause_stated_default_magic);
    rstcause_segment data = {.frame = 1,
                             .time = 1000,
                             .flags = RSTCAUSE_ACK,
                             .source_port = 1,
                             .destination_port = 2,
                             .sequence = 100,
                             .acknowledgement = 500,
                             .length = 10,
                             .window = 1000,
                             .window_shift = -1};
    rstcause_segment rst = {.frame = 2,
                            .time = 2000,
                            .flags = RSTCAUSE_RST,
                            .source_port = 2,
                            .destination_port = 1,
                            .sequence = 500,
                            .window_shift = -1};
    rstcause_segment late;

    set_address(&data.source, 0x0a000001);
    set_address(&data.destination, 0x0a000002);
    rst.source = data.destination;
    rst.destination = data.source;
    rstcause_tracker_observe(tracker, &data);
    rstcause_tracker_observe(tracker, &rst);
    g_assert_cmpint(rstcause_tracker_find(tracker, 2, 0)->cause, ==, RSTCAUSE_HALF_OPEN);
    late = data;
    late.frame = 2;
    late.sequence = 110;
    late.time = 3000;
    rstcause_tracker_observe(tracker, &late);
    rst.time = 4000;
    rstcause_tracker_observe(tracker, &rst);
    g_assert_cmpint(rstcause_tracker_find(tracker, 2, 0)->cause, ==, RSTCAUSE_ALREADY_RESET);
    /* Its sender goes on: what was said of both is asked again. */
    rst.flags = RSTCAUSE_ACK;
    rst.frame = 3;
    rst.time = 1000000000;
    rst.length = 10;
    rst.acknowledgement = 120;
    rstcause_tracker_observe(tracker, &rst);
    g_assert_nonnull(rstcause_tracker_find(tracker, 2, 0)->explanation);
    rstcause_tracker_free(tracker);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/flood/refused-ipv4", GINT_TO_POINTER(4), refuse_a_flood);
    g_test_add_data_func("/flood/refused-ipv6", GINT_TO_POINTER(6), refuse_a_flood);
    g_test_add_data_func("/flood/closed", NULL, forget_what_is_closed);
    g_test_add_data_func("/flood/closed-in-future", "", forget_what_is_closed);
    g_test_add_func("/flood/layers", tell_layers_apart);
    g_test_add_func("/flood/frame-number-again", take_frame_number_again);
    return g_test_run();
}
