/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Genuine resets that look like something else: clocks of captures, kernels' habits, routers and balancers between. */
#include "story.h"

/* A capture's clock has noise: a queue of the card or a second processor stamps the answer before its question. */
static void check_reset_before_trigger(double microseconds)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_converse(s, 0.1);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "A", 101, 202, 0);
    story_wait(s, 50);
    data = story_send(s, CLIENT, "PA", 101, 202, 10);
    s->time -= (int64_t)((10 + microseconds) * 1000); /* each packet comes 10 behind the one before */
    rst = story_answer(s, SERVER, "R", 202, 0);
    story_check(s, rst, .cause = "data-after-close", .detail = "data", .sender = "server", .trigger = data);
    story_end(s);
}

static void answer_stamped_early(void)
{
    check_reset_before_trigger(1);
    check_reset_before_trigger(10);
    check_reset_before_trigger(50);
}

/* Two interfaces, whose clocks are apart: an answer "before" its question is no forgery. */
static void clock_jumps_back(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_converse(s, 0.1);
    story_wait(s, 5000);
    data = story_send(s, CLIENT, "PA", 101, 201, 10);
    s->time -= 60 * 1000000;
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "server", .trigger = data);
    story_end(s);
}

/* The clock is set back by a second between the late ACK and its answer: the ACK that came before both is no trigger. */
static void clock_set_back_in_time_wait(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t late, rst;

    story_converse(s, 20);
    story_send(s, CLIENT, "FA", 101, 201, 0);
    story_wait(s, 20);
    story_send(s, SERVER, "FA", 201, 102, 0);
    story_send(s, CLIENT, "A", 102, 202, 0);
    story_wait(s, 400);
    late = story_send(s, CLIENT, "A", 102, 202, 0);
    story_wait(s, -1000);
    rst = story_answer(s, SERVER, "R", 202, 0);
    story_check(s, rst, .cause = "time-wait", .detail = STORY_ANY, .sender = "server", .trigger = late);
    g_assert_true(story_says(s, rst, "that clock is not to be trusted"));
    story_end(s);
}

/* A NAT one hop nearer has forgotten the client: it answers the server's data itself, and the client never gets them. A forger
 * beside the path lets them pass: the client acknowledges them. */
static void check_nat_or_forger(bool gets_trigger)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    s->hosts[CLIENT].ttl = 63;
    story_converse(s, 20);
    story_wait(s, 500);
    data = story_send(s, SERVER, "PA", 201, 101, 100);
    story_wait(s, 20);
    rst = story_answer(s, CLIENT, "R", 101, 0);
    story_wait(s, 300);
    story_send(s, CLIENT, "PA", 101, gets_trigger ? 301 : 201, 50);
    if (gets_trigger) {
        story_check(s, rst, .cause = "injected", .detail = STORY_ANY, .sender = "third-party");
    } else {
        story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "client", .trigger = data);
        g_assert_cmpint(story_verdict(s, rst)->confidence, !=, RSTCAUSE_CERTAIN);
        g_assert_true(story_has_alternative(s, rst, "injected"));
        g_assert_true(story_says(s, rst, "never got that segment"));
    }
    story_end(s);
}

static void nat_forgets(void)
{
    check_nat_or_forger(false);
    check_nat_or_forger(true);
}

/* The clock is set back before the late ACK: what its receiver had said before stands before it in the file, whatever its stamp. */
static void clock_set_back_before_late_ack(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t late, rst;

    story_converse(s, 20);
    story_send(s, CLIENT, "FA", 101, 201, 0);
    story_wait(s, 20);
    story_send(s, SERVER, "FA", 201, 102, 0);
    story_send(s, CLIENT, "A", 102, 202, 0);
    story_wait(s, 400);
    story_wait(s, -1000);
    late = story_send(s, CLIENT, "A", 102, 202, 0);
    story_wait(s, 20);
    rst = story_answer(s, SERVER, "R", 202, 0);
    story_check(s, rst, .cause = "time-wait", .detail = STORY_ANY, .sender = "server", .trigger = late);
    story_end(s);
}

