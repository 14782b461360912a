/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resets while the connection opens: handshake-abandoned, handshake-rejected, unacceptable-ack. RFC 9293 section 3.5.2. */
#include "story.h"

/* nmap -sS: a SYN without the options of any stack; the scanner's kernel resets the SYN/ACK that it never asked for. */
static void syn_scan_with_raw_syn(void)
{
    story *s = story_begin(SCANNER, LINUX);
    uint32_t answer, rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    answer = story_send(s, SERVER, "SA", 0, 1, 0);
    rst = story_answer(s, CLIENT, "R", 1, 0);
    story_check(s, rst, .cause = "handshake-abandoned", .detail = "syn-scan", .sender = "client", .trigger = answer);
    story_end(s);
}

/* A scanner that dresses its SYN as Linux: the other ports that it tried tell it. */
static void syn_scan_over_ports(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t answer, rst;

    for (uint16_t port = 20; port < 40; port++) {
        s->hosts[SERVER].port = port;
        story_send(s, CLIENT, "S", 0, 0, 0);
        story_refuse(s, SERVER, 1);
    }
    s->hosts[SERVER].port = 80;
    story_send(s, CLIENT, "S", 0, 0, 0);
    answer = story_send(s, SERVER, "SA", 0, 1, 0);
    rst = story_answer(s, CLIENT, "R", 1, 0);
    story_check(s, rst, .cause = "handshake-abandoned", .detail = "syn-scan", .sender = "client", .trigger = answer);
    story_end(s);
}

/* RFC 8305: two addresses raced are no scan. */
static void connect_cancelled(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t answer, rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 60);
    answer = story_send(s, SERVER, "SA", 0, 1, 0);
    rst = story_answer(s, CLIENT, "R", 1, 0);
    story_check(s, rst, .cause = "handshake-abandoned", .detail = "cancelled", .confidence = "certain",
                .sender = "client", .trigger = answer);
    story_end(s);
}

/* The SYN/ACK comes when connect() has timed out; RFC 6298 section 2.1: the SYN was sent again after a second. */
static void syn_ack_too_late(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t answer, rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 1000);
    story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 3000);
    answer = story_send(s, SERVER, "SA", 0, 1, 0);
    rst = story_answer(s, CLIENT, "R", 1, 0);
    story_check(s, rst, .cause = "handshake-abandoned", .detail = "late-syn-ack", .sender = "client",
                .trigger = answer);
    story_end(s);
}

/* S did complete the handshake: what comes now is no abandoned one. */
static void completed_handshake_is_not_abandoned(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_open(s, 20);
    rst = story_send(s, CLIENT, "RA", 1, 1, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "client");
    story_end(s);
}

/* tcp_abort_on_overflow: tcp_check_req() in Linux's net/ipv4/tcp_minisocks.c answers the ACK. */
static void accept_queue_overflows(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t ack, rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    story_send(s, SERVER, "SA", 0, 1, 0);
    ack = story_send(s, CLIENT, "A", 1, 1, 0);
    rst = story_answer(s, SERVER, "R", 1, 0);
    story_check(s, rst, .cause = "handshake-rejected", .confidence = "certain", .sender = "server", .trigger = ack);
    story_end(s);
}

/* At the client: its request is on the way when the answer to the ACK arrives, and has an answer of its own. */
static void accept_queue_overflows_far_away(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t ack, data, rst, echo;

    story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 30);
    story_send(s, SERVER, "SA", 0, 1, 0);
    ack = story_send(s, CLIENT, "A", 1, 1, 0);
    data = story_send(s, CLIENT, "PA", 1, 1, 100);
    story_wait(s, 30);
    rst = story_answer(s, SERVER, "R", 1, 0);
    echo = story_answer(s, SERVER, "R", 1, 0);
    story_check(s, rst, .cause = "handshake-rejected", .sender = "server", .trigger = ack);
    story_check(s, echo, .cause = "already-reset", .sender = "server", .trigger = data, .original = rst);
    story_end(s);
}

/* S had acknowledged data: it did take the connection, and lost it. */
static void acknowledged_data_are_no_rejection(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_open(s, 0.1);
    story_send(s, CLIENT, "PA", 1, 1, 100);
    story_send(s, SERVER, "A", 1, 101, 0);
    story_wait(s, 15000);
    data = story_send(s, CLIENT, "PA", 101, 1, 100);
    rst = story_answer(s, SERVER, "R", 1, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "server", .trigger = data);
    story_end(s);
}

/* Long after the handshake it is no rejection either, though S never said more than SYN/ACK. */
static void late_first_data_are_no_rejection(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_open(s, 0.1);
    story_wait(s, 30000);
    data = story_send(s, CLIENT, "PA", 1, 1, 100);
    rst = story_answer(s, SERVER, "R", 1, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "server", .trigger = data);
    story_end(s);
}

/* Group 2, SYN-SENT: the SYN/ACK acknowledges what was never sent. */
static void syn_ack_with_wrong_number(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t answer, rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    answer = story_send(s, SERVER, "SA", 0, 5000, 0);
    rst = story_answer(s, CLIENT, "R", 5000, 0);
    story_check(s, rst, .cause = "unacceptable-ack", .sender = "client", .trigger = answer);
    story_end(s);
}

