/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the named sender sends behind a reset: where it shows that it sent none, and where it proves nothing. */
#include "story.h"

#include "rstcause/catalogue.h"

/* Faithful in all; only what comes later proves it, and the connection lives on. */
static void sender_continues(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t forged, rst;

    story_converse(s, 20);
    story_wait(s, 100);
    forged = story_send(s, SERVER, "RA", 201, 101, 0);
    s->hosts[SERVER].ip_id--; /* a forger's packet takes none from its counter */
    story_check(s, forged, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    s->hosts[SERVER].ip_id--; /* the named sender did not count it */
    story_wait(s, 1000);
    story_send(s, SERVER, "PA", 201, 101, 100);
    story_check(s, forged, .cause = "injected", .detail = "sender-continues", .sender = "third-party");
    story_send(s, CLIENT, "A", 101, 301, 0);
    story_wait(s, 100);
    rst = story_send(s, SERVER, "RA", 301, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

/* What the sender's going on proves of the last of a volley, it proves of all. */
static void sender_continues_after_volley(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t faithful, careless;

    story_converse(s, 20);
    story_wait(s, 100);
    faithful = story_send(s, SERVER, "RA", 201, 101, 0);
    s->hosts[SERVER].ip_id--; /* a forger's packet takes none from its counter */
    careless = story_forge(s, SERVER, "RA", 201, 101, 64, 4711);
    story_check(s, faithful, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    s->hosts[SERVER].ip_id--;
    story_wait(s, 1000);
    story_send(s, SERVER, "PA", 201, 101, 100);
    story_check(s, faithful, .cause = "injected", .detail = "sender-continues", .sender = "third-party");
    story_check(s, careless, .cause = "injected", .detail = STORY_ANY, .confidence = "certain",
                .sender = "third-party");
    story_end(s);
}

/* The sender says nothing new, but its clock goes on behind the reset: the socket lives. */
static void sender_continues_by_its_clock(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t forged;

    story_converse(s, 20);
    story_wait(s, 100);
    forged = story_send(s, SERVER, "RA", 201, 101, 0);
    s->hosts[SERVER].ip_id--; /* a forger's packet takes none from its counter */
    story_wait(s, 1000);
    story_send(s, SERVER, "A", 201, 101, 0);
    story_check(s, forged, .cause = "injected", .detail = "sender-continues", .sender = "third-party");
    story_end(s);
}

/* No clock: it acknowledges what its peer sent after the reset. */
static void sender_continues_by_an_ack(void)
{
    story *s = story_begin(LINUX_WITHOUT_TIMESTAMPS, LINUX_WITHOUT_TIMESTAMPS);
    uint32_t forged;

    story_converse(s, 20);
    story_wait(s, 100);
    forged = story_send(s, SERVER, "RA", 201, 101, 0);
    s->hosts[SERVER].ip_id--; /* a forger's packet takes none from its counter */
    story_wait(s, 1000);
    story_send(s, CLIENT, "PA", 101, 201, 50);
    story_wait(s, 20);
    story_send(s, SERVER, "A", 201, 151, 0);
    story_check(s, forged, .cause = "injected", .detail = "sender-continues", .sender = "third-party");
    story_end(s);
}

/* A forged answer to a keep-alive probe in the form of the host's own; the host answers, too, 2 ms behind it. What comes
 * after so long a silence was not on its way before. */
static void sender_answers_the_probe_as_well(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t forged;

    story_converse(s, 20);
    story_wait(s, 10000);
    story_send(s, CLIENT, "A", 100, 201, 0);
    story_wait(s, 20);
    forged = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, forged, .cause = "half-open", .detail = "keepalive-probe", .sender = "server",
                .trigger = s->frame - 1);
    story_wait(s, 2);
    story_send(s, SERVER, "A", 201, 101, 0);
    story_check(s, forged, .cause = "injected", .detail = "sender-continues", .sender = "third-party");
    story_end(s);
}

/* The host's ACK of the data before is 2 ms late on another path: of such a one nothing is known. */
static void overtaken_ack_proves_nothing(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 50);
    story_send(s, CLIENT, "PA", 101, 201, 100);
    story_wait(s, 1);
    story_send(s, CLIENT, "PA", 201, 201, 100);
    story_wait(s, 19);
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_wait(s, 2);
    story_send(s, SERVER, "A", 201, 201, 0);
    g_assert_cmpint(story_verdict(s, rst)->cause, !=, RSTCAUSE_INJECTED);
    story_end(s);
}

/* A FIN waited in a queue that the answer to later data did not meet: by the sender's clock it is the older of the two. The
 * same FIN made later is a sign of a forger. */
static void check_fin_behind_answer(double comes_behind, double was_held, bool is_forged)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 50);
    story_send(s, CLIENT, "PA", 101, 201, 100);
    story_wait(s, 20);
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_wait(s, comes_behind);
    s->held = (int64_t)was_held;
    story_send(s, SERVER, "FA", 201, 101, 0);
    g_assert_true((story_verdict(s, rst)->cause == RSTCAUSE_INJECTED) == is_forged);
    story_end(s);
}

