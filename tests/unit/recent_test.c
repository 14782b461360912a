/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The window of recent segments: its order, its bound, and the memory of a flood. */
#include "follow/recent.h"

#include "follow/connection.h"
#include "follow/units.h"

static void keep_the_newest(void)
{
    recent_segments recent = {0};

    g_assert_null(recent_at(&recent, 0));
    for (uint32_t frame = 1; frame <= 5 * RECENT_LIMIT; frame++) {
        rstcause_segment segment = {.frame = frame, .sequence = frame * 10, .length = 7, .flags = RSTCAUSE_FIN};
        unsigned kept = MIN(frame, RECENT_LIMIT);

        recent_add(&recent, &segment);
        for (unsigned age = 0; age < kept; age++) {
            g_assert_nonnull(recent_at(&recent, age));
            g_assert_cmpuint(recent_at(&recent, age)->frame, ==, frame - age);
            g_assert_cmpuint(recent_at(&recent, age)->end, ==, (frame - age) * 10 + 8);
        }
        g_assert_null(recent_at(&recent, kept));
    }
    recent_clear(&recent);
    g_assert_null(recent_at(&recent, 0));
}

static recent_segment *find(const recent_segments *recent, const rstcause_segment *segment, int64_t later, uint8_t hops,
                            const copy_habit *habit)
{
    rstcause_segment copy = *segment;

    copy.time += later;
    copy.ttl = (uint8_t)(copy.ttl - hops);
    return recent_find_copied(recent, &copy, habit);
}

/* With an IP ID the packet is known at once; the TTL and the moment may differ, the rest may not. */
static void find_copy_by_ip_id(void)
{
    recent_segments recent = {0};
    copy_habit habit = {0};
    rstcause_segment segment = {
        .frame = 1, .time = 5 * SECOND, .has_ip_id = true, .ip_id = 7, .ttl = 60, .flags = RSTCAUSE_ACK};

    recent_add(&recent, &segment);
    g_assert_nonnull(find(&recent, &segment, 10 * MILLISECOND, 1, &habit));
    g_assert_null(find(&recent, &segment, 5 * SECOND, 1, &habit));
    segment.ip_id = 8;
    g_assert_null(find(&recent, &segment, 10 * MILLISECOND, 1, &habit));
    segment.ip_id = 7;
    segment.window = 9;
    g_assert_null(find(&recent, &segment, 10 * MILLISECOND, 1, &habit));
    recent_clear(&recent);
}

/* Without one, two equal answers of a burst are two packets, unless they come another way. */
static void find_copy_without_ip_id(void)
{
    recent_segments recent = {0};
    copy_habit habit = {0};
    rstcause_segment segment = {.frame = 1, .time = 5 * SECOND, .has_ip_id = true, .ttl = 60, .flags = RSTCAUSE_RST};

    recent_add(&recent, &segment);
    g_assert_null(find(&recent, &segment, 50 * MICROSECOND, 0, &habit));
    g_assert_nonnull(find(&recent, &segment, 50 * MICROSECOND, 1, &habit));
    g_assert_null(find(&recent, &segment, 20 * MILLISECOND, 1, &habit));
    recent_clear(&recent);
}

/*
 * A flood of SYNs makes a connection of each. One that saw no more than its opening shall cost less than 2 KiB, and
 * one that saw ever so much less than 32 KiB.
 */
static size_t count_bytes(const connection *c)
{
    return sizeof *c + (c->ends[0].recent.capacity + c->ends[1].recent.capacity) * sizeof(recent_segment);
}

static void cost_little_in_a_flood(void)
{
    host low = {0}, high = {0};
    connection c;
    rstcause_segment segment = {.frame = 1, .flags = RSTCAUSE_SYN, .window_shift = -1, .has_ip_id = true, .ip_id = 1};

    connection_init(&c, &low, &high);
    connection_follow(&c, 0, &segment);
    g_assert_cmpuint(count_bytes(&c), <, 2048);
    segment = (rstcause_segment){
        .frame = 2, .flags = RSTCAUSE_SYN | RSTCAUSE_ACK, .window_shift = -1, .acknowledgement = 1, .time = SECOND};
    connection_follow(&c, 1, &segment);
    g_assert_cmpuint(count_bytes(&c), <, 2048);
    for (uint32_t frame = 3; frame < 20000; frame++) {
        segment = (rstcause_segment){
            .frame = frame, .flags = RSTCAUSE_ACK, .sequence = frame, .length = 1, .time = frame * SECOND};
        connection_follow(&c, frame % 2, &segment);
    }
    g_assert_cmpuint(count_bytes(&c), <, 32768);
    connection_clear(&c);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/recent/newest", keep_the_newest);
    g_test_add_func("/recent/copy-by-ip-id", find_copy_by_ip_id);
    g_test_add_func("/recent/copy-without-ip-id", find_copy_without_ip_id);
    g_test_add_func("/recent/flood", cost_little_in_a_flood);
    return g_test_run();
}
