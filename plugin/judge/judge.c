/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Has the table asked of each reset, once and again. See judge.h. */
#include "judge.h"

#include "compare.h"
#include "follow/units.h"
#include "later.h"

/* Of a GHashTable and of malloc() for each record; a table is seldom as empty as that. */
static const uint64_t bytes_in_table = 64;

struct judge {
    GHashTable *connections; /* connection_record, borrowed, to connection_cases */
    GHashTable *hosts;       /* host, borrowed, to host_cases */
    case_book *book;
};

static void free_host_cases(gpointer data)
{
    host_cases *of_host = data;

    if (of_host->coded != NULL)
        g_ptr_array_free(of_host->coded, true);
    g_free(of_host);
}

judge *judge_new(void)
{
    judge *made = g_new0(judge, 1);

    made->connections = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    made->hosts = g_hash_table_new_full(NULL, NULL, NULL, free_host_cases);
    made->book = cases_new();
    return made;
}

void judge_free(judge *all)
{
    cases_free(all->book);
    g_hash_table_destroy(all->connections);
    g_hash_table_destroy(all->hosts);
    g_free(all);
}

void judge_visit(const judge *all, void (*visit)(void *data, const reset_case *one), void *data)
{
    cases_visit(all->book, visit, data);
}

const reset_case *judge_find(judge *all, uint32_t frame, uint8_t layer)
{
    reset_case *found = cases_find(all->book, frame, layer);

    cases_close(all->book);
    for (reset_case *one = found; one != NULL; one = one->copied)
        cases_open(all->book, one);
    return found;
}

bool judge_list_answers(judge *all, GArray *answers)
{
    return cases_list_answers(all->book, answers);
}

void judge_compare_vantages(judge *all, next_place find_next, void *data)
{
    places_compare(all->book, all->connections, find_next, data);
}

/* The record of a key, made where there is none. */
static gpointer find_record(GHashTable *records, gconstpointer key, size_t size)
{
    gpointer found = g_hash_table_lookup(records, key);

    if (found == NULL) {
        found = g_malloc0(size);
        g_hash_table_insert(records, (gpointer)key, found);
    }
    return found;
}

static void revive(connection *c)
{
    c->reset_frame = 0;
}

static void end_connection(connection *c, const reset_case *one)
{
    c->reset_frame = one->frame;
    c->reset_time = one->found->facts.reset.time;
    c->reset_side = one->found->facts.side;
    c->reset_is_own = one->found->judgement.trigger == 0;
    c->reset_is_challenged = one->found->judgement.is_challenged;
}

/* The port pair has begun a new connection since. */
static void forget_past(connection_cases *of_connection, const connection *c)
{
    for (unsigned side = 0; side < 2; side++) {
        if (c->resets[side].frame == 0)
            of_connection->latest[side] = NULL;
    }
}

static bool is_syn_ack(const rstcause_segment *segment)
{
    return (segment->flags & (RSTCAUSE_SYN | RSTCAUSE_ACK)) == (RSTCAUSE_SYN | RSTCAUSE_ACK);
}

/* It is not known yet whether the sender of the latest reset goes on. */
static bool awaits_its_sender(const connection_cases *of_connection, uint8_t side)
{
    const reset_case *latest = of_connection->latest[side];

    return latest != NULL && !latest->sender_lives_on && !of_connection->sender_continued[side];
}

/* Two cards, or two rings of one card, give a capture their packets out of order. */
static bool awaits_trigger(const reset_case *latest, const rstcause_segment *segment)
{
    return latest != NULL && segment->frame - latest->frame <= LATER_MOST_OUT_OF_ORDER;
}

static void find_late_trigger(case_book *book, connection *c, reset_case *one, const rstcause_segment *segment)
{
    if (!later_is_trigger(&cases_open(book, one)->facts, segment))
        return;
    facts_put_trigger(&one->found->facts, segment);
    case_ask_again(one);
    if (one->found->judgement.trigger == segment->frame)
        c->resets[one->found->facts.side].answered_frame = segment->frame;
}

static void mark_answered(connection *c, uint8_t side, uint32_t frame)
{
    const recent_segment *segment;

    for (unsigned age = 0; (segment = recent_at(&c->ends[!side].recent, age)) != NULL; age++) {
        if (segment->frame == frame)
            recent_mark_answered(&c->ends[!side].recent, segment);
    }
}

/* It came behind the reset that answers it, and is among the recent segments only now. */
static void mark_late_trigger(connection *c, uint8_t side)
{
    if (c->resets[side].answered_frame > c->resets[side].frame)
        mark_answered(c, side, c->resets[side].answered_frame);
}

