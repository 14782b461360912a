/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fingerprint of ordinary segments: what a forger would have to copy. See arrival.h. */
#include "arrival.h"

static void follow_ip_id(endpoint_record *self, uint16_t ip_id)
{
    bool goes_on = ip_id_goes_on(self->last_counted_ip_id, ip_id);

    if (ip_id == 0) {
        self->ip_ids_zero = count_up_16(self->ip_ids_zero);
        return;
    }
    self->last_counted_ip_id = ip_id;
    if (self->ip_ids == UINT16_MAX)
        return;
    if (self->ip_ids > 0 && !goes_on)
        self->ip_ids_apart++;
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

void arrival_follow_fingerprint(arrival *a)
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
    self->flow_label = segment->flow_label & 0xfffffu;
    if ((segment->flags & RSTCAUSE_SYN) == 0)
        self->window_high = MAX(self->window_high, segment->window);
    if (segment->has_ip_id) {
        self->df_set = count_up_8(self->df_set, segment->has_df && segment->dont_fragment);
        self->df_clear = count_up_8(self->df_clear, segment->has_df && !segment->dont_fragment);
        follow_ip_id(self, segment->ip_id);
    }
    follow_timestamp(a);
}
