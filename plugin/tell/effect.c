/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the application of the receiver sees of a reset: a model of RFC 5961 and of Linux' tcp_reset(). Judges nothing. */
#include "effect.h"

/* Whether P is in SYN-SENT. Who acknowledges has left it, and so has who got a SYN/ACK; who was asked never was. */
static bool is_connecting(const reset_facts *f)
{
    const endpoint *p = f->receiver;
    bool was_answered = f->connection.is_established || p->syn_has_ack || p->has_acknowledged;
    bool is_unseen = p->frames == 0 && (f->sender_accepted || f->sender_opened);

    return !was_answered && !is_unseen;
}

/*
 * tcp_reset() in Linux's net/ipv4/tcp_input.c: ECONNREFUSED in SYN-SENT, EPIPE in CLOSE-WAIT, ECONNRESET else; POSIX
 * gives the pending error to the next call and EPIPE to each write after that.
 */
char *effect_tell(const judgement *j, const reset_facts *f)
{
    const connection *c = &f->connection;

    if (f->has_no_context)
        return g_strdup("ECONNRESET from read() if the connection was open, then EPIPE from write()");
    if (!f->is_effective)
        return g_strdup(c->is_established ? "none: it is outside the window, so the receiver ignores it or "
                                            "answers with a challenge ACK (RFC 5961)"
                                          : "none: it does not fit the receiver's state");
    if (c->reset_frame != 0 && c->reset_is_challenged && f->is_exact)
        return g_strdup_printf("ECONNRESET from read() or write() where the receiver follows RFC 5961, which did not "
                               "let #%u pass; none elsewhere",
                               c->reset_frame);
    if (j->is_challenged && j->cause != RSTCAUSE_ALREADY_RESET && j->cause != RSTCAUSE_TIME_WAIT)
        return g_strdup("none where the receiver follows RFC 5961: it is in the window but not exact, and gets a "
                        "challenge ACK; ECONNRESET from read() elsewhere");
    switch (j->cause) {
    case RSTCAUSE_CLOSED_PORT:
    case RSTCAUSE_FIREWALL_REJECT:
        return j->detail == RSTCAUSE_PROBE ? g_strdup("none: the probe learns that the port is closed")
                                           : g_strdup("ECONNREFUSED from connect()");
    case RSTCAUSE_ALREADY_RESET:
        return g_strdup("none: the connection was reset before");
    case RSTCAUSE_TIME_WAIT:
        return g_strdup(j->detail == RSTCAUSE_PORT_REUSE
                            ? "none for the old connection, which TIME-WAIT held; the new one is tried again"
                            : "none: both sides had closed");
    case RSTCAUSE_HANDSHAKE_ABANDONED:
        return g_strdup("none: the server's accept() never returns this connection");
    default:
        break;
    }
    if (j->detail == RSTCAUSE_RECONNECT)
        return g_strdup("ECONNRESET from read() of the old connection, then EPIPE from write()");
    if (!is_connecting(f)) {
        if (f->receiver_closed)
            return g_strdup(
                "none where it had called close(); ECONNRESET from read() where it had only shut down writing");
        if (f->receiver_took_fin)
            return g_strdup("EPIPE from the next write(); read() had returned 0 (end of file) before");
        return g_strdup("ECONNRESET from read() or write(), then EPIPE from write()");
    }
    return g_strdup("ECONNREFUSED from connect()");
}
