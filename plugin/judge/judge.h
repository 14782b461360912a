/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Judges one reset: facts, rules, words; a verdict comes out. */
#ifndef RSTCAUSE_JUDGE_H
#define RSTCAUSE_JUDGE_H

#include "follow/connection.h"
#include "rstcause/stated.h"

/*
 * The verdict on a reset, and the connection marked with what the reset did to it (ended, trigger answered). The
 * connection must hold all segments before the reset, and not yet the reset itself. 'verdicts' are those so far, with the
 * number of a recent reset as index. Free with judge_free_verdict().
 */
rstcause_verdict *judge_reset(connection *connection, uint8_t side, const rstcause_segment *reset,
                              const rstcause_stated *stated, const GPtrArray *verdicts);

/* A segment without RST came: where it proves the latest reset in its sender's name forged, the verdict is changed, and
 * where both sides go on the connection lives on. To be called before the segment is followed. */
void judge_later_segment(connection *connection, uint8_t side, const rstcause_segment *segment);

void judge_free_verdict(gpointer verdict);

#endif
