/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a pattern may ask of one reset: its facts, its judgement, and what follows from them for the situation behind it.
 * S is the endpoint whose address is on the reset, P its peer.
 */
#ifndef RSTCAUSE_SITUATION_H
#define RSTCAUSE_SITUATION_H

#include "judge/judge.h"

typedef struct {
    const reset_facts *facts; /* borrowed from the case */
    const judgement *judgement;
    bool sender_is_client; /* by the SYN, from the ports only where no handshake was seen */
    int64_t idle;          /* nanoseconds of silence before the event that led to the reset; negative where not known */
} situation;

/* 'one' must be opened (judge_find()) and no copy; it outlives the situation. */
situation situation_look(const reset_case *one);

/* A connection that was silent for so long was idle: servers wait for the next request from 1 s on (1 s is the least that
 * most of them can be set to). */
extern const int64_t situation_idle_from;

/* Its latest data is one TLS record that is an alert, as far as its outside tells. */
bool situation_is_tls_alert(const endpoint *end);

/* Its latest data is a fatal TLS alert in the clear, other than the one that only says goodbye. */
bool situation_has_refused(const endpoint *end);

#endif
