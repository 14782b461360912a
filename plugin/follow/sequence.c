/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sequence numbers, words, FIN and repeats of who sent a segment. See arrival.h. */
#include "arrival.h"
#include "stated/last_words.h"

/* Two repeats closer than this are a burst (loss recovery, reordering), not the retransmission timer. */
static const int64_t shortest_timer = 100 * MILLISECOND;

/* What is written at one go comes closer together, whatever the path. */
static const int64_t between_bursts = 200 * MILLISECOND;

/* A SYN/ACK acknowledges the SYN of the other side; what it acknowledges needs a note where that is not seen. */
static void note_accepted(arrival *a)
{
    uint32_t accepted_at = a->segment->acknowledgement;
    bool is_of_syn = a->seen_of_other->syn_frame != 0 && accepted_at == a->seen_of_other->first + 1;
    exception_record *exception;

    if (is_of_syn && !record_read_exception(a->pool, a->self)->has_accepted_at)
        return;
    exception = record_open_exception(a->pool, a->self);
    exception->has_accepted_at = true;
    exception->accepted_at = accepted_at;
}

static void count_syn(arrival *a, bool is_first)
{
    exception_record *exception;

    if (is_first)
        return;
    exception = record_open_exception(a->pool, a->self);
    exception->syn_count = count_up_16(MAX(exception->syn_count, 1));
    exception->last_syn_time = arrival_pack(a, a->segment->time);
}

static void follow_syn(arrival *a)
{
    connection_record *record = a->record;
    endpoint_record *self = a->self;
    const rstcause_segment *segment = a->segment;
    bool is_first = self->syn_frame == 0;

    if (is_first || self->first != segment->sequence) {
        /* Numbers from before (an ACK of an older connection, a SYN/ACK of a stateless answer) are void. */
        self->has_next = false;
        self->has_acknowledged = false;
        self->syn_frame = segment->frame;
        self->syn_time = arrival_pack(a, segment->time);
        self->first = segment->sequence;
        self->syn_has_ack = (segment->flags & RSTCAUSE_ACK) != 0;
        self->stack = stack_of_syn(segment);
        self->syn_is_bare = segment->window_shift < 0 && !segment->sack_permitted && !segment->has_timestamps &&
                            self->stack == STACK_UNKNOWN;
        self->window_shift = segment->window_shift;
        if (segment->window_shift < 0 && segment->header_is_cut)
            self->window_shift = SHIFT_UNKNOWN;
        if (self->syn_has_ack)
            note_accepted(a);
        else
            host_count_probe(record_host(record, a->side), segment);
        if (!record->has_client) {
            record->has_client = true;
            record->client = self->syn_has_ack ? !a->side : a->side;
        }
    }
    count_syn(a, is_first);
}

static void follow_probe(arrival *a)
{
    exception_record *exception = record_open_exception(a->pool, a->self);

    if (exception->probes == 0) {
        exception->probe_first_frame = a->segment->frame;
        exception->probe_first_time = arrival_pack(a, a->segment->time);
    }
    exception->probes = count_up_16(exception->probes);
    exception->probe_last_frame = a->segment->frame;
    exception->probe_last_time = arrival_pack(a, a->segment->time);
}

static void count_repeat(repeat_run *run, const rstcause_segment *segment)
{
    int64_t gap = segment->time - run->last_time;

    if (gap < shortest_timer && run->repeats > 0)
        return;
    /* Timers double (RFC 6298 section 5.5) up to a ceiling; a tenth less is jitter. */
    if (run->repeats > 0 && gap < run->gap - run->gap / 10)
        run->uneven_gaps++;
    run->repeats = count_up_16(run->repeats);
    run->gap = gap;
    run->last_frame = segment->frame;
    run->last_time = segment->time;
}

/* The runs that a timer leaves: the same segment again and again, the lowest that is not acknowledged (RFC 6298 section
 * 5.4). What lies above it is repeated by the recovery of losses. */
