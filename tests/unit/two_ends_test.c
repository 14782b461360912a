/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A capture merged from both ends: what is missing at its sender's own end was made on the way. The client's end is interface
 * 0, the server's interface 1, a path of 10 ms with two hops between them; a second server's end is interface 2.
 */
#include "story.h"
#include "traffic.h"

enum { AT_CLIENT, AT_SERVER, AT_OTHER_SERVER, AT_MIDDLE };

enum { HOPS = 2 };

/* Milliseconds by which the server's clock is ahead. */
static double clock_ahead;

static void at(story *s, int place, double milliseconds)
{
    s->capture_interface = (uint32_t)place;
    s->time =
        INT64_C(1700000000000000000) + (int64_t)((milliseconds + (place == AT_SERVER ? clock_ahead : 0)) * 1000000);
}

/* A packet that leaves its sender at a time and is seen at both ends. Returns the frame that comes first in the file: its
 * sender's own, unless the clocks are further apart than the path is long. */
static uint32_t travels(story *s, story_side from, double when, const char *flags, uint32_t sequence,
                        uint32_t acknowledgement, uint32_t length)
{
    const int own = from == CLIENT ? AT_CLIENT : AT_SERVER, other = from == CLIENT ? AT_SERVER : AT_CLIENT;
    bool is_last_first = from == CLIENT ? clock_ahead < -10 : clock_ahead > 10;
    uint8_t ttl = s->hosts[from].ttl;
    uint32_t first;

    if (!is_last_first) {
        at(s, own, when);
        first = story_send(s, from, flags, sequence, acknowledgement, length);
        at(s, other, when + 10);
        story_copy(s, first, HOPS);
        return first;
    }
    s->hosts[from].ttl -= HOPS;
    at(s, other, when + 10);
    first = story_send(s, from, flags, sequence, acknowledgement, length);
    s->hosts[from].ttl = ttl;
    at(s, own, when);
    story_copy(s, first, (uint8_t)-HOPS);
    return first;
}

/* Bare of options, as an answer of Linux is; the forger stands at the client's end of the path. */
static uint32_t forge_at_client(story *s, double when, uint32_t sequence)
{
    at(s, AT_CLIENT, when);
    return story_forge(s, SERVER, "R", sequence, 0, (uint8_t)(s->hosts[SERVER].ttl - HOPS), 0);
}

/* Another connection of the same hosts shows that no capture has ended. */
static void go_on_elsewhere(story *s, double when)
{
    s->hosts[CLIENT].port++;
    travels(s, CLIENT, when, "S", 0, 0, 0);
    travels(s, SERVER, when + 10.1, "SA", 0, 1, 0);
    s->hosts[CLIENT].port--;
}

static void converse(story *s)
{
    travels(s, CLIENT, 0, "S", 0, 0, 0);
    travels(s, SERVER, 10.1, "SA", 0, 1, 0);
    travels(s, CLIENT, 20.2, "A", 1, 1, 0);
    travels(s, CLIENT, 21, "PA", 1, 1, 100);
    travels(s, SERVER, 31.2, "PA", 1, 101, 200);
    travels(s, CLIENT, 41.4, "A", 101, 201, 0);
}

static void speak_ipv6(story *s)
{
    s->is_ipv6 = true;
    s->hosts[CLIENT].address[0] = s->hosts[SERVER].address[0] = 0x20;
}

static void check_absent(double ahead)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t forged;

    clock_ahead = ahead;
    converse(s);
    at(s, AT_CLIENT, 60);
    s->hosts[SERVER].ttl = 62;
    forged = story_send(s, SERVER, "RA", 201, 101, 0);
    s->hosts[SERVER].ttl = 64;
    go_on_elsewhere(s, 100);
    rstcause_tracker_finish(s->tracker);
    story_check(s, forged, .cause = "injected", .detail = "absent-at-sender", .confidence = "certain",
                .sender = "third-party");
    g_assert_true(story_says(s, forged, "which came later"));
    story_end(s);
}

/* Perfect in form, number and time. */
static void absent_at_sender(void)
{
    check_absent(0);
}

static void clocks_apart(void)
{
    check_absent(5);
    check_absent(-5);
}

/* The server's capture ends before the reset could have been in it: it may be genuine. What came later on another connection
 * shows that it had not ended. */
