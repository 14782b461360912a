/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Incidents as a text for a ticket. Counts nothing. */
#ifndef RSTCAUSE_TICKET_H
#define RSTCAUSE_TICKET_H

#include "incidents.h"

enum {
    TICKET_WIDTH = 100, /* columns of the longest line */
    TICKET_ROWS = 40    /* incidents, with the row of those that are counted together */
};

/*
 * The incidents in their order, each with its numbers, the explanation of its first reset and the advice; what has no
 * row is summed up in the last one. UTF-8, lines end with "\n"; to be freed with g_free().
 */
char *ticket_text(const incidents *all);

#endif
