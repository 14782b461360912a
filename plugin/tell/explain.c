/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Says in plain words what the judge found, as a colleague who has read the capture would. Judges nothing.
 */
#include "explain.h"

#include <stdio.h>

#include "follow/units.h"

static const char *explain_address(const rstcause_address *address, char text[RSTCAUSE_ADDRESS_TEXT])
{
    if (address->length != 0)
        return rstcause_address_text(address, text);
    g_strlcpy(text, "the sender", RSTCAUSE_ADDRESS_TEXT);
    return text;
}

/* "0.4 ms", "3.2 s", "7 min". */
static const char *duration(int64_t nanoseconds, char buffer[24])
{
    /* In a merged capture time may run backwards. */
    double seconds = (double)MAX(nanoseconds, 0) / SECOND;

    if (seconds < 1)
        snprintf(buffer, 24, "%.3g ms", seconds * 1000);
    else if (seconds < 120)
        snprintf(buffer, 24, "%.3g s", seconds);
    else
        snprintf(buffer, 24, "%.0f min", seconds / 60);
    return buffer;
}

/* "#57 (8 bytes)", "#57 (a SYN)". */
static char *describe_trigger(const recent_segment *t)
{
    if (t->is_keepalive)
        return g_strdup_printf("#%u (a keep-alive probe)", t->frame);
    if ((t->flags & RSTCAUSE_SYN) != 0)
        return g_strdup_printf("#%u (a %s)", t->frame, (t->flags & RSTCAUSE_ACK) != 0 ? "SYN/ACK" : "SYN");
    if (t->length > 0)
        return g_strdup_printf("#%u (%u byte%s%s)", t->frame, t->length, t->length == 1 ? "" : "s",
                               (t->flags & RSTCAUSE_FIN) != 0 ? " and a FIN" : "");
    if ((t->flags & RSTCAUSE_FIN) != 0)
        return g_strdup_printf("#%u (a FIN)", t->frame);
    return g_strdup_printf("#%u (%s)", t->frame, (t->flags & RSTCAUSE_ACK) != 0 ? "an ACK" : "a segment without flags");
}

static char *explain_abort(const judgement *j, const reset_facts *f, const char *s)
{
    const endpoint *p = f->receiver;
    char time[24];

    switch (j->detail) {
    case RSTCAUSE_FASTCLOSE:
        return j->trigger != 0 ? g_strdup_printf("The peer had closed the whole MPTCP connection at once with "
                                                 "MP_FASTCLOSE in #%u, and %s answered that.",
                                                 j->trigger, s)
                               : g_strdup_printf("%s closed the whole MPTCP connection at once (MP_FASTCLOSE).", s);
    case RSTCAUSE_AFTER_FIN:
        return g_strdup_printf("%s tore the connection down with a reset, %s after its peer had closed with FIN #%u, "
                               "instead of closing too.",
                               s, duration(f->reset.time - p->fin_time, time), p->fin_frame);
    case RSTCAUSE_IDLE:
        return g_strdup_printf("%s gave up an idle connection: nothing had been sent for %s.", s,
                               duration(f->silence, time));
    case RSTCAUSE_UNREAD_DATA:
        return g_strdup_printf("%s closed its socket while data was waiting there unread (the peer's last is #%u, %u "
                               "bytes): the system resets then, so that the peer learns of the loss.",
                               s, p->last_data_frame, p->last_data_length);
    case RSTCAUSE_PENDING_DATA:
        return g_strdup_printf("%s tore the connection down while %u bytes of its own were not acknowledged yet.", s,
                               f->pending);
    case RSTCAUSE_LINGER:
        return g_strdup_printf("%s tore the connection down on purpose after its last segment #%u, with nothing left "
                               "to read: close() with SO_LINGER 0 looks like this.",
                               s, f->sender->last_frame);
    case RSTCAUSE_LISTENER_CLOSED:
        return g_strdup_printf("%s closed its listening socket while this connection still waited to be accepted.", s);
    default:
        return g_strdup_printf("%s tore down the live connection itself: the reset answers no segment.%s", s,
                               f->sender_closed ? " It had sent FIN before." : "");
    }
}

/* Resets in S's name may be its own, or forged ones of which others reached S's end out of sight: either ends S's side. */
static void tell_what_was_closed(GString *text, const reset_facts *f)
{
    if (f->earlier_resets == 0)
        g_string_append(text, " The capture holds no close before.");
    else if (f->earlier_resets == 1)
        g_string_append(text,
                        " It had sent no FIN, but a reset in its name came before, and may have to do with that.");
    else
        g_string_append_printf(
            text, " It had sent no FIN, but %u resets in its name came before, and may have to do with that.",
            f->earlier_resets);
}

