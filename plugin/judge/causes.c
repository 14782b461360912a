/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of causes: the page to read first. Each row names what it requires; the first number behind a requirement is
 * what it costs the row that it fails, the second what it costs that the capture does not show it. OUT rules the row out by
 * logic; 4 and more do so as far as the stack is known. Forms cost what contradicts them (form.c). Where two rows cost the
 * same the upper one wins: what a packet is comes before what it means, what came before it before what it answers, the
 * more specific before the more general.
 *
 * S sent the reset, P is its peer. What each requirement asks, and where that is laid down, stands in requirements.c.
 */
#include "causes.h"

#define OUT RULED_OUT

const cause_row cause_rows[] = {
    {"damaged flags", RSTCAUSE_UNKNOWN, RSTCAUSE_CORRUPT_FLAGS, ENDS_NOTHING, 1, {{FLAGS_ARE_DAMAGED, OUT, OUT}}},
    {"foreign", RSTCAUSE_INJECTED, RSTCAUSE_NO_DETAIL, 0, 0, {{IS_FOREIGN, OUT, OUT}, {IS_PROVEN_FOREIGN, 1, 1}}},

    /* What came before it. */
    {"reset before",
     RSTCAUSE_ALREADY_RESET,
     RSTCAUSE_NO_DETAIL,
     ANSWERS_TRIGGER,
     0,
     {{RESET_BEFORE, OUT, OUT}, {TRIGGER_FOUND, 1, 1}, {ANY_FORM, 0, 0}}},
    {"lone refusal",
     RSTCAUSE_CLOSED_PORT,
     RSTCAUSE_NO_DETAIL,
     ANSWERS_TRIGGER,
     3,
     {{NOT(HAS_CONTEXT), OUT, OUT}, {NOT(STATES_CAUSE), OUT, OUT}, {LOOKS_LIKE_REFUSAL, OUT, OUT}}},
    {"nothing else",
     RSTCAUSE_UNKNOWN,
     RSTCAUSE_NO_CONTEXT,
     0,
     3,
     {{NOT(HAS_CONTEXT), OUT, OUT}, {NOT(STATES_CAUSE), OUT, OUT}}},
    {"stated only",
     RSTCAUSE_ABORT,
     RSTCAUSE_NO_DETAIL,
     CAUSE_AS_STATED,
     3,
     {{NOT(HAS_CONTEXT), OUT, OUT}, {STATES_CAUSE, OUT, OUT}}},

    /* The handshake. */
    {"SYN refused by TIME-WAIT",
     RSTCAUSE_TIME_WAIT,
     RSTCAUSE_PORT_REUSE,
     ANSWERS_TRIGGER | ENDS_NOTHING | SENDER_GOES_ON,
     1,
     {{REFUSES_SYN, OUT, OUT}, {MEETS_TIME_WAIT, OUT, OUT}, {NOT(RESET_BEFORE), OUT, OUT}}},
    {"SYN refused by a device",
     RSTCAUSE_FIREWALL_REJECT,
     RSTCAUSE_NO_DETAIL,
     ANSWERS_TRIGGER,
     2,
     {{REFUSES_SYN, OUT, OUT}, {NEARER_DEVICE, OUT, OUT}, {NOT(ACCEPTED_LATER), 2, 0}, {NOT(RESET_BEFORE), OUT, OUT}}},
    {"SYN refused",
     RSTCAUSE_CLOSED_PORT,
     RSTCAUSE_NO_DETAIL,
     ANSWERS_TRIGGER,
     0,
     {{REFUSES_SYN, OUT, OUT},
      {NOT(ACCEPTED_LATER), OUT, 0},
      {SAME_DISTANCE, 3, 1},
      {NO_OLD_CONNECTION, 1, 1},
      {ANSWER_FORM_OF_ANY, 0, 0},
      {NOT(RESET_BEFORE), OUT, OUT}}},
    {"SYN refused without ACK",
     RSTCAUSE_CLOSED_PORT,
     RSTCAUSE_NO_DETAIL,
     ANSWERS_TRIGGER,
     3,
     {{MEETS_BARE_RESET, OUT, OUT}, {NOT(RESET_BEFORE), OUT, OUT}}},
    {"probe refused",
     RSTCAUSE_CLOSED_PORT,
     RSTCAUSE_PROBE,
     ANSWERS_TRIGGER | ENDS_NOTHING,
     0,
     {{REFUSES_PROBE, OUT, OUT},
      {SAME_DISTANCE, 3, 1},
      {NO_OLD_CONNECTION, 1, 1},
      {ANSWER_FORM_OF_ANY, 0, 0},
      {NOT(RESET_BEFORE), OUT, OUT}}},
    {"SYN acknowledged by TIME-WAIT",
     RSTCAUSE_TIME_WAIT,
     RSTCAUSE_PORT_REUSE,
     ANSWERS_TRIGGER | ENDS_NOTHING | SENDER_GOES_ON,
     0,
     {{MEETS_OLD_CONNECTION, OUT, OUT}, {OLD_CONNECTION_CLOSED, OUT, OUT}, {OLD_NUMBER, 1, 1}, {ANSWER_FORM, 0, 0}}},
    {"SYN acknowledged by an old connection",
     RSTCAUSE_HALF_OPEN,
     RSTCAUSE_RECONNECT,
     ANSWERS_TRIGGER | ENDS_NOTHING | SENDER_GOES_ON,
     0,
     {{MEETS_OLD_CONNECTION, OUT, OUT}, {OLD_CONNECTION_OPEN, OUT, 0}, {OLD_NUMBER, 1, 1}, {ANSWER_FORM, 0, 0}}},
    {"SYN/ACK not wanted any more",
     RSTCAUSE_HANDSHAKE_ABANDONED,
     RSTCAUSE_CANCELLED,
     ANSWERS_TRIGGER,
     0,
     {{ANSWERS_SYN_ACK, OUT, OUT}, {ANSWER_FORM, 0, 0}, {NOT(RESET_BEFORE), OUT, OUT}}},
    {"ACK of what was never sent",
     RSTCAUSE_UNACCEPTABLE_ACK,
     RSTCAUSE_NO_DETAIL,
     ANSWERS_TRIGGER | SENDER_GOES_ON,
     0,
     {{ANSWERS_NEVER_SENT, OUT, 3},
      {NOT(MEETS_OLD_CONNECTION), 4, 0},
      {ANSWER_FORM, 0, 0},
      {NOT(RESET_BEFORE), OUT, OUT}}},
    {"SYN of a connection that was reset, late",
     RSTCAUSE_ALREADY_RESET,
     RSTCAUSE_NO_DETAIL,
     ANSWERS_TRIGGER,
     1,
     {{ANSWERS_UNASKED_SYN_ACK, OUT, OUT}, {OLD_CONNECTION_RESET, OUT, OUT}}},
    {"SYN of a connection that was closed, late",
     RSTCAUSE_TIME_WAIT,
     RSTCAUSE_LATE_SEGMENT,
     ANSWERS_TRIGGER,
     1,
     {{ANSWERS_UNASKED_SYN_ACK, OUT, OUT}, {OLD_CONNECTION_CLOSED, OUT, OUT}}},
    {"SYN/ACK that nobody asked for",
     RSTCAUSE_UNACCEPTABLE_ACK,
     RSTCAUSE_NO_DETAIL,
     ANSWERS_TRIGGER | SENDER_GOES_ON,
     3,
     {{ANSWERS_UNASKED_SYN_ACK, OUT, OUT}, {NOT(RESET_BEFORE), OUT, OUT}}},
    {"behind its own SYN, one-sided",
     RSTCAUSE_HANDSHAKE_ABANDONED,
     RSTCAUSE_NO_DETAIL,
     ANSWERS_TRIGGER,
     3,
     {{HANDSHAKE_ONLY, OUT, OUT},
      {BEHIND_OWN_SYN, OUT, OUT},
      {SENDER_OPENED, OUT, OUT},
      {NOT(RESET_BEFORE), OUT, OUT}}},
    {"behind its own SYN/ACK, one-sided",
     RSTCAUSE_HANDSHAKE_REJECTED,
     RSTCAUSE_NO_DETAIL,
     ANSWERS_TRIGGER,
     3,
     {{HANDSHAKE_ONLY, OUT, OUT},
      {BEHIND_OWN_SYN, OUT, OUT},
      {SENDER_ACCEPTED, OUT, OUT},
      {NOT(RESET_BEFORE), OUT, OUT}}},
    {"SYN and TIME-WAIT, one-sided",
     RSTCAUSE_TIME_WAIT,
     RSTCAUSE_PORT_REUSE,
     ANSWERS_TRIGGER | ENDS_NOTHING | SENDER_GOES_ON,
     3,
     {{HANDSHAKE_ONLY, OUT, OUT},
      {NOT(BEHIND_OWN_SYN), OUT, OUT},
      {OLD_CONNECTION_CLOSED, OUT, OUT},
      {NOT(RESET_BEFORE), OUT, OUT}}},
    {"SYN and an old connection, one-sided",
     RSTCAUSE_HALF_OPEN,
     RSTCAUSE_RECONNECT,
     ANSWERS_TRIGGER | ENDS_NOTHING | SENDER_GOES_ON,
     3,
     {{HANDSHAKE_ONLY, OUT, OUT},
      {NOT(BEHIND_OWN_SYN), OUT, OUT},
      {OLD_CONNECTION_OPEN, OUT, OUT},
      {NOT(RESET_BEFORE), OUT, OUT}}},
    {"number of another, one-sided",
     RSTCAUSE_UNACCEPTABLE_ACK,
     RSTCAUSE_NO_DETAIL,
     ANSWERS_TRIGGER | SENDER_GOES_ON,
     3,
     {{HANDSHAKE_ONLY, OUT, OUT}, {NOT(BEHIND_OWN_SYN), OUT, OUT}, {NOT(RESET_BEFORE), OUT, OUT}}},

    /* The end. */
    {"after both closed",
     RSTCAUSE_TIME_WAIT,
     RSTCAUSE_NO_DETAIL,
     ANSWERS_TRIGGER,
     0,
     {{BOTH_CLOSED, OUT, OUT},
      {NOT(RESET_BEFORE), OUT, OUT},
      {TRIGGER_FOUND, 3, 3},
      {TRIGGER_IN_TIME, 1, 0},
      {ANSWER_FORM, 0, 0}}},
    {"handshake not taken",
     RSTCAUSE_HANDSHAKE_REJECTED,
     RSTCAUSE_NO_DETAIL,
     ANSWERS_TRIGGER,
     0,
     {{COMPLETES_HANDSHAKE, OUT, 3},
      {NOT(RESET_BEFORE), OUT, OUT},
      {AT_FIRST_ACK, 1, 1},
      {TRIGGER_IN_TIME, 1, 1},
      {STACK_TELLS, 1, 1},
      {ANSWER_FORM, 0, 0}}},
    {"after its close, by the time",
     RSTCAUSE_DATA_AFTER_CLOSE,
     RSTCAUSE_NO_DETAIL,
     ANSWERS_BY_TIME,
     3,
     {{CLOSED_BY_TIME, OUT, OUT}, {SENDER_NOT_CLOSED, OUT, OUT}, {NOT(RESET_BEFORE), OUT, OUT}}},
    {"after its close",
     RSTCAUSE_DATA_AFTER_CLOSE,
     RSTCAUSE_NO_DETAIL,
     ANSWERS_TRIGGER,
     0,
     {{SENDER_CLOSED, OUT, 2},
      {ESTABLISHED, OUT, OUT},
      {NOT(BOTH_CLOSED), OUT, OUT},
      {NOT(RESET_BEFORE), OUT, OUT},
      {FIRST_IN_ITS_NAME, 1, 0},
      {IS_ANSWER, 3, 1},
      {TRIGGER_FOUND, 3, 3},
      {TRIGGER_IN_TIME, 1, 0},
      {TRIGGER_ASKS_OR_IS_NEW, 1, 0},
      {ANSWER_FORM, 0, 0}}},

    /* Timers. */
    {"probes unanswered",
     RSTCAUSE_KEEPALIVE_TIMEOUT,
     RSTCAUSE_NO_DETAIL,
     0,
     0,
     {{PROBES_UNANSWERED, OUT, 3}, {PROBES_IN_STEP, 1, 1}, {NOT(RESET_BEFORE), OUT, OUT}, {OWN_FORM, 0, 0}}},
    {"repeats unanswered",
     RSTCAUSE_RETRANSMISSION_TIMEOUT,
     RSTCAUSE_NO_DETAIL,
     0,
     0,
     {{REPEATS_UNANSWERED, OUT, OUT},
      {REPEATS_IN_STEP, 1, 1},
      {GIVES_UP_ALOUD, 2, 0},
      {NOT(RESET_BEFORE), OUT, OUT},
      {OWN_FORM, 0, 0}}},

    /* In the middle. */
    {"connection unknown to its sender",
     RSTCAUSE_HALF_OPEN,
     RSTCAUSE_NO_DETAIL,
     ANSWERS_TRIGGER,
     0,
     {{HAS_CONTEXT, OUT, OUT},
      {NOT(RESET_BEFORE), OUT, OUT},
      {SENDER_NOT_CLOSED, OUT, 1},
      {NOT(CONNECTING), OUT, 0},
      {NOT(COMPLETES_HANDSHAKE), 4, 1},
      {TRIGGER_HAS_ACK, OUT, 0},
      {IS_ANSWER, 4, 1},
      {TRIGGER_FOUND, 3, 2},
      {TRIGGER_IN_TIME, 1, 0},
      {TRIGGER_ASKS, 1, 0},
      {AFTER_A_WHILE, 1, 1},
      {SENDER_SEEN, 1, 1},
      {HANDSHAKE_SEEN, 1, 1},
      {STACK_TELLS, 1, 1},
      {ANSWER_FORM_OF_ANY, 0, 0}}},
    {"MPTCP closed by its peer",
     RSTCAUSE_ABORT,
     RSTCAUSE_FASTCLOSE,
     ANSWERS_FASTCLOSE,
     0,
     {{MEETS_FASTCLOSE, OUT, OUT},
      {NOT(RESET_BEFORE), OUT, OUT},
      {SENDER_SEEN, OUT, OUT},
      {FIRST_IN_ITS_NAME, 1, 0},
      {ANY_FORM, 0, 0}}},
    {"its own doing",
     RSTCAUSE_ABORT,
     RSTCAUSE_NO_DETAIL,
     0,
     0,
     {{HAS_CONTEXT, OUT, OUT},
      {NOT(RESET_BEFORE), OUT, OUT},
      {IS_OWN_DOING, OUT, OUT},
      {NOT(MEETS_OLD_CONNECTION), 3, 0},
      {SENDER_SEEN, 2, 2},
      {RECEIVER_SEEN, 2, 2},
      {ESTABLISHED, 1, 1},
      {NOT(CONNECTING), 1, 0},
      {NOT(MAY_ANSWER), 1, 0},
      {NOT(BOTH_CLOSED), 4, 0},
      {NOT(TIMER_RAN_OUT), 4, 2},
      {GOES_ON_AS_OWN, 1, 1},
      {OWN_FORM, 0, 0}}},
    {"unknown", RSTCAUSE_UNKNOWN, RSTCAUSE_NO_DETAIL, 0, 6, {{NO_REQUIREMENT, 0, 0}}},
};

