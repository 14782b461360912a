/* SPDX-License-Identifier: GPL-2.0-or-later */
/* data-after-close: S had closed and could take nothing more. RFC 1122 section 4.2.2.13, RFC 9293 section 3.6.1. */
#include "story.h"

/* The client has acknowledged the FIN, and talks on: the ACK of the FIN is taken, the data are not. */
static void data_meet_closed_linux(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_converse(s, 0.1);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "A", 101, 202, 0);
    data = story_send(s, CLIENT, "PA", 101, 202, 50);
    rst = story_answer(s, SERVER, "R", 202, 0);
    story_check(s, rst, .cause = "data-after-close", .detail = "data", .confidence = "certain", .sender = "server",
                .trigger = data);
    story_end(s);
}

/* The FIN_WAIT2 timer (60 s in Linux) has removed the socket when the client closes too. */
static void fin_meets_removed_socket(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t fin, rst;

    story_converse(s, 0.1);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "A", 101, 202, 0);
    story_wait(s, 75000);
    fin = story_send(s, CLIENT, "FA", 101, 202, 0);
    rst = story_answer(s, SERVER, "R", 202, 0);
    story_check(s, rst, .cause = "data-after-close", .detail = "fin", .sender = "server", .trigger = fin);
    story_end(s);
}

static void ack_meets_removed_socket(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t ack, rst;

    story_converse(s, 0.1);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "A", 101, 202, 0);
    story_wait(s, 75000);
    ack = story_send(s, CLIENT, "A", 101, 202, 0);
    rst = story_answer(s, SERVER, "R", 202, 0);
    story_check(s, rst, .cause = "data-after-close", .detail = "ack", .sender = "server", .trigger = ack);
    story_end(s);
}

/* STACKS: Windows answers with RST,ACK at FIN + 1, which acknowledges exactly the new data. */
static void data_meet_closed_windows(void)
{
    story *s = story_begin(LINUX, WINDOWS);
    uint32_t data, rst;

    story_converse(s, 10);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "A", 101, 202, 0);
    story_wait(s, 50);
    data = story_send(s, CLIENT, "PA", 101, 202, 50);
    story_wait(s, 10);
    rst = story_answer(s, SERVER, "RA", 202, 151);
    story_check(s, rst, .cause = "data-after-close", .detail = "data", .sender = "server", .trigger = data);
    story_end(s);
}

/* The nearest neighbour: the same RST,ACK that acknowledges nothing new is the host's own doing. */
static void windows_aborts_behind_own_fin(void)
{
    story *s = story_begin(LINUX, WINDOWS);
    uint32_t rst;

    story_converse(s, 10);
    story_wait(s, 100);
    story_send(s, SERVER, "FA", 201, 101, 0);
    rst = story_send(s, SERVER, "RA", 202, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

/* STACKS: Darwin answers each segment, bare. */
static void burst_meets_closed_darwin(void)
{
    story *s = story_begin(LINUX, DARWIN);
    uint32_t data[2], rst[2];

    story_converse(s, 10);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "A", 101, 202, 0);
    story_wait(s, 50);
    data[0] = story_send(s, CLIENT, "PA", 101, 202, 50);
    data[1] = story_send(s, CLIENT, "FA", 151, 202, 0);
    story_wait(s, 10);
    rst[0] = story_answer(s, SERVER, "R", 202, 0);
    rst[1] = story_answer(s, SERVER, "R", 202, 0);
    story_check(s, rst[0], .cause = "data-after-close", .detail = "data", .sender = "server", .trigger = data[0]);
    story_check(s, rst[1], .cause = "already-reset", .sender = "server", .trigger = data[1], .original = rst[0]);
    story_end(s);
}

/*
 * The commonest burst in the wild, at the client: its data and FIN cross the server's FIN, so the answers have
 * numbers one below the window of a client that has taken the FIN in (tcp_reset_check() in Linux), IP ID 0, and
 * triggers that stand before the FIN.
 */
static void burst_crosses_fin(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data[3], rst[3];

    story_converse(s, 20);
    story_wait(s, 1000);
    data[0] = story_send(s, CLIENT, "PA", 101, 201, 100);
    data[1] = story_send(s, CLIENT, "PA", 201, 201, 100);
    data[2] = story_send(s, CLIENT, "FA", 301, 201, 0);
    story_wait(s, 5);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "A", 302, 202, 0);
    story_wait(s, 15);
    for (unsigned i = 0; i < 3; i++)
        rst[i] = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst[0], .cause = "data-after-close", .detail = "data", .sender = "server", .trigger = data[0]);
    story_check(s, rst[1], .cause = "already-reset", .sender = "server", .trigger = data[1], .original = rst[0]);
    story_check(s, rst[2], .cause = "already-reset", .sender = "server", .trigger = data[2], .original = rst[0]);
    g_assert_true(story_verdict(s, rst[0])->effective);
    story_end(s);
}

