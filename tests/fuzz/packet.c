/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See packet.h. */
#include "packet.h"

#include <string.h>

enum { IPV4_HEADER = 20, IPV6_HEADER = 40, TCP_HEADER = 20, MOST_OPTIONS = 40, MOST_WORDS = 96 };

typedef struct {
    uint8_t bytes[MOST_OPTIONS];
    size_t length;
} option_list;

static void write_16(uint8_t *bytes, uint32_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

static void write_32(uint8_t *bytes, uint32_t value)
{
    write_16(bytes, value >> 16);
    write_16(bytes + 2, value);
}

static void add(option_list *options, const void *bytes, size_t length)
{
    memcpy(options->bytes + options->length, bytes, length);
    options->length += length;
}

static void add_timestamps(option_list *options, const packet_end *from, int64_t time)
{
    uint8_t option[10] = {8, 10};

    write_32(option + 2, (uint32_t)(time / 1000000) + from->clock);
    write_32(option + 6, (uint32_t)(time / 1000000));
    add(options, option, sizeof option);
}

static bool has_timestamps(dialogue_stack stack)
{
    return stack == AS_LINUX || stack == AS_DARWIN;
}

/* In the order that tells the stack (plugin/follow/stack.c). */
static void add_syn_options(option_list *options, const packet_end *from, int64_t time)
{
    add(options, "\x02\x04\x05\xb4", 4);
    switch (from->stack) {
    case AS_LINUX:
        add(options, "\x04\x02", 2);
        add_timestamps(options, from, time);
        add(options, "\x01\x03\x03\x07", 4);
        break;
    case AS_LINUX_WITHOUT_TIMESTAMPS:
        add(options, "\x01\x01\x04\x02\x01\x03\x03\x07", 8);
        break;
    case AS_WINDOWS:
        add(options, "\x01\x03\x03\x08\x01\x01\x04\x02", 8);
        break;
    case AS_DARWIN:
        add(options, "\x01\x03\x03\x06\x01\x01", 6);
        add_timestamps(options, from, time);
        add(options, "\x04\x02\x00\x00", 4);
        break;
    case AS_LWIP:
        add(options, "\x01\x03\x03\x00", 4);
        break;
    default:
        break;
    }
}

static void add_stamp_of_stack(option_list *options, const packet_end *from, int64_t time)
{
    if (!has_timestamps(from->stack))
        return;
    add(options, "\x01\x01", 2);
    add_timestamps(options, from, time);
}

static option_list make_options(const packet_plan *plan, const packet_end *from, int64_t time)
{
    uint8_t kind = plan->record[RECORD_OPTIONS] & 15, number = plan->record[RECORD_OPTIONS] >> 4;
    uint8_t tcprst[] = {30, 4, (uint8_t)(0x80 | number), number}, odd[] = {number, (uint8_t)(number * 3), 1, number};
    bool is_syn = (plan->flags & (RSTCAUSE_SYN | RSTCAUSE_RST)) == RSTCAUSE_SYN;
    option_list options = {.length = 0};

    switch (kind % OPTIONS_KINDS) {
    case OPTIONS_OF_STACK:
        if (is_syn)
            add_syn_options(&options, from, time);
        else
            add_stamp_of_stack(&options, from, time);
        break;
    case OPTIONS_OLD_CLOCK:
        add_stamp_of_stack(&options, from, time - ((int64_t)number << 32));
        break;
    case OPTIONS_FASTCLOSE:
        add_stamp_of_stack(&options, from, time);
        add(&options, "\x1e\x0c\x70\x00\x01\x02\x03\x04\x05\x06\x07\x08", 12);
        break;
    case OPTIONS_TCPRST:
        add(&options, tcprst, sizeof tcprst);
        break;
    case OPTIONS_ODD:
        add(&options, odd, sizeof odd);
        add(&options, odd, sizeof odd);
        break;
    default:
        break;
    }
    while (options.length % 4 != 0)
        options.bytes[options.length++] = 0;
    return options;
}

/* Payloads that readers look for; the upper four bits of the byte are put in at the place of '#'. */
static size_t write_words(uint8_t choice, char words[MOST_WORDS])
{
    static const char *const texts[] = {
        "",
        "GET /# HTTP/1.1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nServer: #\r\n\r\n",
        "HTTP/1.1 503 no\r\nConnection: close\r\n\r\n#",
        "HTTP/1.0 413 #\r\n\r\n",
        "421 #\r\n",
        "220-#\r\n220 x\r\n",
        "SSH-2.0-#\r\n",
        "BIG-IP: [0x2664c6#:2574] No flow found for ACK",
        "Go away, we are not home #",
    };
    static const struct {
        const char *bytes;
        size_t length;
    } binaries[] = {
        {"\x16\x03\x01\x00\x05\x01zzz#", 10},
        {"\x15\x03\x03\x00\x02\x02#", 7},
        {"\x15\x03\x03\x00\x1azzzzzzzzzzzzzzzzzzzzzzzzzz", 31},
        {"\x33\xaa\x00#\x00\x00\x00\x00", 8},
        {"\x19\x30\x39\xa1\x01#", 6},
        {"\x00\x01\x02#\xff\xfe", 6},
    };
    unsigned kind = choice & 15;
    size_t length;

    if (kind < G_N_ELEMENTS(texts)) {
        length = strlen(texts[kind]);
        memcpy(words, texts[kind], length);
    } else {
        length = binaries[kind - G_N_ELEMENTS(texts)].length;
        memcpy(words, binaries[kind - G_N_ELEMENTS(texts)].bytes, length);
    }
    for (size_t i = 0; i < length; i++) {
        if (words[i] == '#')
            words[i] = kind < G_N_ELEMENTS(texts) ? (char)('0' + (choice >> 4)) : (char)(choice >> 4);
    }
    return length;
}

/* What NetScaler writes, besides what sockets have. */
static uint16_t choose_window(uint8_t choice)
{
    enum { USUAL = 502, FIRST_CODE = 224, CODES = 9200 };

    if (choice == 0)
        return USUAL;
    if (choice >= FIRST_CODE)
        return (uint16_t)(CODES + choice - FIRST_CODE);
    return (uint16_t)((choice - 1) * 257);
}

static uint16_t choose_ip_id(uint8_t network, packet_end *from)
{
    switch ((network & NETWORK_ID) >> 4) {
    case ID_ZERO:
        return 0;
    case ID_ANY:
        return (uint16_t)((from->ip_id + network) * 40503u);
    case ID_JUMPS:
        from->ip_id = (uint16_t)(from->ip_id + 100);
        break;
    default:
        break;
    }
    return from->stack == AS_DARWIN ? 0 : from->ip_id++;
}

static uint8_t choose_ttl(uint8_t network, uint8_t ttl)
{
    uint8_t start = (network & NETWORK_IS_KERNEL) == 0 ? ttl : ttl > 128 ? 64 : 255;

    return (uint8_t)(start - (network & NETWORK_TTL));
}

static size_t write_ipv4(uint8_t *header, const packet_plan *plan, packet_end *from, const packet_end *to,
                         size_t length)
{
    uint8_t network = plan->record[RECORD_NETWORK], damage = plan->record[RECORD_DAMAGE];
    bool has_total = damage % DAMAGES != DAMAGE_NO_TOTAL && length + IPV4_HEADER <= G_MAXUINT16;

    header[0] = 0x45;
    write_16(header + 2, has_total ? (uint32_t)length + IPV4_HEADER : 0);
    if (damage % DAMAGES == DAMAGE_TOTAL)
        header[2 + damage / DAMAGES % 2] = damage;
    write_16(header + 4, choose_ip_id(network, from));
    header[6] = (network & NETWORK_HAS_NO_DF) != 0 ? 0 : 0x40;
    if (damage % DAMAGES == DAMAGE_FRAGMENT)
        header[6] |= 0x20;
    header[8] = choose_ttl(network, from->ttl);
    header[9] = 6;
    memcpy(header + 12, from->address, 4);
    memcpy(header + 16, to->address, 4);
    return IPV4_HEADER;
}

static size_t write_ipv6(uint8_t *header, const packet_plan *plan, const packet_end *from, const packet_end *to,
                         size_t length)
{
    uint8_t network = plan->record[RECORD_NETWORK], damage = plan->record[RECORD_DAMAGE];
    dialogue_id label = (dialogue_id)((network & NETWORK_ID) >> 4);
    bool has_total = damage % DAMAGES != DAMAGE_NO_TOTAL && length <= G_MAXUINT16;

    write_32(header, 0x60000000 | (label == ID_ZERO ? 0 : from->flow_label + 4096 * (uint32_t)label));
    write_16(header + 4, has_total ? (uint32_t)length : 0);
    if (damage % DAMAGES == DAMAGE_TOTAL)
        header[4 + damage / DAMAGES % 2] = damage;
    header[6] = 6;
    header[7] = choose_ttl(network, from->ttl);
    memcpy(header + 8, from->address, 16);
    memcpy(header + 24, to->address, 16);
    return IPV6_HEADER;
}

static void write_tcp(uint8_t *tcp, const packet_plan *plan, const packet_end *from, const packet_end *to,
                      const option_list *options)
{
    write_16(tcp, from->port);
    write_16(tcp + 2, to->port);
    write_32(tcp + 4, plan->sequence);
    write_32(tcp + 8, plan->acknowledgement);
    tcp[12] = (uint8_t)((TCP_HEADER + options->length) / 4 << 4);
    tcp[13] = plan->flags;
    write_16(tcp + 14, choose_window(plan->record[RECORD_WINDOW]));
    memcpy(tcp + TCP_HEADER, options->bytes, options->length);
}

/* Returns how much of the packet is captured. */
static size_t do_damage(uint8_t damage, uint8_t *tcp, size_t to_tcp, size_t captured)
{
    size_t number = damage / DAMAGES;

    switch (damage % DAMAGES) {
    case DAMAGE_CUT:
        return MIN(captured, to_tcp + number);
    case DAMAGE_BYTE:
        tcp[4 + number % 16] ^= damage; /* behind the ports, so that it stays within its connection */
        return captured;
    case DAMAGE_OFFSET:
        tcp[12] = (uint8_t)(number << 4);
        return captured;
    default:
        return captured;
    }
}

void packet_make(dialogue_packet *packet, packet_plan *plan, packet_end *from, const packet_end *to)
{
    uint8_t bytes[IPV6_HEADER + TCP_HEADER + MOST_OPTIONS + MOST_WORDS] = {0}, *tcp;
    option_list options = make_options(plan, from, packet->time);
    char words[MOST_WORDS];
    size_t said = write_words(plan->record[RECORD_WORDS], words), length;

    if (plan->length == 0)
        plan->length = (uint32_t)said;
    length = TCP_HEADER + options.length + plan->length;
    packet->to_tcp =
        plan->is_ipv6 ? write_ipv6(bytes, plan, from, to, length) : write_ipv4(bytes, plan, from, to, length);
    tcp = bytes + packet->to_tcp;
    write_tcp(tcp, plan, from, to, &options);
    memcpy(tcp + TCP_HEADER + options.length, words, MIN(said, plan->length));
    packet->reported = length;
    packet->captured = packet->to_tcp + TCP_HEADER + options.length + MIN(said, plan->length);
    packet->captured = do_damage(plan->record[RECORD_DAMAGE], tcp, packet->to_tcp, packet->captured);
    packet->bytes = g_memdup2(bytes, packet->captured);
}

void packet_take_hops(dialogue_packet *packet, uint8_t hops)
{
    size_t ttl = packet->to_tcp == IPV4_HEADER ? 8 : 7;

    if (packet->captured > ttl)
        packet->bytes[ttl] = (uint8_t)(packet->bytes[ttl] - hops);
}
