/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What no verdict may say, whatever came before it. Must not know how the engine judges. */
#ifndef CONTRADICTION_H
#define CONTRADICTION_H

#include "rstcause/verdict.h"

/* Why a verdict cannot stand, NULL where it can: a sentence. */
const char *contradiction_find(const rstcause_verdict *verdict);

#endif