static void fin_behind_answer(void)
{
    check_fin_behind_answer(70, 90, false);
    check_fin_behind_answer(70, 10, true);
}

/* The client takes the SYN/ACK that a reset in its name refused. A SYN of raw sockets says less: there the host's kernel
 * resets what a program goes on with. */
static void check_syn_ack_taken(story_stack client, const char *cause)
{
    story *s = story_begin(client, LINUX);
    uint32_t rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 20);
    story_send(s, SERVER, "SA", 0, 1, 0);
    rst = story_answer(s, CLIENT, "R", 1, 0);
    story_wait(s, 0.1);
    story_send(s, CLIENT, "A", 1, 1, 0);
    g_assert_cmpstr(rstcause_cause_name(story_verdict(s, rst)->cause), ==, cause);
    story_end(s);
}

static void sender_takes_syn_ack(void)
{
    check_syn_ack_taken(LINUX, "injected");
    check_syn_ack_taken(SCANNER, "handshake-abandoned");
}

/* One tick of the sender's clock behind that of the reset is enough, however soon. */
static void sender_goes_on_by_one_tick(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 500);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    s->hosts[SERVER].ip_id--;
    story_wait(s, 2);
    story_send(s, SERVER, "A", 201, 101, 0);
    story_check(s, rst, .cause = "injected", .detail = "sender-continues", .sender = "third-party");
    story_end(s);
}

/* The reader of a download goes on with nothing but ACKs, a few ticks apart. */
static void reader_goes_on(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 500);
    story_send(s, SERVER, "PA", 201, 101, 1000);
    story_wait(s, 20);
    rst = story_answer(s, CLIENT, "R", 101, 0);
    for (unsigned i = 0; i < 8; i++) {
        story_wait(s, 6);
        story_send(s, CLIENT, "A", 101, 1201, 0);
    }
    story_check(s, rst, .cause = "injected", .detail = "sender-continues", .sender = "third-party");
    story_end(s);
}

/* A forger who writes the very next IP ID: the host writes it once more, so that it has counted no reset. */
static void forge_with_next_ip_id(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t forged;

    story_converse(s, 20);
    story_wait(s, 100);
    forged = story_send(s, SERVER, "RA", 201, 101, 0);
    s->hosts[SERVER].ip_id--;
    story_wait(s, 1);
    story_send(s, SERVER, "PA", 201, 101, 100);
    story_wait(s, 100);
    story_send(s, SERVER, "PA", 301, 101, 100);
    story_check(s, forged, .cause = "injected", .detail = "sender-continues", .sender = "third-party");
    story_end(s);
}

/* Nothing follows a FIN (RFC 9293 section 3.6): whoever made such data, they do not tell that the reset was forged. */
static void data_behind_fin_prove_nothing(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "A", 101, 202, 0);
    story_wait(s, 500);
    rst = story_send(s, SERVER, "RA", 202, 101, 0);
    story_wait(s, 1000);
    story_send(s, SERVER, "PA", 202, 101, 10);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

/* The reset overtook data, which come within two round trips of a slow path. */
static void overtaken_data_prove_nothing(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 3000);
    story_wait(s, 5000);
    s->hosts[SERVER].ip_id++; /* the data's */
    rst = story_send(s, SERVER, "RA", 301, 101, 0);
    s->hosts[SERVER].ip_id -= 2;
    story_wait(s, 4000);
    story_send(s, SERVER, "PA", 201, 101, 100);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

static const story_test tests[] = {
    {"sender-continues", sender_continues},
    {"sender-continues-after-volley", sender_continues_after_volley},
    {"data-behind-fin", data_behind_fin_prove_nothing},
    {"overtaken-data", overtaken_data_prove_nothing},
    {"sender-continues-by-clock", sender_continues_by_its_clock},
    {"sender-continues-by-ack", sender_continues_by_an_ack},
    {"probe-answered-twice", sender_answers_the_probe_as_well},
    {"overtaken-ack", overtaken_ack_proves_nothing},
    {"fin-behind-answer", fin_behind_answer},
    {"syn-ack-taken", sender_takes_syn_ack},
    {"one-tick", sender_goes_on_by_one_tick},
    {"reader-goes-on", reader_goes_on},
    {"next-ip-id", forge_with_next_ip_id},
};

STORY_MAIN("goes-on", tests)
