/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The places of a capture that was taken on several interfaces. See vantages.h. */
#include "vantages.h"

#include "record.h"
#include "units.h"

const int64_t vantages_clocks_apart = SECOND;

typedef struct {
    uint32_t capture_interface;
    uint32_t latest_frame;
    int64_t latest_time;
    uint8_t on_one_path;  /* a bit for each place that has seen the same packet */
    uint8_t rewrites_ids; /* ... with another IP ID */
} one_vantage;

struct vantages {
    one_vantage at[MOST_VANTAGES]; /* in the order in which they were met */
    unsigned count;
    record_pool *pool;
    GHashTable *connections;
    GHashTable *holders; /* of a record that would hold a part of a connection only: the one that holds all */
    GHashTable *parts;   /* the other way round */
    GHashTable *rings;   /* record to the next in its ring */
    GHashTable *left;    /* set of records whose ring has lost another */
};

vantages *vantages_new(record_pool *pool, GHashTable *connections)
{
    vantages *made = g_new0(vantages, 1);

    made->pool = pool;
    made->connections = connections;
    made->holders = g_hash_table_new(NULL, NULL);
    made->parts = g_hash_table_new(NULL, NULL);
    made->rings = g_hash_table_new(NULL, NULL);
    made->left = g_hash_table_new(NULL, NULL);
    return made;
}

void vantages_free(vantages *all)
{
    g_hash_table_destroy(all->holders);
    g_hash_table_destroy(all->parts);
    g_hash_table_destroy(all->rings);
    g_hash_table_destroy(all->left);
    g_free(all);
}

static uint32_t find_vantage(vantages *all, uint32_t capture_interface)
{
    for (unsigned i = 0; i < all->count; i++) {
        if (all->at[i].capture_interface == capture_interface)
            return i;
    }
    if (all->count == MOST_VANTAGES)
        return MOST_VANTAGES - 1;
    all->at[all->count].capture_interface = capture_interface;
    return all->count++;
}

uint32_t vantages_find(vantages *all, const rstcause_segment *segment)
{
    uint32_t vantage = find_vantage(all, segment->capture_interface);

    if (segment->time >= all->at[vantage].latest_time) {
        all->at[vantage].latest_time = segment->time;
        all->at[vantage].latest_frame = segment->frame;
    }
    return vantage;
}

bool vantages_are_several(const vantages *all)
{
    return all->count > 1;
}

void vantages_find_latest(const vantages *all, uint32_t vantage, uint32_t *frame, int64_t *time)
{
    *frame = all->at[vantage].latest_frame;
    *time = all->at[vantage].latest_time;
}

connection_record *vantages_next(const vantages *all, const connection_record *record)
{
    return g_hash_table_lookup(all->rings, record);
}

bool vantages_rewrite_ids(const vantages *all, const connection_record *one, const connection_record *other)
{
    return (all->at[one->pair.vantage].rewrites_ids >> other->pair.vantage & 1) != 0;
}

typedef enum { HOLDS_NOT, HOLDS_WITH_OTHER_ID, HOLDS_SAME } sameness;

static sameness compare(vantages *all, connection_record *record, uint8_t side, const rstcause_segment *segment)
{
    connection unfolded;
    recent_room room[2];
    const recent_segments *recent;
    const recent_segment *same;

    connection_unfold(all->pool, record, &unfolded, room);
    recent = &unfolded.ends[side].recent;
    if (recent_find_same(recent, segment, false, vantages_clocks_apart, NULL) != NULL)
        return HOLDS_SAME;
    /* A clock, and the hops that lie between, stand for the IP ID. */
    same = segment->has_timestamps ? recent_find_same(recent, segment, true, vantages_clocks_apart, NULL) : NULL;
    return same != NULL && same->ttl != segment->ttl ? HOLDS_WITH_OTHER_ID : HOLDS_NOT;
}

static void note_path(vantages *all, uint32_t one, uint32_t other, sameness how)
{
    all->at[one].on_one_path |= (uint8_t)(1 << other);
    all->at[other].on_one_path |= (uint8_t)(1 << one);
    if (how == HOLDS_WITH_OTHER_ID) {
        all->at[one].rewrites_ids |= (uint8_t)(1 << other);
        all->at[other].rewrites_ids |= (uint8_t)(1 << one);
    }
}

static void put_in_ring(vantages *all, connection_record *made, connection_record *other)
{
    connection_record *next = g_hash_table_lookup(all->rings, other);

    g_hash_table_insert(all->rings, made, next != NULL ? next : other);
    g_hash_table_insert(all->rings, other, made);
}

