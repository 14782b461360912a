/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A reader for the few forms of CBOR (RFC 8949) that a diagnostic payload is made of. It must not know what the
 * items mean.
 */
#include "stated_cbor.h"

/* A diagnostic payload nests once; what nests deeper is no statement, and must not exhaust the stack. */
#define MAX_DEPTH 8

bool cbor_read_head(cbor_cursor *cursor, cbor_head *head)
{
    do {
        if (cursor->next >= cursor->end)
            return false;
        uint8_t initial = *cursor->next++;
        uint8_t additional = initial & 0x1f;

        head->major = initial >> 5;
        head->indefinite = false;
        head->value = additional;
        if (additional >= 24 && additional <= 27) {
            size_t bytes = (size_t)1 << (additional - 24);

            if ((size_t)(cursor->end - cursor->next) < bytes)
                return false;
            head->value = 0;
            while (bytes-- > 0)
                head->value = head->value << 8 | *cursor->next++;
        } else if (additional == 31) {
            /* RFC 8949 section 3.2: neither a number nor a tag is of indefinite length. */
            if (head->major == CBOR_UNSIGNED || head->major == CBOR_NEGATIVE || head->major == CBOR_TAG)
                return false;
            head->indefinite = true;
            head->value = 0;
        } else if (additional > 27) {
            return false;
        }
    } while (head->major == CBOR_TAG);
    return true;
}

static bool is_break(const cbor_head *head)
{
    return head->major == CBOR_SIMPLE && head->indefinite;
}

static bool read_chunk(cbor_cursor *cursor, uint64_t length, GString *string)
{
    size_t left = (size_t)(cursor->end - cursor->next);
    size_t taken = (size_t)MIN(length, left);

    if (string)
        g_string_append_len(string, (const char *)cursor->next, (gssize)taken);
    cursor->next += taken;
    return taken == length;
}

static bool read_string(cbor_cursor *cursor, const cbor_head *head, GString *string)
{
    if (!head->indefinite)
        return read_chunk(cursor, head->value, string);
    for (;;) {
        cbor_head chunk;

        if (!cbor_read_head(cursor, &chunk))
            return false;
        if (is_break(&chunk))
            return true;
        if (chunk.major != head->major || chunk.indefinite || !read_chunk(cursor, chunk.value, string))
            return false;
    }
}

bool cbor_read_string(cbor_cursor *cursor, const cbor_head *head, GString *string)
{
    return (head->major == CBOR_TEXT || head->major == CBOR_BYTES) && read_string(cursor, head, string);
}

/* NOLINTNEXTLINE(misc-no-recursion): 'depth' bounds it */
static bool skip_nested(cbor_cursor *cursor, const cbor_head *head, int depth)
{
    if (head->major == CBOR_TEXT || head->major == CBOR_BYTES)
        return read_string(cursor, head, NULL);
    if (head->major != CBOR_ARRAY && head->major != CBOR_MAP)
        return !is_break(head);
    if (depth >= MAX_DEPTH)
        return false;

    /* A count that lies runs into the end of the bytes: each item takes at least one. */
    uint64_t per_entry = head->major == CBOR_MAP ? 2 : 1;
    for (uint64_t i = 0; head->indefinite || i / per_entry < head->value; i++) {
        cbor_head item;

        if (!cbor_read_head(cursor, &item))
            return false;
        if (head->indefinite && is_break(&item))
            return i % per_entry == 0;
        if (!skip_nested(cursor, &item, depth + 1))
            return false;
    }
    return true;
}

bool cbor_skip(cbor_cursor *cursor, const cbor_head *head)
{
    return skip_nested(cursor, head, 0);
}
