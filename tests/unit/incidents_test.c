/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which resets are one incident, in which order incidents stand, and what a ticket says of them. */
#include "incidents/incidents.h"

#include <stdio.h>
#include <string.h>

#include "incidents/ticket.h"
#include "story.h"

static const int64_t start = INT64_C(1764000000) * 1000000000; /* 2025-11-24 16:00:00 UTC */
static const int64_t second = 1000000000;

static rstcause_address address_of(uint8_t last)
{
    return (rstcause_address){.bytes = {192, 0, 2, last}, .length = 4};
}

/* A reset of the service 192.0.2.1:80 to the client 192.0.2.'client', by which data was lost. */
static rstcause_verdict abort_of_service(uint32_t frame, uint8_t client)
{
    return (rstcause_verdict){
        .frame = frame,
        .cause = RSTCAUSE_ABORT,
        .sender = RSTCAUSE_SERVER,
        .effective = true,
        .source = address_of(1),
        .destination = address_of(client),
        .source_port = 80,
        .destination_port = (uint16_t)(40000 + frame),
        .is_from_service = true,
        .has_data_lost = true,
        .data_lost = 1,
        .explanation = (char *)"It tore the connection down.",
        .advice = (char *)"Look at its log.",
        .idle = -1,
    };
}

static rstcause_verdict abort_of_client(uint32_t frame, uint8_t client)
{
    rstcause_verdict verdict = abort_of_service(frame, client);

    verdict.sender = RSTCAUSE_CLIENT;
    verdict.source = address_of(client);
    verdict.destination = address_of(1);
    verdict.source_port = verdict.destination_port;
    verdict.destination_port = 80;
    verdict.is_from_service = false;
    return verdict;
}

static rstcause_verdict without_harm(rstcause_verdict verdict)
{
    verdict.data_lost = 0;
    return verdict;
}

static void add(incidents *all, rstcause_verdict verdict, int64_t time)
{
    incidents_add(all, &verdict, time);
}

static void one_service_and_side(void)
{
    incidents *all = incidents_new();
    const incident *one;

    add(all, abort_of_service(9, 7), start + 2 * second);
    add(all, abort_of_service(12, 8), start + 9 * second);
    add(all, without_harm(abort_of_service(15, 7)), start + 5 * second);
    g_assert_cmpuint(incidents_count(all), ==, 1);
    one = incidents_at(all, 0);
    g_assert_cmpuint(one->counts.resets, ==, 3);
    g_assert_cmpuint(one->counts.harmful, ==, 2);
    g_assert_cmpuint(one->peers->len, ==, 2);
    g_assert_false(one->more_peers);
    g_assert_cmpuint(one->counts.first_frame, ==, 9);
    g_assert_cmpuint(one->counts.last_frame, ==, 15);
    g_assert_cmpint(one->counts.first_time, ==, start + 2 * second);
    g_assert_cmpint(one->counts.last_time, ==, start + 9 * second);
    g_assert_cmpint(one->worst, ==, RSTCAUSE_WARN);
    incidents_free(all);
}

static void check_apart(rstcause_verdict one, rstcause_verdict other)
{
    incidents *all = incidents_new();

    add(all, one, start);
    add(all, other, start);
    g_assert_cmpuint(incidents_count(all), ==, 2);
    incidents_free(all);
}

static void what_is_another_incident(void)
{
    rstcause_verdict one = abort_of_service(1, 7), other;

    check_apart(one, abort_of_client(2, 7));
    other = one;
    other.source_port = 81;
    check_apart(one, other);
    other = one;
    other.source = address_of(2);
    check_apart(one, other);
    other = one;
    other.cause = RSTCAUSE_HALF_OPEN;
    check_apart(one, other);
    other = one;
    other.pattern = RSTCAUSE_MASS_ABORT;
    check_apart(one, other);
    other = one;
    other.sender = RSTCAUSE_THIRD_PARTY;
    check_apart(one, other);
    /* 0.0.0.0 and an address that is not known. */
    one.source = (rstcause_address){.length = 4};
    other = one;
    other.source.length = 0;
    check_apart(one, other);
}

