/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Patterns that show in several connections only: for each the story that shows it, and its twins that must not. */
#include "story.h"

#include <string.h>

#include "follow/units.h"
#include "rstcause/catalogue.h"

#define check(told, reset, pattern) check_at(__LINE__, told, reset, pattern)

static void check_at(int line, const story *told, uint32_t reset, rstcause_pattern pattern)
{
    const rstcause_verdict *v = story_verdict(told, reset);

    if (v->pattern != pattern)
        g_error("line %d: %s instead of %s (%s: %s)", line, rstcause_pattern_name(v->pattern),
                rstcause_pattern_name(pattern), v->rule, v->explanation);
    if (pattern != RSTCAUSE_NO_PATTERN)
        g_test_message("%s: %s [%s]", rstcause_pattern_name(pattern), v->explanation,
                       v->advice != NULL ? v->advice : "");
}

static bool advises(const story *told, uint32_t reset, const char *text)
{
    const char *advice = story_verdict(told, reset)->advice;

    return advice != NULL && strstr(advice, text) != NULL;
}

static void see_all(story *s)
{
    rstcause_tracker_finish(s->tracker);
}

/* The client's next connection, from another port. */
static void dial(story *s)
{
    s->hosts[CLIENT].port++;
}

static void ask(story *s, uint32_t client_at, uint32_t server_at)
{
    story_send(s, CLIENT, "PA", client_at, server_at, 10);
    story_wait(s, 0.1);
}

/* A connection that rests for a while, and then goes on. */
static void rest_and_go_on(story *s, double rest)
{
    story_converse(s, 0.1);
    story_wait(s, rest);
    ask(s, 101, 201);
    story_send(s, SERVER, "PA", 201, 111, 20);
    story_send(s, CLIENT, "A", 111, 221, 0);
    dial(s);
}

/* ... and that nobody knows any more. */
static uint32_t rest_and_be_lost(story *s, double rest)
{
    uint32_t rst;

    story_converse(s, 0.1);
    story_wait(s, rest);
    ask(s, 101, 201);
    rst = story_answer(s, SERVER, "R", 201, 0);
    dial(s);
    return rst;
}

static void forgotten(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    rest_and_go_on(s, 342000);
    rst = rest_and_be_lost(s, 351000);
    check(s, rst, RSTCAUSE_IDLE_FORGOTTEN);
    g_assert_true(story_says(s, rst, "The connection was forgotten while it was idle for 351 s"));
    g_assert_true(story_says(s, rst, "survived 342 s"));
    g_assert_true(story_says(s, rst, "were lost after 351 s"));
    g_assert_true(advises(s, rst, "350 s is the default of AWS"));
    g_assert_false(story_says(s, rst, "AWS"));
    see_all(s);
    check(s, rst, RSTCAUSE_IDLE_FORGOTTEN);
    story_end(s);
}

/* A longer silence was survived: no timer of a device lost this one. */
static void lost_otherwise(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    rest_and_go_on(s, 900000);
    rst = rest_and_be_lost(s, 351000);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
}

/* A few seconds are no idleness, unless two were lost and shorter silences were survived. */
static void forgotten_soon(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst[2];

    rest_and_go_on(s, 2000);
    rst[0] = rest_and_be_lost(s, 4000);
    check(s, rst[0], RSTCAUSE_NO_PATTERN);
    rst[1] = rest_and_be_lost(s, 5000);
    check(s, rst[1], RSTCAUSE_IDLE_FORGOTTEN);
    see_all(s);
    check(s, rst[0], RSTCAUSE_IDLE_FORGOTTEN);
    story_end(s);
}

/* The server resets what was idle for 15 minutes. */
static uint32_t rest_and_be_reset(story *s, double rest)
{
    uint32_t rst;

    story_converse(s, 0.1);
    story_wait(s, rest);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    dial(s);
    return rst;
}

static void idle_closed(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst[2];

    rst[0] = rest_and_be_reset(s, 600000);
    check(s, rst[0], RSTCAUSE_NO_PATTERN);
    story_wait(s, 60000);
    rst[1] = rest_and_be_reset(s, 600000);
    check(s, rst[1], RSTCAUSE_IDLE_CLOSED);
    see_all(s);
    check(s, rst[0], RSTCAUSE_IDLE_CLOSED);
    g_assert_true(story_says(s, rst[0], "The server ends idle connections with a reset, this one after 600 s"));
    story_end(s);
}

