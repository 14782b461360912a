/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Follows the segments of one connection. Knows no cause; see connection.h. */
#include "connection.h"

#include <string.h>

#include "record.h"
#include "stated/last_words.h"
#include "units.h"

/* A gap in sequence numbers that no window can explain (RFC 7323: 2^30 at most; in practice 16 MiB) marks another connection. */
static const uint32_t other_connection_gap = 1 << 24;

/* An ACK may wait for the application's answer or the timer of delayed ACKs; of so many the shortest did not. */
static const uint16_t often_timed = 4;

/* Two repeats closer than this are a burst (loss recovery, reordering), not the retransmission timer. */
static const int64_t shortest_timer = 100 * MILLISECOND;

bool endpoint_reopens(const endpoint *e)
{
    return !e->syn_has_ack && e->syn_count > 1 && e->frames > e->syn_count && e->last_syn_time == e->last_time;
}

bool connection_is_over(const connection_record *record)
{
    return record->is_closed || record->is_reset;
}

bool connection_has_resets(const connection_record *record)
{
    return record->has_resets;
}

uint8_t connection_side(const rstcause_segment *segment)
{
    int order = memcmp(&segment->source, &segment->destination, sizeof segment->source);

    if (order == 0)
        order = (int)segment->source_port - (int)segment->destination_port;
    return order > 0 ? 1 : 0;
}

uint8_t connection_client(const connection *c, const rstcause_segment *segment, uint8_t side)
{
    if (c->client >= 0)
        return (uint8_t)c->client;
    /* Servers listen on the lower port, but for the odd one: the well-known and registered ranges lie below the
     * ephemeral one (RFC 6335). */
    return segment->source_port < segment->destination_port ? !side : side;
}

/* One segment on its way into the record, and what is found out of it there. */
typedef struct {
    record_pool *pool;
    connection_record *record;
    uint8_t side;
    const rstcause_segment *segment;
    uint32_t span;
    recent_segment noted;   /* what the window is to keep of it */
    endpoint_record *self;  /* who sent it */
    endpoint_record *other; /* NULL where that has not spoken */
    const endpoint_record *seen_of_other;
} arrival;

static packed_time pack(const arrival *a, int64_t time)
{
    return pack_time(time, a->record->first_time);
}

static int64_t unpack(const arrival *a, packed_time time)
{
    return unpack_time(time, a->record->first_time);
}

/* What a judge may ask of the connection when the port pair is used again. */
static past_connection look_back(const record_pool *pool, const connection_record *record)
{
    const course_record *course = record_read_course(pool, record);
    const history_record *history = record_read_history(pool, record);
    const resets_record *resets = record_read_resets(pool, record);
    past_connection past = {
        .end = PAST_OPEN,
        .frame = record_read_end(pool, record, record->last_side)->last_frame,
        .time = connection_last_time(pool, record),
    };

    if (record->is_closed) {
        past.end = PAST_CLOSED;
        past.frame = course->closed_frame;
        past.time = unpack_time(course->closed_time, record->first_time);
    } else if (!record->is_established) {
        /* An attempt that came to nothing: what was before it still stands. */
        if (history->past != 0)
            return *(const past_connection *)pool_at(pool, history->past);
        past.end = PAST_REFUSED;
        return past;
    } else if (record->is_reset && resets != NULL) {
        past.end = PAST_RESET;
        past.frame = resets->reset_frame;
        past.time = resets->reset_time;
    }
    past.closed_first = course->fin_frame[1] < course->fin_frame[0] ? 1 : 0;
    for (uint8_t side = 0; side < 2; side++) {
        past.next[side] = record_read_end(pool, record, side)->next;
        past.has_next[side] = record_read_end(pool, record, side)->has_next;
    }
    return past;
}

