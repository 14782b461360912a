/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps a record for each service, for each of its clients, and for each host that asks in vain. See neighbours.h. */
#include "neighbours.h"

#include <stdlib.h>
#include <string.h>

#include "follow/units.h"

/* A process that ends gives its sockets back in one loop; a busy system takes its time for each. */
static const int64_t ends_within = 20 * MILLISECOND;

/* A queue that is full stays so for a while; SYNs and ACKs are repeated after a second (RFC 6298 section 2.1). */
static const int64_t queue_full_within = 2 * SECOND;

/* Who waits for a service tries again after seconds. */
static const int64_t restart_within = 30 * SECOND;

/* A connection on which nothing was sent for so long was closed for its idleness, not in the middle of its work. */
static const int64_t idle_end_from = 3 * SECOND / 2;

/* A check goes as soon as it knows. */
static const int64_t longest_visit = SECOND;

struct neighbours {
    GHashTable *services, *clients; /* sets, by port_pair; owned */
    GHashTable *asking;             /* set of asking_host, by address; owned */
    GHashTable *stragglers;         /* frame of a reset to frame of the data that came too late for it */
    GHashTable *farewells;          /* ... and to that of a FIN */
    uint32_t wanting;               /* services that want to know of the connections around their resets */
};

neighbours *neighbours_new(void)
{
    neighbours *made = g_new0(neighbours, 1);

    made->services = g_hash_table_new_full(port_pair_hash, port_pair_equal, g_free, NULL);
    made->clients = g_hash_table_new_full(port_pair_hash, port_pair_equal, g_free, NULL);
    made->asking = g_hash_table_new_full(address_hash, address_equal, g_free, NULL);
    made->stragglers = g_hash_table_new(NULL, NULL);
    made->farewells = g_hash_table_new(NULL, NULL);
    return made;
}

void neighbours_free(neighbours *all)
{
    g_hash_table_destroy(all->services);
    g_hash_table_destroy(all->clients);
    g_hash_table_destroy(all->asking);
    g_hash_table_destroy(all->stragglers);
    g_hash_table_destroy(all->farewells);
    g_free(all);
}

/* Whose service, and whose visit: 'client' is nobody where all clients are meant. */
static const rstcause_address nobody;

static port_pair pair_of(const rstcause_address *server, uint16_t port, const rstcause_address *client)
{
    port_pair pair = {0};

    pair.addresses[0] = server;
    pair.addresses[1] = client;
    pair.ports[0] = port;
    return pair;
}

static const rstcause_address *address_of(const situation *s, bool of_client)
{
    bool is_sender = s->sender_is_client == of_client;

    return is_sender ? &s->facts->reset.source : &s->facts->reset.destination;
}

static service *open_service(neighbours *all, const rstcause_address *server, uint16_t port)
{
    const port_pair pair = pair_of(server, port, &nobody);
    service *found = g_hash_table_lookup(all->services, &pair);

    if (found != NULL || g_hash_table_size(all->services) >= MOST_SERVICES)
        return found;
    found = g_new0(service, 1);
    found->addresses[0] = *server;
    found->pair = pair_of(&found->addresses[0], port, &found->addresses[1]);
    g_hash_table_add(all->services, found);
    return found;
}

static service_client *open_client(neighbours *all, const situation *s)
{
    const rstcause_address *server = address_of(s, false), *client = address_of(s, true);
    const port_pair pair = pair_of(server, situation_service_port(s), client);
    service_client *found = g_hash_table_lookup(all->clients, &pair);

    if (found != NULL || g_hash_table_size(all->clients) >= MOST_CLIENTS)
        return found;
    found = g_new0(service_client, 1);
    found->addresses[0] = *server;
    found->addresses[1] = *client;
    found->pair = pair_of(&found->addresses[0], pair.ports[0], &found->addresses[1]);
    g_hash_table_add(all->clients, found);
    return found;
}

static asking_host *open_asking(neighbours *all, const rstcause_address *address)
{
    asking_host *found = g_hash_table_lookup(all->asking, address);

    if (found != NULL || g_hash_table_size(all->asking) >= MOST_ASKING)
        return found;
    found = g_new0(asking_host, 1);
    found->address = *address;
    g_hash_table_add(all->asking, found);
    return found;
}

