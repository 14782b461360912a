/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a reset's sender itself says the reason is: a diagnostic payload, text in the payload, an MPTCP option,
 * what an F5 device noted in its own capture.
 */
#ifndef RSTCAUSE_STATED_H
#define RSTCAUSE_STATED_H

#include "segment.h"
#include "verdict.h"

G_BEGIN_DECLS

/*
 * The number that marks a diagnostic payload (draft-ietf-tcpm-rst-diagnostic-payload, section 4.1); another may be
 * set, since the draft is an experiment. It counts in both layouts that the draft has had, the 8 bytes of today
 * and the CBOR sequence of before; the numbers that earlier versions had are known besides.
 */
extern const uint64_t rstcause_stated_default_magic;

typedef struct {
    /* Owned; at most 255 bytes of valid UTF-8, what is not printable escaped; NULL where nothing is stated. */
    char *text;
    bool has_cause; /* what is stated names a cause of ours */
    rstcause_cause cause;
    bool is_remark;        /* it is in words: text in the payload, or a device's note */
    bool is_fastclose;     /* MPTCP MP_FASTCLOSE (RFC 8684 section 3.5) */
    uint32_t failure_code; /* "TCP Failure Causes" value of the diagnostic payload, 0 where it has none */
} rstcause_stated;

/*
 * Decodes what a reset states. Reads only the segment's options, payload and device_note; malformed ones give what
 * could be read, or nothing, and never a cause. Free with rstcause_stated_clear().
 */
void rstcause_stated_read(rstcause_stated *stated, const rstcause_segment *segment, uint64_t magic);
void rstcause_stated_clear(rstcause_stated *stated);

/*
 * The note on a reset in the trailer of a frame that an F5 BIG-IP captured itself, as it would write it into a payload:
 * what a segment's device_note is to be. 'trailer' is what stands behind the packet in its frame, padding and all (it may be
 * NULL where 'length' is 0). The result is NULL where there is none; free with g_free().
 */
char *rstcause_stated_read_f5_trailer(const uint8_t *trailer, size_t length);

/* The description of a value of the "TCP Failure Causes" registry; NULL where it is not assigned. Static. */
const char *rstcause_stated_failure_name(uint64_t code);

/*
 * Citrix NetScaler writes its reason into the window of its resets. The name of a code, NULL for any other value.
 * A lone window value proves nothing: use it only where other evidence says NetScaler.
 */
const char *rstcause_stated_netscaler(uint16_t window);

G_END_DECLS

#endif
