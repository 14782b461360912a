/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * injected, firewall-reject and corrupt-flags, and the false alarms that must stay genuine. Weaver, Sommer, Paxson,
 * "Detecting Forged TCP Reset Packets" (NDSS 2009); RFC 5961.
 */
#include "story.h"

/* A device a few hops away: another TTL, and an ID of its own in what claims to be the socket's abort. */
static void forge_with_another_ttl(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    s->hosts[SERVER].ttl = s->hosts[SERVER].kernel_ttl = 52;
    story_converse(s, 20);
    story_send(s, CLIENT, "PA", 101, 201, 100);
    story_wait(s, 5);
    rst = story_forge(s, SERVER, "RA", 201, 201, 59, 1234);
    story_check(s, rst, .cause = "injected", .detail = "ttl", .sender = "third-party");
    story_end(s);
}

/* TTL imitated, but neither the counter of IP IDs nor the timestamps that Linux puts into its own resets. */
static void forge_without_fingerprint(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_send(s, CLIENT, "PA", 101, 201, 100);
    story_wait(s, 20);
    story_send(s, SERVER, "A", 201, 201, 0);
    story_send(s, SERVER, "PA", 201, 201, 100);
    story_wait(s, 0.2);
    story_send(s, CLIENT, "A", 201, 301, 0);
    story_wait(s, 50);
    rst = story_forge(s, SERVER, "RA", 301, 201, 64, 999);
    story_check(s, rst, .cause = "injected", .detail = "ip-id", .sender = "third-party");
    story_end(s);
}

/* A guess within the window, where neither S nor P's ACK stands, and without the timestamps agreed on. */
static void forge_with_guessed_sequence(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 50);
    rst = story_forge(s, SERVER, "RA", 201 + 1460, 101, 64, 50003);
    story_check(s, rst, .cause = "injected", .detail = "sequence", .sender = "third-party");
    story_end(s);
}

/* One sign alone is no verdict: the capture may have missed what S sent before its reset. */
static void one_weak_sign_is_no_verdict(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 50);
    s->hosts[SERVER].ip_id++; /* the segment that the capture missed */
    rst = story_send(s, SERVER, "RA", 201 + 1460, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

/* What S had sent before and a reordering path brought late, as its IP ID tells, is no proof that S goes on. */
static void in_flight_data_prove_nothing(void)
{
    story *s = story_begin(LINUX_WITHOUT_TIMESTAMPS, LINUX_WITHOUT_TIMESTAMPS);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 100);
    s->hosts[SERVER].ip_id += 1;
    rst = story_send(s, SERVER, "RA", 301, 101, 0);
    s->hosts[SERVER].ip_id -= 2;
    story_wait(s, 1);
    story_send(s, SERVER, "PA", 201, 101, 100);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

/* Outside the window: no effect, and the connection's story goes on. */
static void forge_outside_window(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t forged, data, rst;

    story_converse(s, 20);
    forged = story_forge(s, SERVER, "R", 50000000, 0, 59, 1);
    g_assert_false(story_verdict(s, forged)->effective);
    story_wait(s, 30000);
    data = story_send(s, CLIENT, "PA", 101, 201, 100);
    story_wait(s, 20);
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "server", .trigger = data);
    story_end(s);
}

/* The device refuses the SYN itself: nearer than the host, whose other connections show its distance. */
static void firewall_refuses(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t syn, rst;

    s->hosts[SERVER].ttl = 52;
    s->hosts[SERVER].kernel_ttl = 61;
    story_converse(s, 20);
    s->hosts[SERVER].port = 8080;
    syn = story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 5);
    rst = story_refuse(s, SERVER, 1);
    story_check(s, rst, .cause = "firewall-reject", .sender = "third-party", .trigger = syn);
    story_end(s);
}