void vantages_relate(vantages *all, connection_record *made, uint8_t side, const rstcause_segment *segment)
{
    connection_record *on_path = NULL, *other = NULL;
    port_pair pair = made->pair;
    const uint32_t own = pair.vantage;

    for (pair.vantage = 0; pair.vantage < all->count; pair.vantage++) {
        connection_record *found = pair.vantage != own ? g_hash_table_lookup(all->connections, &pair) : NULL;
        sameness how;

        if (found == NULL || g_hash_table_contains(all->holders, found))
            continue;
        how = compare(all, found, side, segment);
        if (how != HOLDS_NOT)
            note_path(all, own, pair.vantage, how);
        if ((all->at[own].on_one_path >> pair.vantage & 1) != 0)
            on_path = found;
        else
            other = found;
    }
    if (on_path != NULL) {
        put_in_ring(all, made, on_path);
        made->is_incomplete = g_hash_table_contains(all->left, on_path) != 0;
    } else if (other != NULL) {
        g_hash_table_insert(all->holders, made, other);
        g_hash_table_insert(all->parts, other, made);
    }
}

static void leave_ring(vantages *all, const connection_record *record)
{
    connection_record *next = g_hash_table_lookup(all->rings, record), *before = next;

    if (next == NULL)
        return;
    g_hash_table_add(all->left, before);
    while (g_hash_table_lookup(all->rings, before) != record) {
        before = g_hash_table_lookup(all->rings, before);
        g_hash_table_add(all->left, before);
    }
    g_hash_table_remove(all->rings, record);
    if (before == next)
        g_hash_table_remove(all->rings, before);
    else
        g_hash_table_insert(all->rings, before, next);
}

/* It holds parts, of which 'parts' knows the latest. */
static void leave_parts(vantages *all, const connection_record *record)
{
    port_pair pair = record->pair;

    for (pair.vantage = 0; pair.vantage < all->count; pair.vantage++) {
        const connection_record *part = g_hash_table_lookup(all->connections, &pair);

        if (part != NULL && g_hash_table_lookup(all->holders, part) == record)
            g_hash_table_remove(all->holders, part);
    }
    g_hash_table_remove(all->parts, record);
}

static void leave_holder(vantages *all, const connection_record *record)
{
    const connection_record *holder = g_hash_table_lookup(all->holders, record);

    if (holder == NULL)
        return;
    if (g_hash_table_lookup(all->parts, holder) == record)
        g_hash_table_remove(all->parts, holder);
    g_hash_table_remove(all->holders, record);
}

void vantages_forget(vantages *all, const connection_record *record)
{
    if (!vantages_are_several(all))
        return;
    leave_ring(all, record);
    leave_parts(all, record);
    leave_holder(all, record);
    g_hash_table_remove(all->left, record);
}

const connection_record *vantages_holder(const vantages *all, const connection_record *record)
{
    const connection_record *holder = vantages_are_several(all) ? g_hash_table_lookup(all->holders, record) : NULL;

    return holder != NULL ? holder : record;
}

/* A host that sends a segment again, over another of its links, gives it another IP ID or time. */
static bool is_unmistakable(const rstcause_segment *segment)
{
    return (segment->has_ip_id && segment->ip_id != 0) || segment->has_timestamps;
}

/* They were taken for two links of one host, and a packet that both have seen shows that they are two places: the capture
 * of one began later, or a segment was lost before it came there. */
static bool come_apart(vantages *all, connection_record *holder, connection_record *part, uint8_t side,
                       const rstcause_segment *segment)
{
    sameness how = is_unmistakable(segment) ? compare(all, holder, side, segment) : HOLDS_NOT;

    if (how == HOLDS_NOT)
        return false;
    g_hash_table_remove(all->holders, part);
    g_hash_table_remove(all->parts, holder);
    note_path(all, holder->pair.vantage, part->pair.vantage, how);
    put_in_ring(all, part, holder);
    return true;
}

connection_record *vantages_settle(vantages *all, connection_record *record, uint8_t side,
                                   const rstcause_segment *segment)
{
    connection_record *holder = g_hash_table_lookup(all->holders, record);
    connection_record *part = holder != NULL ? record : g_hash_table_lookup(all->parts, record);

    if (holder == NULL)
        holder = record;
    return part == NULL || come_apart(all, holder, part, side, segment) ? record : holder;
}