/* S's end of the connection was there, and is no more. */
static char *explain_loss(const judgement *j, const reset_facts *f, const char *s, const char *trigger)
{
    GString *text = g_string_new(NULL);
    const char *lost = f->earlier_resets == 0 ? "had restarted or lost" : "had lost";
    char silence[24];

    if (j->detail == RSTCAUSE_IDLE_EXPIRED)
        g_string_printf(text,
                        "After %s of silence %s answered %s as if this connection had never existed: it, a NAT or a "
                        "balancer in between has forgotten it.",
                        duration(f->trigger.silence, silence), s, trigger);
    else if (f->trigger.time < f->sender->last_time)
        g_string_printf(text, "%s %s the connection: it answered %s as if this connection had never existed.", s, lost,
                        trigger);
    else
        g_string_printf(text,
                        "%s %s the connection: it answered %s, sent %s after its last segment #%u, as if this "
                        "connection had never existed.",
                        s, lost, trigger, duration(f->trigger.time - f->sender->last_time, silence),
                        f->sender->last_frame);
    tell_what_was_closed(text, f);
    return g_string_free(text, false);
}

static char *explain_half_open(const judgement *j, const reset_facts *f, const char *s, const char *trigger)
{

    if (!f->has_trigger)
        return g_strdup_printf("%s does not know this connection (any more): it answered a segment that the capture "
                               "lacks, and had not closed before.",
                               s);
    if (j->detail == RSTCAUSE_RECONNECT)
        return g_strdup_printf(
            "%s asked for a new connection on a port pair that its peer still uses for an old one: the peer answered "
            "with %s, which acknowledges the old one, and this reset ends that. %s had restarted or lost it.",
            s, trigger, s);
    if (f->later.trigger_missed != 0)
        return g_strdup_printf(
            "A NAT, a balancer or a firewall between answered %s in the name of %s: it has forgotten the "
            "connection, or forbids it. %s never got that segment, and goes on in #%u.",
            trigger, s, s, f->later.trigger_missed);
    if (j->detail != RSTCAUSE_IDLE_EXPIRED && requirement_repeats_unanswered(f))
        return g_strdup_printf(
            "%s had given up the connection: it had sent #%u %u times more and got no answer. Then %s "
            "came, and it answered that as if this connection had never existed.",
            s, f->sender->repeat_first_frame, f->sender->repeats, trigger);
    if (j->detail == RSTCAUSE_IDLE_EXPIRED || f->sender->frames > 0)
        return explain_loss(j, f, s, trigger);
    if (f->sender_was_heard)
        return g_strdup_printf("%s does not know this connection (any more): it answered %s. What it sent before is "
                               "not in the capture, so it may have closed, too.",
                               s, trigger);
    return g_strdup_printf("%s does not know this connection: it answered %s as if it had never existed. The capture "
                           "holds nothing else from it.",
                           s, trigger);
}

static char *explain_time_wait(const judgement *j, const reset_facts *f, const char *s, const char *trigger)
{
    if (j->detail == RSTCAUSE_PORT_REUSE && f->has_trigger && (f->trigger.flags & RSTCAUSE_ACK) == 0)
        return g_strdup_printf("The peer used a port pair again whose connection had been closed in order by #%u: %s "
                               "still waited in TIME-WAIT and refused %s.",
                               f->connection.past.frame, s, trigger);
    if (j->detail == RSTCAUSE_PORT_REUSE)
        return g_strdup_printf("%s used a port pair again whose connection had been closed in order by #%u and still "
                               "waited in TIME-WAIT; %s answered for the old one.",
                               s, f->connection.past.frame, trigger);
    if (j->detail == RSTCAUSE_ASSASSINATION)
        return g_strdup_printf("Both sides had closed. A late segment of %s met TIME-WAIT, which acknowledged it with "
                               "#%u; %s knows the connection no more and resets it (TIME-WAIT assassination).",
                               s, f->trigger.frame, s);
    if (!f->has_trigger)
        return g_strdup_printf("Both sides had closed in order by #%u; %s reset what came later.",
                               f->connection.closed_frame, s);
    return g_strdup_printf("Both sides had closed in order by #%u when %s came; %s has nothing to take it any more.",
                           f->connection.closed_frame, trigger, s);
}

/* P cannot have had S's reset before it sent the segment: less than a round trip had passed. */
static bool was_on_the_way(const reset_facts *f)
{
    int64_t since = f->trigger.time - f->connection.reset_time;

    return f->trigger.frame < f->connection.reset_frame ||
           (f->connection.reset_side == f->side && since <= 2 * MAX(f->receiver->answer_delay, 5 * MILLISECOND));
}

