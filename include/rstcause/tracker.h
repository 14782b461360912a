/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine's front door: follows every connection of one capture and judges its resets.
 */
#ifndef RSTCAUSE_TRACKER_H
#define RSTCAUSE_TRACKER_H

#include "segment.h"
#include "verdict.h"

G_BEGIN_DECLS

typedef struct rstcause_tracker rstcause_tracker;

/*
 * A tracker for one capture. 'magic' is the number that marks a diagnostic payload (see stated.h). Free it with
 * rstcause_tracker_free(), which takes its verdicts with it and accepts NULL.
 */
rstcause_tracker *rstcause_tracker_new(uint64_t magic);
void rstcause_tracker_free(rstcause_tracker *tracker);

/*
 * A bound on what is kept of connections and hosts, in bytes; there is none until it is set, and 1 MiB is the least. It must
 * be set before the first segment. Where it is reached, the quarter of the connections that was idle longest is forgotten,
 * with the hosts that have no other: what they say later is judged as that of connections from before the capture. Verdicts
 * stay, and are not counted (some 0.6 kB each); nor is what resets tell of one another over connections (12 MB at most).
 */
void rstcause_tracker_bound(rstcause_tracker *tracker, uint64_t bytes);

/* The frame of the segment at which connections were forgotten first, for want of memory; 0 where none was. */
uint32_t rstcause_tracker_forgot_in(const rstcause_tracker *tracker);

/*
 * Takes in the next segment of the capture, in the order of the frames, each once. The segment is read during the call
 * only. Returns whether it is a reset, on which there is a verdict now. Amortised O(1): a reset is compared with the window
 * of recent segments and with a bounded number of resets before it; a segment behind many resets in the name of its sender
 * looks at each of them once.
 */
bool rstcause_tracker_observe(rstcause_tracker *tracker, const rstcause_segment *segment);

/*
 * The whole file has been seen, as far as it goes by now; it may go on, and be finished again. In a capture that was merged
 * from several places (each an interface of its own), what a reset's sender did not send at its own end was made on the way:
 * that is known only now. O(resets) each time, and O(connections) where a pattern asks for the connections around its resets.
 */
void rstcause_tracker_finish(rstcause_tracker *tracker);

/*
 * The verdict on the reset in a frame as it stands now, NULL where there is none. It is put into words for this call and
 * stays until the next one; what comes later in the capture may change it (a forged reset is proven by the sender that goes
 * on talking), so ask again rather than keep it. A frame number that comes again (tshark -2 -R gives the number of a frame
 * that it drops to the next one) means the later frame.
 */
const rstcause_verdict *rstcause_tracker_find(rstcause_tracker *tracker, uint32_t frame, uint8_t layer);

/*
 * The way back: the frame of the reset whose verdict names this frame as its trigger, the first where several do; 0 where
 * none does. As the verdicts stood when rstcause_tracker_finish() was called last. Copies of a reset are left out. O(1)
 * where frames are asked for in their order, O(log of the number of resets) else; 12 bytes are kept for each reset that
 * answers a segment.
 */
uint32_t rstcause_tracker_find_reset(rstcause_tracker *tracker, uint32_t trigger);

/* The verdict on that reset, as rstcause_tracker_find() gives it; NULL where there is none. */
const rstcause_verdict *rstcause_tracker_find_answer(rstcause_tracker *tracker, uint32_t trigger);

G_END_DECLS

#endif
