/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes packets with the fingerprint of a stack and checks verdicts; see story.h. */
#include "story.h"

#include <string.h>

#include "contradiction.h"
#include "rstcause/catalogue.h"
#include "rstcause/stated.h"

enum { TTL_OF_UNIX = 64, TTL_OF_WINDOWS = 128 };

/* Everything that makes one packet. */
typedef struct {
    story_side from;
    uint8_t flags;
    uint32_t sequence, acknowledgement; /* as on the wire */
    uint32_t length;
    uint16_t window;
    uint16_t ip_id;
    uint8_t ttl;
    uint32_t flow_label; /* IPv6 */
    uint8_t options[40];
    size_t options_length;
    const char *payload; /* NULL: the capture holds headers only */
} packet_plan;

static bool is_windows(story_stack stack)
{
    return stack == WINDOWS || stack == WINDOWS_XP;
}

static bool is_linux(story_stack stack)
{
    return stack == LINUX || stack == LINUX_WITHOUT_TIMESTAMPS;
}

/* A label for each socket, and another for what no socket sends. */
static uint32_t host_label(story_side side)
{
    return side == CLIENT ? 0x12345 : 0x6789a;
}

static uint32_t kernel_label(story_side side)
{
    return host_label(side) + 1;
}

static bool has_timestamps(story_stack stack)
{
    return stack == LINUX || stack == DARWIN;
}

story *story_begin(story_stack client, story_stack server)
{
    story *told = g_new0(story, 1);
    const story_stack stacks[2] = {client, server};

    told->tracker = rstcause_tracker_new(rstcause_stated_default_magic);
    told->packets = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
    told->time = INT64_C(1700000000000000000);
    for (unsigned side = 0; side < 2; side++) {
        uint8_t ttl = is_windows(stacks[side]) ? TTL_OF_WINDOWS : TTL_OF_UNIX;

        told->hosts[side] = (story_host){
            .stack = stacks[side],
            .address = {10, 0, 0, (uint8_t)(1 + side)},
            .port = side == CLIENT ? 40000 : 80,
            .isn = side == CLIENT ? 1000000000 : 3000000000u,
            .ip_id = side == CLIENT ? 20000 : 50000,
            .window = 502,
            .ttl = ttl,
            .kernel_ttl = ttl,
        };
    }
    return told;
}

void story_end(story *told)
{
    rstcause_tracker_free(told->tracker);
    g_ptr_array_unref(told->packets);
    g_free(told);
}

void story_wait(story *told, double milliseconds)
{
    told->time += (int64_t)(milliseconds * 1000000);
}

static uint8_t read_flags(const char *letters)
{
    uint8_t flags = 0;

    for (; *letters != '\0'; letters++) {
        switch (*letters) {
        case 'F':
            flags |= RSTCAUSE_FIN;
            break;
        case 'S':
            flags |= RSTCAUSE_SYN;
            break;
        case 'R':
            flags |= RSTCAUSE_RST;
            break;
        case 'P':
            flags |= RSTCAUSE_PSH;
            break;
        case 'A':
            flags |= RSTCAUSE_ACK;
            break;
        case 'U':
            flags |= RSTCAUSE_URG;
            break;
        default:
            g_error("no such TCP flag: %c", *letters);
        }
    }
    return flags;
}

