/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Says in plain words what the judge found. */
#ifndef RSTCAUSE_EXPLAIN_H
#define RSTCAUSE_EXPLAIN_H

#include "judge/judgement.h"

/* One or two sentences with the facts of this connection. Owned by the caller. */
char *explain_verdict(const judgement *judgement, const reset_facts *facts);

#endif
