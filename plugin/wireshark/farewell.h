/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the application of a segment said in farewell: a TLS alert, an HTTP response that ends or refuses, an SMTP or
 * FTP reply that does, an SSH disconnect. Whose words they are and what follows from them is others' business.
 */
#ifndef RSTCAUSE_FAREWELL_H
#define RSTCAUSE_FAREWELL_H

#include "compat.h"

/* Once, at handoff. */
void farewell_look_up_fields(void);

/* For a new capture file, so that it does not matter which one was read before. */
void farewell_forget_protocols(void);

/* Appends the fields that are wanted of each frame's tree: those of the protocols met so far in the capture file. */
void farewell_append_wanted(GArray *wanted);

/*
 * The farewell in a dissected frame, the last one where there are several; NULL where there is none. Plain words and
 * numbers of Wireshark's, nothing of the network's text. Lives as long as the frame's dissection. Sets wants_more
 * where a protocol was met for the first time: there is more to be wanted then.
 */
const char *farewell_read(const packet_info *pinfo, const proto_tree *tree, bool *wants_more);

#endif
