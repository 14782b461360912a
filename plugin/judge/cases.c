/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps the cases, and packs them while nobody looks at them. See cases.h. */
#include "cases.h"

#include <string.h>

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

reset_findings *cases_open(case_book *book, reset_case *one)
{
    if (one == NULL || one->found != NULL || one->packed == NULL)
        return one != NULL ? one->found : NULL;
    one->found = g_new0(reset_findings, 1);
    unpack_findings(one->found, one->packed);
    facts_name_ends(&one->found->facts);
    one->found->judgement.forms = form_compare(&one->found->facts);
    g_ptr_array_add(book->opened, one);
    return one->found;
}

void cases_visit(const case_book *book, void (*visit)(void *data, const reset_case *one), void *data)
{
    for (unsigned i = 0; i < book->all->len; i++) {
        reset_case seen = *(const reset_case *)g_ptr_array_index(book->all, i);
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

static void note_outcome(case_book *book, reset_case *one)
{
    const judgement *j = &one->found->judgement;
    /* What is known by now as the same packet, seen at another place, was judged for itself before. */
    uint32_t trigger = one->copied == NULL ? j->trigger : 0;

    book->answers_changed |= one->trigger != trigger;
    one->trigger = trigger;
    one->sender_may_go_on = judgement_lets_sender_go_on(j, &one->found->facts);
    one->sender_lives_on = one->found->facts.later.lives_on != 0;
}

void cases_close(case_book *book)
{
    for (unsigned i = 0; i < book->opened->len; i++) {
        note_outcome(book, g_ptr_array_index(book->opened, i));
        close_case(g_ptr_array_index(book->opened, i));
    }
    g_ptr_array_set_size(book->opened, 0);
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

case_book *cases_new(void)
{
    case_book *made = g_new0(case_book, 1);

    made->all = g_ptr_array_new_with_free_func(free_case);
    made->by_frame = g_ptr_array_new();
    made->opened = g_ptr_array_new();
    return made;
}

void cases_free(case_book *book)
{
    cases_close(book);
    g_ptr_array_free(book->by_frame, true);
    g_ptr_array_free(book->opened, true);
    g_ptr_array_free(book->all, true);
    g_free(book);
}

reset_findings *cases_begin(case_book *book, reset_case *one)
{
    one->found = g_new0(reset_findings, 1);
    g_ptr_array_add(book->opened, one);
    return one->found;
}

static uint64_t case_key(uint32_t frame, uint8_t layer)
{
    return (uint64_t)frame << 8 | layer;
}

/* The place of the first case in 'by_frame' that lies at a key or behind it. */
static unsigned find_place(const case_book *book, uint64_t key)
{
    unsigned low = 0, high = book->by_frame->len;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        const reset_case *there = g_ptr_array_index(book->by_frame, middle);

        if (case_key(there->frame, there->layer) < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static reset_case *case_at(const case_book *book, uint64_t key, unsigned at)
{
    reset_case *there = at < book->by_frame->len ? g_ptr_array_index(book->by_frame, at) : NULL;

    return there != NULL && case_key(there->frame, there->layer) == key ? there : NULL;
}

reset_case *cases_find(const case_book *book, uint32_t frame, uint8_t layer)
{
    uint64_t key = case_key(frame, layer);

    return case_at(book, key, find_place(book, key));
}

bool cases_list_answers(case_book *book, GArray *answers)
{
    bool have_changed = book->answers_changed;

    cases_close(book);
    book->answers_changed = false;
    if (!have_changed)
        return false;
    g_array_set_size(answers, 0);
    for (unsigned i = 0; i < book->by_frame->len; i++) {
        const reset_case *one = g_ptr_array_index(book->by_frame, i);

        if (one->trigger != 0) {
            reset_answer answer = {one->trigger, one->frame, one->layer};

            g_array_append_val(answers, answer);
        }
    }
    return true;
}

/* Frames come in order, so that nearly all are put at the end. */
static void put_by_frame(case_book *book, reset_case *one)
{
    uint64_t key = case_key(one->frame, one->layer);
    const reset_case *last =
        book->by_frame->len > 0 ? g_ptr_array_index(book->by_frame, book->by_frame->len - 1) : NULL;
    unsigned at =
        last == NULL || case_key(last->frame, last->layer) < key ? book->by_frame->len : find_place(book, key);

    if (case_at(book, key, at) != NULL)
        book->by_frame->pdata[at] = one;
    else
        g_ptr_array_insert(book->by_frame, (int)at, one);
}

reset_case *cases_make(case_book *book, const rstcause_segment *reset)
{
    reset_case *made = g_new0(reset_case, 1);

    made->frame = reset->frame;
    made->layer = reset->layer;
    g_ptr_array_add(book->all, made);
    put_by_frame(book, made);
    return made;
}

reset_case *cases_original(const case_book *book, uint32_t number)
{
    reset_case *found = g_ptr_array_index(book->all, number);

    while (found->copied != NULL)
        found = found->copied;
    return found;
}

void case_ask_again(reset_case *one)
{
    one->found->judgement = judgement_reach(&one->found->facts);
}
