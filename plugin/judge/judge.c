/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps a case for each reset and has the table asked, once and again. See judge.h. */
#include "judge.h"

#include <string.h>

#include "ends.h"
#include "later.h"
#include "follow/units.h"

/* A listener that is closed resets its connections in one loop (inet_csk_listen_stop() in Linux). */
static const int64_t listener_closes_within = 10 * MILLISECOND;

/* A port that accepts again so soon is taken for one that never stopped. A service may be started again as quickly (systemd
 * waits 100 ms), but nothing tells it apart then, and no detail is given. */
static const int64_t restart_takes = SECOND;

/* What happens at once, in a device on the path, takes less. */
static const int64_t at_once = MILLISECOND;

/* Packets overtake one another by less than this. */
static const int64_t reordering = 3 * MILLISECOND;

/* A reset is compared with at most so many others in the same name, so that the cost of each in a flood is bounded. */
enum { MOST_SIBLINGS = 32 };

/* The resets of one connection that later segments may tell of. */
typedef struct {
    reset_case *latest[2];      /* in each side's name */
    bool sender_continued[2];   /* ... and the side went on talking after it */
    bool receiver_continued[2]; /* ... and so did its peer */
} connection_cases;

/* What the resets of one host tell of one another. */
typedef struct {
    reset_case *unserved; /* latest abort of a connection that this host accepted and never used */
    bool is_refused;      /* ... to whose port a SYN was refused since */
    GPtrArray *coded;     /* resets whose windows are NetScaler codes, until two differ; NULL where none */
    bool codes_differ;
    reset_case *refused_first; /* latest refusal, where the host had not shown its TTL; see 'before' */
} host_cases;

struct judge {
    GHashTable *connections; /* connection_record, borrowed, to connection_cases */
    GHashTable *hosts;       /* host, borrowed, to host_cases */
    GPtrArray *by_frame;     /* cases by frame and layer, the latest on each; borrowed */
    GPtrArray *opened;    /* cases that are to be closed before the judge returns, or before its next call; borrowed */
    GPtrArray *cases;     /* owned */
    bool answers_changed; /* since judge_list_answers() was asked */
};

enum { FINDINGS_WORDS = sizeof(reset_findings) / sizeof(uint32_t) };

struct packed_findings {
    uint32_t marks[(FINDINGS_WORDS + 31) / 32]; /* a bit for each word that is not 0 */
    uint32_t words[];
};

G_STATIC_ASSERT(sizeof(reset_findings) % sizeof(uint32_t) == 0);

/* Writes the words that are not 0; returns how many there are. */
static size_t pack_findings(const reset_findings *found, uint32_t marks[], uint32_t words[])
{
    const uint8_t *from = (const uint8_t *)found;
    size_t count = 0;

    for (unsigned i = 0; i < FINDINGS_WORDS; i++) {
        uint32_t word;

        memcpy(&word, from + i * sizeof word, sizeof word);
        if (word == 0)
            continue;
        marks[i / 32] |= UINT32_C(1) << i % 32;
        words[count++] = word;
    }
    return count;
}

/* Forms are compared again when the case is opened; whose side is whose is known from 'side'. */
static void close_case(reset_case *one)
{
    packed_findings packed = {{0}};
    uint32_t words[FINDINGS_WORDS];
    size_t count;

    one->found->facts.sender = one->found->facts.receiver = NULL;
    memset(&one->found->judgement.forms, 0, sizeof one->found->judgement.forms);
    one->owns_text = one->found->facts.stated.text != NULL;
    count = pack_findings(one->found, packed.marks, words);
    one->packed = g_realloc(one->packed, sizeof packed + count * sizeof words[0]);
    memcpy(one->packed, &packed, sizeof packed);
    memcpy(one->packed->words, words, count * sizeof words[0]);
    g_free(one->found);
    one->found = NULL;
}