static void refusal(uint8_t socket_ttl, uint8_t kernel_ttl)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t syn, rst;

    s->hosts[SERVER].ttl = socket_ttl;
    s->hosts[SERVER].kernel_ttl = kernel_ttl;
    story_converse(s, 20);
    s->hosts[SERVER].port = 8080;
    syn = story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 20);
    rst = story_refuse(s, SERVER, 1);
    story_check(s, rst, .cause = "closed-port", .sender = "server", .trigger = syn);
    story_end(s);
}

static void host_refuses(void)
{
    refusal(52, 52);
}

/* As many hops away, from another start: the sockets set their TTL, or the kernel's default differs. */
static void host_with_two_ttls_refuses(void)
{
    refusal(52, 243);
    refusal(243, 52);
}

/* A server whose connections come over paths of different length shows no stable TTL. */
static void anycast_host_refuses(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t syn, rst;

    s->hosts[SERVER].ttl = 52;
    story_converse(s, 20);
    s->hosts[SERVER].ttl = 54;
    s->hosts[SERVER].port = 81;
    story_converse(s, 20);
    s->hosts[SERVER].kernel_ttl = 57;
    s->hosts[SERVER].port = 8080;
    syn = story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 20);
    rst = story_refuse(s, SERVER, 1);
    story_check(s, rst, .cause = "closed-port", .sender = "server", .trigger = syn);
    story_end(s);
}

/* IP_TTL: the socket's segments have a TTL of their own, the kernel's answers its default (BGP: 255 or 1). */
static void answer_with_kernels_ttl(uint8_t socket_ttl, uint8_t kernel_ttl)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    s->hosts[SERVER].ttl = socket_ttl;
    s->hosts[SERVER].kernel_ttl = kernel_ttl;
    story_converse(s, 20);
    story_wait(s, 20000);
    data = story_send(s, CLIENT, "PA", 101, 201, 19);
    story_wait(s, 20);
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "server", .trigger = data);
    story_end(s);
}

static void socket_with_own_ttl(void)
{
    answer_with_kernels_ttl(255, 64);
    answer_with_kernels_ttl(1, 64);
    answer_with_kernels_ttl(250, 59);
    answer_with_kernels_ttl(64, 255);
}

/* The route changed in mid-connection; the reset comes the new way. */
static void route_changes(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    s->hosts[SERVER].ttl = 52;
    story_converse(s, 20);
    s->hosts[SERVER].ttl = 50;
    story_send(s, SERVER, "PA", 201, 101, 100);
    story_send(s, CLIENT, "A", 101, 301, 0);
    story_wait(s, 100);
    rst = story_send(s, SERVER, "RA", 301, 101, 0);
    story_check(s, rst, .cause = "abort", .sender = "server");
    story_end(s);
}

/* A naive detector's classic: answers below snd.nxt, each at its trigger's ACK number, with IP ID 0. */
static void burst_below_next(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data[2], rst[2];

    story_converse(s, 40);
    story_wait(s, 500);
    data[0] = story_send(s, CLIENT, "PA", 101, 201, 100);
    story_wait(s, 10);
    story_send(s, SERVER, "PA", 201, 101, 1000);
    story_wait(s, 0.1);
    data[1] = story_send(s, CLIENT, "PA", 201, 1201, 100);
    story_wait(s, 1);
    story_send(s, SERVER, "FA", 1201, 101, 0);
    story_wait(s, 29);
    rst[0] = story_answer(s, SERVER, "R", 201, 0);
    story_wait(s, 10);
    rst[1] = story_answer(s, SERVER, "R", 1201, 0);
    /* The first lies below what the client has taken in, and so ends nothing; the second does. */
    story_check(s, rst[0], .cause = "data-after-close", .detail = "data", .sender = "server", .trigger = data[0]);
    story_check(s, rst[1], .cause = "data-after-close", .detail = "data", .sender = "server", .trigger = data[1]);
    story_end(s);
}