static void write_16(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

static void write_32(uint8_t *bytes, uint32_t value)
{
    write_16(bytes, (uint16_t)(value >> 16));
    write_16(bytes + 2, (uint16_t)value);
}

static void add_options(packet_plan *plan, const void *bytes, size_t length)
{
    if (length == 0)
        return;
    g_assert_cmpuint(plan->options_length + length, <=, sizeof plan->options);
    memcpy(plan->options + plan->options_length, bytes, length);
    plan->options_length += length;
}

/* Each echoes what the other side showed last, but for resets, which end what could echo them. */
static void add_timestamps(packet_plan *plan, story *told)
{
    uint8_t option[10] = {8, 10};
    uint32_t shown = (uint32_t)(told->time / 1000000 - told->held) + (plan->from == CLIENT ? 7000 : 900000);

    write_32(option + 2, shown);
    write_32(option + 6, told->hosts[!plan->from].shown_timestamp);
    if ((plan->flags & RSTCAUSE_RST) == 0)
        told->hosts[plan->from].shown_timestamp = shown;
    add_options(plan, option, sizeof option);
}

static void add_syn_options(packet_plan *plan, story *told)
{
    bool is_answer = (plan->flags & RSTCAUSE_ACK) != 0;
    bool agreed =
        has_timestamps(told->hosts[plan->from].stack) && (!is_answer || has_timestamps(told->hosts[!plan->from].stack));

    add_options(plan, "\x02\x04\x05\xb4", 4);
    switch (told->hosts[plan->from].stack) {
    case LINUX:
    case LINUX_WITHOUT_TIMESTAMPS:
        if (agreed) {
            add_options(plan, "\x04\x02", 2);
            add_timestamps(plan, told);
            add_options(plan, "\x01\x03\x03\x07", 4);
        } else {
            add_options(plan, "\x01\x01\x04\x02\x01\x03\x03\x07", 8);
        }
        break;
    case WINDOWS:
        add_options(plan, "\x01\x03\x03\x08\x01\x01\x04\x02", 8);
        break;
    case WINDOWS_XP:
        add_options(plan, "\x01\x01\x04\x02", 4);
        break;
    case DARWIN:
        add_options(plan, "\x01\x03\x03\x06\x01\x01", 6);
        if (agreed)
            add_timestamps(plan, told);
        add_options(plan, "\x04\x02\x00\x00", 4);
        break;
    default:
        break;
    }
}

static uint32_t feed(story *told, const GByteArray *packet, size_t reported)
{
    size_t to_tcp = packet->data[0] >> 4 == 4 ? 20 : 40;
    rstcause_segment segment = {
        .frame = ++told->frame, .capture_interface = told->capture_interface, .time = told->time};

    g_assert_true(rstcause_segment_read_network(&segment, packet->data, packet->len, to_tcp));
    g_assert_true(rstcause_segment_read_tcp(&segment, packet->data + to_tcp, packet->len - to_tcp, reported));
    if (told->said.kind != RSTCAUSE_BYTES_UNKNOWN)
        segment.said = told->said;
    told->said = (rstcause_first_bytes){0};
    told->may_be_fragmented = false;
    rstcause_tracker_observe(told->tracker, &segment);
    told->time += 10000;
    return told->frame;
}

static uint32_t emit(story *told, const packet_plan *plan)
{
    const story_host *from = &told->hosts[plan->from], *to = &told->hosts[!plan->from];
    uint8_t header[60] = {0}, tcp[20] = {0};
    size_t padded = (plan->options_length + 3) / 4 * 4;
    size_t length = sizeof tcp + padded + plan->length;
    GByteArray *packet = g_byte_array_new();

    if (told->is_ipv6) {
        write_32(header, 0x60000000 | plan->flow_label);
        write_16(header + 4, (uint16_t)length);
        header[6] = 6;
        header[7] = plan->ttl;
        memcpy(header + 8, from->address, 16);
        memcpy(header + 24, to->address, 16);
    } else {
        header[0] = 0x45;
        /* Zero where a card cuts it later (TSO): so large a length does not fit the field. */
        write_16(header + 2, length + 20 > G_MAXUINT16 ? 0 : (uint16_t)(length + 20));
        write_16(header + 4, plan->ip_id);
        header[6] = told->may_be_fragmented ? 0 : 0x40;
        header[8] = plan->ttl;
        header[9] = 6;
        memcpy(header + 12, from->address, 4);
        memcpy(header + 16, to->address, 4);
    }
    write_16(tcp, from->port);
    write_16(tcp + 2, to->port);
    write_32(tcp + 4, plan->sequence);
    write_32(tcp + 8, plan->acknowledgement);
    tcp[12] = (uint8_t)((sizeof tcp + padded) / 4 << 4);
    tcp[13] = plan->flags;
    write_16(tcp + 14, plan->window);
    g_byte_array_append(packet, header, told->is_ipv6 ? 40 : 20);
    g_byte_array_append(packet, tcp, sizeof tcp);
    g_byte_array_append(packet, plan->options, (unsigned)plan->options_length);
    g_byte_array_append(packet, (const uint8_t *)"\0\0\0", (unsigned)(padded - plan->options_length));
    if (plan->payload != NULL)
        g_byte_array_append(packet, (const uint8_t *)plan->payload, plan->length);
    g_ptr_array_add(told->packets, packet);
    return feed(told, packet, length);
}

static packet_plan plan_packet(const story *told, story_side from, const char *flags, uint32_t sequence,
                               uint32_t acknowledgement)
{
    const story_host *host = &told->hosts[from];
    packet_plan plan = {
        .from = from,
        .flags = read_flags(flags),
        .sequence = host->isn + sequence,
        .ttl = host->ttl,
        .window = host->window,
    };

    if ((plan.flags & RSTCAUSE_ACK) != 0)
        plan.acknowledgement = told->hosts[!from].isn + acknowledgement;
    return plan;
}

static uint16_t take_ip_id(story *told, story_side from)
{
    /* Darwin sends 0 in every segment that may not be fragmented. */
    return told->hosts[from].stack == DARWIN ? 0 : told->hosts[from].ip_id++;
}

static packet_plan plan_own(story *told, story_side from, const char *flags, uint32_t sequence,
                            uint32_t acknowledgement)
{
    packet_plan plan = plan_packet(told, from, flags, sequence, acknowledgement);
    story_stack stack = told->hosts[from].stack;
    bool is_reset = (plan.flags & RSTCAUSE_RST) != 0;

    plan.ip_id = take_ip_id(told, from);
    plan.flow_label = is_linux(stack) ? host_label(from) : 0;
    if (is_reset && is_windows(stack))
        plan.window = 0;
    if ((plan.flags & RSTCAUSE_SYN) != 0 && !is_reset) {
        add_syn_options(&plan, told);
    } else if (has_timestamps(stack) && has_timestamps(told->hosts[!from].stack) && !(is_reset && stack == DARWIN)) {
        add_options(&plan, "\x01\x01", 2);
        add_timestamps(&plan, told);
    }
    return plan;
}

uint32_t story_send(story *told, story_side from, const char *flags, uint32_t sequence, uint32_t acknowledgement,
                    uint32_t length)
{
    packet_plan plan = plan_own(told, from, flags, sequence, acknowledgement);

    plan.length = length;
    return emit(told, &plan);
}

uint32_t story_send_with(story *told, story_side from, const char *flags, uint32_t sequence, uint32_t acknowledgement,
                         const uint8_t *options, size_t options_length, const char *payload)
{
    packet_plan plan = plan_own(told, from, flags, sequence, acknowledgement);

    add_options(&plan, options, options_length);
    plan.payload = payload;
    plan.length = payload != NULL ? (uint32_t)strlen(payload) : 0;
    return emit(told, &plan);
}

uint32_t story_answer(story *told, story_side from, const char *flags, uint32_t sequence, uint32_t acknowledgement)
{
    packet_plan plan = plan_packet(told, from, flags, sequence, acknowledgement);
    story_stack stack = told->hosts[from].stack;

    plan.ttl = told->hosts[from].kernel_ttl;
    plan.flow_label = is_linux(told->hosts[from].stack) ? kernel_label(from) : 0;
    plan.window = 0;
    plan.ip_id = is_windows(stack) ? take_ip_id(told, from) : 0;
    if (is_windows(stack) && (plan.flags & RSTCAUSE_ACK) == 0)
        plan.acknowledgement = plan.sequence;
    return emit(told, &plan);
}

uint32_t story_refuse(story *told, story_side from, uint32_t acknowledgement)
{
    packet_plan plan = plan_packet(told, from, "RA", 0, acknowledgement);

    plan.sequence = 0;
    plan.flow_label = is_linux(told->hosts[from].stack) ? kernel_label(from) : 0;
    plan.window = 0;
    plan.ttl = told->hosts[from].kernel_ttl;
    plan.ip_id = is_windows(told->hosts[from].stack) ? take_ip_id(told, from) : 0;
    return emit(told, &plan);
}

uint32_t story_forge(story *told, story_side name, const char *flags, uint32_t sequence, uint32_t acknowledgement,
                     uint8_t ttl, uint16_t ip_id)
{
    packet_plan plan = plan_packet(told, name, flags, sequence, acknowledgement);

    plan.ttl = ttl;
    plan.ip_id = ip_id;
    return emit(told, &plan);
}

uint32_t story_copy(story *told, uint32_t frame, uint8_t hops)
{
    const GByteArray *packet = g_ptr_array_index(told->packets, frame - 1);
    GByteArray *copy = g_byte_array_sized_new(packet->len);
    size_t network = packet->data[0] >> 4 == 4 ? 20 : 40;

    g_byte_array_append(copy, packet->data, packet->len);
    copy->data[network == 20 ? 8 : 7] = (uint8_t)(copy->data[network == 20 ? 8 : 7] - hops);
    g_ptr_array_add(told->packets, copy);
    return feed(told, copy, copy->len - network);
}

void story_open(story *told, double round_trip)
{
    story_send(told, CLIENT, "S", 0, 0, 0);
    story_wait(told, round_trip);
    story_send(told, SERVER, "SA", 0, 1, 0);
    story_send(told, CLIENT, "A", 1, 1, 0);
}

void story_converse(story *told, double round_trip)
{
    story_open(told, round_trip);
    story_send(told, CLIENT, "PA", 1, 1, 100);
    story_wait(told, round_trip);
    story_send(told, SERVER, "A", 1, 101, 0);
    story_send(told, SERVER, "PA", 1, 101, 200);
    story_wait(told, 0.2);
    story_send(told, CLIENT, "A", 101, 201, 0);
}

void story_restart(story *told, story_side side, uint32_t isn)
{
    told->hosts[side].isn = isn;
}

const rstcause_verdict *story_verdict(const story *told, uint32_t reset)
{
    const rstcause_verdict *verdict = rstcause_tracker_find(told->tracker, reset, 0);

    g_assert_nonnull(verdict);
    return verdict;
}

bool story_has_alternative(const story *told, uint32_t reset, const char *cause)
{
    const rstcause_verdict *verdict = story_verdict(told, reset);
    char *start = g_strconcat(cause, ": ", NULL);
    bool found = false;

    for (unsigned i = 0; i < verdict->alternatives->len; i++)
        found |= g_str_has_prefix(g_ptr_array_index(verdict->alternatives, i), start);
    g_free(start);
    return found;
}

bool story_says(const story *told, uint32_t reset, const char *text)
{
    const rstcause_verdict *verdict = story_verdict(told, reset);

    for (unsigned i = 0; i < verdict->evidence->len; i++) {
        if (strstr(g_ptr_array_index(verdict->evidence, i), text) != NULL)
            return true;
    }
    return strstr(verdict->explanation, text) != NULL ||
           (verdict->effect != NULL && strstr(verdict->effect, text) != NULL);
}

static void report(const char *file, int line, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void report(const char *file, int line, const char *format, ...)
{
    const char *base = strrchr(file, '/');
    va_list arguments;
    char *text;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_test_message("%s:%d: %s", base != NULL ? base + 1 : file, line, text);
    g_free(text);
    g_test_fail();
}

/* Left out in the story: not checked. */
static bool fits(const char *expected, const char *found)
{
    return expected == NULL || g_strcmp0(expected, found) == 0;
}

void story_check_at(const char *file, int line, const story *told, uint32_t reset, story_expectation e)
{
    const rstcause_verdict *v = rstcause_tracker_find(told->tracker, reset, 0);
    const char *cause, *detail, *confidence, *sender, *contradiction;

    if (v == NULL) {
        report(file, line, "#%u has no verdict", reset);
        return;
    }
    cause = rstcause_cause_name(v->cause);
    detail = rstcause_detail_name(v->detail);
    confidence = rstcause_confidence_name(v->confidence);
    sender = rstcause_sender_name(v->sender);
    if (g_strcmp0(e.cause, cause) != 0 || (g_strcmp0(e.detail, STORY_ANY) != 0 && g_strcmp0(e.detail, detail) != 0) ||
        !fits(e.confidence, confidence) || !fits(e.sender, sender) || e.trigger != v->trigger ||
        e.original != v->original) {
        report(
            file, line,
            "#%u should be %s/%s (%s, %s) trigger #%u original #%u, but is %s/%s (%s, %s) trigger #%u original #%u: %s",
            reset, e.cause, e.detail != NULL ? e.detail : "-", e.confidence != NULL ? e.confidence : STORY_ANY,
            e.sender != NULL ? e.sender : STORY_ANY, e.trigger, e.original, cause, detail != NULL ? detail : "-",
            confidence, sender, v->trigger, v->original, v->explanation);
        for (unsigned i = 0; i < v->evidence->len; i++)
            g_test_message("    evidence: %s", (const char *)g_ptr_array_index(v->evidence, i));
    }
    contradiction = contradiction_find(v);
    if (contradiction != NULL)
        report(file, line, "#%u contradicts itself: %s", reset, contradiction);
}

int story_run(int argc, char **argv, const char *subject, const story_test *tests, size_t count)
{
    g_test_init(&argc, &argv, NULL);
    /* One wrong verdict shall not hide the next. */
    g_test_set_nonfatal_assertions();
    for (size_t i = 0; i < count; i++) {
        char *path = g_strdup_printf("/%s/%s", subject, tests[i].name);

        g_test_add_func(path, tests[i].run);
        g_free(path);
    }
    return g_test_run();
}
