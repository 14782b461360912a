/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose turn it was when the connection ended: a goodbye or none, a question or none, and in which language. */
#include "story.h"

#include "follow/units.h"
#include "rstcause/catalogue.h"

static rstcause_first_bytes const encrypted_alert = {.kind = RSTCAUSE_TLS_ENCRYPTED_ALERT};
static rstcause_first_bytes const client_hello = {.kind = RSTCAUSE_TLS_CLIENT_HELLO};
static rstcause_first_bytes const records = {.kind = RSTCAUSE_TLS_RECORDS};
static rstcause_first_bytes const request = {.kind = RSTCAUSE_HTTP_REQUEST};
static rstcause_first_bytes const leave = {.kind = RSTCAUSE_LEAVE};
static rstcause_first_bytes const words = {.kind = RSTCAUSE_BYTES_UNKNOWN};

enum { HIDDEN_ALERT = 24 };

#define check(told, reset, pattern) check_at(__LINE__, told, reset, pattern)

static void check_at(int line, const story *told, uint32_t reset, rstcause_pattern pattern)
{
    const rstcause_verdict *v = story_verdict(told, reset);

    if (v->pattern != pattern)
        g_error("line %d: %s instead of %s (%s: %s)", line, rstcause_pattern_name(v->pattern),
                rstcause_pattern_name(pattern), v->rule, v->explanation);
}

static uint32_t say(story *s, story_side from, rstcause_first_bytes said, uint32_t sequence, uint32_t acknowledgement,
                    uint32_t length)
{
    s->said = said;
    return story_send(s, from, "PA", sequence, acknowledgement, length);
}

/* The client's alert meets a server that has closed at 'fin'; it has the FIN. */
static uint32_t say_goodbye(story *s, rstcause_first_bytes alert, uint32_t sequence, uint32_t fin, uint32_t length)
{
    story_send(s, CLIENT, "A", sequence, fin + 1, 0);
    say(s, CLIENT, alert, sequence, fin + 1, length);
    return story_answer(s, SERVER, "R", fin + 1, 0);
}

/* No answer came, so that the goodbye is not harmless. */
static void goodbye_without_answer(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    story_send(s, CLIENT, "PA", 101, 201, 50);
    story_send(s, SERVER, "A", 201, 151, 0);
    story_wait(s, 300);
    story_send(s, SERVER, "FA", 201, 151, 0);
    rst = say_goodbye(s, encrypted_alert, 151, 201, 31);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    g_assert_false(story_says(s, rst, "Harmless"));
    story_end(s);
}

/* The client says that it leaves, and its goodbye with it; the server closes upon the first. */
static void goodbye_on_leaving(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    story_send(s, CLIENT, "PA", 101, 201, 27);
    story_send(s, SERVER, "FA", 201, 128, 0);
    say(s, CLIENT, encrypted_alert, 128, 201, 31);
    rst = story_answer(s, SERVER, "R", 201, 0);
    check(s, rst, RSTCAUSE_LATE_CLOSE_NOTIFY);
    story_end(s);
}

/* TLS 1.3: the server's second turn has this length; the client stands at 581, the server behind that. */
static story *begin_tls(uint32_t length)
{
    story *s = story_begin(LINUX, LINUX);

    story_open(s, 0.1);
    say(s, CLIENT, client_hello, 1, 1, 500);
    say(s, SERVER, records, 1, 501, 1000);
    say(s, CLIENT, records, 501, 1001, 80);
    say(s, SERVER, records, 1001, 581, length);
    return s;
}

/* A record that may be an alert, or tickets alone: nobody sees whether that was a refusal or an answer. */
static void goodbye_after_refusal(void)
{
    static const struct {
        uint32_t length;
        rstcause_pattern pattern;
    } second_turns[] = {
        {HIDDEN_ALERT, RSTCAUSE_NO_PATTERN}, {2 * 255, RSTCAUSE_NO_PATTERN}, {1200, RSTCAUSE_LATE_CLOSE_NOTIFY}};

    for (size_t i = 0; i < G_N_ELEMENTS(second_turns); i++) {
        uint32_t end = 1001 + second_turns[i].length;
        story *s = begin_tls(second_turns[i].length);

        story_send(s, SERVER, "FA", end, 581, 0);
        check(s, say_goodbye(s, records, 581, end, HIDDEN_ALERT), second_turns[i].pattern);
        story_end(s);
    }
}

