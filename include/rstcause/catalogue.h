/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The catalogue of causes: one row for each, with all that is the same for every reset of that cause.
 */
#ifndef RSTCAUSE_CATALOGUE_H
#define RSTCAUSE_CATALOGUE_H

#include "verdict.h"

G_BEGIN_DECLS

/* As Wireshark grades expert information; a harmless reset is no warning. */
typedef enum { RSTCAUSE_CHAT, RSTCAUSE_NOTE, RSTCAUSE_WARN, RSTCAUSE_ERROR, RSTCAUSE_SEVERITIES } rstcause_severity;

typedef struct {
    const char *name;           /* as in the contract */
    rstcause_severity severity; /* where the reset did harm */
    rstcause_severity harmless; /* where it did none: everything sent had been acknowledged */
    const char *meaning;        /* half a sentence */
    const char *reference;      /* RFC section or source; NULL where there is none */
    const char *advice;         /* what to look at next; NULL where there is nothing to do */
    uint8_t failure_code;       /* nearest value of the "TCP Failure Causes" registry, 0 where there is none */
} rstcause_catalogue_row;

/* The row of a cause, or of RSTCAUSE_UNKNOWN for a value out of range. Static. */
const rstcause_catalogue_row *rstcause_catalogue(rstcause_cause cause);

/* The name from the contract. Static. */
const char *rstcause_severity_name(rstcause_severity severity);

/* The severity that fits this verdict. */
rstcause_severity rstcause_verdict_severity(const rstcause_verdict *verdict);

G_END_DECLS

#endif