/* Different silences; and connections that rested and ended together, as of a server that was stopped. */
static void ended_otherwise(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst[3];

    rst[0] = rest_and_be_reset(s, 600000);
    rst[1] = rest_and_be_reset(s, 700000);
    see_all(s);
    check(s, rst[0], RSTCAUSE_NO_PATTERN);
    check(s, rst[1], RSTCAUSE_NO_PATTERN);
    story_end(s);
    s = story_begin(LINUX, LINUX);
    for (unsigned i = 0; i < 3; i++) {
        story_converse(s, 0.1);
        dial(s);
    }
    story_wait(s, 600000);
    for (unsigned i = 0; i < 3; i++) {
        s->hosts[CLIENT].port--;
        rst[i] = story_send(s, SERVER, "RA", 201, 101, 0);
    }
    see_all(s);
    check(s, rst[2], RSTCAUSE_NO_PATTERN);
    story_end(s);
}

/* The client waits for its answer: that is no idleness. */
static void ended_while_waiting(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst = 0;

    for (unsigned i = 0; i < 3; i++) {
        story_open(s, 0.1);
        story_send(s, CLIENT, "PA", 1, 1, 100);
        story_send(s, SERVER, "A", 1, 101, 0);
        story_wait(s, 20000);
        rst = story_send(s, CLIENT, "RA", 101, 1, 0);
        dial(s);
    }
    see_all(s);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
}

static uint32_t visit(story *s)
{
    uint32_t rst;

    story_open(s, 0.1);
    rst = story_send(s, CLIENT, "RA", 1, 1, 0);
    dial(s);
    return rst;
}

static void health_check(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst[4];

    for (unsigned i = 0; i < 4; i++) {
        rst[i] = visit(s);
        story_wait(s, i % 2 == 0 ? 2000 : 2200);
    }
    check(s, rst[3], RSTCAUSE_HEALTH_CHECK);
    g_assert_true(story_says(s, rst[3], "Harmless: a health check, one every 2.0 s"));
    g_assert_null(story_verdict(s, rst[3])->advice);
    g_assert_cmpint(rstcause_verdict_severity(story_verdict(s, rst[3])), ==, RSTCAUSE_CHAT);
    see_all(s);
    check(s, rst[0], RSTCAUSE_HEALTH_CHECK);
    story_end(s);
}

/* A client that crashes with what it had just opened; and one that comes back at odd times. */
static void no_check(void)
{
    static const double odd[] = {100, 9000, 700, 30000};
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst[4];

    for (unsigned i = 0; i < 4; i++)
        rst[i] = visit(s);
    see_all(s);
    check(s, rst[3], RSTCAUSE_NO_PATTERN);
    story_end(s);
    s = story_begin(LINUX, LINUX);
    for (unsigned i = 0; i < 4; i++) {
        rst[i] = visit(s);
        story_wait(s, odd[i]);
    }
    see_all(s);
    check(s, rst[3], RSTCAUSE_NO_PATTERN);
    story_end(s);
}

/* It asks in step, but asks for something. */
static void no_check_with_data(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst = 0;

    for (unsigned i = 0; i < 4; i++) {
        story_converse(s, 0.1);
        rst = story_send(s, CLIENT, "RA", 101, 201, 0);
        dial(s);
        story_wait(s, 2000);
    }
    see_all(s);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
}

static uint32_t ask_in_vain(story *s)
{
    uint32_t rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    rst = story_refuse(s, SERVER, 1);
    story_wait(s, 10);
    return rst;
}

static void port_scan(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t first = 0, last = 0;

    for (unsigned i = 0; i < 12; i++) {
        s->hosts[SERVER].port = (uint16_t)(20 + i);
        last = ask_in_vain(s);
        first = first != 0 ? first : last;
    }
    check(s, first, RSTCAUSE_PORT_SCAN);
    check(s, last, RSTCAUSE_PORT_SCAN);
    g_assert_true(story_says(s, last, "this client asked 12 ports of one host"));
    story_end(s);
}

/* One port of many hosts of a network. */
static void sweep(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t last = 0;

    for (unsigned i = 0; i < 12; i++) {
        s->hosts[SERVER].address[3] = (uint8_t)(100 + i);
        last = ask_in_vain(s);
    }
    check(s, last, RSTCAUSE_PORT_SCAN);
    g_assert_true(story_says(s, last, "12 hosts for port 80"));
    story_end(s);
}

/* One port again and again; hosts all over the net, each at a port of its own; a few ports only. */
static void no_scan(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t last = 0;

    for (unsigned i = 0; i < 20; i++) {
        last = ask_in_vain(s);
        dial(s);
    }
    check(s, last, RSTCAUSE_NO_PATTERN);
    story_end(s);
    s = story_begin(LINUX, LINUX);
    for (unsigned i = 0; i < 20; i++) {
        s->hosts[SERVER].address[1] = (uint8_t)i;
        s->hosts[SERVER].port = (uint16_t)(6000 + i);
        last = ask_in_vain(s);
    }
    check(s, last, RSTCAUSE_NO_PATTERN);
    story_end(s);
    s = story_begin(LINUX, LINUX);
    for (unsigned i = 0; i < 6; i++) {
        s->hosts[SERVER].port = (uint16_t)(6000 + i);
        last = ask_in_vain(s);
    }
    check(s, last, RSTCAUSE_NO_PATTERN);
    story_end(s);
}

