/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups resets into incidents and keeps those in their order. See incidents.h. */
#include "incidents.h"

#include "follow/port_pair.h"

struct incidents {
    GHashTable *by_kind; /* set of incident, which the array owns */
    GPtrArray *ranked;
    incident_counts beyond;
};

static unsigned kind_hash(gconstpointer key)
{
    const incident *one = key;

    return address_hash(&one->address) ^
           ((unsigned)one->port << 16 | (unsigned)one->pattern << 8 | (unsigned)one->cause << 3 | one->sender);
}

static gboolean kind_equal(gconstpointer a, gconstpointer b)
{
    const incident *one = a, *other = b;

    return one->cause == other->cause && one->pattern == other->pattern && one->sender == other->sender &&
           one->port == other->port && address_equal(&one->address, &other->address);
}

static void incident_free(gpointer freed)
{
    incident *one = freed;

    g_array_unref(one->peers);
    g_free(one->service);
    g_free(one->explanation);
    g_free(one->advice);
    g_free(one);
}

incidents *incidents_new(void)
{
    incidents *all = g_new0(incidents, 1);

    all->by_kind = g_hash_table_new(kind_hash, kind_equal);
    all->ranked = g_ptr_array_new_with_free_func(incident_free);
    return all;
}

void incidents_free(incidents *all)
{
    if (all == NULL)
        return;
    g_hash_table_destroy(all->by_kind);
    g_ptr_array_unref(all->ranked);
    g_free(all);
}

void incidents_clear(incidents *all)
{
    g_hash_table_remove_all(all->by_kind);
    g_ptr_array_set_size(all->ranked, 0);
    all->beyond = (incident_counts){0};
}

static const rstcause_address *asked_address(const rstcause_verdict *verdict)
{
    return verdict->is_from_service ? &verdict->source : &verdict->destination;
}

static const rstcause_address *asking_address(const rstcause_verdict *verdict)
{
    return verdict->is_from_service ? &verdict->destination : &verdict->source;
}

static uint16_t asked_port(const rstcause_verdict *verdict)
{
    return verdict->is_from_service ? verdict->source_port : verdict->destination_port;
}

char *incident_name_service(const rstcause_verdict *verdict)
{
    const rstcause_address *address = asked_address(verdict);
    char text[RSTCAUSE_ADDRESS_TEXT];

    return g_strdup_printf(address->length == 16 ? "[%s]:%u" : "%s:%u", rstcause_address_text(address, text),
                           asked_port(verdict));
}

/* What the verdict has in common with the others of its incident. */
static incident kind_of(const rstcause_verdict *verdict)
{
    bool is_scan = verdict->pattern == RSTCAUSE_PORT_SCAN;

    return (incident){
        .cause = verdict->cause,
        .pattern = verdict->pattern,
        .sender = verdict->sender,
        .address = is_scan ? *asking_address(verdict) : *asked_address(verdict),
        .port = is_scan ? 0 : asked_port(verdict),
    };
}

static incident *begin_incident(incidents *all, const incident *kind, const rstcause_verdict *verdict)
{
    incident *begun = g_new0(incident, 1);

    *begun = *kind;
    begun->rank = begun->number = all->ranked->len;
    begun->peers = g_array_new(false, false, sizeof(rstcause_address));
    begun->service =
        kind->pattern == RSTCAUSE_PORT_SCAN ? g_strdup("many ports or hosts") : incident_name_service(verdict);
    begun->shortest_idle = begun->longest_idle = -1;
    begun->explanation = g_strdup(verdict->explanation);
    begun->advice = g_strdup(verdict->advice);
    g_ptr_array_add(all->ranked, begun);
    g_hash_table_add(all->by_kind, begun);
    return begun;
}

void incident_counts_add(incident_counts *sum, const incident_counts *other)
{
    if (sum->resets == 0) {
        *sum = *other;
        return;
    }
    if (other->resets == 0)
        return;
    sum->resets += other->resets;
    sum->harmful += other->harmful;
    sum->copies += other->copies;
    sum->first_frame = MIN(sum->first_frame, other->first_frame);
    sum->last_frame = MAX(sum->last_frame, other->last_frame);
    sum->first_time = MIN(sum->first_time, other->first_time);
    sum->last_time = MAX(sum->last_time, other->last_time);
}

static incident_counts count_one(const rstcause_verdict *verdict, int64_t time)
{
    return (incident_counts){
        .resets = 1,
        .harmful = rstcause_verdict_severity(verdict) >= RSTCAUSE_WARN,
        .copies = verdict->detail == RSTCAUSE_COPY,
        .first_frame = verdict->frame,
        .last_frame = verdict->frame,
        .first_time = time,
        .last_time = time,
    };
}

static void note_peer(incident *one, const rstcause_verdict *verdict)
{
    const rstcause_address *peer = asking_address(verdict);

    for (unsigned i = 0; i < one->peers->len; i++)
        if (address_equal(&g_array_index(one->peers, rstcause_address, i), peer))
            return;
    if (one->peers->len < MOST_PEERS)
        g_array_append_vals(one->peers, peer, 1);
    else
        one->more_peers = true;
}

static void note_idle(incident *one, int64_t idle)
{
    if (idle < 0)
        return;
    one->shortest_idle = one->shortest_idle < 0 ? idle : MIN(one->shortest_idle, idle);
    one->longest_idle = MAX(one->longest_idle, idle);
}

static bool comes_before(const incident *one, const incident *other)
{
    if (one->counts.harmful != other->counts.harmful)
        return one->counts.harmful > other->counts.harmful;
    if (one->counts.resets != other->counts.resets)
        return one->counts.resets > other->counts.resets;
    return one->number < other->number;
}

/* The rank that belongs to an incident which has grown; all others stand in order. */
static unsigned find_rank(const incidents *all, const incident *grown)
{
    unsigned low = 0, high = grown->rank;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (comes_before(grown, incidents_at(all, middle)))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static void move_to(incidents *all, incident *grown, unsigned rank)
{
    for (unsigned i = grown->rank; i > rank; i--) {
        incident *overtaken = g_ptr_array_index(all->ranked, i - 1);

        overtaken->rank = i;
        g_ptr_array_index(all->ranked, i) = overtaken;
    }
    grown->rank = rank;
    g_ptr_array_index(all->ranked, rank) = grown;
}

incident_ranks incidents_add(incidents *all, const rstcause_verdict *verdict, int64_t time)
{
    incident kind = kind_of(verdict);
    incident_counts counts = count_one(verdict, time);
    incident *found = g_hash_table_lookup(all->by_kind, &kind);
    incident_ranks changed;

    if (found == NULL && all->ranked->len >= MOST_INCIDENTS) {
        incident_counts_add(&all->beyond, &counts);
        return (incident_ranks){all->ranked->len, all->ranked->len};
    }
    if (found == NULL)
        found = begin_incident(all, &kind, verdict);
    incident_counts_add(&found->counts, &counts);
    found->worst = MAX(found->worst, rstcause_verdict_severity(verdict));
    note_peer(found, verdict);
    note_idle(found, verdict->idle);
    changed.last = found->rank;
    changed.first = find_rank(all, found);
    move_to(all, found, changed.first);
    return changed;
}

unsigned incidents_count(const incidents *all)
{
    return all->ranked->len;
}

const incident *incidents_at(const incidents *all, unsigned rank)
{
    return g_ptr_array_index(all->ranked, rank);
}

const incident_counts *incidents_beyond(const incidents *all)
{
    return &all->beyond;
}
