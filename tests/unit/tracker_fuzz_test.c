/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Dialogues that start plausible and go astray, from a fixed seed: whatever comes, each reset gets one verdict that
 * does not contradict itself, and the same capture gets the same verdicts, whenever they are asked for. Meant
 * for the sanitizers, too.
 */
#include "story.h"

#include <string.h>

#include "rstcause/stated.h"

enum { SEGMENTS = 250000, PAIRS = 6, IPV4_HEADER = 20, LONGEST = 20 + 60 + 64 };

static const int64_t beginning = INT64_C(1700000000000000000);

typedef struct {
    uint32_t isn, next, acknowledged;
    uint16_t ip_id;
    uint8_t ttl;
} fuzz_end;

typedef struct {
    uint8_t addresses[2][4];
    uint16_t ports[2];
    fuzz_end ends[2];
} fuzz_pair;

typedef struct {
    GRand *random;
    rstcause_tracker *tracker;
    fuzz_pair pairs[PAIRS];
    uint32_t frame;
    int64_t time;
    uint8_t packet[LONGEST]; /* the latest, to be captured again */
    size_t length;
    GArray *resets; /* of uint32_t, frame numbers */
    GChecksum *digest;
    bool asks_at_once; /* for the verdict on each frame, before the next one comes */
} fuzzer;

static bool happens(fuzzer *f, unsigned percent)
{
    return (unsigned)g_rand_int_range(f->random, 0, 100) < percent;
}

static uint32_t up_to(fuzzer *f, uint32_t bound)
{
    return g_rand_int(f->random) % (bound + 1);
}

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

static void fail(const rstcause_verdict *verdict, const char *why)
{
    g_test_message("#%u: %s: %s (%s)", verdict->frame, rstcause_cause_name(verdict->cause), why, verdict->explanation);
    g_test_fail();
}

static void check(const rstcause_verdict *verdict, uint32_t frame)
{
    const char *contradiction = story_find_contradiction(verdict);

    if (verdict->frame != frame)
        fail(verdict, "the verdict is on another frame");
    if (contradiction != NULL)
        fail(verdict, contradiction);
}

static void digest(fuzzer *f, const rstcause_verdict *v)
{
    const uint32_t numbers[] = {v->frame,  v->cause,   v->detail,   v->confidence,
                                v->sender, v->trigger, v->original, v->data_lost};

    g_checksum_update(f->digest, (const guchar *)numbers, sizeof numbers);
    g_checksum_update(f->digest, (const guchar *)v->explanation, -1);
    g_checksum_update(f->digest, (const guchar *)&v->pattern, sizeof v->pattern);
    g_checksum_update(f->digest, (const guchar *)&v->idle, sizeof v->idle);
    for (unsigned i = 0; i < v->evidence->len; i++)
        g_checksum_update(f->digest, g_ptr_array_index(v->evidence, i), -1);
}

/* Reads the latest packet as the glue does, in a buffer of just its length, and shows it to the tracker. */
static void feed(fuzzer *f)
{
    size_t captured = happens(f, 5) ? up_to(f, (uint32_t)f->length) : f->length;
    uint8_t *bytes = g_memdup2(f->packet, captured);
    rstcause_segment segment = {.frame = ++f->frame, .time = f->time, .capture_interface = up_to(f, 1)};
    bool is_read = rstcause_segment_read_network(&segment, bytes, captured, IPV4_HEADER) && captured > IPV4_HEADER &&
                   rstcause_segment_read_tcp(&segment, bytes + IPV4_HEADER, captured - IPV4_HEADER,
                                             f->length - IPV4_HEADER + (happens(f, 2) ? 100000 : 0));
    bool is_reset = is_read && (segment.flags & RSTCAUSE_RST) != 0;

    segment.said = (rstcause_first_bytes){.kind = (uint8_t)up_to(f, RSTCAUSE_SSH_DISCONNECT),
                                          .level = (uint8_t)up_to(f, 2),
                                          .code = (uint16_t)up_to(f, 600)};
    if (is_read)
        g_assert_cmpint(rstcause_tracker_observe(f->tracker, &segment), ==, is_reset);
    if (is_reset) {
        if (f->asks_at_once)
            check(rstcause_tracker_find(f->tracker, f->frame, 0), f->frame);
        g_array_append_val(f->resets, f->frame);
    }
    g_free(bytes);
}

