/* SPDX-License-Identifier: GPL-2.0-or-later */
/* keepalive-timeout and retransmission-timeout: S gave its peer up. RFC 9293 sections 3.8.3 and 3.8.4. */
#include "story.h"

/* Probes of the server, one below snd.nxt, 'interval' milliseconds apart. */
static void probe(story *s, unsigned count, double interval)
{
    for (unsigned i = 0; i < count; i++) {
        story_wait(s, interval);
        story_send(s, SERVER, "A", 200, 101, 0);
    }
}

/* tcp_keepalive_timer() in Linux: the probes are used up, one more interval, RST,ACK. */
static void give_up_probing(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    story_wait(s, 60000);
    probe(s, 5, 10000);
    story_wait(s, 10000);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, rst, .cause = "keepalive-timeout", .confidence = "certain", .sender = "server");
    g_assert_true(story_says(s, rst, "5 keep-alive probes"));
    story_end(s);
}

/* A single probe is enough where the host is set up so (TCP_KEEPCNT 1). */
static void give_up_after_one_probe(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    probe(s, 1, 20000);
    story_wait(s, 5000);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, rst, .cause = "keepalive-timeout", .sender = "server");
    story_end(s);
}

/* The probes were answered: the peer is there, and the reset has another cause. */
static void answered_probes_are_no_timeout(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    for (unsigned i = 0; i < 5; i++) {
        probe(s, 1, 10000);
        story_send(s, CLIENT, "A", 101, 201, 0);
    }
    story_wait(s, 10000);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

/* The peer's own reset answers the probe. */
static void refused_probe_is_no_timeout(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    probe(s, 3, 10000);
    rst = story_answer(s, CLIENT, "R", 101, 0);
    story_check(s, rst, .cause = "half-open", .detail = "keepalive-probe", .sender = "client", .trigger = s->frame - 1);
    story_end(s);
}

/* Gaps double (RFC 6298 section 5.5) until R2; the reset comes when the next repeat was due. */
static void give_up_retransmitting(story_stack stack)
{
    story *s = story_begin(stack, LINUX);
    double gap = 300;
    uint32_t rst;

    story_converse(s, 20);
    story_send(s, CLIENT, "PA", 101, 201, 100);
    for (unsigned i = 0; i < 5; i++, gap *= 2) {
        story_wait(s, gap);
        story_send(s, CLIENT, "PA", 101, 201, 100);
    }
    story_wait(s, gap);
    rst = story_send(s, CLIENT, "RA", 201, 201, 0);
    story_check(s, rst, .cause = "retransmission-timeout", .confidence = "certain", .sender = "client");
    story_end(s);
}

static void give_up_retransmitting_windows(void)
{
    give_up_retransmitting(WINDOWS);
}

static void give_up_retransmitting_darwin(void)
{
    give_up_retransmitting(DARWIN);
}

/* At the ceiling the gaps grow no more (RFC 6298 section 2.5: 60 s or more). */
static void give_up_at_ceiling_of_timer(void)
{
    static const double gaps[] = {1000, 2000, 4000, 8000, 16000, 32000, 64000, 64000, 64000};
    story *s = story_begin(LINUX, DARWIN);
    uint32_t rst;

    story_converse(s, 20);
    story_send(s, SERVER, "PA", 201, 101, 100);
    for (unsigned i = 0; i < G_N_ELEMENTS(gaps); i++) {
        story_wait(s, gaps[i]);
        story_send(s, SERVER, "PA", 201, 101, 100);
    }
    story_wait(s, 64000);
    rst = story_send(s, SERVER, "RA", 301, 101, 0);
    story_check(s, rst, .cause = "retransmission-timeout", .sender = "server");
    story_end(s);
}

/* The repeats were acknowledged in the end: no timeout. */
static void acknowledged_repeat_is_no_timeout(void)
{
    story *s = story_begin(LINUX, WINDOWS);
    uint32_t rst;

    story_converse(s, 20);
    story_send(s, SERVER, "PA", 201, 101, 100);
    for (double gap = 300; gap < 3000; gap *= 2) {
        story_wait(s, gap);
        story_send(s, SERVER, "PA", 201, 101, 100);
    }
    story_wait(s, 1);
    story_send(s, CLIENT, "A", 101, 301, 0);
    story_wait(s, 5000);
    rst = story_send(s, SERVER, "RA", 301, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

/* The application's own deadline: the reset comes long before the next repeat was due. */
static void abort_between_repeats_is_no_timeout(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_send(s, SERVER, "PA", 201, 101, 100);
    for (double gap = 300; gap < 5000; gap *= 2) {
        story_wait(s, gap);
        story_send(s, SERVER, "PA", 201, 101, 100);
    }
    story_wait(s, 200);
    rst = story_send(s, SERVER, "RA", 301, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = "pending-data", .sender = "server");
    story_end(s);
}

/* Loss recovery sends the same again, too, but fast, and the peer goes on to speak. */
static void fast_retransmissions_are_no_timeout(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    for (unsigned i = 0; i < 4; i++) {
        story_send(s, SERVER, "PA", 201, 101, 100);
        story_wait(s, 20);
        story_send(s, CLIENT, "A", 101, 201, 0);
    }
    rst = story_send(s, SERVER, "RA", 301, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

/* A user timeout may fall at any time: behind unanswered repeats no abort is certain. */
static void unanswered_repeats_leave_doubt(void)
{
    for (unsigned count = 2; count < 6; count++) {
        story *s = story_begin(LINUX, LINUX);
        double gap = 300;
        uint32_t rst;

        story_converse(s, 20);
        story_send(s, SERVER, "PA", 201, 101, 100);
        for (unsigned i = 0; i < count; i++, gap *= 2) {
            story_wait(s, gap);
            story_send(s, SERVER, "PA", 201, 101, 100);
        }
        story_wait(s, gap / 2);
        rst = story_send(s, SERVER, "RA", 301, 101, 0);
        if (story_verdict(s, rst)->cause == RSTCAUSE_ABORT)
            g_assert_cmpint(story_verdict(s, rst)->confidence, !=, RSTCAUSE_CERTAIN);
        story_end(s);
    }
}

/* RFC 9293 section 3.8.6.1: what asks whether a closed window has opened is no keep-alive probe. */
static void window_probes_are_no_keepalive(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    s->hosts[CLIENT].window = 0;
    story_send(s, CLIENT, "A", 101, 201, 0);
    probe(s, 5, 10000);
    story_wait(s, 10000);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    g_assert_cmpint(story_verdict(s, rst)->cause, !=, RSTCAUSE_KEEPALIVE_TIMEOUT);
    story_end(s);
}

/* A timer repeats from the lowest unacknowledged byte (RFC 6298 section 5.4): what lies above it is repeated by loss
 * recovery. */
static void repeats_above_the_lowest_are_no_timer(void)
{
    story *s = story_begin(LINUX, WINDOWS);
    double gap = 300;
    uint32_t rst;

    story_converse(s, 20);
    story_send(s, SERVER, "PA", 201, 101, 100);
    story_send(s, SERVER, "PA", 301, 101, 100);
    for (unsigned i = 0; i < 5; i++, gap *= 2) {
        story_wait(s, gap);
        story_send(s, SERVER, "PA", 301, 101, 100);
    }
    story_wait(s, gap);
    rst = story_send(s, SERVER, "RA", 401, 101, 0);
    g_assert_cmpint(story_verdict(s, rst)->cause, !=, RSTCAUSE_RETRANSMISSION_TIMEOUT);
    story_end(s);
}

/* One gap is uneven (a tail loss probe, a repeat that the capture lost): the series is the same. */
static void one_uneven_gap_is_of_the_series(void)
{
    static const double gaps[] = {300, 150, 600, 1200, 2400, 4800};
    story *s = story_begin(WINDOWS, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_send(s, CLIENT, "PA", 101, 201, 100);
    for (unsigned i = 0; i < G_N_ELEMENTS(gaps); i++) {
        story_wait(s, gaps[i]);
        story_send(s, CLIENT, "PA", 101, 201, 100);
    }
    story_wait(s, 9600);
    rst = story_send(s, CLIENT, "RA", 201, 201, 0);
    story_check(s, rst, .cause = "retransmission-timeout", .sender = "client");
    story_end(s);
}

/* The lowest is repeated while more of it is on its way: the run is the timer's all the same. */
static void lowest_of_several_is_repeated(void)
{
    story *s = story_begin(WINDOWS, LINUX);
    double gap = 300;
    uint32_t rst;

    story_converse(s, 20);
    story_send(s, CLIENT, "PA", 101, 201, 100);
    story_send(s, CLIENT, "PA", 201, 201, 100);
    for (unsigned i = 0; i < 5; i++, gap *= 2) {
        story_wait(s, gap);
        story_send(s, CLIENT, "PA", 101, 201, 100);
    }
    story_wait(s, gap);
    rst = story_send(s, CLIENT, "RA", 301, 201, 0);
    story_check(s, rst, .cause = "retransmission-timeout", .confidence = "certain", .sender = "client");
    story_end(s);
}

/* A probe of the last byte, then the timer: who has closed may give up with a reset, and does not abort for certain. */
static void closed_socket_is_given_up(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 12);
    story_send(s, CLIENT, "PA", 101, 201, 500);
    story_send(s, CLIENT, "AF", 601, 201, 0);
    story_wait(s, 54);
    story_send(s, CLIENT, "AF", 601, 201, 0);
    for (double gap = 228; gap < 900; gap *= 2) {
        story_wait(s, gap);
        story_send(s, CLIENT, "PAF", 101, 201, 500);
    }
    story_wait(s, 912);
    rst = story_send(s, CLIENT, "RA", 602, 201, 0);
    g_assert_cmpint(story_verdict(s, rst)->confidence, !=, RSTCAUSE_CERTAIN);
    g_assert_true(story_verdict(s, rst)->cause == RSTCAUSE_RETRANSMISSION_TIMEOUT ||
                  story_has_alternative(s, rst, "retransmission-timeout"));
    story_end(s);
}

/* Linux gives up without a word: who resets there is the application. */
static void linux_gives_up_silently(void)
{
    for (double due = 1; due <= 2; due++) {
        story *s = story_begin(LINUX, LINUX);
        double gap = 300;
        uint32_t rst;

        story_converse(s, 20);
        story_send(s, CLIENT, "PA", 101, 201, 100);
        for (unsigned i = 0; i < 4; i++, gap *= 2) {
            story_wait(s, gap);
            story_send(s, CLIENT, "PA", 101, 201, 100);
        }
        story_wait(s, gap / 2 * due);
        rst = story_send(s, CLIENT, "RA", 201, 201, 0);
        g_assert_cmpint(story_verdict(s, rst)->confidence, !=, RSTCAUSE_CERTAIN);
        g_assert_true(story_verdict(s, rst)->cause == RSTCAUSE_ABORT || story_has_alternative(s, rst, "abort"));
        story_end(s);
    }
}

/* Stamps of a damaged file: the gap is as long as any can be. That nothing overflows is for the sanitizers to see. */
static void gap_of_a_century(void)
{
    story *s = story_begin(WINDOWS, WINDOWS);
    uint32_t rst;

    s->time = 0;
    story_converse(s, 1);
    for (unsigned i = 0; i < 3; i++) {
        story_wait(s, 1000 << i);
        story_send(s, SERVER, "PA", 201, 101, 100);
    }
    s->time = INT64_C(1) << 62;
    story_send(s, SERVER, "PA", 201, 101, 100);
    s->time = INT64_C(1) << 62;
    rst = story_send(s, SERVER, "RA", 301, 101, 0);
    g_assert_cmpint(story_verdict(s, rst)->sender, ==, RSTCAUSE_SERVER);
    story_end(s);
}

static const story_test tests[] = {
    {"keepalive", give_up_probing},
    {"one-probe", give_up_after_one_probe},
    {"answered-probes", answered_probes_are_no_timeout},
    {"refused-probe", refused_probe_is_no_timeout},
    {"retransmission-windows", give_up_retransmitting_windows},
    {"retransmission-darwin", give_up_retransmitting_darwin},
    {"ceiling", give_up_at_ceiling_of_timer},
    {"acknowledged-repeat", acknowledged_repeat_is_no_timeout},
    {"between-repeats", abort_between_repeats_is_no_timeout},
    {"fast-retransmissions", fast_retransmissions_are_no_timeout},
    {"repeats-leave-doubt", unanswered_repeats_leave_doubt},
    {"window-probes", window_probes_are_no_keepalive},
    {"repeats-above-lowest", repeats_above_the_lowest_are_no_timer},
    {"uneven-gap", one_uneven_gap_is_of_the_series},
    {"lowest-of-several", lowest_of_several_is_repeated},
    {"closed-socket", closed_socket_is_given_up},
    {"linux-gives-up", linux_gives_up_silently},
    {"gap-of-a-century", gap_of_a_century},
};

STORY_MAIN("timeout", tests)
