/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection comes out of its packed record as it was followed, whatever happened in it. */
#include "follow/record.h"

#include <string.h>

#include "follow/units.h"

static const int64_t begun = INT64_C(1700000000000000000);

typedef struct {
    record_pool *pool;
    host hosts[2];
    connection_record *record;
    connection seen;
    recent_room room[2];
    rstcause_segment next; /* what is not set anew stays */
} fixture;

static fixture *set_up(void)
{
    fixture *f = g_new0(fixture, 1);
    host *const hosts[2] = {&f->hosts[0], &f->hosts[1]};
    const uint16_t ports[2] = {40000, 80};

    f->pool = pool_new();
    f->record = connection_new(f->pool, hosts, ports, 0);
    f->next = (rstcause_segment){.time = begun, .window_shift = -1, .ttl = 64, .has_ip_id = true};
    return f;
}

static void tear_down(fixture *f)
{
    pool_free(f->pool);
    g_free(f);
}

static void send_at(fixture *f, uint8_t side, int64_t time, uint8_t flags, uint32_t sequence, uint32_t acknowledgement,
                    uint32_t length)
{
    f->next.frame++;
    f->next.time = begun + time;
    f->next.ip_id++;
    f->next.flags = flags;
    f->next.sequence = sequence;
    f->next.acknowledgement = acknowledgement;
    f->next.length = length;
    if ((flags & RSTCAUSE_RST) != 0)
        connection_follow_reset(f->pool, f->record, side, &f->next, 77);
    else
        connection_follow(f->pool, f->record, side, &f->next);
    connection_unfold(f->pool, f->record, &f->seen, f->room);
}

static void open_connection(fixture *f)
{
    send_at(f, 0, 0, RSTCAUSE_SYN, 1000, 0, 0);
    send_at(f, 1, 20 * MILLISECOND, RSTCAUSE_SYN | RSTCAUSE_ACK, 5000, 1001, 0);
    send_at(f, 0, 20 * MILLISECOND + 100, RSTCAUSE_ACK, 1001, 5001, 0);
}

static void unfold_handshake(void)
{
    fixture *f = set_up();
    const endpoint *client = &f->seen.ends[0], *server = &f->seen.ends[1];

    send_at(f, 0, 0, RSTCAUSE_SYN, 1000, 0, 0);
    g_assert_cmpuint(client->syn_frame, ==, 1);
    g_assert_cmpuint(client->isn, ==, 1000);
    g_assert_cmpuint(client->syn_count, ==, 1);
    g_assert_cmpint(client->last_syn_time, ==, begun);
    g_assert_true(client->host == &f->hosts[0] && server->host == &f->hosts[1]);
    g_assert_cmpuint(server->frames, ==, 0);
    g_assert_cmpint(server->answer_delay, ==, -1);
    g_assert_cmpint(server->window_shift, ==, -1);
    g_assert_cmpint(f->seen.client, ==, 0);
    send_at(f, 0, SECOND, RSTCAUSE_SYN, 1000, 0, 0);
    g_assert_cmpuint(client->syn_count, ==, 2);
    g_assert_cmpint(client->syn_time, ==, begun);
    g_assert_cmpint(client->last_syn_time, ==, begun + SECOND);
    g_assert_cmpuint(client->repeats, ==, 1);
    g_assert_cmpuint(client->repeat_first_frame, ==, 1);
    g_assert_cmpint(client->repeat_gap, ==, SECOND);
    send_at(f, 1, SECOND + 30 * MILLISECOND, RSTCAUSE_SYN | RSTCAUSE_ACK, 5000, 1001, 0);
    g_assert_cmpuint(server->accepted_at, ==, 1001);
    g_assert_true(server->syn_has_ack);
    g_assert_cmpuint(client->repeats, ==, 0);
    g_assert_false(f->seen.is_established);
    send_at(f, 0, SECOND + 30 * MILLISECOND + 100, RSTCAUSE_ACK, 1001, 5001, 0);
    g_assert_true(f->seen.is_established);
    g_assert_cmpuint(f->seen.establish_frame, ==, 4);
    g_assert_cmpint(f->seen.establish_time, ==, f->next.time);
    g_assert_cmpint(client->answer_delay, ==, 100);
    g_assert_true(client->path_is_timed);
    g_assert_cmpuint(f->seen.last_frame, ==, 4);
    tear_down(f);
}

