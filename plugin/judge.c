/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Judges one reset, and changes its mind where later segments prove it wrong. Knows the order of the steps, no rule. */
#include "judge.h"

#include "explain.h"
#include "forgery.h"
#include "rstcause/catalogue.h"
#include "rules.h"
#include "units.h"

/* Connections that a closing listener resets go in one loop. */
static const gint64 listener_closes_within = 10 * MILLISECOND;

void judgement_add_evidence(judgement *j, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_ptr_array_add(j->evidence, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

void judge_free_verdict(gpointer data)
{
    rstcause_verdict *verdict = data;

    g_ptr_array_free(verdict->evidence, TRUE);
    g_free(verdict->explanation);
    g_free(verdict->effect);
    g_free(verdict->stated);
    g_free(verdict);
}

/* What is missing lowers the confidence and is said. */
static void weigh_vantage(judgement *j, const reset_facts *f)
{
    if (j->cause == RSTCAUSE_UNKNOWN || j->cause == RSTCAUSE_CLOSED_PORT || j->detail == RSTCAUSE_COPY)
        return;
    if (!f->handshake_seen)
        judgement_add_evidence(j, "the handshake is not in the capture");
    if (f->sender->frames == 0 && f->receiver->frames > 0 && f->connection->is_established) {
        judgement_add_evidence(j, "the capture holds nothing else from the sender of the reset");
        j->confidence = MIN(j->confidence, RSTCAUSE_LIKELY);
    } else if (f->receiver->frames == 0 && f->sender->frames > 0) {
        judgement_add_evidence(j, "the capture holds only one direction");
        j->confidence = MIN(j->confidence, RSTCAUSE_POSSIBLE);
    }
}

static void weigh_statement(judgement *j, const reset_facts *f)
{
    if (f->stated->text == NULL)
        return;
    judgement_add_evidence(j, "its sender states: %s", f->stated->text);
    if (f->stated->has_cause && f->stated->cause != j->cause)
        judgement_add_evidence(j, "what it states means %s, which the rest of the capture does not show", rstcause_cause_name(f->stated->cause));
}

/* Several connections of one port that were never used, reset at one moment: their listener was closed
 * (inet_csk_listen_stop() in Linux). The first is known only when the second comes. */
static void weigh_listener(judgement *j, const reset_facts *f, host *h)
{
    const endpoint *s = f->sender;

    if (j->cause != RSTCAUSE_ABORT || !f->sender_accepted || s->bytes > 0 || f->sender_closed)
        return;
    if (h->unserved_abort != NULL && h->unserved_port == f->reset->source_port && f->reset->time - h->unserved_time <= listener_closes_within) {
        j->detail = RSTCAUSE_LISTENER_CLOSED;
        judgement_add_evidence(j, "another connection to port %u that its server never used was reset at the same moment, in #%u", h->unserved_port, h->unserved_abort->frame);
        if (h->unserved_abort->detail != RSTCAUSE_LISTENER_CLOSED) {
            h->unserved_abort->detail = RSTCAUSE_LISTENER_CLOSED;
            g_ptr_array_add(h->unserved_abort->evidence, g_strdup_printf("another connection to port %u that its server never used was reset at the same moment, in #%u",
                                                                         h->unserved_port, f->reset->frame));
        }
    }
}

static rstcause_sender name_sender(const judgement *j, const reset_facts *f)
{
    if (j->cause == RSTCAUSE_INJECTED || j->cause == RSTCAUSE_FIREWALL_REJECT)
        return RSTCAUSE_THIRD_PARTY;
    return connection_client(f->connection, f->reset, f->side) == f->side ? RSTCAUSE_CLIENT : RSTCAUSE_SERVER;
}

static rstcause_verdict *make_copy(judgement *j, const reset_facts *f, const rstcause_verdict *copied)
{
    rstcause_verdict *verdict = g_new0(rstcause_verdict, 1);

    *verdict = *copied;
    verdict->frame = f->reset->frame;
    verdict->detail = RSTCAUSE_COPY;
    verdict->original = j->original;
    verdict->evidence = j->evidence;
    verdict->explanation = g_strdup_printf("The same packet as #%u, captured twice. %s", j->original, copied->explanation);
    verdict->effect = g_strdup(copied->effect);
    verdict->stated = g_strdup(copied->stated);
    return verdict;
}

static rstcause_verdict *make_verdict(judgement *j, const reset_facts *f)
{
    const rstcause_catalogue_row *row = rstcause_catalogue(j->cause);
    rstcause_verdict *verdict = g_new0(rstcause_verdict, 1);

    verdict->frame = f->reset->frame;
    verdict->cause = j->cause;
    verdict->detail = j->detail;
    verdict->confidence = j->confidence;
    verdict->sender = name_sender(j, f);
    verdict->trigger = j->trigger;
    verdict->original = j->original;
    verdict->effective = f->is_effective;
    verdict->explanation = explain_verdict(j, f);
    verdict->evidence = j->evidence;
    verdict->effect = explain_effect(j, f);
    verdict->advice = row->advice;
    verdict->has_data_lost = f->has_data_lost && f->is_effective && j->cause != RSTCAUSE_ALREADY_RESET;
    verdict->data_lost = f->data_lost;
    verdict->failure_code = f->stated->failure_code != 0 ? f->stated->failure_code : row->failure_code;
    verdict->stated = g_strdup(f->stated->text);
    return verdict;
}

/* Does this reset end the connection, so that what comes later is "already-reset"? */
static gboolean ends_connection(const judgement *j, const reset_facts *f)
{
    if (f->connection->reset_frame != 0 || !f->is_effective || j->detail == RSTCAUSE_CORRUPT_FLAGS || j->detail == RSTCAUSE_PROBE)
        return FALSE;
    /* It ends the connection before this one (figure 9), which the record keeps no longer. */
    return j->detail != RSTCAUSE_RECONNECT && j->detail != RSTCAUSE_PORT_REUSE;
}

rstcause_verdict *judge_reset(connection *c, guint8 side, const rstcause_segment *reset, const rstcause_stated *stated)
{
    reset_facts facts;
    judgement j = { .confidence = RSTCAUSE_POSSIBLE };
    rstcause_verdict *verdict;
    host *sender_host = c->ends[side].host;

    facts_gather(&facts, c, side, reset, stated);
    j.evidence = g_ptr_array_new_with_free_func(g_free);
    rules_judge(&j, &facts);
    if (j.detail == RSTCAUSE_COPY && c->last_verdict[side] != NULL)
        return make_copy(&j, &facts, c->last_verdict[side]);

    weigh_listener(&j, &facts, sender_host);
    weigh_vantage(&j, &facts);
    weigh_statement(&j, &facts);
    if (j.cause != RSTCAUSE_INJECTED)
        forgery_add_evidence(&j, &facts);
    if (c->ends[side].last_words != NULL && c->ends[side].last_words_frame + 64 > reset->frame)
        judgement_add_evidence(&j, "last words of its application in #%u: %s", c->ends[side].last_words_frame, c->ends[side].last_words);
    verdict = make_verdict(&j, &facts);

    if (facts.trigger != NULL && j.trigger == facts.trigger->frame) {
        facts.trigger->was_answered = TRUE;
        c->last_answered_frame[side] = facts.trigger->frame;
    }
    if (ends_connection(&j, &facts)) {
        c->reset_frame = reset->frame;
        c->reset_time = reset->time;
        c->reset_side = side;
        c->reset_verdict = verdict;
    }
    c->last_verdict[side] = verdict;
    c->last_reset_frame[side] = reset->frame;
    c->last_reset_time[side] = reset->time;
    c->sender_continued[side] = FALSE;
    if (j.cause == RSTCAUSE_ABORT && facts.sender_accepted && c->ends[side].bytes == 0) {
        sender_host->unserved_abort = verdict;
        sender_host->unserved_port = reset->source_port;
        sender_host->unserved_time = reset->time;
    }
    return verdict;
}

static void revise_as_injected(rstcause_verdict *verdict, const rstcause_segment *segment, gint64 since)
{
    const rstcause_catalogue_row *row = rstcause_catalogue(RSTCAUSE_INJECTED);

    /* Signs of its own besides: nothing else explains it. */
    verdict->confidence = verdict->cause == RSTCAUSE_INJECTED ? RSTCAUSE_CERTAIN : RSTCAUSE_LIKELY;
    if (verdict->cause != RSTCAUSE_INJECTED)
        verdict->detail = RSTCAUSE_SENDER_CONTINUES;
    verdict->cause = RSTCAUSE_INJECTED;
    verdict->sender = RSTCAUSE_THIRD_PARTY;
    verdict->trigger = 0;
    verdict->original = 0;
    verdict->advice = row->advice;
    verdict->failure_code = row->failure_code;
    g_free(verdict->explanation);
    verdict->explanation = g_strdup_printf("A third party forged this reset: the sender that it names goes on in #%u, %.3g s later, as if it had sent none.",
                                           segment->frame, (double)since / SECOND);
    g_ptr_array_add(verdict->evidence, g_strdup_printf("its sender goes on talking in #%u", segment->frame));
}

void judge_later_segment(connection *c, guint8 side, const rstcause_segment *segment)
{
    rstcause_verdict *verdict = c->last_verdict[side];

    if (verdict != NULL && !c->sender_continued[side] && verdict->cause != RSTCAUSE_HALF_OPEN && forgery_is_proven_by(c, side, segment)) {
        c->sender_continued[side] = TRUE;
        revise_as_injected(verdict, segment, segment->time - c->last_reset_time[side]);
    }
    /* The receiver goes on as well: the forged reset did not end the connection. */
    if (c->reset_frame != 0 && c->reset_side != side && c->sender_continued[!side] && (segment->flags & RSTCAUSE_RST) == 0 &&
        segment->time - c->reset_time > 3 * MILLISECOND && segment->sequence == c->ends[side].next) {
        c->reset_frame = 0;
        c->reset_verdict = NULL;
        c->sender_continued[!side] = FALSE;
    }
}