/* The same burst at the server: each answer right behind its trigger. The ACK of the FIN is answered last. */
static void burst_crosses_fin_at_server(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, fin, ack, rst[3];

    story_converse(s, 0.05);
    story_wait(s, 1000);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_wait(s, 8);
    data = story_send(s, CLIENT, "PA", 101, 201, 100);
    rst[0] = story_answer(s, SERVER, "R", 201, 0);
    fin = story_send(s, CLIENT, "FA", 201, 201, 0);
    rst[1] = story_answer(s, SERVER, "R", 201, 0);
    story_wait(s, 10);
    ack = story_send(s, CLIENT, "A", 202, 202, 0);
    rst[2] = story_answer(s, SERVER, "R", 202, 0);
    story_check(s, rst[0], .cause = "data-after-close", .detail = "data", .confidence = "certain", .sender = "server",
                .trigger = data);
    story_check(s, rst[1], .cause = "already-reset", .sender = "server", .trigger = fin, .original = rst[0]);
    story_check(s, rst[2], .cause = "already-reset", .sender = "server", .trigger = ack, .original = rst[0]);
    story_end(s);
}

/* Long in flight: more segments than the first few; the answers keep their order. */
static void long_burst_keeps_order(void)
{
    enum { COUNT = 40 };
    story *s = story_begin(LINUX, LINUX);
    uint32_t data[COUNT], rst[COUNT];

    story_converse(s, 80);
    story_wait(s, 1000);
    for (unsigned i = 0; i < COUNT; i++)
        data[i] = story_send(s, CLIENT, "A", 101 + i * 1448, 201, 1448);
    story_wait(s, 40);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_wait(s, 40);
    for (unsigned i = 0; i < COUNT; i++)
        rst[i] = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst[0], .cause = "data-after-close", .detail = "data", .sender = "server", .trigger = data[0]);
    for (unsigned i = 1; i < COUNT; i++)
        story_check(s, rst[i], .cause = "already-reset", .sender = "server", .trigger = data[i], .original = rst[0]);
    story_end(s);
}

/* The path became slower than ever measured: the age of the newest segment tells how old its neighbours may be. */
static void burst_on_slow_path(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data[3], rst[3];

    story_converse(s, 20);
    story_wait(s, 100);
    for (unsigned i = 0; i < 3; i++)
        data[i] = story_send(s, CLIENT, "PA", 101 + 100 * i, 201, 100);
    story_wait(s, 30);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_wait(s, 40);
    for (unsigned i = 0; i < 3; i++)
        rst[i] = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst[0], .cause = "data-after-close", .detail = "data", .sender = "server", .trigger = data[0]);
    for (unsigned i = 1; i < 3; i++)
        story_check(s, rst[i], .cause = "already-reset", .sender = "server", .trigger = data[i], .original = rst[0]);
    story_end(s);
}

static const story_test tests[] = {
    {"linux", data_meet_closed_linux},
    {"fin", fin_meets_removed_socket},
    {"ack", ack_meets_removed_socket},
    {"windows", data_meet_closed_windows},
    {"windows-abort-is-none", windows_aborts_behind_own_fin},
    {"darwin", burst_meets_closed_darwin},
    {"burst-crosses-fin", burst_crosses_fin},
    {"burst-crosses-fin-at-server", burst_crosses_fin_at_server},
    {"long-burst", long_burst_keeps_order},
    {"burst-on-slow-path", burst_on_slow_path},
};

STORY_MAIN("data-after-close", tests)
