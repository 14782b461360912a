/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the table of causes says of one reset. */
#ifndef RSTCAUSE_JUDGEMENT_H
#define RSTCAUSE_JUDGEMENT_H

#include "causes.h"

enum { MOST_ALTERNATIVES = 3 };

typedef struct {
    const cause_row *row; /* that gave it */
    rstcause_cause cause;
    rstcause_detail detail;
    rstcause_confidence confidence;
    uint32_t trigger, original; /* frames, as in the verdict */
    bool is_challenged;         /* a receiver that follows RFC 5961 does not let it pass at once */
    const cause_row *alternatives[MOST_ALTERNATIVES]; /* of other causes, the nearest first; NULL behind the last */
    form_matches forms;
} judgement;

/* Asks the table. */
judgement judgement_reach(const reset_facts *facts);

/* May S send ordinary segments of this connection after such a reset? */
bool judgement_lets_sender_go_on(const judgement *judgement, const reset_facts *facts);

/* Does such a reset end the connection, so that what comes later is "already-reset"? */
bool judgement_ends_connection(const judgement *judgement, const reset_facts *facts);

#endif
