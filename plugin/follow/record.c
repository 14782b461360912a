/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps connections packed and unfolds them; see record.h. Follows nothing. */
#include "record.h"

#include <string.h>

#include "units.h"

/* The width of endpoint_record's field. */
G_STATIC_ASSERT(STACKS <= 1 << 4);
G_STATIC_ASSERT(RSTCAUSE_LEAVE < 1 << 4); /* the last of the kinds of first bytes */

connection_record *connection_new(record_pool *pool, host *const hosts[2], const uint16_t ports[2], uint32_t vantage)
{
    connection_record *record = pool_at(pool, pool_take(pool, sizeof(connection_record)));

    for (unsigned side = 0; side < 2; side++) {
        record->pair.addresses[side] = &hosts[side]->address;
        record->pair.ports[side] = ports[side];
    }
    record->pair.vantage = vantage;
    return record;
}

const endpoint_record *record_read_end(const record_pool *pool, const connection_record *record, uint8_t side)
{
    static const endpoint_record silent = {.answer_delay = NO_DURATION, .window_shift = -1};

    return record->ends[side] != 0 ? pool_at(pool, record->ends[side]) : &silent;
}

const course_record *record_read_course(const record_pool *pool, const connection_record *record)
{
    static const course_record none;

    return record->course != 0 ? pool_at(pool, record->course) : &none;
}

const exception_record *record_read_exception(const record_pool *pool, const endpoint_record *end)
{
    static const exception_record none;

    return end->exception != 0 ? pool_at(pool, end->exception) : &none;
}

const history_record *record_read_history(const record_pool *pool, const connection_record *record)
{
    static const history_record none;

    return record->history != 0 ? pool_at(pool, record->history) : &none;
}

const resets_record *record_read_resets(const record_pool *pool, const connection_record *record)
{
    place resets = record_read_history(pool, record)->resets;

    return resets != 0 ? pool_at(pool, resets) : NULL;
}

static void *open_record(record_pool *pool, place *where, size_t size)
{
    if (*where == 0)
        *where = pool_take(pool, size);
    return pool_at(pool, *where);
}

endpoint_record *record_open_end(record_pool *pool, connection_record *record, uint8_t side)
{
    if (record->ends[side] == 0) {
        const endpoint_record *silent = record_read_end(pool, record, side);

        *(endpoint_record *)open_record(pool, &record->ends[side], sizeof(endpoint_record)) = *silent;
    }
    return pool_at(pool, record->ends[side]);
}

course_record *record_open_course(record_pool *pool, connection_record *record)
{
    return open_record(pool, &record->course, sizeof(course_record));
}

exception_record *record_open_exception(record_pool *pool, endpoint_record *end)
{
    return open_record(pool, &end->exception, sizeof(exception_record));
}

history_record *record_open_history(record_pool *pool, connection_record *record)
{
    return open_record(pool, &record->history, sizeof(history_record));
}

resets_record *record_open_resets(record_pool *pool, connection_record *record)
{
    return open_record(pool, &record_open_history(pool, record)->resets, sizeof(resets_record));
}

void connection_free(record_pool *pool, connection_record *record)
{
    const history_record *history = record_read_history(pool, record);

    pool_give_back(pool, history->past, sizeof(past_connection));
    pool_give_back(pool, history->resets, sizeof(resets_record));
    pool_give_back(pool, record->history, sizeof *history);
    pool_give_back(pool, record->course, sizeof(course_record));
    for (uint8_t side = 0; side < 2; side++) {
        pool_give_back(pool, record_read_end(pool, record, side)->exception, sizeof(exception_record));
        pool_give_back(pool, record->ends[side], sizeof(endpoint_record));
        recent_clear(pool, &record->recent[side]);
    }
    pool_give_back(pool, pool_place_of(pool, record), sizeof *record);
}

uint32_t connection_latest_frame(const record_pool *pool, const connection_record *record)
{
    const resets_record *resets = record_read_resets(pool, record);
    uint32_t latest = 0;

    for (uint8_t side = 0; side < 2; side++) {
        latest = MAX(latest, record_read_end(pool, record, side)->last_frame);
        if (resets != NULL)
            latest = MAX(latest, resets->resets[side].frame);
    }
    return latest;
}

