/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The window of recent segments: its order, its bound, and what is dropped of it. */
#include "follow/recent.h"

#include "follow/units.h"

typedef struct {
    record_pool *pool;
    place ring;
    recent_room room;
} window;

static window *open_window(void)
{
    window *opened = g_new0(window, 1);

    opened->pool = pool_new();
    return opened;
}

static void close_window(window *opened)
{
    pool_free(opened->pool);
    g_free(opened);
}

static recent_segments look_back(window *from)
{
    return recent_unfold(from->pool, from->ring, 0, &from->room);
}

static void add(window *to, const rstcause_segment *segment)
{
    recent_add(to->pool, &to->ring, 0, segment, &(recent_segment){0});
}

static void keep_the_newest(void)
{
    window *w = open_window();
    recent_segments recent = look_back(w);

    g_assert_null(recent_at(&recent, 0));
    for (uint32_t frame = 1; frame <= 5 * RECENT_LIMIT; frame++) {
        rstcause_segment segment = {.frame = frame, .sequence = frame * 10, .length = 7, .flags = RSTCAUSE_FIN};
        unsigned kept = MIN(frame, RECENT_LIMIT);

        add(w, &segment);
        recent = look_back(w);
        for (unsigned age = 0; age < kept; age++) {
            g_assert_nonnull(recent_at(&recent, age));
            g_assert_cmpuint(recent_at(&recent, age)->frame, ==, frame - age);
            g_assert_cmpuint(recent_at(&recent, age)->end, ==, (frame - age) * 10 + 8);
        }
        g_assert_null(recent_at(&recent, kept));
    }
    recent_clear(w->pool, &w->ring);
    recent = look_back(w);
    g_assert_null(recent_at(&recent, 0));
    close_window(w);
}

/* What is kept comes back as it went in. */
static void keep_what_was_noted(void)
{
    window *w = open_window();
    const rstcause_segment data = {.frame = UINT32_MAX,
                                   .time = INT64_C(1700000000123456789),
                                   .sequence = 4294967290u,
                                   .acknowledgement = 7,
                                   .length = 100000,
                                   .window = 65535,
                                   .ip_id = 40000,
                                   .ttl = 255,
                                   .flags = RSTCAUSE_ACK | RSTCAUSE_FIN},
                           reset = {.frame = 9, .time = data.time + 1, .flags = RSTCAUSE_RST};
    const recent_segment noted = {.silence = 60 * SECOND, .was_old = true, .is_repeat = true};
    recent_segments recent;
    const recent_segment *kept;

    recent_add(w->pool, &w->ring, data.time - 5, &data, &noted);
    recent_add(w->pool, &w->ring, data.time - 5, &reset, &(recent_segment){.reset_number = 123456789});
    recent = recent_unfold(w->pool, w->ring, data.time - 5, &w->room);
    kept = recent_at(&recent, 1);
    g_assert_cmpint(kept->time, ==, data.time);
    g_assert_cmpint(kept->silence, ==, 60 * SECOND);
    g_assert_cmpuint(kept->frame, ==, data.frame);
    g_assert_cmpuint(kept->end, ==, data.sequence + 100001);
    g_assert_cmpuint(kept->acknowledgement, ==, 7);
    g_assert_cmpuint(kept->length, ==, 100000);
    g_assert_cmpuint(kept->window, ==, 65535);
    g_assert_cmpuint(kept->ip_id, ==, 40000);
    g_assert_cmpuint(kept->ttl, ==, 255);
    g_assert_true(kept->was_old && kept->is_repeat && !kept->is_keepalive && kept->answers == 0);
    g_assert_cmpuint(recent_at(&recent, 0)->reset_number, ==, 123456789);
    recent_mark_answered(&recent, kept);
    recent = recent_unfold(w->pool, w->ring, data.time - 5, &w->room);
    g_assert_cmpuint(recent_at(&recent, 1)->answers, ==, 1);
    g_assert_cmpuint(recent_at(&recent, 0)->answers, ==, 0);
    close_window(w);
}

static bool is_odd(const recent_segment *segment, const void *data)
{
    (void)data;
    return segment->frame % 2 != 0;
}

