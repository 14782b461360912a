/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times and durations in few bytes: what stays exact, what is rounded, and what lies beyond. */
#include "follow/packed.h"

#include "follow/units.h"

static const int64_t now = INT64_C(1700000000123456789);
static const int64_t hour = 3600 * INT64_C(1000000000), year = 365 * 24 * 3600 * INT64_C(1000000000);

static int64_t keep_time(int64_t distance)
{
    return unpack_time(pack_time(now + distance, now), now) - now;
}

static void keep_times_of_a_day_exact(void)
{
    g_assert_cmpuint(sizeof(packed_time), ==, 6);
    for (int64_t distance = 1; distance < 19 * hour; distance += distance / 3 + 1) {
        g_assert_cmpint(keep_time(distance), ==, distance);
        g_assert_cmpint(keep_time(-distance), ==, -distance);
    }
    g_assert_cmpint(keep_time(0), ==, 0);
}

/* A connection may be idle for days, and what happens then is asked in microseconds, too. */
static void keep_microseconds_for_years(void)
{
    for (int64_t distance = 20 * hour + 999; distance < 2 * year; distance += distance / 7) {
        g_assert_cmpint(keep_time(distance), ==, distance / MICROSECOND * MICROSECOND);
        g_assert_cmpint(keep_time(-distance), ==, -(distance / MICROSECOND * MICROSECOND));
    }
}

/* The whole range that rstcause_segment allows. */
static void hold_times_beyond(void)
{
    const int64_t latest = INT64_C(1) << 62;

    g_assert_cmpint(keep_time(3 * year), ==, keep_time(100 * year));
    g_assert_cmpint(keep_time(3 * year), >, 2 * year);
    g_assert_cmpint(unpack_time(pack_time(latest, 0), 0), >, 2 * year);
    g_assert_cmpint(unpack_time(pack_time(0, latest), latest), <, latest - 2 * year);
}

static int64_t keep_duration(int64_t duration)
{
    return unpack_duration(pack_duration(duration));
}

static void keep_durations(void)
{
    const struct {
        int64_t below, unit;
    } ranges[] = {
        {SECOND + 73 * MILLISECOND, 1},
        {1073 * SECOND, MICROSECOND},
        {12 * 24 * hour, MILLISECOND},
        {34 * year, SECOND},
    };
    int64_t duration = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++) {
        for (; duration < ranges[i].below; duration += duration / 5 + 1)
            g_assert_cmpint(keep_duration(duration), ==, duration / ranges[i].unit * ranges[i].unit);
        duration = ranges[i].below + SECOND;
    }
    g_assert_cmpint(keep_duration(-5), ==, 0);
    g_assert_cmpint(keep_duration(INT64_MAX), ==, keep_duration(100 * year));
    g_assert_cmpint(keep_duration(INT64_MAX), >=, 34 * year);
    g_assert_cmpint(unpack_duration(NO_DURATION), ==, -1);
}

static void stop_counts(void)
{
    g_assert_cmpuint(count_up_16(7), ==, 8);
    g_assert_cmpuint(count_up_16(UINT16_MAX), ==, UINT16_MAX);
    g_assert_cmpuint(add_up_32(UINT32_MAX - 5, 5), ==, UINT32_MAX);
    g_assert_cmpuint(add_up_32(UINT32_MAX - 5, 6), ==, UINT32_MAX);
    g_assert_cmpuint(add_up_32(7, 8), ==, 15);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/packed/times", keep_times_of_a_day_exact);
    g_test_add_func("/packed/long-times", keep_microseconds_for_years);
    g_test_add_func("/packed/times-beyond", hold_times_beyond);
    g_test_add_func("/packed/durations", keep_durations);
    g_test_add_func("/packed/counts", stop_counts);
    return g_test_run();
}
