/* SPDX-License-Identifier: GPL-2.0-or-later */
/* half-open: the sender does not know the connection and never closed it. RFC 9293 section 3.5.1. */
#include "story.h"

/* Figure 10: the client lost power and is back; the server's data find nothing. */
static void data_meet_restarted_client(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_converse(s, 0.1);
    story_wait(s, 20000);
    data = story_send(s, SERVER, "PA", 201, 101, 64);
    rst = story_answer(s, CLIENT, "R", 101, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .confidence = "certain", .sender = "client",
                .trigger = data);
    g_assert_true(story_says(s, rst, "64 bytes"));
    g_assert_true(story_says(s, rst, "no close before"));
    story_end(s);
}

/* A reset out of the window ended nothing at the peer, but it is not "nothing". */
static void a_reset_came_before(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_converse(s, 0.1);
    story_wait(s, 1000);
    story_answer(s, CLIENT, "R", 5000000, 0);
    story_wait(s, 20000);
    data = story_send(s, SERVER, "PA", 201, 101, 64);
    rst = story_answer(s, CLIENT, "R", 101, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .trigger = data);
    g_assert_true(story_says(s, rst, "a reset in its name came before"));
    g_assert_false(story_says(s, rst, "no close before"));
    story_end(s);
}

static void data_meet_restarted_server(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    s->is_ipv6 = true;
    story_converse(s, 30);
    story_wait(s, 20000);
    data = story_send(s, CLIENT, "PA", 101, 201, 1);
    story_wait(s, 30);
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .confidence = "certain", .sender = "server",
                .trigger = data);
    story_end(s);
}

/* Retransmissions in vain while the host was down; the one that reached it again is the trigger. */
static void last_repeat_meets_restarted_client(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_converse(s, 0.1);
    story_wait(s, 1000);
    story_send(s, SERVER, "PA", 201, 101, 64);
    for (unsigned gap = 210; gap < 3000; gap *= 2) {
        story_wait(s, gap);
        data = story_send(s, SERVER, "PA", 201, 101, 64);
    }
    rst = story_answer(s, CLIENT, "R", 101, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "client", .trigger = data);
    story_end(s);
}

/* RFC 9293 section 3.8.4: one below snd.nxt, without data. */
static void keepalive_probe_meets_restarted_client(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t probe, rst;

    story_converse(s, 0.1);
    story_wait(s, 7200000);
    probe = story_send(s, SERVER, "A", 200, 101, 0);
    rst = story_answer(s, CLIENT, "R", 101, 0);
    story_check(s, rst, .cause = "half-open", .detail = "keepalive-probe", .sender = "client", .trigger = probe);
    story_end(s);
}

/* A NAT or balancer has forgotten the connection and resets with a TTL of its own: no forgery. */
static void data_meet_forgetful_nat(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    s->hosts[SERVER].ttl = 52;
    s->hosts[SERVER].kernel_ttl = 254;
    story_converse(s, 20);
    story_wait(s, 600000);
    data = story_send(s, CLIENT, "PA", 101, 201, 10);
    story_wait(s, 20);
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst, .cause = "half-open", .detail = "idle-expired", .sender = "server", .trigger = data);
    story_end(s);
}

/* STACKS: a Windows host answers without ACK, too; it had been silent for long. */
static void data_meet_restarted_windows(void)
{
    story *s = story_begin(LINUX, WINDOWS);
    uint32_t data, rst;

    story_converse(s, 20);
    story_wait(s, 15000);
    data = story_send(s, CLIENT, "PA", 101, 201, 10);
    story_wait(s, 20);
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "server", .trigger = data);
    story_end(s);
}

/* STACKS: the ACK field of XP's bare answer repeats the sequence number; it means nothing. */
static void data_meet_restarted_windows_xp(void)
{
    story *s = story_begin(LINUX, WINDOWS_XP);
    uint32_t data, rst;

    story_converse(s, 20);
    story_wait(s, 15000);
    data = story_send(s, CLIENT, "PA", 101, 201, 10);
    story_wait(s, 20);
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "server", .trigger = data);
    story_end(s);
}

/* Captured at the client: the server's last words cross the segment that the restarted one answers. */
static void last_words_cross_trigger(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 40);
    story_wait(s, 1000);
    story_send(s, CLIENT, "PA", 101, 201, 19);
    story_wait(s, 10);
    story_send(s, SERVER, "PA", 201, 101, 50);
    story_wait(s, 30);
    rst = story_answer(s, SERVER, "R", 201, 0);
    g_assert_false(story_says(s, rst, " -"));
    story_end(s);
}

/* Figure 11: the FIN of the surviving end finds nothing either. */
static void fin_meets_restarted_server(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t fin, rst;

    story_converse(s, 20);
    story_wait(s, 15000);
    fin = story_send(s, CLIENT, "FA", 101, 201, 0);
    story_wait(s, 20);
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst, .cause = "half-open", .detail = STORY_ANY, .sender = "server", .trigger = fin);
    story_end(s);
}

/* A restarted server with the listener back: the second connection of the same client is another's story. */
static void other_connection_is_untouched(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_converse(s, 0.2);
    story_wait(s, 20000);
    data = story_send(s, CLIENT, "PA", 101, 201, 10);
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "server", .trigger = data);
    s->hosts[CLIENT].port = 40001;
    story_converse(s, 0.2);
    story_wait(s, 100);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, rst, .cause = "abort", .sender = "server");
    story_end(s);
}