/* SYN with RST is sent by no stack: a damaged bit, which changes nothing. */
static void damaged_flags(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t damaged, rst;

    damaged = story_send(s, CLIENT, "SR", 0, 0, 0);
    story_check(s, damaged, .cause = "unknown", .detail = "corrupt-flags");
    story_restart(s, CLIENT, 42);
    story_converse(s, 20);
    story_wait(s, 100);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

/* RST in a data segment that continues its sender's numbers and timestamps, and which the sender goes on from. */
static void damaged_data_segment(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t damaged, rst;

    story_converse(s, 20);
    damaged = story_send(s, SERVER, "RPA", 201, 101, 500);
    for (unsigned i = 0; i < 4; i++)
        story_send(s, SERVER, "PA", 701 + i * 500, 101, 500);
    story_wait(s, 0.2);
    story_send(s, CLIENT, "A", 101, 2701, 0);
    story_wait(s, 100);
    story_send(s, SERVER, "PA", 2701, 101, 500);
    story_send(s, CLIENT, "A", 101, 3201, 0);
    story_check(s, damaged, .cause = "unknown", .detail = "corrupt-flags");
    rst = story_send(s, SERVER, "RA", 3201, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

/* A device in the middle resets both ends at once, as the signatures of SIGCOMM 2023 show. */
static void forge_in_both_directions(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t to_client, to_server;

    s->hosts[SERVER].ttl = s->hosts[SERVER].kernel_ttl = 52;
    s->hosts[CLIENT].ttl = s->hosts[CLIENT].kernel_ttl = 60;
    story_converse(s, 20);
    story_send(s, CLIENT, "PA", 101, 201, 100);
    to_client = story_forge(s, SERVER, "RA", 201, 201, 58, 100);
    to_server = story_forge(s, CLIENT, "RA", 201, 201, 58, 101);
    story_check(s, to_client, .cause = "injected", .detail = STORY_ANY, .sender = "third-party");
    story_check(s, to_server, .cause = "injected", .detail = STORY_ANY, .sender = "third-party");
    story_end(s);
}

/* No sign but the moment: two applications may abort at once, but nothing is certain then. */
static void forge_in_both_directions_faithfully(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t to_client, to_server;

    story_converse(s, 20);
    story_send(s, CLIENT, "PA", 101, 201, 100);
    story_wait(s, 15);
    to_client = story_send(s, SERVER, "RA", 201, 201, 0);
    to_server = story_send(s, CLIENT, "RA", 201, 201, 0);
    story_check(s, to_client, .cause = "abort", .detail = STORY_ANY, .confidence = "likely", .sender = "server");
    story_check(s, to_server, .cause = "abort", .detail = STORY_ANY, .confidence = "likely", .sender = "client");
    story_end(s);
}

/* A forged reset of a connection that was never used is none of a closing listener, whatever comes next. */
static void forged_reset_is_no_listeners(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t forged;

    story_open(s, 0.2);
    s->hosts[CLIENT].port = 40001;
    story_open(s, 0.2);
    story_wait(s, 1000);
    s->hosts[CLIENT].port = 40000;
    forged = story_send(s, SERVER, "RA", 1, 1, 0);
    s->hosts[SERVER].ip_id--; /* a forger's packet takes none from its counter */
    story_wait(s, 4);
    story_send(s, SERVER, "PA", 1, 1, 100);
    s->hosts[CLIENT].port = 40001;
    story_send(s, SERVER, "RA", 1, 1, 0);
    story_check(s, forged, .cause = "injected", .detail = "sender-continues", .sender = "third-party");
    story_end(s);
}

/* Linux writes the live window into its own resets (measured), a forger mostly 0. */
static void forge_with_closed_window(void)
{
    story *s = story_begin(LINUX_WITHOUT_TIMESTAMPS, LINUX_WITHOUT_TIMESTAMPS);
    uint32_t rst;

    s->is_ipv6 = true;
    story_converse(s, 20);
    story_wait(s, 50);
    rst = story_answer(s, SERVER, "RA", 201, 101);
    story_check(s, rst, .cause = "injected", .detail = STORY_ANY, .sender = "third-party");
    g_assert_true(story_says(s, rst, "its window is 0"));
    story_end(s);
}

/* Without ACK, as Linux answers, but late for an answer, and to an ACK that asks for none: the form is perfect, and a NAT may
 * have forgotten the connection, so it is said and no more. */
static void forge_bare_and_late(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 300);
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst, .cause = "half-open", .confidence = "possible", .sender = "server", .trigger = rst - 1);
    g_assert_true(story_has_alternative(s, rst, "injected"));
    story_end(s);
}

/* The same where the capture misses segments: what it answers may be among them. */
static void bare_in_incomplete_capture(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 100);
    story_send(s, SERVER, "A", 201, 201, 0); /* acknowledges what the capture does not hold */
    story_wait(s, 300);
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst, .cause = "half-open", .detail = STORY_ANY, .sender = "server",
                .trigger = story_verdict(s, rst)->trigger);
    story_end(s);
}

