/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A tracker with a bound on its memory: it keeps the bound, whatever comes; who went on speaking is judged as without it;
 * who was forgotten is judged as a connection from before the capture; and what was said stays.
 */
#include "traffic.h"

#include <string.h>

#include "rstcause/catalogue.h"
#include "rstcause/stated.h"
#include "story.h"

static const uint64_t mebibyte = 1 << 20;

enum {
    KEEPERS = 40,
    SLEEPERS = 40,
    CLIENT_PORT = 40000,
    KEEPER = 0x0b000000,
    SLEEPER = 0x0c000000,
    FLOOD = 0x20000000
};

/* So many connections that never come again, from an address each. */
static void flood(traffic *played, uint32_t count, traffic_end end)
{
    static uint32_t address = FLOOD;

    for (uint32_t i = 0; i < count; i++)
        traffic_play(played, address++, 1024, end, 2);
}

/* All that is said of a reset. */
static void digest(GString *said, const rstcause_verdict *v)
{
    g_string_append_printf(said, "#%u %s %s %s %d %d trigger %u original %u lost %u idle %" G_GINT64_FORMAT " %s\n",
                           v->frame, rstcause_cause_name(v->cause), rstcause_detail_name(v->detail),
                           rstcause_pattern_name(v->pattern), v->confidence, v->sender, v->trigger, v->original,
                           v->data_lost, v->idle, v->explanation);
    for (unsigned i = 0; i < v->evidence->len; i++)
        g_string_append_printf(said, "  %s\n", (const char *)g_ptr_array_index(v->evidence, i));
    for (unsigned i = 0; i < v->alternatives->len; i++)
        g_string_append_printf(said, "  or %s\n", (const char *)g_ptr_array_index(v->alternatives, i));
}

/* One side of a connection that was opened by traffic_play() says something. */
static rstcause_segment make(traffic *played, uint32_t client, bool from_client, uint8_t flags, uint32_t sequence,
                             uint32_t acknowledgement, uint32_t length)
{
    rstcause_segment made = {.frame = ++played->frame,
                             .time = played->time += played->step,
                             .source_port = from_client ? CLIENT_PORT : 443,
                             .destination_port = from_client ? 443 : CLIENT_PORT,
                             .ttl = from_client ? 64 : 57,
                             .has_ip_id = true,
                             .has_timestamps = flags != RSTCAUSE_RST,
                             .timestamp_value = played->frame,
                             .window = flags == RSTCAUSE_RST ? 0 : 500,
                             .window_shift = -1,
                             .flags = flags,
                             .length = length,
                             .sequence = (client + !from_client) * 2654435761u + CLIENT_PORT + sequence,
                             .acknowledgement = acknowledgement == 0 ? 0
                                                                     : (client + from_client) * 2654435761u +
                                                                           CLIENT_PORT + acknowledgement};
    rstcause_address client_address = traffic_address(played, client),
                     server_address = traffic_address(played, played->server);

    made.source = from_client ? client_address : server_address;
    made.destination = from_client ? server_address : client_address;
    return made;
}

/* Two rounds of traffic_play(): the client stands at 201, the server at 4297. */
enum { CLIENT_NEXT = 201, SERVER_NEXT = 1 + 2 * (1448 + 700) };

static uint32_t show(traffic *played, rstcause_tracker *also, const rstcause_segment *segment)
{
    rstcause_tracker_observe(played->tracker, segment);
    if (also != NULL)
        rstcause_tracker_observe(also, segment);
    return segment->frame;
}

/* Its request meets a server that resets it: as its own doing, as one that does not know it, or twice. */
static void end(traffic *played, rstcause_tracker *also, uint32_t client, unsigned how, GArray *resets)
{
    rstcause_segment segment =
        make(played, client, true, RSTCAUSE_ACK | RSTCAUSE_PSH, CLIENT_NEXT + (how > 3 ? 100 : 0), SERVER_NEXT, 100);
    uint32_t frame;

    show(played, also, &segment);
    segment = how % 2 == 0 ? make(played, client, false, RSTCAUSE_RST | RSTCAUSE_ACK, SERVER_NEXT, CLIENT_NEXT, 0)
                           : make(played, client, false, RSTCAUSE_RST, SERVER_NEXT, 0, 0);
    frame = show(played, also, &segment);
    g_array_append_val(resets, frame);
    if (how % 3 != 0)
        return;
    segment = make(played, client, true, RSTCAUSE_ACK | RSTCAUSE_PSH, CLIENT_NEXT + 100, SERVER_NEXT, 100);
    show(played, also, &segment);
    segment = make(played, client, false, RSTCAUSE_RST, SERVER_NEXT, 0, 0);
    frame = show(played, also, &segment);
    g_array_append_val(resets, frame);
}

