/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Has each segment followed and each reset judged, and keeps the bound. Knows no rule. */
#include "rstcause/tracker.h"

#include "follow/connections.h"
#include "follow/record.h"
#include "judge/judge.h"
#include "patterns/neighbours.h"
#include "tell/tell.h"
#include "rstcause/stated.h"

struct rstcause_tracker {
    uint64_t magic;
    connection_store *connections;
    uint64_t most_of_judge; /* bytes that the judge may keep of connections and hosts */
    uint32_t forgot_in;     /* the frame where connections were forgotten first, 0 where none were */
    judge *judge;
    neighbours *neighbours;
    rstcause_verdict *told; /* what was asked for last */
    GArray *answers;        /* of reset_answer, by trigger; of one trigger's the first reset comes first */
    unsigned latest_answer; /* the first whose trigger is the frame that was asked for last, or a later one */
};

rstcause_tracker *rstcause_tracker_new(uint64_t magic)
{
    rstcause_tracker *tracker = g_new0(rstcause_tracker, 1);

    tracker->magic = magic;
    tracker->connections = connections_new();
    tracker->most_of_judge = UINT64_MAX;
    tracker->judge = judge_new();
    tracker->neighbours = neighbours_new();
    tracker->answers = g_array_new(false, false, sizeof(reset_answer));
    return tracker;
}

void rstcause_tracker_free(rstcause_tracker *tracker)
{
    if (tracker == NULL)
        return;
    connections_free(tracker->connections);
    judge_free(tracker->judge);
    neighbours_free(tracker->neighbours);
    tell_free(tracker->told);
    g_array_free(tracker->answers, true);
    g_free(tracker);
}

void rstcause_tracker_bound(rstcause_tracker *tracker, uint64_t bytes)
{
    connections_bound(tracker->connections, bytes);
    tracker->most_of_judge = bytes / 8 * OTHERS_EIGHTHS;
}

uint32_t rstcause_tracker_forgot_in(const rstcause_tracker *tracker)
{
    return tracker->forgot_in;
}

static void forget_connection(void *data, const connection_record *record)
{
    judge_forget_connection(data, record);
}

static void forget_host(void *data, const host *left)
{
    judge_forget_host(data, left);
}

static bool has_room(rstcause_tracker *tracker)
{
    return connections_have_room(tracker->connections) && judge_weigh(tracker->judge) <= tracker->most_of_judge;
}

/* So that each segment finds the memory that it may need. */
static void make_room(rstcause_tracker *tracker, uint32_t frame)
{
    const forgetting told = {forget_connection, forget_host, tracker->judge};

    if (G_LIKELY(has_room(tracker)))
        return;
    if (tracker->forgot_in == 0)
        tracker->forgot_in = frame;
    while (!has_room(tracker) && connections_forget_idle(tracker->connections, &told))
        ;
}

/* What was said of resets may change with what their sender, or its peer, sends later. */
static void look_at_resets_again(rstcause_tracker *tracker, connection_record *record, uint8_t side,
                                 const rstcause_segment *segment)
{
    connection unfolded;
    recent_room room[2];

    connection_unfold(tracker->connections->pool, record, &unfolded, room);
    judge_later_segment(tracker->judge, &unfolded, side, segment);
    connection_fold_resets(tracker->connections->pool, record, &unfolded);
}

/* Does another place hold this reset, which was not met here yet? Of several equal ones the first; its number. */
static bool find_at_other_vantages(rstcause_tracker *tracker, const connection_record *record, uint8_t side,
                                   const rstcause_segment *reset, uint32_t *number)
{
    for (connection_record *other = vantages_next(tracker->connections->vantages, record);
         other != NULL && other != record; other = vantages_next(tracker->connections->vantages, other)) {
        bool ignores_ip_id = vantages_rewrite_ids(tracker->connections->vantages, record, other);
        const recent_segment *same = NULL;
        connection unfolded;
        recent_room room[2];

        connection_unfold(tracker->connections->pool, other, &unfolded, room);
        while ((same = recent_find_same(&unfolded.ends[side].recent, reset, ignores_ip_id, vantages_clocks_apart,
                                        same)) != NULL) {
            *number = same->reset_number;
            if (!judge_has_seen_at(tracker->judge, *number, record->pair.vantage))
                return true;
        }
    }
    return false;
}

static void judge_and_follow(rstcause_tracker *tracker, connection_record *record, uint8_t side,
                             const rstcause_segment *reset)
{
    connection unfolded;
    recent_room room[2];
    rstcause_stated stated;
    uint32_t number;

    rstcause_stated_read(&stated, reset, tracker->magic);
    connection_unfold(tracker->connections->pool, record, &unfolded, room);
    if (find_at_other_vantages(tracker, record, side, reset, &number))
        number = judge_reset_again(tracker->judge, &unfolded, side, reset, &stated, number);
    else
        number = judge_reset(tracker->judge, &unfolded, side, reset, &stated);
    connection_fold_resets(tracker->connections->pool, record, &unfolded);
    connection_follow_reset(tracker->connections->pool, record, side, reset, number);
}

static void note_reset(void *data, const reset_case *one)
{
    neighbours_note_reset(data, one);
}

static void follow(rstcause_tracker *tracker, connection_record *record, uint8_t side, const rstcause_segment *segment)
{
    connection_outline outline;

    if (!connection_follow(tracker->connections->pool, record, side, segment))
        return;
    outline = connection_outline_of(tracker->connections->pool, record);
    neighbours_note_silence(tracker->neighbours, &outline,
                            connection_longest_silence(tracker->connections->pool, record), segment->frame);
}