/* A number that repeats is none that goes on: a forger may copy the last one that it saw. */
static void forge_with_last_ip_id(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 20);
    story_send(s, SERVER, "PA", 201, 101, 100);
    story_send(s, SERVER, "PA", 301, 101, 100);
    story_wait(s, 50);
    rst = story_forge(s, SERVER, "RA", 401, 101, 64, (uint16_t)(s->hosts[SERVER].ip_id - 1));
    story_check(s, rst, .cause = "injected", .detail = "ip-id", .sender = "third-party");
    story_end(s);
}

/* An ACK of what is far from anything sent is forged or damaged, and must not mislead what comes later. */
static void far_ack_changes_nothing(void)
{
    for (story_side liar = CLIENT; liar <= SERVER; liar++) {
        story *s = story_begin(LINUX, LINUX);
        uint32_t rst;

        story_converse(s, 20);
        story_wait(s, 50);
        if (liar == CLIENT)
            story_forge(s, CLIENT, "A", 101, 201 + (1u << 30), 64, 4711);
        else
            story_forge(s, SERVER, "A", 201, 101 + (1u << 30), 64, 4711);
        story_wait(s, 50);
        rst = story_send(s, CLIENT, "RA", 101, 201, 0);
        story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "client");
        g_assert_true(story_says(s, rst, "ECONNRESET"));
        g_assert_cmpuint(story_verdict(s, rst)->data_lost, ==, 0);
        story_end(s);
    }
}

/* Nobody has been asked twice yet: a listener that refuses late is no forger. */
static void rejection_after_silence_is_genuine(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t ack, rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    story_send(s, SERVER, "SA", 0, 1, 0);
    story_send(s, CLIENT, "A", 1, 1, 0);
    story_wait(s, 1000);
    story_send(s, SERVER, "SA", 0, 1, 0);
    ack = story_send(s, CLIENT, "A", 1, 1, 0);
    story_wait(s, 20);
    rst = story_answer(s, SERVER, "R", 1, 0);
    story_check(s, rst, .cause = "handshake-rejected", .sender = "server", .trigger = ack);
    story_end(s);
}

/* In the form of Linux' answers, but in the middle of what S has sent: P never acknowledged there, so it answers nothing. */
static void forge_bare_below_next(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_send(s, SERVER, "PA", 201, 101, 200);
    story_send(s, CLIENT, "A", 101, 401, 0);
    story_wait(s, 500);
    rst = story_answer(s, SERVER, "R", 301, 0);
    story_check(s, rst, .cause = "injected", .detail = STORY_ANY, .sender = "third-party");
    story_end(s);
}

/* In the form of Linux' answers and at S's next number, but a tenth of the way there and back after what it would answer. */
static void forge_bare_too_early(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 40);
    story_wait(s, 2000);
    story_send(s, CLIENT, "PA", 101, 201, 100);
    story_wait(s, 4);
    rst = story_answer(s, SERVER, "R", 201, 0);
    g_assert_cmpint(story_verdict(s, rst)->confidence, !=, RSTCAUSE_CERTAIN);
    g_assert_true(story_verdict(s, rst)->cause == RSTCAUSE_INJECTED || story_has_alternative(s, rst, "injected"));
    story_end(s);
}