/* The flags of one step of a dialogue, the common ones more often. */
static uint8_t choose_flags(fuzzer *f)
{
    static const uint8_t common[] = {
        RSTCAUSE_SYN,
        RSTCAUSE_SYN | RSTCAUSE_ACK,
        RSTCAUSE_ACK,
        RSTCAUSE_ACK,
        RSTCAUSE_ACK,
        RSTCAUSE_PSH | RSTCAUSE_ACK,
        RSTCAUSE_PSH | RSTCAUSE_ACK,
        RSTCAUSE_FIN | RSTCAUSE_ACK,
        RSTCAUSE_RST,
        RSTCAUSE_RST | RSTCAUSE_ACK,
    };

    return common[up_to(f, G_N_ELEMENTS(common) - 1)];
}

static size_t write_options(fuzzer *f, uint8_t *options, uint8_t flags)
{
    static const uint8_t of_syn[] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};
    size_t length = 0;

    if ((flags & RSTCAUSE_SYN) != 0) {
        memcpy(options, of_syn, sizeof of_syn);
        length = sizeof of_syn;
    } else if (happens(f, 50)) {
        length = 12;
        memcpy(options, "\x01\x01\x08\x0a", 4);
        write_32(options + 4, (uint32_t)(f->time / 1000000));
        write_32(options + 8, (uint32_t)(f->time / 1000000));
    }
    if (happens(f, 3)) {
        length = 4 * up_to(f, 10);
        for (size_t i = 0; i < length; i++)
            options[i] = (uint8_t)up_to(f, 40);
    }
    return length;
}

/* Some of it is what a connection ends with. */
static void write_payload(fuzzer *f, uint8_t *bytes, uint32_t length)
{
    static const char *const words[] = {"HTTP/1.1 503 no\r\nConnection: close\r\n", "\x15\x03\x03\x01\x02\x02\x28",
                                        "421-no\r\n421 no\r\n", "SSH-2.0-x"};

    for (uint32_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)up_to(f, 255);
    if (happens(f, 10)) {
        const char *chosen = words[up_to(f, G_N_ELEMENTS(words) - 1)];

        memcpy(bytes, chosen, MIN(length, strlen(chosen)));
    }
}

/* One step of a dialogue of one pair: plausible numbers, mostly. */
static void make_packet(fuzzer *f)
{
    fuzz_pair *pair = &f->pairs[up_to(f, PAIRS - 1)];
    unsigned side = up_to(f, 1);
    fuzz_end *self = &pair->ends[side], *other = &pair->ends[!side];
    uint8_t flags = choose_flags(f);
    uint32_t sequence = self->next, acknowledgement = other->next, payload = 0;
    uint8_t *tcp = f->packet + IPV4_HEADER;
    size_t options;

    memset(f->packet, 0, sizeof f->packet);
    if ((flags & RSTCAUSE_SYN) != 0) {
        if (happens(f, 70))
            self->isn = happens(f, 20) ? 0xfffffff0 + up_to(f, 15) : g_rand_int(f->random);
        sequence = self->isn;
        self->next = sequence + 1;
    } else if ((flags & RSTCAUSE_PSH) != 0) {
        payload = 1 + up_to(f, 63);
        if (happens(f, 15))
            sequence = self->next - payload;
        else
            self->next += payload;
    } else if ((flags & RSTCAUSE_FIN) != 0) {
        self->next++;
    } else if ((flags & (RSTCAUSE_RST | RSTCAUSE_ACK)) == RSTCAUSE_RST) {
        sequence = other->acknowledged;
        acknowledgement = 0;
    } else if (happens(f, 5)) {
        sequence = self->next - 1;
    }
    if (happens(f, 10))
        acknowledgement -= up_to(f, 200);
    /* Half the sequence space away, where "before" becomes "after". */
    if (happens(f, 1))
        sequence += G_MAXINT32 - 2 + up_to(f, 4);
    if (happens(f, 1))
        acknowledgement += G_MAXINT32 - 2 + up_to(f, 4);
    if ((flags & RSTCAUSE_ACK) != 0)
        self->acknowledged = acknowledgement;

    options = write_options(f, tcp + 20, flags);
    if (payload == 0 && (flags & RSTCAUSE_RST) != 0 && happens(f, 5))
        payload = up_to(f, 63);
    write_payload(f, tcp + 20 + options, payload);
    f->length = IPV4_HEADER + 20 + options + payload;
    f->packet[0] = 0x45;
    write_16(f->packet + 2, (uint32_t)f->length);
    write_16(f->packet + 4, (flags & RSTCAUSE_ACK) != 0 ? self->ip_id++ : 0);
    f->packet[8] = self->ttl;
    f->packet[9] = 6;
    memcpy(f->packet + 12, pair->addresses[side], 4);
    memcpy(f->packet + 16, pair->addresses[!side], 4);
    write_16(tcp, pair->ports[side]);
    write_16(tcp + 2, pair->ports[!side]);
    write_32(tcp + 4, sequence);
    write_32(tcp + 8, acknowledgement);
    tcp[12] = (uint8_t)((20 + options) / 4 << 4);
    tcp[13] = flags;
    write_16(tcp + 14, up_to(f, 1) * 500);
}

