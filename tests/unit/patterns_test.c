/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Patterns of one connection: for each the story that shows it, and its twins that must not. */
#include "story.h"

#include <string.h>

#include "follow/units.h"

#define check(told, reset, pattern) check_at(__LINE__, told, reset, pattern)

/* 'pattern' is RSTCAUSE_NO_PATTERN where none may be told. */
static void check_at(int line, const story *told, uint32_t reset, rstcause_pattern pattern)
{
    const rstcause_verdict *v = story_verdict(told, reset);

    if (v->pattern != pattern)
        g_error("line %d: %s instead of %s (%s: %s)", line, rstcause_pattern_name(v->pattern),
                rstcause_pattern_name(pattern), v->rule, v->explanation);
    if (pattern != RSTCAUSE_NO_PATTERN)
        g_test_message("%s: %s [%s]", rstcause_pattern_name(pattern), v->explanation,
                       v->advice != NULL ? v->advice : "");
}

static void check_idle(const story *told, uint32_t reset, int64_t expected)
{
    int64_t idle = story_verdict(told, reset)->idle;

    g_assert_cmpint(idle, >=, expected - expected / 100 - 100 * MILLISECOND);
    g_assert_cmpint(idle, <=, expected + expected / 100 + 100 * MILLISECOND);
}

static bool advises(const story *told, uint32_t reset, const char *text)
{
    const char *advice = story_verdict(told, reset)->advice;

    return advice != NULL && strstr(advice, text) != NULL;
}

/* The server closes after 5 s; the next request crosses the FIN, captured at the server. */
static void race(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    story_wait(s, 5000);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_wait(s, 3);
    story_send(s, CLIENT, "PA", 101, 201, 80);
    rst = story_answer(s, SERVER, "R", 201, 0);
    check(s, rst, RSTCAUSE_KEEP_ALIVE_RACE);
    check_idle(s, rst, 5 * SECOND);
    g_assert_true(story_says(s, rst, "closed the idle connection after 5.0 s, 3.0 ms before request"));
    g_assert_false(story_says(s, rst, "read everything"));
    g_assert_true(advises(s, rst, "closes them after 5.0 s"));
    story_end(s);
}

/* The same at the client, where the request stands before the FIN. */
static void race_at_client(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 5000);
    story_send(s, CLIENT, "PA", 101, 201, 80);
    story_wait(s, 6);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "A", 181, 202, 0);
    story_wait(s, 14);
    rst = story_answer(s, SERVER, "R", 201, 0);
    check(s, rst, RSTCAUSE_KEEP_ALIVE_RACE);
    check_idle(s, rst, 5 * SECOND);
    g_assert_true(story_says(s, rst, "while a request was on its way"));
    story_end(s);
}

/* No silence: the server closed in the middle of a conversation. */
static void close_in_conversation(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_wait(s, 3);
    story_send(s, CLIENT, "PA", 101, 201, 80);
    rst = story_answer(s, SERVER, "R", 201, 0);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    check_idle(s, rst, 0);
    story_end(s);
}

/* The idle server closes, and the client closes too: nothing raced. */
static void close_without_race(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.2);
    story_wait(s, 5000);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_wait(s, 3);
    story_send(s, CLIENT, "FA", 101, 202, 0);
    rst = story_answer(s, SERVER, "R", 202, 0);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
}

/* The client's system had acknowledged the FIN; a minute later its application writes. */
static void stale(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    story_wait(s, 75000);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_wait(s, 20);
    story_send(s, CLIENT, "A", 101, 202, 0);
    story_wait(s, 60000);
    story_send(s, CLIENT, "PA", 101, 202, 80);
    rst = story_answer(s, SERVER, "R", 202, 0);
    check(s, rst, RSTCAUSE_STALE_CONNECTION);
    check_idle(s, rst, 75 * SECOND);
    g_assert_true(story_says(s, rst, "had closed 60.0 s before"));
    g_assert_false(story_says(s, rst, "on its way"));
    g_assert_true(advises(s, rst, "before 75.0 s"));
    story_end(s);
}

static rstcause_first_bytes const encrypted_alert = {.kind = RSTCAUSE_TLS_ENCRYPTED_ALERT};

/* The client's TLS goodbye comes after the server has closed its socket. */
static void late_goodbye(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    story_wait(s, 5000);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_wait(s, 20);
    story_send(s, CLIENT, "A", 101, 202, 0);
    s->said = encrypted_alert;
    story_send(s, CLIENT, "PA", 101, 202, 31);
    rst = story_answer(s, SERVER, "R", 202, 0);
    check(s, rst, RSTCAUSE_LATE_CLOSE_NOTIFY);
    g_assert_null(story_verdict(s, rst)->advice);
    story_end(s);
}

static const story_test tests[] = {
    {"race", race},
    {"race-at-client", race_at_client},
    {"close-in-conversation", close_in_conversation},
    {"close-without-race", close_without_race},
    {"stale", stale},
    {"late-goodbye", late_goodbye},
};

STORY_MAIN("patterns", tests)
