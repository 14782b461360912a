/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a connection begins, is established and ends, and what is kept of the one before. See arrival.h. */
#include "arrival.h"

/* What a judge may ask of the connection when the port pair is used again. */
past_connection arrival_look_back(const record_pool *pool, const connection_record *record)
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

/* What it acknowledges is of this connection, wherever its own number lies. */
static bool acknowledges_nearby(const arrival *a)
{
    const endpoint_record *other = a->seen_of_other;

    return (a->segment->flags & RSTCAUSE_ACK) != 0 && other->has_next &&
           sequence_distance(a->segment->acknowledgement, other->next) <= OTHER_CONNECTION_GAP;
}

/* Does this segment belong to a connection after the one that the record holds? */
bool arrival_begins_anew(const arrival *a)
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
    /* No handshake seen, but the one before is over and the numbers of both sides are far from it. */
    return connection_is_over(record) && self->has_next && segment->length > 0 &&
           sequence_distance(segment->sequence, self->next) > OTHER_CONNECTION_GAP && !acknowledges_nearby(a);
}

void arrival_follow_establishment(arrival *a)
{
    connection_record *record = a->record;
    const endpoint_record *self = a->self, *other = a->seen_of_other;
    const rstcause_segment *segment = a->segment;
    bool completes = other->syn_frame != 0 && other->syn_has_ack && (segment->flags & RSTCAUSE_SYN) == 0 &&
                     (segment->flags & RSTCAUSE_ACK) != 0 && sequence_after(segment->acknowledgement, other->first) &&
                     !sequence_after(segment->acknowledgement, other->next);
    bool is_midstream = !record->has_client && (segment->length > 0 || (segment->flags & RSTCAUSE_ACK) != 0);
    bool passed_unseen = record->has_client && segment->length > 0 && (segment->flags & RSTCAUSE_SYN) == 0 &&
                         (self->syn_frame == 0 || self->syn_has_ack || other->syn_frame == 0);

    if (completes || is_midstream || passed_unseen) {
        course_record *course = record_open_course(a->pool, record);

        record->is_established = true;
        course->establish_frame = segment->frame;
        course->establish_time = arrival_pack(a, segment->time);
    }
    if (completes && record->has_client)
        host_discount_probe(record_host(record, (uint8_t)record->client));
}

void arrival_follow_close(arrival *a)
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
        course->closed_time = arrival_pack(a, a->segment->time);
    }
}
