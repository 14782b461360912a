/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See fuzz.h. */
#include "fuzz.h"

#include <string.h>

#include "rstcause/stated.h"

enum { HAS_OPTIONS = 1, HAS_NOTE = 2, HAS_TRAILER = 4, HAS_OTHER_MAGIC = 8 };

enum { MOST_TEXT = 255, LARGEST_CODE = 65535 };

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text = g_utf8_next_char(text)) {
        if (!g_unichar_isprint(g_utf8_get_char(text)))
            return false;
    }
    return true;
}

static void check(const rstcause_stated *stated)
{
    if (stated->text == NULL) {
        fuzz_require(!stated->has_cause, "a cause is named, and nothing stated");
        fuzz_require(!stated->is_fastclose, "a fast close, and nothing stated");
        fuzz_require(!stated->is_remark, "a remark without text");
        fuzz_require(stated->failure_code == 0, "a failure code, and nothing stated");
        return;
    }
    fuzz_require(*stated->text != '\0', "an empty text is stated");
    fuzz_require(strlen(stated->text) <= MOST_TEXT, "the text is longer than 255 bytes");
    fuzz_require(g_utf8_validate(stated->text, -1, NULL), "the text is no UTF-8");
    fuzz_require(is_printable(stated->text), "the text has a character that is not printable");
    fuzz_require(!stated->has_cause || (unsigned)stated->cause < RSTCAUSE_CAUSES, "the cause is out of its range");
    fuzz_require(stated->failure_code <= LARGEST_CODE, "the failure code is out of its range");
}

/* What is malformed, or cut, proves nothing: only an option behind it may name a cause. */
static void check_broken(const rstcause_stated *stated, bool has_options)
{
    bool is_broken = stated->text != NULL && (g_str_has_prefix(stated->text, "malformed diagnostic") ||
                                              g_str_has_prefix(stated->text, "truncated diagnostic"));

    fuzz_require(!is_broken || has_options || !stated->has_cause, "a broken payload names a cause");
    fuzz_require(!is_broken || stated->failure_code == 0, "a broken payload has a failure code");
}

static void check_same(const rstcause_stated *one, const rstcause_stated *other)
{
    fuzz_require(g_strcmp0(one->text, other->text) == 0 && one->has_cause == other->has_cause &&
                     one->cause == other->cause && one->is_remark == other->is_remark &&
                     one->is_fastclose == other->is_fastclose && one->failure_code == other->failure_code,
                 "the same segment states something else the second time");
}

static uint64_t take_magic(fuzz_bytes *input)
{
    uint64_t magic = 0;

    for (unsigned i = 0; i < sizeof magic; i++)
        magic = magic << 8 | fuzz_take(input);
    return magic;
}

void fuzz_stated(const uint8_t *data, size_t size)
{
    fuzz_bytes input = {data, size};
    uint8_t choices = fuzz_take(&input), missing = fuzz_take(&input), options_length = fuzz_take(&input);
    uint64_t magic = (choices & HAS_OTHER_MAGIC) != 0 ? take_magic(&input) : rstcause_stated_default_magic;
    size_t options_captured, captured;
    uint8_t *options = fuzz_take_block(&input, options_length, &options_captured);
    uint8_t *payload = fuzz_take_block(&input, input.left, &captured);
    char *trailer = rstcause_stated_read_f5_trailer(payload, captured);
    char *note = (choices & HAS_NOTE) != 0 && payload != NULL ? g_strndup((const char *)payload, captured) : NULL;
    rstcause_segment segment = {
        .payload = (choices & HAS_TRAILER) == 0 ? payload : NULL,
        .payload_captured = (choices & HAS_TRAILER) == 0 ? (uint32_t)captured : 0,
        .options = (choices & HAS_OPTIONS) != 0 ? options : NULL,
        .options_length = (choices & HAS_OPTIONS) != 0 ? (uint32_t)options_captured : 0,
        .device_note = note != NULL ? note : trailer,
    };
    rstcause_stated stated, again;

    segment.length = segment.payload_captured + missing;
    rstcause_stated_read(&stated, &segment, magic);
    rstcause_stated_read(&again, &segment, magic);
    check(&stated);
    check_broken(&stated, segment.options != NULL);
    check_same(&stated, &again);
    rstcause_stated_clear(&stated);
    rstcause_stated_clear(&again);
    fuzz_require(rstcause_stated_netscaler((uint16_t)(choices << 8 | missing)) == NULL ||
                     *rstcause_stated_netscaler((uint16_t)(choices << 8 | missing)) != '\0',
                 "a code of NetScaler has an empty name");
    g_free(note);
    g_free(trailer);
    g_free(options);
    g_free(payload);
}
