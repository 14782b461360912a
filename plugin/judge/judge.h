/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Judges the resets of one capture, and asks the table again where later segments put facts in. Keeps a case for each
 * reset, as long as it lives itself (cases.h). Knows no words.
 */
#ifndef RSTCAUSE_JUDGE_H
#define RSTCAUSE_JUDGE_H

#include "cases.h"
#include "follow/connection.h"
#include "places.h"

typedef struct judge judge;

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

/* All has been seen: see places_compare(). */
void judge_compare_vantages(judge *all, next_place find_next, void *data);

/* May a segment without RST put a fact into a case of its connection? Cheap, and so asked of each one of a connection that
 * has seen a reset. */
bool judge_awaits(const judge *all, const connection_record *record, uint8_t side, const rstcause_segment *segment);

/* Puts in what it tells of the resets before. To be called before the segment is followed. */
void judge_later_segment(judge *all, connection *connection, uint8_t side, const rstcause_segment *segment);

/* A connection, or a host, is about to be forgotten: verdicts stay, and what comes later adds nothing to them. */
void judge_forget_connection(judge *all, const connection_record *record);
void judge_forget_host(judge *all, const host *host);

/* About how many bytes are kept for connections and hosts, and go with them. */
uint64_t judge_weigh(const judge *all);

/* A server accepts a SYN: what was taken for the end of its listener may not have been that. */
void judge_accepted(judge *all, const host *server, const rstcause_segment *syn_ack);

/* Shows all resets but copies, in the order of the capture, without the forms that they were compared with. */
void judge_visit(const judge *all, void (*visit)(void *data, const reset_case *one), void *data);

/* The case of the reset in a frame, opened, and so is what it copies, until the next call; NULL where there is none. A frame
 * number that comes again means the later frame. */
const reset_case *judge_find(judge *all, uint32_t frame, uint8_t layer);

/* Puts all of them into a GArray of reset_answer, in the order of the resets and without copies, in place of what was in it.
 * Returns false, and leaves it as it is, where nothing has changed since it was asked last. */
bool judge_list_answers(judge *all, GArray *answers);

#endif
