/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shows verdicts: fields in the tree, an expert info, a mark in the Info column. Knows no rules.
 */
#ifndef RSTCAUSE_PRESENT_H
#define RSTCAUSE_PRESENT_H

#include "compat.h"
#include "rstcause/verdict.h"

/* Registers the fields and the expert infos. Once, at registration. */
void register_presentation(int protocol);

/* A tree of its own for each verdict, and its expert info. */
void present_verdict(const rstcause_verdict *verdict, tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree);

/* What the Info column says of a verdict, put behind what it says of those of the layers before. */
void present_mark(const rstcause_verdict *verdict, wmem_strbuf_t *marks);

/* Puts the marks of all layers before what is in the Info column, as Wireshark does with its own. */
void present_marks(const wmem_strbuf_t *marks, packet_info *pinfo);

/* On the frame where connections began to be forgotten, since they may take no more than so many megabytes. */
void present_forgetting(unsigned megabytes, tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree);

/* On a frame that a reset answers: where that is, and what. */
void present_way_back(const rstcause_verdict *answer, tvbuff_t *tvb, proto_tree *tree);

#endif