static void damage_packet(fuzzer *f)
{
    /* Behind the addresses and ports, so that it stays within the few pairs; and TTL, ID, lengths. */
    static const uint8_t places[] = {2, 3, 4, 5, 6, 8};

    for (unsigned count = 1 + up_to(f, 3); count > 0; count--) {
        size_t place =
            happens(f, 30) ? places[up_to(f, G_N_ELEMENTS(places) - 1)] : 24 + up_to(f, (uint32_t)f->length - 25);

        f->packet[place] = (uint8_t)up_to(f, 255);
    }
}

static void pass_time(fuzzer *f)
{
    static const int64_t latest = INT64_C(1) << 62;
    const int64_t jumps[] = {0, latest, beginning};
    uint32_t choice = up_to(f, 99);

    /* A damaged file has any time that segment.h allows. */
    if (up_to(f, 999) == 0)
        f->time = jumps[up_to(f, G_N_ELEMENTS(jumps) - 1)];
    else if (choice < 80)
        f->time += (int64_t)up_to(f, 30) * 1000000;
    else if (choice < 90)
        f->time += up_to(f, 100) * 1000;
    else if (choice < 97)
        f->time += (int64_t)up_to(f, 200) * 1000000000;
    else
        f->time -= (int64_t)up_to(f, 5) * 1000000000;
    f->time = CLAMP(f->time, 0, latest);
}

static char *tell(uint32_t seed, bool asks_at_once)
{
    fuzzer f = {
        .random = g_rand_new_with_seed(seed),
        .tracker = rstcause_tracker_new(rstcause_stated_default_magic),
        .time = beginning,
        .resets = g_array_new(false, false, sizeof(uint32_t)),
        .digest = g_checksum_new(G_CHECKSUM_SHA256),
        .asks_at_once = asks_at_once,
    };
    char *result;

    for (uint8_t i = 0; i < PAIRS; i++) {
        f.pairs[i] = (fuzz_pair){
            .addresses = {{10, 0, 0, (uint8_t)(1 + i / 2)}, {10, 0, 1, (uint8_t)(1 + i % 2)}},
            .ports = {(uint16_t)(40000 + i), 80},
            .ends = {{.ttl = 64, .ip_id = 100}, {.ttl = 57, .ip_id = 60000}},
        };
    }
    for (unsigned i = 0; i < SEGMENTS; i++) {
        if (i == 0 || !happens(&f, 5))
            make_packet(&f);
        else
            f.packet[8] = (uint8_t)(f.packet[8] - up_to(&f, 1)); /* the same packet, captured again */
        if (happens(&f, 10))
            damage_packet(&f);
        feed(&f);
        pass_time(&f);
    }
    g_assert_cmpuint(f.resets->len, >, SEGMENTS / 10);
    rstcause_tracker_finish(f.tracker);
    for (unsigned i = 0; i < f.resets->len; i++) {
        uint32_t frame = g_array_index(f.resets, uint32_t, i);
        const rstcause_verdict *verdict = rstcause_tracker_find(f.tracker, frame, 0);

        g_assert_nonnull(verdict);
        check(verdict, frame);
        digest(&f, verdict);
        if (verdict->detail == RSTCAUSE_COPY) {
            rstcause_cause cause = verdict->cause;

            if (rstcause_tracker_find(f.tracker, verdict->original, 0)->cause != cause)
                fail(rstcause_tracker_find(f.tracker, frame, 0), "a copy has another cause than its packet");
        }
    }
    result = g_strdup(g_checksum_get_string(f.digest));
    g_checksum_free(f.digest);
    g_array_unref(f.resets);
    rstcause_tracker_free(f.tracker);
    g_rand_free(f.random);
    return result;
}

static void keep_to_the_rules(void)
{
    char *first = tell(20240817, true), *again = tell(20240817, false);

    g_assert_cmpstr(first, ==, again);
    g_free(first);
    g_free(again);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tracker-fuzz/rules", keep_to_the_rules);
    return g_test_run();
}
