/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signs that a third party made the reset. */
#ifndef RSTCAUSE_FORGERY_H
#define RSTCAUSE_FORGERY_H

#include "judgement.h"

/* TRUE and the judgement set to "injected" where the signs stand by themselves. */
gboolean forgery_judge(judgement *judgement, const reset_facts *facts);

/* TRUE and the judgement set to "firewall-reject" where the answer to a SYN shows that the host did not make it. */
gboolean forgery_judge_refusal(judgement *judgement, const reset_facts *facts);

/* The signs that speak against the named sender, without a verdict: for evidence beside another cause. FALSE where
 * there is none. */
gboolean forgery_add_evidence(judgement *judgement, const reset_facts *facts);

/*
 * A segment without RST of S after the latest reset in its name, effective or not: is it proof that S did not send the
 * reset? Retransmissions and what was on the way are none. To be asked before the segment is followed.
 */
gboolean forgery_is_proven_by(const connection *connection, guint8 side, const rstcause_segment *segment);

#endif
