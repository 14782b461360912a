/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cases of a capture's resets. Each lives as long as the book, and is packed while nobody looks at it.
 */
#ifndef RSTCAUSE_CASES_H
#define RSTCAUSE_CASES_H

#include "judgement.h"
#include "rstcause/stated.h"

/* What is known of a reset, and what follows from that. */
typedef struct {
    reset_facts facts;
    judgement judgement;
} reset_findings;

/* ... without the words of 32 bits that are 0, which most are. */
typedef struct packed_findings packed_findings;

/* One reset. A copy has no findings of its own. What is asked of it with each later segment stands beside the findings, as it
 * was when they were closed last. Owned by the judge. */
typedef struct reset_case {
    uint32_t frame;
    uint32_t trigger; /* as its judgement has it; 0 of a copy */
    uint8_t layer;
    bool sender_may_go_on;       /* as judgement_lets_sender_go_on() has it; false of a copy */
    bool sender_lives_on;        /* ... and it does */
    uint8_t vantages;            /* of a merged capture that have seen it: a bit for each */
    bool owns_text;              /* its findings hold a text that is to be freed */
    struct reset_case *copied;   /* the reset that this one copies, NULL where it is no copy */
    struct reset_case *previous; /* reset in the same name, after which its sender sent nothing but resets; or NULL */
    struct reset_case
        *before; /* the one before of the same host: of connections that were never used, reset at the same moment,
                                  or of refusals from before the host was seen; or NULL */
    packed_findings *packed;
    reset_findings *found; /* NULL where it is not opened */
} reset_case;

/* All cases. */
typedef struct {
    GPtrArray *all;       /* in the order of the capture; owned */
    GPtrArray *by_frame;  /* by frame and layer, the latest on each; borrowed */
    GPtrArray *opened;    /* those that cases_close() is to close; borrowed */
    bool answers_changed; /* since cases_list_answers() was asked */
} case_book;

case_book *cases_new(void);
void cases_free(case_book *book);

/* A case for a reset, the last of all, without findings. */
reset_case *cases_make(case_book *book, const rstcause_segment *reset);

/* Empty findings for a case that has none, opened until cases_close(). */
reset_findings *cases_begin(case_book *book, reset_case *one);

/* Its findings, until cases_close(); NULL where there is no case, or one without findings. */
reset_findings *cases_open(case_book *book, reset_case *one);

/* Packs all that are open. */
void cases_close(case_book *book);

/* The case of the reset in a frame, NULL where there is none. A frame number that comes again means the later frame. */
reset_case *cases_find(const case_book *book, uint32_t frame, uint8_t layer);

/* The case with this place among all, or what it copies. */
reset_case *cases_original(const case_book *book, uint32_t number);

/* Asks the table again, of an opened case. */
void case_ask_again(reset_case *one);

/* See judge_visit(). */
void cases_visit(const case_book *book, void (*visit)(void *data, const reset_case *one), void *data);

/* A reset that answers a segment: the frames of both, and which TCP header of its frame the reset is in. */
typedef struct {
    uint32_t trigger, reset;
    uint8_t layer;
} reset_answer;

/* See judge_list_answers(). */
bool cases_list_answers(case_book *book, GArray *answers);

#endif
