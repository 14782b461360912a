/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a later segment of the named sender tells of a reset. Knows no cause and changes nothing. */
#ifndef RSTCAUSE_LATER_H
#define RSTCAUSE_LATER_H

#include "facts.h"

/*
 * A segment without RST of S after a reset in its name: does S go on as if it had sent none? Retransmissions and what was
 * on the way are none. To be asked before the segment is followed.
 */
bool later_goes_on(const reset_facts *facts, const connection *connection, uint8_t side,
                   const rstcause_segment *segment);

/* Does such a segment show that what the reset answers never reached S? */
bool later_misses_trigger(const reset_facts *facts, const connection *connection, uint8_t side,
                          const rstcause_segment *segment);

/* The same of a reset that answered what was none of this connection's: S may have the connection, and shows it by what it made
 * after the reset, were it an ACK alone. */
bool later_lives_on(const reset_facts *facts, const connection *connection, uint8_t side,
                    const rstcause_segment *segment);

/* Has S's counter of IP IDs counted the reset among its own? */
bool later_counts_reset(const reset_facts *facts, const connection *connection, uint8_t side,
                        const rstcause_segment *segment);

/* S's SYN/ACK to the very SYN that the reset refused, which was not sent again. */
bool later_accepts(const reset_facts *facts, const connection *connection, const rstcause_segment *segment);

/* The trigger of a reset is not looked for in more frames behind it: rings of a card are emptied in turn. */
enum { LATER_MOST_OUT_OF_ORDER = 64 };

/* Is this segment of P what the reset answers, though the capture has it behind the reset? */
bool later_is_trigger(const reset_facts *facts, const rstcause_segment *segment);

#endif
