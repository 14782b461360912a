/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each pattern is told of the shortest story that shows it, in words that fit where they are read. One without a story fails. */
#include "story.h"

#include <string.h>

#include "patterns/patterns.h"

/* Tells a story to its end and returns the reset that is asked about. */
typedef uint32_t (*telling)(story *s);

static uint32_t say(story *s, story_side from, rstcause_bytes_kind kind, uint32_t sequence, uint32_t acknowledgement)
{
    s->said = (rstcause_first_bytes){.kind = (uint8_t)kind, .level = 2, .code = 413};
    return story_send(s, from, "PA", sequence, acknowledgement, 100);
}

static void dial(story *s)
{
    s->hosts[CLIENT].port++;
}

static uint32_t race(story *s)
{
    story_converse(s, 0.1);
    story_wait(s, 5000);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "PA", 101, 201, 80);
    return story_answer(s, SERVER, "R", 201, 0);
}

static uint32_t use_stale(story *s)
{
    story_converse(s, 0.1);
    story_wait(s, 5000);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "A", 101, 202, 0);
    story_wait(s, 1000);
    story_send(s, CLIENT, "PA", 101, 202, 80);
    return story_answer(s, SERVER, "R", 202, 0);
}

static uint32_t forget(story *s)
{
    story_converse(s, 0.1);
    story_wait(s, 351000);
    story_send(s, CLIENT, "PA", 101, 201, 10);
    return story_answer(s, SERVER, "R", 201, 0);
}

static uint32_t end_idle(story *s)
{
    uint32_t rst = 0;

    for (unsigned i = 0; i < 2; i++) {
        story_converse(s, 0.1);
        story_wait(s, 600000);
        rst = story_send(s, SERVER, "RA", 201, 101, 0);
        dial(s);
    }
    return rst;
}

static uint32_t say_goodbye(story *s)
{
    story_converse(s, 0.1);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "A", 101, 202, 0);
    say(s, CLIENT, RSTCAUSE_TLS_ENCRYPTED_ALERT, 101, 202);
    return story_answer(s, SERVER, "R", 202, 0);
}

static uint32_t reply_early(story *s)
{
    story_open(s, 0.1);
    say(s, CLIENT, RSTCAUSE_HTTP_REQUEST, 1, 1);
    say(s, SERVER, RSTCAUSE_HTTP_RESPONSE, 1, 101);
    story_send(s, CLIENT, "PA", 101, 1, 1000);
    return story_send(s, SERVER, "RA", 101, 101, 0);
}

static uint32_t cancel(story *s)
{
    story_converse(s, 0.1);
    story_send(s, SERVER, "A", 201, 101, 1400);
    return story_send(s, CLIENT, "RA", 101, 201, 0);
}

static uint32_t leave_unanswered(story *s)
{
    story_converse(s, 0.1);
    story_send(s, CLIENT, "PA", 101, 201, 50);
    return story_send(s, SERVER, "RA", 201, 151, 0);
}

static uint32_t refuse_tls(story *s)
{
    story_converse(s, 0.1);
    say(s, CLIENT, RSTCAUSE_TLS_ALERT, 101, 201);
    return story_send(s, CLIENT, "RA", 201, 201, 0);
}

static uint32_t mistake_protocol(story *s)
{
    story_open(s, 0.1);
    say(s, CLIENT, RSTCAUSE_TLS_CLIENT_HELLO, 1, 1);
    say(s, SERVER, RSTCAUSE_SSH_VERSION, 1, 101);
    story_send(s, CLIENT, "A", 101, 101, 0);
    return story_send(s, SERVER, "RA", 101, 101, 0);
}

static uint32_t visit(story *s)
{
    uint32_t rst;

    story_open(s, 0.1);
    rst = story_send(s, CLIENT, "RA", 1, 1, 0);
    dial(s);
    story_wait(s, 2000);
    return rst;
}

static uint32_t visit_in_step(story *s)
{
    visit(s);
    visit(s);
    return visit(s);
}

static uint32_t read_slowly(story *s)
{
    story_converse(s, 0.1);
    story_send(s, SERVER, "A", 201, 101, 1400);
    s->hosts[CLIENT].window = 0;
    story_send(s, CLIENT, "A", 101, 1601, 0);
    story_wait(s, 60000);
    return story_send(s, SERVER, "RA", 1601, 101, 0);
}

static uint32_t go_astray(story *s)
{
    uint32_t rst;

    story_converse(s, 0.2);
    story_send(s, SERVER, "PA", 20000201, 101, 300);
    rst = story_answer(s, CLIENT, "R", 101, 0);
    story_wait(s, 100);
    story_send(s, CLIENT, "PA", 101, 201, 50);
    return rst;
}

static uint32_t overflow(story *s)
{
    uint32_t rst = 0;

    story_open(s, 0.1);
    for (unsigned i = 0; i < 3; i++) {
        dial(s);
        story_open(s, 0.1);
        rst = story_answer(s, SERVER, "R", 1, 0);
    }
    return rst;
}