/* The service is the same whoever resets. */
static void both_sides_name_the_service(void)
{
    incidents *all = incidents_new();

    add(all, abort_of_service(1, 7), start);
    add(all, abort_of_client(2, 9), start);
    for (unsigned rank = 0; rank < 2; rank++) {
        const incident *one = incidents_at(all, rank);

        g_assert_cmpstr(one->service, ==, "192.0.2.1:80");
        g_assert_cmpuint(one->peers->len, ==, 1);
        g_assert_cmpuint(g_array_index(one->peers, rstcause_address, 0).bytes[3], ==, rank == 0 ? 7 : 9);
    }
    incidents_free(all);
}

static rstcause_verdict scanned(uint32_t frame, uint8_t scanner, uint8_t host)
{
    rstcause_verdict verdict = abort_of_service(frame, scanner);

    verdict.cause = RSTCAUSE_CLOSED_PORT;
    verdict.pattern = RSTCAUSE_PORT_SCAN;
    verdict.source = address_of(host);
    verdict.source_port = (uint16_t)frame;
    return verdict;
}

/* All ports and hosts that one host scans; another one's scan is another incident. */
static void a_scan_is_one_incident(void)
{
    incidents *all = incidents_new();
    rstcause_verdict unscanned = scanned(9, 200, 1);

    add(all, scanned(1, 200, 1), start);
    add(all, scanned(2, 200, 1), start);
    add(all, scanned(3, 200, 2), start);
    add(all, scanned(4, 201, 1), start);
    unscanned.pattern = RSTCAUSE_NO_PATTERN;
    add(all, unscanned, start);
    g_assert_cmpuint(incidents_count(all), ==, 3);
    g_assert_cmpstr(incidents_at(all, 0)->service, ==, "192.0.2.1:9");
    g_assert_cmpuint(incidents_at(all, 0)->counts.harmful, ==, 1);
    g_assert_cmpstr(incidents_at(all, 1)->service, ==, "many ports or hosts");
    g_assert_cmpuint(incidents_at(all, 1)->counts.resets, ==, 3);
    g_assert_cmpuint(incidents_at(all, 1)->counts.harmful, ==, 0);
    g_assert_cmpuint(incidents_at(all, 1)->peers->len, ==, 1);
    incidents_free(all);
}

static void idle_bracket(void)
{
    static const int64_t idles[] = {-1, 5200000000, 4900000000, -1, 5000000000};
    incidents *all = incidents_new();
    rstcause_verdict verdict = abort_of_service(1, 7);
    char *text;

    for (unsigned i = 0; i < G_N_ELEMENTS(idles); i++) {
        verdict.idle = idles[i];
        add(all, verdict, start);
        g_assert_cmpint(incidents_at(all, 0)->shortest_idle, ==, i == 0 ? -1 : i == 1 ? 5200000000 : 4900000000);
        g_assert_cmpint(incidents_at(all, 0)->longest_idle, ==, i == 0 ? -1 : 5200000000);
    }
    text = ticket_text(all);
    g_assert_nonnull(strstr(text, "; idle for 4.900 to 5.200 s before\n"));
    g_free(text);
    incidents_free(all);
}

static void short_silence_is_no_idleness(void)
{
    incidents *all = incidents_new();
    rstcause_verdict verdict = abort_of_service(1, 7);
    char *text;

    verdict.idle = 999999999;
    add(all, verdict, start);
    g_assert_cmpint(incidents_at(all, 0)->longest_idle, ==, 999999999);
    text = ticket_text(all);
    g_assert_null(strstr(text, "idle"));
    g_free(text);
    incidents_free(all);
}

/* What the reset's verdict takes for the service. */
static void check_service(const story *s, uint32_t reset, const char *service, uint16_t source_port)
{
    const rstcause_verdict *verdict = story_verdict(s, reset);
    char *named = incident_name_service(verdict);

    g_assert_cmpstr(named, ==, service);
    g_assert_cmpuint(verdict->source_port, ==, source_port);
    g_free(named);
}

