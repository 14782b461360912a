/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Says in plain words what the rules found. */
#ifndef RSTCAUSE_EXPLAIN_H
#define RSTCAUSE_EXPLAIN_H

#include "judge/judgement.h"

/* One or two sentences with the facts of this connection. Owned by the caller. */
char *explain_verdict(const judgement *judgement, const reset_facts *facts);

/* What P's application sees of it, and from which call. Owned by the caller. */
char *explain_effect(const judgement *judgement, const reset_facts *facts);

/* Is it one that P, where it follows RFC 5961, answers with a challenge ACK, and that its sender does not confirm? */
bool explain_is_challenged(const judgement *judgement, const reset_facts *facts);

/* The address as text, into a buffer of at least 46 bytes, which is returned. */
const char *explain_address(const rstcause_address *address, char *buffer);

#endif
