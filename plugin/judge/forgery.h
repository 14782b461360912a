/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signs that a third party made the reset. */
#ifndef RSTCAUSE_FORGERY_H
#define RSTCAUSE_FORGERY_H

#include "judgement.h"

/* true and the judgement set to "injected" where the signs stand by themselves. */
bool forgery_judge(judgement *judgement, const reset_facts *facts);

/* true and the judgement set to "firewall-reject" where the answer to a SYN shows that the host did not make it. */
bool forgery_judge_refusal(judgement *judgement, const reset_facts *facts);

/* The signs that speak against the named sender, without a verdict: for evidence beside another cause. false where
 * there is none. */
bool forgery_add_evidence(judgement *judgement, const reset_facts *facts);

/*
 * A segment without RST of S after the latest reset in its name, effective or not: is it proof that S did not send the
 * reset? Retransmissions and what was on the way are none. To be asked before the segment is followed.
 */
bool forgery_is_proven_by(const connection *connection, uint8_t side, const rstcause_segment *segment);

#endif
