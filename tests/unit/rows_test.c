/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each row of the table of causes gives a verdict: the shortest story that ends in it. A row without one fails. */
#include "story.h"

#include <string.h>

#include "judge/causes.h"

/* Tells a story to its end and returns the reset that is asked about. */
typedef uint32_t (*telling)(story *s);

static uint32_t damage_flags(story *s)
{
    story_open(s, 0.1);
    return story_send(s, CLIENT, "SRA", 1, 1, 0);
}

static uint32_t forge(story *s)
{
    story_converse(s, 20);
    story_wait(s, 500);
    return story_forge(s, SERVER, "R", 5201, 0, 250, 1234);
}

static uint32_t reset_twice(story *s)
{
    story_converse(s, 0.1);
    story_send(s, SERVER, "RA", 201, 101, 0);
    story_wait(s, 10);
    story_send(s, CLIENT, "PA", 101, 201, 5);
    story_wait(s, 0.1);
    return story_answer(s, SERVER, "R", 201, 0);
}

static uint32_t refuse_alone(story *s)
{
    return story_refuse(s, SERVER, 1);
}

static uint32_t abort_alone(story *s)
{
    return story_send(s, SERVER, "RA", 201, 101, 0);
}

static uint32_t state_alone(story *s)
{
    return story_send_with(s, SERVER, "RA", 201, 101, NULL, 0, "out of memory");
}

static void close_in_order(story *s)
{
    story_converse(s, 0.1);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "FA", 101, 202, 0);
    story_send(s, SERVER, "A", 202, 102, 0);
    story_wait(s, 100);
}

/* Windows 2000 refuses with the number of the connection before. */
static uint32_t refuse_in_time_wait(story *s)
{
    close_in_order(s);
    story_restart(s, CLIENT, 5000000);
    story_send(s, CLIENT, "S", 0, 0, 0);
    return story_answer(s, SERVER, "RA", 202, 1);
}

static uint32_t refuse_as_device(story *s)
{
    s->hosts[SERVER].ttl = 52;
    s->hosts[SERVER].kernel_ttl = 55;
    story_open(s, 20);
    s->hosts[SERVER].port = 81;
    story_restart(s, SERVER, 7000);
    story_send(s, SERVER, "A", 1, 1, 0);
    s->hosts[SERVER].port = 82;
    story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 20);
    return story_refuse(s, SERVER, 1);
}

static uint32_t refuse(story *s)
{
    story_send(s, CLIENT, "S", 0, 0, 0);
    return story_refuse(s, SERVER, 1);
}

static uint32_t refuse_bare(story *s)
{
    story_send(s, CLIENT, "S", 0, 0, 0);
    return story_answer(s, SERVER, "R", 77, 0);
}

static uint32_t refuse_probe(story *s)
{
    story_send(s, CLIENT, "F", 0, 0, 0);
    return story_refuse(s, SERVER, 1);
}

static uint32_t meet_time_wait(story *s)
{
    close_in_order(s);
    story_send(s, CLIENT, "S", 7000, 0, 0);
    story_send(s, SERVER, "A", 202, 102, 0);
    return story_answer(s, CLIENT, "R", 102, 0);
}

static uint32_t meet_old_connection(story *s)
{
    story_converse(s, 0.1);
    story_wait(s, 1000);
    story_send(s, CLIENT, "S", 7000, 0, 0);
    story_send(s, SERVER, "A", 201, 101, 0);
    return story_answer(s, CLIENT, "R", 101, 0);
}

static uint32_t abandon(story *s)
{
    story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 60);
    story_send(s, SERVER, "SA", 0, 1, 0);
    return story_answer(s, CLIENT, "R", 1, 0);
}

static uint32_t acknowledge_never_sent(story *s)
{
    story_send(s, CLIENT, "S", 0, 0, 0);
    story_send(s, SERVER, "SA", 0, 1, 0);
    story_send(s, CLIENT, "A", 1, 70000, 0);
    return story_answer(s, SERVER, "R", 70000, 0);
}

static uint32_t offer_unasked(story *s)
{
    story_send(s, SERVER, "SA", 0, 1, 0);
    return story_answer(s, CLIENT, "R", 1, 0);
}

/* The SYN of a new attempt is lost to the capture. */
static uint32_t offer_after(story *s)
{
    story_wait(s, 1000);
    story_restart(s, SERVER, 90000);
    story_send(s, SERVER, "SA", 0, 8001, 0);
    return story_answer(s, CLIENT, "R", 8001, 0);
}

static uint32_t offer_after_reset(story *s)
{
    story_converse(s, 0.1);
    story_send(s, SERVER, "RA", 201, 101, 0);
    return offer_after(s);
}

static uint32_t offer_after_close(story *s)
{
    close_in_order(s);
    return offer_after(s);
}