void neighbours_note_silence(neighbours *all, const connection_outline *outline, int64_t silence, uint32_t frame)
{
    service *of = open_service(all, outline->server, outline->server_port);

    if (of == NULL || silence <= of->longest_survived)
        return;
    of->longest_survived = silence;
    of->survived_frame = frame;
}

static void note_loss(service *of, const situation *s)
{
    of->lost++;
    if (of->shortest_lost != 0 && of->shortest_lost <= s->idle)
        return;
    of->shortest_lost = s->idle;
    of->lost_frame = s->facts->reset.frame;
}

/* The same to the accuracy of timers: those of an application tick, and so do devices'. */
static int64_t slack_of(int64_t idle)
{
    return idle / 100 + 100 * MILLISECOND;
}

static bool is_like(const idle_end *end, int64_t idle)
{
    return idle >= end->longest - slack_of(idle) && idle <= end->shortest + slack_of(idle);
}

/* Connections that went idle at one moment, and were reset at one moment, count once. */
static bool is_of_its_own(const idle_end *end, int64_t idle, int64_t time)
{
    return time_between(time, end->last_time) > 2 * slack_of(idle);
}

static void note_idle_end(service *of, const situation *s)
{
    const reset_facts *f = s->facts;
    idle_end *free_place = NULL;

    for (unsigned i = 0; i < MOST_IDLE_ENDS; i++) {
        idle_end *end = &of->idle_ends[i];

        if (end->count == 0) {
            free_place = free_place != NULL ? free_place : end;
        } else if (end->of_client == s->sender_is_client && is_like(end, s->idle)) {
            if (!is_of_its_own(end, s->idle, f->reset.time))
                return;
            end->shortest = MIN(end->shortest, s->idle);
            end->longest = MAX(end->longest, s->idle);
            end->last_time = f->reset.time;
            end->count++;
            return;
        }
    }
    if (free_place != NULL)
        *free_place = (idle_end){s->idle, s->idle, f->reset.time, f->reset.frame, 1, s->sender_is_client};
}

bool neighbours_is_visit(const situation *s)
{
    const reset_facts *f = s->facts;
    const endpoint *client = f->sender;
    rstcause_cause cause = s->judgement->cause;

    return s->sender_is_client && (cause == RSTCAUSE_ABORT || cause == RSTCAUSE_HANDSHAKE_ABANDONED) &&
           f->sender_opened && client->bytes == 0 && f->receiver->bytes == 0 && f->receiver->syn_has_ack &&
           f->reset.time - client->syn_time <= longest_visit;
}

static void note_visit(neighbours *all, const situation *s)
{
    service_client *of = open_client(all, s);

    if (of != NULL)
        of->visits[of->visit_count++ % MOST_VISITS] = s->facts->reset.time;
}

/* ... by a close, or by a reset of its own. */
static void note_end(neighbours *all, const situation *s, service *of)
{
    const rstcause_segment *reset = &s->facts->reset;
    service_client *client = s->sender_is_client ? open_client(all, s) : NULL;

    /* What a listener had not handed over tells of the listener alone. */
    if (s->judgement->detail == RSTCAUSE_LISTENER_CLOSED) {
        if (of != NULL)
            bursts_add(&of->restarts, reset->time, reset->frame, restart_within);
        return;
    }
    if (client != NULL)
        bursts_add(&client->aborts, reset->time, reset->frame, ends_within);
    else if (of != NULL && !s->sender_is_client && s->judgement->cause == RSTCAUSE_ABORT)
        bursts_add(&of->aborts, reset->time, reset->frame, ends_within);
}

/* Who asked a port where nobody listens, or opened a connection only to see that it comes about. */
static void note_asking(neighbours *all, const situation *s)
{
    const reset_facts *f = s->facts;
    const endpoint *client = s->sender_is_client ? f->sender : f->receiver;
    asking_host *of = open_asking(all, address_of(s, true));

    if (of != NULL)
        scans_add(of, address_of(s, false), situation_service_port(s), f->reset.time, client->syn_is_bare);
}

/* Of services that are known anyway: a scan would make one of each port that nobody listens on. */
void neighbours_note_refusal(neighbours *all, const reset_case *one)
{
    const situation s = situation_look(one);
    const port_pair pair = pair_of(address_of(&s, false), situation_service_port(&s), &nobody);
    service *of = s.judgement->cause == RSTCAUSE_CLOSED_PORT ? g_hash_table_lookup(all->services, &pair) : NULL;
    const rstcause_segment *reset = &s.facts->reset;
    burst *refused;

    if (of == NULL)
        return;
    refused = &of->refused;
    if (refused->count++ == 0) {
        refused->first = refused->last = reset->time;
        refused->first_frame = reset->frame;
    }
    refused->first = MIN(refused->first, reset->time);
    refused->last = MAX(refused->last, reset->time);
    refused->last_frame = reset->frame;
}

