/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two ends: holds each reset against what the other places of a merged capture have seen. See places.h. */
#include "places.h"

#include "compare.h"
#include "ends.h"

/* Another place holds it as well. */
void places_compare_copy(case_book *book, reset_case *original, reset_case *copy)
{
    reset_facts *f = &cases_open(book, original)->facts;

    copy->copied = original;
    original->vantages |= copy->vantages;
    if (!ends_show_presence(f, &copy->found->facts.connection) &&
        !ends_show_presence(&copy->found->facts, &f->connection))
        return;
    f->later.is_present_at_sender = true;
    f->later.absent_at_sender = 0;
    f->later.is_absence_proven = false;
    case_ask_again(original);
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

/* Its record is there; another connection may have the memory of one that was forgotten. */
static bool is_remembered(GHashTable *connections, const reset_findings *found, uint32_t number)
{
    const connection_cases *of_connection = g_hash_table_lookup(connections, found->facts.connection.record);

    return of_connection != NULL && number >= of_connection->first_number;
}

/* Also those that were not recognised as the same packet, in a burst of equal ones. */
static GHashTable *list_resets_at_places(case_book *book, GHashTable *connections)
{
    GHashTable *places = g_hash_table_new_full(hash_reset_at_place, equal_reset_at_place, g_free, NULL);

    for (unsigned i = 0; i < book->all->len; i++) {
        const reset_findings *found = cases_open(book, g_ptr_array_index(book->all, i));
        reset_at_place *reset;

        if (found != NULL && is_remembered(connections, found, i)) {
            reset = g_new0(reset_at_place, 1);
            *reset =
                (reset_at_place){found->facts.connection.record, found->facts.reset.sequence, found->facts.reset.flags};
            g_hash_table_add(places, reset);
        }
        cases_close(book);
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
static void compare_with_vantages(reset_case *one, GHashTable *places, next_place find_next, void *data)
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
        case_ask_again(one);
}

void places_compare(case_book *book, GHashTable *connections, next_place find_next, void *data)
{
    GHashTable *places = list_resets_at_places(book, connections);

    for (unsigned i = 0; i < book->all->len; i++) {
        reset_case *one = g_ptr_array_index(book->all, i);

        if (one->copied == NULL && !cases_open(book, one)->facts.later.is_present_at_sender &&
            is_remembered(connections, one->found, i))
            compare_with_vantages(one, places, find_next, data);
        cases_close(book);
    }
    g_hash_table_destroy(places);
}