static uint32_t abandon_one_sided(story *s)
{
    story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 60);
    return story_answer(s, CLIENT, "R", 1, 0);
}

static uint32_t reject_one_sided(story *s)
{
    story_send(s, SERVER, "SA", 0, 1, 0);
    story_wait(s, 60);
    return story_answer(s, SERVER, "R", 1, 0);
}

/* One direction only, from its first connection on. */
static void begin_one_sided(story *s)
{
    story_send(s, CLIENT, "S", 0, 0, 0);
    story_send(s, CLIENT, "A", 1, 1, 0);
    story_send(s, CLIENT, "PA", 1, 1, 100);
    story_wait(s, 100);
}

static uint32_t meet_old_one_sided(story *s)
{
    begin_one_sided(s);
    story_send(s, CLIENT, "S", 7000, 0, 0);
    story_wait(s, 60);
    return story_answer(s, CLIENT, "R", 101, 0);
}

/* Both directions of the first connection, and only S's of the second. */
static uint32_t meet_time_wait_one_sided(story *s)
{
    close_in_order(s);
    story_send(s, CLIENT, "S", 7000, 0, 0);
    story_wait(s, 60);
    return story_answer(s, CLIENT, "R", 102, 0);
}

static uint32_t meet_other_one_sided(story *s)
{
    story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 60);
    return story_answer(s, CLIENT, "R", 999, 0);
}

static uint32_t repeat_after_close(story *s)
{
    close_in_order(s);
    story_send(s, SERVER, "A", 202, 102, 0);
    story_wait(s, 0.1);
    return story_answer(s, CLIENT, "R", 102, 0);
}

static uint32_t reject_handshake(story *s)
{
    story_open(s, 0.2);
    story_wait(s, 0.1);
    return story_answer(s, SERVER, "R", 1, 0);
}

/* The capture lacks what the server sent last, its FIN among it. */
static uint32_t close_unseen(story *s)
{
    story_converse(s, 20);
    story_wait(s, 100);
    story_send(s, CLIENT, "PA", 101, 201, 10);
    story_wait(s, 20);
    return story_answer(s, SERVER, "R", 702, 0);
}

static uint32_t send_after_close(story *s)
{
    story_converse(s, 0.1);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "A", 101, 202, 0);
    story_wait(s, 50);
    story_send(s, CLIENT, "PA", 101, 202, 10);
    story_wait(s, 0.1);
    return story_answer(s, SERVER, "R", 202, 0);
}

static uint32_t probe_in_vain(story *s)
{
    story_converse(s, 0.1);
    for (unsigned i = 0; i < 4; i++) {
        story_wait(s, 10000);
        story_send(s, SERVER, "A", 200, 101, 0);
    }
    story_wait(s, 10000);
    return story_send(s, SERVER, "RA", 201, 101, 0);
}

static uint32_t repeat_in_vain(story *s)
{
    double gap = 300;

    story_converse(s, 0.1);
    story_send(s, SERVER, "PA", 201, 101, 50);
    for (unsigned i = 0; i < 5; i++, gap *= 2) {
        story_wait(s, gap);
        story_send(s, SERVER, "PA", 201, 101, 50);
    }
    story_wait(s, gap);
    return story_send(s, SERVER, "RA", 251, 101, 0);
}

static uint32_t lose_state(story *s)
{
    story_converse(s, 20);
    story_wait(s, 20000);
    story_send(s, CLIENT, "PA", 101, 201, 10);
    story_wait(s, 20);
    return story_answer(s, SERVER, "R", 201, 0);
}

static uint32_t close_fast(story *s)
{
    static const uint8_t fastclose[] = {30, 12, 0x70, 0, 1, 2, 3, 4, 5, 6, 7, 8};

    story_converse(s, 0.1);
    story_send_with(s, CLIENT, "A", 101, 201, fastclose, sizeof fastclose, NULL);
    story_wait(s, 0.1);
    return story_answer(s, SERVER, "R", 201, 0);
}

static uint32_t abort_connection(story *s)
{
    story_converse(s, 0.1);
    story_wait(s, 100);
    return story_send(s, SERVER, "RA", 201, 101, 0);
}

/* Only P is there, and says nothing of this number. */
static uint32_t know_nothing(story *s)
{
    story_send(s, CLIENT, "PA", 101, 201, 10);
    story_wait(s, 100);
    return story_answer(s, SERVER, "R", 987654, 0);
}