/* Does this segment belong to a connection after the one that the record holds? */
static bool begins_anew(const arrival *a)
{
    const connection_record *record = a->record;
    const endpoint_record *self = a->self, *other = a->seen_of_other;
    const rstcause_segment *segment = a->segment;

    if (!record->is_begun)
        return false;
    if ((segment->flags & RSTCAUSE_SYN) != 0) {
        /* A repeat of the SYN that this record began with belongs to it, unless that attempt was reset: Windows
         * tries a refused port again with the same SYN. */
        if (self->syn_frame != 0 && self->first == segment->sequence)
            return record->is_reset && (segment->flags & RSTCAUSE_ACK) == 0 &&
                   record_read_resets(a->pool, record)->reset_side != a->side;
        if ((segment->flags & RSTCAUSE_ACK) == 0) {
            bool is_simultaneous =
                self->frames == 0 && other->syn_frame != 0 && !other->syn_has_ack && !record->is_established;

            return (self->frames > 0 || other->frames > 0) && !is_simultaneous;
        }
        return self->has_next && connection_is_over(record) && self->frames > 0;
    }
    /* No handshake seen, but the one before is over and the numbers are far from it. */
    return connection_is_over(record) && self->has_next && segment->length > 0 &&
           sequence_distance(segment->sequence, self->next) > other_connection_gap;
}

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
    exception->syn_count = (uint16_t)MAX(exception->syn_count + 1, 2);
    exception->last_syn_time = pack(a, a->segment->time);
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
        self->syn_time = pack(a, segment->time);
        self->first = segment->sequence;
        self->syn_has_ack = (segment->flags & RSTCAUSE_ACK) != 0;
        self->stack = stack_of_syn(segment);
        self->syn_is_bare = segment->window_shift < 0 && !segment->sack_permitted && !segment->has_timestamps &&
                            self->stack == STACK_UNKNOWN;
        self->window_shift = segment->window_shift;
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

    if (exception->probes++ == 0) {
        exception->probe_first_frame = a->segment->frame;
        exception->probe_first_time = pack(a, a->segment->time);
    }
    exception->probe_last_frame = a->segment->frame;
    exception->probe_last_time = pack(a, a->segment->time);
}

static void count_repeat(repeat_run *run, const rstcause_segment *segment)
{
    int64_t gap = segment->time - run->last_time;

    if (gap < shortest_timer && run->repeats > 0)
        return;
    /* Timers double (RFC 6298 section 5.5) up to a ceiling; a tenth less is jitter. */
    if (run->repeats > 0 && gap < run->gap - run->gap / 10)
        run->uneven_gaps++;
    run->repeats++;
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
        since = unpack(a, record_read_course(a->pool, record)->establish_time);
    for (unsigned i = 0; i < G_N_ELEMENTS(ends); i++) {
        if (ends[i]->last_data_frame != 0)
            since = MAX(since, unpack(a, ends[i]->last_data_time));
    }
    return since != INT64_MIN ? pack_duration(a->segment->time - since) : NO_DURATION;
}

static void follow_fin(arrival *a)
{
    course_record *course = record_open_course(a->pool, a->record);

    if ((a->record->has_fin_of & 1u << a->side) != 0)
        return;
    a->record->has_fin_of |= 1u << a->side;
    course->fin_frame[a->side] = a->segment->frame;
    course->fin_time[a->side] = pack(a, a->segment->time);
    course->fin_end[a->side] = a->noted.end;
    if (course->fin_frame[!a->side] == 0)
        course->fin_quiet = measure_quiet(a);
}

