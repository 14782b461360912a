/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the capture lacks lowers the confidence; it does not silence the verdict. And numbers that wrap. */
#include "story.h"

#include <string.h>

static void reset_alone(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst = story_send(s, SERVER, "RA", 201, 101, 0);

    story_check(s, rst, .cause = "unknown", .detail = "no-context");
    story_end(s);
}

/* A capture filter that keeps resets only: the form of a refusal makes one possible. */
static void refusal_alone(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst = story_refuse(s, SERVER, 101);

    story_check(s, rst, .cause = "closed-port", .confidence = "possible", .sender = "server");
    g_assert_true(story_says(s, rst, "the form of an answer to a segment without ACK"));
    story_end(s);
}

static void bare_reset_alone(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst = story_answer(s, SERVER, "R", 201, 0);

    story_check(s, rst, .cause = "unknown", .detail = "no-context");
    story_end(s);
}

/* The capture began after the handshake; the ports tell who is the server. */
static void abort_midstream(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_send(s, CLIENT, "PA", 1, 1, 100);
    story_wait(s, 20);
    story_send(s, SERVER, "PA", 1, 101, 200);
    story_wait(s, 0.2);
    story_send(s, CLIENT, "A", 101, 201, 0);
    story_wait(s, 100);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    g_assert_true(story_says(s, rst, "handshake is not in the capture"));
    story_end(s);
}

static void half_open_midstream(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    data = story_send(s, CLIENT, "PA", 101, 201, 100);
    story_wait(s, 20);
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "server", .trigger = data);
    g_assert_cmpint(story_verdict(s, rst)->confidence, <, RSTCAUSE_CERTAIN);
    story_end(s);
}

static void data_after_close_midstream(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "A", 101, 202, 0);
    story_wait(s, 30);
    data = story_send(s, CLIENT, "PA", 101, 202, 100);
    story_wait(s, 0.2);
    rst = story_answer(s, SERVER, "R", 202, 0);
    story_check(s, rst, .cause = "data-after-close", .detail = "data", .sender = "server", .trigger = data);
    story_end(s);
}

/* Only the sender's direction was captured. */
static void abort_one_sided(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_send(s, SERVER, "SA", 0, 1, 0);
    story_wait(s, 20);
    story_send(s, SERVER, "PA", 1, 101, 200);
    story_wait(s, 100);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    g_assert_cmpint(story_verdict(s, rst)->confidence, <, RSTCAUSE_CERTAIN);
    story_end(s);
}

/* S's FIN is there, the answered segment is not: what else could a bare reset of Linux be. */
static void data_after_close_one_sided(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_send(s, SERVER, "SA", 0, 1, 0);
    story_wait(s, 20);
    story_send(s, SERVER, "FPA", 1, 101, 200);
    story_wait(s, 20);
    rst = story_answer(s, SERVER, "R", 202, 0);
    story_check(s, rst, .cause = "data-after-close", .sender = "server");
    g_assert_cmpint(story_verdict(s, rst)->confidence, <, RSTCAUSE_CERTAIN);
    story_end(s);
}

/* Only the peer's direction was captured, and the reset: what the peer acknowledges had been sent. */
static void abort_unseen_before(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 0.2);
    story_send(s, CLIENT, "A", 1, 1, 0);
    story_send(s, CLIENT, "PA", 1, 1, 5);
    story_wait(s, 300);
    rst = story_send(s, SERVER, "RA", 1, 6, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .confidence = "possible", .sender = "server");
    g_assert_nonnull(strstr(story_verdict(s, rst)->effect, "ECONNRESET"));
    story_end(s);
}

static void listener_closed_unseen_before(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 0.2);
    story_send(s, CLIENT, "A", 1, 1, 0);
    story_wait(s, 1100);
    rst = story_send(s, SERVER, "RA", 1, 1, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .confidence = "possible", .sender = "server");
    g_assert_nonnull(strstr(story_verdict(s, rst)->effect, "ECONNRESET"));
    story_end(s);
}

/* It may have been closed, or lost: the numbers are the same. */
static void bare_answer_unseen_before(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 0.2);
    story_send(s, CLIENT, "A", 1, 1, 0);
    story_wait(s, 20);
    story_send(s, CLIENT, "A", 1, 4, 0);
    story_wait(s, 50);
    data = story_send(s, CLIENT, "PA", 1, 4, 5);
    story_wait(s, 0.2);
    rst = story_answer(s, SERVER, "R", 4, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .confidence = "possible", .trigger = data);
    g_assert_true(story_says(s, rst, "may have closed"));
    story_end(s);
}

