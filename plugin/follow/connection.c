/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Follows the segments of one connection. Knows no cause; see connection.h. */
#include "connection.h"

#include <string.h>

#include "stated/last_words.h"
#include "units.h"

/* A gap in sequence numbers that no window can explain (RFC 7323: 2^30 at most; in practice 16 MiB) marks another connection. */
static const uint32_t other_connection_gap = 1 << 24;

/* An ACK may wait for the application's answer or the timer of delayed ACKs; of so many the shortest did not. */
static const uint16_t often_timed = 4;

/* Two repeats closer than this are a burst (loss recovery, reordering), not the retransmission timer. */
static const int64_t shortest_timer = 100 * MILLISECOND;

void connection_init(connection *c, host *low, host *high)
{
    *c = (connection){.client = -1};
    c->ends[0].host = low;
    c->ends[1].host = high;
    for (unsigned side = 0; side < 2; side++) {
        c->ends[side].answer_delay = -1;
        c->ends[side].window_shift = -1;
    }
}

bool endpoint_reopens(const endpoint *e)
{
    return !e->syn_has_ack && e->syn_count > 1 && e->frames > e->syn_count && e->last_syn_time == e->last_time;
}

void connection_clear(connection *c)
{
    connection_forget_recent(c);
}

bool connection_is_over(const connection *c)
{
    return c->closed_frame != 0 || c->reset_frame != 0;
}

