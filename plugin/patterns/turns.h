/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose turn it was when the connection ended. Knows no pattern and no words. */
#ifndef RSTCAUSE_TURNS_H
#define RSTCAUSE_TURNS_H

#include "situation.h"

/* P had asked, S had taken that in and reset without an answer. */
bool turns_leave_unanswered(const situation *s);

/* S had said all that it had to say and closed; what it answered is the alert with which P ended TLS. */
bool turns_end_politely(const situation *s);

#endif