/* Two bytes of an application are as long as a hidden alert, but come when they come. */
static void words_as_short_as_an_alert(void)
{
    story *s = begin_tls(1200);
    uint32_t rst;

    story_send(s, SERVER, "FA", 2201, 581, 0);
    story_send(s, CLIENT, "A", 581, 2202, 0);
    story_wait(s, 2000);
    say(s, CLIENT, records, 581, 2202, HIDDEN_ALERT);
    rst = story_answer(s, SERVER, "R", 2202, 0);
    check(s, rst, RSTCAUSE_STALE_CONNECTION);
    g_assert_false(story_says(s, rst, "goodbye"));
    story_end(s);
}

/* A long request, all acknowledged, and a reset so long after that. */
static story *upload(double wait, uint32_t *rst)
{
    enum { SEGMENTS = 40, LENGTH = 1400, END = 101 + SEGMENTS * LENGTH };
    story *s = story_begin(LINUX, LINUX);

    story_converse(s, 20);
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        say(s, CLIENT, i == 0 ? request : words, 101 + i * LENGTH, 201, LENGTH);
        story_send(s, SERVER, "A", 201, 101 + (i + 1) * LENGTH, 0);
    }
    story_wait(s, wait);
    *rst = story_send(s, SERVER, "RA", 201, END, 0);
    return s;
}

/* In the middle of an upload nobody has asked yet; who has stopped, waits. */
static void upload_cut_off(void)
{
    uint32_t rst;
    story *s = upload(1, &rst);

    check(s, rst, RSTCAUSE_NO_PATTERN);
    g_assert_false(story_says(s, rst, "without a byte of reply"));
    story_end(s);
    s = upload(500, &rst);
    check(s, rst, RSTCAUSE_REQUEST_UNANSWERED);
    story_end(s);
}

/* The client says something once a second, in a connection in which the server has answered so often. */
static uint32_t speak_in_vain(story *s, unsigned times, uint32_t next)
{
    for (unsigned i = 0; i < times; i++) {
        story_send(s, CLIENT, "PA", 101 + 50 * i, next, 50);
        story_send(s, SERVER, "A", next, 151 + 50 * i, 0);
        story_wait(s, 1000);
    }
    return story_send(s, SERVER, "RA", next, 101 + 50 * times, 0);
}

/* A log is no question. Who has been answered, asks twice. */
static void stream(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    rst = speak_in_vain(s, 5, 201);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    g_assert_false(story_says(s, rst, "request"));
    story_end(s);
    s = story_begin(LINUX, LINUX);
    story_converse(s, 0.1);
    rst = speak_in_vain(s, 2, 201);
    check(s, rst, RSTCAUSE_REQUEST_UNANSWERED);
    g_assert_true(story_says(s, rst, "all 100 bytes that the client said since the server's last word"));
    story_end(s);
}

/* The client's FIN was on its way when the server reset: it waits for nothing. */
static void leaving(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    story_send(s, CLIENT, "PA", 101, 201, 2);
    rst = story_send(s, SERVER, "RA", 201, 103, 0);
    check(s, rst, RSTCAUSE_REQUEST_UNANSWERED);
    story_wait(s, 5);
    story_send(s, CLIENT, "FA", 103, 201, 0);
    story_answer(s, SERVER, "R", 201, 0);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
}

/* Who says in its protocol that it goes awaits no answer; so does who may have said so unseen to a directory. */
static void taking_leave(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    say(s, CLIENT, leave, 101, 201, 5);
    rst = story_send(s, SERVER, "RA", 201, 106, 0);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
    s = story_begin(LINUX, LINUX);
    s->hosts[SERVER].port = 389;
    story_converse(s, 0.1);
    story_send(s, CLIENT, "PA", 101, 201, 43);
    rst = story_send(s, SERVER, "RA", 201, 144, 0);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
}

