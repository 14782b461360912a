/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What resets tell of one another. See compare.h. */
#include "compare.h"

#include "follow/units.h"

/* A listener that is closed resets its connections in one loop (inet_csk_listen_stop() in Linux). */
static const int64_t listener_closes_within = 10 * MILLISECOND;

/* A port that accepts again so soon is taken for one that never stopped. A service may be started again as quickly (systemd
 * waits 100 ms), but nothing tells it apart then, and no detail is given. */
static const int64_t restart_takes = SECOND;

/* A reset is compared with at most so many others in the same name, so that the cost of each in a flood is bounded. */
enum { MOST_SIBLINGS = 32 };

/* Several connections of one port that were never used, reset at one moment: their listener was closed
 * (inet_csk_listen_stop() in Linux). The first is known only when the second comes. */
void compare_with_unserved(case_book *book, host_cases *of_host, reset_case *one)
{
    reset_case *other = of_host->unserved;
    const reset_facts *f = &one->found->facts;

    if (one->found->judgement.cause != RSTCAUSE_ABORT || !f->sender_accepted || f->sender->bytes > 0 ||
        f->sender_closed)
        return;
    of_host->unserved = one;
    of_host->is_refused = false;
    if (cases_open(book, other) == NULL || other->found->facts.reset.source_port != f->reset.source_port ||
        time_between(f->reset.time, other->found->facts.reset.time) > listener_closes_within)
        return;
    one->found->facts.later.listener_sibling = other->frame;
    one->before = other;
    if (other->found->facts.later.listener_sibling == 0) {
        other->found->facts.later.listener_sibling = one->frame;
        case_ask_again(other);
    }
    case_ask_again(one);
}

/* Then the port refuses the next SYN. */
void note_refusal(case_book *book, host_cases *of_host, const reset_case *one)
{
    if (one->found->judgement.cause == RSTCAUSE_CLOSED_PORT && cases_open(book, of_host->unserved) != NULL &&
        of_host->unserved->found->facts.reset.source_port == one->found->facts.reset.source_port)
        of_host->is_refused = true;
}

/* A NetScaler writes its reason into the window. A lone value is chance; two different ones of one host, whose other
 * windows are no codes, are its fingerprint. */
void compare_codes(case_book *book, host_cases *of_host, reset_case *one)
{
    reset_facts *f = &one->found->facts;

    if (f->reset_code == NULL || rstcause_stated_netscaler(f->sender->window) != NULL)
        return;
    if (of_host->coded == NULL)
        of_host->coded = g_ptr_array_new();
    g_ptr_array_add(of_host->coded, one);
    if (!of_host->codes_differ) {
        const reset_findings *first = cases_open(book, g_ptr_array_index(of_host->coded, 0));

        of_host->codes_differ = first->facts.reset.window != f->reset.window;
    }
    if (!of_host->codes_differ)
        return;
    for (unsigned i = 0; i < of_host->coded->len; i++)
        cases_open(book, g_ptr_array_index(of_host->coded, i))->facts.later.other_code_of_reset = true;
    g_ptr_array_set_size(of_host->coded, 0);
}

/* Of a host that had shown no TTL before, so that a device on the path cannot be told. */
void note_blind_refusal(host_cases *of_host, reset_case *one)
{
    const reset_facts *f = &one->found->facts;

    if (f->host_ttl_seen > 0 || !f->has_trigger || (f->trigger.flags & RSTCAUSE_SYN) == 0)
        return;
    one->before = of_host->refused_first;
    of_host->refused_first = one;
}

/* What is known by now of a reset, for the one of the other direction. */
void tell_counterpart(case_book *book, const reset_case *one)
{
    bool is_forged = one->found->judgement.cause == RSTCAUSE_INJECTED;
    reset_case *other;

    if (one->found->facts.later.counterpart == 0)
        return;
    other = cases_find(book, one->found->facts.later.counterpart, one->layer);
    if (cases_open(book, other) == NULL || other->found->facts.later.counterpart_is_forged == is_forged)
        return;
    other->found->facts.later.counterpart_is_forged = is_forged;
    case_ask_again(other);
}

/* The first of two resets that a device sent to both ends at once is known only when the second comes. */
void compare_with_counterpart(case_book *book, connection_cases *of_connection, reset_case *one)
{
    reset_case *other = of_connection->latest[!one->found->facts.side];
    if (cases_open(book, other) == NULL ||
        time_between(one->found->facts.reset.time, other->found->facts.reset.time) > AT_ONCE ||
        (one->found->facts.has_trigger && one->found->facts.trigger.frame > other->frame))
        return;
    one->found->facts.later.counterpart = other->frame;
    other->found->facts.later.counterpart = one->frame;
    case_ask_again(one);
    case_ask_again(other);
    tell_counterpart(book, one);
    tell_counterpart(book, other);
}

/* Both have the same fingerprint: TTL, DF, window, flags, flow label, options, and whether the IP ID is 0. */
static bool has_same_fingerprint(const rstcause_segment *one, const rstcause_segment *other)
{
    return one->ttl == other->ttl && one->dont_fragment == other->dont_fragment && one->window == other->window &&
           one->flags == other->flags && (one->ip_id == 0) == (other->ip_id == 0) &&
           one->flow_label == other->flow_label && one->option_order == other->option_order;
}

/* Something speaks against every genuine reading, be it only a hint. */
static bool is_odd(const reset_case *one)
{
    return form_least_against(&one->found->judgement.forms) > 0;
}

/* Where one of the resets in a name is forged, others in that name with its fingerprint are, too, if they are odd. */
void compare_with_siblings(case_book *book, reset_case *one)
{
    unsigned compared = 0;

    for (reset_case *other = one->previous; other != NULL && compared < MOST_SIBLINGS; other = other->previous) {
        bool is_forged = one->found->judgement.cause == RSTCAUSE_INJECTED,
             was_forged = cases_open(book, other)->judgement.cause == RSTCAUSE_INJECTED;

        compared++;
        if (is_forged == was_forged || !has_same_fingerprint(&one->found->facts.reset, &other->found->facts.reset))
            continue;
        if (was_forged && is_odd(one)) {
            one->found->facts.later.forged_sibling = other->frame;
            case_ask_again(one);
        } else if (is_forged && is_odd(other)) {
            other->found->facts.later.forged_sibling = one->frame;
            case_ask_again(other);
        }
    }
}

/* The port of aborted connections accepts again at once, and refused nobody in between: its listener is there. */
void note_listener(case_book *book, host_cases *of_host, const rstcause_segment *syn_ack)
{
    int64_t since;

    if (of_host->is_refused || cases_open(book, of_host->unserved) == NULL)
        return;
    since = syn_ack->time - of_host->unserved->found->facts.reset.time;
    if (of_host->unserved->found->facts.reset.source_port != syn_ack->source_port || since <= REORDERING ||
        since > restart_takes)
        return;
    for (reset_case *one = of_host->unserved; one != NULL; one = one->before) {
        cases_open(book, one)->facts.later.port_goes_on = true;
        case_ask_again(one);
        cases_close(book); /* there may be very many */
    }
    of_host->unserved = NULL;
}

void note_ttl(case_book *book, host_cases *of_host, uint8_t ttl)
{
    for (reset_case *one = of_host->refused_first; one != NULL; one = one->before) {
        cases_open(book, one)->facts.later.host_ttl = ttl;
        case_ask_again(one);
        cases_close(book);
    }
    of_host->refused_first = NULL;
}