static void unpack_findings(reset_findings *to, const packed_findings *packed)
{
    size_t count = 0;

    for (unsigned i = 0; i < FINDINGS_WORDS; i += 32) {
        unsigned at = i;

        for (uint32_t left = packed->marks[i / 32]; left != 0; left >>= 1, at++) {
            if (left & 1)
                memcpy((uint8_t *)to + at * sizeof(uint32_t), &packed->words[count++], sizeof(uint32_t));
        }
    }
}

/* Its findings, until the cases are closed; NULL where there is no case, or one without findings. */
static reset_findings *open_case(judge *all, reset_case *one)
{
    if (one == NULL || one->found != NULL || one->packed == NULL)
        return one != NULL ? one->found : NULL;
    one->found = g_new0(reset_findings, 1);
    unpack_findings(one->found, one->packed);
    facts_name_ends(&one->found->facts);
    one->found->judgement.forms = form_compare(&one->found->facts);
    g_ptr_array_add(all->opened, one);
    return one->found;
}

void judge_visit(const judge *all, void (*visit)(void *data, const reset_case *one), void *data)
{
    for (unsigned i = 0; i < all->cases->len; i++) {
        reset_case seen = *(const reset_case *)g_ptr_array_index(all->cases, i);
        reset_findings found = {0};

        if (seen.copied != NULL)
            continue;
        if (seen.found == NULL) {
            unpack_findings(&found, seen.packed);
            facts_name_ends(&found.facts);
            seen.found = &found;
        }
        visit(data, &seen);
    }
}

static void note_trigger(judge *all, reset_case *one)
{
    uint32_t trigger = one->found->judgement.trigger;

    all->answers_changed |= one->trigger != trigger;
    one->trigger = trigger;
}

static void close_cases(judge *all)
{
    for (unsigned i = 0; i < all->opened->len; i++) {
        note_trigger(all, g_ptr_array_index(all->opened, i));
        close_case(g_ptr_array_index(all->opened, i));
    }
    g_ptr_array_set_size(all->opened, 0);
}

static void free_case(gpointer data)
{
    reset_case *one = data;

    if (one->owns_text) {
        reset_findings found = {0};

        unpack_findings(&found, one->packed);
        facts_clear(&found.facts);
    }
    g_free(one->packed);
    g_free(one);
}

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
    made->by_frame = g_ptr_array_new();
    made->opened = g_ptr_array_new();
    made->cases = g_ptr_array_new_with_free_func(free_case);
    return made;
}

void judge_free(judge *all)
{
    close_cases(all);
    g_hash_table_destroy(all->connections);
    g_hash_table_destroy(all->hosts);
    g_ptr_array_free(all->by_frame, true);
    g_ptr_array_free(all->opened, true);
    g_ptr_array_free(all->cases, true);
    g_free(all);
}

static uint64_t case_key(uint32_t frame, uint8_t layer)
{
    return (uint64_t)frame << 8 | layer;
}

