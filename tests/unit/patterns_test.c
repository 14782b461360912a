/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Patterns of one connection: for each the story that shows it, and its twins that must not. */
#include "story.h"

#include <string.h>

#include "follow/units.h"
#include "rstcause/catalogue.h"

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
    g_assert_cmpint(rstcause_verdict_severity(story_verdict(s, rst)), ==, RSTCAUSE_CHAT);
    story_end(s);
}

static rstcause_first_bytes const http_request = {.kind = RSTCAUSE_HTTP_REQUEST};
static rstcause_first_bytes const too_large = {.kind = RSTCAUSE_HTTP_RESPONSE, .code = 413};
static rstcause_first_bytes const found = {.kind = RSTCAUSE_HTTP_RESPONSE, .code = 302};
static rstcause_first_bytes const fine = {.kind = RSTCAUSE_HTTP_RESPONSE, .code = 200};
static rstcause_first_bytes const client_hello = {.kind = RSTCAUSE_TLS_CLIENT_HELLO};
static rstcause_first_bytes const tls_records = {.kind = RSTCAUSE_TLS_RECORDS};
static rstcause_first_bytes const plain_text = {.kind = RSTCAUSE_BYTES_UNKNOWN};
static rstcause_first_bytes const ssh_version = {.kind = RSTCAUSE_SSH_VERSION};

/* A packet whose payload says this. */
static uint32_t say(story *s, story_side from, rstcause_first_bytes said, uint32_t sequence, uint32_t acknowledgement,
                    uint32_t length)
{
    s->said = said;
    return story_send(s, from, "PA", sequence, acknowledgement, length);
}

/* The request's head and some of its body, and the server's answer to it; the client stands at 1301, the server at 201. */
static void answer_in_mid_request(story *s, rstcause_first_bytes answer)
{
    story_open(s, 0.1);
    say(s, CLIENT, http_request, 1, 1, 300);
    story_send(s, CLIENT, "PA", 301, 1, 1000);
    story_send(s, SERVER, "A", 1, 1301, 0);
    say(s, SERVER, answer, 1, 1301, 200);
}

static void early_reply(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    answer_in_mid_request(s, too_large);
    story_send(s, SERVER, "FA", 201, 1301, 0);
    story_wait(s, 2);
    story_send(s, CLIENT, "PA", 1301, 202, 1000);
    rst = story_answer(s, SERVER, "R", 202, 0);
    check(s, rst, RSTCAUSE_EARLY_REPLY);
    g_assert_true(story_says(s, rst, "HTTP status 413 Content Too Large while the request was still coming"));
    story_end(s);
}

/* A redirection, and an abort while the body comes. */
static void early_redirection(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    answer_in_mid_request(s, found);
    story_send(s, CLIENT, "PA", 1301, 1, 1000);
    rst = story_send(s, SERVER, "RA", 201, 1301, 0);
    check(s, rst, RSTCAUSE_EARLY_REPLY);
    g_assert_true(story_says(s, rst, "302 Found"));
    story_end(s);
}

/* The answer is the one that was asked for: the server only closed while the next request came. */
static void reply_in_time(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    answer_in_mid_request(s, fine);
    story_send(s, CLIENT, "PA", 1301, 201, 1000);
    rst = story_send(s, SERVER, "RA", 201, 1301, 0);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
    s = story_begin(LINUX, LINUX);
    answer_in_mid_request(s, too_large);
    story_send(s, SERVER, "FA", 201, 1301, 0);
    say(s, CLIENT, http_request, 1301, 202, 300);
    rst = story_answer(s, SERVER, "R", 202, 0);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
}

static void unanswered(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    story_send(s, CLIENT, "PA", 101, 201, 50);
    story_send(s, SERVER, "A", 201, 151, 0);
    story_wait(s, 700);
    rst = story_send(s, SERVER, "RA", 201, 151, 0);
    check(s, rst, RSTCAUSE_REQUEST_UNANSWERED);
    g_assert_true(story_says(s, rst, "reset 700 ms later, without a byte of reply"));
    g_assert_cmpint(rstcause_verdict_severity(story_verdict(s, rst)), >=, RSTCAUSE_WARN);
    story_end(s);
}

