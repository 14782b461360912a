/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A port pair used again: the new connection is judged by itself and knows what became of the one before. */
#include "story.h"

/* The connection before ends in one of these ways, then a new one is opened and gets 'end'. */
typedef enum { LEFT_OPEN, CLOSED, RESET, REFUSED } past;

static story *live_before(past how)
{
    story *s = story_begin(LINUX, LINUX);

    if (how == REFUSED) {
        story_send(s, CLIENT, "S", 0, 0, 0);
        story_refuse(s, SERVER, 1);
    } else {
        story_converse(s, 0.2);
    }
    if (how == CLOSED) {
        story_send(s, CLIENT, "FA", 101, 201, 0);
        story_send(s, SERVER, "FA", 201, 102, 0);
        story_send(s, CLIENT, "A", 102, 202, 0);
    }
    if (how == RESET)
        story_send(s, SERVER, "RA", 201, 101, 0);
    story_wait(s, 300000);
    story_restart(s, CLIENT, 123);
    story_restart(s, SERVER, 456);
    return s;
}

static void abort_of_next_connection(void)
{
    for (past how = LEFT_OPEN; how <= REFUSED; how++) {
        story *s = live_before(how);
        uint32_t rst;

        story_converse(s, 0.2);
        story_wait(s, 10);
        rst = story_send(s, SERVER, "RA", 201, 101, 0);
        story_check(s, rst, .cause = "abort", .sender = "server");
        story_end(s);
    }
}

static void refusal_of_next_connection(void)
{
    for (past how = LEFT_OPEN; how <= REFUSED; how++) {
        story *s = live_before(how);
        uint32_t syn = story_send(s, CLIENT, "S", 0, 0, 0), rst = story_refuse(s, SERVER, 1);

        story_check(s, rst, .cause = "closed-port", .sender = "server", .trigger = syn);
        story_end(s);
    }
}

static void half_open_next_connection(void)
{
    for (past how = LEFT_OPEN; how <= REFUSED; how++) {
        story *s = live_before(how);
        uint32_t data, rst;

        story_converse(s, 0.2);
        story_wait(s, 20000);
        data = story_send(s, CLIENT, "PA", 101, 201, 10);
        rst = story_answer(s, SERVER, "R", 201, 0);
        story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "server", .trigger = data);
        story_end(s);
    }
}

/* Three refusals and then success: attempts of one client that waits for a server to start. */
static void refusals_before_success(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    for (unsigned i = 0; i < 3; i++) {
        uint32_t syn = story_send(s, CLIENT, "S", 0, 0, 0);

        rst = story_refuse(s, SERVER, 1);
        story_check(s, rst, .cause = "closed-port", .sender = "server", .trigger = syn);
        story_wait(s, 1000);
        story_restart(s, CLIENT, 1000 + i * 100000);
    }
    story_converse(s, 0.2);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "A", 101, 202, 0);
    story_wait(s, 10);
    story_send(s, CLIENT, "PA", 101, 202, 10);
    rst = story_answer(s, SERVER, "R", 202, 0);
    story_check(s, rst, .cause = "data-after-close", .detail = "data", .sender = "server", .trigger = s->frame - 1);
    story_end(s);
}

/* A straggler of the reset connection is not the new one's. */
static void burst_ends_with_its_connection(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, first, second, rst;

    story_converse(s, 0.2);
    story_wait(s, 1);
    data = story_send(s, CLIENT, "PA", 101, 201, 10);
    first = story_send(s, SERVER, "RA", 201, 101, 0);
    second = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, second, .cause = "already-reset", .sender = "server", .trigger = data, .original = first);
    story_wait(s, 50);
    story_restart(s, CLIENT, 123);
    story_converse(s, 0.2);
    story_wait(s, 10);
    rst = story_send(s, CLIENT, "RA", 101, 201, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "client");
    story_end(s);
}

/* The roles change: the host that was the server opens the next connection on the same pair. */
static void roles_change(void)
{
    story *s = live_before(CLOSED);
    uint32_t rst;

    story_send(s, SERVER, "S", 0, 0, 0);
    story_send(s, CLIENT, "SA", 0, 1, 0);
    story_wait(s, 0.2);
    story_send(s, SERVER, "A", 1, 1, 0);
    story_wait(s, 10);
    rst = story_send(s, CLIENT, "RA", 1, 1, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

static const story_test tests[] = {
    {"abort", abort_of_next_connection},
    {"refusal", refusal_of_next_connection},
    {"half-open", half_open_next_connection},
    {"refusals-before-success", refusals_before_success},
    {"burst-ends", burst_ends_with_its_connection},
    {"roles-change", roles_change},
};

STORY_MAIN("reuse", tests)
