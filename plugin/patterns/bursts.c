/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps bursts of events. See bursts.h. */
#include "bursts.h"

#include <glib.h>

/* Where a new burst goes: a free place, or that of the smallest. */
static unsigned find_place(const burst_list *list)
{
    unsigned smallest = 0;

    if (list->used < MOST_BURSTS)
        return list->used;
    for (unsigned i = 1; i < MOST_BURSTS; i++)
        if (list->kept[i].count < list->kept[smallest].count)
            smallest = i;
    return smallest;
}

void bursts_add(burst_list *list, int64_t time, uint32_t frame, int64_t gap)
{
    burst *newest = &list->kept[list->newest];

    if (list->used > 0 && time >= newest->first - gap && time <= newest->last + gap) {
        newest->first = MIN(newest->first, time);
        newest->last = MAX(newest->last, time);
        newest->last_frame = frame;
        newest->count++;
        return;
    }
    list->newest = (uint8_t)find_place(list);
    list->used = (uint8_t)MAX(list->used, list->newest + 1);
    list->kept[list->newest] =
        (burst){.first = time, .last = time, .first_frame = frame, .last_frame = frame, .count = 1};
}

const burst *bursts_find(const burst_list *list, int64_t time)
{
    for (unsigned i = 0; i < list->used; i++)
        if (time >= list->kept[i].first && time <= list->kept[i].last)
            return &list->kept[i];
    return NULL;
}
