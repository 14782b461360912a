/* SPDX-License-Identifier: GPL-2.0-or-later */
/* already-reset, and what is effective: in the window, or one below it after a FIN. RFC 9293 section 3.5.3, RFC 5961. */
#include "story.h"

/* The client's data were in flight when the server aborted: each is answered. */
static void stragglers_after_abort(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data[2], rst[3];

    story_converse(s, 40);
    story_wait(s, 1000);
    data[0] = story_send(s, CLIENT, "PA", 101, 201, 100);
    data[1] = story_send(s, CLIENT, "PA", 201, 201, 100);
    story_wait(s, 20);
    rst[0] = story_send(s, SERVER, "RA", 201, 101, 0);
    story_wait(s, 20);
    rst[1] = story_answer(s, SERVER, "R", 201, 0);
    rst[2] = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst[0], .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_check(s, rst[1], .cause = "already-reset", .sender = "server", .trigger = data[0], .original = rst[0]);
    story_check(s, rst[2], .cause = "already-reset", .sender = "server", .trigger = data[1], .original = rst[0]);
    g_assert_true(story_says(s, rst[1], "which was on the way then"));
    story_end(s);
}

/* What comes more than a round trip later was not on the way. */
static void straggler_comes_late(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst, answer;

    story_converse(s, 40);
    story_wait(s, 1000);
    rst = story_send(s, CLIENT, "RA", 101, 201, 0);
    story_wait(s, 1600);
    story_send(s, SERVER, "PA", 201, 101, 100);
    answer = story_answer(s, CLIENT, "R", 101, 0);
    story_check(s, answer, .cause = "already-reset", .sender = "client", .trigger = rst + 1, .original = rst);
    g_assert_false(story_says(s, answer, "on the way"));
    g_assert_true(story_says(s, answer, "which came 1.6 s after that"));
    story_end(s);
}

/* The receiver of a reset answers what the resetting side had sent before. */
static void receiver_answers_what_was_in_flight(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst, answer;

    story_converse(s, 40);
    story_wait(s, 1000);
    rst = story_send(s, CLIENT, "RA", 101, 201, 0);
    story_wait(s, 10);
    data = story_send(s, SERVER, "PA", 201, 101, 100);
    answer = story_answer(s, CLIENT, "R", 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "client");
    story_check(s, answer, .cause = "already-reset", .sender = "client", .trigger = data, .original = rst);
    story_end(s);
}

/* Both aborted before either could have seen the other's reset: each keeps its own cause. */
static void crossing_resets(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t first, second;

    story_converse(s, 40);
    story_wait(s, 1000);
    first = story_send(s, CLIENT, "RA", 101, 201, 0);
    story_wait(s, 15);
    second = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, first, .cause = "abort", .detail = STORY_ANY, .sender = "client");
    story_check(s, second, .cause = "abort", .sender = "server");
    story_end(s);
}

/* A round trip and more after it, the other side must have seen the reset. */
static void later_reset_of_the_other_side(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t first, second;

    story_converse(s, 40);
    story_wait(s, 1000);
    first = story_send(s, CLIENT, "RA", 101, 201, 0);
    story_wait(s, 400);
    second = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, first, .cause = "abort", .detail = STORY_ANY, .sender = "client");
    story_check(s, second, .cause = "already-reset", .sender = "server", .original = first);
    story_end(s);
}

/* The same reset a second later, with the next IP ID: no copy, a repeat. */
static void repeated_reset(void)
{
    story *s = story_begin(LINUX, WINDOWS);
    uint32_t first, second;

    story_converse(s, 10);
    first = story_send(s, SERVER, "RA", 201, 101, 0);
    story_wait(s, 1000);
    second = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, first, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_check(s, second, .cause = "already-reset", .sender = "server", .original = first);
    story_end(s);
}

