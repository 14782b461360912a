/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judges the resets of one capture, and asks the table again where later segments put facts in. Keeps a case for each
 * reset, as long as it lives itself, packed while nobody looks at it. Knows no words.
 */
#ifndef RSTCAUSE_JUDGE_H
#define RSTCAUSE_JUDGE_H

#include "follow/connection.h"
#include "judgement.h"
#include "rstcause/stated.h"

typedef struct judge judge;

/* What is known of a reset, and what follows from that. */
typedef struct {
    reset_facts facts;
    judgement judgement;
} reset_findings;

/* ... without the words of 32 bits that are 0, which most are. */
typedef struct packed_findings packed_findings;

/* One reset. A copy has no findings of its own. Owned by the judge. */
typedef struct reset_case {
    uint32_t frame;
    uint32_t trigger; /* as its judgement has it; 0 of a copy */
    uint8_t layer;
    uint8_t vantages;            /* of a merged capture that have seen it: a bit for each */
    bool owns_text;              /* its findings hold a text that is to be freed */
    struct reset_case *copied;   /* the reset that this one copies, NULL where it is no copy */
    struct reset_case *previous; /* reset in the same name, after which its sender sent nothing but resets; or NULL */
    struct reset_case
        *unserved_before; /* of connections that were never used, reset at the same moment as this one; or NULL */
    packed_findings *packed;
    reset_findings *found; /* NULL where it is not opened */
} reset_case;

judge *judge_new(void);
void judge_free(judge *all);

/*
 * Judges a reset, and marks in the connection what it did to it (ended it, answered a segment). The connection must hold
 * all segments before the reset, and not yet the reset itself. Takes over the text of 'stated'. Returns the number that
 * connection_follow_reset() wants.
 */
uint32_t judge_reset(judge *all, connection *connection, uint8_t side, const rstcause_segment *reset,
                     const rstcause_stated *stated);

/*
 * The same for a reset that another place of a merged capture holds as well, as the reset with this number: the verdict is
 * that one's, and the connection is marked as seen from here.
 */
uint32_t judge_reset_again(judge *all, connection *connection, uint8_t side, const rstcause_segment *reset,
                           const rstcause_stated *stated, uint32_t number);

/* Has the reset with this number been seen at this place? */
bool judge_has_seen_at(const judge *all, uint32_t number, uint32_t vantage);

/* What another place of the capture has seen of a connection, and its latest segment of whatever connection. */
typedef struct {
    connection connection;
    recent_room room[2];
    uint32_t latest_frame;
    int64_t latest_time;
} other_vantage;

/* All has been seen: holds each reset against the records of the other places. 'find_next' unfolds the one that comes after
 * 'record' in their ring and returns it; NULL where there is none. */
typedef const connection_record *(*judge_next_vantage)(void *data, const connection_record *record,
                                                       other_vantage *other);
void judge_compare_vantages(judge *all, judge_next_vantage find_next, void *data);

/* A segment without RST came, in a connection that has seen one: puts in what it tells of the resets before. To be called
 * before the segment is followed. */
void judge_later_segment(judge *all, connection *connection, uint8_t side, const rstcause_segment *segment);

/* A server accepts a SYN: what was taken for the end of its listener may not have been that. */
void judge_accepted(judge *all, const host *server, const rstcause_segment *syn_ack);

/* Shows all resets but copies, in the order of the capture, without the forms that they were compared with. */
void judge_visit(const judge *all, void (*visit)(void *data, const reset_case *one), void *data);

/* The case of the reset in a frame, opened, and so is what it copies, until the next call; NULL where there is none. A frame
 * number that comes again means the later frame. */
const reset_case *judge_find(judge *all, uint32_t frame, uint8_t layer);

/* A reset that answers a segment: the frames of both. */
typedef struct {
    uint32_t trigger, reset;
} reset_answer;

/* Puts all of them into a GArray of reset_answer, in the order of the resets and without copies, in place of what was in it.
 * Returns false, and leaves it as it is, where nothing has changed since it was asked last. */
bool judge_list_answers(judge *all, GArray *answers);

#endif