static bool needs_service(rstcause_cause cause)
{
    return cause == RSTCAUSE_HALF_OPEN || cause == RSTCAUSE_ABORT || cause == RSTCAUSE_HANDSHAKE_REJECTED ||
           cause == RSTCAUSE_INJECTED || cause == RSTCAUSE_DATA_AFTER_CLOSE;
}

static void note_by_cause(neighbours *all, const situation *s)
{
    const rstcause_segment *reset = &s->facts->reset;
    rstcause_cause cause = s->judgement->cause;
    service *of = needs_service(cause) ? open_service(all, address_of(s, false), situation_service_port(s)) : NULL;

    switch (cause) {
    case RSTCAUSE_HALF_OPEN:
        if (of != NULL && s->idle >= situation_idle_from)
            note_loss(of, s);
        if (of != NULL && !s->sender_is_client)
            bursts_add(&of->restarts, reset->time, reset->frame, restart_within);
        break;
    case RSTCAUSE_ABORT:
    case RSTCAUSE_DATA_AFTER_CLOSE:
        note_end(all, s, of);
        break;
    case RSTCAUSE_HANDSHAKE_REJECTED:
        if (of != NULL)
            bursts_add(&of->rejected, reset->time, reset->frame, queue_full_within);
        break;
    case RSTCAUSE_CLOSED_PORT:
        note_asking(all, s);
        break;
    default:
        break;
    }
    if (of != NULL && s->idle >= idle_end_from && !s->awaits_reply &&
        (cause == RSTCAUSE_ABORT || cause == RSTCAUSE_INJECTED))
        note_idle_end(of, s);
}

/* Whether the service speaks TLS with others tells why it had no word for this client. */
static void note_silent_server(neighbours *all, const situation *s)
{
    service *of;

    if (s->sender_is_client || s->asked->bytes > 0 || s->asking->bytes == 0 ||
        s->asking->first_said == RSTCAUSE_BYTES_UNKNOWN)
        return;
    of = open_service(all, address_of(s, false), situation_service_port(s));
    if (of != NULL)
        of->was_asked_in_vain = true;
}

static void note_straggler(neighbours *all, const situation *s)
{
    const reset_facts *f = s->facts;
    gpointer original = GUINT_TO_POINTER(s->judgement->original), late = GUINT_TO_POINTER(f->trigger.frame);

    if (f->has_trigger && f->trigger.length > 0)
        g_hash_table_insert(all->stragglers, original, late);
    if (f->has_trigger && (f->trigger.flags & RSTCAUSE_FIN) != 0)
        g_hash_table_insert(all->farewells, original, late);
}

void neighbours_note_reset(neighbours *all, const reset_case *one)
{
    const situation s = situation_look(one);

    if (s.judgement->cause == RSTCAUSE_ALREADY_RESET) {
        note_straggler(all, &s);
        return;
    }
    note_by_cause(all, &s);
    note_silent_server(all, &s);
    if (neighbours_is_visit(&s)) {
        note_visit(all, &s);
        note_asking(all, &s);
    }
}

static void forget_resets_of(gpointer key, gpointer value, gpointer data)
{
    service *of = key;
    service kept = {.pair = of->pair, .longest_survived = of->longest_survived, .survived_frame = of->survived_frame};

    (void)value;
    (void)data;
    memcpy(kept.addresses, of->addresses, sizeof kept.addresses);
    *of = kept;
}

void neighbours_forget_resets(neighbours *all)
{
    g_hash_table_foreach(all->services, forget_resets_of, NULL);
    g_hash_table_remove_all(all->clients);
    g_hash_table_remove_all(all->asking);
    g_hash_table_remove_all(all->stragglers);
    g_hash_table_remove_all(all->farewells);
}

static bool wants_connections(const service *of)
{
    return of->refused.count > 0 || of->rejected.used > 0 || of->was_asked_in_vain;
}

static void note_around_refusals(service *of, int64_t accepted)
{
    if (accepted < of->refused.first)
        of->accepted_before = MAX(of->accepted_before, accepted);
    else if (accepted > of->refused.last)
        of->accepted_after = of->accepted_after == 0 ? accepted : MIN(of->accepted_after, accepted);
    else
        of->accepted_between = true;
}