static void note_answer(connection *c, uint8_t side, const reset_case *one)
{
    const reset_facts *f = &one->found->facts;
    uint32_t answered = one->found->judgement.trigger;

    if (answered == 0 || (answered != f->trigger.frame && answered != f->trigger_by_time.frame))
        return;
    mark_answered(c, side, answered);
    c->resets[side].answered_frame = answered;
}

/* The reset in this case, which is no copy at its own place. */
static void judge_case(judge *all, reset_case *one, connection *c, uint8_t side, const rstcause_segment *reset,
                       const rstcause_stated *stated)
{
    connection_cases *of_connection;
    host_cases *of_host;

    cases_begin(all->book, one);
    one->vantages = (uint8_t)(1 << c->vantage);
    mark_late_trigger(c, side);
    facts_gather(&one->found->facts, c, side, reset, stated);
    case_ask_again(one);

    of_connection = g_hash_table_lookup(all->connections, c->record);
    if (of_connection == NULL) {
        of_connection = find_record(all->connections, c->record, sizeof *of_connection);
        of_connection->first_number = all->book->all->len - 1;
    }
    forget_past(of_connection, c);
    of_host = find_record(all->hosts, c->ends[side].host, sizeof *of_host);
    compare_with_unserved(all->book, of_host, one);
    note_refusal(all->book, of_host, one);
    compare_codes(all->book, of_host, one);
    note_blind_refusal(of_host, one);
    compare_with_counterpart(all->book, of_connection, one);
    note_answer(c, side, one);
    if (judgement_ends_connection(&one->found->judgement, &one->found->facts))
        end_connection(c, one);
    if (of_connection->latest[side] != NULL && of_connection->latest[side]->frame > c->ends[side].last_frame)
        one->previous = of_connection->latest[side];
    of_connection->latest[side] = one;
    compare_with_siblings(all->book, one);
    of_connection->sender_continued[side] = of_connection->receiver_continued[side] = false;
    c->resets[side].frame = reset->frame;
    c->resets[side].count++;
}

static uint32_t judge_opened(judge *all, connection *c, uint8_t side, const rstcause_segment *reset,
                             const rstcause_stated *stated)
{
    const recent_segment *copied = recent_find_copy(&c->ends[side].recent, reset, &c->copies);
    reset_case *one = cases_make(all->book, reset);

    if (copied != NULL) {
        rstcause_stated unused = *stated;

        rstcause_stated_clear(&unused);
        one->copied = g_ptr_array_index(all->book->all, copied->reset_number);
    } else {
        judge_case(all, one, c, side, reset, stated);
    }
    return all->book->all->len - 1;
}

uint32_t judge_reset(judge *all, connection *c, uint8_t side, const rstcause_segment *reset,
                     const rstcause_stated *stated)
{
    uint32_t number = judge_opened(all, c, side, reset, stated);

    cases_close(all->book);
    return number;
}

bool judge_has_seen_at(const judge *all, uint32_t number, uint32_t vantage)
{
    return (cases_original(all->book, number)->vantages >> vantage & 1) != 0;
}

uint32_t judge_reset_again(judge *all, connection *c, uint8_t side, const rstcause_segment *reset,
                           const rstcause_stated *stated, uint32_t number)
{
    reset_case *original = cases_original(all->book, number), *one;
    uint32_t again = judge_opened(all, c, side, reset, stated);

    one = g_ptr_array_index(all->book->all, again);
    if (one->copied == NULL)
        places_compare_copy(all->book, original, one);
    cases_close(all->book);
    return again;
}

/* Both sides have continued after the reset: it did not end the connection. */
static void live_on(connection *c, const connection_cases *of_connection)
{
    if (c->reset_frame != 0 && of_connection->sender_continued[c->reset_side] &&
        of_connection->receiver_continued[c->reset_side])
        revive(c);
}

static void note_continuation(case_book *book, connection *c, uint8_t side, reset_case *latest,
                              const rstcause_segment *segment)
{
    for (reset_case *one = latest; one != NULL; one = one->previous) {
        if (later_counts_reset(&cases_open(book, one)->facts, c, side, segment) &&
            one->found->judgement.cause != RSTCAUSE_INJECTED) {
            one->found->facts.later.counted_by_sender = segment->frame;
            case_ask_again(one);
            if (c->reset_frame == one->frame)
                revive(c);
            return;
        }
        if (later_goes_on(&one->found->facts, c, side, segment)) {
            one->found->facts.later.sender_continues = segment->frame;
            case_ask_again(one);
            tell_counterpart(book, one);
        }
        cases_close(book); /* there may be very many */
    }
}