/* The ACK that it answers stands behind it in the file: what is before is no proof. */
static void answer_filed_before_question(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    story_send(s, CLIENT, "FA", 101, 201, 0);
    story_send(s, SERVER, "A", 201, 102, 0);
    story_wait(s, 85);
    rst = story_answer(s, CLIENT, "R", 102, 0);
    story_send(s, SERVER, "A", 201, 102, 0);
    g_assert_cmpint(story_verdict(s, rst)->confidence, !=, RSTCAUSE_CERTAIN);
    story_end(s);
}

/* Linux, once the listener is gone: TIME-WAIT acknowledges the SYN, the client resets that, and its next SYN is refused. */
static void syn_into_time_wait_of_closed_port(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t acknowledged, reset, refusal;

    story_converse(s, 0.1);
    story_send(s, SERVER, "FA", 201, 101, 0);
    story_send(s, CLIENT, "FA", 101, 202, 0);
    story_send(s, SERVER, "A", 202, 102, 0);
    story_wait(s, 2000);
    story_restart(s, CLIENT, s->hosts[CLIENT].isn - 70000);
    story_send(s, CLIENT, "S", 0, 0, 0);
    acknowledged = story_send(s, SERVER, "A", 202, 70102, 0);
    reset = story_answer(s, CLIENT, "R", 70102, 0);
    story_wait(s, 1000);
    story_send(s, CLIENT, "S", 0, 0, 0);
    refusal = story_refuse(s, SERVER, 1);
    story_check(s, reset, .cause = "time-wait", .detail = "port-reuse", .sender = "client", .trigger = acknowledged);
    story_check(s, refusal, .cause = "closed-port", .sender = "server", .trigger = refusal - 1);
    story_end(s);
}

/* tcp_max_syn_backlog and a full accept queue: Linux repeats its SYN/ACK after the client's ACK, for it had dropped that. */
static void accept_queue_overflows_slowly(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_open(s, 0.1);
    for (int try = 0; try < 5; try++) {
        story_wait(s, 1000 << try);
        story_send(s, SERVER, "SA", 0, 1, 0);
        story_send(s, CLIENT, "A", 1, 1, 0);
    }
    story_wait(s, 60000);
    data = story_send(s, CLIENT, "PA", 1, 1, 20);
    rst = story_answer(s, SERVER, "R", 1, 0);
    story_check(s, rst, .cause = "handshake-rejected", .detail = STORY_ANY, .sender = "server", .trigger = data);
    story_end(s);
}

/* Both have closed when the abort goes out, with the next number of the sender's own counter. */
static void abort_right_behind_both_fins(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 0.1);
    story_send(s, CLIENT, "FA", 101, 201, 0);
    story_send(s, SERVER, "FA", 201, 102, 0);
    rst = story_send(s, SERVER, "RA", 202, 102, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    g_assert_false(story_has_alternative(s, rst, "time-wait"));
    story_end(s);
}

/* RFC 5961 section 3.2: a reset beside the next number is answered with a challenge ACK, and that with the right reset. */
static void reset_behind_challenge(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t first, challenge, second;

    story_converse(s, 0.1);
    story_wait(s, 100);
    first = story_send(s, SERVER, "RA", 251, 101, 0);
    challenge = story_send(s, CLIENT, "A", 101, 201, 0);
    second = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, first, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_check(s, second, .cause = "already-reset", .sender = "server", .trigger = challenge, .original = first);
    story_end(s);
}

/* conntrack was flushed: a nearer backend, with its own TTL, answers for a connection that it never had. */
static void nearer_backend_answers(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    s->hosts[SERVER].ttl = 58;
    story_converse(s, 20);
    story_wait(s, 3000);
    data = story_send(s, CLIENT, "PA", 101, 201, 40);
    story_wait(s, 2);
    s->hosts[SERVER].kernel_ttl = 63;
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "server", .trigger = data);
    story_end(s);
}

/* Its number on the wire is 0 and nothing else is there: a refusal is the best reading, and no more than possible. */
static void lone_reset_with_number_zero(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst = story_refuse(s, SERVER, 1);

    story_check(s, rst, .cause = "closed-port", .detail = STORY_ANY, .confidence = "possible", .sender = "server");
    story_end(s);
}

