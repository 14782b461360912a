/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads the note in the trailer that an F5 BIG-IP adds to each frame of its own captures, where the frame is a reset of
 * its own making. Formats as Wireshark's packet-f5ethtrailer.c has them. Knows no connections.
 */
#include "rstcause/stated.h"

#include <inttypes.h>
#include <string.h>

/* Before BIG-IP 14: records of type, length without these two, version. */
enum { OLD_HEADER = 3, OLD_MEDIUM = 2, OLD_HIGH = 3, OLD_LEAST = 7, OLD_MOST = 140 };

/* Since then: a header of magic, length and version, and records of provider, type, length and version. */
enum { NEW_HEADER = 8, RECORD_HEADER = 8, PROVIDER_NOISE = 1, NOISE_MEDIUM = 2, MEDIUM_VERSION = 4 };
enum { MEDIUM_TO_NOTE = 31 }; /* bytes of a new medium record between its header and the length of the note */

/* The note: its length, and then a version with the bit "the peer's side", six bytes of code, two of line, text. */
enum { NOTE_CODE = 1, NOTE_LINE = 7, NOTE_TEXT = 9 };

static const uint8_t magic[] = {0xf5, 0xde, 0xb0, 0xf5};

static uint16_t read_16(const uint8_t *bytes)
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static char *tell_note(const uint8_t *note, size_t length)
{
    uint64_t code = 0;
    char *text, *told;

    if (length <= NOTE_TEXT || note[0] >> 1 != 0)
        return NULL;
    for (size_t i = NOTE_CODE; i < NOTE_LINE; i++)
        code = code << 8 | note[i];
    text = g_strndup((const char *)note + NOTE_TEXT, length - NOTE_TEXT);
    told =
        g_strdup_printf("[0x%" PRIx64 ":%u] %s%s", code, read_16(note + NOTE_LINE), note[0] & 1 ? "{peer} " : "", text);
    g_free(text);
    return told;
}

/* Of an old medium record, whose note ends with it. */
static char *read_old_medium(const uint8_t *record, size_t length)
{
    static const size_t length_of_note[] = {0, 29, 30, 34}; /* where it stands, for each version */
    uint8_t version = record[2];
    size_t at;

    if (version == 0 || version >= G_N_ELEMENTS(length_of_note))
        return NULL;
    at = length_of_note[version];
    if (length <= at || at + 1 + record[at] != length)
        return NULL;
    return tell_note(record + at + 1, record[at]);
}

static char *read_old(const uint8_t *trailer, size_t length)
{
    char *note = NULL;

    while (note == NULL && length >= OLD_HEADER) {
        size_t record = (size_t)trailer[1] + 2;

        if (trailer[0] == 0 || trailer[0] > OLD_HIGH || record < OLD_LEAST || record > OLD_MOST || record > length)
            return NULL;
        if (trailer[0] == OLD_MEDIUM)
            note = read_old_medium(trailer, record);
        trailer += record;
        length -= record;
    }
    return note;
}

static char *read_new_medium(const uint8_t *record, size_t length)
{
    const uint8_t *note = record + RECORD_HEADER + MEDIUM_TO_NOTE;

    if (read_16(record + 6) != MEDIUM_VERSION || length <= RECORD_HEADER + MEDIUM_TO_NOTE)
        return NULL;
    return note[0] < length - RECORD_HEADER - MEDIUM_TO_NOTE ? tell_note(note + 1, note[0]) : NULL;
}

static char *read_new(const uint8_t *trailer, size_t length)
{
    char *note = NULL;

    trailer += NEW_HEADER;
    length -= NEW_HEADER;
    while (note == NULL && length >= RECORD_HEADER) {
        size_t record = read_16(trailer + 4);

        if (record < RECORD_HEADER || record > length)
            return NULL;
        if (read_16(trailer) == PROVIDER_NOISE && read_16(trailer + 2) == NOISE_MEDIUM)
            note = read_new_medium(trailer, record);
        trailer += record;
        length -= record;
    }
    return note;
}

char *rstcause_stated_read_f5_trailer(const uint8_t *trailer, size_t length)
{
    enum { FRAME_CHECK = 4 }; /* may stand before a new trailer, and begin with zeros */
    size_t zeros = 0;

    if (length == 0)
        return NULL;
    /* Short frames are padded before the trailer is added. */
    while (zeros < length && trailer[zeros] == 0)
        zeros++;
    for (size_t at = 0; at <= zeros + FRAME_CHECK && at + NEW_HEADER <= length; at++)
        if (memcmp(trailer + at, magic, sizeof magic) == 0)
            return read_new(trailer + at, length - at);
    return read_old(trailer + zeros, length - zeros);
}