bool rstcause_tracker_observe(rstcause_tracker *tracker, const rstcause_segment *segment)
{
    uint8_t side = connection_side(segment);
    bool is_reset = (segment->flags & RSTCAUSE_RST) != 0;
    connection_record *record;

    make_room(tracker, segment->frame);
    record = connections_find(tracker->connections, segment, side);
    connections_release_resting(tracker->connections, segment->time);
    connections_release_rested(tracker->connections, record, segment->time);
    if (is_reset) {
        const reset_case *one;

        judge_and_follow(tracker, record, side, segment);
        one = judge_find(tracker->judge, segment->frame, segment->layer);
        if (one->copied == NULL)
            neighbours_note_reset(tracker->neighbours, one);
    } else {
        if (connection_has_resets(record) && judge_awaits(tracker->judge, record, side, segment))
            look_at_resets_again(tracker, record, side, segment);
        if ((segment->flags & (RSTCAUSE_SYN | RSTCAUSE_ACK)) == (RSTCAUSE_SYN | RSTCAUSE_ACK))
            judge_accepted(tracker->judge, record_host(record, side), segment);
        follow(tracker, record, side, segment);
    }
    connections_note_activity(tracker->connections, record, segment);
    return is_reset;
}

/* For judge_compare_vantages(). */
static const connection_record *unfold_next_vantage(void *data, const connection_record *record, other_vantage *other)
{
    rstcause_tracker *tracker = data;
    connection_record *next = vantages_next(tracker->connections->vantages, record);

    if (next == NULL)
        return NULL;
    connection_unfold(tracker->connections->pool, next, &other->connection, other->room);
    vantages_find_latest(tracker->connections->vantages, next->pair.vantage, &other->latest_frame, &other->latest_time);
    return next;
}

static void note_refusal(void *data, const reset_case *one)
{
    neighbours_note_refusal(data, one);
}

static void note_connections(rstcause_tracker *tracker)
{
    GHashTableIter iter;
    gpointer record;

    g_hash_table_iter_init(&iter, tracker->connections->all);
    while (g_hash_table_iter_next(&iter, &record, NULL)) {
        const connection_outline outline = connection_outline_of(tracker->connections->pool, record);

        neighbours_note_connection(tracker->neighbours, &outline);
    }
}

static int compare_answers(gconstpointer a, gconstpointer b)
{
    const reset_answer *one = a, *other = b;

    if (one->trigger != other->trigger)
        return one->trigger < other->trigger ? -1 : 1;
    return (one->reset > other->reset) - (one->reset < other->reset);
}

void rstcause_tracker_finish(rstcause_tracker *tracker)
{
    if (vantages_are_several(tracker->connections->vantages))
        judge_compare_vantages(tracker->judge, unfold_next_vantage, tracker);
    /* What later segments changed of a verdict changes what its neighbours tell. */
    neighbours_forget_resets(tracker->neighbours);
    judge_visit(tracker->judge, note_reset, tracker->neighbours);
    judge_visit(tracker->judge, note_refusal, tracker->neighbours);
    if (neighbours_want_connections(tracker->neighbours))
        note_connections(tracker);
    if (judge_list_answers(tracker->judge, tracker->answers)) {
        g_array_sort(tracker->answers, compare_answers);
        tracker->latest_answer = 0;
    }
}

static uint32_t trigger_at(const rstcause_tracker *tracker, unsigned at)
{
    return g_array_index(tracker->answers, reset_answer, at).trigger;
}

/* Is this the first place whose trigger is this frame or a later one? */
static bool is_place_of(const rstcause_tracker *tracker, unsigned at, uint32_t frame)
{
    return (at == 0 || trigger_at(tracker, at - 1) < frame) &&
           (at == tracker->answers->len || trigger_at(tracker, at) >= frame);
}

static unsigned find_place_of(const rstcause_tracker *tracker, uint32_t frame)
{
    unsigned low = 0, high = tracker->answers->len;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;

        if (trigger_at(tracker, middle) < frame)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Frames are shown in their order for the most part: then the place is that of the frame before. */
static const reset_answer *find_answer(rstcause_tracker *tracker, uint32_t trigger)
{
    unsigned at = tracker->latest_answer;

    if (!is_place_of(tracker, at, trigger))
        at = tracker->latest_answer = find_place_of(tracker, trigger);
    if (at == tracker->answers->len || trigger_at(tracker, at) != trigger)
        return NULL;
    return &g_array_index(tracker->answers, reset_answer, at);
}

uint32_t rstcause_tracker_find_reset(rstcause_tracker *tracker, uint32_t trigger)
{
    const reset_answer *answer = find_answer(tracker, trigger);

    return answer != NULL ? answer->reset : 0;
}

const rstcause_verdict *rstcause_tracker_find_answer(rstcause_tracker *tracker, uint32_t trigger)
{
    const reset_answer *answer = find_answer(tracker, trigger);

    return answer != NULL ? rstcause_tracker_find(tracker, answer->reset, answer->layer) : NULL;
}

const rstcause_verdict *rstcause_tracker_find(rstcause_tracker *tracker, uint32_t frame, uint8_t layer)
{
    const reset_case *found = judge_find(tracker->judge, frame, layer);

    tell_free(tracker->told);
    tracker->told = found != NULL ? tell_verdict(found, tracker->neighbours) : NULL;
    return tracker->told;
}
