/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Breaks a text into lines. See lines.h. */
#include "lines.h"

#include <stdbool.h>
#include <string.h>

static const char indent[] = "    ";

static bool ends_sentence(const char *space)
{
    return strchr(".?!", space[-1]) != NULL;
}

static bool ends_clause(const char *space)
{
    return strchr(",:;", space[-1]) != NULL;
}

/* The space behind the first sentence, or the end. */
static const char *find_end_of_sentence(const char *text)
{
    const char *space = text;

    while ((space = strchr(space, ' ')) != NULL) {
        if (space > text && ends_sentence(space))
            return space;
        space++;
    }
    return text + strlen(text);
}

/*
 * Where the line ends that begins at 'text': behind the last clause that fits if that fills half of it, else behind the last
 * word that fits, or behind the first word.
 */
static const char *find_end_of_line(const char *text, const char *end, unsigned width)
{
    const char *clause = NULL, *word = NULL;

    if (g_utf8_strlen(text, end - text) <= (glong)width)
        return end;
    for (const char *space = text + 1; space < end; space++) {
        glong length = *space == ' ' ? g_utf8_strlen(text, space - text) : 0;

        if (length > (glong)width && word != NULL)
            break;
        if (length == 0)
            continue;
        word = space;
        if (length >= (glong)width / 2 && ends_clause(space))
            clause = space;
    }
    return clause != NULL ? clause : word != NULL ? word : end;
}

static void break_sentence(GPtrArray *lines, const char *text, const char *end, unsigned width, bool is_indented)
{
    const char *from = text;

    while (from < end) {
        bool goes_on = is_indented || from > text;
        const char *to = find_end_of_line(from, end, goes_on ? width - (unsigned)strlen(indent) : width);

        g_ptr_array_add(lines, g_strdup_printf("%s%.*s", goes_on ? indent : "", (int)(to - from), from));
        from = to < end ? to + 1 : end;
    }
}

static void break_text(GPtrArray *lines, const char *text, unsigned width, bool is_named)
{
    while (*text != '\0') {
        const char *end = find_end_of_sentence(text);

        break_sentence(lines, text, end, width, is_named && lines->len > 0);
        text = *end != '\0' ? end + 1 : end;
    }
    if (lines->len == 0)
        g_ptr_array_add(lines, g_strdup(""));
}

GPtrArray *lines_break(const char *name, const char *text, unsigned width)
{
    GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
    char *named = name != NULL ? g_strdup_printf("%s: %s", name, text) : NULL;

    break_text(lines, named != NULL ? named : text, width, named != NULL);
    g_free(named);
    return lines;
}
