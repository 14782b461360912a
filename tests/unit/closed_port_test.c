/* SPDX-License-Identifier: GPL-2.0-or-later */
/* closed-port: nobody listens, and what looks like it. RFC 9293 section 3.5.2 group 1. */
#include "story.h"

/* The SYN, and RST,ACK with sequence number 0 that acknowledges it. */
static void refuse_syn(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t syn = story_send(s, CLIENT, "S", 0, 0, 0);
    uint32_t rst = story_refuse(s, SERVER, 1);

    story_check(s, rst, .cause = "closed-port", .sender = "server", .trigger = syn);
    story_end(s);
}

static void refuse_syn_over_ipv6(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t syn, rst;

    s->is_ipv6 = true;
    syn = story_send(s, CLIENT, "S", 0, 0, 0);
    rst = story_refuse(s, SERVER, 1);
    story_check(s, rst, .cause = "closed-port", .sender = "server", .trigger = syn);
    story_end(s);
}

/* RFC 7413: the data of a fast open are acknowledged too. */
static void refuse_fast_open(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t syn = story_send(s, CLIENT, "S", 0, 0, 300);
    uint32_t rst = story_refuse(s, SERVER, 301);

    story_check(s, rst, .cause = "closed-port", .sender = "server", .trigger = syn);
    story_end(s);
}

/* Windows asks three times, half a second apart, with the same ISN; each SYN has its own answer. */
static void refuse_each_try_of_windows(void)
{
    story *s = story_begin(WINDOWS, WINDOWS);

    for (unsigned attempt = 0; attempt < 3; attempt++) {
        uint32_t syn = story_send(s, CLIENT, "S", 0, 0, 0);
        uint32_t rst = story_refuse(s, SERVER, 1);

        story_check(s, rst, .cause = "closed-port", .sender = "server", .trigger = syn);
        story_wait(s, 500);
    }
    story_end(s);
}

/* RFC 9293 section 3.10.7.1: without ACK the answer is <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>. */
static void refuse_probe(const char *flags, uint32_t span)
{
    story *s = story_begin(SCANNER, LINUX);
    uint32_t probe = story_send(s, CLIENT, flags, 0, 0, 0);
    uint32_t rst = story_refuse(s, SERVER, span);

    story_check(s, rst, .cause = "closed-port", .detail = "probe", .sender = "server", .trigger = probe);
    story_end(s);
}

static void refuse_fin_probe(void)
{
    refuse_probe("F", 1);
}

static void refuse_null_probe(void)
{
    refuse_probe("", 0);
}

static void refuse_xmas_probe(void)
{
    refuse_probe("FPU", 1);
}

/* A probe resets nothing: a connection on the same pair afterwards is its own. */
static void connect_after_probe(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_send(s, CLIENT, "F", 0, 0, 0);
    story_refuse(s, SERVER, 1);
    story_restart(s, CLIENT, 5000);
    story_converse(s, 0.1);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

/* S has sent a SYN/ACK, so somebody listens. */
static void accept_is_no_refusal(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_open(s, 0.1);
    rst = story_send(s, SERVER, "RA", 1, 1, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

/* A refused attempt is no original for the connection that comes about later, with the same ISN or another. */
static void connect_after_refusal(uint32_t isn)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    story_refuse(s, SERVER, 1);
    story_wait(s, 500);
    if (isn != 0)
        story_restart(s, CLIENT, isn);
    story_converse(s, 0.1);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

static void connect_after_refusal_with_same_isn(void)
{
    connect_after_refusal(0);
}

static void connect_after_refusal_with_another_isn(void)
{
    connect_after_refusal(777);
}

/* The server went away: its last connection was closed in order, then its port refuses. Sequence number 0 tells it
 * from an answer of TIME-WAIT. */
static void refuse_after_orderly_close(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t syn, rst;

    story_converse(s, 0.1);
    story_send(s, CLIENT, "FA", 101, 201, 0);
    story_send(s, SERVER, "FA", 201, 102, 0);
    story_send(s, CLIENT, "A", 102, 202, 0);
    story_wait(s, 90000);
    story_restart(s, CLIENT, 5000);
    syn = story_send(s, CLIENT, "S", 0, 0, 0);
    rst = story_refuse(s, SERVER, 1);
    story_check(s, rst, .cause = "closed-port", .sender = "server", .trigger = syn);
    story_end(s);
}

/* The listener is closed before the handshake is complete: the SYN that comes again is refused. */
static void refuse_repeated_syn(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t syn, rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    story_send(s, SERVER, "SA", 0, 1, 0);
    story_wait(s, 1000);
    syn = story_send(s, CLIENT, "S", 0, 0, 0);
    rst = story_refuse(s, SERVER, 1);
    story_check(s, rst, .cause = "closed-port", .sender = "server", .trigger = syn);
    g_assert_true(story_says(s, rst, "the listener has gone"));
    story_end(s);
}

/* A port that served this pair a moment ago and whose close the capture may have missed: not certain. */
static void refuse_after_open_connection(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t syn, rst;

    story_converse(s, 20);
    story_wait(s, 1000);
    story_restart(s, CLIENT, 5000000);
    syn = story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 20);
    rst = story_refuse(s, SERVER, 1);
    story_check(s, rst, .cause = "closed-port", .confidence = "likely", .sender = "server", .trigger = syn);
    story_end(s);
}

static const story_test tests[] = {
    {"syn", refuse_syn},
    {"ipv6", refuse_syn_over_ipv6},
    {"fast-open", refuse_fast_open},
    {"each-try-of-windows", refuse_each_try_of_windows},
    {"fin-probe", refuse_fin_probe},
    {"null-probe", refuse_null_probe},
    {"xmas-probe", refuse_xmas_probe},
    {"connect-after-probe", connect_after_probe},
    {"accept-is-no-refusal", accept_is_no_refusal},
    {"connect-after-refusal-same-isn", connect_after_refusal_with_same_isn},
    {"connect-after-refusal-another-isn", connect_after_refusal_with_another_isn},
    {"refuse-after-orderly-close", refuse_after_orderly_close},
    {"refuse-repeated-syn", refuse_repeated_syn},
    {"refuse-after-open-connection", refuse_after_open_connection},
};

STORY_MAIN("closed-port", tests)
