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
    bool sender_is_client;          /* by the SYN, from the ports only where no handshake was seen */
    const endpoint *asking, *asked; /* the client's and the server's end of the connection */
    bool awaits_reply;              /* the client has asked, and the server not answered: silent, but not idle */
    int64_t idle; /* nanoseconds of silence before the event that led to the reset; negative where not known */

    /* What other connections tell; NULL or 0 where nothing. See neighbours.h, which fills it in. */
    const struct service *service;
    const struct service_client *client;
    const struct scan *scan;
    uint32_t straggler; /* frame of the peer's data that came too late for this reset, and was answered */
    uint32_t farewell;  /* ... and of its FIN */
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

/* The port that was asked. */
uint16_t situation_service_port(const situation *s);

/* How the first words of both sides differ. */
typedef enum {
    PROTOCOLS_AGREE, /* as far as they are known */
    OTHER_ANSWER,    /* each said what the other's protocol does not say */
    SERVER_SPOKE_FIRST, /* a client of a protocol in which the client speaks first did not wait for the server's greeting */
    NO_TLS_ANSWER,      /* a ClientHello, and the server went at once without a word */
    NO_ANSWER_ON_TLS_PORT, /* a plain request to a port where TLS is spoken, and the server went at once without a word */
    NO_HTTP_ANSWER         /* ... to a service that speaks no HTTP */
} protocol_difference;

/* What the service with this port number speaks, where that is neither HTTP nor TLS; NULL where it is not known. Static. */
const char *situation_name_service(uint16_t port);

protocol_difference situation_compare_protocols(const situation *s);

#endif