/* The other side is not in the capture: what it acknowledged is not known, so no number can be called unacceptable. */
static void answer_of_unseen_side(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    story_wait(s, 20);
    story_send(s, CLIENT, "A", 1, 1, 0);
    for (uint32_t at = 0; at < 5; at++) {
        story_send(s, CLIENT, "PA", 1 + 100 * at, 1 + 1000 * at, 100);
        story_wait(s, 20);
    }
    data = story_send(s, CLIENT, "PA", 501, 5001, 100);
    rst = story_answer(s, SERVER, "R", 5001, 0);
    g_assert_cmpstr(rstcause_cause_name(story_verdict(s, rst)->cause), !=, "unacceptable-ack");
    g_assert_cmpuint(story_verdict(s, rst)->trigger, ==, data);
    story_end(s);
}

/* conntrack INVALID: the backend's segment reaches the client untranslated; the client knows only the service's address,
 * refuses it, and goes on there. */
static void router_does_not_translate(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t stray, rst;

    story_converse(s, 20);
    story_wait(s, 100);
    s->hosts[SERVER].address[3] = 3;
    stray = story_send(s, SERVER, "PA", 201, 101, 50);
    rst = story_answer(s, CLIENT, "R", 101, 0);
    s->hosts[SERVER].address[3] = 2;
    story_wait(s, 20);
    story_send(s, SERVER, "PA", 201, 101, 50);
    story_send(s, CLIENT, "PA", 101, 251, 100);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "client", .trigger = stray);
    story_end(s);
}

/* Another, nearer backend answers the data far sooner than the one before did; the ACK before it waited far too long. */
static void nearer_backend_answers_data(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_converse(s, 40);
    story_send(s, SERVER, "PA", 201, 101, 50);
    story_wait(s, 47);
    story_send(s, CLIENT, "A", 101, 251, 0);
    story_wait(s, 276);
    data = story_send(s, CLIENT, "PA", 101, 251, 300);
    story_wait(s, 0.2);
    rst = story_answer(s, SERVER, "R", 251, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "server", .trigger = data);
    story_end(s);
}

/* The abort overtakes the data that was sent before it, as its clock and its counter of IP IDs show. */
static void abort_overtakes_data(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 40);
    story_wait(s, 100);
    s->hosts[SERVER].ip_id++;
    rst = story_send(s, SERVER, "RA", 301, 101, 0);
    s->hosts[SERVER].ip_id -= 2;
    s->held = 5;
    story_wait(s, 4);
    story_send(s, SERVER, "PA", 201, 101, 100);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

/* The SYN waited for the address of the next hop: its stamp is older than its place in the capture, and the clock that aborts
 * seems to run ahead. */
static void syn_waits_for_its_neighbour(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    s->held = 2000;
    story_send(s, CLIENT, "S", 0, 0, 0);
    s->held = 0;
    story_wait(s, 11);
    story_send(s, SERVER, "SA", 0, 1, 0);
    story_wait(s, 0.2);
    rst = story_send(s, CLIENT, "RA", 1, 1, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "client");
    story_end(s);
}

/* ... but what nothing explains is not its sender's. */
static void clock_of_another(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 50);
    s->held = -60000;
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    g_assert_cmpint(story_verdict(s, rst)->confidence, !=, RSTCAUSE_CERTAIN);
    g_assert_true(story_says(s, rst, "its timestamp is not what its sender's clock shows"));
    story_end(s);
}

/* A segment far beyond the client's window reaches its router untranslated, which answers it; the client goes on. */
static void router_takes_it_for_its_own(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t stray, rst;

    story_converse(s, 20);
    story_wait(s, 100);
    stray = story_send(s, SERVER, "PA", 20000201, 101, 50);
    rst = story_answer(s, CLIENT, "R", 101, 0);
    story_wait(s, 200);
    story_send(s, CLIENT, "PA", 101, 201, 100);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "client", .trigger = stray);
    story_end(s);
}

