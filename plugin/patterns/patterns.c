/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of patterns: what each requires, the more specific before the more general. Knows no words. */
#include "patterns.h"

const pattern_row pattern_rows[] = {
    /* Not this connection alone. */
    {RSTCAUSE_HEALTH_CHECK, {VISITS_IN_STEP}},
    {RSTCAUSE_PORT_SCAN, {IS_SCAN_CAUSE, BELONGS_TO_SCAN}},
    {RSTCAUSE_BACKLOG_OVERFLOW, {IS_HANDSHAKE_REJECTED, QUEUE_OVERFLOWED}},
    {RSTCAUSE_STRAY_SEGMENT, {IS_HALF_OPEN, IS_MORE_THAN_POSSIBLE, WENT_ASTRAY}},
    {RSTCAUSE_HOST_RESTARTED, {IS_RESTART_CAUSE, SERVICE_CAME_BACK}},

    /* What was said. */
    {RSTCAUSE_REFUSED_BY_TLS, {IS_ABORT_OR_DATA_AFTER_CLOSE, ALERT_RIGHT_BEFORE}},
    {RSTCAUSE_WRONG_PROTOCOL, {IS_ABORT_OR_DATA_AFTER_CLOSE, IS_MORE_THAN_POSSIBLE, PROTOCOLS_DIFFER}},
    {RSTCAUSE_EARLY_REPLY, {IS_ABORT_OR_DATA_AFTER_CLOSE, IS_MORE_THAN_POSSIBLE, IS_OF_SERVER, REPLIED_EARLY}},

    /* The end. */
    {RSTCAUSE_LATE_CLOSE_NOTIFY, {IS_DATA_AFTER_CLOSE, ANSWERS_TLS_GOODBYE}},
    {RSTCAUSE_KEEP_ALIVE_RACE,
     {IS_DATA_AFTER_CLOSE, IS_MORE_THAN_POSSIBLE, IS_OF_SERVER, CLOSED_WHILE_IDLE, ANSWERS_NEW_DATA, CROSSED_THE_FIN}},
    {RSTCAUSE_STALE_CONNECTION,
     {IS_DATA_AFTER_CLOSE, IS_MORE_THAN_POSSIBLE, IS_OF_SERVER, ANSWERS_NEW_DATA, FOLLOWED_THE_FIN}},
    {RSTCAUSE_IDLE_FORGOTTEN, {IS_HALF_OPEN, IS_MORE_THAN_POSSIBLE, FORGOTTEN_WHEN_IDLE}},
    {RSTCAUSE_IDLE_CLOSED, {ENDED_WHEN_IDLE}},
    {RSTCAUSE_MASS_ABORT, {IS_ABORT_OR_DATA_AFTER_CLOSE, IS_OF_CLIENT, ONE_OF_MANY_ABORTS}},
    {RSTCAUSE_CANCELLED_DOWNLOAD,
     {IS_ABORT_OR_DATA_AFTER_CLOSE, IS_MORE_THAN_POSSIBLE, IS_OF_CLIENT, HAD_ASKED, DATA_WAS_IN_FLIGHT}},
    {RSTCAUSE_SLOW_READER, {GAVE_UP, IS_MORE_THAN_POSSIBLE, WINDOW_WAS_CLOSED}},
    {RSTCAUSE_MASS_ABORT, {IS_ABORT, IS_OF_SERVER, ONE_OF_MANY_ABORTS}},
    {RSTCAUSE_REQUEST_UNANSWERED, {IS_ABORT, IS_MORE_THAN_POSSIBLE, IS_OF_SERVER, TOOK_REQUEST_IN}},
};

const unsigned pattern_row_count = G_N_ELEMENTS(pattern_rows);

static bool holds(const pattern_row *row, const situation *s)
{
    for (unsigned i = 0; i < MOST_SHOWN && row->needs[i] != NOTHING_MORE; i++)
        if (!shown_holds(row->needs[i], s))
            return false;
    return true;
}

rstcause_pattern patterns_find(const situation *s)
{
    for (unsigned i = 0; i < pattern_row_count; i++)
        if (holds(&pattern_rows[i], s))
            return pattern_rows[i].pattern;
    return RSTCAUSE_NO_PATTERN;
}