/* A load generator ends with 20 connections open. */
static uint32_t abort_many(story *s, unsigned count, double apart)
{
    uint32_t rst = 0;

    for (unsigned i = 0; i < count; i++) {
        story_converse(s, 0.1);
        dial(s);
    }
    story_wait(s, 500);
    for (unsigned i = 0; i < count; i++) {
        s->hosts[CLIENT].port--;
        story_wait(s, apart);
        rst = story_send(s, CLIENT, "RA", 101, 201, 0);
    }
    see_all(s);
    return rst;
}

static void mass_abort(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst = abort_many(s, 20, 0.2);

    check(s, rst, RSTCAUSE_MASS_ABORT);
    check(s, rst - 19, RSTCAUSE_MASS_ABORT);
    g_assert_true(story_says(s, rst, "The client ended 20 connections within"));
    story_end(s);
}

/* A browser's six; and one after the other. */
static void no_mass(void)
{
    story *s = story_begin(LINUX, LINUX);

    check(s, abort_many(s, 6, 0.2), RSTCAUSE_NO_PATTERN);
    story_end(s);
    s = story_begin(LINUX, LINUX);
    check(s, abort_many(s, 20, 100), RSTCAUSE_NO_PATTERN);
    story_end(s);
}

/* Connections that were open when the server went down, SYNs that it refused, and others that it accepts again. */
static void host_restarted(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint16_t old[2];
    uint32_t refused[2], lost;

    for (unsigned i = 0; i < 2; i++) {
        story_converse(s, 0.1);
        old[i] = s->hosts[CLIENT].port;
        dial(s);
    }
    story_wait(s, 5000);
    for (unsigned i = 0; i < 2; i++) {
        refused[i] = ask_in_vain(s);
        dial(s);
        story_wait(s, 1000);
    }
    story_converse(s, 0.1);
    s->hosts[CLIENT].port = old[0];
    ask(s, 101, 201);
    lost = story_answer(s, SERVER, "R", 201, 0);
    check(s, lost, RSTCAUSE_NO_PATTERN);
    see_all(s);
    check(s, lost, RSTCAUSE_HOST_RESTARTED);
    check(s, refused[0], RSTCAUSE_HOST_RESTARTED);
    g_assert_true(story_says(s, refused[0], "The service went away and came back: it refused connections for 2.0 s"));
    story_end(s);
}

/* ... of which one SYN met it. */
static void restart_refuses_once(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t refused, lost;
    uint16_t old;

    story_converse(s, 0.1);
    old = s->hosts[CLIENT].port;
    dial(s);
    story_wait(s, 5000);
    refused = ask_in_vain(s);
    dial(s);
    story_wait(s, 1000);
    story_converse(s, 0.1);
    s->hosts[CLIENT].port = old;
    ask(s, 101, 201);
    lost = story_answer(s, SERVER, "R", 201, 0);
    see_all(s);
    check(s, lost, RSTCAUSE_HOST_RESTARTED);
    g_assert_true(story_says(s, refused, "accepted again 1.0 s later"));
    g_assert_false(story_says(s, refused, "the last of"));
    story_end(s);
}

/* It has not come back; or was never there before. */
static void stayed_away(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint16_t old;
    uint32_t refused, lost;

    story_converse(s, 0.1);
    old = s->hosts[CLIENT].port;
    story_wait(s, 5000);
    dial(s);
    refused = ask_in_vain(s);
    dial(s);
    ask_in_vain(s);
    s->hosts[CLIENT].port = old;
    ask(s, 101, 201);
    lost = story_answer(s, SERVER, "R", 201, 0);
    see_all(s);
    check(s, lost, RSTCAUSE_NO_PATTERN);
    check(s, refused, RSTCAUSE_NO_PATTERN);
    story_end(s);
}

/* The handshake completes, and the listener drops it. */
static uint32_t be_turned_away(story *s)
{
    uint32_t rst;

    story_open(s, 0.1);
    rst = story_answer(s, SERVER, "R", 1, 0);
    dial(s);
    story_wait(s, 20);
    return rst;
}

static void backlog_overflow(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst = 0;

    story_open(s, 0.1); /* it waits in the queue */
    dial(s);
    for (unsigned i = 0; i < 3; i++)
        rst = be_turned_away(s);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    see_all(s);
    check(s, rst, RSTCAUSE_BACKLOG_OVERFLOW);
    g_assert_true(story_says(s, rst, "The server accepts too slowly: it turned 3 connections away"));
    story_end(s);
}

