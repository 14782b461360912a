/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The catalogue of causes: one row for each, with all that is the same for every reset of that cause. */
#include "rstcause/catalogue.h"

#include <string.h>

static const rstcause_catalogue_row catalogue[RSTCAUSE_CAUSES] = {
    [RSTCAUSE_CLOSED_PORT] = {"closed-port", RSTCAUSE_WARN, RSTCAUSE_WARN, "nobody listens on this port",
                              "RFC 9293 3.5.2 group 1",
                              "Is the service running, and does it listen on this address and port (ss -ltn)?", 13},
    [RSTCAUSE_ABORT] = {"abort", RSTCAUSE_WARN, RSTCAUSE_CHAT,
                        "its own application or system tore down a live connection", "RFC 9293 3.10.5",
                        "Look at the sender's application at this time: did it close a socket with unread data, use "
                        "SO_LINGER 0, crash or time out?",
                        4},
    [RSTCAUSE_HALF_OPEN] = {"half-open", RSTCAUSE_WARN, RSTCAUSE_WARN,
                            "the sender does not know this connection, or no longer", "RFC 9293 3.5.1",
                            "Did the sender crash or restart, or did a NAT or balancer in between forget the "
                            "connection? Compare its idle timeout with your keep-alive interval.",
                            2},
    [RSTCAUSE_TIME_WAIT] =
        {"time-wait", RSTCAUSE_NOTE, RSTCAUSE_NOTE,
         "a segment came for a connection that both sides had closed in order", "RFC 9293 3.6.1, RFC 1337",
         "Harmless unless a port pair is reused too soon: look at how fast the client opens connections.", 2},
    [RSTCAUSE_DATA_AFTER_CLOSE] =
        {"data-after-close", RSTCAUSE_WARN, RSTCAUSE_CHAT,
         "a segment came after the sender had closed and could take nothing more", "RFC 9293 3.6.1, RFC 1122 4.2.2.13",
         "The sender closed before its peer was done: do both sides agree on who closes first, and when?", 3},
    [RSTCAUSE_ALREADY_RESET] = {"already-reset", RSTCAUSE_CHAT, RSTCAUSE_CHAT, "the connection had been reset before",
                                "RFC 9293 3.5.3", "Look at the reset that it follows.", 12},
    [RSTCAUSE_HANDSHAKE_ABANDONED] =
        {"handshake-abandoned", RSTCAUSE_NOTE, RSTCAUSE_NOTE,
         "the client no longer wants the connection that it asked for", "RFC 9293 3.5.2",
         "Did the client give up (a connect timeout, a race of addresses), or does it scan ports?", 4},
    [RSTCAUSE_HANDSHAKE_REJECTED] =
        {"handshake-rejected", RSTCAUSE_WARN, RSTCAUSE_WARN,
         "the listener dropped the connection as its handshake completed", "RFC 9293 3.10.7.4",
         "Is the accept queue full (ss -ltn, nstat TcpExtListenOverflows), or has a balancer no backend?", 10},
    [RSTCAUSE_UNACCEPTABLE_ACK] = {"unacceptable-ack", RSTCAUSE_WARN, RSTCAUSE_NOTE,
                                   "the peer acknowledged what was never sent", "RFC 9293 3.5.2 group 2",
                                   "Who made the ACK: a restarted host, a device that rewrites numbers, a scan?", 5},
    [RSTCAUSE_KEEPALIVE_TIMEOUT] = {"keepalive-timeout", RSTCAUSE_WARN, RSTCAUSE_WARN,
                                    "the peer did not answer keep-alive probes", "RFC 9293 3.8.4",
                                    "Why is the peer, or the path to it, silent since its last segment?", 14},
    [RSTCAUSE_RETRANSMISSION_TIMEOUT] = {"retransmission-timeout", RSTCAUSE_WARN, RSTCAUSE_WARN,
                                         "the peer acknowledged nothing, however often it was sent", "RFC 9293 3.8.3",
                                         "Where do the segments or their ACKs get lost: capture at the other end too.",
                                         14},
    [RSTCAUSE_FIREWALL_REJECT] =
        {"firewall-reject", RSTCAUSE_WARN, RSTCAUSE_WARN, "a device on the path refused the connection, not the host",
         "RFC 9293 3.5.2",
         "Which firewall on the path has a reject rule for this port (REJECT --reject-with tcp-reset)?", 9},
    [RSTCAUSE_INJECTED] = {"injected", RSTCAUSE_ERROR, RSTCAUSE_ERROR,
                           "a third party forged the reset in its sender's name",
                           "NDSS 2009, Detecting Forged TCP Reset Packets; RFC 5961",
                           "Capture at both ends: does the named sender's own capture hold this reset?", 17},
    [RSTCAUSE_UNKNOWN] =
        {"unknown", RSTCAUSE_NOTE, RSTCAUSE_NOTE, "the capture does not hold enough to tell", NULL,
         "Capture from the start of the connection, in both directions, without a limit on the packet length.", 0},
};

