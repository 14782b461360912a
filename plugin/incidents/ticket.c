/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes incidents for a person to read. See ticket.h. */
#include "ticket.h"

#include <string.h>

enum { INDENT = 4, LISTED_CLIENTS = 3 };

/* The bytes of a word's beginning that fill at most so many columns: all of it, but for one longer than a line. */
static size_t measure_word(const char *word, size_t length, long columns)
{
    if (g_utf8_strlen(word, (gssize)length) <= columns)
        return length;
    return (size_t)(g_utf8_offset_to_pointer(word, columns) - word);
}

/* A paragraph, in lines of TICKET_WIDTH; all but the first are indented. 'begun' stands on the first line already. */
static void put_paragraph(GString *text, const char *begun, const char *words)
{
    long column = (long)strlen(begun);
    bool is_first_word = true;

    g_string_append(text, begun);
    for (words += strspn(words, " \n"); *words != '\0'; words += strspn(words, " \n")) {
        size_t length = measure_word(words, strcspn(words, " \n"), TICKET_WIDTH - INDENT);
        long columns = g_utf8_strlen(words, (gssize)length);

        if (!is_first_word && column + 1 + columns > TICKET_WIDTH) {
            g_string_append_printf(text, "\n%*s", INDENT, "");
            column = INDENT;
        } else if (!is_first_word) {
            g_string_append_c(text, ' ');
            column++;
        }
        g_string_append_len(text, words, (gssize)length);
        column += columns;
        words += length;
        is_first_word = false;
    }
    g_string_append_c(text, '\n');
}

