/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a segment acknowledges, and how soon. See arrival.h. */
#include "arrival.h"

/* An ACK may wait for the application's answer or the timer of delayed ACKs; of so many the shortest did not. */
static const uint16_t often_timed = 4;

static void follow_answer_delay(arrival *a)
{
    endpoint_record *self = a->self, *other = a->other;
    int64_t delay = a->segment->time - arrival_unpack(a, other->timed_at);

    other->is_timed = false;
    if (delay >= 0) {
        bool is_of_syn = other->syn_frame != 0 && other->timed_end == other->first + 1;

        if (self->answer_delay == NO_DURATION || delay < unpack_duration(self->answer_delay))
            self->answer_delay = pack_duration(delay);
        if (self->answers_timed < often_timed)
            self->answers_timed++;
        self->path_is_timed |= is_of_syn || self->answers_timed == often_timed;
    }
}

/* RFC 7323 section 2.3: no window is wider. */
static const uint32_t widest_window = 1 << 30;

/* An ACK may be of what the capture lacks, before it began or in between, but not from before the ISN: of that nothing can be
 * said any more when the numbers have come round half. */
static bool is_believable(const endpoint_record *acknowledged, uint32_t number)
{
    if (sequence_after(number, acknowledged->next))
        return sequence_distance(number, acknowledged->next) <= OTHER_CONNECTION_GAP;
    if (acknowledged->bytes >= widest_window || sequence_before(acknowledged->next, acknowledged->first))
        return sequence_distance(number, acknowledged->next) <= widest_window;
    if (!sequence_before(number, acknowledged->first))
        return true;
    return acknowledged->syn_frame == 0 && sequence_distance(number, acknowledged->first) <= OTHER_CONNECTION_GAP;
}

void arrival_follow_acknowledgement(arrival *a)
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
