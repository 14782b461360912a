/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tells a pattern with the numbers of this connection. Decides none. */
#ifndef RSTCAUSE_SITUATIONS_H
#define RSTCAUSE_SITUATIONS_H

#include "patterns/patterns.h"

/* What happened: a short first sentence, then what it rests on. NULL where the pattern is none. Owned by the caller. */
char *situations_explain(rstcause_pattern pattern, const situation *s);

/* What to do. NULL where there is nothing to do, or the pattern is none. Owned by the caller. */
char *situations_advise(rstcause_pattern pattern, const situation *s);

#endif
