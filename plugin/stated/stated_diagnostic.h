/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The diagnostic payload of draft-ietf-tcpm-rst-diagnostic-payload in each layout that its versions have had. It
 * must not know of segments, nor how the statement is shown.
 */
#ifndef RSTCAUSE_PLUGIN_STATED_DIAGNOSTIC_H
#define RSTCAUSE_PLUGIN_STATED_DIAGNOSTIC_H

#include "rstcause/verdict.h"

typedef struct {
    uint64_t code;        /* reason code, 0 where none was read */
    uint64_t enterprise;  /* Private Enterprise Number whose code it is, 0: the registry "TCP Failure Causes" */
    GString *description; /* owned; the bytes as sent; NULL where none was read */
    bool broken;          /* malformed, or the capture cuts it: what was read is shown, but proves nothing */
} diagnostic_payload;

/*
 * Reads a payload of which 'captured' of 'length' bytes are there. false where its magic number or its shape says
 * that it is none; 'diagnostic' is empty then. Else free it with diagnostic_clear().
 */
bool diagnostic_read(diagnostic_payload *diagnostic, const uint8_t *payload, size_t captured, size_t length,
                     uint64_t magic);
void diagnostic_clear(diagnostic_payload *diagnostic);

/* The cause of ours that a value of "TCP Failure Causes" names. false where it names none. */
bool diagnostic_find_cause(uint64_t code, rstcause_cause *cause);

#endif