static void follow_repeats(repeat_run *run, const arrival *a)
{
    const rstcause_segment *segment = a->segment;
    const endpoint_record *other = a->seen_of_other;
    bool is_lowest = !other->has_acknowledged || segment->sequence == other->acknowledged;
    bool begins = run->first_frame == 0 || segment->sequence != run->sequence;

    if (a->noted.is_repeat && !is_lowest)
        return;
    if (!begins) {
        count_repeat(run, segment);
    } else if (a->noted.is_repeat || run->first_frame == 0 ||
               (run->repeats == 0 && sequence_after(segment->sequence, run->sequence))) {
        /* New data behind a segment that is still being repeated begin none. */
        *run = (repeat_run){
            .sequence = segment->sequence,
            .first_frame = segment->frame,
            .last_frame = segment->frame,
            .first_time = segment->time,
            .last_time = segment->time,
            .repeats = a->noted.is_repeat && run->first_frame != 0,
        };
    }
}

/* How long no data had come from either side when this segment came. */
static packed_duration measure_quiet(const arrival *a)
{
    const connection_record *record = a->record;
    const endpoint_record *ends[2] = {a->self, a->seen_of_other};
    int64_t since = INT64_MIN;

    if (record->is_established)
        since = arrival_unpack(a, record_read_course(a->pool, record)->establish_time);
    for (unsigned i = 0; i < G_N_ELEMENTS(ends); i++) {
        if (ends[i]->last_data_frame != 0)
            since = MAX(since, arrival_unpack(a, ends[i]->last_data_time));
    }
    return since != INT64_MIN ? pack_duration(a->segment->time - since) : NO_DURATION;
}

static void follow_fin(arrival *a)
{
    course_record *course = record_open_course(a->pool, a->record);

    if ((a->record->has_fin_of & 1u << a->side) != 0)
        return;
    a->record->has_fin_of = (a->record->has_fin_of | 1u << a->side) & 3u;
    course->fin_frame[a->side] = a->segment->frame;
    course->fin_time[a->side] = arrival_pack(a, a->segment->time);
    course->fin_end[a->side] = a->noted.end;
    if (course->fin_frame[!a->side] == 0)
        course->fin_quiet = measure_quiet(a);
}

static void note_kind(arrival *a, const rstcause_first_bytes *said)
{
    endpoint_record *self = a->self;

    if (!a->record->has_spoken) {
        a->record->has_spoken = true;
        a->record->spoke_first = a->side & 1u;
    }
    if (self->last_data_frame == 0) {
        self->first_said = said->kind & 15u;
        self->first_is_foreign = said->is_foreign;
    }
    self->last_said = said->kind & 15u;
    if (said->kind == RSTCAUSE_HTTP_RESPONSE)
        self->http_status = said->code & 1023u;
}

/*
 * Who speaks on had not said goodbye. But an HTTP response may take many segments; it goes on until its receiver has
 * spoken.
 */
static void follow_words(arrival *a)
{
    const exception_record *known = record_read_exception(a->pool, a->self);
    const rstcause_first_bytes *said = &a->segment->said;
    bool goes_on = known->last_words.kind == RSTCAUSE_HTTP_RESPONSE && said->kind == RSTCAUSE_BYTES_UNKNOWN &&
                   a->seen_of_other->last_data_frame < known->last_words_frame;
    exception_record *exception;

    if (a->segment->length == 0)
        return;
    note_kind(a, said);
    if (known->last_words.kind == RSTCAUSE_BYTES_UNKNOWN && !last_words_are(said))
        return;
    exception = record_open_exception(a->pool, a->self);
    if (!goes_on)
        exception->last_words = last_words_are(said) ? *said : (rstcause_first_bytes){0};
    exception->last_words_frame = a->segment->frame;
}