/* The sender lives on behind this reset, and behind those that it follows at once: each looked at once. */
static void note_life(case_book *book, reset_case *latest, const rstcause_segment *segment)
{
    for (reset_case *one = latest; one != NULL && one->sender_may_go_on; one = one->previous) {
        cases_open(book, one)->facts.later.lives_on = segment->frame;
        cases_close(book);
    }
}

/* The facts of the latest reset in the name of who sent the segment. */
static void look_at_own_reset(judge *all, connection *c, uint8_t side, const rstcause_segment *segment,
                              connection_cases *of_connection)
{
    reset_case *latest = of_connection->latest[side];

    if (latest == NULL)
        return;
    if (is_syn_ack(segment) && later_accepts(&cases_open(all->book, latest)->facts, c, segment)) {
        latest->found->facts.later.accepted = segment->frame;
        case_ask_again(latest);
    }
    if (!awaits_its_sender(of_connection, side))
        return;
    cases_open(all->book, latest);
    if (latest->sender_may_go_on) {
        if (later_lives_on(&latest->found->facts, c, side, segment))
            note_life(all->book, latest, segment);
    } else if (!later_goes_on(&latest->found->facts, c, side, segment)) {
        return;
    } else if (latest->found->judgement.forms.answer.against[FEATURE_FLOW_LABEL] == WEIGHT_NONE &&
               later_misses_trigger(&latest->found->facts, c, side, segment)) {
        /* Netfilter's REJECT keeps the trigger as well, and over IPv6 it is known by its flow label. */
        latest->found->facts.later.lives_on = latest->found->facts.later.trigger_missed = segment->frame;
        case_ask_again(latest);
    } else {
        of_connection->sender_continued[side] = true;
        note_continuation(all->book, c, side, latest, segment);
        live_on(c, of_connection);
    }
}

/* The receiver goes on as well, and not with what was on its way: the forged reset did not end the connection. */
static void look_at_receiver(connection *c, uint8_t side, const rstcause_segment *segment,
                             connection_cases *of_connection)
{
    if (c->reset_frame == 0 || c->reset_side == side)
        return;
    if (segment->sequence == c->ends[side].next &&
        segment->time - c->reset_time > MAX(REORDERING, 2 * c->ends[side].answer_delay))
        of_connection->receiver_continued[!side] = true;
    live_on(c, of_connection);
}

void judge_accepted(judge *all, const host *server, const rstcause_segment *syn_ack)
{
    host_cases *of_host = g_hash_table_lookup(all->hosts, server);

    if (of_host == NULL)
        return;
    note_listener(all->book, of_host, syn_ack);
    note_ttl(all->book, of_host, syn_ack->ttl);
    cases_close(all->book);
}

void judge_forget_connection(judge *all, const connection_record *record)
{
    g_hash_table_remove(all->connections, record);
}

void judge_forget_host(judge *all, const host *left)
{
    g_hash_table_remove(all->hosts, left);
}

uint64_t judge_weigh(const judge *all)
{
    return (uint64_t)g_hash_table_size(all->connections) * (sizeof(connection_cases) + bytes_in_table) +
           (uint64_t)g_hash_table_size(all->hosts) * (sizeof(host_cases) + bytes_in_table);
}

bool judge_awaits(const judge *all, const connection_record *record, uint8_t side, const rstcause_segment *segment)
{
    const connection_cases *of_connection = g_hash_table_lookup(all->connections, record);

    if (of_connection == NULL)
        return false;
    return awaits_trigger(of_connection->latest[!side], segment) || awaits_its_sender(of_connection, side) ||
           (of_connection->latest[side] != NULL && is_syn_ack(segment)) ||
           (of_connection->latest[!side] != NULL && !of_connection->receiver_continued[!side] &&
            connection_is_over(record));
}

void judge_later_segment(judge *all, connection *c, uint8_t side, const rstcause_segment *segment)
{
    connection_cases *of_connection = g_hash_table_lookup(all->connections, c->record);

    if (of_connection == NULL)
        return;
    forget_past(of_connection, c);
    if (awaits_trigger(of_connection->latest[!side], segment))
        find_late_trigger(all->book, c, of_connection->latest[!side], segment);
    look_at_own_reset(all, c, side, segment, of_connection);
    look_at_receiver(c, side, segment, of_connection);
    cases_close(all->book);
}