static void check_end_of_capture(bool goes_on)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    clock_ahead = 0;
    converse(s);
    at(s, AT_CLIENT, 60);
    s->hosts[SERVER].ttl = 62;
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    s->hosts[SERVER].ttl = 64;
    if (goes_on) {
        s->hosts[CLIENT].port++;
        at(s, AT_SERVER, 90);
        story_send(s, CLIENT, "S", 0, 0, 0);
    }
    rstcause_tracker_finish(s->tracker);
    if (goes_on) {
        story_check(s, rst, .cause = "injected", .detail = "absent-at-sender", .confidence = "certain");
    } else {
        story_check(s, rst, .cause = "abort", .confidence = "likely", .sender = "server");
        g_assert_true(story_has_alternative(s, rst, "injected"));
        g_assert_true(story_says(s, rst, "but ends with"));
    }
    story_end(s);
}

static void capture_ended(void)
{
    check_end_of_capture(false);
}

static void capture_goes_on(void)
{
    check_end_of_capture(true);
}

/* Odd as it looks, its sender's own link carried it. */
static void present_at_sender(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst, copy;

    clock_ahead = 0;
    converse(s);
    at(s, AT_SERVER, 60);
    rst = story_forge(s, SERVER, "RA", 201, 101, 64, 7);
    at(s, AT_CLIENT, 70);
    copy = story_copy(s, rst, 2);
    rstcause_tracker_finish(s->tracker);
    g_assert_cmpint(story_verdict(s, rst)->cause, !=, RSTCAUSE_INJECTED);
    g_assert_cmpint(story_verdict(s, copy)->detail, ==, RSTCAUSE_COPY);
    g_assert_cmpuint(story_verdict(s, copy)->original, ==, rst);
    story_end(s);
}

/* The place that is nearer to the sender is not that one's own link, and proves nothing for it. */
static void present_on_the_way(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    clock_ahead = 0;
    s->hosts[SERVER].ttl = 60;
    s->hosts[CLIENT].ttl = 66;
    converse(s);
    at(s, AT_SERVER, 60);
    rst = story_forge(s, SERVER, "RA", 201, 101, 64, 7);
    at(s, AT_CLIENT, 70);
    story_copy(s, rst, 2);
    rstcause_tracker_finish(s->tracker);
    story_check(s, rst, .cause = "injected", .detail = STORY_ANY);
    story_end(s);
}

/* One is judged, the others are its copies. */
static void three_places(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst = 0;

    clock_ahead = 0;
    for (unsigned i = 0; i < 4; i++) {
        static const char *const flags[] = {"S", "SA", "A", "RA"};
        uint32_t frame;
        story_side from = i == 1 || i == 3 ? SERVER : CLIENT;

        at(s, from == CLIENT ? AT_CLIENT : AT_SERVER, 20 * i);
        frame = story_send(s, from, flags[i], i > 1, i > 0, 0);
        at(s, AT_MIDDLE, 20 * i + 5);
        story_copy(s, frame, 1);
        at(s, from == CLIENT ? AT_SERVER : AT_CLIENT, 20 * i + 10);
        story_copy(s, frame, 2);
        rst = frame;
    }
    rstcause_tracker_finish(s->tracker);
    g_assert_cmpstr(rstcause_cause_name(story_verdict(s, rst)->cause), ==, "abort");
    for (uint32_t copy = rst + 1; copy <= rst + 2; copy++)
        story_check(s, copy, .cause = "abort", .detail = "copy", .original = rst);
    story_end(s);
}

/* The server's capture began earlier; what the client's begins with the server's has not seen yet. */
static void one_began_later(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t forged, rst, copy;

    clock_ahead = 0;
    at(s, AT_SERVER, 0);
    story_send(s, SERVER, "PA", 1, 1, 100);
    travels(s, CLIENT, 20, "PA", 1, 101, 100);
    travels(s, SERVER, 31, "PA", 101, 101, 100);
    travels(s, CLIENT, 42, "PA", 101, 201, 100);
    travels(s, SERVER, 53, "PA", 201, 201, 100);
    travels(s, CLIENT, 64, "A", 201, 301, 0);
    at(s, AT_CLIENT, 80);
    s->hosts[SERVER].ttl = 62;
    forged = story_send(s, SERVER, "RA", 301, 201, 0);
    s->hosts[SERVER].ttl = 64;
    s->hosts[SERVER].ip_id--;
    travels(s, SERVER, 90, "PA", 301, 201, 100);
    at(s, AT_SERVER, 120);
    rst = story_send(s, SERVER, "RA", 401, 201, 0);
    at(s, AT_CLIENT, 130);
    copy = story_copy(s, rst, 2);
    rstcause_tracker_finish(s->tracker);
    story_check(s, forged, .cause = "injected", .detail = "absent-at-sender", .confidence = "certain");
    g_assert_cmpint(story_verdict(s, rst)->cause, ==, RSTCAUSE_ABORT);
    g_assert_cmpint(story_verdict(s, copy)->detail, ==, RSTCAUSE_COPY);
    story_end(s);
}