static const struct {
    const char *row;
    story_stack client, server;
    telling tell;
} stories[] = {
    {"damaged flags", LINUX, LINUX, damage_flags},
    {"foreign", LINUX, LINUX, forge},
    {"reset before", LINUX, LINUX, reset_twice},
    {"lone refusal", LINUX, LINUX, refuse_alone},
    {"nothing else", LINUX, LINUX, abort_alone},
    {"stated only", LINUX, LINUX, state_alone},
    {"SYN refused by TIME-WAIT", WINDOWS, WINDOWS, refuse_in_time_wait},
    {"SYN refused by a device", LINUX, LINUX, refuse_as_device},
    {"SYN refused", LINUX, LINUX, refuse},
    {"SYN refused without ACK", LINUX, LINUX, refuse_bare},
    {"probe refused", SCANNER, LINUX, refuse_probe},
    {"SYN acknowledged by TIME-WAIT", LINUX, LINUX, meet_time_wait},
    {"SYN acknowledged by an old connection", LINUX, LINUX, meet_old_connection},
    {"SYN/ACK not wanted any more", LINUX, LINUX, abandon},
    {"ACK of what was never sent", LINUX, LINUX, acknowledge_never_sent},
    {"SYN of a connection that was reset, late", LINUX, LINUX, offer_after_reset},
    {"SYN of a connection that was closed, late", LINUX, LINUX, offer_after_close},
    {"SYN/ACK that nobody asked for", LINUX, LINUX, offer_unasked},
    {"behind its own SYN, one-sided", LINUX, LINUX, abandon_one_sided},
    {"behind its own SYN/ACK, one-sided", LINUX, LINUX, reject_one_sided},
    {"SYN and TIME-WAIT, one-sided", LINUX, LINUX, meet_time_wait_one_sided},
    {"SYN and an old connection, one-sided", LINUX, LINUX, meet_old_one_sided},
    {"number of another, one-sided", LINUX, LINUX, meet_other_one_sided},
    {"after both closed", LINUX, LINUX, repeat_after_close},
    {"handshake not taken", LINUX, LINUX, reject_handshake},
    {"after its close, by the time", LINUX, LINUX, close_unseen},
    {"after its close", LINUX, LINUX, send_after_close},
    {"probes unanswered", LINUX, LINUX, probe_in_vain},
    {"repeats unanswered", WINDOWS, WINDOWS, repeat_in_vain},
    {"connection unknown to its sender", LINUX, LINUX, lose_state},
    {"MPTCP closed by its peer", LINUX, LINUX, close_fast},
    {"its own doing", LINUX, LINUX, abort_connection},
    {"unknown", LINUX, LINUX, know_nothing},
};

static void fire(gconstpointer data)
{
    const size_t i = GPOINTER_TO_SIZE(data);
    story *s = story_begin(stories[i].client, stories[i].server);
    uint32_t reset = stories[i].tell(s);

    g_assert_cmpstr(story_verdict(s, reset)->rule, ==, stories[i].row);
    story_end(s);
}

static void have_a_story_for_each_row(void)
{
    for (unsigned row = 0; row < cause_row_count; row++) {
        bool has_story = false;

        for (size_t i = 0; i < G_N_ELEMENTS(stories); i++)
            has_story |= g_strcmp0(stories[i].row, cause_rows[row].name) == 0;
        if (!has_story)
            g_error("no story ends in the row \"%s\"", cause_rows[row].name);
    }
}

/* Whoever reads a row stops at NO_REQUIREMENT. */
static void end_each_row(void)
{
    for (unsigned i = 0; i < cause_row_count; i++)
        g_assert_cmpint(cause_rows[i].needs[MOST_NEEDS - 1].requirement, ==, NO_REQUIREMENT);
}

static bool asks_for_form(const cause_row *row)
{
    for (const need *n = row->needs; n->requirement != NO_REQUIREMENT; n++) {
        if (n->requirement == OWN_FORM || n->requirement == ANSWER_FORM || n->requirement == ANSWER_FORM_OF_ANY ||
            n->requirement == ANY_FORM)
            return true;
    }
    return false;
}

/* What speaks for a forgery costs a genuine row through its form: one that may be certain without would not feel it. */
static void ask_each_row_for_form(void)
{
    for (unsigned i = 0; i < cause_row_count; i++) {
        const cause_row *row = &cause_rows[i];

        if (row->base == 0 && row->cause != RSTCAUSE_INJECTED && !asks_for_form(row))
            g_error("the row \"%s\" asks for no form", row->name);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    g_test_add_func("/rows/end", end_each_row);
    g_test_add_func("/rows/form", ask_each_row_for_form);
    g_test_add_func("/rows/all-have-a-story", have_a_story_for_each_row);
    for (size_t i = 0; i < G_N_ELEMENTS(stories); i++) {
        char *path = g_strdup_printf("/rows/%s", stories[i].row);

        g_strdelimit(path + strlen("/rows/"), "/", '-');
        g_test_add_data_func(path, GSIZE_TO_POINTER(i), fire);
        g_free(path);
    }
    return g_test_run();
}
