/* SPDX-License-Identifier: GPL-2.0-or-later */
/* abort: the sender's own side tore the connection down. RFC 9293 section 3.10.5: a reset at snd.nxt. */
#include "story.h"

/* tcp_close() in Linux's net/ipv4/tcp.c: data unread, so RST instead of FIN; the emptied queue opens the window. */
static void close_with_unread_data(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_open(s, 0.1);
    story_send(s, CLIENT, "PA", 1, 1, 100);
    s->hosts[SERVER].window = 501;
    story_send(s, SERVER, "A", 1, 101, 0);
    story_wait(s, 1000);
    s->hosts[SERVER].window = 502;
    rst = story_send(s, SERVER, "RA", 1, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = "unread-data", .confidence = "certain", .sender = "server");
    story_end(s);
}

/* SO_LINGER 0 with nothing to read. */
static void close_with_linger(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    story_wait(s, 100);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, rst, .cause = "abort", .confidence = "certain", .sender = "server");
    story_end(s);
}

static void abort_after_fin_of_peer(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    story_send(s, CLIENT, "FA", 101, 201, 0);
    story_send(s, SERVER, "A", 201, 102, 0);
    story_wait(s, 40);
    rst = story_send(s, SERVER, "RA", 201, 102, 0);
    story_check(s, rst, .cause = "abort", .detail = "after-fin", .sender = "server");
    story_end(s);
}

/* P's FIN and S's reset crossed: S did not know of the FIN, as its ACK number shows. */
static void abort_that_crosses_fin(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 40);
    story_wait(s, 100);
    story_send(s, CLIENT, "FA", 101, 201, 0);
    story_wait(s, 5);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, rst, .cause = "abort", .sender = "server");
    story_end(s);
}

static void abort_idle_connection(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    story_wait(s, 180000);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = "idle", .confidence = "certain", .sender = "server");
    story_end(s);
}

/* S's last data are on the way yet. */
static void abort_with_pending_data(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 40);
    story_send(s, CLIENT, "PA", 101, 201, 50);
    story_wait(s, 40);
    story_send(s, SERVER, "PA", 201, 151, 1000);
    rst = story_send(s, SERVER, "RA", 1201, 151, 0);
    story_check(s, rst, .cause = "abort", .detail = "pending-data", .sender = "server");
    story_end(s);
}