void record_begin_anew(record_pool *pool, connection_record *record, const past_connection *past)
{
    history_record *history = record_open_history(pool, record);

    if (history->past == 0)
        history->past = pool_take(pool, sizeof *past);
    *(past_connection *)pool_at(pool, history->past) = *past;
    pool_give_back(pool, history->resets, sizeof(resets_record));
    history->resets = 0;
    pool_give_back(pool, record->course, sizeof(course_record));
    record->course = 0;
    for (uint8_t side = 0; side < 2; side++) {
        endpoint_record *end;

        recent_clear(pool, &record->recent[side]);
        if (record->ends[side] == 0)
            continue;
        end = pool_at(pool, record->ends[side]);
        pool_give_back(pool, end->exception, sizeof(exception_record));
        /* The path is the same: its delay serves the new connection until it is measured there. */
        *end = (endpoint_record){
            .answer_delay = end->answer_delay, .path_is_timed = end->path_is_timed, .window_shift = -1};
    }
    record->is_begun = record->has_client = record->client = record->last_side = 0;
    record->is_established = record->is_incomplete = record->is_closed = record->is_reset = record->has_resets = 0;
    record->has_fin_of = 0;
    record->has_spoken = record->spoke_first = 0;
    record->tested_silence = 0;
}

static repeat_run run_in_record(const record_pool *pool, const endpoint_record *end, int64_t since)
{
    const exception_record *exception = record_read_exception(pool, end);

    return (repeat_run){
        .sequence = exception->repeat_sequence,
        .first_frame = exception->repeat_first_frame,
        .last_frame = exception->repeat_last_frame,
        .first_time = unpack_time(exception->repeat_first_time, since),
        .last_time = unpack_time(exception->repeat_last_time, since),
        .gap = exception->repeat_gap,
        .repeats = exception->repeats,
        .uneven_gaps = exception->repeats_uneven,
    };
}

static repeat_run begin_run(uint32_t sequence, uint32_t frame, packed_time time, int64_t since)
{
    return (repeat_run){
        .sequence = sequence,
        .first_frame = frame,
        .last_frame = frame,
        .first_time = unpack_time(time, since),
        .last_time = unpack_time(time, since),
    };
}

/* The last data began behind what was sent before, with a FIN or without. */
static uint32_t sequence_of_last_data(const record_pool *pool, const connection_record *record, uint8_t side)
{
    const endpoint_record *end = record_read_end(pool, record, side);
    bool has_fin = (record->has_fin_of & 1u << side) != 0 &&
                   record_read_course(pool, record)->fin_frame[side] == end->last_data_frame;

    return end->next - end->last_data_length - has_fin;
}

/* What the record says of the segment with which a run began. */
static repeat_run run_from(const record_pool *pool, const connection_record *record, uint8_t side, run_origin origin)
{
    const endpoint_record *end = record_read_end(pool, record, side);
    const course_record *course;

    switch (origin) {
    case RUN_FROM_DATA:
        return begin_run(sequence_of_last_data(pool, record, side), end->last_data_frame, end->last_data_time,
                         record->first_time);
    case RUN_FROM_SYN:
        return begin_run(end->first, end->syn_frame, end->syn_time, record->first_time);
    case RUN_FROM_FIN:
        course = record_read_course(pool, record);
        return begin_run(course->fin_end[side] - 1, course->fin_frame[side], course->fin_time[side],
                         record->first_time);
    case RUN_IN_RECORD:
        return run_in_record(pool, end, record->first_time);
    default:
        return (repeat_run){0};
    }
}

repeat_run record_read_run(const record_pool *pool, const connection_record *record, uint8_t side)
{
    return run_from(pool, record, side, (run_origin)record_read_end(pool, record, side)->run_origin);
}

uint32_t record_run_sequence(const record_pool *pool, const connection_record *record, uint8_t side)
{
    if (record_read_end(pool, record, side)->run_origin == RUN_FROM_DATA)
        return sequence_of_last_data(pool, record, side);
    return record_read_run(pool, record, side).sequence;
}

void record_keep_run(record_pool *pool, connection_record *record, uint8_t side, const repeat_run *run)
{
    endpoint_record *end = record_open_end(pool, record, side);
    exception_record *exception;
    int64_t since = record->first_time;

    end->run_origin = RUN_NONE;
    if (run->first_frame == 0)
        return;
    for (run_origin origin = RUN_FROM_DATA; run->repeats == 0 && origin <= RUN_FROM_FIN; origin++) {
        repeat_run known = run_from(pool, record, side, origin);

        if (known.first_frame == run->first_frame && known.sequence == run->sequence) {
            end->run_origin = origin;
            return;
        }
    }
    end->run_origin = RUN_IN_RECORD;
    exception = record_open_exception(pool, end);
    exception->repeat_sequence = run->sequence;
    exception->repeat_first_frame = run->first_frame;
    exception->repeat_last_frame = run->last_frame;
    exception->repeat_first_time = pack_time(run->first_time, since);
    exception->repeat_last_time = pack_time(run->last_time, since);
    exception->repeat_gap = run->gap;
    exception->repeats = run->repeats;
    exception->repeats_uneven = run->uneven_gaps;
}