/* "2026-11-24 09:32:11.123"; the day left out where it is that of 'after'. */
static char *describe_time(int64_t time, int64_t after)
{
    const int64_t second = 1000000000, day = 86400 * second;
    GDateTime *moment = g_date_time_new_from_unix_utc(time / second);
    char *text = g_date_time_format(moment, after != 0 && time / day == after / day ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S");
    char *whole = g_strdup_printf("%s.%03d", text, (int)(time % second / 1000000));

    g_date_time_unref(moment);
    g_free(text);
    return whole;
}

static void put_number(GString *text, uint32_t number, const char *one, const char *many)
{
    g_string_append_printf(text, "%u %s", number, number == 1 ? one : many);
}

static void put_counts(GString *text, const incident_counts *counts)
{
    put_number(text, counts->resets, "reset", "resets");
    g_string_append_printf(text, ", %u did harm", counts->harmful);
    if (counts->copies > 0)
        g_string_append_printf(text, ", %u captured twice", counts->copies);
}

static void put_when(GString *text, const incident_counts *counts)
{
    char *from = describe_time(counts->first_time, 0), *to = describe_time(counts->last_time, counts->first_time);

    if (counts->resets == 1)
        g_string_append_printf(text, "#%u, %s UTC", counts->first_frame, from);
    else
        g_string_append_printf(text, "#%u to #%u, %s to %s UTC", counts->first_frame, counts->last_frame, from, to);
    g_free(from);
    g_free(to);
}

static const char *describe_sender(rstcause_sender sender)
{
    return sender == RSTCAUSE_CLIENT ? "the client" : sender == RSTCAUSE_SERVER ? "the server" : "a third party";
}

/* Below a second it is the pace of the conversation. */
static void put_idle(GString *text, const incident *one)
{
    if (one->longest_idle < INT64_C(1000000000))
        return;
    g_string_append_printf(text, "; idle for %.3f", (double)one->shortest_idle / 1e9);
    if (one->longest_idle != one->shortest_idle)
        g_string_append_printf(text, " to %.3f", (double)one->longest_idle / 1e9);
    g_string_append(text, " s before");
}

static void put_clients(GString *text, const incident *one)
{
    char address[RSTCAUSE_ADDRESS_TEXT];

    put_number(text, one->peers->len, "client", one->more_peers ? "clients and more" : "clients");
    for (unsigned i = 0; i < MIN(one->peers->len, LISTED_CLIENTS); i++)
        g_string_append_printf(text, "%s%s", i == 0 ? " (" : ", ",
                               rstcause_address_text(&g_array_index(one->peers, rstcause_address, i), address));
    g_string_append(text, one->peers->len > LISTED_CLIENTS ? ", …)" : ")");
}

static void put_heading(GString *text, const incident *one)
{
    char *begun = g_strdup_printf("%2u. ", one->rank + 1);
    const char *cause = rstcause_cause_name(one->cause), *pattern = rstcause_pattern_name(one->pattern);
    char *words = g_strdup_printf("%s%s%s%s at %s, reset by %s, %s", pattern != NULL ? pattern : cause,
                                  pattern != NULL ? " (" : "", pattern != NULL ? cause : "", pattern != NULL ? ")" : "",
                                  one->service, describe_sender(one->sender), rstcause_severity_name(one->worst));

    put_paragraph(text, begun, words);
    g_free(begun);
    g_free(words);
}

static void put_numbers(GString *text, const incident *one)
{
    GString *words = g_string_new(NULL);

    put_counts(words, &one->counts);
    g_string_append(words, "; ");
    put_clients(words, one);
    put_idle(words, one);
    put_paragraph(text, "    ", words->str);
    g_string_truncate(words, 0);
    put_when(words, &one->counts);
    put_paragraph(text, "    ", words->str);
    g_string_free(words, true);
}

/* It speaks of the first reset, and says so where there are others. */
static void put_explanation(GString *text, const incident *one)
{
    char *begun = one->counts.resets > 1 ? g_strdup_printf("    #%u: ", one->counts.first_frame) : g_strdup("    ");

    put_paragraph(text, begun, one->explanation);
    g_free(begun);
}

static void put_incident(GString *text, const incident *one)
{
    put_heading(text, one);
    put_numbers(text, one);
    if (one->explanation != NULL)
        put_explanation(text, one);
    if (one->advice != NULL)
        put_paragraph(text, "    What to do: ", one->advice);
}

static void put_others(GString *text, const incidents *all, unsigned from)
{
    incident_counts sum = *incidents_beyond(all);
    GString *words = g_string_new(NULL);

    for (unsigned rank = from; rank < incidents_count(all); rank++)
        incident_counts_add(&sum, &incidents_at(all, rank)->counts);
    put_counts(words, &sum);
    g_string_append(words, "; ");
    put_when(words, &sum);
    g_string_append_printf(words, ". These are %u smaller incidents", incidents_count(all) - from);
    if (incidents_beyond(all)->resets > 0)
        g_string_append_printf(words, " and what began after the first %u incidents", (unsigned)MOST_INCIDENTS);
    g_string_append(words, ".");
    put_paragraph(text, "other: ", words->str);
    g_string_free(words, true);
}

static void put_sum(GString *text, const incidents *all)
{
    incident_counts sum = *incidents_beyond(all);
    GString *words = g_string_new(NULL);

    for (unsigned rank = 0; rank < incidents_count(all); rank++)
        incident_counts_add(&sum, &incidents_at(all, rank)->counts);
    if (sum.resets == 0) {
        g_string_append(words, "none");
    } else {
        put_counts(words, &sum);
        g_string_append(words, "; ");
        put_number(words, incidents_count(all), "incident", "incidents");
        if (incidents_beyond(all)->resets > 0)
            g_string_append(words, " and more");
    }
    put_paragraph(text, "TCP resets: ", words->str);
    g_string_free(words, true);
}

char *ticket_text(const incidents *all)
{
    bool has_others = incidents_count(all) > TICKET_ROWS || incidents_beyond(all)->resets > 0;
    unsigned rows = has_others ? TICKET_ROWS - 1 : incidents_count(all);
    GString *text = g_string_new(NULL);

    put_sum(text, all);
    for (unsigned rank = 0; rank < rows; rank++) {
        g_string_append_c(text, '\n');
        put_incident(text, incidents_at(all, rank));
    }
    if (has_others) {
        g_string_append_c(text, '\n');
        put_others(text, all, rows);
    }
    return g_string_free(text, false);
}