/* The place of the first case in 'by_frame' that lies at a key or behind it. */
static unsigned find_place(const judge *all, uint64_t key)
{
    unsigned low = 0, high = all->by_frame->len;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        const reset_case *there = g_ptr_array_index(all->by_frame, middle);

        if (case_key(there->frame, there->layer) < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static reset_case *find_case(const judge *all, uint64_t key, unsigned at)
{
    reset_case *there = at < all->by_frame->len ? g_ptr_array_index(all->by_frame, at) : NULL;

    return there != NULL && case_key(there->frame, there->layer) == key ? there : NULL;
}

const reset_case *judge_find(judge *all, uint32_t frame, uint8_t layer)
{
    uint64_t key = case_key(frame, layer);
    reset_case *found = find_case(all, key, find_place(all, key));

    close_cases(all);
    for (reset_case *one = found; one != NULL; one = one->copied)
        open_case(all, one);
    return found;
}

bool judge_list_answers(judge *all, GArray *answers)
{
    bool have_changed = all->answers_changed;

    close_cases(all);
    all->answers_changed = false;
    if (!have_changed)
        return false;
    g_array_set_size(answers, 0);
    for (unsigned i = 0; i < all->by_frame->len; i++) {
        const reset_case *one = g_ptr_array_index(all->by_frame, i);

        if (one->trigger != 0) {
            reset_answer answer = {one->trigger, one->frame};

            g_array_append_val(answers, answer);
        }
    }
    return true;
}

/* Frames come in order, so that nearly all are put at the end. */
static void put_by_frame(judge *all, reset_case *one)
{
    uint64_t key = case_key(one->frame, one->layer);
    const reset_case *last = all->by_frame->len > 0 ? g_ptr_array_index(all->by_frame, all->by_frame->len - 1) : NULL;
    unsigned at = last == NULL || case_key(last->frame, last->layer) < key ? all->by_frame->len : find_place(all, key);

    if (find_case(all, key, at) != NULL)
        all->by_frame->pdata[at] = one;
    else
        g_ptr_array_insert(all->by_frame, (int)at, one);
}

static reset_case *make_case(judge *all, const rstcause_segment *reset)
{
    reset_case *made = g_new0(reset_case, 1);

    made->frame = reset->frame;
    made->layer = reset->layer;
    g_ptr_array_add(all->cases, made);
    put_by_frame(all, made);
    return made;
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

static void ask_again(reset_case *one)
{
    one->found->judgement = judgement_reach(&one->found->facts);
}

/* It ends the connection before this one (figure 9), which the record keeps no longer; its sender goes on to open the
 * new one. */
static bool ends_only_the_past(const judgement *j)
{
    return j->detail == RSTCAUSE_RECONNECT || j->detail == RSTCAUSE_PORT_REUSE;
}

/* Its sender may go on after it has sent this reset: the attempt that an unacceptable ACK meets stays as it is (RFC 9293
 * section 3.5.2). So may a host that a segment reached by mistake, and one that has answered a segment of no window of
 * P's: a router that forgot to translate (Kubernetes: conntrack INVALID). */
static bool may_go_on(const reset_case *one)
{
    const judgement *j = &one->found->judgement;

    return ends_only_the_past(j) || j->cause == RSTCAUSE_UNACCEPTABLE_ACK ||
           (one->found->facts.trigger_is_out_of_window && j->forms.answer.weight < WEIGHT_ODD);
}

/* Does this reset end the connection, so that what comes later is "already-reset"? */
static bool ends_connection(const reset_case *one)
{
    const judgement *j = &one->found->judgement;

    return one->found->facts.connection.reset_frame == 0 && one->found->facts.is_effective &&
           j->detail != RSTCAUSE_CORRUPT_FLAGS && j->detail != RSTCAUSE_PROBE && !ends_only_the_past(j);
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

/* Several connections of one port that were never used, reset at one moment: their listener was closed
 * (inet_csk_listen_stop() in Linux). The first is known only when the second comes. */
static void compare_with_unserved(judge *all, host_cases *of_host, reset_case *one)
{
    reset_case *other = of_host->unserved;
    const reset_facts *f = &one->found->facts;

    if (one->found->judgement.cause != RSTCAUSE_ABORT || !f->sender_accepted || f->sender->bytes > 0 ||
        f->sender_closed)
        return;
    of_host->unserved = one;
    of_host->is_refused = false;
    if (open_case(all, other) == NULL || other->found->facts.reset.source_port != f->reset.source_port ||
        time_between(f->reset.time, other->found->facts.reset.time) > listener_closes_within)
        return;
    one->found->facts.later.listener_sibling = other->frame;
    one->before = other;
    if (other->found->facts.later.listener_sibling == 0) {
        other->found->facts.later.listener_sibling = one->frame;
        ask_again(other);
    }
    ask_again(one);
}

/* Then the port refuses the next SYN. */
static void note_refusal(judge *all, host_cases *of_host, const reset_case *one)
{
    if (one->found->judgement.cause == RSTCAUSE_CLOSED_PORT && open_case(all, of_host->unserved) != NULL &&
        of_host->unserved->found->facts.reset.source_port == one->found->facts.reset.source_port)
        of_host->is_refused = true;
}

/* A NetScaler writes its reason into the window. A lone value is chance; two different ones of one host, whose other
 * windows are no codes, are its fingerprint. */
static void compare_codes(judge *all, host_cases *of_host, reset_case *one)
{
    reset_facts *f = &one->found->facts;

    if (f->reset_code == NULL || rstcause_stated_netscaler(f->sender->window) != NULL)
        return;
    if (of_host->coded == NULL)
        of_host->coded = g_ptr_array_new();
    g_ptr_array_add(of_host->coded, one);
    if (!of_host->codes_differ) {
        const reset_findings *first = open_case(all, g_ptr_array_index(of_host->coded, 0));

        of_host->codes_differ = first->facts.reset.window != f->reset.window;
    }
    if (!of_host->codes_differ)
        return;
    for (unsigned i = 0; i < of_host->coded->len; i++)
        open_case(all, g_ptr_array_index(of_host->coded, i))->facts.later.other_code_of_reset = true;
    g_ptr_array_set_size(of_host->coded, 0);
}

/* Of a host that had shown no TTL before, so that a device on the path cannot be told. */
static void note_blind_refusal(host_cases *of_host, reset_case *one)
{
    const reset_facts *f = &one->found->facts;

    if (f->host_ttl_seen > 0 || !f->has_trigger || (f->trigger.flags & RSTCAUSE_SYN) == 0)
        return;
    one->before = of_host->refused_first;
    of_host->refused_first = one;
}

/* What is known by now of a reset, for the one of the other direction. */
static void tell_counterpart(judge *all, const reset_case *one)
{
    uint64_t key = case_key(one->found->facts.later.counterpart, one->layer);
    bool is_forged = one->found->judgement.cause == RSTCAUSE_INJECTED;
    reset_case *other;

    if (one->found->facts.later.counterpart == 0)
        return;
    other = find_case(all, key, find_place(all, key));
    if (open_case(all, other) == NULL || other->found->facts.later.counterpart_is_forged == is_forged)
        return;
    other->found->facts.later.counterpart_is_forged = is_forged;
    ask_again(other);
}

/* The first of two resets that a device sent to both ends at once is known only when the second comes. */
static void compare_with_counterpart(judge *all, connection_cases *of_connection, reset_case *one)
{
    reset_case *other = of_connection->latest[!one->found->facts.side];
    if (open_case(all, other) == NULL ||
        time_between(one->found->facts.reset.time, other->found->facts.reset.time) > at_once ||
        (one->found->facts.has_trigger && one->found->facts.trigger.frame > other->frame))
        return;
    one->found->facts.later.counterpart = other->frame;
    other->found->facts.later.counterpart = one->frame;
    ask_again(one);
    ask_again(other);
    tell_counterpart(all, one);
    tell_counterpart(all, other);
}

/* The port pair has begun a new connection since. */
static void forget_past(connection_cases *of_connection, const connection *c)
{
    for (unsigned side = 0; side < 2; side++) {
        if (c->resets[side].frame == 0)
            of_connection->latest[side] = NULL;
    }
}

/* Two cards, or two rings of one card, give a capture their packets out of order. */
static void find_late_trigger(judge *all, reset_case *one, const rstcause_segment *segment)
{
    if (open_case(all, one) == NULL || !later_is_trigger(&one->found->facts, segment))
        return;
    facts_put_trigger(&one->found->facts, segment);
    ask_again(one);
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
static void compare_with_siblings(judge *all, reset_case *one)
{
    unsigned compared = 0;

    for (reset_case *other = one->previous; other != NULL && compared < MOST_SIBLINGS; other = other->previous) {
        bool is_forged = one->found->judgement.cause == RSTCAUSE_INJECTED,
             was_forged = open_case(all, other)->judgement.cause == RSTCAUSE_INJECTED;

        compared++;
        if (is_forged == was_forged || !has_same_fingerprint(&one->found->facts.reset, &other->found->facts.reset))
            continue;
        if (was_forged && is_odd(one)) {
            one->found->facts.later.forged_sibling = other->frame;
            ask_again(one);
        } else if (is_forged && is_odd(other)) {
            other->found->facts.later.forged_sibling = one->frame;
            ask_again(other);
        }
    }
}

static void note_answer(connection *c, uint8_t side, const reset_case *one, const recent_segment *trigger)
{
    if (trigger == NULL || one->found->judgement.trigger != trigger->frame)
        return;
    recent_mark_answered(&c->ends[!side].recent, trigger);
    c->resets[side].answered_frame = trigger->frame;
}

/* The reset in this case, which is no copy at its own place. */
static void judge_case(judge *all, reset_case *one, connection *c, uint8_t side, const rstcause_segment *reset,
                       const rstcause_stated *stated)
{
    connection_cases *of_connection;
    host_cases *of_host;
    const recent_segment *trigger;

    one->found = g_new0(reset_findings, 1);
    one->vantages = (uint8_t)(1 << c->vantage);
    g_ptr_array_add(all->opened, one);
    facts_gather(&one->found->facts, c, side, reset, stated, &trigger);
    ask_again(one);

    of_connection = find_record(all->connections, c->record, sizeof *of_connection);
    forget_past(of_connection, c);
    of_host = find_record(all->hosts, c->ends[side].host, sizeof *of_host);
    compare_with_unserved(all, of_host, one);
    note_refusal(all, of_host, one);
    compare_codes(all, of_host, one);
    note_blind_refusal(of_host, one);
    compare_with_counterpart(all, of_connection, one);
    note_answer(c, side, one, trigger);
    if (ends_connection(one))
        end_connection(c, one);
    if (of_connection->latest[side] != NULL && of_connection->latest[side]->frame > c->ends[side].last_frame)
        one->previous = of_connection->latest[side];
    of_connection->latest[side] = one;
    compare_with_siblings(all, one);
    of_connection->sender_continued[side] = of_connection->receiver_continued[side] = false;
    c->resets[side].frame = reset->frame;
    c->resets[side].count++;
}

static uint32_t judge_opened(judge *all, connection *c, uint8_t side, const rstcause_segment *reset,
                             const rstcause_stated *stated)
{
    const recent_segment *copied = recent_find_copy(&c->ends[side].recent, reset, &c->copies);
    reset_case *one = make_case(all, reset);

    if (copied != NULL) {
        rstcause_stated unused = *stated;

        rstcause_stated_clear(&unused);
        one->copied = g_ptr_array_index(all->cases, copied->reset_number);
    } else {
        judge_case(all, one, c, side, reset, stated);
    }
    return all->cases->len - 1;
}

uint32_t judge_reset(judge *all, connection *c, uint8_t side, const rstcause_segment *reset,
                     const rstcause_stated *stated)
{
    uint32_t number = judge_opened(all, c, side, reset, stated);

    close_cases(all);
    return number;
}

static reset_case *find_original(const judge *all, uint32_t number)
{
    reset_case *found = g_ptr_array_index(all->cases, number);

    while (found->copied != NULL)
        found = found->copied;
    return found;
}

bool judge_has_seen_at(const judge *all, uint32_t number, uint32_t vantage)
{
    return (find_original(all, number)->vantages >> vantage & 1) != 0;
}

/* Another place holds it as well. */
static void compare_with_copy(judge *all, reset_case *original, reset_case *copy)
{
    reset_facts *f = &open_case(all, original)->facts;

    copy->copied = original;
    original->vantages |= copy->vantages;
    if (!ends_show_presence(f, &copy->found->facts.connection) &&
        !ends_show_presence(&copy->found->facts, &f->connection))
        return;
    f->later.is_present_at_sender = true;
    f->later.absent_at_sender = 0;
    f->later.is_absence_proven = false;
    ask_again(original);
}

uint32_t judge_reset_again(judge *all, connection *c, uint8_t side, const rstcause_segment *reset,
                           const rstcause_stated *stated, uint32_t number)
{
    reset_case *original = find_original(all, number), *one;
    uint32_t again = judge_opened(all, c, side, reset, stated);

    one = g_ptr_array_index(all->cases, again);
    if (one->copied == NULL)
        compare_with_copy(all, original, one);
    close_cases(all);
    return again;
}

/* A reset as one place of a capture holds it: the record there, sequence number and flags. */
typedef struct {
    const connection_record *record;
    uint32_t sequence;
    uint8_t flags;
} reset_at_place;

static unsigned hash_reset_at_place(gconstpointer key)
{
    const reset_at_place *reset = key;

    return g_direct_hash(reset->record) ^ reset->sequence ^ (unsigned)reset->flags << 24;
}

static gboolean equal_reset_at_place(gconstpointer a, gconstpointer b)
{
    const reset_at_place *one = a, *other = b;

    return one->record == other->record && one->sequence == other->sequence && one->flags == other->flags;
}

/* Also those that were not recognised as the same packet, in a burst of equal ones. */
static GHashTable *list_resets_at_places(judge *all)
{
    GHashTable *places = g_hash_table_new_full(hash_reset_at_place, equal_reset_at_place, g_free, NULL);

    for (unsigned i = 0; i < all->cases->len; i++) {
        const reset_findings *found = open_case(all, g_ptr_array_index(all->cases, i));
        reset_at_place *reset;

        if (found == NULL)
            continue;
        reset = g_new0(reset_at_place, 1);
        *reset =
            (reset_at_place){found->facts.connection.record, found->facts.reset.sequence, found->facts.reset.flags};
        g_hash_table_add(places, reset);
        close_cases(all);
    }
    return places;
}

static void note_absence(later_facts *later, uint32_t later_frame, uint32_t latest_frame)
{
    if (later_frame != 0) {
        later->absent_at_sender = later_frame;
        later->is_absence_proven = true;
    } else if (!later->is_absence_proven) {
        later->absent_at_sender = latest_frame;
    }
}

static void compare_with_vantage(reset_facts *f, const other_vantage *other, GHashTable *places)
{
    const reset_at_place there = {other->connection.record, f->reset.sequence, f->reset.flags};

    if (ends_show_presence(f, &other->connection))
        f->later.is_present_at_sender = true;
    else if (ends_show_absence(f, &other->connection, other->latest_time) && !g_hash_table_contains(places, &there))
        note_absence(&f->later, ends_find_later(f, &other->connection, other->latest_frame, other->latest_time),
                     other->latest_frame);
}

/* Those that have not seen it. */
static void compare_with_vantages(reset_case *one, GHashTable *places, judge_next_vantage find_next, void *data)
{
    reset_facts *f = &one->found->facts;
    const connection_record *own = f->connection.record, *record = own;
    bool was_absent = f->later.absent_at_sender != 0;
    other_vantage other;

    /* What the end of the file showed before more of it came (live capture). */
    f->later.absent_at_sender = 0;
    f->later.is_absence_proven = false;
    while ((record = find_next(data, record, &other)) != NULL && record != own) {
        if ((one->vantages >> other.connection.vantage & 1) == 0)
            compare_with_vantage(f, &other, places);
    }
    if (was_absent || f->later.absent_at_sender != 0 || f->later.is_present_at_sender)
        ask_again(one);
}

void judge_compare_vantages(judge *all, judge_next_vantage find_next, void *data)
{
    GHashTable *places = list_resets_at_places(all);

    for (unsigned i = 0; i < all->cases->len; i++) {
        reset_case *one = g_ptr_array_index(all->cases, i);

        if (one->copied == NULL && !open_case(all, one)->facts.later.is_present_at_sender)
            compare_with_vantages(one, places, find_next, data);
        close_cases(all);
    }
    g_hash_table_destroy(places);
}

/* Both sides have continued after the reset: it did not end the connection. */
static void live_on(connection *c, const connection_cases *of_connection)
{
    if (c->reset_frame != 0 && of_connection->sender_continued[c->reset_side] &&
        of_connection->receiver_continued[c->reset_side])
        revive(c);
}

static void note_continuation(judge *all, connection *c, uint8_t side, reset_case *latest,
                              const rstcause_segment *segment)
{
    for (reset_case *one = latest; one != NULL; one = one->previous) {
        if (later_counts_reset(&open_case(all, one)->facts, segment) &&
            one->found->judgement.cause != RSTCAUSE_INJECTED) {
            one->found->facts.later.counted_by_sender = segment->frame;
            ask_again(one);
            if (c->reset_frame == one->frame)
                revive(c);
            return;
        }
        if (later_goes_on(&one->found->facts, c, side, segment)) {
            one->found->facts.later.sender_continues = segment->frame;
            ask_again(one);
            tell_counterpart(all, one);
        }
        close_cases(all); /* there may be very many */
    }
}

static void look_at_later_segment(judge *all, connection *c, uint8_t side, const rstcause_segment *segment)
{
    connection_cases *of_connection = g_hash_table_lookup(all->connections, c->record);
    reset_case *latest;

    if (of_connection == NULL)
        return;
    forget_past(of_connection, c);
    find_late_trigger(all, of_connection->latest[!side], segment);
    latest = of_connection->latest[side];
    if (open_case(all, latest) != NULL && later_accepts(&latest->found->facts, c, segment)) {
        latest->found->facts.later.accepted = segment->frame;
        ask_again(latest);
    }
    if (latest != NULL && may_go_on(latest)) {
        if (latest->found->facts.later.lives_on == 0 && later_goes_on(&latest->found->facts, c, side, segment))
            latest->found->facts.later.lives_on = segment->frame;
    } else if (latest != NULL && !of_connection->sender_continued[side] &&
               later_goes_on(&latest->found->facts, c, side, segment)) {
        of_connection->sender_continued[side] = true;
        note_continuation(all, c, side, latest, segment);
        live_on(c, of_connection);
    }
    /* The receiver goes on as well, and not with what was on its way: the forged reset did not end the connection. */
    if (c->reset_frame == 0 || c->reset_side == side)
        return;
    if (segment->sequence == c->ends[side].next &&
        segment->time - c->reset_time > MAX(reordering, 2 * c->ends[side].answer_delay))
        of_connection->receiver_continued[!side] = true;
    live_on(c, of_connection);
}

/* The port of aborted connections accepts again at once, and refused nobody in between: its listener is there. */
static void note_listener(judge *all, host_cases *of_host, const rstcause_segment *syn_ack)
{
    int64_t since;

    if (of_host->is_refused || open_case(all, of_host->unserved) == NULL)
        return;
    since = syn_ack->time - of_host->unserved->found->facts.reset.time;
    if (of_host->unserved->found->facts.reset.source_port != syn_ack->source_port || since <= reordering ||
        since > restart_takes)
        return;
    for (reset_case *one = of_host->unserved; one != NULL; one = one->before) {
        open_case(all, one)->facts.later.port_goes_on = true;
        ask_again(one);
        close_cases(all); /* there may be very many */
    }
    of_host->unserved = NULL;
}

static void note_ttl(judge *all, host_cases *of_host, uint8_t ttl)
{
    for (reset_case *one = of_host->refused_first; one != NULL; one = one->before) {
        open_case(all, one)->facts.later.host_ttl = ttl;
        ask_again(one);
        close_cases(all);
    }
    of_host->refused_first = NULL;
}

void judge_accepted(judge *all, const host *server, const rstcause_segment *syn_ack)
{
    host_cases *of_host = g_hash_table_lookup(all->hosts, server);

    if (of_host == NULL)
        return;
    note_listener(all, of_host, syn_ack);
    note_ttl(all, of_host, syn_ack->ttl);
    close_cases(all);
}

void judge_later_segment(judge *all, connection *c, uint8_t side, const rstcause_segment *segment)
{
    look_at_later_segment(all, c, side, segment);
    close_cases(all);
}