static const char *const detail_names[RSTCAUSE_DETAILS] = {
    [RSTCAUSE_PROBE] = "probe",
    [RSTCAUSE_UNREAD_DATA] = "unread-data",
    [RSTCAUSE_LINGER] = "linger",
    [RSTCAUSE_AFTER_FIN] = "after-fin",
    [RSTCAUSE_IDLE] = "idle",
    [RSTCAUSE_PENDING_DATA] = "pending-data",
    [RSTCAUSE_FASTCLOSE] = "fastclose",
    [RSTCAUSE_LISTENER_CLOSED] = "listener-closed",
    [RSTCAUSE_DATA] = "data",
    [RSTCAUSE_KEEPALIVE_PROBE] = "keepalive-probe",
    [RSTCAUSE_IDLE_EXPIRED] = "idle-expired",
    [RSTCAUSE_RECONNECT] = "reconnect",
    [RSTCAUSE_LATE_SEGMENT] = "late-segment",
    [RSTCAUSE_ASSASSINATION] = "assassination",
    [RSTCAUSE_PORT_REUSE] = "port-reuse",
    [RSTCAUSE_ANSWERED_FIN] = "fin",
    [RSTCAUSE_ANSWERED_ACK] = "ack",
    [RSTCAUSE_SYN_SCAN] = "syn-scan",
    [RSTCAUSE_LATE_SYN_ACK] = "late-syn-ack",
    [RSTCAUSE_CANCELLED] = "cancelled",
    [RSTCAUSE_FORGED_TTL] = "ttl",
    [RSTCAUSE_FORGED_IP_ID] = "ip-id",
    [RSTCAUSE_FORGED_FORM] = "form",
    [RSTCAUSE_FORGED_SEQUENCE] = "sequence",
    [RSTCAUSE_FORGED_TIMING] = "timing",
    [RSTCAUSE_SENDER_CONTINUES] = "sender-continues",
    [RSTCAUSE_BOTH_DIRECTIONS] = "both-directions",
    [RSTCAUSE_ABSENT_AT_SENDER] = "absent-at-sender",
    [RSTCAUSE_IDLE_TIMEOUT] = "idle-timeout",
    [RSTCAUSE_NO_CONTEXT] = "no-context",
    [RSTCAUSE_CORRUPT_FLAGS] = "corrupt-flags",
    [RSTCAUSE_COPY] = "copy",
};

static const char *const pattern_names[RSTCAUSE_PATTERNS] = {
    [RSTCAUSE_KEEP_ALIVE_RACE] = "keep-alive-race",
    [RSTCAUSE_STALE_CONNECTION] = "stale-connection",
    [RSTCAUSE_IDLE_FORGOTTEN] = "idle-forgotten",
    [RSTCAUSE_IDLE_CLOSED] = "idle-closed",
    [RSTCAUSE_LATE_CLOSE_NOTIFY] = "late-close-notify",
    [RSTCAUSE_EARLY_REPLY] = "early-reply",
    [RSTCAUSE_CANCELLED_DOWNLOAD] = "cancelled-download",
    [RSTCAUSE_REQUEST_UNANSWERED] = "request-unanswered",
    [RSTCAUSE_REFUSED_BY_TLS] = "refused-by-tls",
    [RSTCAUSE_WRONG_PROTOCOL] = "wrong-protocol",
    [RSTCAUSE_HEALTH_CHECK] = "health-check",
    [RSTCAUSE_SLOW_READER] = "slow-reader",
    [RSTCAUSE_STRAY_SEGMENT] = "stray-segment",
    [RSTCAUSE_BACKLOG_OVERFLOW] = "backlog-overflow",
    [RSTCAUSE_HOST_RESTARTED] = "host-restarted",
    [RSTCAUSE_MASS_ABORT] = "mass-abort",
    [RSTCAUSE_PORT_SCAN] = "port-scan",
};

const rstcause_catalogue_row *rstcause_catalogue(rstcause_cause cause)
{
    return &catalogue[(unsigned)cause < RSTCAUSE_CAUSES ? cause : RSTCAUSE_UNKNOWN];
}

const char *rstcause_cause_name(rstcause_cause cause)
{
    return rstcause_catalogue(cause)->name;
}

const char *rstcause_detail_name(rstcause_detail detail)
{
    return (unsigned)detail < RSTCAUSE_DETAILS ? detail_names[detail] : NULL;
}

const char *rstcause_pattern_name(rstcause_pattern pattern)
{
    return (unsigned)pattern < RSTCAUSE_PATTERNS ? pattern_names[pattern] : NULL;
}

const char *rstcause_confidence_name(rstcause_confidence confidence)
{
    return confidence == RSTCAUSE_CERTAIN ? "certain" : confidence == RSTCAUSE_LIKELY ? "likely" : "possible";
}

const char *rstcause_sender_name(rstcause_sender sender)
{
    return sender == RSTCAUSE_CLIENT ? "client" : sender == RSTCAUSE_SERVER ? "server" : "third-party";
}

const char *rstcause_severity_name(rstcause_severity severity)
{
    return severity == RSTCAUSE_ERROR  ? "error"
           : severity == RSTCAUSE_WARN ? "warning"
           : severity == RSTCAUSE_NOTE ? "note"
                                       : "chat";
}

rstcause_severity rstcause_verdict_severity(const rstcause_verdict *verdict)
{
    const rstcause_catalogue_row *row = rstcause_catalogue(verdict->cause);

    /* A copy says nothing that the packet did not say. */
    if (verdict->detail == RSTCAUSE_COPY)
        return RSTCAUSE_CHAT;
    if (!verdict->effective && verdict->cause != RSTCAUSE_INJECTED)
        return MIN(row->harmless, RSTCAUSE_NOTE);
    if (verdict->left_unanswered)
        return MAX(row->severity, RSTCAUSE_WARN);
    /* Nobody wanted to send anything over the connection, or not any more. */
    if (verdict->met_goodbye || verdict->pattern == RSTCAUSE_HEALTH_CHECK)
        return RSTCAUSE_CHAT;
    /* Whether it is expected the capture does not say; no application lost anything. */
    if (verdict->pattern == RSTCAUSE_PORT_SCAN)
        return MIN(row->severity, RSTCAUSE_NOTE);
    return verdict->has_data_lost && verdict->data_lost == 0 ? row->harmless : row->severity;
}