/* A router between the two places refuses a port: its TTL is not that of the host, as the client sees both. */
static void hosts_are_of_their_place(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    clock_ahead = 0;
    converse(s);
    s->hosts[CLIENT].port++;
    s->hosts[SERVER].port++;
    at(s, AT_CLIENT, 100);
    story_send(s, CLIENT, "S", 0, 0, 0);
    s->hosts[SERVER].kernel_ttl = 63;
    rst = story_refuse(s, SERVER, 1);
    rstcause_tracker_finish(s->tracker);
    story_check(s, rst, .cause = "firewall-reject", .detail = NULL, .trigger = rst - 1);
    story_end(s);
}

/* Another backend than the one that was captured answers what the captured one never got: no proof. */
static void backend_was_not_captured(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    clock_ahead = 0;
    converse(s);
    at(s, AT_CLIENT, 5000);
    story_send(s, CLIENT, "PA", 101, 201, 50);
    at(s, AT_CLIENT, 5020);
    s->hosts[SERVER].kernel_ttl = 62;
    rst = story_answer(s, SERVER, "R", 201, 0);
    rstcause_tracker_finish(s->tracker);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "server", .trigger = rst - 1);
    story_end(s);
}

/* One interface for each direction: both make one connection. */
static void asymmetric_route(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t syn, rst;

    s->capture_interface = 0;
    syn = story_send(s, CLIENT, "S", 0, 0, 0);
    s->capture_interface = 1;
    story_wait(s, 20);
    rst = story_refuse(s, SERVER, 1);
    rstcause_tracker_finish(s->tracker);
    story_check(s, rst, .cause = "closed-port", .sender = "server", .trigger = syn);
    story_end(s);
}

/* Without the end of the file nothing is proven: the reset may still come. */
static void not_before_the_end(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    clock_ahead = 0;
    converse(s);
    at(s, AT_CLIENT, 60);
    s->hosts[SERVER].ttl = 62;
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, rst, .cause = "abort", .sender = "server");
    story_end(s);
}

static void check_copied(story *s, uint32_t original, uint32_t copy, const char *cause)
{
    g_assert_cmpstr(rstcause_cause_name(story_verdict(s, original)->cause), ==, cause);
    g_assert_cmpint(story_verdict(s, original)->detail, !=, RSTCAUSE_COPY);
    g_assert_cmpstr(rstcause_cause_name(story_verdict(s, copy)->cause), ==, cause);
    g_assert_cmpint(story_verdict(s, copy)->detail, ==, RSTCAUSE_COPY);
    g_assert_cmpuint(story_verdict(s, copy)->original, ==, original);
}

/* One clock is so far off that what a host receives is in the file before what its peer sent. */
static void received_before_sent(void)
{
    for (double ahead = -30; ahead <= 30; ahead += 60) {
        story *s = story_begin(LINUX, LINUX);
        uint32_t rst;

        clock_ahead = ahead;
        converse(s);
        rst = travels(s, SERVER, 60, "RA", 201, 101, 0);
        rstcause_tracker_finish(s->tracker);
        check_copied(s, rst, rst + 1, "abort");
        story_end(s);
    }
}

/* IPv6 has no IP ID, and Linux answers each segment of a burst with the same reset. */
static void burst_of_answers_without_ip_id(void)
{
    enum { SEGMENTS = 3 };
    story *s = story_begin(LINUX, LINUX);
    uint32_t first;

    clock_ahead = 0;
    speak_ipv6(s);
    converse(s);
    for (uint32_t i = 0; i < SEGMENTS; i++)
        travels(s, CLIENT, 1000 + 0.1 * i, "PA", 101 + 100 * i, 201, 100);
    at(s, AT_SERVER, 1011);
    first = story_answer(s, SERVER, "R", 201, 0);
    for (uint32_t i = 1; i < SEGMENTS; i++)
        story_answer(s, SERVER, "R", 201, 0);
    at(s, AT_CLIENT, 1021);
    for (uint32_t i = 0; i < SEGMENTS; i++)
        story_copy(s, first + i, HOPS);
    rstcause_tracker_finish(s->tracker);
    check_copied(s, first, first + SEGMENTS, "half-open");
    for (uint32_t i = 1; i < SEGMENTS; i++)
        check_copied(s, first + i, first + SEGMENTS + i, "already-reset");
    story_end(s);
}

