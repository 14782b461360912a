/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Puts a judgement into words. Decides no cause. */
#ifndef RSTCAUSE_TELL_H
#define RSTCAUSE_TELL_H

#include "patterns/neighbours.h"
#include "rstcause/verdict.h"

/* The verdict on a reset, as it stands now. Free with tell_free(). */
rstcause_verdict *tell_verdict(const reset_case *told, const neighbours *around);

/* Accepts NULL. */
void tell_free(rstcause_verdict *verdict);

#endif
