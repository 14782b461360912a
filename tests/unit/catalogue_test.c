/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names are the contract with every script and display filter: added to, never renamed. */
#include "rstcause/catalogue.h"

#include "rstcause/stated.h"

static const char *const causes[RSTCAUSE_CAUSES] = {
    "closed-port",
    "abort",
    "half-open",
    "time-wait",
    "data-after-close",
    "already-reset",
    "handshake-abandoned",
    "handshake-rejected",
    "unacceptable-ack",
    "keepalive-timeout",
    "retransmission-timeout",
    "firewall-reject",
    "injected",
    "unknown",
};

static const char *const details[RSTCAUSE_DETAILS] = {
    NULL,
    "probe",
    "unread-data",
    "linger",
    "after-fin",
    "idle",
    "pending-data",
    "fastclose",
    "listener-closed",
    "data",
    "keepalive-probe",
    "idle-expired",
    "reconnect",
    "late-segment",
    "assassination",
    "port-reuse",
    "fin",
    "ack",
    "syn-scan",
    "late-syn-ack",
    "cancelled",
    "ttl",
    "ip-id",
    "form",
    "sequence",
    "timing",
    "sender-continues",
    "both-directions",
    "absent-at-sender",
    "idle-timeout",
    "no-context",
    "corrupt-flags",
    "copy",
};

static const char *const patterns[RSTCAUSE_PATTERNS] = {
    NULL,          "keep-alive-race",    "stale-connection",   "idle-forgotten", "idle-closed",    "late-close-notify",
    "early-reply", "cancelled-download", "request-unanswered", "refused-by-tls", "wrong-protocol", "health-check",
    "slow-reader", "stray-segment",      "backlog-overflow",   "host-restarted", "mass-abort",     "port-scan",
};

static void keep_the_names(void)
{
    for (int cause = 0; cause < RSTCAUSE_CAUSES; cause++)
        g_assert_cmpstr(rstcause_cause_name((rstcause_cause)cause), ==, causes[cause]);
    for (int detail = 0; detail < RSTCAUSE_DETAILS; detail++)
        g_assert_cmpstr(rstcause_detail_name((rstcause_detail)detail), ==, details[detail]);
    for (int pattern = 0; pattern < RSTCAUSE_PATTERNS; pattern++)
        g_assert_cmpstr(rstcause_pattern_name((rstcause_pattern)pattern), ==, patterns[pattern]);
    g_assert_cmpstr(rstcause_confidence_name(RSTCAUSE_CERTAIN), ==, "certain");
    g_assert_cmpstr(rstcause_confidence_name(RSTCAUSE_LIKELY), ==, "likely");
    g_assert_cmpstr(rstcause_confidence_name(RSTCAUSE_POSSIBLE), ==, "possible");
    g_assert_cmpstr(rstcause_sender_name(RSTCAUSE_CLIENT), ==, "client");
    g_assert_cmpstr(rstcause_sender_name(RSTCAUSE_SERVER), ==, "server");
    g_assert_cmpstr(rstcause_sender_name(RSTCAUSE_THIRD_PARTY), ==, "third-party");
}

static void survive_values_out_of_range(void)
{
    g_assert_cmpstr(rstcause_cause_name((rstcause_cause)99), ==, "unknown");
    g_assert_cmpstr(rstcause_cause_name((rstcause_cause)-1), ==, "unknown");
    g_assert_null(rstcause_detail_name((rstcause_detail)99));
    g_assert_null(rstcause_detail_name((rstcause_detail)-1));
    g_assert_null(rstcause_pattern_name((rstcause_pattern)99));
    g_assert_null(rstcause_pattern_name((rstcause_pattern)-1));
}

/* Each row is complete; its failure code is one that the registry assigns. */
static void complete_each_row(void)
{
    for (int cause = 0; cause < RSTCAUSE_CAUSES; cause++) {
        const rstcause_catalogue_row *row = rstcause_catalogue((rstcause_cause)cause);

        g_assert_nonnull(row->meaning);
        g_assert_nonnull(row->advice);
        g_assert_cmpint(row->severity, <, RSTCAUSE_SEVERITIES);
        g_assert_cmpint(row->harmless, <=, row->severity);
        if (cause != RSTCAUSE_UNKNOWN) {
            g_assert_nonnull(row->reference);
            g_assert_nonnull(rstcause_stated_failure_name(row->failure_code));
        } else {
            g_assert_null(row->reference);
            g_assert_cmpuint(row->failure_code, ==, 0);
        }
    }
}

/* A harmless reset is chat; lost data, refused or half-open a warning; forged an error. */
static void grade(void)
{
    rstcause_verdict verdict = {.cause = RSTCAUSE_ABORT, .effective = true, .has_data_lost = true, .data_lost = 0};

    g_assert_cmpint(rstcause_verdict_severity(&verdict), ==, RSTCAUSE_CHAT);
    verdict.data_lost = 1;
    g_assert_cmpint(rstcause_verdict_severity(&verdict), ==, RSTCAUSE_WARN);
    verdict.detail = RSTCAUSE_COPY;
    g_assert_cmpint(rstcause_verdict_severity(&verdict), ==, RSTCAUSE_CHAT);
    verdict = (rstcause_verdict){.cause = RSTCAUSE_ALREADY_RESET, .effective = true};
    g_assert_cmpint(rstcause_verdict_severity(&verdict), ==, RSTCAUSE_CHAT);
    verdict.cause = RSTCAUSE_CLOSED_PORT;
    g_assert_cmpint(rstcause_verdict_severity(&verdict), ==, RSTCAUSE_WARN);
    verdict.pattern = RSTCAUSE_PORT_SCAN;
    g_assert_cmpint(rstcause_verdict_severity(&verdict), ==, RSTCAUSE_NOTE);
    verdict.pattern = RSTCAUSE_HEALTH_CHECK;
    g_assert_cmpint(rstcause_verdict_severity(&verdict), ==, RSTCAUSE_CHAT);
    verdict.pattern = RSTCAUSE_NO_PATTERN;
    verdict.cause = RSTCAUSE_HALF_OPEN;
    g_assert_cmpint(rstcause_verdict_severity(&verdict), ==, RSTCAUSE_WARN);
    verdict.effective = false;
    g_assert_cmpint(rstcause_verdict_severity(&verdict), <=, RSTCAUSE_NOTE);
    verdict.cause = RSTCAUSE_INJECTED;
    g_assert_cmpint(rstcause_verdict_severity(&verdict), ==, RSTCAUSE_ERROR);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/catalogue/names", keep_the_names);
    g_test_add_func("/catalogue/out-of-range", survive_values_out_of_range);
    g_test_add_func("/catalogue/rows", complete_each_row);
    g_test_add_func("/catalogue/severity", grade);
    return g_test_run();
}
