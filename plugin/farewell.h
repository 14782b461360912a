/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the application of a segment said in farewell: a TLS alert, an HTTP response that ends or refuses, an SMTP or
 * FTP reply that does, an SSH disconnect. Whose words they are and what follows from them is others' business.
 */
#ifndef RSTCAUSE_FAREWELL_H
#define RSTCAUSE_FAREWELL_H

#include "compat.h"

/* Looks up the fields, and appends their ids to those that are wanted of each frame's tree. Once, at handoff. */
void farewell_want_fields(GArray *wanted);

/*
 * The farewell in a dissected frame, the last one where there are several; NULL where there is none. Plain words and
 * numbers of Wireshark's, nothing of the network's text. Lives as long as the frame's dissection.
 */
const char *farewell_read(const packet_info *pinfo, const proto_tree *tree);

#endif
