/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The facts that a verdict rests on, and what speaks for and against the others. */
#ifndef RSTCAUSE_EVIDENCE_H
#define RSTCAUSE_EVIDENCE_H

#include "judge/judgement.h"

/* Of char *, at least one; owned by the caller. */
GPtrArray *evidence_list(const judgement *judgement, const reset_facts *facts);

/* Of char *: the name of another cause, a colon, what speaks against it; empty where there is none. Owned by the caller. */
GPtrArray *evidence_list_alternatives(const judgement *judgement, const reset_facts *facts);

#endif