static void forged_without_ip_id(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t forged;

    clock_ahead = -5;
    speak_ipv6(s);
    converse(s);
    forged = forge_at_client(s, 60, 201);
    travels(s, SERVER, 90, "PA", 201, 101, 10);
    rstcause_tracker_finish(s->tracker);
    story_check(s, forged, .cause = "injected", .detail = "absent-at-sender", .confidence = "certain",
                .sender = "third-party");
    story_end(s);
}

/* The captures begin in the middle, and what the server has sent by then is not at the client yet. */
static void begins_in_the_middle(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t to_server, to_client, rst;

    clock_ahead = 0;
    at(s, AT_CLIENT, 0);
    to_server = story_send(s, CLIENT, "PA", 1, 1, 100);
    at(s, AT_SERVER, 1);
    to_client = story_send(s, SERVER, "PA", 1, 1, 100);
    at(s, AT_SERVER, 10);
    story_copy(s, to_server, HOPS);
    at(s, AT_CLIENT, 11);
    story_copy(s, to_client, HOPS);
    travels(s, SERVER, 12, "A", 101, 101, 0);
    travels(s, CLIENT, 13, "A", 101, 101, 0);
    rst = travels(s, SERVER, 100, "RA", 101, 101, 0);
    rstcause_tracker_finish(s->tracker);
    check_copied(s, rst, rst + 1, "abort");
    story_end(s);
}

/* The balancer has gone over to another server, whose end was captured, too: it answers what the first never got. */
static void other_backend_was_captured(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    clock_ahead = 0;
    converse(s);
    at(s, AT_CLIENT, 5000);
    data = story_send(s, CLIENT, "PA", 101, 201, 50);
    at(s, AT_OTHER_SERVER, 5010);
    story_copy(s, data, HOPS);
    rst = story_answer(s, SERVER, "R", 201, 0);
    at(s, AT_CLIENT, 5020);
    story_copy(s, rst, HOPS);
    rstcause_tracker_finish(s->tracker);
    check_copied(s, rst, rst + 1, "half-open");
    story_end(s);
}

/* What the server's own end lacks of its data it may lack of its resets. */
static void senders_end_lost_packets(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    clock_ahead = 0;
    converse(s);
    s->hosts[SERVER].ttl -= HOPS;
    at(s, AT_CLIENT, 50);
    story_send(s, SERVER, "PA", 201, 101, 50);
    at(s, AT_CLIENT, 60);
    rst = story_send(s, SERVER, "RA", 251, 101, 0);
    s->hosts[SERVER].ttl += HOPS;
    go_on_elsewhere(s, 100);
    rstcause_tracker_finish(s->tracker);
    g_assert_cmpint(story_verdict(s, rst)->cause, ==, RSTCAUSE_ABORT);
    story_end(s);
}

/* It left the server, and never came to the client. */
static void lost_on_the_way(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    clock_ahead = 0;
    converse(s);
    at(s, AT_SERVER, 60);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    at(s, AT_CLIENT, 300);
    story_send(s, CLIENT, "PA", 101, 201, 10);
    rstcause_tracker_finish(s->tracker);
    story_check(s, rst, .cause = "abort", .sender = "server");
    story_end(s);
}

/* Three in a row at the numbers of full segments, as forgers send them: each one lacks at the server. */
static void absent_in_a_row(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t forged[3];

    clock_ahead = 0;
    converse(s);
    for (uint32_t i = 0; i < G_N_ELEMENTS(forged); i++)
        forged[i] = forge_at_client(s, 60 + 0.05 * i, 201 + 1460 * i);
    travels(s, SERVER, 90, "PA", 201, 101, 10);
    rstcause_tracker_finish(s->tracker);
    for (size_t i = 0; i < G_N_ELEMENTS(forged); i++)
        story_check(s, forged[i], .cause = "injected", .detail = "absent-at-sender", .confidence = "certain",
                    .sender = "third-party");
    story_end(s);
}

/* Two cards carry the packets of both directions by turns: nothing is there twice, and nothing is absent. */
static void bonded_cards(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    s->capture_interface = 0;
    story_send(s, CLIENT, "S", 0, 0, 0);
    s->capture_interface = 1;
    story_send(s, SERVER, "SA", 0, 1, 0);
    s->capture_interface = 0;
    story_send(s, CLIENT, "A", 1, 1, 0);
    s->capture_interface = 1;
    story_send(s, CLIENT, "PA", 1, 1, 100);
    s->capture_interface = 0;
    story_send(s, SERVER, "PA", 1, 101, 200);
    s->capture_interface = 1;
    story_send(s, CLIENT, "A", 101, 201, 0);
    story_wait(s, 20);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    rstcause_tracker_finish(s->tracker);
    story_check(s, rst, .cause = "abort", .sender = "server");
    story_end(s);
}