static void note_kind(arrival *a, const rstcause_first_bytes *said)
{
    endpoint_record *self = a->self;

    if (!a->record->has_spoken) {
        a->record->has_spoken = true;
        a->record->spoke_first = a->side & 1;
    }
    if (self->last_data_frame == 0) {
        self->first_said = said->kind & 15;
        self->first_is_binary = said->is_binary;
    }
    self->last_said = said->kind & 15;
    if (said->kind == RSTCAUSE_HTTP_RESPONSE)
        self->http_status = said->code;
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
    } else if (ahead > (int32_t)other_connection_gap) {
        return; /* forged, damaged, or of another connection: not this one's number */
    } else if (ahead > 0) {
        follow_words(a);
        self->bytes = add_up_32(self->bytes, MIN(segment->length, (uint32_t)ahead));
        a->noted.is_repeat = sequence_before(segment->sequence, self->next);
        self->next = a->noted.end;
    } else if (a->span > 0) {
        a->noted.is_repeat = true;
    }
    if (segment->length > 0 && !a->noted.is_keepalive) {
        self->last_data_frame = segment->frame;
        self->last_data_time = pack(a, segment->time);
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
        self->timed_at = pack(a, segment->time);
    }
}

/* Data behind all that was sent, and nothing was repeated: the run that it begins is what the record has of it anyway. */
static bool is_next_data(const arrival *a)
{
    const endpoint_record *self = a->self;

    return a->segment->length > 0 && (a->segment->flags & (RSTCAUSE_SYN | RSTCAUSE_FIN)) == 0 && self->has_next &&
           a->segment->sequence == self->next && a->span <= other_connection_gap &&
           (self->run_origin == RUN_NONE || self->run_origin == RUN_FROM_DATA);
}

/* The sequence numbers, and the run of repeats, of whose beginning they know. */
static void follow_sequence(arrival *a)
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

static void follow_answer_delay(arrival *a)
{
    endpoint_record *self = a->self, *other = a->other;
    int64_t delay = a->segment->time - unpack(a, other->timed_at);

    other->is_timed = false;
    if (delay >= 0) {
        bool is_of_syn = other->syn_frame != 0 && other->timed_end == other->first + 1;

        if (self->answer_delay == NO_DURATION || delay < unpack_duration(self->answer_delay))
            self->answer_delay = pack_duration(delay);
        self->answers_timed += self->answers_timed < often_timed;
        self->path_is_timed |= is_of_syn || self->answers_timed == often_timed;
    }
}

/* An ACK may be of what the capture lacks, before it began or in between, but not from before the ISN. */
static bool is_believable(const endpoint_record *acknowledged, uint32_t number)
{
    if (sequence_after(number, acknowledged->next))
        return sequence_distance(number, acknowledged->next) <= other_connection_gap;
    if (!sequence_before(number, acknowledged->first))
        return true;
    return acknowledged->syn_frame == 0 && sequence_distance(number, acknowledged->first) <= other_connection_gap;
}

static void follow_acknowledgement(arrival *a)
{
    endpoint_record *self = a->self, *other = a->other;
    const rstcause_segment *segment = a->segment;
    const endpoint_record *seen = a->seen_of_other;

    if ((segment->flags & RSTCAUSE_ACK) == 0)
        return;
    /* Forged, damaged, or of another connection: no window explains it. */
    if (seen->has_next && !is_believable(seen, segment->acknowledgement))
        return;
    if (seen->has_next && sequence_after(segment->acknowledgement, seen->next))
        a->record->is_incomplete = true;
    if (!self->has_acknowledged || sequence_after(segment->acknowledgement, self->acknowledged)) {
        self->has_acknowledged = true;
        self->acknowledged = segment->acknowledgement;
        if (seen->run_origin != RUN_NONE &&
            sequence_after(segment->acknowledgement, record_run_sequence(a->pool, a->record, !a->side)))
            other->run_origin = RUN_NONE;
    }
    if (seen->is_timed && !sequence_before(segment->acknowledgement, seen->timed_end))
        follow_answer_delay(a);
    /* Any word of this side answers the other side's probes. */
    if (seen->exception != 0)
        record_open_exception(a->pool, other)->probes = 0;
}

