/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See mutate.h. */
#include "mutate.h"

#include <string.h>

#include "dialogue.h"

typedef struct {
    uint8_t *data;
    size_t most, records; /* records that there may be, and that there are */
    uint32_t state;
} mutation;

/* xorshift32 (Marsaglia, 2003): nothing better is needed. */
static uint32_t draw(mutation *m, uint32_t bound)
{
    m->state ^= m->state << 13;
    m->state ^= m->state >> 17;
    m->state ^= m->state << 5;
    return m->state % bound;
}

static uint8_t *record_at(const mutation *m, size_t at)
{
    return m->data + DIALOGUE_HEADER + at * DIALOGUE_RECORD;
}

static uint8_t *any_record(mutation *m)
{
    return record_at(m, draw(m, (uint32_t)m->records));
}

/* Room for so many records before 'at'. false where there is none. */
static bool make_room(mutation *m, size_t at, size_t count)
{
    if (m->records + count > m->most)
        return false;
    memmove(record_at(m, at + count), record_at(m, at), (m->records - at) * DIALOGUE_RECORD);
    m->records += count;
    return true;
}

/* What a connection is made of, as who sends it (0 the client), flags, numbers, length, and the time before it. */
typedef struct {
    uint8_t side, flags, numbers;
    uint16_t length, time;
} usual_record;

enum {
    MILLISECONDS = 0x5000,
    MOMENT = 10,
    NUMBERS_OF_SYN = NUMBER_ISN,
    NUMBERS_OF_ANSWER = NUMBER_ANSWER | NUMBER_ANSWER << 4
};

static const usual_record usual[] = {
    {0, RSTCAUSE_SYN, NUMBERS_OF_SYN | NUMBER_ZERO << 4, 0, MILLISECONDS | 1},
    {1, RSTCAUSE_SYN | RSTCAUSE_ACK, NUMBERS_OF_SYN, 0, MILLISECONDS | 1},
    {0, RSTCAUSE_ACK, NUMBER_NEXT, 0, MOMENT},
    {0, RSTCAUSE_PSH | RSTCAUSE_ACK, NUMBER_NEXT, 100, MOMENT},
    {1, RSTCAUSE_ACK, NUMBER_NEXT, 0, MILLISECONDS | 1},
    {1, RSTCAUSE_PSH | RSTCAUSE_ACK, NUMBER_NEXT, 200, MOMENT},
    {0, RSTCAUSE_ACK, NUMBER_NEXT, 0, MILLISECONDS | 1},
    {1, RSTCAUSE_FIN | RSTCAUSE_ACK, NUMBER_NEXT, 0, MILLISECONDS | 100},
    {0, RSTCAUSE_ACK, NUMBER_NEXT, 0, MOMENT},
    {0, RSTCAUSE_FIN | RSTCAUSE_ACK, NUMBER_NEXT, 0, MOMENT},
    {1, RSTCAUSE_ACK, NUMBER_NEXT, 0, MILLISECONDS | 1},
    {1, RSTCAUSE_RST, NUMBERS_OF_ANSWER, 0, MILLISECONDS | 1},
    {1, RSTCAUSE_RST | RSTCAUSE_ACK, NUMBER_NEXT, 0, MOMENT},
    {1, RSTCAUSE_RST | RSTCAUSE_ACK, NUMBER_ZERO | NUMBER_ANSWER << 4, 0, MILLISECONDS | 1},
    {0, RSTCAUSE_ACK, NUMBER_BEFORE_NEXT, 0, 0x7fff},
    {0, RSTCAUSE_PSH | RSTCAUSE_ACK, NUMBER_REPEAT, 100, 0x6fff},
    {0, RSTCAUSE_RST, NUMBER_NEXT, 0, MOMENT},
};

enum { OF_HANDSHAKE = 3, OF_CONVERSATION = 7, OF_CONNECTION = 11 };

static void write_usual(uint8_t *record, uint8_t who, const usual_record *one)
{
    memset(record, 0, DIALOGUE_RECORD);
    record[RECORD_WHO] = (uint8_t)(who ^ (one->side != 0 ? WHO_SIDE : 0));
    record[RECORD_FLAGS] = one->flags;
    record[RECORD_NUMBERS] = one->numbers;
    record[RECORD_LENGTH] = (uint8_t)(one->length >> 8);
    record[RECORD_LENGTH + 1] = (uint8_t)one->length;
    record[RECORD_TIME] = (uint8_t)(one->time >> 8);
    record[RECORD_TIME + 1] = (uint8_t)one->time;
}