/* The capture lacks the SYN: what the SYN/ACK acknowledges is known nowhere else. */
static void unfold_unasked_syn_ack(void)
{
    fixture *f = set_up();

    send_at(f, 1, 0, RSTCAUSE_SYN | RSTCAUSE_ACK, 5000, 1001, 0);
    g_assert_cmpuint(f->seen.ends[1].accepted_at, ==, 1001);
    g_assert_cmpint(f->seen.client, ==, 0);
    tear_down(f);
}

static void unfold_data_and_close(void)
{
    fixture *f = set_up();
    const endpoint *client = &f->seen.ends[0], *server = &f->seen.ends[1];

    open_connection(f);
    send_at(f, 0, 30 * MILLISECOND, RSTCAUSE_ACK, 1001, 5001, 100);
    g_assert_cmpuint(client->last_data_frame, ==, 4);
    g_assert_cmpuint(client->last_data_length, ==, 100);
    g_assert_cmpuint(client->repeat_sequence, ==, 1001);
    g_assert_cmpuint(client->repeat_first_frame, ==, 4);
    g_assert_cmpuint(client->next, ==, 1101);
    g_assert_cmpuint(client->bytes, ==, 100);
    send_at(f, 1, 50 * MILLISECOND, RSTCAUSE_ACK | RSTCAUSE_FIN, 5001, 1101, 50);
    g_assert_cmpuint(client->repeat_first_frame, ==, 0);
    g_assert_cmpuint(server->fin_frame, ==, 5);
    g_assert_cmpuint(server->fin_end, ==, 5052);
    g_assert_cmpuint(server->repeat_sequence, ==, 5001);
    g_assert_cmpint(server->fin_time, ==, begun + 50 * MILLISECOND);
    send_at(f, 0, 51 * MILLISECOND, RSTCAUSE_ACK | RSTCAUSE_FIN, 1101, 5052, 0);
    g_assert_cmpuint(client->repeat_sequence, ==, 1101);
    g_assert_cmpuint(f->seen.closed_frame, ==, 0);
    send_at(f, 1, 71 * MILLISECOND, RSTCAUSE_ACK, 5052, 1102, 0);
    g_assert_cmpuint(f->seen.closed_frame, ==, 7);
    g_assert_cmpint(f->seen.closed_time, ==, begun + 71 * MILLISECOND);
    g_assert_true(connection_is_over(f->record));
    tear_down(f);
}

/* Each repeat of the last segment, and not of one before it. */
static void unfold_repeats_and_probes(void)
{
    fixture *f = set_up();
    const endpoint *client = &f->seen.ends[0];
    int64_t time = SECOND;

    open_connection(f);
    send_at(f, 0, time, RSTCAUSE_ACK, 1001, 5001, 100);
    for (unsigned i = 1; i <= 5; i++) {
        time += SECOND << i;
        send_at(f, 0, time, RSTCAUSE_ACK, 1001, 5001, 100);
        g_assert_cmpuint(client->repeats, ==, i);
        g_assert_cmpuint(client->repeat_first_frame, ==, 4);
        g_assert_cmpint(client->repeat_first_time, ==, begun + SECOND);
        g_assert_cmpint(client->repeat_last_time, ==, begun + time);
        g_assert_cmpint(client->repeat_gap, ==, SECOND << i);
        g_assert_true(client->repeats_back_off);
    }
    send_at(f, 1, time + MILLISECOND, RSTCAUSE_ACK, 5001, 1101, 0);
    g_assert_cmpuint(client->repeats, ==, 0);
    for (unsigned i = 1; i <= 3; i++) {
        send_at(f, 0, time + i * 75 * SECOND, RSTCAUSE_ACK, 1100, 5001, 0);
        g_assert_cmpuint(client->probes, ==, i);
        g_assert_cmpint(client->probe_last_time - client->probe_first_time, ==, (i - 1) * 75 * SECOND);
        g_assert_true(recent_at(&client->recent, 0)->is_keepalive);
    }
    send_at(f, 1, time + 400 * SECOND, RSTCAUSE_ACK, 5001, 1101, 0);
    g_assert_cmpuint(client->probes, ==, 0);
    tear_down(f);
}