/* The service is what was asked, whoever resets, and whoever forges a reset in whose name. */
static void service_of_a_verdict(void)
{
    story *s = story_begin(LINUX, LINUX);
    uint32_t rst;

    story_send(s, CLIENT, "S", 0, 0, 0);
    rst = story_refuse(s, SERVER, 1);
    check_service(s, rst, "10.0.0.2:80", 80);
    story_wait(s, 100);
    story_restart(s, CLIENT, 7000);
    story_converse(s, 20);
    story_wait(s, 500);
    rst = story_forge(s, SERVER, "R", 5201, 0, 250, 1234);
    story_check(s, rst, "injected", STORY_ANY, .sender = "third-party");
    check_service(s, rst, "10.0.0.2:80", 80);
    rst = story_send(s, CLIENT, "RA", 101, 201, 0);
    story_check(s, rst, "abort", STORY_ANY, .sender = "client");
    check_service(s, rst, "10.0.0.2:80", 40000);
    story_end(s);
}

/* A service on a port above its client's, as long as the handshake is there. */
static void service_on_the_higher_port(void)
{
    story *s = story_begin(LINUX, LINUX);

    s->is_ipv6 = true;
    s->hosts[SERVER].port = 50000;
    story_send(s, CLIENT, "S", 0, 0, 0);
    check_service(s, story_refuse(s, SERVER, 1), "[a00:2::]:50000", 50000);
    story_end(s);
}

/* Harm first, then number; whoever was first stays first. */
static void order(void)
{
    incidents *all = incidents_new();
    const incident *chats, *warnings;

    for (uint32_t frame = 1; frame <= 5; frame++)
        add(all, without_harm(abort_of_service(frame, 7)), start);
    chats = incidents_at(all, 0);
    add(all, abort_of_client(6, 7), start);
    warnings = incidents_at(all, 0);
    g_assert_true(warnings != chats);
    g_assert_cmpuint(warnings->rank, ==, 0);
    g_assert_cmpuint(chats->rank, ==, 1);
    add(all, abort_of_service(7, 7), start);
    g_assert_true(incidents_at(all, 0) == chats);
    g_assert_cmpuint(warnings->rank, ==, 1);
    incidents_free(all);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1103515245 + 12345;
    return *state >> 16;
}

static void check_order(const incidents *all)
{
    for (unsigned rank = 0; rank < incidents_count(all); rank++) {
        const incident_counts *one = &incidents_at(all, rank)->counts;

        g_assert_cmpuint(incidents_at(all, rank)->rank, ==, rank);
        if (rank > 0) {
            const incident_counts *before = &incidents_at(all, rank - 1)->counts;

            g_assert_true(before->harmful > one->harmful ||
                          (before->harmful == one->harmful && before->resets >= one->resets));
        }
    }
}

/* A table of which only the ranks are drawn anew that are said to be new shows all as it is. */
static void ranks_that_are_new(void)
{
    incidents *all = incidents_new();
    const incident *shown[40] = {NULL};
    uint32_t counts[40] = {0}, state = 1;

    for (uint32_t frame = 1; frame < 5000; frame++) {
        rstcause_verdict verdict = abort_of_service(frame, 7);
        incident_ranks changed;

        verdict.source_port = (uint16_t)(1 + next_random(&state) % 40);
        verdict.data_lost = next_random(&state) % 2;
        changed = incidents_add(all, &verdict, start);
        g_assert_cmpuint(changed.first, <=, changed.last);
        for (unsigned rank = changed.first; rank <= changed.last; rank++) {
            shown[rank] = incidents_at(all, rank);
            counts[rank] = shown[rank]->counts.resets;
        }
        for (unsigned rank = 0; rank < incidents_count(all); rank++) {
            g_assert_true(shown[rank] == incidents_at(all, rank));
            g_assert_cmpuint(counts[rank], ==, shown[rank]->counts.resets);
        }
    }
    check_order(all);
    incidents_free(all);
}