void connection_forget_recent(connection *c)
{
    for (unsigned side = 0; side < 2; side++)
        recent_clear(&c->ends[side].recent);
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

/* What a judge may ask of the connection when the port pair is used again. */
static past_connection look_back(const connection *c)
{
    past_connection past = {.end = PAST_OPEN, .frame = c->last_frame, .time = c->last_time};

    if (c->closed_frame != 0) {
        past.end = PAST_CLOSED;
        past.frame = c->closed_frame;
        past.time = c->closed_time;
    } else if (!c->is_established) {
        /* An attempt that came to nothing: what was before it still stands. */
        if (c->past.end != PAST_NONE)
            return c->past;
        past.end = PAST_REFUSED;
        return past;
    } else if (c->reset_frame != 0) {
        past.end = PAST_RESET;
        past.frame = c->reset_frame;
        past.time = c->reset_time;
    }
    past.closed_first = c->ends[1].fin_frame < c->ends[0].fin_frame ? 1 : 0;
    for (unsigned side = 0; side < 2; side++) {
        past.next[side] = c->ends[side].next;
        past.has_next[side] = c->ends[side].has_next;
    }
    return past;
}

/* The port pair begins a new connection. */
static void begin_anew(connection *c)
{
    host *hosts[2] = {c->ends[0].host, c->ends[1].host};
    connection fresh = {.client = -1, .past = look_back(c), .copies = c->copies};

    for (unsigned side = 0; side < 2; side++) {
        const endpoint *old = &c->ends[side];
        recent_segments recent = c->ends[side].recent;

        recent.used = 0;
        recent.newest = recent.capacity != 0 ? (uint16_t)(recent.capacity - 1) : 0;
        /* The path is the same: its delay serves the new connection until it is measured there. */
        fresh.ends[side] = (endpoint){
            .host = hosts[side],
            .window_shift = -1,
            .answer_delay = old->answer_delay,
            .path_is_timed = old->path_is_timed,
            .recent = recent,
        };
    }
    *c = fresh;
}

/* Does this segment belong to a connection after the one that the record holds? */
static bool begins_anew(const connection *c, uint8_t side, const rstcause_segment *segment)
{
    const endpoint *self = &c->ends[side];

    if (c->first_frame == 0)
        return false;
    if ((segment->flags & RSTCAUSE_SYN) != 0) {
        /* A repeat of the SYN that this record began with belongs to it, unless that attempt was reset: Windows
         * tries a refused port again with the same SYN. */
        if (self->syn_frame != 0 && self->isn == segment->sequence)
            return c->reset_frame != 0 && (segment->flags & RSTCAUSE_ACK) == 0 && c->reset_side != side;
        if ((segment->flags & RSTCAUSE_ACK) == 0) {
            const endpoint *other = &c->ends[!side];
            bool is_simultaneous =
                self->frames == 0 && other->syn_frame != 0 && !other->syn_has_ack && !c->is_established;

            return (self->frames > 0 || other->frames > 0) && !is_simultaneous;
        }
        return self->has_next && connection_is_over(c) && self->frames > 0;
    }
    /* No handshake seen, but the one before is over and the numbers are far from it. */
    return connection_is_over(c) && self->has_next && segment->length > 0 &&
           sequence_distance(segment->sequence, self->next) > other_connection_gap;
}

static void follow_syn(connection *c, uint8_t side, const rstcause_segment *segment)
{
    endpoint *self = &c->ends[side];

    if (self->syn_frame == 0 || self->isn != segment->sequence) {
        /* Numbers from before (an ACK of an older connection, a SYN/ACK of a stateless answer) are void. */
        self->has_next = false;
        self->has_acknowledged = false;
        self->syn_frame = segment->frame;
        self->syn_time = segment->time;
        self->isn = segment->sequence;
        self->syn_has_ack = (segment->flags & RSTCAUSE_ACK) != 0;
        self->accepted_at = segment->acknowledgement;
        self->syn_is_bare = segment->window_shift < 0 && !segment->sack_permitted && !segment->has_timestamps &&
                            stack_of_syn(segment) == STACK_UNKNOWN;
        self->window_shift = segment->window_shift;
        self->stack = stack_of_syn(segment);
        if (!self->syn_has_ack) {
            if (c->client < 0)
                c->client = (int8_t)side;
            host_count_probe(self->host, segment);
        } else if (c->client < 0) {
            c->client = (int8_t)!side;
        }
    }
    self->syn_count++;
    self->last_syn_time = segment->time;
}

/* The runs that a timer leaves: the same segment again and again, or keep-alive probes. */
static void follow_repeats(endpoint *self, const rstcause_segment *segment, recent_segment *entry)
{
    if (entry->is_keepalive) {
        if (self->probes++ == 0) {
            self->probe_first_frame = segment->frame;
            self->probe_first_time = segment->time;
        }
        self->probe_last_frame = segment->frame;
        self->probe_last_time = segment->time;
        return;
    }
    if (rstcause_segment_span(segment) == 0)
        return;
    if (self->repeat_first_frame != 0 && segment->sequence == self->repeat_sequence) {
        int64_t gap = segment->time - self->repeat_last_time;

        if (gap < shortest_timer && self->repeats > 0)
            return;
        /* Timers double (RFC 6298 section 5.5) up to a ceiling; a tenth less is jitter. */
        if (self->repeats > 0 && gap < self->repeat_gap - self->repeat_gap / 10)
            self->repeats_back_off = false;
        self->repeats++;
        self->repeat_gap = gap;
    } else if (self->repeat_first_frame == 0 || !sequence_before(segment->sequence, self->repeat_sequence)) {
        if (self->repeats > 0 && !entry->is_repeat)
            return; /* new data behind a segment that is still being repeated */
        self->repeat_sequence = segment->sequence;
        self->repeats = 0;
        self->repeats_back_off = true;
        self->repeat_first_frame = segment->frame;
        self->repeat_first_time = segment->time;
    } else {
        return;
    }
    self->repeat_last_frame = segment->frame;
    self->repeat_last_time = segment->time;
}

/*
 * Who speaks on had not said goodbye. But an HTTP response may take many segments; it goes on until its receiver has
 * spoken.
 */
static void follow_words(endpoint *self, const endpoint *other, const rstcause_segment *segment)
{
    bool goes_on = self->last_words.kind == RSTCAUSE_HTTP_RESPONSE && segment->said.kind == RSTCAUSE_BYTES_UNKNOWN &&
                   other->last_data_frame < self->last_words_frame;

    if (segment->length == 0)
        return;
    if (!goes_on)
        self->last_words = last_words_are(&segment->said) ? segment->said : (rstcause_first_bytes){0};
    self->last_words_frame = segment->frame;
}

static void follow_own_sequence(endpoint *self, const endpoint *other, const rstcause_segment *segment,
                                recent_segment *entry)
{
    uint32_t span = rstcause_segment_span(segment);
    int32_t ahead = self->has_next ? sequence_difference(entry->end, self->next) : 0;

    if (!self->has_next) {
        self->has_next = true;
        self->first = segment->sequence;
        self->next = entry->end;
        self->bytes = segment->length;
        follow_words(self, other, segment);
    } else if (ahead > (int32_t)other_connection_gap) {
        return; /* forged, damaged, or of another connection: not this one's number */
    } else if (ahead > 0) {
        follow_words(self, other, segment);
        self->bytes += MIN(segment->length, (uint32_t)ahead);
        entry->is_repeat = sequence_before(segment->sequence, self->next);
        self->next = entry->end;
    } else if (span > 0) {
        entry->is_repeat = true;
    }
    if (segment->length > 0 && !entry->is_keepalive) {
        self->last_data_frame = segment->frame;
        self->last_data_time = segment->time;
        self->last_data_length = segment->length;
    }
    if ((segment->flags & RSTCAUSE_FIN) != 0 && self->fin_frame == 0) {
        self->fin_frame = segment->frame;
        self->fin_time = segment->time;
        self->fin_end = entry->end;
    }
    /* One sample at a time, and none of a repeat (Karn's algorithm, RFC 6298 section 3). */
    if (entry->is_repeat)
        self->is_timed = false;
    else if (span > 0 && !self->is_timed) {
        self->is_timed = true;
        self->timed_end = entry->end;
        self->timed_at = segment->time;
    }
}

static void follow_acknowledgement(endpoint *self, endpoint *other, const rstcause_segment *segment,
                                   bool *is_incomplete)
{
    bool is_progress;

    if ((segment->flags & RSTCAUSE_ACK) == 0)
        return;
    if (other->has_next && sequence_after(segment->acknowledgement, other->next)) {
        if (sequence_distance(segment->acknowledgement, other->next) > other_connection_gap)
            return; /* forged, damaged, or of another connection */
        *is_incomplete = true;
    }
    is_progress = !self->has_acknowledged || sequence_after(segment->acknowledgement, self->acknowledged);
    if (is_progress) {
        self->has_acknowledged = true;
        self->acknowledged = segment->acknowledgement;
        if (other->repeat_first_frame != 0 && sequence_after(segment->acknowledgement, other->repeat_sequence)) {
            other->repeats = 0;
            other->repeat_first_frame = 0;
        }
    }
    if (other->is_timed && !sequence_before(segment->acknowledgement, other->timed_end)) {
        int64_t delay = segment->time - other->timed_at;

        other->is_timed = false;
        if (delay >= 0) {
            bool is_of_syn = other->syn_frame != 0 && other->timed_end == other->isn + 1;

            self->answer_delay = self->answer_delay < 0 ? delay : MIN(delay, self->answer_delay);
            self->answers_timed += self->answers_timed < often_timed;
            self->path_is_timed |= is_of_syn || self->answers_timed == often_timed;
        }
    }
    /* Any word of this side answers the other side's probes. */
    other->probes = 0;
}

static void follow_fingerprint(endpoint *self, const rstcause_segment *segment)
{
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
        uint16_t step = (uint16_t)(segment->ip_id - self->last_counted_ip_id);

        if (segment->ip_id == 0) {
            self->ip_ids_zero++;
        } else {
            self->ip_ids_rising += self->ip_ids > self->ip_ids_zero && step >= 1 && step <= 64;
            self->last_counted_ip_id = segment->ip_id;
        }
        self->ip_ids++;
        self->df_set += segment->dont_fragment;
        self->df_clear += !segment->dont_fragment;
    }
    if (segment->has_timestamps) {
        self->has_timestamps = true;
        self->timestamp_value = segment->timestamp_value;
        self->timestamp_time = segment->time;
    }
}

