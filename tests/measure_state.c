/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How the engine's time and memory grow with segments, connections and hosts: doubling series, each in a tracker of its
 * own, by the processor's clock. Prints a table; what is linear has the same numbers in each row of a series. The largest
 * row needs 4 GB. hostile_test.py has single rows measured, and counts their instructions.
 */
#include "unit/traffic.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* The port pair of one segment, from address and port to the server's; 'random' is any number. */
static rstcause_segment begin_segment(traffic *played, uint32_t client, uint16_t port, uint8_t flags, uint32_t random)
{
    rstcause_segment segment = {.source = traffic_address(played, client),
                                .destination = traffic_address(played, played->server),
                                .source_port = port,
                                .destination_port = 443,
                                .flags = flags,
                                .ttl = 64,
                                .has_ip_id = !played->is_ipv6,
                                .ip_id = (uint16_t)random,
                                .sequence = random,
                                .window_shift = -1};

    segment.frame = ++played->frame;
    segment.time = played->time += played->step;
    return segment;
}

static void play_addresses(traffic *played, uint32_t count)
{
    played->is_ipv6 = true;
    play_floods(played, count);
}

/* The same last byte and the same port, and in each half of the address the same bits: what a plain sum or an exclusive or
 * would hash takes them for one. */
static void play_collisions(traffic *played, uint32_t count)
{
    played->is_ipv6 = true;
    for (uint32_t i = 0; i < count; i++) {
        rstcause_segment segment = begin_segment(played, 0x7f000001, 1024, RSTCAUSE_SYN, i * 2654435761u);

        for (unsigned byte = 0; byte < 4; byte++)
            segment.source.bytes[byte] = segment.source.bytes[8 + byte] = (uint8_t)(i >> 8 * byte);
        rstcause_tracker_observe(played->tracker, &segment);
    }
}

static void play_resets_of_one(traffic *played, uint32_t count)
{
    traffic_play(played, 0x01000000, 1024, TRAFFIC_OPEN, ROUNDS);
    for (uint32_t i = 0; i < count; i++) {
        rstcause_segment segment = begin_segment(played, 0x01000000, 1024, RSTCAUSE_RST, i * 2654435761u);

        rstcause_tracker_observe(played->tracker, &segment);
    }
}

/* No two resets from the same place or to the same port, and nothing before any of them. */
static void play_stray_resets(traffic *played, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t random = i * 2654435761u;
        rstcause_segment segment =
            begin_segment(played, 0x01000000 + i / 65536, (uint16_t)i, RSTCAUSE_RST | RSTCAUSE_ACK, random);

        segment.destination_port = (uint16_t)(random >> 16);
        rstcause_tracker_observe(played->tracker, &segment);
    }
}

/* One port pair. */
static void play_reuse(traffic *played, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        traffic_play(played, 0x01000000, 1024, TRAFFIC_CLOSED, 0);
}

/* One host asks every port of every host; each is refused. */
static void play_scan(traffic *played, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t random = i * 2654435761u;
        rstcause_segment syn = begin_segment(played, 0x01000000, 1024, RSTCAUSE_SYN, random), reset;

        syn.destination = traffic_address(played, 0x02000000 + i / 1000);
        syn.destination_port = (uint16_t)(i % 1000);
        rstcause_tracker_observe(played->tracker, &syn);
        reset = begin_segment(played, 0x01000000, 1024, RSTCAUSE_RST | RSTCAUSE_ACK, 0);
        reset.source = syn.destination;
        reset.destination = syn.source;
        reset.source_port = syn.destination_port;
        reset.destination_port = syn.source_port;
        reset.acknowledgement = syn.sequence + 1;
        rstcause_tracker_observe(played->tracker, &reset);
    }
}

/* Each segment of a connection, data and resets. */
static void play_eight_times(traffic *played, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t flags = i % 4 == 3 ? RSTCAUSE_RST | RSTCAUSE_ACK : RSTCAUSE_ACK;
        rstcause_segment segment = begin_segment(played, 0x01000000 + i / 4, 1024, flags, i * 100);

        segment.length = flags == RSTCAUSE_ACK ? 100 : 0;
        rstcause_tracker_observe(played->tracker, &segment);
        for (unsigned copy = 1; copy < 8; copy++) {
            segment.frame = ++played->frame;
            segment.time = played->time += 1000;
            rstcause_tracker_observe(played->tracker, &segment);
        }
    }
}