static void a_copy_does_no_harm(void)
{
    incidents *all = incidents_new();
    rstcause_verdict copy = abort_of_service(2, 7);

    copy.detail = RSTCAUSE_COPY;
    add(all, abort_of_service(1, 7), start);
    add(all, copy, start);
    g_assert_cmpuint(incidents_count(all), ==, 1);
    g_assert_cmpuint(incidents_at(all, 0)->counts.resets, ==, 2);
    g_assert_cmpuint(incidents_at(all, 0)->counts.harmful, ==, 1);
    g_assert_cmpuint(incidents_at(all, 0)->counts.copies, ==, 1);
    incidents_free(all);
}

static void bounds(void)
{
    incidents *all = incidents_new();
    uint32_t frame = 0;

    for (unsigned port = 1; port <= MOST_INCIDENTS + 5; port++) {
        rstcause_verdict verdict = abort_of_service(++frame, 7);

        verdict.source_port = (uint16_t)port;
        add(all, verdict, start + frame);
    }
    g_assert_cmpuint(incidents_count(all), ==, MOST_INCIDENTS);
    g_assert_cmpuint(incidents_beyond(all)->resets, ==, 5);
    g_assert_cmpuint(incidents_beyond(all)->harmful, ==, 5);
    g_assert_cmpuint(incidents_beyond(all)->first_frame, ==, MOST_INCIDENTS + 1);
    for (unsigned client = 0; client <= MOST_PEERS; client++) {
        rstcause_verdict verdict = abort_of_service(++frame, (uint8_t)(100 + client));

        verdict.source_port = 1;
        add(all, verdict, start);
    }
    g_assert_cmpuint(incidents_at(all, 0)->peers->len, ==, MOST_PEERS);
    g_assert_true(incidents_at(all, 0)->more_peers);
    incidents_clear(all);
    g_assert_cmpuint(incidents_count(all), ==, 0);
    g_assert_cmpuint(incidents_beyond(all)->resets, ==, 0);
    add(all, abort_of_service(1, 7), start);
    g_assert_cmpuint(incidents_at(all, 0)->counts.resets, ==, 1);
    incidents_free(all);
}

static void ticket(void)
{
    incidents *all = incidents_new();
    char *text;

    add(all, abort_of_service(9, 7), start + 250000000);
    add(all, abort_of_service(12, 8), start + 9 * second);
    add(all, without_harm(abort_of_client(15, 7)), start + 5 * second);
    text = ticket_text(all);
    g_assert_cmpstr(text, ==,
                    "TCP resets: 3 resets, 2 did harm; 2 incidents\n"
                    "\n"
                    " 1. abort at 192.0.2.1:80, reset by the server, warning\n"
                    "    2 resets, 2 did harm; 2 clients (192.0.2.7, 192.0.2.8)\n"
                    "    #9 to #12, 2025-11-24 16:00:00.250 to 16:00:09.000 UTC\n"
                    "    #9: It tore the connection down.\n"
                    "    What to do: Look at its log.\n"
                    "\n"
                    " 2. abort at 192.0.2.1:80, reset by the client, chat\n"
                    "    1 reset, 0 did harm; 1 client (192.0.2.7)\n"
                    "    #15, 2025-11-24 16:00:05.000 UTC\n"
                    "    It tore the connection down.\n"
                    "    What to do: Look at its log.\n");
    g_free(text);
    incidents_free(all);
}

static void ticket_without_resets(void)
{
    incidents *all = incidents_new();
    char *text = ticket_text(all);

    g_assert_cmpstr(text, ==, "TCP resets: none\n");
    g_free(text);
    incidents_free(all);
}