/* Who spoke, and how much at a stretch: 'length' new bytes. */
static void follow_turn(arrival *a, uint32_t length)
{
    endpoint_record *self = a->self;

    if (length == 0)
        return;
    if (self->last_data_frame == 0 || a->seen_of_other->last_data_frame > self->last_data_frame) {
        self->turns = MIN(self->turns + 1u, MOST_TURNS) & 7u;
        self->turn_bytes = 0;
        self->turn_bursts = 0;
        self->turn_asks_http = a->segment->said.kind == RSTCAUSE_HTTP_REQUEST;
    }
    if (self->turn_bursts == 0 || a->segment->time - arrival_unpack(a, self->last_data_time) >= between_bursts)
        self->turn_bursts = MIN(self->turn_bursts + 1u, MOST_TURNS) & 7u;
    self->turn_bytes = (uint16_t)MIN(self->turn_bytes + length, UINT16_MAX);
}

static void follow_own_sequence(arrival *a)
{
    endpoint_record *self = a->self;
    const rstcause_segment *segment = a->segment;
    int32_t ahead = self->has_next ? sequence_difference(a->noted.end, self->next) : 0;

    if (!self->has_next) {
        self->has_next = true;
        self->first = segment->sequence;
        self->next = a->noted.end;
        self->bytes = segment->length;
        follow_words(a);
        follow_turn(a, segment->length);
    } else if (ahead > OTHER_CONNECTION_GAP) {
        return; /* forged, damaged, or of another connection: not this one's number */
    } else if (ahead > 0) {
        follow_words(a);
        follow_turn(a, MIN(segment->length, (uint32_t)ahead));
        self->bytes = add_up_32(self->bytes, MIN(segment->length, (uint32_t)ahead));
        a->noted.is_repeat = sequence_before(segment->sequence, self->next);
        self->next = a->noted.end;
    } else if (a->span > 0) {
        a->noted.is_repeat = true;
    }
    if (segment->length > 0 && !a->noted.is_keepalive) {
        self->last_data_frame = segment->frame;
        self->last_data_time = arrival_pack(a, segment->time);
        self->last_data_length = segment->length;
    }
    if ((segment->flags & RSTCAUSE_FIN) != 0)
        follow_fin(a);
    /* One sample at a time, and none of a repeat (Karn's algorithm, RFC 6298 section 3). */
    if (a->noted.is_repeat)
        self->is_timed = false;
    else if (a->span > 0 && !self->is_timed) {
        self->is_timed = true;
        self->timed_end = a->noted.end;
        self->timed_at = arrival_pack(a, segment->time);
    }
}

/* New data in order, while nothing was being repeated: the record has all that the run of repeats which it may begin
 * needs to know. */
static bool is_next_data(const arrival *a)
{
    const endpoint_record *self = a->self;

    return a->segment->length > 0 && (a->segment->flags & (RSTCAUSE_SYN | RSTCAUSE_FIN)) == 0 && self->has_next &&
           a->segment->sequence == self->next && a->span <= OTHER_CONNECTION_GAP &&
           (self->run_origin == RUN_NONE || self->run_origin == RUN_FROM_DATA);
}

/* The sequence numbers, and the run of repeats, of whose beginning they know. */
void arrival_follow_sequence(arrival *a)
{
    repeat_run run = {0};
    bool may_repeat = a->span > 0 && !a->noted.is_keepalive;
    bool has_run = may_repeat || a->self->run_origin != RUN_NONE;

    if (is_next_data(a)) {
        follow_own_sequence(a);
        a->self->run_origin = RUN_FROM_DATA;
        return;
    }

    if (has_run)
        run = record_read_run(a->pool, a->record, a->side);
    if ((a->segment->flags & RSTCAUSE_SYN) != 0)
        follow_syn(a);
    follow_own_sequence(a);
    if (a->noted.is_keepalive)
        follow_probe(a);
    if (may_repeat)
        follow_repeats(&run, a);
    if (has_run)
        record_keep_run(a->pool, a->record, a->side, &run);
}