static void follow_ip_id(endpoint_record *self, uint16_t ip_id)
{
    uint16_t step = (uint16_t)(ip_id - self->last_counted_ip_id);

    if (ip_id == 0) {
        self->ip_ids_zero = count_up_16(self->ip_ids_zero);
        return;
    }
    self->last_counted_ip_id = ip_id;
    if (self->ip_ids == UINT16_MAX)
        return;
    self->ip_ids_apart += self->ip_ids > 0 && (step < 1 || step > 64);
    self->ip_ids++;
}

static void follow_timestamp(arrival *a)
{
    endpoint_record *self = a->self;

    if (a->segment->has_timestamps) {
        self->has_timestamps = self->last_has_timestamp = true;
        self->timestamp_value = a->segment->timestamp_value;
    } else if (self->last_has_timestamp) {
        record_open_exception(a->pool, self)->timestamp_time = self->last_time;
        self->last_has_timestamp = false;
    }
}

static void follow_fingerprint(arrival *a)
{
    endpoint_record *self = a->self;
    const rstcause_segment *segment = a->segment;

    self->ttl = segment->ttl;
    if (self->frames == 0) {
        self->ttl_low = self->ttl_high = segment->ttl;
    } else {
        self->ttl_low = MIN(self->ttl_low, segment->ttl);
        self->ttl_high = MAX(self->ttl_high, segment->ttl);
    }
    self->flow_label_varies |= self->frames > 0 && segment->flow_label != self->flow_label;
    self->flow_label = segment->flow_label;
    if ((segment->flags & RSTCAUSE_SYN) == 0)
        self->window_high = MAX(self->window_high, segment->window);
    if (segment->has_ip_id) {
        self->df_set = count_up_8(self->df_set, segment->has_df && segment->dont_fragment);
        self->df_clear = count_up_8(self->df_clear, segment->has_df && !segment->dont_fragment);
        follow_ip_id(self, segment->ip_id);
    }
    follow_timestamp(a);
}

static bool is_keepalive(const arrival *a)
{
    const endpoint_record *self = a->self, *other = a->seen_of_other;
    const rstcause_segment *segment = a->segment;

    /* RFC 9293 section 3.8.4: one below snd.nxt, with no data or one byte, where all before was acknowledged. */
    return self->has_next && segment->length <= 1 && (segment->flags & (RSTCAUSE_SYN | RSTCAUSE_FIN)) == 0 &&
           (segment->flags & RSTCAUSE_ACK) != 0 && segment->sequence == self->next - 1 && other->has_acknowledged &&
           other->acknowledged == self->next;
}

static void follow_establishment(arrival *a)
{
    connection_record *record = a->record;
    const endpoint_record *self = a->self, *other = a->seen_of_other;
    const rstcause_segment *segment = a->segment;
    course_record *course;
    bool completes = other->syn_frame != 0 && other->syn_has_ack && (segment->flags & RSTCAUSE_SYN) == 0 &&
                     (segment->flags & RSTCAUSE_ACK) != 0 && sequence_after(segment->acknowledgement, other->first) &&
                     !sequence_after(segment->acknowledgement, other->next);
    bool is_midstream = !record->has_client && (segment->length > 0 || (segment->flags & RSTCAUSE_ACK) != 0);
    bool passed_unseen = record->has_client && segment->length > 0 && (segment->flags & RSTCAUSE_SYN) == 0 &&
                         (self->syn_frame == 0 || self->syn_has_ack || other->syn_frame == 0);

    if (completes || is_midstream || passed_unseen) {
        record->is_established = true;
        course = record_open_course(a->pool, record);
        course->establish_frame = segment->frame;
        course->establish_time = pack(a, segment->time);
    }
    if (completes && record->has_client)
        host_discount_probe(record_host(record, (uint8_t)record->client));
}

static void follow_close(arrival *a)
{
    const endpoint_record *self = a->self, *other = a->seen_of_other;
    course_record *course;

    if (a->record->has_fin_of != 3 || a->record->is_closed)
        return;
    course = record_open_course(a->pool, a->record);
    if (self->has_acknowledged && other->has_acknowledged &&
        !sequence_before(self->acknowledged, course->fin_end[!a->side]) &&
        !sequence_before(other->acknowledged, course->fin_end[a->side])) {
        a->record->is_closed = true;
        course->closed_frame = a->segment->frame;
        course->closed_time = pack(a, a->segment->time);
    }
}

