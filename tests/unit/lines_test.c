/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Texts broken into lines: none longer than the pane, nothing lost, and a break where a reader takes breath. */
#include "tell/lines.h"

#include <stdbool.h>
#include <string.h>

static void expect_lines(const char *name, const char *text, unsigned width, const char *const expected[],
                         unsigned count)
{
    GPtrArray *lines = lines_break(name, text, width);

    g_assert_cmpuint(lines->len, ==, count);
    for (unsigned i = 0; i < count; i++)
        g_assert_cmpstr(g_ptr_array_index(lines, i), ==, expected[i]);
    g_ptr_array_free(lines, true);
}

#define EXPECT(name, text, width, ...)                                                                                 \
    expect_lines(name, text, width, (const char *const[]){__VA_ARGS__},                                                \
                 sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static void short_text_stays(void)
{
    EXPECT(NULL, "It answered #12.", 40, "It answered #12.");
    EXPECT(NULL, "It answered #12.", 16, "It answered #12.");
    EXPECT(NULL, "", 40, "");
}

static void one_sentence_a_line(void)
{
    EXPECT(NULL, "It answered #12. Nothing was closed? So it was.", 80, "It answered #12.", "Nothing was closed?",
           "So it was.");
}

/* Points inside of numbers and addresses end no sentence. */
static void points_in_numbers(void)
{
    EXPECT(NULL, "After 5.0 s 192.0.2.10 (RFC 9293 3.5.1) answered.", 80,
           "After 5.0 s 192.0.2.10 (RFC 9293 3.5.1) answered.");
}

static void long_sentence_breaks_behind_a_clause(void)
{
    EXPECT(NULL, "192.0.2.10 had lost the connection: it answered #12, as if it had never been. Nothing more.", 50,
           "192.0.2.10 had lost the connection:", "    it answered #12, as if it had never been.", "Nothing more.");
}

/* A clause that would leave most of the line empty does not break it. */
static void early_clause_breaks_nothing(void)
{
    EXPECT(NULL, "So, this is a sentence with many words in it", 30, "So, this is a sentence with",
           "    many words in it");
}

static void long_word_stays_whole(void)
{
    EXPECT(NULL, "See 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff there", 20, "See",
           "    2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "    there");
    EXPECT(NULL, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 20, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
}

/* Width is counted in characters, not in bytes. */
static void characters_not_bytes(void)
{
    EXPECT(NULL, "ééééé ééééé", 11, "ééééé ééééé");
}

/* The lines below a name belong to it. */
static void named_text(void)
{
    EXPECT("Advice", "Did it crash? Compare the times.", 40, "Advice: Did it crash?", "    Compare the times.");
    EXPECT("Advice", "Compare this time with that one, if you have it.", 36, "Advice: Compare this time with that",
           "    one, if you have it.");
    EXPECT("Cause", "half-open", 36, "Cause: half-open");
}

/* Whatever the text and the width: nothing is lost. */
static void nothing_is_lost(void)
{
    GRand *random = g_rand_new_with_seed(7);

    for (unsigned round = 0; round < 2000; round++) {
        GString *text = g_string_new(NULL), *joined = g_string_new(NULL);
        unsigned width = (unsigned)g_rand_int_range(random, 20, 60);
        GPtrArray *lines;

        for (int i = g_rand_int_range(random, 1, 80); i > 0; i--)
            g_string_append_c(text, "ab  .,:?é"[g_rand_int_range(random, 0, 8)]);
        lines = lines_break(NULL, text->str, width);
        for (unsigned i = 0; i < lines->len; i++) {
            const char *line = g_ptr_array_index(lines, i);

            for (const char *c = line; *c != '\0'; c++)
                if (*c != ' ')
                    g_string_append_c(joined, *c);
        }
        for (char *c = strchr(text->str, ' '); c != NULL; c = strchr(c, ' '))
            g_string_erase(text, c - text->str, 1);
        g_assert_cmpstr(joined->str, ==, text->str);
        g_ptr_array_free(lines, true);
        g_string_free(text, true);
        g_string_free(joined, true);
    }
    g_rand_free(random);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lines/short", short_text_stays);
    g_test_add_func("/lines/sentences", one_sentence_a_line);
    g_test_add_func("/lines/numbers", points_in_numbers);
    g_test_add_func("/lines/clause", long_sentence_breaks_behind_a_clause);
    g_test_add_func("/lines/early-clause", early_clause_breaks_nothing);
    g_test_add_func("/lines/long-word", long_word_stays_whole);
    g_test_add_func("/lines/characters", characters_not_bytes);
    g_test_add_func("/lines/named", named_text);
    g_test_add_func("/lines/nothing-lost", nothing_is_lost);
    return g_test_run();
}
