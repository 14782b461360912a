/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What resets tell of one another: those of one host, those of one connection. Each function takes a case that is open,
 * puts what it finds into the facts of both, and asks the table again.
 */
#ifndef RSTCAUSE_COMPARE_H
#define RSTCAUSE_COMPARE_H

#include "cases.h"

/* The resets of one connection that later segments may tell of. */
typedef struct {
    reset_case *latest[2];      /* in each side's name */
    uint32_t first_number;      /* of its cases: what is numbered lower is of a connection that was forgotten */
    bool sender_continued[2];   /* ... and the side went on talking after it */
    bool receiver_continued[2]; /* ... and so did its peer */
} connection_cases;

/* What the resets of one host tell of one another. */
typedef struct {
    reset_case *unserved; /* latest abort of a connection that this host accepted and never used */
    bool is_refused;      /* ... to whose port a SYN was refused since */
    GPtrArray *coded;     /* resets whose windows are NetScaler codes, until two differ; NULL where none */
    bool codes_differ;
    reset_case *refused_first; /* latest refusal, where the host had not shown its TTL; see 'before' */
} host_cases;

/* Connections that one listener had accepted and that were never used are reset at one moment when it is closed. */
void compare_with_unserved(case_book *book, host_cases *of_host, reset_case *one);

/* The port of those refuses a SYN. */
void note_refusal(case_book *book, host_cases *of_host, const reset_case *one);

/* ... or accepts one at once. */
void note_listener(case_book *book, host_cases *of_host, const rstcause_segment *syn_ack);

/* NetScaler's codes in the window. */
void compare_codes(case_book *book, host_cases *of_host, reset_case *one);

/* A refusal by a host that had shown no TTL before, and the TTL that it shows later. */
void note_blind_refusal(host_cases *of_host, reset_case *one);
void note_ttl(case_book *book, host_cases *of_host, uint8_t ttl);

/* The reset of the other direction that came at the same moment. */
void compare_with_counterpart(case_book *book, connection_cases *of_connection, reset_case *one);

/* Whether this one is forged, for that of the other direction. */
void tell_counterpart(case_book *book, const reset_case *one);

/* Those in the same name before it. */
void compare_with_siblings(case_book *book, reset_case *one);

#endif
