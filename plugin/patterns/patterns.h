/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of patterns: the situation behind a cause, and what the wire must show for it. Unlike a cause a pattern has no
 * price: all that a row requires must hold, or it is not told. A wrong one is worse than none.
 */
#ifndef RSTCAUSE_PATTERNS_H
#define RSTCAUSE_PATTERNS_H

#include "neighbours.h"

/* What a row may require; each is one predicate in shown.c. */
typedef enum {
    NOTHING_MORE,
    /* The verdict. */
    IS_DATA_AFTER_CLOSE,
    IS_ABORT,
    IS_HALF_OPEN,
    IS_HANDSHAKE_REJECTED,
    IS_RESTART_CAUSE, /* half-open, closed-port, or an abort as the server went down */
    IS_SCAN_CAUSE,    /* closed-port, or a connection that was opened only to see that it comes about */
    IS_ABORT_OR_DATA_AFTER_CLOSE,
    GAVE_UP,               /* an abort, a timer of S that ran out, or a connection that S knows no more */
    IS_MORE_THAN_POSSIBLE, /* the verdict is likely or certain */
    IS_OF_SERVER,
    IS_OF_CLIENT,
    /* The end. */
    CLOSED_WHILE_IDLE,   /* S's FIN came after a silence */
    ANSWERS_NEW_DATA,    /* the trigger is data of P */
    CROSSED_THE_FIN,     /* ... that left before S's FIN can have reached P */
    FOLLOWED_THE_FIN,    /* ... or after P had acknowledged it, and either of them had rested */
    ANSWERS_TLS_GOODBYE, /* the trigger is a TLS alert that ends the connection */
    /* The conversation. */
    TOOK_REQUEST_IN,    /* S acknowledged P's last data, and answered nothing since */
    REPLIED_EARLY,      /* S answered with an HTTP status while the request was not all in */
    HAD_ASKED,          /* S had sent data, and P's data came after it */
    DATA_WAS_IN_FLIGHT, /* P's data was on its way when S ended the connection */
    ALERT_RIGHT_BEFORE, /* either side sent a fatal TLS alert right before */
    PROTOCOLS_DIFFER,   /* the first words of both sides are of different protocols */
    WINDOW_WAS_CLOSED,  /* P's window was 0, and S had waited for it */
    WENT_ASTRAY,        /* the trigger lies outside the window of S, which goes on with the connection */
    /* Other connections. */
    FORGOTTEN_WHEN_IDLE, /* the silence was long, and no connection of the service survived a longer one */
    ENDED_WHEN_IDLE,     /* others of the service were reset after the same silence, at other times */
    VISITS_IN_STEP,      /* this client opens and resets a connection without data again and again */
    BELONGS_TO_SCAN,     /* this client asks many ports, or many hosts */
    SERVICE_CAME_BACK,   /* the service refused SYNs since this connection was opened, and accepted before and after */
    QUEUE_OVERFLOWED,    /* several were turned away at one time, while others were taken */
    ONE_OF_MANY_ABORTS,  /* the same side of the service aborted many at one moment */
    SHOWN_REQUIREMENTS
} shown_requirement;

bool shown_holds(shown_requirement wanted, const situation *s);

enum { MOST_SHOWN = 8 };

typedef struct {
    rstcause_pattern pattern;
    shown_requirement needs[MOST_SHOWN]; /* up to the first NOTHING_MORE */
} pattern_row;

/* The rows; the first of which all holds gives the pattern. Static. */
extern const pattern_row pattern_rows[];
extern const unsigned pattern_row_count;

/* The pattern that the situation shows, RSTCAUSE_NO_PATTERN where none. */
rstcause_pattern patterns_find(const situation *s);

#endif
