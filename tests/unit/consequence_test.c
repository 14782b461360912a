/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a reset did: effect, lost data, severity, failure code; what was stated and said before it. */
#include "story.h"

#include <string.h>

#include "rstcause/catalogue.h"

static void check_effect(const story *s, uint32_t rst, const char *start)
{
    const char *effect = story_verdict(s, rst)->effect;

    if (!g_str_has_prefix(effect, start)) {
        g_test_message("effect \"%s\" should begin with \"%s\"", effect, start);
        g_test_fail();
    }
}

/* tcp_reset() in Linux's net/ipv4/tcp_input.c: SYN-SENT gives ECONNREFUSED. */
static void refused_connect(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    rst = story_refuse(s, SERVER, 1);
    check_effect(s, rst, "ECONNREFUSED");
    g_assert_cmpint(rstcause_verdict_severity(story_verdict(s, rst)), ==, RSTCAUSE_WARN);
    story_end(s);
}

/* ESTABLISHED: ECONNRESET. Data on the way both ways are lost. */
static void reset_read(void)
{
    story *s = story_begin(LINUX, LINUX);
    const rstcause_verdict *v;
    uint32_t rst;

    story_converse(s, 40);
    story_send(s, CLIENT, "PA", 101, 201, 30);
    story_send(s, SERVER, "PA", 201, 101, 500);
    rst = story_send(s, SERVER, "RA", 701, 101, 0);
    check_effect(s, rst, "ECONNRESET");
    v = story_verdict(s, rst);
    g_assert_true(v->has_data_lost);
    g_assert_cmpuint(v->data_lost, ==, 530);
    g_assert_cmpint(rstcause_verdict_severity(v), ==, RSTCAUSE_WARN);
    story_end(s);
}

/* Everything had been acknowledged: harmless, so a chat. */
static void harmless_abort(void)
{
    story *s = story_begin(LINUX, LINUX);
    const rstcause_verdict *v;
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 100);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    v = story_verdict(s, rst);
    g_assert_true(v->has_data_lost);
    g_assert_cmpuint(v->data_lost, ==, 0);
    g_assert_cmpint(rstcause_verdict_severity(v), ==, RSTCAUSE_CHAT);
    story_end(s);
}

/* CLOSE-WAIT: EPIPE, since read() had returned the end of the file. */
static void reset_after_fin_of_sender(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.2);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "A", 101, 202, 0);
    story_wait(s, 10);
    story_send(s, CLIENT, "PA", 101, 202, 50);
    rst = story_answer(s, SERVER, "R", 202, 0);
    check_effect(s, rst, "EPIPE");
    g_assert_cmpuint(story_verdict(s, rst)->data_lost, ==, 50);
    story_end(s);
}

/* The FIN crosses data, which the closed side answers: the number is from before the FIN, which the peer has in by then. */
static void reset_behind_crossing_fin(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_wait(s, 1);
    story_send(s, CLIENT, "PA", 101, 201, 50);
    story_wait(s, 20);
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst, .cause = "data-after-close", .detail = "data", .sender = "server", .trigger = s->frame - 1);
    check_effect(s, rst, "EPIPE");
    story_end(s);
}

/* Behind a hole in the data: the receiver asks with a challenge ACK (RFC 5961), and the sender confirms. */
static void reset_behind_a_hole(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_send(s, SERVER, "PA", 301, 101, 100);
    story_send(s, CLIENT, "A", 101, 201, 0);
    story_wait(s, 50);
    rst = story_send(s, SERVER, "RA", 401, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = "pending-data", .sender = "server");
    check_effect(s, rst, "ECONNRESET");
    story_end(s);
}

/* Nobody confirms a forged one: it is the next, exact one that ends the connection. */
static void forged_beside_the_next_number(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t beside, exact;

    story_converse(s, 20);
    story_wait(s, 500);
    beside = story_forge(s, SERVER, "R", 5201, 0, 250, 1234);
    exact = story_forge(s, SERVER, "R", 201, 0, 250, 1235);
    check_effect(s, beside, "none where the receiver follows RFC 5961");
    check_effect(s, exact, "ECONNRESET from read() or write() where the receiver follows RFC 5961");
    story_end(s);
}

/* A SYN and a FIN take a number each, but are no payload. */
static void only_payload_is_lost(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 100);
    story_send(s, CLIENT, "FPA", 101, 201, 7);
    story_wait(s, 20);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    g_assert_cmpuint(story_verdict(s, rst)->data_lost, ==, 7);
    story_end(s);
}

/* What follows a reset has no effect, and does not count the loss again. */
static void echo_has_no_effect(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.2);
    story_wait(s, 1);
    story_send(s, CLIENT, "PA", 101, 201, 50);
    story_send(s, SERVER, "RA", 201, 101, 0);
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst, .cause = "already-reset", .sender = "server", .trigger = s->frame - 2,
                .original = s->frame - 1);
    check_effect(s, rst, "none");
    g_assert_false(story_verdict(s, rst)->has_data_lost);
    g_assert_cmpint(rstcause_verdict_severity(story_verdict(s, rst)), ==, RSTCAUSE_CHAT);
    story_end(s);
}