/* Whose segments are looked at. */
typedef struct {
    const endpoint_record *peer; /* who gets them */
    int64_t peer_last_time;
} spent_test;

/*
 * Nobody can ask for the segment any more: a copy of it would have come, and its receiver showed that it took it in, so that
 * it answered with no reset. The same is asked of a trigger in judge/trigger.c, where the answer may be quicker.
 */
static bool is_spent(const recent_segment *segment, const void *data)
{
    const spent_test *test = data;
    const endpoint_record *peer = test->peer;
    bool has_span = segment->end != segment->sequence && !segment->is_keepalive;
    int64_t delay = unpack_duration(peer->answer_delay);

    if ((segment->flags & RSTCAUSE_RST) != 0)
        return true;
    /* That shows who waits in TIME-WAIT. */
    if (segment->was_old)
        return false;
    if (has_span && peer->has_acknowledged && sequence_after(segment->end, peer->acknowledged))
        return false;
    if (has_span && (segment->flags & RSTCAUSE_SYN) == 0)
        return peer->has_acknowledged;
    /* Nothing acknowledges it, but its receiver spoke after it must have had it. */
    return delay >= 0 && test->peer_last_time - segment->time > 2 * delay + MILLISECOND;
}

static void trim(record_pool *pool, connection_record *record, uint8_t side, int64_t now, bool is_final)
{
    const endpoint_record *peer = record_read_end(pool, record, !side);
    const spent_test test = {.peer = peer, .peer_last_time = unpack_time(peer->last_time, record->first_time)};

    recent_trim(pool, &record->recent[side], record->first_time, now - recent_copy_limit, is_spent, &test, is_final);
}

void connection_forget_recent(record_pool *pool, connection_record *record, int64_t now)
{
    for (uint8_t side = 0; side < 2; side++) {
        if (connection_is_over(record))
            recent_clear(pool, &record->recent[side]);
        else
            trim(pool, record, side, now, true);
    }
}

static void remember(record_pool *pool, connection_record *record, uint8_t side, const rstcause_segment *segment,
                     const recent_segment *noted)
{
    if (recent_is_full(pool, record->recent[side]))
        trim(pool, record, side, segment->time, false);
    recent_add(pool, &record->recent[side], record->first_time, segment, noted);
}

static void begin(connection_record *record, const rstcause_segment *segment)
{
    if (record->is_begun)
        return;
    record->is_begun = true;
    record->first_time = segment->time;
}

/* What the window is to keep of a segment besides what stands in it. */
static recent_segment note(const record_pool *pool, const connection_record *record, uint8_t side,
                           const rstcause_segment *segment)
{
    const endpoint_record *last = record_read_end(pool, record, record->last_side),
                          *other = record_read_end(pool, record, !side);
    uint32_t end = segment->sequence + rstcause_segment_span(segment);

    return (recent_segment){
        .end = end,
        .silence = last->frames != 0 ? segment->time - unpack_time(last->last_time, record->first_time) : 0,
        .was_old = other->has_acknowledged && end != segment->sequence && !sequence_after(end, other->acknowledged),
    };
}

/* Data or an ACK that nobody had seen before: no need to look for the packet that this one copies. */
static bool tells_news(const endpoint_record *self, const endpoint_record *other, const rstcause_segment *segment)
{
    int32_t ahead = sequence_difference(segment->sequence + rstcause_segment_span(segment), self->next);

    if ((segment->flags & RSTCAUSE_SYN) != 0)
        return false;
    return (self->has_next && ahead > 0 && ahead <= (int32_t)other_connection_gap) ||
           ((segment->flags & RSTCAUSE_ACK) != 0 && self->has_acknowledged && other->has_next &&
            sequence_after(segment->acknowledgement, self->acknowledged) &&
            !sequence_after(segment->acknowledgement, other->next));
}