static bool is_keepalive(const endpoint *self, const endpoint *other, const rstcause_segment *segment)
{
    /* RFC 9293 section 3.8.4: one below snd.nxt, with no data or one byte, where all before was acknowledged. */
    return self->has_next && segment->length <= 1 && (segment->flags & (RSTCAUSE_SYN | RSTCAUSE_FIN)) == 0 &&
           (segment->flags & RSTCAUSE_ACK) != 0 && segment->sequence == self->next - 1 && other->has_acknowledged &&
           other->acknowledged == self->next;
}

static void follow_milestones(connection *c, uint8_t side, const rstcause_segment *segment)
{
    const endpoint *self = &c->ends[side], *other = &c->ends[!side];

    if (!c->is_established) {
        bool completes = other->syn_frame != 0 && other->syn_has_ack && (segment->flags & RSTCAUSE_SYN) == 0 &&
                         (segment->flags & RSTCAUSE_ACK) != 0 && sequence_after(segment->acknowledgement, other->isn) &&
                         !sequence_after(segment->acknowledgement, other->next);
        bool is_midstream = c->client < 0 && (segment->length > 0 || (segment->flags & RSTCAUSE_ACK) != 0);
        bool passed_unseen = c->client >= 0 && segment->length > 0 && (segment->flags & RSTCAUSE_SYN) == 0 &&
                             (self->syn_frame == 0 || self->syn_has_ack || other->syn_frame == 0);

        if (completes || is_midstream || passed_unseen) {
            c->is_established = true;
            c->establish_frame = segment->frame;
            c->establish_time = segment->time;
        }
        if (completes && c->client >= 0)
            host_discount_probe(c->ends[c->client].host);
    }
    if (c->closed_frame == 0 && self->fin_frame != 0 && other->fin_frame != 0 && self->has_acknowledged &&
        other->has_acknowledged && !sequence_before(self->acknowledged, other->fin_end) &&
        !sequence_before(other->acknowledged, self->fin_end)) {
        c->closed_frame = segment->frame;
        c->closed_time = segment->time;
    }
}