static char *ask(rstcause_tracker *tracker, const GArray *resets)
{
    GString *said = g_string_new(NULL);

    for (unsigned i = 0; i < resets->len; i++) {
        const rstcause_verdict *verdict = rstcause_tracker_find(tracker, g_array_index(resets, uint32_t, i), 0);

        g_assert_nonnull(verdict);
        g_assert_null(story_find_contradiction(verdict));
        digest(said, verdict);
    }
    return g_string_free(said, false);
}

/* Shows the first line that differs. */
static void expect_same(const char *one, const char *other)
{
    char **lines = g_strsplit(one, "\n", 0), **others = g_strsplit(other, "\n", 0);
    unsigned at = 0;

    while (lines[at] != NULL && g_strcmp0(lines[at], others[at]) == 0)
        at++;
    g_assert_cmpstr(lines[at], ==, others[at]);
    g_strfreev(lines);
    g_strfreev(others);
}

static void keep_alive(traffic *played, uint32_t client, uint32_t server_acknowledged)
{
    rstcause_segment segment = make(played, client, true, RSTCAUSE_ACK, CLIENT_NEXT - 1, server_acknowledged, 0);

    show(played, NULL, &segment);
    segment = make(played, client, false, RSTCAUSE_ACK, SERVER_NEXT, CLIENT_NEXT, 0);
    show(played, NULL, &segment);
}

static traffic *begin(uint64_t bound)
{
    traffic *played = traffic_begin();

    if (bound != 0)
        rstcause_tracker_bound(played->tracker, bound);
    return played;
}

static void open_each(traffic *played, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        traffic_play(played, first + i, CLIENT_PORT, TRAFFIC_OPEN, 2);
}

/* Who speaks now and then, while a flood goes by. */
static char *play_keepers(uint64_t bound, traffic_end kind, bool finishes)
{
    traffic *played = begin(bound);
    GArray *resets = g_array_new(false, false, sizeof(uint32_t));
    char *said;

    open_each(played, KEEPER, KEEPERS);
    for (unsigned round = 0; round < 200; round++) {
        flood(played, 50, kind);
        for (uint32_t i = 0; i < KEEPERS; i++)
            keep_alive(played, KEEPER + i, SERVER_NEXT);
    }
    for (uint32_t i = 0; i < KEEPERS; i++)
        end(played, NULL, KEEPER + i, i, resets);
    flood(played, 10000, kind);
    if (finishes)
        rstcause_tracker_finish(played->tracker);
    g_assert_cmpint(rstcause_tracker_forgot_in(played->tracker) != 0, ==, bound != 0);
    said = ask(played->tracker, resets);
    g_array_free(resets, true);
    traffic_end_all(played);
    return said;
}

static void judge_keepers_as_ever(gconstpointer kind)
{
    for (unsigned finishes = 0; finishes < 2; finishes++) {
        char *free = play_keepers(0, GPOINTER_TO_INT(kind), finishes),
             *bound = play_keepers(mebibyte, GPOINTER_TO_INT(kind), finishes);

        g_assert_nonnull(strstr(free, "already-reset"));
        g_assert_nonnull(strstr(free, "half-open"));
        g_assert_nonnull(strstr(free, "abort"));
        g_assert_null(strstr(free, "injected"));
        expect_same(free, bound);
        g_free(free);
        g_free(bound);
    }
}

/* Who rests is forgotten; what is said of them then is what a tracker says that has seen nothing before. */
static void judge_forgotten_as_unseen(void)
{
    traffic *played = begin(mebibyte);
    rstcause_tracker *unseen = rstcause_tracker_new(rstcause_stated_default_magic);
    GArray *resets = g_array_new(false, false, sizeof(uint32_t));
    char *said, *expected;

    open_each(played, SLEEPER, SLEEPERS);
    /* The server goes on elsewhere: nobody is to be known in both trackers but by these. */
    played->server++;
    flood(played, 10000, TRAFFIC_OPEN);
    played->server--;
    for (uint32_t i = 0; i < SLEEPERS; i++)
        end(played, unseen, SLEEPER + i, i, resets);
    said = ask(played->tracker, resets);
    expected = ask(unseen, resets);
    expect_same(said, expected);
    g_assert_nonnull(strstr(said, "already-reset"));
    g_free(said);
    g_free(expected);
    g_array_free(resets, true);
    rstcause_tracker_free(unseen);
    traffic_end_all(played);
}