/* One stack (lwIP) answers with ACK, all others abort with it: nothing of its sender tells which this is. */
static void ack_form_unseen_before(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_send(s, CLIENT, "A", 101, 201, 0);
    story_wait(s, 1100);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, rst, .cause = "abort", .confidence = "possible", .sender = "server");
    g_assert_true(story_has_alternative(s, rst, "half-open"));
    story_end(s);
}

/* ... but where it bears no timestamps and comes upon the first segment of the pair, a scan with ACKs is the nearer reading. */
static void answer_to_lone_ack(void)
{
    story *s = story_begin(SCANNER, LINUX);
    uint32_t ack, rst;

    ack = story_send(s, CLIENT, "A", 101, 201, 0);
    story_wait(s, 20);
    rst = story_answer(s, SERVER, "RA", 201, 101);
    story_check(s, rst, .cause = "half-open", .confidence = "possible", .sender = "server", .trigger = ack);
    g_assert_true(story_has_alternative(s, rst, "abort"));
    story_end(s);
}

/* Only the direction of the one that opened the connection and aborts it: who was asked never called connect(). */
static void effect_one_sided(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 0.2);
    story_send(s, CLIENT, "A", 1, 1, 0);
    story_send(s, CLIENT, "A", 1, 7000, 0);
    story_wait(s, 5);
    rst = story_send(s, CLIENT, "RA", 1, 7000, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "client");
    g_assert_nonnull(strstr(story_verdict(s, rst)->effect, "ECONNRESET"));
    story_end(s);
}

/* Only the refused side's direction is missing: the refusal alone, but for the trigger. */
static void refusal_one_sided(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    rst = story_refuse(s, SERVER, 1);
    g_assert_cmpint(story_verdict(s, rst)->confidence, <, RSTCAUSE_CERTAIN);
    g_assert_cmpuint(story_verdict(s, rst)->trigger, ==, 0);
    story_end(s);
}

/* Only the client's direction of the second connection is there. */
static void reuse_one_sided(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.2);
    story_send(s, CLIENT, "FA", 101, 201, 0);
    story_send(s, SERVER, "FA", 201, 102, 0);
    story_send(s, CLIENT, "A", 102, 202, 0);
    story_wait(s, 5000);
    story_restart(s, CLIENT, 99);
    story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 0.2);
    rst = story_answer(s, CLIENT, "R", 4711, 0);
    story_check(s, rst, .cause = "time-wait", .detail = "port-reuse", .sender = "client");
    story_end(s);
}

/* The capture lost what S sent last: its reset's number is above what is known of it, and it is no forgery. */
static void abort_after_lost_segments(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 20);
    story_send(s, CLIENT, "A", 101, 3001, 0);
    story_wait(s, 20);
    rst = story_send(s, SERVER, "RA", 5001, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    g_assert_true(story_verdict(s, rst)->effective);
    story_end(s);
}

/* A card of the sending host cuts it later (TSO): 100,000 bytes in one segment, of which IP's length says nothing. */
static void segments_larger_than_ip_allows(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data[2], rst[2];

    story_converse(s, 20);
    story_wait(s, 20000);
    data[0] = story_send(s, CLIENT, "PA", 101, 201, 100000);
    data[1] = story_send(s, CLIENT, "PA", 100101, 201, 50000);
    story_wait(s, 20);
    rst[0] = story_answer(s, SERVER, "R", 201, 0);
    rst[1] = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst[0], .cause = "half-open", .detail = "data", .sender = "server", .trigger = data[0]);
    story_check(s, rst[1], .cause = "already-reset", .sender = "server", .trigger = data[1], .original = rst[0]);
    g_assert_cmpuint(story_verdict(s, rst[0])->data_lost, ==, 150000);
    story_end(s);
}

/* What comes after the reset cannot be what it answers, however well the numbers fit. */
static void trigger_stands_before(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.2);
    story_wait(s, 20000);
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_send(s, CLIENT, "PA", 101, 201, 100);
    g_assert_cmpuint(story_verdict(s, rst)->trigger, <, rst);
    g_assert_cmpint(story_verdict(s, rst)->confidence, <, RSTCAUSE_CERTAIN);
    story_end(s);
}

/* Every number of this connection lies around 2^32 (RFC 9293 section 3.4). */
static story *begin_near_the_wrap(void)
{
    story *s = story_begin(LINUX, LINUX);

    story_restart(s, CLIENT, 0xffffffd0);
    story_restart(s, SERVER, 0xffffff60);
    return s;
}