static bool is_any(const recent_segment *segment, const void *data)
{
    (void)segment;
    (void)data;
    return true;
}

static void trim_what_is_spent(void)
{
    for (uint32_t count = 1; count <= 2 * RECENT_LIMIT; count++) {
        window *w = open_window();
        recent_segments recent;
        uint32_t newest = count - count % 2;
        unsigned left;

        for (uint32_t frame = 1; frame <= count; frame++)
            add(w, &(rstcause_segment){.frame = frame});
        recent_trim(w->pool, &w->ring, 0, 1, is_odd, NULL, true);
        left = MIN(count, RECENT_LIMIT) / 2;
        recent = look_back(w);
        g_assert_cmpuint(recent.used, ==, left);
        for (unsigned age = 0; age < left; age++)
            g_assert_cmpuint(recent_at(&recent, age)->frame, ==, newest - 2 * age);
        /* It fills again. */
        add(w, &(rstcause_segment){.frame = 1000});
        recent = look_back(w);
        g_assert_cmpuint(recent_at(&recent, 0)->frame, ==, 1000);
        g_assert_cmpuint(recent.used, ==, left + 1);
        recent_trim(w->pool, &w->ring, 0, 0, is_any, NULL, true);
        g_assert_cmpuint(look_back(w).used, ==, left + 1);
        recent_trim(w->pool, &w->ring, 0, 1, is_any, NULL, false);
        g_assert_cmpuint(look_back(w).used, ==, 0);
        recent_trim(w->pool, &w->ring, 0, 1, is_any, NULL, true);
        add(w, &(rstcause_segment){.frame = 2000});
        g_assert_cmpuint(look_back(w).used, ==, 1);
        close_window(w);
    }
}

static bool find(window *w, const rstcause_segment *segment, int64_t later, uint8_t hops, const copy_habit *habit)
{
    rstcause_segment copy = *segment;

    copy.time += later;
    copy.ttl = (uint8_t)(copy.ttl - hops);
    return recent_find_copied(recent_ring_at(w->pool, w->ring), 0, &copy, habit) != RECENT_NO_COPY;
}

/* With an IP ID the packet is known at once; the TTL and the moment may differ, the rest may not. */
static void find_copy_by_ip_id(void)
{
    window *w = open_window();
    copy_habit habit = {0};
    rstcause_segment segment = {
        .frame = 1, .time = 5 * SECOND, .has_ip_id = true, .ip_id = 7, .ttl = 60, .flags = RSTCAUSE_ACK};

    g_assert_false(find(w, &segment, 10 * MILLISECOND, 1, &habit));
    add(w, &segment);
    g_assert_true(find(w, &segment, 10 * MILLISECOND, 1, &habit));
    g_assert_false(find(w, &segment, 5 * SECOND, 1, &habit));
    segment.ip_id = 8;
    g_assert_false(find(w, &segment, 10 * MILLISECOND, 1, &habit));
    segment.ip_id = 7;
    segment.window = 9;
    g_assert_false(find(w, &segment, 10 * MILLISECOND, 1, &habit));
    close_window(w);
}

/* Without one, two equal answers of a burst are two packets, unless they come another way. */
static void find_copy_without_ip_id(void)
{
    window *w = open_window();
    copy_habit habit = {0};
    rstcause_segment segment = {.frame = 1, .time = 5 * SECOND, .has_ip_id = true, .ttl = 60, .flags = RSTCAUSE_RST};

    add(w, &segment);
    g_assert_false(find(w, &segment, 50 * MICROSECOND, 0, &habit));
    g_assert_true(find(w, &segment, 50 * MICROSECOND, 1, &habit));
    g_assert_false(find(w, &segment, 20 * MILLISECOND, 1, &habit));
    segment.capture_interface = 0x10000;
    g_assert_true(find(w, &segment, 50 * MICROSECOND, 0, &habit));
    close_window(w);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/recent/newest", keep_the_newest);
    g_test_add_func("/recent/noted", keep_what_was_noted);
    g_test_add_func("/recent/trim", trim_what_is_spent);
    g_test_add_func("/recent/copy-by-ip-id", find_copy_by_ip_id);
    g_test_add_func("/recent/copy-without-ip-id", find_copy_without_ip_id);
    return g_test_run();
}
