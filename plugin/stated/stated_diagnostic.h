/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The diagnostic payload of draft-ietf-tcpm-rst-diagnostic-payload in each layout that its versions have had. It
 * must not know of segments, nor how the statement is shown.
 */
#ifndef RSTCAUSE_PLUGIN_STATED_DIAGNOSTIC_H
#define RSTCAUSE_PLUGIN_STATED_DIAGNOSTIC_H

#include "rstcause/verdict.h"

typedef struct {
    guint64 code;         /* reason code, 0 where none was read */
    guint64 enterprise;   /* Private Enterprise Number whose code it is, 0: the registry "TCP Failure Causes" */
    GString *description; /* owned; the bytes as sent; NULL where none was read */
    gboolean broken;      /* malformed, or the capture cuts it: what was read is shown, but proves nothing */
} diagnostic_payload;

/*
 * Reads a payload of which 'captured' of 'length' bytes are there. FALSE where its magic number or its shape says
 * that it is none; 'diagnostic' is empty then. Else free it with diagnostic_clear().
 */
gboolean diagnostic_read(diagnostic_payload *diagnostic, const guint8 *payload, gsize captured, gsize length,
                         guint64 magic);
void diagnostic_clear(diagnostic_payload *diagnostic);

/* The cause of ours that a value of "TCP Failure Causes" names. FALSE where it names none. */
gboolean diagnostic_find_cause(guint64 code, rstcause_cause *cause);

#endif
