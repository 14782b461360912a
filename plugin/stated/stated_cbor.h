/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reader for the few forms of CBOR (RFC 8949) that a diagnostic payload is made of. It must not know what the
 * items mean.
 *
 * Written here, because the engine may not use epan's reader, and a library would bring a dependency, an allocator
 * and a tree for two integers and a string. Nothing is allocated and no length is believed before it is checked.
 */
#ifndef RSTCAUSE_PLUGIN_STATED_CBOR_H
#define RSTCAUSE_PLUGIN_STATED_CBOR_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

/* Major types, RFC 8949 section 3.1. */
enum {
    CBOR_UNSIGNED = 0,
    CBOR_NEGATIVE = 1,
    CBOR_BYTES = 2,
    CBOR_TEXT = 3,
    CBOR_ARRAY = 4,
    CBOR_MAP = 5,
    CBOR_TAG = 6,
    CBOR_SIMPLE = 7
};

/* The bytes still to be read; moves on with each call. */
typedef struct {
    const uint8_t *next;
    const uint8_t *end;
} cbor_cursor;

typedef struct {
    uint8_t major;
    bool indefinite; /* a string, array or map up to a "break"; with CBOR_SIMPLE: the "break" itself */
    uint64_t value;  /* the number, or the length or count of what follows */
} cbor_head;

/* Reads the head of the next item; tags before it are skipped. false at the end, or where it is not well-formed. */
bool cbor_read_head(cbor_cursor *cursor, cbor_head *head);

/*
 * Appends the string whose head was just read. false where it breaks off or is not well-formed; what there is of it
 * has been appended then.
 */
bool cbor_read_string(cbor_cursor *cursor, const cbor_head *head, GString *string);

/* Skips the content of the item whose head was just read. false where it breaks off or nests deeper than 8. */
bool cbor_skip(cbor_cursor *cursor, const cbor_head *head);

#endif
