/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules: which facts make which cause. */
#ifndef RSTCAUSE_RULES_H
#define RSTCAUSE_RULES_H

#include "judgement.h"

/* Sets cause, detail, confidence and what the cause rests on. Some rule always applies: the last is "unknown". */
void rules_judge(judgement *judgement, const reset_facts *facts);

#endif
