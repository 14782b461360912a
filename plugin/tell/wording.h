/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words that the stories of several patterns share. */
#ifndef RSTCAUSE_WORDING_H
#define RSTCAUSE_WORDING_H

#include "patterns/patterns.h"

enum { DURATION_ROOM = 24 };

/* "0.40 ms", "5.0 s", "351 s", "2.5 h": idle times are told to the second, as they are set. Returns the buffer. */
const char *wording_duration(int64_t nanoseconds, char buffer[DURATION_ROOM]);

/* "client" or "server". Static. */
const char *wording_sender(const situation *s);
const char *wording_receiver(const situation *s);

/* " 75 s is the default of nginx.", with the space; or nothing. Owned by the caller. */
char *wording_hint_at_closer(int64_t idle, int64_t round_trip);

#endif
