/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the engine's time and memory grow with segments, connections and hosts: doubling series, each in a tracker of its
 * own, by the processor's clock. Prints a table; what is linear has the same numbers in each row of a series. Not a
 * test: the largest row needs 4 GB.
 */
#include "unit/traffic.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SMALLEST = 93750, DOUBLINGS = 5, ROUNDS = 3 };

typedef struct {
    const char *name;
    void (*play)(traffic *played, uint32_t count);
} series;

static void play_floods(traffic *played, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        traffic_play(played, 0x01000000 + i, 1024, TRAFFIC_SYN, 0);
}

static void play_refusals(traffic *played, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        traffic_play(played, 0x01000000 + i, 1024, TRAFFIC_REFUSED, 0);
}

static void play_closed(traffic *played, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        traffic_play(played, 0x01000000 + i / 50000, (uint16_t)(1024 + i % 50000), TRAFFIC_CLOSED, ROUNDS);
}

static void play_open(traffic *played, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        traffic_play(played, 0x01000000 + i / 50000, (uint16_t)(1024 + i % 50000), TRAFFIC_OPEN, ROUNDS);
}

/* So fast that no window is released before the end. */
static void play_at_once(traffic *played, uint32_t count)
{
    played->step = 10;
    play_closed(played, count);
}

static void play_one(traffic *played, uint32_t count)
{
    traffic_play(played, 0x01000000, 1024, TRAFFIC_OPEN, count / 4);
}

/* Always the same segment, so that it is looked for among the recent ones each time. */
static void play_repeats(traffic *played, uint32_t count)
{
    rstcause_segment segment = {.source = traffic_address(played, 0x01000000),
                                .destination = traffic_address(played, 0x02000000),
                                .source_port = 1024,
                                .destination_port = 80,
                                .flags = RSTCAUSE_ACK,
                                .has_ip_id = true,
                                .window_shift = -1,
                                .length = 100};

    for (uint32_t i = 0; i < count; i++) {
        segment.frame = ++played->frame;
        segment.time = played->time += 10000;
        segment.ip_id++;
        rstcause_tracker_observe(played->tracker, &segment);
    }
}

static const series all_series[] = {
    {"SYN flood, each from an address of its own", play_floods},
    {"SYN flood, refused", play_refusals},
    {"connections with handshake, data and close", play_closed},
    {"... all within 4 seconds", play_at_once},
    {"connections that stay open", play_open},
    {"segments of one connection", play_one},
    {"repeats of one segment", play_repeats},
};

static void measure(const series *measured, uint32_t count)
{
    traffic *played = traffic_begin();
    size_t before = traffic_heap();
    clock_t begun = clock();

    measured->play(played, count);
    begun = clock() - begun;
    printf("%10u %12u %10.0f ns %10.1f bytes\n", count, played->frame,
           1e9 * (double)begun / CLOCKS_PER_SEC / played->frame, ((double)traffic_heap() - (double)before) / count);
    fflush(stdout);
    traffic_end_all(played);
}

/* With a number, that series only; with a second one, so many doublings. */
int main(int argc, char **argv)
{
    int doublings = argc > 2 ? atoi(argv[2]) : DOUBLINGS;

    for (size_t i = 0; i < G_N_ELEMENTS(all_series); i++) {
        if (argc > 1 && (size_t)atoi(argv[1]) != i)
            continue;
        printf("%s\n%10s %12s %13s %16s\n", all_series[i].name, "count", "segments", "a segment", "a count");
        for (uint32_t count = SMALLEST; count <= (uint32_t)SMALLEST << doublings; count *= 2)
            measure(&all_series[i], count);
    }
    return 0;
}