/* ... but a forged answer to what the client takes in is none. */
static void forged_answer_inside_the_window(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 100);
    story_send(s, SERVER, "PA", 201, 101, 50);
    rst = story_answer(s, CLIENT, "R", 101, 0);
    story_wait(s, 200);
    story_send(s, CLIENT, "PA", 101, 251, 100);
    story_check(s, rst, .cause = "injected", .detail = "sender-continues", .sender = "third-party");
    story_end(s);
}

/* net.ipv4.ip_default_ttl is written while the connection lives: the socket's own counter and clock go on. */
static void default_ttl_changes(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_converse(s, 20);
    story_wait(s, 100);
    s->hosts[SERVER].ttl = 128;
    rst = story_send(s, SERVER, "RA", 201, 101, 0);
    story_check(s, rst, .cause = "abort", .detail = STORY_ANY, .sender = "server");
    story_end(s);
}

/* The container is gone, and its host, one hop nearer, answers for the address. */
static void host_of_container_answers(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    s->hosts[SERVER].ttl = 63;
    s->hosts[SERVER].kernel_ttl = 64;
    story_converse(s, 20);
    story_wait(s, 5000);
    data = story_send(s, CLIENT, "PA", 101, 201, 40);
    story_wait(s, 20);
    rst = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "server", .trigger = data);
    story_end(s);
}

/* The capture has the data that it answers behind it: a card's rings are emptied in turn. */
static void question_filed_behind_answer(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, rst;

    story_converse(s, 0.1);
    story_wait(s, 5000);
    rst = story_answer(s, SERVER, "R", 201, 0);
    data = story_send(s, CLIENT, "PA", 101, 201, 40);
    story_check(s, rst, .cause = "half-open", .detail = "data", .sender = "server", .trigger = data);
    story_end(s);
}

/* ... and the question behind that has an answer of its own: none is answered twice. */
static void questions_filed_behind_answer(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t data, more, first, second;

    story_converse(s, 0.1);
    story_wait(s, 5000);
    first = story_answer(s, SERVER, "R", 201, 0);
    data = story_send(s, CLIENT, "PA", 101, 201, 40);
    more = story_send(s, CLIENT, "PA", 141, 201, 40);
    second = story_answer(s, SERVER, "R", 201, 0);
    story_check(s, first, .cause = "half-open", .detail = "data", .trigger = data);
    story_check(s, second, .cause = "already-reset", .trigger = more, .original = first);
    story_end(s);
}

static const story_test tests[] = {
    {"answer-stamped-early", answer_stamped_early},
    {"clock-jumps-back", clock_jumps_back},
    {"nat-forgets", nat_forgets},
    {"clock-set-back-in-time-wait", clock_set_back_in_time_wait},
    {"clock-set-back-before-late-ack", clock_set_back_before_late_ack},
    {"answer-filed-before-question", answer_filed_before_question},
    {"syn-into-time-wait-of-closed-port", syn_into_time_wait_of_closed_port},
    {"accept-queue-overflows-slowly", accept_queue_overflows_slowly},
    {"abort-right-behind-both-fins", abort_right_behind_both_fins},
    {"reset-behind-challenge", reset_behind_challenge},
    {"nearer-backend-answers", nearer_backend_answers},
    {"lone-reset-with-number-zero", lone_reset_with_number_zero},
    {"answer-of-unseen-side", answer_of_unseen_side},
    {"router-does-not-translate", router_does_not_translate},
    {"nearer-backend-answers-data", nearer_backend_answers_data},
    {"syn-waits-for-its-neighbour", syn_waits_for_its_neighbour},
    {"clock-of-another", clock_of_another},
    {"abort-overtakes-data", abort_overtakes_data},
    {"router-takes-it-for-its-own", router_takes_it_for_its_own},
    {"forged-answer-inside-the-window", forged_answer_inside_the_window},
    {"default-ttl-changes", default_ttl_changes},
    {"host-of-container-answers", host_of_container_answers},
    {"question-filed-behind-answer", question_filed_behind_answer},
    {"questions-filed-behind-answer", questions_filed_behind_answer},
};

STORY_MAIN("lookalike", tests)