/* Three segments in flight, each answered: one cause, and its echoes, each with its own trigger. */
static void burst_meets_restarted_server(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data[3], rst[3];

    story_converse(s, 30);
    story_wait(s, 20000);
    for (unsigned i = 0; i < 3; i++)
        data[i] = story_send(s, CLIENT, "PA", 101 + i * 100, 201, 100);
    story_wait(s, 30);
    for (unsigned i = 0; i < 3; i++)
        rst[i] = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst[0], .cause = "half-open", .detail = "data", .sender = "server", .trigger = data[0]);
    story_check(s, rst[1], .cause = "already-reset", .sender = "server", .trigger = data[1], .original = rst[0]);
    story_check(s, rst[2], .cause = "already-reset", .sender = "server", .trigger = data[2], .original = rst[0]);
    story_end(s);
}

/* Figure 9: the restarted client asks for a connection on the old pair, the server acknowledges the old one. */
static void reconnect_from_same_port(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t old_next, ack, rst, second;

    story_converse(s, 0.1);
    story_wait(s, 20000);
    old_next = 101 - 1000000;
    story_restart(s, CLIENT, s->hosts[CLIENT].isn + 1000000);
    story_send(s, CLIENT, "S", 0, 0, 0);
    ack = story_send(s, SERVER, "A", 201, old_next, 0);
    rst = story_answer(s, CLIENT, "R", old_next, 0);
    story_check(s, rst, .cause = "half-open", .detail = "reconnect", .confidence = "certain", .sender = "client",
                .trigger = ack);

    /* The SYN again succeeds; what comes now is another connection's. */
    story_wait(s, 1000);
    story_restart(s, SERVER, 77);
    story_converse(s, 0.1);
    story_wait(s, 100);
    second = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, second, .cause = "abort", .sender = "server");
    story_end(s);
}

/* The same with the old connection out of the capture: the ACK's numbers are of another connection. */
static void reconnect_of_unseen_connection(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t ack, rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    ack = story_send(s, SERVER, "A", 123456, 7654321, 0);
    rst = story_answer(s, CLIENT, "R", 7654321, 0);
    story_check(s, rst, .cause = "half-open", .detail = "reconnect", .sender = "client", .trigger = ack);
    story_end(s);
}

/* S has closed: it did know the connection. */
static void data_after_fin_are_not_half_open(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_converse(s, 0.1);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "A", 101, 202, 0);
    story_wait(s, 100);
    data = story_send(s, CLIENT, "PA", 101, 202, 10);
    rst = story_answer(s, SERVER, "R", 202, 0);
    story_check(s, rst, .cause = "data-after-close", .detail = "data", .sender = "server", .trigger = data);
    story_end(s);
}

/* lwIP counts its first sequence number from the same start after each restart: the SYN of its new life looks like the
 * old one repeated (measured). */
static void reconnect_with_same_number(void)
{
    story *s = story_begin(SCANNER, LINUX);
    uint32_t ack, rst;

    story_converse(s, 0.1);
    story_wait(s, 5000);
    story_send(s, CLIENT, "S", 0, 0, 0);
    ack = story_send(s, SERVER, "A", 201, 101, 0);
    rst = story_answer(s, CLIENT, "RA", 101, 201);
    story_check(s, rst, .cause = "half-open", .detail = "reconnect", .sender = "client", .trigger = ack);
    story_end(s);
}

/* The client's window is shut: a server that closes then cannot say so. The answer to what the client sends later may be that of
 * a host that has closed, or of one that has lost the connection. */
static void close_behind_shut_window(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_converse(s, 20);
    story_send(s, SERVER, "PA", 201, 101, 1000);
    story_wait(s, 20);
    s->hosts[CLIENT].window = 0;
    story_send(s, CLIENT, "A", 101, 1201, 0);
    story_wait(s, 30000);
    data = story_send(s, CLIENT, "PA", 101, 1201, 10);
    story_wait(s, 20);
    rst = story_answer(s, SERVER, "R", 1201, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .confidence = "likely", .sender = "server",
                .trigger = data);
    g_assert_true(story_has_alternative(s, rst, "data-after-close"));
    story_end(s);
}

static const story_test tests[] = {
    {"shut-window", close_behind_shut_window},
    {"restarted-client", data_meet_restarted_client},
    {"a-reset-came-before", a_reset_came_before},
    {"restarted-server", data_meet_restarted_server},
    {"last-repeat", last_repeat_meets_restarted_client},
    {"keepalive-probe", keepalive_probe_meets_restarted_client},
    {"forgetful-nat", data_meet_forgetful_nat},
    {"restarted-windows", data_meet_restarted_windows},
    {"restarted-windows-xp", data_meet_restarted_windows_xp},
    {"last-words-cross", last_words_cross_trigger},
    {"fin", fin_meets_restarted_server},
    {"other-connection", other_connection_is_untouched},
    {"burst", burst_meets_restarted_server},
    {"reconnect", reconnect_from_same_port},
    {"reconnect-unseen", reconnect_of_unseen_connection},
    {"reconnect-with-same-number", reconnect_with_same_number},
    {"closed-is-not-half-open", data_after_fin_are_not_half_open},
};

STORY_MAIN("half-open", tests)