/* The reset itself is the first to acknowledge the request. */
static void unanswered_at_once(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    story_send(s, CLIENT, "PA", 101, 201, 50);
    rst = story_send(s, SERVER, "RA", 201, 151, 0);
    check(s, rst, RSTCAUSE_REQUEST_UNANSWERED);
    story_end(s);
}

/* The request was answered; a goodbye asks for no answer; nobody waits for one who has closed. */
static void answered(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
    s = story_begin(LINUX, LINUX);
    story_converse(s, 0.1);
    say(s, CLIENT, encrypted_alert, 101, 201, 31);
    story_send(s, SERVER, "A", 201, 132, 0);
    rst = story_send(s, SERVER, "RA", 201, 132, 0);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
    s = story_begin(LINUX, LINUX);
    story_converse(s, 0.1);
    story_send(s, CLIENT, "FPA", 101, 201, 50);
    story_send(s, SERVER, "A", 201, 152, 0);
    rst = story_send(s, SERVER, "RA", 201, 152, 0);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
}

static void cancelled(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_send(s, SERVER, "A", 201, 101, 1400);
    story_send(s, SERVER, "A", 1601, 101, 1400);
    story_send(s, CLIENT, "FA", 101, 1601, 0);
    story_send(s, SERVER, "A", 3001, 101, 1400);
    rst = story_answer(s, CLIENT, "R", 101, 0);
    check(s, rst, RSTCAUSE_CANCELLED_DOWNLOAD);
    story_end(s);
    s = story_begin(LINUX, LINUX);
    story_converse(s, 0.1);
    story_send(s, SERVER, "A", 201, 101, 1400);
    story_send(s, SERVER, "A", 1601, 101, 1400);
    rst = story_send(s, CLIENT, "RA", 101, 1601, 0);
    check(s, rst, RSTCAUSE_CANCELLED_DOWNLOAD);
    story_end(s);
}

/* What comes behind the client's close is a farewell; all that was sent had come; the server leaves, not the client. */
static void not_cancelled(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_send(s, CLIENT, "FA", 101, 201, 0);
    story_wait(s, 20);
    story_send(s, SERVER, "PA", 201, 102, 40);
    rst = story_answer(s, CLIENT, "R", 102, 0);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
    s = story_begin(LINUX, LINUX);
    story_converse(s, 0.1);
    story_send(s, SERVER, "A", 201, 101, 1400);
    rst = story_send(s, CLIENT, "RA", 101, 1601, 0);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
}

/* The client does not know who signed the server's certificate. */
static void refused_by_tls(void)
{
    const rstcause_first_bytes unknown_ca = {.kind = RSTCAUSE_TLS_ALERT, .level = 2, .code = 48};
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_open(s, 0.1);
    say(s, CLIENT, client_hello, 1, 1, 300);
    say(s, SERVER, tls_records, 1, 301, 1400);
    say(s, CLIENT, unknown_ca, 301, 1401, 7);
    rst = story_send(s, CLIENT, "RA", 308, 1401, 0);
    check(s, rst, RSTCAUSE_REFUSED_BY_TLS);
    g_assert_true(story_says(s, rst, "The client refused the other's TLS: TLS alert Unknown CA (48)"));
    story_end(s);
}

/* A goodbye is an alert, too. */
static void said_goodbye(void)
{
    const rstcause_first_bytes close_notify = {.kind = RSTCAUSE_TLS_ALERT, .level = 1, .code = 0};
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_open(s, 0.1);
    say(s, CLIENT, client_hello, 1, 1, 300);
    say(s, SERVER, tls_records, 1, 301, 1400);
    say(s, CLIENT, close_notify, 301, 1401, 7);
    rst = story_send(s, CLIENT, "RA", 308, 1401, 0);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
}

static uint32_t ask_and_abort(story *s, rstcause_first_bytes question, rstcause_first_bytes answer)
{
    story_open(s, 0.1);
    say(s, CLIENT, question, 1, 1, 300);
    say(s, SERVER, answer, 1, 301, 100);
    story_send(s, CLIENT, "A", 301, 101, 0);
    return story_send(s, SERVER, "RA", 101, 301, 0);
}