/* The capture holds this packet already, and that is noted. */
static bool is_copy(record_pool *pool, connection_record *record, uint8_t side, const rstcause_segment *segment)
{
    recent_ring *ring = recent_ring_at(pool, record->recent[side]);
    int age = recent_find_copied(ring, record->first_time, segment, &record_read_history(pool, record)->copies);

    if (age == RECENT_NO_COPY)
        return false;
    recent_count_copy(ring, (unsigned)age, segment, &record_open_history(pool, record)->copies);
    return true;
}

static void look_at_ends(arrival *a)
{
    a->self = record_open_end(a->pool, a->record, a->side);
    a->other = a->record->ends[!a->side] != 0 ? pool_at(a->pool, a->record->ends[!a->side]) : NULL;
    a->seen_of_other = record_read_end(a->pool, a->record, !a->side);
}

/* Shorter ones are the pace of a conversation. */
static const int64_t shortest_silence = SECOND;

/* What is said after a silence shows that the connection lives on when the other side speaks, too. */
static bool follow_silence(arrival *a)
{
    const uint64_t most = (UINT64_C(1) << SILENCE_BITS) - 1;
    connection_record *record = a->record;
    packed_duration survived = 0;
    course_record *course;

    if (record->tested_silence != 0 && record->last_side != a->side) {
        survived = pack_duration((int64_t)record->tested_silence << SILENCE_UNIT_BITS);
        record->tested_silence = 0;
    }
    if (a->noted.silence >= shortest_silence && record->is_established)
        record->tested_silence = (unsigned)MIN((uint64_t)a->noted.silence >> SILENCE_UNIT_BITS, most) & most;
    if (survived == 0 || survived <= record_read_course(a->pool, record)->longest_silence)
        return false;
    course = record_open_course(a->pool, record);
    course->longest_silence = survived;
    return true;
}

bool connection_follow(record_pool *pool, connection_record *record, uint8_t side, const rstcause_segment *segment)
{
    arrival a = {.pool = pool, .record = record, .side = side, .segment = segment};
    endpoint_record *self;
    bool outlives;
    host *sender = record_host(record, side);

    if (!tells_news(record_read_end(pool, record, side), record_read_end(pool, record, !side), segment) &&
        is_copy(pool, record, side, segment))
        return false;
    look_at_ends(&a);
    if (begins_anew(&a)) {
        past_connection past = look_back(pool, record);

        record_begin_anew(pool, record, &past);
    }
    begin(record, segment);
    self = a.self;
    if (self->stack == STACK_UNKNOWN)
        self->stack = sender->stack;
    a.noted = note(pool, record, side, segment);
    a.span = a.noted.end - segment->sequence;
    a.noted.is_keepalive = is_keepalive(&a);

    outlives = follow_silence(&a);
    follow_fingerprint(&a);
    follow_sequence(&a);
    follow_acknowledgement(&a);
    if (segment->has_fastclose)
        record_open_exception(pool, self)->fastclose_frame = segment->frame;
    remember(pool, record, side, segment, &a.noted);
    self->window = segment->window;
    self->frames++;
    self->last_frame = segment->frame;
    self->last_time = pack(&a, segment->time);
    record->last_side = side;
    if (!record->is_established)
        follow_establishment(&a);
    follow_close(&a);
    host_learn(sender, segment);
    return outlives;
}

void connection_follow_reset(record_pool *pool, connection_record *record, uint8_t side,
                             const rstcause_segment *segment, uint32_t reset_number)
{
    recent_segment noted;

    if (is_copy(pool, record, side, segment))
        return;
    begin(record, segment);
    noted = note(pool, record, side, segment);
    noted.reset_number = reset_number;
    remember(pool, record, side, segment, &noted);
}
