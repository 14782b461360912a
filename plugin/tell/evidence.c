/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Puts requirements and forms into sentences: those that hold for the row that won are its evidence, those that fail or
 * cannot be seen are what speaks against a row. Judges nothing.
 */
#include "evidence.h"

#include "follow/units.h"
#include "stated/last_words.h"

static void add(GPtrArray *list, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void add(GPtrArray *list, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_ptr_array_add(list, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

static double milliseconds(int64_t nanoseconds)
{
    return (double)MAX(nanoseconds, 0) / MILLISECOND;
}

static double seconds(int64_t nanoseconds)
{
    return (double)MAX(nanoseconds, 0) / SECOND;
}

static void say_trigger(GPtrArray *list, const reset_facts *f)
{
    const recent_segment *t = &f->trigger;

    if (!f->has_ack)
        add(list,
            "its sequence number is the ACK number of #%u, as in the answer to a segment that has no place (RFC 9293 "
            "3.5.2)",
            t->frame);
    else
        add(list, "its ACK number acknowledges just #%u", t->frame);
    if (f->trigger_age < -CLOCK_NOISE)
        add(list, "by the capture's clock it came %.3f ms before #%u: that clock is not to be trusted here",
            milliseconds(-f->trigger_age), t->frame);
    else if (f->sender->answer_delay >= 0)
        add(list, "it came %.3f ms after #%u; the shortest answer of its sender took %.3f ms",
            milliseconds(f->trigger_age), t->frame, milliseconds(f->sender->answer_delay));
}

static void say_probes(GPtrArray *list, const reset_facts *f)
{
    const endpoint *s = f->sender;

    add(list, "its sender sent %u keep-alive probe%s (#%u to #%u) and got no answer", s->probes,
        s->probes == 1 ? "" : "s", s->probe_first_frame, s->probe_last_frame);
    add(list, "it came %.3f s after the last probe", seconds(f->reset.time - s->probe_last_time));
}

static void say_repeats(GPtrArray *list, const reset_facts *f)
{
    const endpoint *s = f->sender;

    add(list, "its sender sent #%u again %u times, the last time in #%u, with growing gaps, and got no acknowledgement",
        s->repeat_first_frame, s->repeats, s->repeat_last_frame);
    add(list, "it came %.3f s after the last repeat: the next one was due",
        seconds(f->reset.time - s->repeat_last_time));
}

static void say_old_connection(GPtrArray *list, const past_connection *past)
{
    if (past->end == PAST_CLOSED)
        add(list, "the connection before on this port pair was closed in order by #%u", past->frame);
    else if (past->end == PAST_OPEN)
        add(list, "the connection before on this port pair was not closed (last segment #%u)", past->frame);
    else if (past->end == PAST_RESET)
        add(list, "the connection before on this port pair was reset by #%u", past->frame);
}

static void say_meeting(GPtrArray *list, const reset_facts *f)
{
    if (f->reopens)
        add(list,
            "its sender had sent its SYN again in #%u, in the middle of the connection and with the same number, and "
            "#%u "
            "answers that with the numbers of the connection",
            f->sender->last_frame, f->trigger.frame);
    else
        add(list, "#%u answers the SYN #%u with the numbers of another connection", f->trigger.frame,
            f->sender->syn_frame);
}

static void say_refusal(GPtrArray *list, const reset_facts *f, bool is_probe)
{
    if (f->sender_accepted)
        add(list, "#%u asks for a connection again, after the SYN/ACK #%u: the listener has gone since",
            f->trigger.frame, f->sender->syn_frame);
    else
        add(list, "#%u %s, and no SYN/ACK came", f->trigger.frame,
            is_probe ? "is a probe without SYN to a pair that was never connected" : "asks for a connection");
    if (f->reset.sequence == 0)
        add(list, "its sequence number is 0, as RFC 9293 3.5.2 asks where nobody listens");
}

static void say_abandoned(GPtrArray *list, const judgement *j, const reset_facts *f)
{
    const endpoint *s = f->sender;

    add(list, "#%u acknowledges the SYN #%u as it should, %.3f ms later", f->trigger.frame, s->syn_frame,
        milliseconds(f->trigger.time - s->syn_time));
    if (j->detail == RSTCAUSE_SYN_SCAN && s->syn_is_bare)
        add(list, "the SYN has none of the options that every stack in use sends: a scanner made it");
    else if (j->detail == RSTCAUSE_SYN_SCAN)
        add(list, "this host sent %u SYNs to different ports or hosts that led to no connection", f->host_probes);
}

static void say_own_doing(GPtrArray *list, const judgement *j, const reset_facts *f)
{
    const endpoint *s = f->sender;

    switch (j->detail) {
    case RSTCAUSE_FASTCLOSE:
        add(list, "it carries the MPTCP option MP_FASTCLOSE (RFC 8684 3.5)");
        break;
    case RSTCAUSE_AFTER_FIN:
        add(list, "its peer had closed with FIN #%u, which its sender had received", f->receiver->fin_frame);
        break;
    case RSTCAUSE_IDLE:
        add(list, "nothing had been sent for %.1f s (since #%u)", seconds(f->silence), f->connection.last_frame);
        break;
    case RSTCAUSE_UNREAD_DATA:
        add(list, "its window %u is larger than the %u of #%u: its sender's queue was emptied in between",
            f->reset.window, s->window, s->last_frame);
        break;
    case RSTCAUSE_PENDING_DATA:
        add(list, "%u bytes of its sender's own were not acknowledged yet", f->pending);
        break;
    case RSTCAUSE_LINGER:
        add(list, "its peer had sent no data, so nothing was left to read: close() with SO_LINGER 0 does that");
        break;
    case RSTCAUSE_LISTENER_CLOSED:
        add(list, "another connection to port %u that its server never used was reset at the same moment, in #%u",
            f->reset.source_port, f->later.listener_sibling);
        break;
    default:
        break;
    }
    if (f->at_next)
        add(list,
            "its sequence number is its sender's own next one: no answer to a segment, but the sender's own doing");
    else
        add(list, "its sequence number is not its sender's next one in this capture, which misses segments");
    if (f->has_ack && stack_find(f->stack)->tells_own)
        add(list, "it has the ACK flag, which %s sets in resets of its own making only", stack_find(f->stack)->name);
    if (f->ip_id_continues)
        add(list, "its IP ID %u is the next of its sender's counter", f->reset.ip_id);
}

static void say_damage(GPtrArray *list, const reset_facts *f)
{
    if ((f->reset.flags & RSTCAUSE_SYN) != 0)
        add(list, "RST stands together with SYN, which no stack sends");
    else if ((f->reset.flags & RSTCAUSE_FIN) != 0 && f->reset.length > 0)
        add(list, "RST stands together with FIN and data, which no stack sends");
    else if (f->reset.length > 0)
        add(list, "its %u bytes go on where its sender was, with the sender's own numbers%s", f->reset.length,
            f->ip_id_continues ? " and IP ID" : "");
    if (f->later.counted_by_sender != 0)
        add(list, "its sender counted it among its own, and goes on in #%u", f->later.counted_by_sender);
}

static void say_holding(GPtrArray *list, unsigned held, const judgement *j, const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;
    const connection *c = &f->connection;

    switch (held) {
    case FLAGS_ARE_DAMAGED:
        say_damage(list, f);
        break;
    case RESET_BEFORE:
        add(list, "#%u had reset the connection %.3f ms before", c->reset_frame,
            milliseconds(f->reset.time - c->reset_time));
        if (f->has_trigger)
            add(list, "it answers #%u", f->trigger.frame);
        break;
    case NOT(HAS_CONTEXT):
        add(list, "the capture holds no other segment of this connection");
        break;
    case LOOKS_LIKE_REFUSAL:
        add(list,
            "ACK with sequence number 0 is the form of an answer to a segment without ACK (RFC 9293 section 3.5.2), as "
            "a closed port gives to a SYN");
        break;
    case STATES_CAUSE:
        add(list, "the cause rests on what the sender states");
        break;
    case REFUSES_SYN:
    case REFUSES_PROBE:
        say_trigger(list, f);
        say_refusal(list, f, held == REFUSES_PROBE);
        break;
    case MEETS_BARE_RESET:
        add(list, "it is all that came after the SYN #%u; most stacks refuse with ACK", f->receiver->syn_frame);
        break;
    case SAME_DISTANCE:
        add(list, "its TTL %u is that of the host's other segments", f->reset.ttl);
        break;
    case NEARER_DEVICE:
        if (f->later.accepted != 0)
            add(list, "the host accepted the same SYN in #%u", f->later.accepted);
        else
            add(list, "its TTL %u is that of a device nearer than the host, whose other segments came with TTL %u",
                f->reset.ttl, f->host_ttl_seen > 1 ? f->host_ttl : f->later.host_ttl);
        break;
    case MEETS_TIME_WAIT:
        if (c->past.has_next[f->side] && f->reset.sequence == c->past.next[f->side])
            add(list, "its sequence number is where the connection before had come to");
        say_old_connection(list, &c->past);
        break;
    case MEETS_OLD_CONNECTION:
        say_trigger(list, f);
        say_meeting(list, f);
        break;
    case OLD_CONNECTION_OPEN:
    case OLD_CONNECTION_CLOSED:
    case OLD_CONNECTION_RESET:
        say_old_connection(list, &c->past);
        break;
    case OLD_NUMBER:
        add(list, "the ACK number of #%u is where the connection before had come to", f->trigger.frame);
        break;
    case ANSWERS_SYN_ACK:
        say_trigger(list, f);
        say_abandoned(list, j, f);
        break;
    case ANSWERS_NEVER_SENT:
        say_trigger(list, f);
        add(list, "#%u acknowledges %u, but its receiver had sent only the SYN #%u with number %u", f->trigger.frame,
            f->trigger.acknowledgement, s->syn_frame, s->isn);
        break;
    case ANSWERS_UNASKED_SYN_ACK:
        add(list, "#%u answers a SYN that the capture does not hold", f->trigger.frame);
        break;
    case HANDSHAKE_ONLY:
        add(list, "its sender sent nothing before but #%u, and its number is %s", s->syn_frame,
            f->reset.sequence == s->isn + 1 ? "the one behind that" : "another's");
        break;
    case BOTH_CLOSED:
        add(list, "both FINs (#%u and #%u) had been acknowledged by #%u", MIN(s->fin_frame, p->fin_frame),
            MAX(s->fin_frame, p->fin_frame), c->closed_frame);
        break;
    case COMPLETES_HANDSHAKE:
        add(list, "its sender had acknowledged nothing beyond the SYN, and sent nothing but the SYN/ACK #%u",
            s->syn_frame);
        if (c->establish_frame != 0 && s->last_syn_time > c->establish_time)
            add(list, "it sent its SYN/ACK again after #%u, so it never took that ACK", c->establish_frame);
        break;
    case AT_FIRST_ACK:
        add(list, "#%u is the ACK that completes the handshake", f->trigger.frame);
        break;
    case CLOSED_BY_TIME:
        add(list,
            "its sequence number is %d above its sender's last one in this capture, and the peer has not acknowledged "
            "that: "
            "its sender knows the connection and had sent more, the FIN probably among it",
            sequence_difference(f->reset.sequence, s->next));
        add(list, "it came a round trip after #%u, which its sender had not acknowledged", j->trigger);
        break;
    case SENDER_CLOSED:
        add(list, "its sender had closed with FIN #%u", s->fin_frame);
        break;
    case SENDER_NOT_CLOSED:
        add(list,
            f->earlier_resets > 0 ? "no FIN of its sender came before" : "no FIN or reset of its sender came before");
        break;
    case AFTER_A_WHILE:
        if (f->has_trigger && s->frames > 0)
            add(list, "its sender had last spoken in #%u, %.3f s before #%u", s->last_frame, seconds(f->since_spoke),
                f->trigger.frame);
        break;
    case STACK_TELLS:
        if (stack_find(f->stack)->tells_own && !f->has_ack)
            add(list, "its sender's stack is %s, whose own resets carry ACK", stack_find(f->stack)->name);
        break;
    case PROBES_UNANSWERED:
        say_probes(list, f);
        break;
    case REPEATS_UNANSWERED:
        say_repeats(list, f);
        break;
    case MEETS_FASTCLOSE:
        add(list, "it answers #%u, in which the peer closes the MPTCP connection with MP_FASTCLOSE",
            p->fastclose_frame);
        break;
    case IS_OWN_DOING:
        say_own_doing(list, j, f);
        break;
    case TRIGGER_FOUND:
        if (j->cause != RSTCAUSE_ALREADY_RESET)
            say_trigger(list, f);
        break;
    default:
        break;
    }
}

/* Why a requirement speaks against a row; NULL where another sentence says it. Static. */
static const char *say_missing(unsigned missing, finding found, const reset_facts *f)
{
    switch (missing) {
    case TRIGGER_FOUND:
        return "the capture does not hold the segment that it answers";
    case TRIGGER_IN_TIME:
        return found == FAILS ? "the time since the segment that it would answer is not that of an answer" : NULL;
    case TRIGGER_ASKS:
    case TRIGGER_ASKS_OR_IS_NEW:
        return found == FAILS ? "a pure ACK asks for no answer" : NULL;
    case AFTER_A_WHILE:
        return found == FAILS ? "its sender had spoken for this connection just before" : NULL;
    case STACK_TELLS:
        return "its sender's stack may send either in this form";
    case IS_ANSWER:
        return found == FAILS ? "it has the form of a reset of its sender's own making"
                              : "it may as well be its sender's own doing";
    case NOT(MAY_ANSWER):
        return "there is a segment that it may answer";
    case NOT(TIMER_RAN_OUT):
        return "its sender's repeats or probes had stayed unanswered before";
    case NOT(BOTH_CLOSED):
        return found == FAILS ? "both sides had closed in order, so that nothing was left to abort" : NULL;
    case GOES_ON_AS_OWN:
        return "neither its IP ID nor its timestamp nor its window shows that its sender made it";
    case SAME_DISTANCE:
        return found == FAILS ? "its TTL is not that of the host's other segments"
                              : "the host's TTL is not in the capture";
    case NO_OLD_CONNECTION:
        return "the port pair was connected before";
    case OLD_NUMBER:
        return "the number of the connection before is not in the capture";
    case AT_FIRST_ACK:
        return "it does not answer the ACK that completes the handshake";
    case ANSWERS_NEVER_SENT:
        return "the peer may acknowledge what was sent before the capture began";
    case FIRST_IN_ITS_NAME:
        return "its sender had sent a reset before, which ended nothing";
    case ESTABLISHED:
        return "the handshake was not completed";
    case SENDER_NOT_CLOSED:
    case SENDER_CLOSED:
        return requirement_fin_may_wait(f) ? "its receiver's window was shut: the FIN of its sender could not leave"
                                           : "the capture lacks segments of its sender: it may have closed";
    case PROBES_IN_STEP:
        return "it did not come when the next probe was due";
    case REPEATS_IN_STEP:
        return "it did not come when the next repeat was due, or was repeated twice only";
    case GIVES_UP_ALOUD:
        return "its sender's stack gives up without a reset";
    case IS_PROVEN_FOREIGN:
        return f->later.sender_continues != 0 ? "nothing but that its sender goes on shows it"
                                              : "no later segment proves it";
    default:
        return NULL;
    }
}

static void say_feature(GPtrArray *list, form_feature feature, bool is_own, const reset_facts *f)
{
    const endpoint *s = f->sender;
    const char *stack = stack_find(f->stack)->name;

    switch (feature) {
    case FEATURE_FLAGS:
        say_damage(list, f);
        break;
    case FEATURE_OTHER_FLAGS:
        add(list, "it has FIN, PSH or URG set, which resets of %s have not", stack);
        break;
    case FEATURE_ECHO:
        add(list, "it echoes the timestamp %u, where its receiver's latest was %u", f->reset.timestamp_echo,
            f->receiver->timestamp_value);
        break;
    case FEATURE_ACK_FLAG:
        add(list,
            f->has_ack ? "it has the ACK flag, which %s' answers have not"
                       : "it has no ACK flag, which %s sets in its own resets",
            stack);
        break;
    case FEATURE_SEQUENCE:
        add(list, "its sequence number is %d from its sender's next one",
            sequence_difference(f->reset.sequence, s->next));
        break;
    case FEATURE_ACKNOWLEDGEMENT:
        add(list, "its ACK number %u is none that its sender can have had, which was at %u", f->reset.acknowledgement,
            s->acknowledged);
        break;
    case FEATURE_WINDOW:
        add(list, "its window is %u; its sender's live window was %u, and answers have 0", f->reset.window, s->window);
        break;
    case FEATURE_IP_ID:
        if (!is_own) {
            add(list, "its IP ID is %u, where answers of %s have 0", f->reset.ip_id, stack);
            break;
        }
        add(list, "its IP ID %u is far from its sender's counter, which stood at %u", f->reset.ip_id,
            s->last_counted_ip_id);
        break;
    case FEATURE_DF:
        add(list, f->reset.dont_fragment ? "it has DF set, which its sender's segments have not"
                                         : "it has DF clear; its sender sets it");
        break;
    case FEATURE_TTL:
        if (s->frames > 0)
            add(list, "its TTL %u differs from the %u of its sender's other segments (%u)", f->reset.ttl, s->ttl,
                s->frames);
        else
            add(list, "its TTL %u differs from the %u of its host's other segments", f->reset.ttl, f->host_ttl);
        break;
    case FEATURE_TIMESTAMPS:
        if (!is_own)
            add(list, "it bears a timestamp, which answers of %s have not", stack);
        else
            add(list, f->reset.has_timestamps ? "its timestamp is not what its sender's clock shows"
                                              : "it lacks the timestamps that both ends had agreed on");
        break;
    case FEATURE_FLOW_LABEL:
        add(list, "its flow label 0x%05x differs from the 0x%05x of its sender's other segments", f->reset.flow_label,
            s->flow_label);
        break;
    case FEATURE_TIME:
        if (is_own) {
            add(list,
                "it acknowledges #%u, which came %.3f ms before it; its sender never answered in less than %.3f ms",
                f->acknowledged_frame, milliseconds(f->acknowledged_age), milliseconds(s->answer_delay));
            break;
        }
        add(list, "it came %.3f ms after #%u, but its sender never answered in less than %.3f ms",
            milliseconds(f->trigger_age), f->trigger.frame, milliseconds(s->answer_delay));
        break;
    case FEATURE_TRIGGER:
        if (!f->has_trigger)
            add(list, "no segment asks for such an answer");
        else
            add(list, "its sender had spoken %.3f ms before, and no segment asks for an answer",
                milliseconds(f->since_spoke));
        break;
    default:
        break;
    }
}

static void say_contradictions(GPtrArray *list, const form_match *m, const judgement *j, const reset_facts *f)
{
    for (form_feature i = 0; i < FEATURES; i++)
        if (m->against[i] > 0)
            say_feature(list, i, m == &j->forms.own, f);
}

static const form_match *nearest_form(const form_matches *m)
{
    return m->own.weight <= m->answer.weight ? &m->own : &m->answer;
}

/* The form that a row asks for; NULL where it asks for none. */
static const form_match *form_of(const cause_row *row, const form_matches *m)
{
    for (const need *n = row->needs; n->requirement != NO_REQUIREMENT; n++) {
        if (n->requirement == OWN_FORM)
            return &m->own;
        if (n->requirement == ANSWER_FORM)
            return &m->answer;
        if (n->requirement == ANSWER_FORM_OF_ANY)
            return m->answer.weight <= m->device.weight ? &m->answer : &m->device;
        if (n->requirement == ANY_FORM)
            return nearest_form(m);
    }
    return NULL;
}

static void say_later(GPtrArray *list, const reset_facts *f)
{
    const later_facts *later = &f->later;

    if (later->is_absence_proven)
        add(list, "its sender's own end of the capture lacks it, and holds #%u, which came later",
            later->absent_at_sender);
    else if (later->absent_at_sender != 0)
        add(list, "its sender's own end of the capture lacks it, but ends with #%u", later->absent_at_sender);
    if (requirement_is_present_at_sender(f))
        add(list, "its sender's own end of the capture holds it");
    if (later->sender_continues != 0)
        add(list, "the sender that it names goes on in #%u as if it had sent none", later->sender_continues);
    if (later->trigger_missed != 0)
        add(list, "the host that it names acknowledges nothing of #%u later, in #%u: that never reached it",
            f->trigger.frame, later->trigger_missed);
    if (later->forged_sibling != 0)
        add(list, "it has the fingerprint of #%u, which was forged in the same name", later->forged_sibling);
    if (later->accepted != 0)
        add(list, "the host that it names accepted the same SYN in #%u", later->accepted);
    if (later->counterpart != 0)
        add(list, "the other direction was reset at the same moment, in #%u", later->counterpart);
}

static void say_unknown(GPtrArray *list, const reset_facts *f)
{
    add(list, "%s",
        f->has_ack ? "it acknowledges no segment in the capture and does not continue its sender's numbers"
                   : "no segment in the capture has its sequence number as ACK number");
}

/* What is missing lowers the confidence and is said. */
static void say_vantage(GPtrArray *list, const judgement *j, const reset_facts *f)
{
    if (j->cause == RSTCAUSE_UNKNOWN || j->cause == RSTCAUSE_CLOSED_PORT)
        return;
    if (!f->handshake_seen)
        add(list, "the handshake is not in the capture");
    if (f->sender->frames == 0 && f->receiver->frames > 0 && f->connection.is_established)
        add(list, "the capture holds nothing else from the sender of the reset");
    else if (f->receiver->frames == 0 && f->sender->frames > 0)
        add(list, "the capture holds only one direction");
}

static void say_statement(GPtrArray *list, const judgement *j, const reset_facts *f)
{
    if (f->stated.text != NULL) {
        add(list, "its sender states: %s", f->stated.text);
        if (f->stated.has_cause && f->stated.cause != j->cause)
            add(list, "what it states means %s, which the rest of the capture does not show",
                rstcause_cause_name(f->stated.cause));
    }
    if (f->later.other_code_of_reset)
        add(list, "its window is a reset code of Citrix NetScaler: %s", f->reset_code);
    if (f->sender->last_words.kind != RSTCAUSE_BYTES_UNKNOWN) {
        char *words = last_words_tell(&f->sender->last_words);

        add(list, "last words of its application in #%u: %s", f->sender->last_words_frame, words);
        g_free(words);
    }
}

GPtrArray *evidence_list(const judgement *j, const reset_facts *f)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
    const form_match *form = form_of(j->row, &j->forms);

    for (const need *n = j->row->needs; n->requirement != NO_REQUIREMENT; n++) {
        finding found = need_find(n, f, &j->forms);
        const char *missing = found == HOLDS ? NULL : say_missing(n->requirement, found, f);

        if (found == HOLDS)
            say_holding(list, n->requirement, j, f);
        else if (missing != NULL)
            add(list, "%s", missing);
    }
    if (j->cause == RSTCAUSE_INJECTED)
        form = nearest_form(&j->forms);
    if (form != NULL)
        say_contradictions(list, form, j, f);
    if (j->row->needs[0].requirement == NO_REQUIREMENT)
        say_unknown(list, f);
    say_vantage(list, j, f);
    say_later(list, f);
    say_statement(list, j, f);
    return list;
}

/* What speaks against a row, in one line. */
static char *describe_row(const cause_row *row, const judgement *j, const reset_facts *f)
{
    GPtrArray *against = g_ptr_array_new_with_free_func(g_free);
    const form_match *form = form_of(row, &j->forms);
    char *joined, *line;

    for (const need *n = row->needs; n->requirement != NO_REQUIREMENT; n++) {
        finding found = need_find(n, f, &j->forms);
        const char *missing = found == HOLDS ? NULL : say_missing(n->requirement, found, f);

        if (missing != NULL)
            add(against, "%s", missing);
    }
    if (form != NULL)
        say_contradictions(against, form, j, f);
    if (against->len == 0)
        add(against, "nothing in the capture rules it out");
    g_ptr_array_add(against, NULL);
    joined = g_strjoinv("; ", (char **)against->pdata);
    line = g_strdup_printf("%s: %s", rstcause_cause_name(row->cause), joined);
    g_free(joined);
    g_ptr_array_free(against, true);
    return line;
}

GPtrArray *evidence_list_alternatives(const judgement *j, const reset_facts *f)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(g_free);

    for (unsigned i = 0; i < MOST_ALTERNATIVES && j->alternatives[i] != NULL; i++)
        g_ptr_array_add(list, describe_row(j->alternatives[i], j, f));
    return list;
}