static char *explain_straggler(const judgement *j, const reset_facts *f, const char *s, const char *trigger)
{
    char time[24];

    if (!f->has_trigger)
        return g_strdup_printf("The connection had been reset by #%u, %s before; this repeats it.", j->original,
                               duration(f->reset.time - f->connection.reset_time, time));
    if (!f->was_reset)
        return g_strdup_printf("The connection had been reset by #%u; %s answered %s.", j->original, s, trigger);
    if (was_on_the_way(f))
        return g_strdup_printf("The connection had been reset by #%u; %s answered %s, which was on the way then.",
                               j->original, s, trigger);
    return g_strdup_printf("The connection had been reset by #%u; %s answered %s, which came %s after that.",
                           j->original, s, trigger, duration(f->trigger.time - f->connection.reset_time, time));
}

char *explain_verdict(const judgement *j, const reset_facts *f)
{
    char s[RSTCAUSE_ADDRESS_TEXT], time[24];
    char *trigger = f->has_trigger ? describe_trigger(&f->trigger) : g_strdup("a segment that the capture lacks");
    char *text;

    explain_address(&f->reset.source, s);
    switch (j->cause) {
    case RSTCAUSE_CLOSED_PORT:
        text = g_strdup_printf("%s refused %s: nobody listens on its port %u.", s, trigger, f->reset.source_port);
        break;
    case RSTCAUSE_ABORT:
        text = explain_abort(j, f, s);
        break;
    case RSTCAUSE_HALF_OPEN:
        text = explain_half_open(j, f, s, trigger);
        break;
    case RSTCAUSE_TIME_WAIT:
        text = explain_time_wait(j, f, s, trigger);
        break;
    case RSTCAUSE_DATA_AFTER_CLOSE:
        if (f->sender_closed)
            text = g_strdup_printf("%s had closed with FIN #%u and could take nothing more; it answered %s.", s,
                                   f->sender->fin_frame, trigger);
        else
            text = g_strdup_printf(
                "%s probably had closed with a FIN that the capture lacks, and could not take #%u any more.", s,
                j->trigger);
        break;
    case RSTCAUSE_ALREADY_RESET:
        text = explain_straggler(j, f, s, trigger);
        break;
    case RSTCAUSE_HANDSHAKE_ABANDONED:
        text = g_strdup_printf("%s no longer wanted the connection it had asked for in #%u when %s came%s.", s,
                               f->sender->syn_frame, trigger,
                               j->detail == RSTCAUSE_SYN_SCAN       ? ": it only probes whether the port is open"
                               : j->detail == RSTCAUSE_LATE_SYN_ACK ? ", later than it waits"
                                                                    : "");
        break;
    case RSTCAUSE_HANDSHAKE_REJECTED:
        text = g_strdup_printf("%s had answered the SYN, but dropped the connection at %s: its accept queue was full, "
                               "its SYN cookie did not fit, or it has no backend.",
                               s, trigger);
        break;
    case RSTCAUSE_UNACCEPTABLE_ACK:
        text =
            g_strdup_printf("%s acknowledges what %s never sent, while the connection was being opened.", trigger, s);
        break;
    case RSTCAUSE_KEEPALIVE_TIMEOUT:
        text = g_strdup_printf("%s probed its silent peer %u time%s, from #%u on, got no answer and gave up.", s,
                               f->sender->probes, f->sender->probes == 1 ? "" : "s", f->sender->probe_first_frame);
        break;
    case RSTCAUSE_RETRANSMISSION_TIMEOUT:
        text = g_strdup_printf("%s sent #%u again %u times over %s, got no acknowledgement and gave up.", s,
                               f->sender->repeat_first_frame, f->sender->repeats,
                               duration(f->sender->repeat_last_time - f->sender->repeat_first_time, time));
        break;
    case RSTCAUSE_FIREWALL_REJECT:
        text = g_strdup_printf("A device on the path refused %s in the name of %s.", trigger, s);
        break;
    case RSTCAUSE_INJECTED:
        text = g_strdup_printf("A third party forged this reset in the name of %s.", s);
        break;
    default:
        text = g_strdup(j->detail == RSTCAUSE_CORRUPT_FLAGS ? "The RST bit stands in a segment that looks damaged."
                        : j->detail == RSTCAUSE_NO_CONTEXT
                            ? "The capture holds nothing of this connection but its reset."
                            : "The capture does not hold enough of this connection to tell why it was reset.");
        break;
    }
    g_free(trigger);
    return text;
}
