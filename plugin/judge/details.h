/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The finer cause of a reset, as far as the capture shows it. */
#ifndef RSTCAUSE_DETAILS_H
#define RSTCAUSE_DETAILS_H

#include "judgement.h"

/* RSTCAUSE_NO_DETAIL where nothing tells the mechanisms apart that leave the same packets. */
rstcause_detail details_find(const judgement *judgement, const reset_facts *facts);

/* Has the receive queue of S been emptied between its last segment and the reset? */
bool details_queue_was_emptied(const reset_facts *facts);

#endif