static void unfold_fingerprint(void)
{
    fixture *f = set_up();
    const endpoint *client = &f->seen.ends[0];

    f->next.has_timestamps = true;
    f->next.timestamp_value = 5;
    open_connection(f);
    g_assert_cmpuint(client->timestamp_value, ==, 5);
    g_assert_cmpint(client->timestamp_time, ==, client->last_time);
    f->next.has_timestamps = false;
    f->next.ttl = 60;
    send_at(f, 0, SECOND, RSTCAUSE_ACK, 1001, 5001, 10);
    send_at(f, 0, 2 * SECOND, RSTCAUSE_ACK, 1011, 5001, 10);
    g_assert_true(client->has_timestamps);
    g_assert_cmpint(client->timestamp_time, ==, begun + 20 * MILLISECOND + 100);
    g_assert_cmpuint(client->ttl_low, ==, 60);
    g_assert_cmpuint(client->ttl_high, ==, 64);
    /* Frames 1, 3, 4 and 5 have these IDs. */
    g_assert_cmpuint(client->ip_ids, ==, 4);
    g_assert_cmpuint(client->ip_ids_rising, ==, 3);
    f->next.ip_id = 999;
    send_at(f, 0, 3 * SECOND, RSTCAUSE_ACK, 1021, 5001, 10);
    f->next.ip_id = UINT16_MAX;
    send_at(f, 0, 4 * SECOND, RSTCAUSE_ACK, 1031, 5001, 10);
    g_assert_cmpuint(client->ip_ids, ==, 6);
    g_assert_cmpuint(client->ip_ids_zero, ==, 1);
    g_assert_cmpuint(client->ip_ids_rising, ==, 3);
    g_assert_cmpuint(client->last_counted_ip_id, ==, 1000);
    tear_down(f);
}

/* After days of silence, still to the microsecond. */
static void unfold_long_connection(void)
{
    fixture *f = set_up();
    const int64_t week = 7 * 24 * 3600 * SECOND;

    open_connection(f);
    send_at(f, 0, week + 123 * MICROSECOND, RSTCAUSE_ACK, 1001, 5001, 100);
    send_at(f, 1, week + 456 * MICROSECOND, RSTCAUSE_ACK, 5001, 1101, 100);
    g_assert_cmpint(f->seen.ends[1].last_time - f->seen.ends[0].last_time, ==, 333 * MICROSECOND);
    g_assert_cmpint(f->seen.ends[1].answer_delay, ==, 333 * MICROSECOND);
    g_assert_cmpint(f->seen.last_time, ==, begun + week + 456 * MICROSECOND);
    tear_down(f);
}

/* The first segment may be stamped later than those after it. */
static void unfold_times_before_the_first(void)
{
    fixture *f = set_up();

    send_at(f, 0, 0, RSTCAUSE_SYN, 1000, 0, 0);
    send_at(f, 1, -3 * SECOND, RSTCAUSE_SYN | RSTCAUSE_ACK, 5000, 1001, 0);
    g_assert_cmpint(f->seen.ends[1].syn_time, ==, begun - 3 * SECOND);
    g_assert_cmpint(f->seen.ends[1].answer_delay, ==, -1);
    tear_down(f);
}

static void keep_what_a_judge_says(void)
{
    fixture *f = set_up();

    open_connection(f);
    g_assert_false(connection_has_resets(f->record));
    f->seen.resets[1].frame = 9;
    f->seen.resets[1].count = 3;
    f->seen.reset_frame = 9;
    f->seen.reset_time = begun + 5;
    f->seen.reset_side = 1;
    connection_fold_resets(f->pool, f->record, &f->seen);
    memset(&f->seen, 0xff, sizeof f->seen);
    connection_unfold(f->pool, f->record, &f->seen, f->room);
    g_assert_true(connection_has_resets(f->record));
    g_assert_true(connection_is_over(f->record));
    g_assert_cmpuint(f->seen.resets[1].count, ==, 3);
    g_assert_cmpuint(f->seen.resets[0].frame, ==, 0);
    g_assert_cmpuint(f->seen.reset_frame, ==, 9);
    g_assert_cmpint(f->seen.reset_time, ==, begun + 5);
    g_assert_cmpuint(f->seen.reset_side, ==, 1);
    /* Nobody took it for the end. */
    f->seen.reset_frame = 0;
    connection_fold_resets(f->pool, f->record, &f->seen);
    g_assert_false(connection_is_over(f->record));
    tear_down(f);
}

