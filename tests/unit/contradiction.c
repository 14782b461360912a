/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Holds a verdict against the contract. See contradiction.h. */
#include "contradiction.h"

#include <string.h>

/* Causes that mean: the reset is the reply to one segment. */
static bool is_answering_cause(rstcause_cause cause)
{
    switch (cause) {
    case RSTCAUSE_CLOSED_PORT:
    case RSTCAUSE_HALF_OPEN:
    case RSTCAUSE_TIME_WAIT:
    case RSTCAUSE_DATA_AFTER_CLOSE:
    case RSTCAUSE_HANDSHAKE_ABANDONED:
    case RSTCAUSE_HANDSHAKE_REJECTED:
    case RSTCAUSE_UNACCEPTABLE_ACK:
    case RSTCAUSE_FIREWALL_REJECT:
        return true;
    default:
        return false;
    }
}

/* The details that the contract has for each cause; a copy may have any cause. */
static bool belongs(rstcause_detail detail, rstcause_cause cause)
{
    switch (detail) {
    case RSTCAUSE_NO_DETAIL:
    case RSTCAUSE_COPY:
        return true;
    case RSTCAUSE_PROBE:
        return cause == RSTCAUSE_CLOSED_PORT;
    case RSTCAUSE_UNREAD_DATA:
    case RSTCAUSE_LINGER:
    case RSTCAUSE_AFTER_FIN:
    case RSTCAUSE_IDLE:
    case RSTCAUSE_PENDING_DATA:
    case RSTCAUSE_FASTCLOSE:
    case RSTCAUSE_LISTENER_CLOSED:
        return cause == RSTCAUSE_ABORT;
    case RSTCAUSE_DATA:
        return cause == RSTCAUSE_HALF_OPEN || cause == RSTCAUSE_DATA_AFTER_CLOSE;
    case RSTCAUSE_KEEPALIVE_PROBE:
    case RSTCAUSE_IDLE_EXPIRED:
    case RSTCAUSE_RECONNECT:
        return cause == RSTCAUSE_HALF_OPEN;
    case RSTCAUSE_LATE_SEGMENT:
    case RSTCAUSE_ASSASSINATION:
    case RSTCAUSE_PORT_REUSE:
        return cause == RSTCAUSE_TIME_WAIT;
    case RSTCAUSE_ANSWERED_FIN:
    case RSTCAUSE_ANSWERED_ACK:
        return cause == RSTCAUSE_DATA_AFTER_CLOSE;
    case RSTCAUSE_SYN_SCAN:
    case RSTCAUSE_LATE_SYN_ACK:
    case RSTCAUSE_CANCELLED:
        return cause == RSTCAUSE_HANDSHAKE_ABANDONED;
    case RSTCAUSE_FORGED_TTL:
    case RSTCAUSE_FORGED_IP_ID:
    case RSTCAUSE_FORGED_SEQUENCE:
    case RSTCAUSE_SENDER_CONTINUES:
    case RSTCAUSE_BOTH_DIRECTIONS:
    case RSTCAUSE_FORGED_FORM:
    case RSTCAUSE_FORGED_TIMING:
    case RSTCAUSE_ABSENT_AT_SENDER:
    case RSTCAUSE_IDLE_TIMEOUT:
        return cause == RSTCAUSE_INJECTED;
    case RSTCAUSE_NO_CONTEXT:
    case RSTCAUSE_CORRUPT_FLAGS:
        return cause == RSTCAUSE_UNKNOWN;
    default:
        return false;
    }
}

/* A time or a count below zero in what a person reads: a difference taken the wrong way round. */
static bool has_negative_number(const char *text)
{
    for (; *text != '\0'; text++) {
        if (text[0] == ' ' && text[1] == '-' && g_ascii_isdigit(text[2]))
            return true;
    }
    return false;
}

static bool is_text(const char *text)
{
    return text != NULL && *text != '\0' && g_utf8_validate(text, -1, NULL);
}

const char *contradiction_find(const rstcause_verdict *v)
{
    if ((unsigned)v->cause >= RSTCAUSE_CAUSES || (unsigned)v->detail >= RSTCAUSE_DETAILS ||
        (unsigned)v->confidence > RSTCAUSE_CERTAIN)
        return "a value is out of its range";
    if (!is_text(v->explanation))
        return "the explanation is empty or no UTF-8";
    if (v->evidence == NULL || v->evidence->len == 0)
        return "it rests on no evidence";
    for (unsigned i = 0; i < v->evidence->len; i++) {
        if (!is_text(g_ptr_array_index(v->evidence, i)))
            return "a piece of evidence is empty or no UTF-8";
    }
    if (v->confidence == RSTCAUSE_CERTAIN && v->alternatives->len > 0)
        return "it is certain and has an alternative";
    if (has_negative_number(v->explanation))
        return "the explanation counts below zero";
    if (!belongs(v->detail, v->cause))
        return "the detail is none of its cause's";
    /* A capture may have two packets of one moment in the wrong order. */
    if (v->trigger == v->frame || v->trigger > v->frame + 64)
        return "the trigger does not stand before the reset";
    if (v->original >= v->frame)
        return "the original does not stand before the reset";
    if (v->confidence == RSTCAUSE_CERTAIN && is_answering_cause(v->cause) && v->trigger == 0)
        return "it is certain of an answer without knowing to what";
    if (v->cause == RSTCAUSE_UNKNOWN && v->confidence == RSTCAUSE_CERTAIN)
        return "it is certain of not knowing";
    if (v->cause == RSTCAUSE_ALREADY_RESET && v->original == 0)
        return "it names no reset that it follows";
    if (v->detail == RSTCAUSE_COPY && v->original == 0)
        return "it names no packet that it copies";
    if (v->original != 0 && v->cause != RSTCAUSE_ALREADY_RESET && v->detail != RSTCAUSE_COPY)
        return "only a copy and a reset that follows another have an original";
    if ((v->sender == RSTCAUSE_THIRD_PARTY) != (v->cause == RSTCAUSE_INJECTED || v->cause == RSTCAUSE_FIREWALL_REJECT))
        return "the cause and the sender do not agree on a third party";
    if (v->stated != NULL && (!is_text(v->stated) || strlen(v->stated) > 255))
        return "what is stated is empty, too long or no UTF-8";
    if (!is_text(v->effect))
        return "the effect is empty or no UTF-8";
    return NULL;
}
