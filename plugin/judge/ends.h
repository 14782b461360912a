/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two ends: in a capture that was merged from several places, is a reset there at its sender's own end? Weaver, Sommer and
 * Paxson's one proof of a forgery that needs no weighing. 'there' has seen the same connection from another place.
 */
#ifndef RSTCAUSE_ENDS_H
#define RSTCAUSE_ENDS_H

#include "facts.h"

/* The reset was captured nearer to the named sender than 'there', on that one's own link: so it is no forgery. Undecided
 * where TTLs and delays do not tell. */
bool ends_show_presence(const reset_facts *facts, const connection *there);

/* 'There' is nearer to the sender, has seen all that was sent until the reset, and not the reset. A backend that was not
 * captured is no proof, nor is a capture that had ended long before. */
bool ends_show_absence(const reset_facts *facts, const connection *there, int64_t latest_time);

/* A segment of that place that came later than the reset would have: the capture had not ended there, and it is proven that
 * the sender did not send it. 'latest' is of whatever connection. 0 where nothing tells. */
uint32_t ends_find_later(const reset_facts *facts, const connection *there, uint32_t latest_frame, int64_t latest_time);

#endif
