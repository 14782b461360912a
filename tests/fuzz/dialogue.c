/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records to packets. See dialogue.h. */
#include "dialogue.h"

#include <string.h>

#include "packet.h"

enum { REMEMBERED = 16 };

static const int64_t today = INT64_C(1700000000000000000);
static const int64_t latest_time = INT64_C(1) << 62;

typedef struct {
    uint32_t sequence, end, acknowledgement;
} sent_segment;

typedef struct {
    packet_end end;
    uint32_t isn, next, acknowledged;
    sent_segment sent[REMEMBERED];
    unsigned count;
} speaker;

typedef struct {
    speaker sides[2];
    bool is_ipv6;
} talk;

typedef struct {
    talk talks[DIALOGUE_CONNECTIONS];
    GPtrArray *packets;
    int64_t time;
} dialogue;

static uint16_t read_16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t choose_isn(dialogue_isn kind, unsigned talk_number, unsigned side)
{
    switch (kind) {
    case ISN_BEFORE_WRAP:
        return UINT32_MAX - 20 - talk_number;
    case ISN_ZERO:
        return 0;
    case ISN_HALF:
        return (uint32_t)G_MAXINT32 - 20 + talk_number;
    default:
        return (2 * talk_number + side + 1) * 2654435761u;
    }
}

static void begin_talk(talk *made, unsigned number, const uint8_t *header)
{
    static const uint16_t services[] = {80, 443, 25, 21, 22, 3306, 50000, 1};
    uint8_t world = (uint8_t)(number / DIALOGUE_WORLD), place = (uint8_t)(number % DIALOGUE_WORLD);

    made->is_ipv6 = (header[1] & 1) != 0;
    for (unsigned side = 0; side < 2; side++) {
        dialogue_stack stack = (dialogue_stack)((side == 0 ? header[0] & 15 : header[0] >> 4) % AS_STACKS);
        uint8_t hops = side == 0 ? header[2] & 15 : header[2] >> 4;
        speaker *self = &made->sides[side];

        /* The first three are of one client and one server, the fourth of others whose addresses are the other way round. */
        self->end = (packet_end){
            .stack = stack,
            .address = {10, world, 0, (uint8_t)(place == DIALOGUE_WORLD - 1 ? 9 - side : 1 + side)},
            .port = side == 0 ? (uint16_t)(40000 + place) : services[header[1] >> 5],
            .ttl = (uint8_t)((stack == AS_WINDOWS ? 128
                              : stack == AS_LWIP  ? 255
                                                  : 64) -
                             hops),
            .ip_id = (uint16_t)(side == 0 ? 20000 : 50000),
            .flow_label = 0x12345 + number * 2 + side,
            .clock = side == 0 ? 7000 : 900000,
        };
        self->isn = choose_isn((dialogue_isn)(header[1] >> (1 + 2 * side) & 3), number, side);
        self->next = self->isn;
    }
}

static void begin(dialogue *d, const uint8_t header[DIALOGUE_HEADER])
{
    const int64_t beginnings[BEGINNINGS] = {today, 0, INT64_C(4294967290) * 1000000000, latest_time - 1000000000};

    d->time = beginnings[header[0] % BEGINNINGS];
    for (unsigned i = 0; i < DIALOGUE_CONNECTIONS; i++)
        begin_talk(&d->talks[i], i, header + 1 + i * DIALOGUE_OF_CONNECTION);
}

int64_t dialogue_pass(int64_t time, uint16_t code)
{
    enum { FIRST_BACK = 13, FAR_BACK, JUMP };
    const int64_t jumps[] = {0, latest_time, today, INT64_C(2147483647) * 1000000000};
    unsigned scale = code >> 12;
    int64_t number = code & 0xfff;

    if (scale == JUMP)
        time = jumps[number % 4];
    else if (scale == FIRST_BACK)
        time -= number * 10000;
    else if (scale == FAR_BACK)
        time -= number * 10000000;
    else
        time += number * 1000 << (2 * scale);
    return CLAMP(time, 0, latest_time);
}

/* Empty where so many were not sent. */
static const sent_segment *look_back(const speaker *self, unsigned age)
{
    static const sent_segment none;

    return age < self->count && age < REMEMBERED ? &self->sent[(self->count - 1 - age) % REMEMBERED] : &none;
}

static uint32_t find_sequence(const uint8_t *record, const speaker *self, const speaker *peer)
{
    unsigned kind = record[RECORD_NUMBERS] & 15, age = record[RECORD_BACK] & 15;
    uint32_t added = (uint32_t)(int16_t)read_16(record + RECORD_SEQUENCE);

    if ((kind & NUMBER_FAR) != 0)
        added <<= 16;
    switch (kind & ~(unsigned)NUMBER_FAR) {
    case NUMBER_ISN:
        return self->isn + added;
    case NUMBER_ANSWER:
        return look_back(peer, age)->acknowledgement + added;
    case NUMBER_BEFORE_NEXT:
        return self->next - 1 + added;
    case NUMBER_REPEAT:
        return look_back(self, age)->sequence + added;
    case NUMBER_ZERO:
        return added;
    case NUMBER_HALF:
        return self->next + G_MAXINT32 + added;
    case NUMBER_OF_OTHER:
        return peer->acknowledged + added;
    default:
        return self->next + added;
    }
}

