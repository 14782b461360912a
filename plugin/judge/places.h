/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two ends: holds each reset against the records that the other places of a merged capture have of its connection. What
 * they show is a question for ends.h.
 */
#ifndef RSTCAUSE_PLACES_H
#define RSTCAUSE_PLACES_H

#include "cases.h"
#include "follow/connection.h"

/* What another place of the capture has seen of a connection, and its latest segment of whatever connection. */
typedef struct {
    connection connection;
    recent_room room[2];
    uint32_t latest_frame;
    int64_t latest_time;
} other_vantage;

/* Unfolds the record that comes after 'record' in the ring of one connection and returns it; NULL where there is none. */
typedef const connection_record *(*next_place)(void *data, const connection_record *record, other_vantage *other);

/* All has been seen: notes which resets their senders' own ends lack, and asks the table again. 'connections' has the
 * connection_cases of each connection_record that is not forgotten. */
void places_compare(case_book *book, GHashTable *connections, next_place find_next, void *data);

/* Another place holds the reset as well, and the case of that is open: it becomes a copy. */
void places_compare_copy(case_book *book, reset_case *original, reset_case *copy);

#endif
