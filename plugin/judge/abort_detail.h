/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The finer cause of an abort, as far as the wire shows it. */
#ifndef RSTCAUSE_ABORT_DETAIL_H
#define RSTCAUSE_ABORT_DETAIL_H

#include "judgement.h"

/* RSTCAUSE_NO_DETAIL where nothing measured supports one. Adds the evidence for what it returns. */
rstcause_detail abort_detail_find(judgement *judgement, const reset_facts *facts);

#endif