host *record_host(const connection_record *record, uint8_t side)
{
    return (host *)record->pair.addresses[side];
}

static void unfold_exception(endpoint *to, const record_pool *pool, const endpoint_record *end, int64_t since)
{
    const exception_record *exception = record_read_exception(pool, end);

    to->last_syn_time = to->syn_time;
    to->syn_count = end->syn_frame != 0;
    if (exception->syn_count > 0) {
        to->last_syn_time = unpack_time(exception->last_syn_time, since);
        to->syn_count = exception->syn_count;
    }
    to->timestamp_time = !end->has_timestamps      ? 0
                         : end->last_has_timestamp ? to->last_time
                                                   : unpack_time(exception->timestamp_time, since);
    to->probes = exception->probes;
    if (exception->probe_first_frame != 0) {
        to->probe_first_frame = exception->probe_first_frame;
        to->probe_last_frame = exception->probe_last_frame;
        to->probe_first_time = unpack_time(exception->probe_first_time, since);
        to->probe_last_time = unpack_time(exception->probe_last_time, since);
    }
    to->fastclose_frame = exception->fastclose_frame;
    to->last_words_frame = exception->last_words_frame;
    to->last_words = exception->last_words;
}

/* A tail loss probe comes early, and a capture may lack a repeat. */
static const uint16_t enough_for_a_timer = 4;

static void unfold_run(endpoint *to, const repeat_run *run)
{
    to->repeat_sequence = run->sequence;
    to->repeats = run->repeats;
    to->repeat_first_frame = run->first_frame;
    to->repeat_last_frame = run->last_frame;
    to->repeat_first_time = run->first_time;
    to->repeat_last_time = run->last_time;
    to->repeat_gap = run->gap;
    to->repeats_back_off = run->uneven_gaps == 0 || (run->uneven_gaps == 1 && run->repeats >= enough_for_a_timer);
}

static bool closed_first(const course_record *course, uint8_t side)
{
    uint32_t own = course->fin_frame[side], other = course->fin_frame[!side];

    return own != 0 && (other == 0 || own < other);
}

static void unfold_end(endpoint *to, const record_pool *pool, const connection_record *record, uint8_t side)
{
    const endpoint_record *end = record_read_end(pool, record, side), *other = record_read_end(pool, record, !side);
    const exception_record *exception = record_read_exception(pool, end);
    const course_record *course = record_read_course(pool, record);
    const int64_t since = record->first_time;
    const repeat_run run = record_read_run(pool, record, side);

    *to = (endpoint){
        .host = record_host(record, side),
        .stack = (host_stack)end->stack,
        .frames = end->frames,
        .last_frame = end->last_frame,
        .last_time = end->frames != 0 ? unpack_time(end->last_time, since) : 0,
        .syn_frame = end->syn_frame,
        .syn_time = end->syn_frame != 0 ? unpack_time(end->syn_time, since) : 0,
        .isn = end->syn_frame != 0 ? end->first : 0,
        .syn_has_ack = end->syn_has_ack,
        .accepted_at = exception->has_accepted_at ? exception->accepted_at : other->first + 1,
        .syn_is_bare = end->syn_is_bare,
        .has_next = end->has_next,
        .next = end->next,
        .first = end->first,
        .bytes = end->bytes,
        .last_data_frame = end->last_data_frame,
        .last_data_time = end->last_data_frame != 0 ? unpack_time(end->last_data_time, since) : 0,
        .last_data_length = end->last_data_length,
        .has_acknowledged = end->has_acknowledged,
        .acknowledged = end->acknowledged,
        .window = end->window,
        .window_shift = end->window_shift,
        .answer_delay = unpack_duration(end->answer_delay),
        .path_is_timed = end->path_is_timed,
        .fin_frame = course->fin_frame[side],
        .fin_time = course->fin_frame[side] != 0 ? unpack_time(course->fin_time[side], since) : 0,
        .fin_quiet = course->fin_frame[side] == 0 ? 0
                     : closed_first(course, side) ? unpack_duration(course->fin_quiet)
                                                  : -1,
        .fin_end = course->fin_end[side],
        .ttl = end->ttl,
        .ttl_low = end->ttl_low,
        .ttl_high = end->ttl_high,
        .df_set = end->df_set,
        .df_clear = end->df_clear,
        .flow_label = end->flow_label,
        .first_said = end->first_said,
        .turn_asks_http = end->turn_asks_http,
        .first_is_foreign = end->first_is_foreign,
        .turn_bytes = end->turn_bytes,
        .turn_bursts = end->turn_bursts,
        .turns = end->turns,
        .last_said = end->last_said,
        .http_status = end->http_status,
        .window_high = end->window_high,
        .last_counted_ip_id = end->last_counted_ip_id,
        .ip_ids = (uint32_t)end->ip_ids + end->ip_ids_zero,
        .ip_ids_zero = end->ip_ids_zero,
        .ip_ids_rising = end->ip_ids > 0 ? end->ip_ids - 1u - end->ip_ids_apart : 0,
        .has_timestamps = end->has_timestamps,
        .timestamp_value = end->timestamp_value,
    };
    unfold_run(to, &run);
    unfold_exception(to, pool, end, since);
}

