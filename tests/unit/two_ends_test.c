/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A capture merged from both ends: what is missing at its sender's own end was made on the way. The client's end is interface
 * 0, the server's interface 1, a path of 10 ms between them.
 */
#include "story.h"

enum { AT_CLIENT, AT_SERVER };

/* Milliseconds by which the server's clock is ahead. */
static double clock_ahead;

static void at(story *s, int place, double milliseconds)
{
    s->capture_interface = (uint32_t)place;
    s->time =
        INT64_C(1700000000000000000) + (int64_t)((milliseconds + (place == AT_SERVER ? clock_ahead : 0)) * 1000000);
}

/* A packet that leaves its sender at a time and is seen at both ends; with two hops in between. Returns the frame at the
 * sender's end. */
static uint32_t travels(story *s, story_side from, double when, const char *flags, uint32_t sequence,
                        uint32_t acknowledgement, uint32_t length)
{
    uint32_t sent;

    at(s, from == CLIENT ? AT_CLIENT : AT_SERVER, when);
    sent = story_send(s, from, flags, sequence, acknowledgement, length);
    at(s, from == CLIENT ? AT_SERVER : AT_CLIENT, when + 10);
    story_copy(s, sent, 2);
    return sent;
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
    rstcause_tracker_finish(s->tracker);
    story_check(s, forged, .cause = "injected", .detail = "absent-at-sender", .confidence = "certain",
                .sender = "third-party");
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

static const story_test tests[] = {
    {"absent", absent_at_sender},     {"clocks-apart", clocks_apart},
    {"present", present_at_sender},   {"backend-not-captured", backend_was_not_captured},
    {"asymmetric", asymmetric_route}, {"not-before-the-end", not_before_the_end},
};

STORY_MAIN("two-ends", tests)