static void forged_is_an_error(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    s->hosts[SERVER].ttl = 52;
    story_converse(s, 20);
    story_wait(s, 5);
    rst = story_forge(s, SERVER, "RA", 201, 101, 59, 1234);
    story_check(s, rst, .cause = "injected", .detail = "ttl", .sender = "third-party");
    g_assert_cmpint(rstcause_verdict_severity(story_verdict(s, rst)), ==, RSTCAUSE_ERROR);
    g_assert_cmpuint(story_verdict(s, rst)->failure_code, ==, 17);
    story_end(s);
}

/* RFC 9293 SHLD-2: text in the payload of the reset. It counts as evidence and stands in the verdict. */
static void stated_reason(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    rst = story_send_with(s, SERVER, "RA", 201, 101, NULL, 0, "BIG-IP: [0x2611f3d:888] Idle timeout expired");
    g_assert_nonnull(story_verdict(s, rst)->stated);
    g_assert_nonnull(strstr(story_verdict(s, rst)->stated, "Idle timeout"));
    g_assert_true(story_says(s, rst, "its sender states"));
    story_end(s);
}

/* What the sender states is known even where the capture holds nothing else. */
static void stated_reason_without_context(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst = story_send_with(s, SERVER, "RA", 201, 101, NULL, 0, "the backend went away");

    g_assert_cmpstr(story_verdict(s, rst)->stated, ==, "the backend went away");
    story_check(s, rst, .cause = "abort", .confidence = "possible");
    story_end(s);
}

static uint32_t say(story *s, story_side side, uint32_t sequence, uint32_t acknowledgement, const char *words)
{
    return story_send_with(s, side, "PA", sequence, acknowledgement, NULL, 0, words);
}

static const char refusal[] = "HTTP/1.1 503 Busy\r\n\r\n"; /* 21 bytes */

/* An application that said goodbye: its words are evidence. */
static void last_words(void)
{
    story *s = story_begin(LINUX, LINUX);
    char *evidence;
    uint32_t said, rst;

    story_converse(s, 20);
    said = say(s, SERVER, 201, 101, refusal);
    story_wait(s, 5);
    rst = story_send(s, SERVER, "RA", 222, 101, 0);
    evidence = g_strdup_printf("last words of its application in #%u: HTTP status 503 Service Unavailable", said);
    g_assert_true(story_says(s, rst, evidence));
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    g_free(evidence);
    story_end(s);
}

/* In a capture that begins with them, too. */
static void words_at_first(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    say(s, SERVER, 201, 101, refusal);
    rst = story_send(s, SERVER, "RA", 222, 101, 0);
    g_assert_true(story_says(s, rst, "HTTP status 503"));
    story_end(s);
}

/* The other side's words are no farewell of S, and those of a connection before are not either. */
static void words_of_others(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    say(s, CLIENT, 101, 201, refusal);
    rst = story_send(s, SERVER, "RA", 201, 122, 0);
    g_assert_false(story_says(s, rst, "last words"));
    say(s, SERVER, 201, 122, refusal);
    story_wait(s, 1000);
    story_restart(s, CLIENT, 5);
    story_converse(s, 20);
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    g_assert_false(story_says(s, rst, "last words"));
    story_end(s);
}

/* A refusal that the application went on after was no farewell. */
static void words_before_more(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    say(s, SERVER, 201, 101, refusal);
    story_send(s, CLIENT, "PA", 101, 222, 100);
    story_send(s, SERVER, "PA", 222, 201, 50);
    story_wait(s, 5);
    rst = story_send(s, SERVER, "RA", 272, 201, 0);
    g_assert_false(story_says(s, rst, "last words"));
    story_end(s);
}

/* An HTTP response goes on in further segments; its last one is named. An alert does not. */
static void words_of_many_segments(void)
{
    static const char alert[] = "\x15\x03\x03\x01\x01"; /* the header of an encrypted one */
    story *s = story_begin(LINUX, LINUX);
    char *evidence;
    uint32_t body, rst;

    story_converse(s, 20);
    say(s, SERVER, 201, 101, refusal);
    body = story_send(s, SERVER, "PA", 222, 101, 1000);
    story_wait(s, 5);
    rst = story_send(s, SERVER, "RA", 1222, 101, 0);
    evidence = g_strdup_printf("in #%u: HTTP status 503", body);
    g_assert_true(story_says(s, rst, evidence));
    g_free(evidence);
    story_end(s);

    s = story_begin(LINUX, LINUX);
    story_converse(s, 20);
    say(s, SERVER, 201, 101, alert);
    story_send(s, SERVER, "PA", 206, 101, 100);
    rst = story_send(s, SERVER, "RA", 306, 101, 0);
    g_assert_false(story_says(s, rst, "last words"));
    story_end(s);
}