static void wrong_protocol(void)
{
    static const struct {
        const rstcause_first_bytes *question, *answer;
        const char *says;
    } pairs[] = {
        {&client_hello, &ssh_version, "The client speaks TLS to a port where the server speaks SSH"},
        {&client_hello, &plain_text, "speaks something else"},
        {&http_request, &ssh_version, "speaks plain HTTP to a port where the server speaks SSH"},
        {&http_request, &tls_records, "server speaks TLS"},
        {&ssh_version, &fine, "speaks SSH to a port where the server speaks plain HTTP"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
        story *s = story_begin(LINUX, LINUX);
        uint32_t rst = ask_and_abort(s, *pairs[i].question, *pairs[i].answer);

        check(s, rst, RSTCAUSE_WRONG_PROTOCOL);
        g_assert_true(story_says(s, rst, pairs[i].says));
        story_end(s);
    }
}

/* A database that takes the request for nonsense. */
static void wrong_protocol_in_bytes(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_open(s, 0.1);
    say(s, CLIENT, http_request, 1, 1, 300);
    story_send_with(s, SERVER, "PA", 1, 301, NULL, 0, "\x01\x02\x03\x04");
    story_send(s, CLIENT, "A", 301, 5, 0);
    rst = story_send(s, SERVER, "RA", 5, 301, 0);
    check(s, rst, RSTCAUSE_WRONG_PROTOCOL);
    story_end(s);
}

static void right_protocol(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst = ask_and_abort(s, client_hello, tls_records);

    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
    s = story_begin(LINUX, LINUX);
    rst = ask_and_abort(s, http_request, fine);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
    s = story_begin(LINUX, LINUX);
    rst = ask_and_abort(s, http_request, plain_text); /* HTTP/0.9 */
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
    s = story_begin(LINUX, LINUX);
    rst = ask_and_abort(s, ssh_version, ssh_version);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
}

/* The client's window closes, and after a minute the server gives up. */
static void slow_reader(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    story_send(s, SERVER, "A", 201, 101, 1400);
    s->hosts[CLIENT].window = 0;
    story_send(s, CLIENT, "A", 101, 1601, 0);
    story_wait(s, 60000);
    rst = story_send(s, SERVER, "RA", 1601, 101, 0);
    check(s, rst, RSTCAUSE_SLOW_READER);
    story_end(s);
}

/* Full for a moment only, or open again. */
static void quick_reader(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint16_t window = s->hosts[CLIENT].window;
    uint32_t rst;

    story_converse(s, 0.1);
    story_send(s, SERVER, "A", 201, 101, 1400);
    s->hosts[CLIENT].window = 0;
    story_send(s, CLIENT, "A", 101, 1601, 0);
    story_wait(s, 5);
    rst = story_send(s, SERVER, "RA", 1601, 101, 0);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
    s = story_begin(LINUX, LINUX);
    story_converse(s, 0.1);
    story_send(s, SERVER, "A", 201, 101, 1400);
    s->hosts[CLIENT].window = 0;
    story_send(s, CLIENT, "A", 101, 1601, 0);
    story_wait(s, 5);
    s->hosts[CLIENT].window = window;
    story_send(s, CLIENT, "A", 101, 1601, 0);
    story_wait(s, 20000);
    rst = story_send(s, SERVER, "RA", 1601, 101, 0);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
}

static const story_test tests[] = {
    {"race", race},
    {"race-at-client", race_at_client},
    {"close-in-conversation", close_in_conversation},
    {"close-without-race", close_without_race},
    {"stale", stale},
    {"late-goodbye", late_goodbye},
    {"early-reply", early_reply},
    {"early-redirection", early_redirection},
    {"reply-in-time", reply_in_time},
    {"unanswered", unanswered},
    {"unanswered-at-once", unanswered_at_once},
    {"answered", answered},
    {"cancelled", cancelled},
    {"not-cancelled", not_cancelled},
    {"refused-by-tls", refused_by_tls},
    {"said-goodbye", said_goodbye},
    {"wrong-protocol", wrong_protocol},
    {"wrong-protocol-in-bytes", wrong_protocol_in_bytes},
    {"right-protocol", right_protocol},
    {"slow-reader", slow_reader},
    {"quick-reader", quick_reader},
};

STORY_MAIN("patterns", tests)