static void begin_anew(void)
{
    fixture *f = set_up();

    open_connection(f);
    f->next.said = (rstcause_first_bytes){.kind = RSTCAUSE_TLS_ALERT};
    send_at(f, 0, 20 * MILLISECOND + 100, RSTCAUSE_ACK | RSTCAUSE_PSH, 1001, 5001, 2);
    f->next.said = (rstcause_first_bytes){0};
    g_assert_cmpint(f->seen.ends[0].last_words.kind, ==, RSTCAUSE_TLS_ALERT);
    connection_fold_resets(f->pool, f->record, &f->seen);
    send_at(f, 0, 100 * SECOND, RSTCAUSE_SYN, 90000, 0, 0);
    g_assert_cmpint(f->seen.past.end, ==, PAST_OPEN);
    g_assert_cmpuint(f->seen.past.frame, ==, 4);
    g_assert_cmpint(f->seen.past.time, ==, begun + 20 * MILLISECOND + 100);
    g_assert_cmpuint(f->seen.past.next[1], ==, 5001);
    g_assert_cmpuint(f->seen.ends[0].frames, ==, 1);
    g_assert_cmpint(f->seen.ends[0].syn_time, ==, begun + 100 * SECOND);
    g_assert_cmpint(f->seen.ends[0].last_words.kind, ==, RSTCAUSE_BYTES_UNKNOWN);
    g_assert_false(f->seen.is_established);
    g_assert_false(connection_has_resets(f->record));
    /* The path is the same. */
    g_assert_cmpint(f->seen.ends[1].answer_delay, ==, 20 * MILLISECOND);
    g_assert_cmpuint(f->seen.ends[0].recent.used, ==, 1);
    g_assert_cmpuint(f->seen.ends[1].recent.used, ==, 0);
    tear_down(f);
}

/* Of a connection that rests, what may still be answered stays. */
static void forget_what_is_acknowledged(void)
{
    fixture *f = set_up();

    open_connection(f);
    for (uint32_t i = 0; i < 10; i++) {
        send_at(f, 0, SECOND * (i + 1), RSTCAUSE_ACK, 1001 + 100 * i, 5001 + 100 * i, 100);
        send_at(f, 1, SECOND * (i + 1) + 20 * MILLISECOND, RSTCAUSE_ACK, 5001 + 100 * i, 1101 + 100 * i, 100);
    }
    send_at(f, 0, 11 * SECOND, RSTCAUSE_ACK, 2001, 6001, 100);
    connection_forget_recent(f->pool, f->record, begun + 20 * SECOND);
    connection_unfold(f->pool, f->record, &f->seen, f->room);
    /* The last data of the client is not acknowledged; all of the server is. */
    g_assert_cmpuint(f->seen.ends[0].recent.used, ==, 1);
    g_assert_cmpuint(recent_at(&f->seen.ends[0].recent, 0)->frame, ==, f->next.frame);
    g_assert_cmpuint(f->seen.ends[1].recent.used, ==, 0);
    tear_down(f);
}

/* No more than a bound, however long it talks. */
static void cost_little(void)
{
    fixture *f = set_up();

    send_at(f, 0, 0, RSTCAUSE_SYN, 1000, 0, 0);
    g_assert_cmpuint(f->pool->fresh * POOL_GRANULE, <=, 256);
    for (uint32_t i = 0; i < 20000; i++)
        send_at(f, i % 2, i * SECOND, RSTCAUSE_ACK, 2000 + i, 0, 1);
    g_assert_cmpuint(f->pool->chunk_count, ==, 1);
    g_assert_cmpuint(f->pool->fresh * POOL_GRANULE, <, 16384);
    tear_down(f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/record/handshake", unfold_handshake);
    g_test_add_func("/record/unasked-syn-ack", unfold_unasked_syn_ack);
    g_test_add_func("/record/data-and-close", unfold_data_and_close);
    g_test_add_func("/record/repeats-and-probes", unfold_repeats_and_probes);
    g_test_add_func("/record/fingerprint", unfold_fingerprint);
    g_test_add_func("/record/long", unfold_long_connection);
    g_test_add_func("/record/before-the-first", unfold_times_before_the_first);
    g_test_add_func("/record/judged", keep_what_a_judge_says);
    g_test_add_func("/record/anew", begin_anew);
    g_test_add_func("/record/forget", forget_what_is_acknowledged);
    g_test_add_func("/record/flood", cost_little);
    return g_test_run();
}