/* A connection that was reset is forgotten: its verdict stays, and the next reset of its ports knows nothing of it. */
static void keep_what_was_said(void)
{
    traffic *played = begin(mebibyte);
    GArray *resets = g_array_new(false, false, sizeof(uint32_t)), *later = g_array_new(false, false, sizeof(uint32_t));
    char *before, *after;

    open_each(played, SLEEPER, SLEEPERS);
    for (uint32_t i = 0; i < SLEEPERS; i++)
        end(played, NULL, SLEEPER + i, i, resets);
    before = ask(played->tracker, resets);
    flood(played, 10000, TRAFFIC_OPEN);
    g_assert_cmpuint(rstcause_tracker_forgot_in(played->tracker), >, g_array_index(resets, uint32_t, resets->len - 1));
    for (uint32_t i = 0; i < SLEEPERS; i++)
        end(played, NULL, SLEEPER + i, 1, later);
    after = ask(played->tracker, resets);
    expect_same(before, after);
    for (unsigned i = 0; i < later->len; i++)
        g_assert_cmpuint(rstcause_tracker_find(played->tracker, g_array_index(later, uint32_t, i), 0)->original, ==, 0);
    g_free(before);
    g_free(after);
    g_array_free(resets, true);
    g_array_free(later, true);
    traffic_end_all(played);
}

/* Windows of 64 segments at both ends. */
static void fill_windows(traffic *played, uint32_t count, unsigned segments)
{
    for (uint32_t i = 0; i < count; i++)
        traffic_play(played, FLOOD - 1 - i, 1024, TRAFFIC_OPEN, segments);
}

static void expect_bound(const traffic *played, size_t before, uint64_t bound, const char *when)
{
    size_t held = traffic_heap() - before;

    if (traffic_heap() == 0)
        return;
    g_test_message("%zu bytes after %s", held, when);
    g_assert_cmpuint(held, <=, bound);
    g_assert_cmpuint(rstcause_tracker_forgot_in(played->tracker), !=, 0);
}

/* One kind after another, and of each so much that without a bound it would take several times that; the small records that
 * the first leave behind serve the large ones of the next, and the other way round. */
static void keep_the_bound(void)
{
    const uint64_t bound = 8 * mebibyte;
    size_t before = traffic_heap();
    traffic *played = begin(bound);

    played->step = 1000;
    for (unsigned round = 0; round < 3; round++) {
        flood(played, 100000, TRAFFIC_SYN);
        expect_bound(played, before, bound, "a SYN flood");
        fill_windows(played, 10000, 40);
        expect_bound(played, before, bound, "long windows");
        flood(played, 50000, TRAFFIC_CLOSED);
        expect_bound(played, before, bound, "connections that were closed");
        for (unsigned segments = 1; segments < 60; segments++)
            fill_windows(played, 400, segments);
        expect_bound(played, before, bound, "windows of all sizes");
        played->is_ipv6 = !played->is_ipv6;
    }
    traffic_end_all(played);
}

/* Without a bound nothing is forgotten, nor with one that is not reached. */
static void forget_nothing_in_vain(void)
{
    traffic *played = begin(64 * mebibyte);

    flood(played, 20000, TRAFFIC_CLOSED);
    g_assert_cmpuint(rstcause_tracker_forgot_in(played->tracker), ==, 0);
    traffic_end_all(played);
    played = begin(mebibyte);
    flood(played, 20000, TRAFFIC_CLOSED);
    g_assert_cmpuint(rstcause_tracker_forgot_in(played->tracker), >, 0);
    g_assert_cmpuint(rstcause_tracker_forgot_in(played->tracker), <, played->frame);
    traffic_end_all(played);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/bound/keepers/syn", GINT_TO_POINTER(TRAFFIC_SYN), judge_keepers_as_ever);
    g_test_add_data_func("/bound/keepers/refused", GINT_TO_POINTER(TRAFFIC_REFUSED), judge_keepers_as_ever);
    g_test_add_data_func("/bound/keepers/closed", GINT_TO_POINTER(TRAFFIC_CLOSED), judge_keepers_as_ever);
    g_test_add_func("/bound/forgotten", judge_forgotten_as_unseen);
    g_test_add_func("/bound/said", keep_what_was_said);
    g_test_add_func("/bound/memory", keep_the_bound);
    g_test_add_func("/bound/in-vain", forget_nothing_in_vain);
    return g_test_run();
}