static uint32_t find_acknowledgement(const uint8_t *record, const speaker *self, const speaker *peer, uint32_t sequence)
{
    unsigned kind = record[RECORD_NUMBERS] >> 4, age = record[RECORD_BACK] >> 4;
    uint32_t added = (uint32_t)(int8_t)record[RECORD_ACK];

    if ((kind & NUMBER_FAR) != 0)
        added <<= 16;
    switch (kind & ~(unsigned)NUMBER_FAR) {
    case NUMBER_ISN:
        return peer->isn + added;
    case NUMBER_ANSWER:
        return look_back(peer, age)->end + added;
    case NUMBER_BEFORE_NEXT:
        return peer->next - 1 + added;
    case NUMBER_REPEAT:
        return self->acknowledged + added;
    case NUMBER_ZERO:
        return added;
    case NUMBER_HALF:
        return peer->next + G_MAXINT32 + added;
    case NUMBER_OF_OTHER:
        return sequence + added;
    default:
        return peer->next + added;
    }
}

/* A reset leaves its sender's numbers as they are. */
static void note_sent(speaker *self, const packet_plan *plan)
{
    const uint32_t end =
        plan->sequence + plan->length + ((plan->flags & RSTCAUSE_SYN) != 0) + ((plan->flags & RSTCAUSE_FIN) != 0);

    if ((plan->flags & RSTCAUSE_RST) != 0)
        return;
    self->sent[self->count++ % REMEMBERED] = (sent_segment){plan->sequence, end, plan->acknowledgement};
    if ((plan->flags & RSTCAUSE_ACK) != 0)
        self->acknowledged = plan->acknowledgement;
    if ((plan->flags & RSTCAUSE_SYN) != 0)
        self->isn = plan->sequence;
    if ((plan->flags & RSTCAUSE_SYN) != 0 || (end - self->next > 0 && end - self->next < 1 << 20))
        self->next = end;
}

static dialogue_packet *last_of(const dialogue *d)
{
    return d->packets->len > 0 ? g_ptr_array_index(d->packets, d->packets->len - 1) : NULL;
}

/* No connection carries itself: the number of each layer's is higher. */
static bool is_inner(const uint8_t *record, const dialogue_packet *before)
{
    return (record[RECORD_WHO] & WHO_IS_INNER) != 0 && (record[RECORD_WHO] & WHO_IS_COPY) == 0 && before != NULL &&
           (record[RECORD_WHO] & WHO_CONNECTION) > before->connection;
}

/* Where it stands in the capture. A record of an inner layer shares the frame of the one before. */
static dialogue_packet *place_packet(dialogue *d, const uint8_t *record)
{
    const dialogue_packet *before = last_of(d);
    dialogue_packet *packet = g_new0(dialogue_packet, 1);

    if (is_inner(record, before)) {
        packet->frame = before->frame;
        packet->layer = before->layer + 1;
        packet->capture_interface = before->capture_interface;
    } else {
        d->time = dialogue_pass(d->time, read_16(record + RECORD_TIME));
        packet->frame = before != NULL ? before->frame + 1 : 1;
        packet->capture_interface = (record[RECORD_WHO] & WHO_INTERFACE) >> 4;
    }
    packet->time = d->time;
    packet->connection = record[RECORD_WHO] & WHO_CONNECTION;
    return packet;
}

/* The same packet in the capture again, some hops further on. */
static void copy_packet(const dialogue *d, const uint8_t *record, dialogue_packet *packet)
{
    const dialogue_packet *copied =
        g_ptr_array_index(d->packets, d->packets->len - 1 - record[RECORD_BACK] % d->packets->len);

    packet->connection = copied->connection;
    packet->is_copy = true;
    packet->to_tcp = copied->to_tcp;
    packet->captured = copied->captured;
    packet->reported = copied->reported;
    packet->bytes = g_memdup2(copied->bytes, copied->captured);
    packet_take_hops(packet, record[RECORD_NETWORK] & NETWORK_TTL);
}

static void speak(dialogue *d, const uint8_t *record, dialogue_packet *packet)
{
    talk *spoken = &d->talks[packet->connection];
    unsigned side = (record[RECORD_WHO] & WHO_SIDE) != 0;
    speaker *self = &spoken->sides[side], *peer = &spoken->sides[!side];
    packet_plan plan = {.is_ipv6 = spoken->is_ipv6, .flags = record[RECORD_FLAGS], .record = record};

    plan.length = read_16(record + RECORD_LENGTH);
    plan.sequence = find_sequence(record, self, peer);
    plan.acknowledgement = find_acknowledgement(record, self, peer, plan.sequence);
    packet_make(packet, &plan, &self->end, &peer->end);
    note_sent(self, &plan);
}

static void free_packet(gpointer data)
{
    dialogue_packet *packet = data;

    g_free(packet->bytes);
    g_free(packet);
}

GPtrArray *dialogue_read(const uint8_t *data, size_t size)
{
    dialogue d = {.packets = g_ptr_array_new_with_free_func(free_packet)};

    if (size < DIALOGUE_HEADER)
        return d.packets;
    begin(&d, data);
    for (size_t at = DIALOGUE_HEADER; at + DIALOGUE_RECORD <= size; at += DIALOGUE_RECORD) {
        const uint8_t *record = data + at;
        dialogue_packet *packet = place_packet(&d, record);

        if ((record[RECORD_WHO] & WHO_IS_COPY) != 0 && d.packets->len > 0)
            copy_packet(&d, record, packet);
        else
            speak(&d, record, packet);
        g_ptr_array_add(d.packets, packet);
    }
    return d.packets;
}

bool dialogue_segment(rstcause_segment *segment, const dialogue_packet *packet)
{
    *segment = (rstcause_segment){
        .frame = packet->frame,
        .layer = packet->layer,
        .capture_interface = packet->capture_interface,
        .time = packet->time,
    };
    return rstcause_segment_read_network(segment, packet->bytes, packet->captured, packet->to_tcp) &&
           packet->captured > packet->to_tcp &&
           rstcause_segment_read_tcp(segment, packet->bytes + packet->to_tcp, packet->captured - packet->to_tcp,
                                     packet->reported);
}