/* Group 2, SYN-RECEIVED: the ACK of the handshake does. */
static void final_ack_with_wrong_number(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t ack, rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    story_send(s, SERVER, "SA", 0, 1, 0);
    ack = story_send(s, CLIENT, "A", 1, 9999, 0);
    rst = story_answer(s, SERVER, "R", 9999, 0);
    story_check(s, rst, .cause = "unacceptable-ack", .sender = "server", .trigger = ack);
    story_end(s);
}

/* Backscatter: somebody sent a SYN in S's name; as far as the capture shows, S never did. */
static void syn_ack_nobody_asked_for(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t answer, rst;

    answer = story_send(s, SERVER, "SA", 0, 1, 0);
    story_wait(s, 0.1);
    rst = story_answer(s, CLIENT, "R", 1, 0);
    story_check(s, rst, .cause = "unacceptable-ack", .sender = "client", .trigger = answer);
    g_assert_cmpint(story_verdict(s, rst)->confidence, <, RSTCAUSE_CERTAIN);
    story_end(s);
}

/* A SYN that came late, after its connection was closed in order, had the listener ask for another. */
static void syn_ack_for_late_syn(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t answer, rst;

    story_converse(s, 0.2);
    story_send(s, CLIENT, "FA", 101, 201, 0);
    story_send(s, SERVER, "FA", 201, 102, 0);
    story_send(s, CLIENT, "A", 102, 202, 0);
    story_wait(s, 2000);
    story_restart(s, SERVER, 31337);
    answer = story_send(s, SERVER, "SA", 0, 1, 0);
    story_wait(s, 0.1);
    rst = story_answer(s, CLIENT, "R", 1, 0);
    story_check(s, rst, .cause = "time-wait", .detail = "late-segment", .sender = "client", .trigger = answer);
    story_end(s);
}

/* RFC 9293 section 3.5 figure 7: both sent SYN; then it is a connection as any other. */
static void simultaneous_open(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 5);
    story_send(s, SERVER, "S", 0, 0, 0);
    story_send(s, CLIENT, "SA", 0, 1, 0);
    story_wait(s, 10);
    story_send(s, SERVER, "SA", 0, 1, 0);
    story_send(s, CLIENT, "PA", 1, 1, 100);
    story_wait(s, 10);
    story_send(s, SERVER, "A", 1, 101, 0);
    story_wait(s, 20000);
    data = story_send(s, CLIENT, "PA", 101, 1, 100);
    story_wait(s, 10);
    rst = story_answer(s, SERVER, "R", 1, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "server", .trigger = data);
    story_end(s);
}

static void simultaneous_open_and_abort(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    story_send(s, SERVER, "S", 0, 0, 0);
    story_send(s, CLIENT, "SA", 0, 1, 0);
    story_send(s, SERVER, "SA", 0, 1, 0);
    story_send(s, CLIENT, "PA", 1, 1, 100);
    story_send(s, SERVER, "A", 1, 101, 0);
    story_wait(s, 100);
    rst = story_send(s, CLIENT, "RA", 101, 1, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "client");
    story_end(s);
}

/* RFC 9293 section 3.5.2 group 2: the connection stays as it is, so that going on is no sign of forgery. */
static void attempt_goes_on_after_unacceptable_ack(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t answer, rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    answer = story_send(s, SERVER, "SA", 5000, 7654321, 0);
    rst = story_answer(s, CLIENT, "R", 7654321, 0);
    story_wait(s, 1000);
    story_send(s, CLIENT, "S", 0, 0, 0);
    story_send(s, SERVER, "SA", 0, 1, 0);
    story_send(s, CLIENT, "A", 1, 1, 0);
    story_send(s, CLIENT, "PA", 1, 1, 100);
    story_check(s, rst, .cause = "unacceptable-ack", .sender = "client", .trigger = answer);
    story_end(s);
}

/* With ACK, after a whole SYN/ACK: no scanner's kernel sends it, an application closed at once. */
static void close_at_once_is_no_scan(void)
{
    story *s = story_begin(SCANNER, LINUX);
    uint32_t rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 20);
    story_send(s, SERVER, "SA", 0, 1, 0);
    rst = story_send(s, CLIENT, "RA", 1, 1, 0);
    g_assert_cmpint(story_verdict(s, rst)->detail, !=, RSTCAUSE_SYN_SCAN);
    g_assert_cmpint(story_verdict(s, rst)->cause, !=, RSTCAUSE_INJECTED);
    story_end(s);
}

static const story_test tests[] = {
    {"syn-scan", syn_scan_with_raw_syn},
    {"syn-scan-over-ports", syn_scan_over_ports},
    {"cancelled", connect_cancelled},
    {"late-syn-ack", syn_ack_too_late},
    {"completed-is-not-abandoned", completed_handshake_is_not_abandoned},
    {"rejected", accept_queue_overflows},
    {"rejected-far-away", accept_queue_overflows_far_away},
    {"acknowledged-data-are-no-rejection", acknowledged_data_are_no_rejection},
    {"late-data-are-no-rejection", late_first_data_are_no_rejection},
    {"unacceptable-syn-ack", syn_ack_with_wrong_number},
    {"unacceptable-final-ack", final_ack_with_wrong_number},
    {"unasked-syn-ack", syn_ack_nobody_asked_for},
    {"goes-on-after-unacceptable-ack", attempt_goes_on_after_unacceptable_ack},
    {"syn-ack-for-late-syn", syn_ack_for_late_syn},
    {"simultaneous-open", simultaneous_open},
    {"simultaneous-open-and-abort", simultaneous_open_and_abort},
    {"close-at-once", close_at_once_is_no_scan},
};

STORY_MAIN("handshake", tests)