static uint32_t ask_in_vain(story *s)
{
    uint32_t rst;

    dial(s);
    story_send(s, CLIENT, "S", 0, 0, 0);
    rst = story_refuse(s, SERVER, 1);
    story_wait(s, 500);
    return rst;
}

static uint32_t restart(story *s)
{
    uint16_t old = s->hosts[CLIENT].port;

    story_converse(s, 0.1);
    story_wait(s, 5000);
    ask_in_vain(s);
    dial(s);
    story_converse(s, 0.1);
    s->hosts[CLIENT].port = old;
    story_send(s, CLIENT, "PA", 101, 201, 10);
    return story_answer(s, SERVER, "R", 201, 0);
}

static uint32_t abort_many(story *s)
{
    uint32_t rst = 0;

    for (unsigned i = 0; i < 8; i++) {
        story_converse(s, 0.1);
        dial(s);
    }
    for (unsigned i = 0; i < 8; i++) {
        s->hosts[CLIENT].port--;
        rst = story_send(s, CLIENT, "RA", 101, 201, 0);
    }
    return rst;
}

static uint32_t scan_ports(story *s)
{
    uint32_t rst = 0;

    for (unsigned i = 0; i < 10; i++) {
        s->hosts[SERVER].port = (uint16_t)(20 + i);
        rst = ask_in_vain(s);
    }
    return rst;
}

static const telling tellings[RSTCAUSE_PATTERNS] = {
    [RSTCAUSE_KEEP_ALIVE_RACE] = race,          [RSTCAUSE_STALE_CONNECTION] = use_stale,
    [RSTCAUSE_IDLE_FORGOTTEN] = forget,         [RSTCAUSE_IDLE_CLOSED] = end_idle,
    [RSTCAUSE_LATE_CLOSE_NOTIFY] = say_goodbye, [RSTCAUSE_EARLY_REPLY] = reply_early,
    [RSTCAUSE_CANCELLED_DOWNLOAD] = cancel,     [RSTCAUSE_REQUEST_UNANSWERED] = leave_unanswered,
    [RSTCAUSE_REFUSED_BY_TLS] = refuse_tls,     [RSTCAUSE_WRONG_PROTOCOL] = mistake_protocol,
    [RSTCAUSE_HEALTH_CHECK] = visit_in_step,    [RSTCAUSE_SLOW_READER] = read_slowly,
    [RSTCAUSE_STRAY_SEGMENT] = go_astray,       [RSTCAUSE_BACKLOG_OVERFLOW] = overflow,
    [RSTCAUSE_HOST_RESTARTED] = restart,        [RSTCAUSE_MASS_ABORT] = abort_many,
    [RSTCAUSE_PORT_SCAN] = scan_ports,
};

/* The first sentence is what is seen beside the packet bytes; a second one says what it rests on. */
static void check_words(const rstcause_verdict *verdict)
{
    enum { LONGEST_FIRST = 100 };
    const char *end = strstr(verdict->explanation, ". ");

    g_assert_nonnull(end);
    g_assert_cmpint(end - verdict->explanation, <=, LONGEST_FIRST);
    g_assert_true(g_str_has_suffix(verdict->explanation, "."));
    if (verdict->advice != NULL)
        g_assert_true(g_str_has_suffix(verdict->advice, ".") || g_str_has_suffix(verdict->advice, "?"));
}

static void tell_each(void)
{
    for (int pattern = RSTCAUSE_NO_PATTERN + 1; pattern < RSTCAUSE_PATTERNS; pattern++) {
        const char *name = rstcause_pattern_name((rstcause_pattern)pattern);
        story *s = story_begin(LINUX, LINUX);
        const rstcause_verdict *verdict;
        uint32_t rst;

        if (tellings[pattern] == NULL)
            g_error("no story for the pattern \"%s\"", name);
        rst = tellings[pattern](s);
        rstcause_tracker_finish(s->tracker);
        verdict = story_verdict(s, rst);
        g_test_message("%s: %s", name, verdict->explanation);
        g_assert_cmpstr(rstcause_pattern_name(verdict->pattern), ==, name);
        check_words(verdict);
        story_end(s);
    }
}

/* The table has a row for each, and no pattern but these. */
static void have_a_row_for_each(void)
{
    bool has_row[RSTCAUSE_PATTERNS] = {false};

    for (unsigned i = 0; i < pattern_row_count; i++) {
        g_assert_cmpint(pattern_rows[i].pattern, >, RSTCAUSE_NO_PATTERN);
        g_assert_cmpint(pattern_rows[i].pattern, <, RSTCAUSE_PATTERNS);
        has_row[pattern_rows[i].pattern] = true;
    }
    for (int pattern = RSTCAUSE_NO_PATTERN + 1; pattern < RSTCAUSE_PATTERNS; pattern++)
        g_assert_true(has_row[pattern]);
}

static const story_test tests[] = {
    {"tell-each", tell_each},
    {"have-a-row-for-each", have_a_row_for_each},
};

STORY_MAIN("pattern-rows", tests)