const unsigned cause_row_count = G_N_ELEMENTS(cause_rows);

static unsigned cost_of_form(requirement wanted, const reset_facts *f, const form_matches *m)
{
    unsigned weight = requirement_weigh_later(f);

    switch (wanted) {
    case OWN_FORM:
        return weight + m->own.weight;
    case ANSWER_FORM:
        return weight + m->answer.weight;
    case ANSWER_FORM_OF_ANY:
        return weight + MIN(m->answer.weight, m->device.weight);
    default:
        return weight + form_least_against(m);
    }
}

finding need_find(const need *n, const reset_facts *f, const form_matches *m)
{
    finding found = requirement_find(n->requirement & ~(unsigned)NEGATED, f, m);

    if ((n->requirement & NEGATED) == 0 || found == UNSEEN)
        return found;
    return found == HOLDS ? FAILS : HOLDS;
}

unsigned cause_row_cost(const cause_row *row, const reset_facts *f, const form_matches *m)
{
    unsigned cost = row->base;

    for (const need *n = row->needs; n->requirement != NO_REQUIREMENT; n++) {
        switch (n->requirement) {
        case OWN_FORM:
        case ANSWER_FORM:
        case ANSWER_FORM_OF_ANY:
        case ANY_FORM:
            cost += cost_of_form(n->requirement, f, m);
            break;
        default: {
            finding found = need_find(n, f, m);

            cost += found == FAILS ? n->if_fails : found == UNSEEN ? n->if_unseen : 0;
        }
        }
        if (cost >= RULED_OUT)
            return RULED_OUT;
    }
    return cost;
}
