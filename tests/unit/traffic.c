/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See traffic.h. */
#include "traffic.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "rstcause/stated.h"

enum { SERVER_PORT = 443, SERVER = 0xc0a80001, BYSTANDER = 0xc0a80002 };

traffic *traffic_begin(void)
{
    traffic *played = g_new0(traffic, 1);

    played->tracker = rstcause_tracker_new(rstcause_stated_default_magic);
    played->time = INT64_C(1700000000000000000);
    played->step = 1000000;
    played->server = SERVER;
    return played;
}

void traffic_end_all(traffic *played)
{
    rstcause_tracker_free(played->tracker);
    g_free(played);
}

rstcause_address traffic_address(const traffic *played, uint32_t number)
{
    rstcause_address address = {.length = played->is_ipv6 ? 16 : 4};

    for (unsigned i = 0; i < 4; i++)
        address.bytes[address.length - 4 + i] = (uint8_t)(number >> (24 - 8 * i));
    return address;
}

/* One end's turn: its segment, which acknowledges all of the other's. */
static void send_as(traffic *played, rstcause_segment ends[2], unsigned end, uint8_t flags, uint32_t length)
{
    rstcause_segment *self = &ends[end], *peer = &ends[1 - end];

    self->flags = flags;
    self->length = length;
    self->frame = ++played->frame;
    self->time = played->time += played->step;
    self->has_ip_id = !played->is_ipv6;
    self->ip_id = played->has_ip_ids ? (uint16_t)(self->ip_id + 1) : 0;
    self->timestamp_value++;
    rstcause_tracker_observe(played->tracker, self);
    self->sequence += length + ((flags & (RSTCAUSE_SYN | RSTCAUSE_FIN)) != 0);
    peer->acknowledgement = self->sequence;
}

void traffic_play(traffic *played, uint32_t client, uint16_t port, traffic_end end, unsigned rounds)
{
    rstcause_segment ends[2] = {
        {.source_port = port, .destination_port = SERVER_PORT, .ttl = 64, .window = 500, .window_shift = 7},
        {.source_port = SERVER_PORT, .destination_port = port, .ttl = 57, .window = 501, .window_shift = 7},
    };

    ends[0].source = ends[1].destination = traffic_address(played, client);
    ends[1].source = ends[0].destination = traffic_address(played, played->server);
    for (unsigned i = 0; i < 2; i++) {
        ends[i].has_timestamps = ends[i].sack_permitted = true;
        ends[i].sequence = (client + i) * 2654435761u + port;
        ends[i].ip_id = (uint16_t)(client * 31 + i);
        ends[i].option_order = 0x31842; /* Linux */
        ends[i].mss = 1460;
    }
    send_as(played, ends, 0, RSTCAUSE_SYN, 0);
    if (end == TRAFFIC_REFUSED) {
        ends[1].has_timestamps = false;
        ends[1].sequence = 0;
        send_as(played, ends, 1, RSTCAUSE_RST | RSTCAUSE_ACK, 0);
    }
    if (end < TRAFFIC_OPEN)
        return;
    send_as(played, ends, 1, RSTCAUSE_SYN | RSTCAUSE_ACK, 0);
    ends[0].window_shift = ends[1].window_shift = -1;
    send_as(played, ends, 0, RSTCAUSE_ACK, 0);
    for (unsigned i = 0; i < rounds; i++) {
        send_as(played, ends, 0, RSTCAUSE_ACK | RSTCAUSE_PSH, 100);
        send_as(played, ends, 1, RSTCAUSE_ACK, 1448);
        send_as(played, ends, 1, RSTCAUSE_ACK | RSTCAUSE_PSH, 700);
        send_as(played, ends, 0, RSTCAUSE_ACK, 0);
    }
    if (end < TRAFFIC_CLOSED)
        return;
    send_as(played, ends, 0, RSTCAUSE_FIN | RSTCAUSE_ACK, 0);
    send_as(played, ends, 1, RSTCAUSE_FIN | RSTCAUSE_ACK, 0);
    send_as(played, ends, 0, RSTCAUSE_ACK, 0);
}

void traffic_wait(traffic *played, int64_t time, unsigned segments)
{
    rstcause_segment segment = {.source = traffic_address(played, BYSTANDER),
                                .destination = traffic_address(played, played->server),
                                .source_port = 1,
                                .destination_port = SERVER_PORT,
                                .flags = RSTCAUSE_ACK,
                                .window_shift = -1};

    for (unsigned i = 0; i < segments; i++) {
        segment.frame = ++played->frame;
        segment.time = played->time += time / segments;
        segment.acknowledgement++;
        rstcause_tracker_observe(played->tracker, &segment);
    }
}

size_t traffic_heap(void)
{
#if defined __GLIBC__ && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 33)
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}
