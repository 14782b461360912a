/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the application of the receiver sees of a reset. */
#ifndef RSTCAUSE_EFFECT_H
#define RSTCAUSE_EFFECT_H

#include "judge/judgement.h"

/* The error, and the call that returns it. Owned by the caller. */
char *effect_tell(const judgement *judgement, const reset_facts *facts);

#endif
