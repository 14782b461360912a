/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of causes: what each requires of a reset, and how much it costs a cause that a requirement fails or cannot be
 * seen. The judge asks the whole table; the cheapest row gives the verdict, and what the others cost gives its confidence.
 */
#ifndef RSTCAUSE_CAUSES_H
#define RSTCAUSE_CAUSES_H

#include "facts.h"
#include "form.h"
#include "rstcause/verdict.h"

typedef enum { HOLDS, UNSEEN, FAILS } finding;

/* What a row may require. Each is one predicate in requirements.c, and one sentence in tell/evidence.c. */
typedef enum {
    NO_REQUIREMENT,
    /* What the packet is. */
    FLAGS_ARE_DAMAGED,
    IS_FOREIGN,
    IS_PROVEN_FOREIGN,
    OWN_FORM,           /* S could have made it of itself */
    ANSWER_FORM,        /* ... or as an answer */
    ANSWER_FORM_OF_ANY, /* ... or a device that stands for S could */
    ANY_FORM,
    GOES_ON_AS_OWN,
    /* What came before. */
    HAS_CONTEXT,
    STATES_CAUSE,
    RESET_BEFORE,
    FIRST_IN_ITS_NAME,
    SENDER_SEEN,
    SENDER_OPENED,
    SENDER_ACCEPTED,
    RECEIVER_SEEN,
    HANDSHAKE_SEEN,
    ESTABLISHED,
    CONNECTING,
    SENDER_CLOSED,
    SENDER_NOT_CLOSED,
    BOTH_CLOSED,
    /* What it answers. */
    TRIGGER_FOUND,
    TRIGGER_HAS_ACK,
    TRIGGER_IN_TIME,
    TRIGGER_ASKS,
    TRIGGER_ASKS_OR_IS_NEW,
    MAY_ANSWER,
    AFTER_A_WHILE,
    STACK_TELLS,
    IS_ANSWER,
    IS_OWN_DOING,
    REFUSES_SYN,
    REFUSES_PROBE,
    MEETS_BARE_RESET,
    LOOKS_LIKE_REFUSAL,
    ACCEPTED_LATER,
    SAME_DISTANCE,
    NEARER_DEVICE,
    NO_OLD_CONNECTION,
    OLD_CONNECTION_OPEN,
    OLD_CONNECTION_CLOSED,
    OLD_CONNECTION_RESET,
    OLD_NUMBER,
    MEETS_TIME_WAIT,
    MEETS_OLD_CONNECTION,
    ANSWERS_SYN_ACK,
    ANSWERS_NEVER_SENT,
    ANSWERS_UNASKED_SYN_ACK,
    HANDSHAKE_ONLY,
    BEHIND_OWN_SYN,
    COMPLETES_HANDSHAKE,
    AT_FIRST_ACK,
    CLOSED_BY_TIME,
    MEETS_FASTCLOSE,
    /* Timers. */
    PROBES_UNANSWERED,
    PROBES_IN_STEP,
    REPEATS_UNANSWERED,
    REPEATS_IN_STEP,
    GIVES_UP_ALOUD,
    TIMER_RAN_OUT,
    REQUIREMENTS
} requirement;

/* A row may require that something is not so. */
enum { NEGATED = 0x100 };
#define NOT(what) ((what) | NEGATED)

enum { MOST_NEEDS = 16, MOST_ROWS = 64, RULED_OUT = 100 };

typedef struct {
    unsigned requirement; /* or NOT() of one */
    uint8_t if_fails, if_unseen;
} need;

/* What follows from a row, besides its cause; bits. */
typedef enum {
    ANSWERS_TRIGGER = 1,   /* such a reset answers the trigger, where one is found */
    ANSWERS_BY_TIME = 2,   /* ... the one that was found by the time alone */
    ANSWERS_FASTCLOSE = 4, /* ... P's MP_FASTCLOSE */
    CAUSE_AS_STATED = 8,   /* the cause is what S states, where that names one */
    ENDS_NOTHING = 16, /* no connection, or only the one before this one (figure 9), which the record keeps no longer */
    SENDER_GOES_ON = 32 /* S may send on: it opens the new connection, or the attempt that an unacceptable ACK meets
                              stays as it is (RFC 9293 section 3.5.2) */
} row_trait;

typedef struct {
    const char *name; /* of the row, for tests and for whoever reads along */
    rstcause_cause cause;
    rstcause_detail detail; /* where the row has one; details.c finds finer ones */
    uint8_t traits;         /* row_trait bits */
    uint8_t base;           /* costs in any case: a row that the capture cannot prove */
    need needs[MOST_NEEDS]; /* up to the first NO_REQUIREMENT, which each row has */
} cause_row;

/* The rows, in the order that decides between equals; MOST_ROWS at most. Static. */
extern const cause_row cause_rows[];
extern const unsigned cause_row_count;

/* How a need stands for these facts. */
finding need_find(const need *need, const reset_facts *facts, const form_matches *forms);

/* How a requirement stands for these facts. */
finding requirement_find(requirement requirement, const reset_facts *facts, const form_matches *forms);

/* What it costs a row, RULED_OUT at most. */
unsigned cause_row_cost(const cause_row *row, const reset_facts *facts, const form_matches *forms);

/* Its sender's own end of a merged capture holds it. */
bool requirement_is_present_at_sender(const reset_facts *facts);

/* S had repeated its last words at least twice, and had heard nothing since. */
bool requirement_repeats_unanswered(const reset_facts *facts);

/* S may have closed, though no FIN of it is there: it could not leave. */
bool requirement_fin_may_wait(const reset_facts *facts);

/* What later segments and the other direction add to what speaks against every genuine reading (see form.h). */
unsigned requirement_weigh_later(const reset_facts *facts);

#endif