/* The resets that the rows of a ticket count, and how much harm they did. */
static void sum_rows(const char *text, unsigned *rows, unsigned *resets, unsigned *harmful)
{
    char **lines = g_strsplit(text, "\n", -1);

    *rows = *resets = *harmful = 0;
    for (char **line = lines + 1; *line != NULL; line++) {
        unsigned counted, harm;

        g_assert_cmpint(g_utf8_strlen(*line, -1), <=, TICKET_WIDTH);
        if (sscanf(*line, " %u reset%*[s,] %u did harm", &counted, &harm) == 2 ||
            sscanf(*line, "other: %u resets, %u did harm", &counted, &harm) == 2) {
            ++*rows;
            *resets += counted;
            *harmful += harm;
        }
    }
    g_strfreev(lines);
}

static void ticket_of_many(void)
{
    incidents *all = incidents_new();
    unsigned rows, resets, harmful;
    char *text;

    for (uint32_t frame = 1; frame <= MOST_INCIDENTS + 7; frame++) {
        rstcause_verdict verdict = abort_of_service(frame, 7);

        verdict.source_port = (uint16_t)frame;
        verdict.data_lost = frame % 3 == 0;
        add(all, verdict, start);
    }
    text = ticket_text(all);
    sum_rows(text, &rows, &resets, &harmful);
    g_assert_cmpuint(rows, ==, TICKET_ROWS);
    g_assert_cmpuint(resets, ==, MOST_INCIDENTS + 7);
    g_assert_cmpuint(harmful, ==, (MOST_INCIDENTS + 7) / 3);
    g_assert_nonnull(strstr(text, "961 smaller incidents and"));
    g_free(text);
    incidents_free(all);
}

/* A word longer than a line is broken, and letters are counted, not bytes. */
static void ticket_is_never_wider(void)
{
    incidents *all = incidents_new();
    rstcause_verdict verdict = abort_of_service(1, 7);
    GString *long_words = g_string_new("It said: ");
    unsigned rows, resets, harmful;
    char *text;

    for (unsigned i = 0; i < 300; i++)
        g_string_append(long_words, "é");
    g_string_append(long_words, " and so on");
    verdict.explanation = long_words->str;
    verdict.source = (rstcause_address){.length = 16};
    memset(verdict.source.bytes, 0xfe, 16);
    verdict.cause = RSTCAUSE_RETRANSMISSION_TIMEOUT;
    verdict.source_port = 65535;
    add(all, verdict, start);
    text = ticket_text(all);
    sum_rows(text, &rows, &resets, &harmful);
    g_assert_cmpuint(rows, ==, 1);
    g_assert_true(g_utf8_validate(text, -1, NULL));
    g_assert_nonnull(strstr(text, "[fefe:fefe:fefe:fefe:fefe:fefe:fefe:fefe]:65535"));
    g_assert_nonnull(strstr(text, " and so on\n"));
    g_free(text);
    g_string_free(long_words, true);
    incidents_free(all);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/incidents/one-service-and-side", one_service_and_side);
    g_test_add_func("/incidents/service-of-a-verdict", service_of_a_verdict);
    g_test_add_func("/incidents/service-on-the-higher-port", service_on_the_higher_port);
    g_test_add_func("/incidents/what-is-another-incident", what_is_another_incident);
    g_test_add_func("/incidents/both-sides-name-the-service", both_sides_name_the_service);
    g_test_add_func("/incidents/a-scan-is-one-incident", a_scan_is_one_incident);
    g_test_add_func("/incidents/idle-bracket", idle_bracket);
    g_test_add_func("/incidents/short-silence-is-no-idleness", short_silence_is_no_idleness);
    g_test_add_func("/incidents/order", order);
    g_test_add_func("/incidents/ranks-that-are-new", ranks_that_are_new);
    g_test_add_func("/incidents/a-copy-does-no-harm", a_copy_does_no_harm);
    g_test_add_func("/incidents/bounds", bounds);
    g_test_add_func("/incidents/ticket", ticket);
    g_test_add_func("/incidents/ticket-without-resets", ticket_without_resets);
    g_test_add_func("/incidents/ticket-of-many", ticket_of_many);
    g_test_add_func("/incidents/ticket-is-never-wider", ticket_is_never_wider);
    return g_test_run();
}