/* A balancer without a backend takes none; and one that is turned away is no overflow. */
static void no_overflow(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst = 0;

    for (unsigned i = 0; i < 5; i++)
        rst = be_turned_away(s);
    see_all(s);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
    s = story_begin(LINUX, LINUX);
    story_open(s, 0.1);
    dial(s);
    rst = be_turned_away(s);
    see_all(s);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
}

/* The client aborts in the middle; what the server had sent before comes and is answered. */
static void cancelled_by_straggler(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_send(s, SERVER, "A", 201, 101, 1400);
    rst = story_send(s, CLIENT, "RA", 101, 1601, 0);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_wait(s, 1);
    story_send(s, SERVER, "A", 1601, 101, 1400);
    story_answer(s, CLIENT, "R", 101, 0);
    check(s, rst, RSTCAUSE_CANCELLED_DOWNLOAD);
    story_end(s);
}

/* Old segments of the server reach a router that does not translate them; the client goes on. */
static uint32_t stray(story *s, bool goes_on)
{
    uint32_t rst;

    story_converse(s, 0.2);
    story_send(s, SERVER, "PA", 20000201, 101, 300);
    rst = story_answer(s, CLIENT, "R", 101, 0);
    story_wait(s, 15);
    story_send(s, SERVER, "PA", 20001201, 101, 300);
    story_answer(s, CLIENT, "R", 101, 0);
    story_wait(s, 100);
    if (goes_on)
        story_send(s, CLIENT, "PA", 101, 201, 50);
    return rst;
}

static void went_astray(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst = stray(s, true);

    check(s, rst, RSTCAUSE_STRAY_SEGMENT);
    story_end(s);
    s = story_begin(LINUX, LINUX);
    rst = stray(s, false);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
}

/* The only word behind it is an ACK that was delayed. */
static void went_astray_before_ack(void)
{
    static const double delays[] = {40, 2};
    static const rstcause_pattern patterns[] = {RSTCAUSE_STRAY_SEGMENT, RSTCAUSE_NO_PATTERN};

    for (size_t i = 0; i < G_N_ELEMENTS(delays); i++) {
        story *s = story_begin(LINUX, LINUX);
        uint32_t rst;

        story_converse(s, 0.2);
        story_send(s, SERVER, "PA", 201, 101, 100);
        story_wait(s, 10);
        story_send(s, SERVER, "PA", 20000301, 101, 300);
        rst = story_answer(s, CLIENT, "R", 101, 0);
        story_wait(s, delays[i]);
        story_send(s, CLIENT, "A", 101, 301, 0);
        check(s, rst, patterns[i]);
        story_end(s);
    }
}

/* A server that dies while it owes 20 clients an answer: its end, and not each request, is the story. */
static void server_killed(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst = 0;

    for (unsigned i = 0; i < 20; i++) {
        story_converse(s, 0.1);
        story_send(s, CLIENT, "PA", 101, 201, 50);
        story_send(s, SERVER, "A", 201, 151, 0);
        dial(s);
    }
    story_wait(s, 500);
    for (unsigned i = 0; i < 20; i++) {
        s->hosts[CLIENT].port--;
        story_wait(s, 0.2);
        rst = story_send(s, SERVER, "RA", 201, 151, 0);
    }
    see_all(s);
    check(s, rst, RSTCAUSE_MASS_ABORT);
    g_assert_false(story_says(s, rst, "without a byte of reply"));
    story_end(s);
}

static const story_test tests[] = {
    {"forgotten", forgotten},
    {"lost-otherwise", lost_otherwise},
    {"forgotten-soon", forgotten_soon},
    {"idle-closed", idle_closed},
    {"ended-otherwise", ended_otherwise},
    {"ended-while-waiting", ended_while_waiting},
    {"health-check", health_check},
    {"no-check", no_check},
    {"no-check-with-data", no_check_with_data},
    {"port-scan", port_scan},
    {"sweep", sweep},
    {"no-scan", no_scan},
    {"mass-abort", mass_abort},
    {"no-mass", no_mass},
    {"host-restarted", host_restarted},
    {"restart-refuses-once", restart_refuses_once},
    {"stayed-away", stayed_away},
    {"backlog-overflow", backlog_overflow},
    {"no-overflow", no_overflow},
    {"cancelled-by-straggler", cancelled_by_straggler},
    {"went-astray", went_astray},
    {"went-astray-before-ack", went_astray_before_ack},
    {"server-killed", server_killed},
};

STORY_MAIN("neighbours", tests)
