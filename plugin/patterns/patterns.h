/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of patterns: the situation behind a cause, and what the wire must show for it. Unlike a cause a pattern has no
 * price: all that a row requires must hold, or it is not told. A wrong one is worse than none.
 */
#ifndef RSTCAUSE_PATTERNS_H
#define RSTCAUSE_PATTERNS_H

#include "situation.h"

/* What a row may require; each is one predicate in shown.c. */
typedef enum {
    NOTHING_MORE,
    /* The verdict. */
    IS_DATA_AFTER_CLOSE,
    IS_MORE_THAN_POSSIBLE, /* the verdict is likely or certain */
    IS_OF_SERVER,
    /* The end. */
    CLOSED_WHILE_IDLE,   /* S's FIN came after a silence */
    ANSWERS_NEW_DATA,    /* the trigger is data of P */
    CROSSED_THE_FIN,     /* ... that left before S's FIN can have reached P */
    FOLLOWED_THE_FIN,    /* ... or after P had acknowledged it */
    ANSWERS_TLS_GOODBYE, /* the trigger is a TLS alert that ends the connection */
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