static void play_behind_future(traffic *played, uint32_t count)
{
    int64_t begun = played->time;

    played->time = INT64_C(1) << 61;
    traffic_play(played, 0x7f000001, 1024, TRAFFIC_OPEN, 16);
    played->time = begun;
    play_closed(played, count);
}

/* Half of them resets, in both names, then ordinary segments of both. */
static void play_segments_behind_resets(traffic *played, uint32_t count)
{
    play_resets_of_one(played, count / 2);
    for (uint32_t i = count / 2; i < count; i++) {
        rstcause_segment segment = begin_segment(played, 0x01000000, 1024, RSTCAUSE_ACK, 0);

        if (i % 2 == 0) {
            rstcause_address source = segment.source;

            segment.source = segment.destination;
            segment.destination = source;
            segment.source_port = 443;
            segment.destination_port = 1024;
        }
        segment.sequence = i * 100;
        segment.acknowledgement = i * 100;
        segment.length = 100;
        rstcause_tracker_observe(played->tracker, &segment);
    }
}

/* With a bound that is reached early, so that a quarter is forgotten again and again: sixteen SYNs a count. */
static void play_bound(traffic *played, uint32_t count)
{
    rstcause_tracker_bound(played->tracker, 1 << 20);
    play_floods(played, 16 * count);
}

static const series all_series[] = {
    {"SYN flood, each from an address of its own", play_floods},
    {"SYN flood, refused", play_refusals},
    {"connections with handshake, data and close", play_closed},
    {"... all within 4 seconds", play_at_once},
    {"connections that stay open", play_open},
    {"segments of one connection", play_one},
    {"repeats of one segment", play_repeats},
    {"addresses of IPv6", play_addresses},
    {"addresses that collide in a plain hash", play_collisions},
    {"resets in one connection", play_resets_of_one},
    {"resets to random ports", play_stray_resets},
    {"one port pair, used again and again", play_reuse},
    {"scan, refused", play_scan},
    {"each packet eight times", play_eight_times},
    {"connections behind one from the future", play_behind_future},
    {"segments behind as many resets", play_segments_behind_resets},
    {"SYN flood, with a bound of 1 MB", play_bound},
};

/* As Wireshark does: all is observed, then the file has been seen to its end, and each frame is asked for. callgrind knows
 * it by its name. */
static G_GNUC_NO_INLINE void play_series(const series *measured, traffic *played, uint32_t count)
{
    measured->play(played, count);
    rstcause_tracker_finish(played->tracker);
    for (uint32_t frame = 1; frame <= played->frame; frame++)
        rstcause_tracker_find(played->tracker, frame, 0);
}

static void measure(const series *measured, uint32_t count)
{
    traffic *played = traffic_begin();
    size_t before = traffic_heap();
    clock_t begun = clock();

    play_series(measured, played, count);
    begun = clock() - begun;
    printf("%10u %12u %10.0f ns %10.1f bytes\n", count, played->frame,
           1e9 * (double)begun / CLOCKS_PER_SEC / played->frame, ((double)traffic_heap() - (double)before) / count);
    fflush(stdout);
    traffic_end_all(played);
}

/* With a number, that series only; with a second one, so many doublings. --names prints the names, --row SERIES COUNT one
 * row of a table. */
int main(int argc, char **argv)
{
    int doublings = argc > 2 ? atoi(argv[2]) : DOUBLINGS;

    if (argc == 2 && strcmp(argv[1], "--names") == 0) {
        for (size_t i = 0; i < G_N_ELEMENTS(all_series); i++)
            puts(all_series[i].name);
        return 0;
    }
    if (argc == 4 && strcmp(argv[1], "--row") == 0 && (size_t)atoi(argv[2]) < G_N_ELEMENTS(all_series)) {
        measure(&all_series[atoi(argv[2])], (uint32_t)atoi(argv[3]));
        return 0;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(all_series); i++) {
        if (argc > 1 && (size_t)atoi(argv[1]) != i)
            continue;
        printf("%s\n%10s %12s %13s %16s\n", all_series[i].name, "count", "segments", "a segment", "a count");
        for (uint32_t count = SMALLEST; count <= (uint32_t)SMALLEST << doublings; count *= 2)
            measure(&all_series[i], count);
    }
    return 0;
}