/* A backend that is missing takes none; an accept queue that is full has been filled by some. */
static void note_around_rejections(service *of, const connection_outline *outline)
{
    for (unsigned i = 0; i < of->rejected.used; i++) {
        burst *one = &of->rejected.kept[i];

        if (outline->is_established && (!outline->has_resets || outline->server_bytes > 0) &&
            outline->accepted_time <= one->last && outline->last_time >= one->first - queue_full_within)
            one->others_were_taken = true;
    }
}

void neighbours_note_connection(neighbours *all, const connection_outline *outline)
{
    const port_pair pair = pair_of(outline->server, outline->server_port, &nobody);
    service *of = outline->accepted_time != 0 ? g_hash_table_lookup(all->services, &pair) : NULL;

    if (of == NULL || !wants_connections(of))
        return;
    if (of->refused.count > 0)
        note_around_refusals(of, outline->accepted_time);
    note_around_rejections(of, outline);
    of->speaks_tls |= outline->server_first_said == RSTCAUSE_TLS_RECORDS;
    of->speaks_http |= outline->server_first_said == RSTCAUSE_HTTP_RESPONSE;
    of->speaks_otherwise |=
        outline->server_bytes > 0 && !outline->has_resets && outline->client_first_said == RSTCAUSE_BYTES_UNKNOWN &&
        outline->server_first_said != RSTCAUSE_TLS_RECORDS && outline->server_first_said != RSTCAUSE_HTTP_RESPONSE;
}

bool neighbours_want_connections(const neighbours *all)
{
    GHashTableIter iter;
    gpointer of;

    g_hash_table_iter_init(&iter, all->services);
    while (g_hash_table_iter_next(&iter, &of, NULL))
        if (wants_connections(of))
            return true;
    return false;
}

void neighbours_look_around(const neighbours *all, situation *s)
{
    const rstcause_address *server = address_of(s, false), *client = address_of(s, true);
    const uint16_t port = situation_service_port(s);
    const port_pair of_service = pair_of(server, port, &nobody), of_client = pair_of(server, port, client);
    const asking_host *asking = g_hash_table_lookup(all->asking, client);

    s->service = g_hash_table_lookup(all->services, &of_service);
    s->client = g_hash_table_lookup(all->clients, &of_client);
    s->scan = asking != NULL ? scans_find(asking, server, port, s->facts->reset.time) : NULL;
    s->straggler = GPOINTER_TO_UINT(g_hash_table_lookup(all->stragglers, GUINT_TO_POINTER(s->facts->reset.frame)));
    s->farewell = GPOINTER_TO_UINT(g_hash_table_lookup(all->farewells, GUINT_TO_POINTER(s->facts->reset.frame)));
}

static int compare_times(const void *a, const void *b)
{
    int64_t one = *(const int64_t *)a, other = *(const int64_t *)b;

    return (one > other) - (one < other);
}

/* At least three visits, and three quarters of the gaps as long as the middle one: checks are spread a little on purpose,
 * and one may fail. */
int64_t neighbours_find_period(const service_client *client)
{
    static const int64_t shortest_period = 200 * MILLISECOND;
    int64_t times[MOST_VISITS], gaps[MOST_VISITS];
    unsigned count = MIN(client->visit_count, MOST_VISITS), like = 0;
    int64_t period;

    if (count < 3)
        return 0;
    memcpy(times, client->visits, sizeof times);
    qsort(times, count, sizeof times[0], compare_times);
    for (unsigned i = 0; i + 1 < count; i++)
        gaps[i] = times[i + 1] - times[i];
    qsort(gaps, count - 1, sizeof gaps[0], compare_times);
    period = gaps[(count - 1) / 2];
    for (unsigned i = 0; i + 1 < count; i++)
        like += time_between(gaps[i], period) <= period / 4;
    return period >= shortest_period && 4 * like >= 3 * (count - 1) ? period : 0;
}

const idle_end *neighbours_find_idle_end(const service *of, const situation *s)
{
    for (unsigned i = 0; i < MOST_IDLE_ENDS; i++) {
        const idle_end *end = &of->idle_ends[i];

        if (end->count > 0 && end->of_client == s->sender_is_client && s->idle >= end->shortest &&
            s->idle <= end->longest)
            return end;
    }
    return NULL;
}
