/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same packet in the capture twice: a mirror port, the "any" interface, both sides of a router. */
#include "story.h"

/* Behind a router: the same packet, one hop on. */
static void copy_of_abort(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst, copy;

    story_converse(s, 20);
    story_wait(s, 100);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_wait(s, 0.05);
    copy = story_copy(s, rst, 1);
    story_check(s, rst, .cause = "abort", .sender = "server");
    story_check(s, copy, .cause = "abort", .detail = "copy", .sender = "server", .original = rst);
    story_end(s);
}

/* A mirror port shows it just so again. */
static void copy_of_refusal(void)
{
    story *s = story_begin(WINDOWS, WINDOWS);
    uint32_t syn = story_send(s, CLIENT, "S", 0, 0, 0), rst, copy;

    story_copy(s, syn, 0);
    rst = story_refuse(s, SERVER, 1);
    copy = story_copy(s, rst, 0);
    story_check(s, rst, .cause = "closed-port", .sender = "server", .trigger = syn);
    story_check(s, copy, .cause = "closed-port", .detail = "copy", .sender = "server", .trigger = syn, .original = rst);
    story_end(s);
}

/* The next ID of the counter: not the same packet, so the reset was sent twice. */
static void repeat_is_no_copy(void)
{
    story *s = story_begin(LINUX, WINDOWS);
    uint32_t rst, repeat;

    story_converse(s, 20);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    repeat = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, repeat, .cause = "already-reset", .sender = "server", .original = rst);
    story_end(s);
}

/* Linux' answers of a burst are equal to the last bit, IP ID 0; each has its own trigger. */
static void equal_answers_are_no_copies(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data[3], rst[3];

    story_converse(s, 0.1);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_wait(s, 1);
    for (unsigned i = 0; i < 3; i++)
        data[i] = story_send(s, CLIENT, "PA", 101 + 100 * i, 201, 100);
    for (unsigned i = 0; i < 3; i++)
        rst[i] = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst[0], .cause = "data-after-close", .detail = "data", .sender = "server", .trigger = data[0]);
    story_check(s, rst[1], .cause = "already-reset", .sender = "server", .trigger = data[1], .original = rst[0]);
    story_check(s, rst[2], .cause = "already-reset", .sender = "server", .trigger = data[2], .original = rst[0]);
    story_end(s);
}

/* The same burst behind "any", which shows each packet on two interfaces. */
static uint32_t twice(story *s, uint32_t frame)
{
    uint32_t copy;

    s->capture_interface = 1;
    copy = story_copy(s, frame, 0);
    s->capture_interface = 0;
    return copy;
}

static void equal_answers_each_twice(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data[2], rst[2], copy[2];

    twice(s, story_send(s, CLIENT, "S", 0, 0, 0));
    twice(s, story_send(s, SERVER, "SA", 0, 1, 0));
    twice(s, story_send(s, CLIENT, "A", 1, 1, 0));
    twice(s, story_send(s, SERVER, "FA", 1, 1, 0));
    story_wait(s, 1);
    for (unsigned i = 0; i < 2; i++) {
        data[i] = story_send(s, CLIENT, "PA", 1 + 100 * i, 1, 100);
        twice(s, data[i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        rst[i] = story_answer(s, SERVER, "R", 1, 0);
        copy[i] = twice(s, rst[i]);
    }
    story_check(s, rst[0], .cause = "data-after-close", .detail = "data", .sender = "server", .trigger = data[0]);
    story_check(s, copy[0], .cause = "data-after-close", .detail = "copy", .sender = "server", .trigger = data[0],
                .original = rst[0]);
    story_check(s, rst[1], .cause = "already-reset", .sender = "server", .trigger = data[1], .original = rst[0]);
    story_check(s, copy[1], .cause = "already-reset", .detail = "copy", .sender = "server", .trigger = data[1],
                .original = rst[1]);
    story_end(s);
}

/* The copies come in a row behind the burst: each has the cause of the packet that it copies, not of the last one. */
static void copies_behind_burst(void)
{
    story *s = story_begin(LINUX, WINDOWS);
    uint32_t data[2], rst[2], copy[2];

    story_converse(s, 10);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "A", 101, 202, 0);
    story_wait(s, 50);
    data[0] = story_send(s, CLIENT, "PA", 101, 202, 50);
    data[1] = story_send(s, CLIENT, "PA", 151, 202, 50);
    story_wait(s, 10);
    rst[0] = story_answer(s, SERVER, "R", 202, 0);
    rst[1] = story_answer(s, SERVER, "R", 202, 0);
    copy[0] = story_copy(s, rst[0], 1);
    copy[1] = story_copy(s, rst[1], 1);
    story_check(s, rst[0], .cause = "data-after-close", .detail = "data", .sender = "server", .trigger = data[0]);
    story_check(s, rst[1], .cause = "already-reset", .sender = "server", .trigger = data[1], .original = rst[0]);
    story_check(s, copy[0], .cause = "data-after-close", .detail = "copy", .sender = "server", .trigger = data[0],
                .original = rst[0]);
    story_check(s, copy[1], .cause = "already-reset", .detail = "copy", .sender = "server", .trigger = data[1],
                .original = rst[1]);
    story_end(s);
}

/* What later segments prove of a packet, they prove of its copy. */
static void copy_of_forged_reset(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t forged, copy;

    story_converse(s, 20);
    story_wait(s, 100);
    forged = story_send(s, SERVER, "RA", 201, 101, 0);
    s->hosts[SERVER].ip_id--; /* a forger's packet takes none from its counter */
    copy = story_copy(s, forged, 1);
    story_wait(s, 1000);
    story_send(s, SERVER, "PA", 201, 101, 100);
    story_check(s, forged, .cause = "injected", .detail = "sender-continues", .sender = "third-party");
    story_check(s, copy, .cause = "injected", .detail = "copy", .sender = "third-party", .original = forged);
    story_end(s);
}

/* Data captured twice are no retransmission, and no two triggers. */
static void copies_of_data(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_converse(s, 20);
    story_wait(s, 20000);
    data = story_send(s, CLIENT, "PA", 101, 201, 100);
    story_wait(s, 0.03);
    story_copy(s, data, 1);
    story_wait(s, 20);
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "server", .trigger = data);
    story_end(s);
}

/* The copied reset's copy in a capture that begins with it. */
static void copy_without_context(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst, copy;

    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    copy = story_copy(s, rst, 0);
    story_check(s, rst, .cause = "unknown", .detail = "no-context");
    story_check(s, copy, .cause = "unknown", .detail = "copy", .original = rst);
    story_end(s);
}

/* A storm repeats one packet again and again: each is a copy of the first. */
static void storm_of_copies(void)
{
    enum { COPIES = 5000 };
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst, last = 0;

    story_converse(s, 20);
    story_wait(s, 20);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    for (unsigned i = 0; i < COPIES; i++)
        last = story_copy(s, rst, 0);
    story_check(s, last, .cause = "abort", .detail = "copy", .sender = "server", .original = rst);
    story_end(s);
}

static const story_test tests[] = {
    {"abort", copy_of_abort},
    {"refusal", copy_of_refusal},
    {"repeat-is-none", repeat_is_no_copy},
    {"equal-answers-are-none", equal_answers_are_no_copies},
    {"equal-answers-each-twice", equal_answers_each_twice},
    {"behind-burst", copies_behind_burst},
    {"forged", copy_of_forged_reset},
    {"data", copies_of_data},
    {"without-context", copy_without_context},
    {"storm", storm_of_copies},
};

STORY_MAIN("copy", tests)