/* Window 0, but the socket's counter and its clock go on: a receive buffer may be full. */
static void closed_window_alone_is_no_forgery(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 50);
    s->hosts[SERVER].window = 0;
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

/* An abort in the exact form of Linux, but that it acknowledges a request which cannot have come to the server yet. */
static void check_abort_behind_request(double round_trip, double behind, const char *cause)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, round_trip);
    story_wait(s, 500);
    story_send(s, CLIENT, "PA", 101, 201, 100);
    story_wait(s, behind);
    rst = story_send(s, SERVER, "RA", 201, 201, 0);
    g_assert_cmpstr(rstcause_cause_name(story_verdict(s, rst)->cause), ==, cause);
    story_end(s);
}

static void forge_before_request_arrives(void)
{
    check_abort_behind_request(20, 0.1, "injected");
    check_abort_behind_request(20, 21, "abort");
    check_abort_behind_request(0.1, 0.01, "abort"); /* at the server's own end */
}

/* No reset of Linux has more flags than RST and ACK. */
static void forge_with_other_flags(void)
{
    static const char *const flags[] = {"RPA", "RFA"};

    for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++) {
        story *s = story_begin(LINUX, LINUX);
        uint32_t rst;

        story_converse(s, 20);
        story_wait(s, 500);
        rst = story_send(s, SERVER, flags[i], 201, 101, 0);
        g_assert_cmpint(story_verdict(s, rst)->confidence, !=, RSTCAUSE_CERTAIN);
        story_end(s);
        s = story_begin(LINUX, LINUX);
        story_converse(s, 20);
        story_wait(s, 500);
        s->hosts[SERVER].ip_id = 9;
        rst = story_send(s, SERVER, flags[i], 201, 101, 0);
        story_check(s, rst, .cause = "injected", .detail = STORY_ANY, .sender = "third-party");
        story_end(s);
    }
}

/* It copies the latest timestamp, where the clock has gone on for seconds; a real one shows the time. */
static void forge_with_clock_that_stands_still(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 3000);
    s->held = 3000;
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    g_assert_cmpint(story_verdict(s, rst)->confidence, !=, RSTCAUSE_CERTAIN);
    g_assert_true(story_says(s, rst, "its timestamp is not what its sender's clock shows"));
    story_end(s);
}

/* Both FINs are acknowledged: nothing is left that could abort. */
static void abort_of_nothing(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_send(s, CLIENT, "FA", 101, 201, 0);
    story_wait(s, 20);
    story_send(s, SERVER, "FA", 201, 102, 0);
    story_send(s, CLIENT, "A", 102, 202, 0);
    story_wait(s, 500);
    rst = story_send(s, SERVER, "RA", 202, 102, 0);
    g_assert_cmpint(story_verdict(s, rst)->confidence, !=, RSTCAUSE_CERTAIN);
    story_end(s);
}

/* Data of the client; a round trip later a bare reset at the server's next number comes. */
static story *begin_bare(bool is_ipv6)
{
    story *s = story_begin(LINUX, LINUX);

    s->is_ipv6 = is_ipv6;
    story_converse(s, 20);
    story_wait(s, 500);
    story_send(s, CLIENT, "PA", 101, 201, 100);
    story_wait(s, 20);
    return s;
}

static void check_bare(story *s, uint32_t rst)
{
    story_check(s, rst, .cause = "injected", .detail = STORY_ANY, .sender = "third-party");
    story_end(s);
}

/* All of its form is that of Linux' answers: the next three differ from it in little. */
static void bare_in_form_is_no_forgery(void)
{
    story *s = begin_bare(false);
    uint32_t rst = story_answer(s, SERVER, "R", 201, 0);

    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "server", .trigger = rst - 1);
    story_end(s);
}

/* tcp_v4_send_reset() clears the window: a wide one is a socket's, and that sets ACK. */
static void forge_bare_with_window(void)
{
    story *s = begin_bare(false);

    check_bare(s, story_forge(s, SERVER, "R", 201, 0, s->hosts[SERVER].ttl, 0));
}