/* It closes and resets: HTTP has an answer to each request, other protocols need not. */
static void closed_and_reset(void)
{
    static const struct {
        const rstcause_first_bytes *asked;
        rstcause_pattern pattern;
    } questions[] = {{&request, RSTCAUSE_REQUEST_UNANSWERED}, {&words, RSTCAUSE_NO_PATTERN}};

    for (size_t i = 0; i < G_N_ELEMENTS(questions); i++) {
        story *s = story_begin(LINUX, LINUX);
        uint32_t rst;

        story_converse(s, 0.1);
        say(s, CLIENT, *questions[i].asked, 101, 201, 50);
        story_send(s, SERVER, "A", 201, 151, 0);
        story_wait(s, 500);
        story_send(s, SERVER, "FA", 201, 151, 0);
        rst = story_send(s, SERVER, "RA", 202, 151, 0);
        check(s, rst, questions[i].pattern);
        story_end(s);
    }
}

/* The client's Finished is no request; a ClientHello that nobody answers is. */
static void in_handshake(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    s->hosts[SERVER].port = 443;
    story_open(s, 0.1);
    say(s, CLIENT, client_hello, 1, 1, 500);
    say(s, SERVER, records, 1, 501, 1000);
    say(s, CLIENT, records, 501, 1001, 80);
    rst = story_send(s, SERVER, "RA", 1001, 581, 0);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
    s = story_begin(LINUX, LINUX);
    s->hosts[SERVER].port = 443;
    story_open(s, 0.1);
    say(s, CLIENT, client_hello, 1, 1, 500);
    rst = story_send(s, SERVER, "RA", 1, 501, 0);
    check(s, rst, RSTCAUSE_REQUEST_UNANSWERED);
    g_assert_true(story_says(s, rst, "acknowledged ClientHello"));
    story_end(s);
}

/* HTTP to a service that ends it without a word. */
static uint32_t ask_silent_service(story *s, uint16_t port)
{
    s->hosts[SERVER].port = port;
    story_open(s, 0.1);
    say(s, CLIENT, request, 1, 1, 300);
    story_send(s, SERVER, "FA", 1, 301, 0);
    say(s, CLIENT, words, 301, 1, 500);
    return story_answer(s, SERVER, "R", 1, 0);
}

/* The port says what is spoken there. A web server may close without a word, too. */
static void silent_service(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst = ask_silent_service(s, 6379);

    check(s, rst, RSTCAUSE_WRONG_PROTOCOL);
    g_assert_true(story_says(s, rst, "The client speaks plain HTTP to port 6379, which is Redis's."));
    story_end(s);
    s = story_begin(LINUX, LINUX);
    rst = ask_silent_service(s, 8080);
    check(s, rst, RSTCAUSE_NO_PATTERN);
    story_end(s);
}

/* "-ERR unknown command" is no answer of HTTP's, wherever it is said. */
static void foreign_answer(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_open(s, 0.1);
    say(s, CLIENT, request, 1, 1, 300);
    story_send_with(s, SERVER, "PA", 1, 301, NULL, 0, "-ERR unknown command\r\n");
    rst = story_send(s, CLIENT, "RA", 301, 23, 0);
    check(s, rst, RSTCAUSE_WRONG_PROTOCOL);
    story_end(s);
}

static const story_test tests[] = {
    {"goodbye-without-answer", goodbye_without_answer},
    {"goodbye-on-leaving", goodbye_on_leaving},
    {"goodbye-after-refusal", goodbye_after_refusal},
    {"words-as-short-as-an-alert", words_as_short_as_an_alert},
    {"upload-cut-off", upload_cut_off},
    {"stream", stream},
    {"leaving", leaving},
    {"taking-leave", taking_leave},
    {"closed-and-reset", closed_and_reset},
    {"in-handshake", in_handshake},
    {"silent-service", silent_service},
    {"foreign-answer", foreign_answer},
};

STORY_MAIN("turns", tests)
