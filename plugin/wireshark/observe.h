/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the TCP segments of a dissected frame and gives them to the engine. Needs no tree, shows nothing and decides
 * nothing.
 */
#ifndef RSTCAUSE_OBSERVE_H
#define RSTCAUSE_OBSERVE_H

#include "compat.h"
#include "rstcause/tracker.h"

/* Looks up protocols and fields. Once, at handoff. */
void prepare_observing(void);

/* For each capture file, before its first frame. */
void start_observing(void);

/*
 * Gives each segment of the frame to the tracker, ordinary ones when some hundreds are there or one is a reset. For the
 * first pass only: the tracker takes a frame once. Returns how many TCP headers were seen up to and with the last
 * reset; 0 where none is a reset.
 */
unsigned observe_frame(rstcause_tracker *tracker, packet_info *pinfo);

/* When the frame was captured, as the engine wants it: nanoseconds since the epoch. */
int64_t read_time(const packet_info *pinfo);

/* Gives the tracker what it has not been given yet: before it is asked again about a reset. */
void observe_kept(rstcause_tracker *tracker);

#endif
