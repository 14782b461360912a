/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shows verdicts: fields in the tree, an expert info, a suffix in the Info column. Knows no rules.
 */
#ifndef RSTCAUSE_PRESENT_H
#define RSTCAUSE_PRESENT_H

#include "compat.h"
#include "rstcause/verdict.h"

/* Registers the fields and the expert infos. Once, at registration. */
void register_presentation(int protocol);

void present_verdict(const rstcause_verdict *verdict, tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree,
                     bool in_info_column);

#endif