static void half_open_wrapped(void)
{
    story *s = begin_near_the_wrap();
    uint32_t data, rst;

    story_converse(s, 20);
    story_wait(s, 20000);
    data = story_send(s, SERVER, "PA", 201, 101, 64);
    story_wait(s, 1);
    rst = story_answer(s, CLIENT, "R", 101, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .confidence = "certain", .sender = "client",
                .trigger = data);
    g_assert_true(story_verdict(s, rst)->effective);
    g_assert_cmpuint(story_verdict(s, rst)->data_lost, ==, 64);
    story_end(s);
}

static void burst_wrapped(void)
{
    story *s = begin_near_the_wrap();
    uint32_t data, fin, rst[2];

    story_open(s, 20);
    story_wait(s, 100);
    data = story_send(s, CLIENT, "PA", 1, 1, 100);
    fin = story_send(s, CLIENT, "FA", 101, 1, 0);
    story_wait(s, 5);
    story_send(s, SERVER, "FPA", 1, 1, 200);
    story_send(s, CLIENT, "A", 102, 202, 0);
    story_wait(s, 15);
    rst[0] = story_answer(s, SERVER, "R", 1, 0);
    rst[1] = story_answer(s, SERVER, "R", 1, 0);
    /* They lie below what the client has taken in since, so none of them ends anything; each has its own trigger. */
    story_check(s, rst[0], .cause = "data-after-close", .detail = "data", .sender = "server", .trigger = data);
    story_check(s, rst[1], .cause = "data-after-close", .detail = "fin", .sender = "server", .trigger = fin);
    story_end(s);
}

static void closed_port_wrapped(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t syn, rst;

    story_restart(s, CLIENT, 0xffffffff);
    syn = story_send(s, CLIENT, "S", 0, 0, 0);
    rst = story_refuse(s, SERVER, 1);
    story_check(s, rst, .cause = "closed-port", .sender = "server", .trigger = syn);
    story_end(s);
}

static void window_wrapped(void)
{
    story *s = begin_near_the_wrap();
    uint32_t below, above, inside;

    s->hosts[CLIENT].window = 5000;
    story_converse(s, 20);
    below = story_forge(s, SERVER, "R", 0, 0, 64, 1);
    above = story_forge(s, SERVER, "R", 201 + 5000 * 128 + 10, 0, 64, 2);
    inside = story_forge(s, SERVER, "R", 201 + 5000 * 128 - 10, 0, 64, 3);
    g_assert_false(story_verdict(s, below)->effective);
    g_assert_false(story_verdict(s, above)->effective);
    g_assert_true(story_verdict(s, inside)->effective);
    story_end(s);
}

/* One side of a connection that goes on: its client's ACKs are of an established one, not of a handshake. */
static void abort_of_unseen_server(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    for (unsigned i = 0; i < 10; i++) {
        story_send(s, CLIENT, "PA", 101 + 100 * i, 201 + 50 * i, 100);
        story_wait(s, 20);
    }
    story_send(s, CLIENT, "A", 1101, 701, 0);
    story_wait(s, 20);
    rst = story_answer(s, SERVER, "R", 701, 0);
    g_assert_cmpint(story_verdict(s, rst)->cause, !=, RSTCAUSE_UNACCEPTABLE_ACK);
    story_end(s);
}

static const story_test tests[] = {
    {"reset-alone", reset_alone},
    {"refusal-alone", refusal_alone},
    {"bare-reset-alone", bare_reset_alone},
    {"abort-midstream", abort_midstream},
    {"half-open-midstream", half_open_midstream},
    {"data-after-close-midstream", data_after_close_midstream},
    {"abort-one-sided", abort_one_sided},
    {"data-after-close-one-sided", data_after_close_one_sided},
    {"abort-unseen-before", abort_unseen_before},
    {"listener-closed-unseen-before", listener_closed_unseen_before},
    {"bare-answer-unseen-before", bare_answer_unseen_before},
    {"ack-form-unseen-before", ack_form_unseen_before},
    {"answer-to-lone-ack", answer_to_lone_ack},
    {"effect-one-sided", effect_one_sided},
    {"refusal-one-sided", refusal_one_sided},
    {"reuse-one-sided", reuse_one_sided},
    {"lost-segments", abort_after_lost_segments},
    {"tso", segments_larger_than_ip_allows},
    {"trigger-before", trigger_stands_before},
    {"wrap-half-open", half_open_wrapped},
    {"wrap-burst", burst_wrapped},
    {"wrap-closed-port", closed_port_wrapped},
    {"wrap-window", window_wrapped},
    {"abort-of-unseen-server", abort_of_unseen_server},
};

STORY_MAIN("vantage", tests)