/* RFC 5961 section 3: outside the window it ends nothing, and what follows is judged as if it had not been. */
static void reset_outside_window_ends_nothing(int32_t offset)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t outside, rst;

    story_converse(s, 10);
    outside = story_forge(s, SERVER, "R", 201 + (uint32_t)offset, 0, 64, 4711);
    g_assert_false(story_verdict(s, outside)->effective);
    g_assert_true(g_str_has_prefix(story_verdict(s, outside)->effect, "none"));
    story_send(s, CLIENT, "PA", 101, 201, 100);
    story_wait(s, 10);
    story_send(s, SERVER, "PA", 201, 201, 100);
    story_send(s, CLIENT, "A", 201, 301, 0);
    story_wait(s, 500);
    rst = story_send(s, SERVER, "RA", 301, 201, 0);
    story_check(s, rst, .cause = "abort", .sender = "server");
    story_end(s);
}

static void reset_above_window_ends_nothing(void)
{
    reset_outside_window_ends_nothing(10000000);
}

static void reset_below_window_ends_nothing(void)
{
    reset_outside_window_ends_nothing(-50);
}

/* One below rcv.nxt counts only where the receiver has taken a FIN in. */
static void reset_one_below_without_fin_ends_nothing(void)
{
    reset_outside_window_ends_nothing(-1);
}

/* RFC 9293 section 3.10.7.3: in SYN-SENT a reset that does not acknowledge the SYN is dropped. */
static void reset_without_ack_in_syn_sent_ends_nothing(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t forged, rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    forged = story_forge(s, SERVER, "R", 0, 0, 64, 0);
    g_assert_false(story_verdict(s, forged)->effective);
    story_wait(s, 10);
    story_send(s, SERVER, "SA", 0, 1, 0);
    story_send(s, CLIENT, "A", 1, 1, 0);
    story_wait(s, 10);
    rst = story_send(s, CLIENT, "RA", 1, 1, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "client");
    story_end(s);
}

/* What has reset does not abort again: the second cannot have crossed anything. */
static void own_reset_is_no_crossing(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t first, data, second;

    story_converse(s, 40);
    story_wait(s, 1000);
    data = story_send(s, CLIENT, "PA", 101, 201, 100);
    story_wait(s, 1);
    first = story_send(s, SERVER, "RA", 201, 101, 0);
    story_wait(s, 1);
    second = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, first, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_check(s, second, .cause = "already-reset", .sender = "server", .trigger = data, .original = first);
    story_end(s);
}

/* What a minute after the end of a connection is forgotten of it, with a segment of others meanwhile or without. */
static uint32_t answer_after_a_minute(bool has_others)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t reset, trigger;

    story_converse(s, 1);
    story_send(s, SERVER, "RA", 201, 101, 0);
    story_wait(s, 3000);
    story_send(s, CLIENT, "PA", 101, 201, 100);
    story_wait(s, 30000);
    if (has_others) {
        s->hosts[CLIENT].port++;
        story_send(s, CLIENT, "S", 0, 0, 0);
        s->hosts[CLIENT].port--;
    }
    story_wait(s, 30000);
    reset = story_answer(s, SERVER, "R", 201, 0);
    trigger = story_verdict(s, reset)->trigger;
    story_end(s);
    return trigger;
}

static void others_do_not_matter(void)
{
    g_assert_cmpuint(answer_after_a_minute(false), ==, answer_after_a_minute(true));
    g_assert_cmpuint(answer_after_a_minute(true), ==, 0);
}

static const story_test tests[] = {
    {"stragglers", stragglers_after_abort},
    {"straggler-comes-late", straggler_comes_late},
    {"in-flight-to-the-dead", receiver_answers_what_was_in_flight},
    {"crossing", crossing_resets},
    {"later-other-side", later_reset_of_the_other_side},
    {"repeat", repeated_reset},
    {"above-window", reset_above_window_ends_nothing},
    {"below-window", reset_below_window_ends_nothing},
    {"one-below-without-fin", reset_one_below_without_fin_ends_nothing},
    {"syn-sent", reset_without_ack_in_syn_sent_ends_nothing},
    {"own-reset-is-no-crossing", own_reset_is_no_crossing},
    {"others-do-not-matter", others_do_not_matter},
};

STORY_MAIN("already-reset", tests)