static void unfold_resets(connection *to, const resets_record *resets)
{
    memcpy(to->resets, resets->resets, sizeof to->resets);
    to->reset_frame = resets->reset_frame;
    to->reset_time = resets->reset_time;
    to->reset_side = resets->reset_side;
    to->reset_is_own = resets->reset_is_own;
    to->reset_is_challenged = resets->reset_is_challenged;
}

int64_t connection_last_time(const record_pool *pool, const connection_record *record)
{
    const endpoint_record *end = record_read_end(pool, record, record->last_side);

    return end->frames != 0 ? unpack_time(end->last_time, record->first_time) : 0;
}

connection_outline connection_outline_of(const record_pool *pool, const connection_record *record)
{
    const port_pair *pair = &record->pair;
    uint8_t client = record->has_client ? record->client : pair->ports[0] < pair->ports[1];
    const endpoint_record *server = record_read_end(pool, record, !client);

    return (connection_outline){
        .server = pair->addresses[!client],
        .client = pair->addresses[client],
        .server_port = pair->ports[!client],
        .accepted_time =
            server->syn_frame != 0 && server->syn_has_ack ? unpack_time(server->syn_time, record->first_time) : 0,
        .last_time = connection_last_time(pool, record),
        .server_bytes = server->bytes,
        .server_first_said = server->first_said,
        .client_first_said = record_read_end(pool, record, client)->first_said,
        .is_established = record->is_established,
        .has_resets = record->has_resets,
    };
}

int64_t connection_longest_silence(const record_pool *pool, const connection_record *record)
{
    return unpack_duration(record_read_course(pool, record)->longest_silence);
}

void connection_unfold(record_pool *pool, connection_record *record, connection *to, recent_room room[2])
{
    const course_record *course = record_read_course(pool, record);
    const history_record *history = record_read_history(pool, record);
    const resets_record *resets = record_read_resets(pool, record);

    *to = (connection){
        .record = record,
        .vantage = record->pair.vantage,
        .client = (int8_t)(record->has_client ? record->client : -1),
        .spoke_first = (int8_t)(record->has_spoken ? record->spoke_first : -1),
        .last_frame = record_read_end(pool, record, record->last_side)->last_frame,
        .last_time = connection_last_time(pool, record),
        .is_established = record->is_established,
        .establish_frame = course->establish_frame,
        .establish_time = course->establish_frame != 0 ? unpack_time(course->establish_time, record->first_time) : 0,
        .closed_frame = course->closed_frame,
        .closed_time = course->closed_frame != 0 ? unpack_time(course->closed_time, record->first_time) : 0,
        .is_incomplete = record->is_incomplete,
        .copies = history->copies,
    };
    for (uint8_t side = 0; side < 2; side++) {
        unfold_end(&to->ends[side], pool, record, side);
        to->ends[side].recent = recent_unfold(pool, record->recent[side], record->first_time, &room[side]);
    }
    if (resets != NULL)
        unfold_resets(to, resets);
    if (history->past != 0)
        to->past = *(const past_connection *)pool_at(pool, history->past);
}

void connection_fold_resets(record_pool *pool, connection_record *record, const connection *from)
{
    resets_record *resets = record_open_resets(pool, record);

    memcpy(resets->resets, from->resets, sizeof resets->resets);
    resets->reset_frame = from->reset_frame;
    resets->reset_time = from->reset_time;
    resets->reset_side = from->reset_side;
    resets->reset_is_own = from->reset_is_own;
    resets->reset_is_challenged = from->reset_is_challenged;
    record->has_resets = true;
    record->is_reset = from->reset_frame != 0;
}