/* STACKS: FIN, then at once RST,ACK at FIN + 1 with nothing new between: shutdown(), then close() with unread data. */
static void abort_behind_own_fin(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_open(s, 0.1);
    story_send(s, CLIENT, "PA", 1, 1, 100);
    story_send(s, SERVER, "A", 1, 101, 0);
    story_wait(s, 10);
    story_send(s, SERVER, "FA", 1, 101, 0);
    rst = story_send(s, SERVER, "RA", 2, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

/* RFC 8684 section 3.5: MP_FASTCLOSE on the reset itself. */
static void fastclose_with_reset(void)
{
    static const uint8_t fastclose[] = {30, 12, 0x70, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    rst = story_send_with(s, CLIENT, "RA", 101, 201, fastclose, sizeof fastclose, NULL);
    story_check(s, rst, .cause = "abort", .detail = "fastclose", .sender = "client");
    story_end(s);
}

/* RFC 8684 section 3.5: MP_FASTCLOSE on an ACK, which the peer answers with a reset. */
static void fastclose_with_ack(void)
{
    static const uint8_t fastclose[] = {30, 12, 0x70, 0, 1, 2, 3, 4, 5, 6, 7, 8};
    story *s = story_begin(LINUX, LINUX);
    uint32_t ack, rst;

    story_converse(s, 0.1);
    ack = story_send_with(s, CLIENT, "A", 101, 201, fastclose, sizeof fastclose, NULL);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = "fastclose", .sender = "server", .trigger = ack);
    story_end(s);
}

/* inet_csk_listen_stop(): what was not accepted is reset in one loop; the second reset explains the first. */
static void close_listener(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t first, second;

    story_open(s, 0.1);
    s->hosts[CLIENT].port = 40001;
    story_open(s, 0.1);
    story_wait(s, 1000);
    s->hosts[CLIENT].port = 40000;
    first = story_send(s, SERVER, "RA", 1, 1, 0);
    s->hosts[CLIENT].port = 40001;
    second = story_send(s, SERVER, "RA", 1, 1, 0);
    story_check(s, first, .cause = "abort", .detail = "listener-closed", .sender = "server");
    g_assert_true(story_says(s, first, "listening socket"));
    story_check(s, second, .cause = "abort", .detail = "listener-closed", .sender = "server");
    story_end(s);
}

/* A server that has served both aborts both: its listener may live on. */
static void abort_two_served_connections(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t first, second;

    story_converse(s, 0.1);
    s->hosts[CLIENT].port = 40001;
    story_converse(s, 0.1);
    story_wait(s, 1000);
    s->hosts[CLIENT].port = 40000;
    first = story_send(s, SERVER, "RA", 201, 101, 0);
    s->hosts[CLIENT].port = 40001;
    second = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, first, .cause = "abort", .sender = "server");
    story_check(s, second, .cause = "abort", .sender = "server");
    story_end(s);
}

/* STACKS: later Windows aborts with RST,ACK and window 0. */
static void abort_of_windows(void)
{
    story *s = story_begin(WINDOWS, LINUX);
    uint32_t rst;

    story_converse(s, 10);
    story_wait(s, 2000);
    rst = story_send(s, CLIENT, "RA", 101, 201, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "client");
    story_end(s);
}

/* STACKS: Windows XP aborts without ACK, with the next ID of its counter; it had acknowledged all that came. */
static void bare_abort_of_windows_xp(void)
{
    story *s = story_begin(WINDOWS_XP, LINUX);
    uint32_t rst;

    story_converse(s, 10);
    story_wait(s, 2000);
    rst = story_send(s, CLIENT, "R", 101, 0, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "client");
    story_end(s);
}

/* STACKS: Darwin aborts without ACK after a silence. */
static void bare_abort_of_darwin_after_silence(void)
{
    story *s = story_begin(DARWIN, LINUX);
    uint32_t rst;

    story_converse(s, 10);
    story_wait(s, 45000);
    rst = story_send(s, CLIENT, "R", 101, 0, 0);
    story_check(s, rst, .cause = "abort", .detail = "idle", .sender = "client");
    story_end(s);
}

/* The same where the peer spoke last: its old ACK fits by number, but no answer takes so long. */
static void bare_abort_of_darwin_after_last_ack_of_peer(void)
{
    story *s = story_begin(DARWIN, LINUX);
    uint32_t rst;

    story_converse(s, 10);
    story_send(s, CLIENT, "PA", 101, 201, 50);
    story_wait(s, 10);
    story_send(s, SERVER, "A", 201, 151, 0);
    story_wait(s, 45000);
    rst = story_send(s, CLIENT, "R", 151, 0, 0);
    story_check(s, rst, .cause = "abort", .detail = "idle", .sender = "client");
    story_end(s);
}

/* STACKS: Darwin's tcp_drop() sends RST,ACK without the timestamps agreed on: no forgery. */
static void abort_of_darwin(void)
{
    story *s = story_begin(LINUX, DARWIN);
    uint32_t rst;

    story_converse(s, 10);
    story_wait(s, 300);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

/* STACKS: Windows often resets within a millisecond after P's FIN. */
static void abort_of_windows_after_fin(void)
{
    story *s = story_begin(WINDOWS, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 50);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_wait(s, 0.1);
    story_send(s, CLIENT, "A", 101, 202, 0);
    story_wait(s, 0.5);
    rst = story_send(s, CLIENT, "RA", 101, 202, 0);
    story_check(s, rst, .cause = "abort", .detail = "after-fin", .sender = "client");
    story_end(s);
}

/* The bare form, on Darwin: it had acknowledged the FIN, so it knows the connection. */
static void bare_abort_of_darwin_after_fin(void)
{
    story *s = story_begin(DARWIN, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 50);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_wait(s, 0.2);
    story_send(s, CLIENT, "A", 101, 202, 0);
    story_wait(s, 2000);
    rst = story_send(s, CLIENT, "R", 101, 0, 0);
    story_check(s, rst, .cause = "abort", .detail = "after-fin", .sender = "client");
    story_end(s);
}

/* S died in the middle of its data: SIGKILL with data unread, while P had acknowledged all that came. */
static void abort_in_the_middle_of_a_transfer(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    for (unsigned i = 0; i < 50; i++) {
        story_send(s, SERVER, "A", 201 + i * 1448, 101, 1448);
        if (i % 2 == 1) {
            story_wait(s, 0.1);
            story_send(s, CLIENT, "A", 101, 201 + (i + 1) * 1448, 0);
        }
    }
    story_wait(s, 5);
    rst = story_send(s, SERVER, "RA", 201 + 50 * 1448, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    g_assert_cmpuint(story_verdict(s, rst)->data_lost, ==, 0);
    story_end(s);
}

/* Linux' own aborts carry ACK, its answers do not: the same place in the story, but bare, answers the data. */
static void bare_reset_of_linux_is_no_abort(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_converse(s, 0.1);
    story_wait(s, 5000);
    data = story_send(s, CLIENT, "PA", 101, 201, 100);
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "server", .trigger = data);
    story_end(s);
}

/* P has sent nothing, so nothing can have been unread: SO_LINGER 0 is left. */
static void linger_where_nothing_came(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_open(s, 0.1);
    story_send(s, SERVER, "PA", 1, 1, 100);
    story_send(s, CLIENT, "A", 1, 101, 0);
    story_wait(s, 100);
    rst = story_send(s, SERVER, "RA", 101, 1, 0);
    story_check(s, rst, .cause = "abort", .detail = "linger", .sender = "server");
    story_end(s);
}

/* Two aborts at one moment, but the first client had closed before: that explains its reset better. */
static void closed_client_is_no_closed_listener(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_open(s, 0.1);
    story_send(s, CLIENT, "FA", 1, 1, 0);
    story_send(s, SERVER, "A", 1, 2, 0);
    s->hosts[CLIENT].port = 40001;
    story_open(s, 0.1);
    story_wait(s, 1000);
    s->hosts[CLIENT].port = 40000;
    rst = story_send(s, SERVER, "RA", 1, 2, 0);
    s->hosts[CLIENT].port = 40001;
    story_send(s, SERVER, "RA", 1, 1, 0);
    story_check(s, rst, .cause = "abort", .detail = "after-fin", .sender = "server");
    story_end(s);
}

/* The port goes on accepting: the listener is there, whatever made the application drop the two. */
static void open_port_is_no_closed_listener(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst[2];

    story_open(s, 0.1);
    s->hosts[CLIENT].port = 40001;
    story_open(s, 0.1);
    story_wait(s, 1000);
    s->hosts[CLIENT].port = 40000;
    rst[0] = story_send(s, SERVER, "RA", 1, 1, 0);
    s->hosts[CLIENT].port = 40001;
    rst[1] = story_send(s, SERVER, "RA", 1, 1, 0);
    story_wait(s, 500);
    s->hosts[CLIENT].port = 40002;
    story_converse(s, 0.1);
    for (unsigned i = 0; i < 2; i++) {
        story_check(s, rst[i], .cause = "abort", .detail = STORY_ANY, .sender = "server");
        g_assert_cmpint(story_verdict(s, rst[i])->detail, !=, RSTCAUSE_LISTENER_CLOSED);
    }
    story_end(s);
}

/* The peer takes its window back while it is full of data: Linux aborts at the window's end, below what it has sent. */
static void abort_at_the_end_of_the_window(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_send(s, CLIENT, "PA", 101, 201, 1000);
    story_send(s, CLIENT, "PA", 1101, 201, 1000);
    story_wait(s, 20);
    s->hosts[SERVER].window = 0;
    story_send(s, SERVER, "A", 201, 1101, 0);
    story_wait(s, 300);
    rst = story_send(s, CLIENT, "RA", 1101, 201, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "client");
    story_end(s);
}

/* A service that is started again later was closed all the same, and so was one that refused in between. */
static void restarted_listener(void)
{
    for (unsigned is_refused = 0; is_refused < 2; is_refused++) {
        story *s = story_begin(LINUX, LINUX);
        uint32_t rst[2];

        story_open(s, 0.1);
        s->hosts[CLIENT].port = 40001;
        story_open(s, 0.1);
        story_wait(s, 1000);
        s->hosts[CLIENT].port = 40000;
        rst[0] = story_send(s, SERVER, "RA", 1, 1, 0);
        s->hosts[CLIENT].port = 40001;
        rst[1] = story_send(s, SERVER, "RA", 1, 1, 0);
        story_wait(s, is_refused ? 100 : 1500);
        s->hosts[CLIENT].port = 40002;
        if (is_refused) {
            story_send(s, CLIENT, "S", 0, 0, 0);
            story_refuse(s, SERVER, 1);
            story_wait(s, 200);
            s->hosts[CLIENT].port = 40003;
        }
        story_converse(s, 0.1);
        for (unsigned i = 0; i < 2; i++)
            story_check(s, rst[i], .cause = "abort", .detail = "listener-closed", .sender = "server");
        story_end(s);
    }
}

static const story_test tests[] = {
    {"unread-data", close_with_unread_data},
    {"linger", close_with_linger},
    {"after-fin", abort_after_fin_of_peer},
    {"crosses-fin", abort_that_crosses_fin},
    {"idle", abort_idle_connection},
    {"pending-data", abort_with_pending_data},
    {"behind-own-fin", abort_behind_own_fin},
    {"fastclose-reset", fastclose_with_reset},
    {"fastclose-ack", fastclose_with_ack},
    {"listener-closed", close_listener},
    {"two-served-connections", abort_two_served_connections},
    {"windows", abort_of_windows},
    {"windows-xp-bare", bare_abort_of_windows_xp},
    {"darwin-bare-after-silence", bare_abort_of_darwin_after_silence},
    {"darwin-bare-after-last-ack", bare_abort_of_darwin_after_last_ack_of_peer},
    {"darwin", abort_of_darwin},
    {"windows-after-fin", abort_of_windows_after_fin},
    {"darwin-bare-after-fin", bare_abort_of_darwin_after_fin},
    {"transfer", abort_in_the_middle_of_a_transfer},
    {"linux-bare-is-no-abort", bare_reset_of_linux_is_no_abort},
    {"linger-nothing-came", linger_where_nothing_came},
    {"closed-client", closed_client_is_no_closed_listener},
    {"open-port", open_port_is_no_closed_listener},
    {"end-of-window", abort_at_the_end_of_the_window},
    {"restarted-listener", restarted_listener},
};

STORY_MAIN("abort", tests)