/* The way back leads from the trigger to the reset at its sender's own end, and from no copy to a copy. */
static void way_back_leaves_copies_out(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t syn, rst;

    syn = travels(s, CLIENT, 0, "S", 0, 0, 0);
    at(s, AT_SERVER, 10.1);
    rst = story_refuse(s, SERVER, 1);
    at(s, AT_CLIENT, 20.1);
    story_copy(s, rst, HOPS);
    rstcause_tracker_finish(s->tracker);
    story_check(s, rst, .cause = "closed-port", .trigger = syn + 1);
    g_assert_cmpuint(rstcause_tracker_find_reset(s->tracker, syn + 1), ==, rst);
    g_assert_cmpuint(rstcause_tracker_find_reset(s->tracker, syn), ==, 0);
    story_end(s);
}

/* Very many others come by, while one end of the connection is not seen. Only the client speaks. */
static void crowd_out(story *s)
{
    traffic others = {.tracker = s->tracker, .time = s->time, .step = 1000, .server = 0x0a0a0a0a};

    for (uint32_t i = 0; i < 10000; i++) {
        if (i % 100 == 0)
            story_send(s, CLIENT, "A", 100, 201, 0);
        others.frame = s->frame;
        traffic_play(&others, 0x20000000 + i, 1024, TRAFFIC_SYN, 0);
    }
}

/* The sender's own end had a reset that did not look like the same packet, and was idle until it was forgotten: what it shows
 * later does not say that the reset was absent. */
static void forgotten_at_senders_end(void)
{
    for (unsigned is_bound = 0; is_bound < 2; is_bound++) {
        story *s = story_begin(LINUX_WITHOUT_TIMESTAMPS, LINUX_WITHOUT_TIMESTAMPS);
        uint8_t ttl = s->hosts[SERVER].ttl;
        uint32_t there, here;

        if (is_bound)
            rstcause_tracker_bound(s->tracker, 1 << 20);
        converse(s);
        at(s, AT_SERVER, 60);
        there = story_forge(s, SERVER, "R", 9000201, 0, ttl, 77);
        at(s, AT_CLIENT, 70);
        here = story_forge(s, SERVER, "R", 9000201, 0, (uint8_t)(ttl - HOPS), 99);
        crowd_out(s);
        g_assert_cmpint(rstcause_tracker_forgot_in(s->tracker) != 0, ==, is_bound);
        for (uint32_t i = 0; i < 20; i++) {
            travels(s, CLIENT, 1000 + 100 * i, "PA", 101 + 10 * i, 201 + 10 * i, 10);
            travels(s, SERVER, 1020 + 100 * i, "PA", 201 + 10 * i, 111 + 10 * i, 10);
        }
        rstcause_tracker_finish(s->tracker);
        g_assert_cmpint(story_verdict(s, here)->detail, !=, RSTCAUSE_ABSENT_AT_SENDER);
        g_assert_cmpint(story_verdict(s, there)->detail, !=, RSTCAUSE_ABSENT_AT_SENDER);
        story_end(s);
    }
}

static const story_test tests[] = {
    {"absent", absent_at_sender},
    {"clocks-apart", clocks_apart},
    {"capture-ended", capture_ended},
    {"capture-goes-on", capture_goes_on},
    {"present-on-the-way", present_on_the_way},
    {"three-places", three_places},
    {"one-began-later", one_began_later},
    {"hosts-of-place", hosts_are_of_their_place},
    {"present", present_at_sender},
    {"backend-not-captured", backend_was_not_captured},
    {"asymmetric", asymmetric_route},
    {"not-before-the-end", not_before_the_end},
    {"received-before-sent", received_before_sent},
    {"burst-without-ip-id", burst_of_answers_without_ip_id},
    {"forged-without-ip-id", forged_without_ip_id},
    {"begins-in-the-middle", begins_in_the_middle},
    {"other-backend", other_backend_was_captured},
    {"senders-end-lost-packets", senders_end_lost_packets},
    {"lost-on-the-way", lost_on_the_way},
    {"absent-in-a-row", absent_in_a_row},
    {"bonded-cards", bonded_cards},
    {"way-back-leaves-copies-out", way_back_leaves_copies_out},
    {"forgotten", forgotten_at_senders_end},
};

STORY_MAIN("two-ends", tests)
