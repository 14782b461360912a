/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way back from a trigger to the reset that answers it: as the verdicts stand when the file has been seen. */
#include "story.h"

static uint32_t find(const story *told, uint32_t trigger)
{
    return rstcause_tracker_find_reset(told->tracker, trigger);
}

/* Every frame but this one is no trigger. */
static void expect_only(const story *told, uint32_t trigger, uint32_t reset)
{
    for (uint32_t frame = 0; frame <= told->frame + 1; frame++)
        g_assert_cmpuint(find(told, frame), ==, frame == trigger ? reset : 0);
}

static void only_the_trigger_leads_back(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_converse(s, 0.1);
    story_wait(s, 20000);
    data = story_send(s, SERVER, "PA", 201, 101, 64);
    rst = story_answer(s, CLIENT, "R", 101, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .trigger = data);
    expect_only(s, 0, 0); /* the file has not been seen yet */
    rstcause_tracker_finish(s->tracker);
    expect_only(s, data, rst);
    story_end(s);
}

static void abort_has_no_way_back(void)
{
    story *s = story_begin(LINUX, LINUX);

    story_converse(s, 0.1);
    story_wait(s, 100);
    story_send(s, SERVER, "RA", 201, 101, 0);
    rstcause_tracker_finish(s->tracker);
    expect_only(s, 0, 0);
    story_end(s);
}

/* In whatever order they are asked for. */
static void each_of_a_burst_has_its_own(void)
{
    enum { BURST = 5 };
    story *s = story_begin(LINUX, LINUX);
    uint32_t data[BURST], rst[BURST];

    story_converse(s, 0.1);
    story_send(s, SERVER, "FA", 201, 101, 0);
    for (unsigned i = 0; i < BURST; i++)
        data[i] = story_send(s, CLIENT, "PA", 101 + 100 * i, 201, 100);
    story_wait(s, 0.1);
    for (unsigned i = 0; i < BURST; i++) {
        rst[i] = story_answer(s, SERVER, "R", 201, 0);
        g_assert_cmpuint(story_verdict(s, rst[i])->trigger, ==, data[i]);
    }
    rstcause_tracker_finish(s->tracker);
    for (unsigned i = 0; i < BURST; i++)
        g_assert_cmpuint(find(s, data[i]), ==, rst[i]);
    for (unsigned i = BURST; i-- > 0;)
        g_assert_cmpuint(find(s, data[i]), ==, rst[i]);
    g_assert_cmpuint(find(s, data[3]), ==, rst[3]);
    g_assert_cmpuint(find(s, data[0] - 1), ==, 0);
    g_assert_cmpuint(find(s, data[BURST - 1] + 1), ==, 0);
    story_end(s);
}

/* The copy names the same trigger; the way back leads to the packet that it copies. */
static void copy_is_left_out(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t syn, rst, copy;

    syn = story_send(s, CLIENT, "S", 0, 0, 0);
    rst = story_refuse(s, SERVER, 1);
    copy = story_copy(s, rst, 1);
    story_check(s, copy, .cause = "closed-port", .detail = "copy", .trigger = syn, .original = rst);
    rstcause_tracker_finish(s->tracker);
    expect_only(s, syn, rst);
    story_end(s);
}

/* A live capture: it has been looked at, and goes on. A later segment is what the reset answers. */
static void verdict_changes_after_a_look(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_converse(s, 0.1);
    story_wait(s, 20000);
    rst = story_answer(s, CLIENT, "R", 101, 0);
    rstcause_tracker_finish(s->tracker);
    expect_only(s, 0, 0);
    data = story_send(s, SERVER, "PA", 201, 101, 64);
    story_check(s, rst, .cause = "half-open", .detail = "data", .trigger = data);
    expect_only(s, 0, 0);
    rstcause_tracker_finish(s->tracker);
    expect_only(s, data, rst);
    story_end(s);
}

/* ... or it proves that the reset answers nothing: its sender goes on. */
static void trigger_is_taken_back(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, forged;

    story_converse(s, 20);
    story_wait(s, 100);
    data = story_send(s, CLIENT, "PA", 101, 201, 100);
    story_wait(s, 20);
    forged = story_answer(s, SERVER, "R", 201, 0);
    rstcause_tracker_finish(s->tracker);
    expect_only(s, data, forged);
    story_wait(s, 1000);
    story_send(s, SERVER, "PA", 201, 201, 100);
    story_check(s, forged, .cause = "injected", .detail = STORY_ANY);
    rstcause_tracker_finish(s->tracker);
    expect_only(s, 0, 0);
    story_end(s);
}

/* tshark -2 -R gives a number again: the later frame's reset answers nothing. */
static void number_comes_again(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    rst = story_refuse(s, SERVER, 1);
    story_restart(s, CLIENT, 7000);
    story_restart(s, SERVER, 9000);
    s->frame = 2;
    story_converse(s, 0.1);
    s->frame = rst - 1;
    g_assert_cmpuint(story_send(s, SERVER, "RA", 201, 101, 0), ==, rst);
    rstcause_tracker_finish(s->tracker);
    expect_only(s, 0, 0);
    story_end(s);
}

static const story_test tests[] = {
    {"only-the-trigger", only_the_trigger_leads_back},
    {"abort", abort_has_no_way_back},
    {"burst", each_of_a_burst_has_its_own},
    {"copy", copy_is_left_out},
    {"changes-after-a-look", verdict_changes_after_a_look},
    {"taken-back", trigger_is_taken_back},
    {"number-comes-again", number_comes_again},
};

STORY_MAIN("way-back", tests)