/* A request that was acknowledged and never answered did harm, though no byte is missing. */
static void unanswered_request(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_send(s, CLIENT, "PA", 101, 201, 50);
    story_wait(s, 20);
    story_send(s, SERVER, "A", 201, 151, 0);
    story_wait(s, 3000);
    rst = story_send(s, SERVER, "RA", 201, 151, 0);
    story_check(s, rst, .cause = "abort", .sender = "server");
    g_assert_cmpint(rstcause_verdict_severity(story_verdict(s, rst)), ==, RSTCAUSE_WARN);
    story_end(s);
}

/* The client said what it wanted and left: nobody waits for an answer. */
static void client_leaves(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_send(s, CLIENT, "PA", 101, 201, 50);
    story_wait(s, 20);
    story_send(s, SERVER, "A", 201, 151, 0);
    story_wait(s, 3000);
    rst = story_send(s, CLIENT, "RA", 151, 201, 0);
    g_assert_cmpint(rstcause_verdict_severity(story_verdict(s, rst)), ==, RSTCAUSE_CHAT);
    story_end(s);
}

/* RFC 8446 section 6.1: close_notify after the other side has closed asks for nothing. */
static void late_close_notify(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t alert, rst;

    story_converse(s, 20);
    story_wait(s, 100);
    story_send(s, SERVER, "FA", 201, 101, 0);
    s->said = (rstcause_first_bytes){.kind = RSTCAUSE_TLS_ALERT};
    alert = story_send(s, CLIENT, "PA", 101, 202, 7);
    story_wait(s, 20);
    rst = story_answer(s, SERVER, "R", 202, 0);
    story_check(s, rst, .cause = "data-after-close", .detail = "data", .sender = "server", .trigger = alert);
    g_assert_cmpint(rstcause_verdict_severity(story_verdict(s, rst)), ==, RSTCAUSE_CHAT);
    story_end(s);
}

/* An ACK number that no window explains is nobody's loss. */
static void unbelievable_ack_loses_nothing(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_send(s, CLIENT, "PA", 1000101, 201, 10);
    story_send(s, SERVER, "A", 201, 1000111u - (1u << 30), 0);
    story_wait(s, 100);
    rst = story_send(s, SERVER, "RA", 201, 1000101, 0);
    g_assert_cmpuint(story_verdict(s, rst)->data_lost, <=, 10);
    story_end(s);
}

/* Mid-stream, from far below all that was seen: it must not move the window that the reset has to meet. */
static void unbelievable_ack_moves_no_window(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_send(s, SERVER, "PA", 201, 101, 10);
    story_forge(s, CLIENT, "A", 101, 201u - (1u << 30), 64, 4711);
    story_wait(s, 100);
    rst = story_send(s, SERVER, "RA", 211, 101, 0);
    g_assert_true(story_verdict(s, rst)->effective);
    g_assert_true(story_says(s, rst, "ECONNRESET"));
    g_assert_cmpuint(story_verdict(s, rst)->data_lost, <=, 10);
    story_end(s);
}

/* The numbers come round half: RFC 9293 section 3.4 compares them modulo 2^32, and what was acknowledged is not lost. */
static void more_than_two_gigabytes(void)
{
    const uint32_t length = 32768;
    story *s = story_begin(LINUX, LINUX);
    uint32_t next = 201, rst;

    story_converse(s, 0.1);
    for (uint64_t sent = 0; sent < UINT64_C(2400000000); sent += length, next += length) {
        story_send(s, SERVER, "A", next, 101, length);
        story_send(s, CLIENT, "A", 101, next + length, 0);
    }
    rst = story_send(s, SERVER, "RA", next, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    g_assert_cmpint(story_verdict(s, rst)->detail, !=, RSTCAUSE_PENDING_DATA);
    g_assert_cmpuint(story_verdict(s, rst)->data_lost, ==, 0);
    g_assert_true(story_verdict(s, rst)->effective);
    story_end(s);
}

static const story_test tests[] = {
    {"refused-connect", refused_connect},
    {"reset-read", reset_read},
    {"harmless-abort", harmless_abort},
    {"after-fin-of-sender", reset_after_fin_of_sender},
    {"only-payload", only_payload_is_lost},
    {"behind-crossing-fin", reset_behind_crossing_fin},
    {"behind-a-hole", reset_behind_a_hole},
    {"forged-beside", forged_beside_the_next_number},
    {"echo", echo_has_no_effect},
    {"forged", forged_is_an_error},
    {"stated", stated_reason},
    {"stated-without-context", stated_reason_without_context},
    {"last-words", last_words},
    {"words-at-first", words_at_first},
    {"words-of-others", words_of_others},
    {"words-before-more", words_before_more},
    {"unanswered-request", unanswered_request},
    {"client-leaves", client_leaves},
    {"late-close-notify", late_close_notify},
    {"unbelievable-ack", unbelievable_ack_loses_nothing},
    {"unbelievable-ack-window", unbelievable_ack_moves_no_window},
    {"words-of-many-segments", words_of_many_segments},
    {"two-gigabytes", more_than_two_gigabytes},
};

STORY_MAIN("consequence", tests)
