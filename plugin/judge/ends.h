/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two ends: in a capture that was merged from several places, is a reset there at its sender's own end? Weaver, Sommer and
 * Paxson's one proof of a forgery that needs no weighing.
 */
#ifndef RSTCAUSE_ENDS_H
#define RSTCAUSE_ENDS_H

#include "facts.h"

/* Is 'there', which has seen the same connection, nearer to the named sender than where the reset was captured? Undecided
 * where TTLs and delays do not tell. */
typedef enum { ENDS_UNDECIDED, ENDS_THERE_IS_SENDERS, ENDS_HERE_IS_SENDERS } ends_order;
ends_order ends_compare(const reset_facts *facts, const connection *there);

/* That end has seen all that was sent until the reset, and not the reset: so S did not send it. A backend that was not
 * captured is no proof. */
bool ends_prove_absence(const reset_facts *facts, const connection *there);

#endif