/* DF is clear and the ID counts: raw sockets' habit, not that of a kernel's answers. */
static void forge_bare_without_df(void)
{
    story *s = begin_bare(false);

    s->hosts[SERVER].window = 0;
    s->may_be_fragmented = true;
    check_bare(s, story_forge(s, SERVER, "R", 201, 0, s->hosts[SERVER].ttl, 4711));
}

/* Answers of Linux have a label where its sockets have one (ip6_make_flowlabel()); made packets have none. */
static void forge_bare_without_flow_label(void)
{
    story *s = begin_bare(true);
    uint32_t rst;

    s->hosts[SERVER].window = 0;
    rst = story_forge(s, SERVER, "R", 201, 0, s->hosts[SERVER].ttl, 0);
    g_assert_cmpint(story_verdict(s, rst)->confidence, !=, RSTCAUSE_CERTAIN);
    g_assert_true(story_verdict(s, rst)->cause == RSTCAUSE_INJECTED || story_has_alternative(s, rst, "injected"));
    story_end(s);
}

/* The forger's own link is captured: not one hop from the start of its TTL. No NAT forgets what spoke just now. */
static void forge_without_hop(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    s->hosts[SERVER].ttl = s->hosts[SERVER].kernel_ttl = 52;
    story_converse(s, 20);
    story_wait(s, 500);
    story_send(s, CLIENT, "PA", 101, 201, 100);
    story_wait(s, 20);
    s->hosts[SERVER].kernel_ttl = 64;
    rst = story_answer(s, SERVER, "R", 201, 0);
    g_assert_cmpint(story_verdict(s, rst)->confidence, !=, RSTCAUSE_CERTAIN);
    g_assert_true(story_verdict(s, rst)->cause == RSTCAUSE_INJECTED || story_has_alternative(s, rst, "injected"));
    story_end(s);
}

static const story_test tests[] = {
    {"ttl", forge_with_another_ttl},
    {"fingerprint", forge_without_fingerprint},
    {"guessed-sequence", forge_with_guessed_sequence},
    {"closed-window", forge_with_closed_window},
    {"bare-and-late", forge_bare_and_late},
    {"bare-in-incomplete-capture", bare_in_incomplete_capture},
    {"one-weak-sign", one_weak_sign_is_no_verdict},
    {"in-flight-proves-nothing", in_flight_data_prove_nothing},
    {"outside-window", forge_outside_window},
    {"firewall", firewall_refuses},
    {"host-refuses", host_refuses},
    {"host-with-two-ttls", host_with_two_ttls_refuses},
    {"anycast", anycast_host_refuses},
    {"socket-with-own-ttl", socket_with_own_ttl},
    {"route-changes", route_changes},
    {"burst-below-next", burst_below_next},
    {"damaged-flags", damaged_flags},
    {"damaged-data", damaged_data_segment},
    {"both-directions-faithful", forge_in_both_directions_faithfully},
    {"no-listener", forged_reset_is_no_listeners},
    {"both-directions", forge_in_both_directions},
    {"last-ip-id", forge_with_last_ip_id},
    {"far-ack", far_ack_changes_nothing},
    {"late-rejection", rejection_after_silence_is_genuine},
    {"bare-below-next", forge_bare_below_next},
    {"bare-too-early", forge_bare_too_early},
    {"bare-in-form", bare_in_form_is_no_forgery},
    {"bare-with-window", forge_bare_with_window},
    {"bare-without-df", forge_bare_without_df},
    {"bare-without-flow-label", forge_bare_without_flow_label},
    {"closed-window-alone", closed_window_alone_is_no_forgery},
    {"without-hop", forge_without_hop},
    {"before-request", forge_before_request_arrives},
    {"other-flags", forge_with_other_flags},
    {"clock-stands-still", forge_with_clock_that_stands_still},
    {"abort-of-nothing", abort_of_nothing},
};

STORY_MAIN("injected", tests)
