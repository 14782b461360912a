/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compares a reset with what S would have sent: with its own resets, and with its answers. What its stack is known to
 * write is in follow/stack.c, what the host itself has shown in the facts. Knows no cause.
 */
#ifndef RSTCAUSE_FORM_H
#define RSTCAUSE_FORM_H

#include "facts.h"

typedef enum {
    FEATURE_FLAGS,       /* those that no stack sets together */
    FEATURE_OTHER_FLAGS, /* those that this stack never sets in a reset */
    FEATURE_ACK_FLAG,
    FEATURE_SEQUENCE,
    FEATURE_ACKNOWLEDGEMENT,
    FEATURE_WINDOW,
    FEATURE_IP_ID,
    FEATURE_DF,
    FEATURE_TTL,
    FEATURE_TIMESTAMPS,
    FEATURE_ECHO, /* the timestamp of P that it echoes */
    FEATURE_FLOW_LABEL,
    FEATURE_TIME,    /* since what it would answer, or acknowledges */
    FEATURE_TRIGGER, /* is there anything that it would answer? */
    FEATURES
} form_feature;

/* How much a contradiction weighs: one that is CONTRADICTED rules the form out, unless the row of the stack is wrong. */
enum { WEIGHT_NONE = 0, WEIGHT_HINT = 1, WEIGHT_ODD = 2, WEIGHT_CONTRADICTED = 4 };

/* What each feature says of one form: nothing against it, or it contradicts by so much. */
typedef struct {
    uint8_t against[FEATURES];
    unsigned weight; /* of all that contradicts */
} form_match;

typedef struct {
    form_match own;    /* S made it of itself */
    form_match answer; /* S's stack answered a segment */
    form_match
        device; /* a device that stands for S (a NAT, a balancer) answered: its form is open, its number is not */
} form_matches;

form_matches form_compare(const reset_facts *facts);

/* Is the RST bit damage in a segment that is no reset? */
bool form_is_damaged(const reset_facts *facts);

/* Windows and gVisor answer what comes after their close with RST,ACK at their own next number, in the form of their own
 * resets. */
bool form_answers_as_closed(const reset_facts *facts);

/* The least that speaks against every genuine reading. */
unsigned form_least_against(const form_matches *matches);

#endif
