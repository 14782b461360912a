/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Puts a judgement into words. See tell.h. */
#include "tell.h"

#include "effect.h"
#include "evidence.h"
#include "explain.h"
#include "situations.h"
#include "rstcause/catalogue.h"

static bool is_from_service(const reset_facts *f)
{
    return connection_client(&f->connection, &f->reset, f->side) != f->side;
}

static rstcause_sender name_sender(const judgement *j, const reset_facts *f)
{
    if (j->cause == RSTCAUSE_INJECTED || j->cause == RSTCAUSE_FIREWALL_REJECT)
        return RSTCAUSE_THIRD_PARTY;
    return is_from_service(f) ? RSTCAUSE_SERVER : RSTCAUSE_CLIENT;
}

static void tell_ends(rstcause_verdict *verdict, const reset_facts *f)
{
    verdict->source = f->reset.source;
    verdict->destination = f->reset.destination;
    verdict->source_port = f->reset.source_port;
    verdict->destination_port = f->reset.destination_port;
    verdict->is_from_service = is_from_service(f);
}

/* Where there is a pattern it is the better story. */
static void tell_situation(rstcause_verdict *verdict, const reset_case *told, const neighbours *around)
{
    const reset_findings *found = told->found;
    situation s = situation_look(told);
    rstcause_pattern pattern;

    neighbours_look_around(around, &s);
    pattern = patterns_find(&s);
    verdict->pattern = pattern;
    verdict->idle = s.idle;
    verdict->left_unanswered |= pattern == RSTCAUSE_REQUEST_UNANSWERED;
    verdict->met_goodbye |= pattern == RSTCAUSE_LATE_CLOSE_NOTIFY;
    if (pattern != RSTCAUSE_NO_PATTERN) {
        verdict->explanation = situations_explain(pattern, &s);
        verdict->advice = situations_advise(pattern, &s);
    } else {
        verdict->explanation = explain_verdict(&found->judgement, &found->facts);
        verdict->advice = g_strdup(rstcause_catalogue(found->judgement.cause)->advice);
    }
}

static rstcause_verdict *tell_original(const reset_case *told, const neighbours *around)
{
    const reset_facts *f = &told->found->facts;
    const judgement *j = &told->found->judgement;
    const rstcause_catalogue_row *row = rstcause_catalogue(j->cause);
    rstcause_verdict *verdict = g_new0(rstcause_verdict, 1);

    verdict->frame = told->frame;
    tell_ends(verdict, f);
    verdict->rule = j->row->name;
    verdict->cause = j->cause;
    verdict->detail = j->detail;
    verdict->confidence = j->confidence;
    verdict->sender = name_sender(j, f);
    verdict->trigger = j->trigger;
    verdict->original = j->original;
    verdict->effective = f->is_effective;
    verdict->left_unanswered = f->left_unanswered && j->cause == RSTCAUSE_ABORT;
    verdict->met_goodbye = f->trigger_is_goodbye && j->cause == RSTCAUSE_DATA_AFTER_CLOSE;
    tell_situation(verdict, told, around);
    verdict->evidence = evidence_list(j, f);
    verdict->alternatives = evidence_list_alternatives(j, f);
    verdict->effect = effect_tell(j, f);
    verdict->has_data_lost = f->has_data_lost && f->is_effective && j->cause != RSTCAUSE_ALREADY_RESET;
    verdict->data_lost = f->data_lost;
    verdict->failure_code = f->stated.failure_code != 0 ? f->stated.failure_code : row->failure_code;
    verdict->stated = f->stated.text != NULL ? g_strdup(f->stated.text)
                      : f->later.other_code_of_reset
                          ? g_strdup_printf("NetScaler reset code %u: %s", f->reset.window, f->reset_code)
                          : NULL;
    return verdict;
}

/* What is learned of a packet holds for its copies. */
static void turn_into_copy(rstcause_verdict *verdict, uint32_t frame)
{
    char *explanation =
        g_strdup_printf("The same packet as #%u, captured twice. %s", verdict->frame, verdict->explanation);

    g_free(verdict->explanation);
    verdict->explanation = explanation;
    g_ptr_array_set_size(verdict->evidence, 0);
    g_ptr_array_add(verdict->evidence, g_strdup_printf("IP ID and TCP header are those of #%u", verdict->frame));
    verdict->detail = RSTCAUSE_COPY;
    verdict->original = verdict->frame;
    verdict->frame = frame;
}

rstcause_verdict *tell_verdict(const reset_case *told, const neighbours *around)
{
    const reset_case *original = told;
    rstcause_verdict *verdict;

    while (original->copied != NULL)
        original = original->copied;
    verdict = tell_original(original, around);
    if (original != told)
        turn_into_copy(verdict, told->frame);
    return verdict;
}

void tell_free(rstcause_verdict *verdict)
{
    if (verdict == NULL)
        return;
    g_ptr_array_free(verdict->evidence, true);
    g_ptr_array_free(verdict->alternatives, true);
    g_free(verdict->explanation);
    g_free(verdict->effect);
    g_free(verdict->advice);
    g_free(verdict->stated);
    g_free(verdict);
}
