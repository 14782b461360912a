/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks the table of causes for the cheapest row, and for what it leaves. */
#include "judgement.h"

#include "details.h"

/* A row that costs so much is ruled out, as far as the stack is known. */
enum { OUT_FROM = WEIGHT_CONTRADICTED };

/* A row that is cheaper than the next by so much is likely. */
enum { CLEARLY_CHEAPER = 2 };

typedef struct {
    const cause_row *row;
    unsigned cost;
} priced_row;

/* Inserts a row into the list of the cheapest, unless a cheaper one of the same cause is there; cheapest first. */
static void keep_nearest(priced_row nearest[], const priced_row *one)
{
    for (unsigned i = 0; i < MOST_ALTERNATIVES; i++) {
        if (nearest[i].row != NULL && nearest[i].row->cause == one->row->cause && nearest[i].cost <= one->cost)
            return;
        if (nearest[i].row == NULL || one->cost < nearest[i].cost) {
            priced_row moved = *one;

            for (; i < MOST_ALTERNATIVES; i++) {
                priced_row next = nearest[i];

                nearest[i] = moved;
                if (next.row == NULL || next.row->cause == one->row->cause)
                    return;
                moved = next;
            }
            return;
        }
    }
}

/* 'next' is the cheapest row of another cause: rows of the same cause are no other reading. */
static rstcause_confidence weigh_confidence(const priced_row *best, const priced_row *next)
{
    bool is_alone = next->row == NULL || next->cost >= OUT_FROM;
    unsigned lead = next->row == NULL ? RULED_OUT : next->cost - best->cost;

    if (best->cost == 0 && is_alone)
        return RSTCAUSE_CERTAIN;
    if (best->cost <= 1 ? lead >= 1 : lead >= CLEARLY_CHEAPER && best->cost < OUT_FROM - 1)
        return RSTCAUSE_LIKELY;
    return RSTCAUSE_POSSIBLE;
}

static bool is_forgery_hinted(const form_matches *forms, const reset_facts *f)
{
    /* A firewall that keeps the trigger leaves what a NAT leaves. */
    return (form_least_against(forms) + requirement_weigh_later(f) >= WEIGHT_ODD || f->later.trigger_missed != 0) &&
           !requirement_is_present_at_sender(f);
}

static const cause_row *find_foreign_row(void)
{
    for (unsigned i = 0; i < cause_row_count; i++)
        if (cause_rows[i].cause == RSTCAUSE_INJECTED)
            return &cause_rows[i];
    return NULL;
}

/* Where the verdict is not certain: those that are not ruled out by much, and at least the cheapest. */
static void list_alternatives(judgement *j, const priced_row nearest[], const reset_facts *f)
{
    unsigned count = 0;

    if (j->confidence == RSTCAUSE_CERTAIN)
        return;
    if (j->cause != RSTCAUSE_INJECTED && is_forgery_hinted(&j->forms, f))
        j->alternatives[count++] = find_foreign_row();
    for (unsigned i = 0; i < MOST_ALTERNATIVES && nearest[i].row != NULL && count < MOST_ALTERNATIVES; i++) {
        if (nearest[i].row->cause != RSTCAUSE_UNKNOWN && (nearest[i].cost < OUT_FROM + 2 || count == 0))
            j->alternatives[count++] = nearest[i].row;
    }
}

/* RFC 5961 section 3.2; tcp_reset_check() and tcp_validate_incoming() in Linux's net/ipv4/tcp_input.c: what S itself sends
 * at its next number takes hold at once where P has what came right before it (SACK), else with S's answer to the challenge
 * ACK. Nobody confirms a forged one. */
static bool is_challenged(const judgement *j, const reset_facts *f)
{
    return f->connection.is_established && f->is_effective && !f->is_exact &&
           (j->cause == RSTCAUSE_INJECTED || !f->at_next);
}

static uint32_t find_trigger(const cause_row *row, const reset_facts *f)
{
    if ((row->traits & ANSWERS_FASTCLOSE) != 0)
        return f->receiver->fastclose_frame;
    if ((row->traits & ANSWERS_BY_TIME) != 0)
        return f->trigger_by_time.frame;
    return (row->traits & ANSWERS_TRIGGER) != 0 && f->has_trigger ? f->trigger.frame : 0;
}

static uint32_t find_original(rstcause_cause cause, const reset_facts *f)
{
    if (cause != RSTCAUSE_ALREADY_RESET)
        return 0;
    return f->was_reset ? f->connection.reset_frame : f->connection.past.frame;
}

static rstcause_cause find_cause(const cause_row *row, const reset_facts *f)
{
    return (row->traits & CAUSE_AS_STATED) != 0 && f->stated.has_cause ? f->stated.cause : row->cause;
}

judgement judgement_reach(const reset_facts *f)
{
    judgement j = {.forms = form_compare(f)};
    /* The last row requires nothing, so one is always found. */
    priced_row best = {&cause_rows[cause_row_count - 1], RULED_OUT}, nearest[MOST_ALTERNATIVES] = {{NULL, 0}};
    unsigned costs[MOST_ROWS];

    g_assert(cause_row_count <= MOST_ROWS);
    for (unsigned i = 0; i < cause_row_count; i++) {
        costs[i] = cause_row_cost(&cause_rows[i], f, &j.forms);
        if (costs[i] < best.cost)
            best = (priced_row){&cause_rows[i], costs[i]};
    }
    for (unsigned i = 0; i < cause_row_count; i++) {
        priced_row one = {&cause_rows[i], costs[i]};

        if (one.cost < RULED_OUT && one.row->cause != best.row->cause)
            keep_nearest(nearest, &one);
    }
    j.row = best.row;
    j.cause = find_cause(j.row, f);
    j.confidence = weigh_confidence(&best, &nearest[0]);
    j.detail = details_find(&j, f);
    j.trigger = find_trigger(j.row, f);
    j.original = find_original(j.cause, f);
    j.is_challenged = is_challenged(&j, f);
    list_alternatives(&j, nearest, f);
    return j;
}

/* S may go on as well where it is a host that a segment reached by mistake, and one that has answered a segment of no window
 * of P's: a router that forgot to translate (Kubernetes: conntrack INVALID). */
bool judgement_lets_sender_go_on(const judgement *j, const reset_facts *f)
{
    return (j->row->traits & SENDER_GOES_ON) != 0 ||
           (f->trigger_is_out_of_window && j->forms.answer.weight < WEIGHT_ODD);
}

bool judgement_ends_connection(const judgement *j, const reset_facts *f)
{
    return f->connection.reset_frame == 0 && f->is_effective && (j->row->traits & ENDS_NOTHING) == 0;
}