/* Some of what is usual, in its order, of any connection. */
static void insert_usual(mutation *m)
{
    static const unsigned scripts[] = {OF_HANDSHAKE, OF_CONVERSATION, OF_CONNECTION};
    bool is_script = draw(m, 3) == 0;
    unsigned first = is_script ? 0 : draw(m, G_N_ELEMENTS(usual));
    unsigned count = is_script ? scripts[draw(m, G_N_ELEMENTS(scripts))] : 1;
    size_t at = draw(m, (uint32_t)m->records + 1);
    uint8_t who = (uint8_t)draw(m, 2 * DIALOGUE_CONNECTIONS);

    if (m->records > 0 && !is_script)
        who = any_record(m)[RECORD_WHO] & (WHO_CONNECTION | WHO_SIDE | WHO_INTERFACE);
    if (!make_room(m, at, count))
        return;
    for (unsigned i = 0; i < count; i++)
        write_usual(record_at(m, at + i), who, &usual[first + i]);
}

enum { MOST_AT_ONCE = 16 };

/* How many records from 'at' on: few, for the most part. */
static size_t some_from(mutation *m, size_t at)
{
    size_t count = 1 + draw(m, draw(m, 4) == 0 ? MOST_AT_ONCE : 2);

    return MIN(count, m->records - at);
}

static void remove_records(mutation *m)
{
    size_t at = draw(m, (uint32_t)m->records), count = some_from(m, at);

    memmove(record_at(m, at), record_at(m, at + count), (m->records - at - count) * DIALOGUE_RECORD);
    m->records -= count;
}

static void repeat_records(mutation *m)
{
    size_t from = draw(m, (uint32_t)m->records), at = draw(m, (uint32_t)m->records + 1);
    uint8_t repeated[MOST_AT_ONCE * DIALOGUE_RECORD];
    size_t count = some_from(m, from);

    memcpy(repeated, record_at(m, from), count * DIALOGUE_RECORD);
    if (make_room(m, at, count))
        memcpy(record_at(m, at), repeated, count * DIALOGUE_RECORD);
}

static void swap_records(mutation *m)
{
    uint8_t *one = any_record(m), *other = any_record(m), kept[DIALOGUE_RECORD];

    memcpy(kept, one, sizeof kept);
    memmove(one, other, sizeof kept);
    memcpy(other, kept, sizeof kept);
}

static void change_byte(mutation *m)
{
    uint8_t *byte = any_record(m) + draw(m, DIALOGUE_RECORD);

    *byte = draw(m, 2) == 0 ? (uint8_t)draw(m, 256) : (uint8_t)(*byte ^ 1 << draw(m, 8));
}

/* All of a connection's records go to another one, or to another interface. */
static void change_connection(mutation *m)
{
    uint8_t mask = draw(m, 3) == 0 ? WHO_INTERFACE : WHO_CONNECTION;
    uint8_t from = any_record(m)[RECORD_WHO] & mask, to = (uint8_t)draw(m, 256) & mask;

    for (size_t i = 0; i < m->records; i++) {
        uint8_t *who = record_at(m, i) + RECORD_WHO;

        if ((*who & mask) == from)
            *who = (uint8_t)((*who & ~mask) | to);
    }
}

static void change_header(mutation *m)
{
    m->data[draw(m, DIALOGUE_HEADER)] = (uint8_t)draw(m, 256);
}

static void change_time(mutation *m)
{
    uint8_t *time = any_record(m) + RECORD_TIME;

    time[0] = (uint8_t)draw(m, 256);
    time[1] = (uint8_t)draw(m, 256);
}

size_t dialogue_mutate(uint8_t *data, size_t size, size_t most, uint32_t seed)
{
    static void (*const changes[])(mutation * m) = {remove_records, repeat_records,    swap_records, change_byte,
                                                    change_byte,    change_connection, change_time};
    mutation m = {.data = data, .state = seed * 2 + 1};

    if (most < DIALOGUE_HEADER)
        return size;
    if (size < DIALOGUE_HEADER)
        memset(data + size, 0, DIALOGUE_HEADER - size);
    else
        m.records = (size - DIALOGUE_HEADER) / DIALOGUE_RECORD;
    m.most = (most - DIALOGUE_HEADER) / DIALOGUE_RECORD;
    draw(&m, 1);
    for (unsigned count = 1 + draw(&m, 3); count > 0; count--) {
        unsigned choice = draw(&m, 16);

        if (choice < 4 || m.records == 0)
            insert_usual(&m);
        else if (choice == 4)
            change_header(&m);
        else
            changes[choice % G_N_ELEMENTS(changes)](&m);
    }
    return DIALOGUE_HEADER + m.records * DIALOGUE_RECORD;
}
