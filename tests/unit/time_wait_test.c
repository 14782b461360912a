/* SPDX-License-Identifier: GPL-2.0-or-later */
/* time-wait: a segment came for a connection that both had closed in order. RFC 9293 section 3.6.1, RFC 1337. */
#include "story.h"

/* The client closes first and so waits in TIME-WAIT; it stands at 102, the server at 202. */
static void close_in_order(story *s, double round_trip)
{
    story_converse(s, round_trip);
    story_send(s, CLIENT, "FA", 101, 201, 0);
    story_wait(s, round_trip);
    story_send(s, SERVER, "FA", 201, 102, 0);
    story_send(s, CLIENT, "A", 102, 202, 0);
}

/* An old segment of the client reaches the server, which is CLOSED. */
static void late_segment_meets_closed_server(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t late, rst;

    close_in_order(s, 0.1);
    story_wait(s, 3000);
    late = story_send(s, CLIENT, "PA", 1, 1, 100);
    rst = story_answer(s, SERVER, "R", 1, 0);
    story_check(s, rst, .cause = "time-wait", .detail = "late-segment", .sender = "server", .trigger = late);
    story_end(s);
}

/* RFC 1337 section 2: an old segment of the server reaches TIME-WAIT, which acknowledges; the closed server resets. */
static void assassinate_time_wait(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t ack, rst;

    close_in_order(s, 0.1);
    story_wait(s, 3000);
    story_send(s, SERVER, "PA", 1, 101, 200);
    ack = story_send(s, CLIENT, "A", 102, 202, 0);
    rst = story_answer(s, SERVER, "R", 202, 0);
    story_check(s, rst, .cause = "time-wait", .detail = "assassination", .sender = "server", .trigger = ack);
    story_end(s);
}

/* The port pair again: TIME-WAIT acknowledges the old connection, the client's SYN-SENT resets that. */
static void reuse_pair_in_time_wait(void)
{
    story *s = story_begin(LINUX_WITHOUT_TIMESTAMPS, LINUX_WITHOUT_TIMESTAMPS);
    uint32_t old_next, ack, rst, abort;

    story_converse(s, 0.1);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "FA", 101, 202, 0);
    story_send(s, SERVER, "A", 202, 102, 0);
    story_wait(s, 5000);
    story_restart(s, CLIENT, s->hosts[CLIENT].isn - 500000);
    old_next = 102 + 500000;
    story_send(s, CLIENT, "S", 0, 0, 0);
    ack = story_send(s, SERVER, "A", 202, old_next, 0);
    rst = story_answer(s, CLIENT, "R", old_next, 0);
    story_check(s, rst, .cause = "time-wait", .detail = "port-reuse", .confidence = "certain", .sender = "client",
                .trigger = ack);

    story_wait(s, 1000);
    story_restart(s, SERVER, 99);
    story_converse(s, 0.1);
    abort = story_send(s, CLIENT, "RA", 101, 201, 0);
    story_check(s, abort, .cause = "abort", .detail = STORY_ANY, .sender = "client");
    story_end(s);
}

/* A stack whose TIME-WAIT refuses the SYN itself, at a number of its own. */
static void time_wait_refuses_syn(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t syn, rst;

    close_in_order(s, 0.1);
    story_wait(s, 5000);
    story_restart(s, CLIENT, s->hosts[CLIENT].isn - 500000);
    syn = story_send(s, CLIENT, "S", 0, 0, 0);
    rst = story_answer(s, SERVER, "RA", 202, 1);
    story_check(s, rst, .cause = "time-wait", .detail = "port-reuse", .sender = "server", .trigger = syn);
    story_end(s);
}

/* The pair's connection before was not closed: the same answers mean half-open. */
static void reuse_of_open_pair_is_half_open(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t old_next, ack, rst;

    story_converse(s, 0.1);
    story_wait(s, 5000);
    story_restart(s, CLIENT, s->hosts[CLIENT].isn - 500000);
    old_next = 101 + 500000;
    story_send(s, CLIENT, "S", 0, 0, 0);
    ack = story_send(s, SERVER, "A", 201, old_next, 0);
    rst = story_answer(s, CLIENT, "R", old_next, 0);
    story_check(s, rst, .cause = "half-open", .detail = "reconnect", .sender = "client", .trigger = ack);
    story_end(s);
}

/* Only the server's FIN is acknowledged: the connection was half-closed, not closed in order. */
static void half_closed_is_no_time_wait(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_converse(s, 0.1);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "A", 101, 202, 0);
    story_wait(s, 3000);
    data = story_send(s, CLIENT, "PA", 101, 202, 100);
    rst = story_answer(s, SERVER, "R", 202, 0);
    story_check(s, rst, .cause = "data-after-close", .detail = "data", .sender = "server", .trigger = data);
    story_end(s);
}

static const story_test tests[] = {
    {"late-segment", late_segment_meets_closed_server},
    {"assassination", assassinate_time_wait},
    {"port-reuse", reuse_pair_in_time_wait},
    {"refused-syn", time_wait_refuses_syn},
    {"open-pair-is-half-open", reuse_of_open_pair_is_half_open},
    {"half-closed", half_closed_is_no_time_wait},
};

STORY_MAIN("time-wait", tests)
