/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of the patterns that other connections show; situations.c has the table of all. Each must be the pattern of the
 * situation that it is asked about. Owned by the caller. */
#ifndef RSTCAUSE_SURROUNDINGS_H
#define RSTCAUSE_SURROUNDINGS_H

#include "patterns/patterns.h"

char *surroundings_explain_forgotten(const situation *s);
char *surroundings_advise_forgotten(const situation *s);
char *surroundings_explain_idle_closed(const situation *s);
char *surroundings_advise_idle_closed(const situation *s);
char *surroundings_explain_check(const situation *s);
char *surroundings_explain_scan(const situation *s);
char *surroundings_advise_scan(const situation *s);
char *surroundings_explain_stray(const situation *s);
char *surroundings_advise_stray(const situation *s);
char *surroundings_explain_restart(const situation *s);
char *surroundings_advise_restart(const situation *s);
char *surroundings_explain_overflow(const situation *s);
char *surroundings_advise_overflow(const situation *s);
char *surroundings_explain_mass(const situation *s);
char *surroundings_advise_mass(const situation *s);

#endif
