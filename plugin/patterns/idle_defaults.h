/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Idle times that services and devices have unless somebody sets them: hints at who it may be, never facts. */
#ifndef RSTCAUSE_IDLE_DEFAULTS_H
#define RSTCAUSE_IDLE_DEFAULTS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum { CLOSES_IDLE, FORGETS_IDLE } idle_habit; /* a server ends the connection; a device on the path loses it */

/*
 * Who has an idle time from 'shortest' to 'longest' nanoseconds by default, as a sentence ("75 s is the default of nginx.");
 * NULL where nobody is known. Free with g_free().
 */
char *idle_defaults_tell(idle_habit habit, int64_t shortest, int64_t longest);

#endif