static recent_segment *remember(connection *c, uint8_t side, const rstcause_segment *segment)
{
    recent_segment *entry = recent_add(&c->ends[side].recent, segment);
    const endpoint *other = &c->ends[!side];

    entry->silence = c->last_frame != 0 ? segment->time - c->last_time : 0;
    entry->was_old = other->has_acknowledged && rstcause_segment_span(segment) > 0 &&
                     !sequence_after(entry->end, other->acknowledged);
    return entry;
}

/* Data or an ACK that nobody had seen before: no need to look for the packet that this one copies. */
static bool tells_news(const endpoint *self, const endpoint *other, const rstcause_segment *segment)
{
    int32_t ahead = sequence_difference(segment->sequence + rstcause_segment_span(segment), self->next);

    if ((segment->flags & RSTCAUSE_SYN) != 0)
        return false;
    return (self->has_next && ahead > 0 && ahead <= (int32_t)other_connection_gap) ||
           ((segment->flags & RSTCAUSE_ACK) != 0 && self->has_acknowledged && other->has_next &&
            sequence_after(segment->acknowledgement, self->acknowledged) &&
            !sequence_after(segment->acknowledgement, other->next));
}

void connection_follow(connection *c, uint8_t side, const rstcause_segment *segment)
{
    endpoint *self = &c->ends[side], *other = &c->ends[!side];
    recent_segment *entry = NULL;

    if (!tells_news(self, other, segment))
        entry = recent_find_copied(&self->recent, segment, &c->copies);
    if (entry != NULL) {
        recent_count_copy(entry, segment, &c->copies);
        return;
    }
    if (begins_anew(c, side, segment))
        begin_anew(c);
    if (c->first_frame == 0)
        c->first_frame = segment->frame;
    if (self->stack == STACK_UNKNOWN)
        self->stack = self->host->stack;
    entry = remember(c, side, segment);
    entry->is_keepalive = is_keepalive(self, other, segment);

    if ((segment->flags & RSTCAUSE_SYN) != 0)
        follow_syn(c, side, segment);
    follow_fingerprint(self, segment);
    follow_own_sequence(self, other, segment, entry);
    follow_repeats(self, segment, entry);
    follow_acknowledgement(self, other, segment, &c->is_incomplete);
    if (segment->has_fastclose)
        self->fastclose_frame = segment->frame;
    self->window = segment->window;
    self->frames++;
    self->last_frame = c->last_frame = segment->frame;
    self->last_time = c->last_time = segment->time;
    follow_milestones(c, side, segment);
    host_learn(self->host, segment);
}

void connection_follow_reset(connection *c, uint8_t side, const rstcause_segment *segment)
{
    recent_segment *copied = recent_find_copied(&c->ends[side].recent, segment, &c->copies);

    if (copied != NULL) {
        recent_count_copy(copied, segment, &c->copies);
        return;
    }
    if (c->first_frame == 0)
        c->first_frame = segment->frame;
    remember(c, side, segment);
}
