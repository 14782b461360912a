/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What other connections tell of a reset: silences that a service's connections survived or not, what was reset at the same
 * moment, who comes again and again. Knows no pattern and no words.
 *
 * Bounds: MOST_SERVICES services (an address and port that was asked) of 0.9 kB, MOST_CLIENTS clients of a service of 0.4 kB
 * and MOST_ASKING hosts that asked in vain of 0.6 kB: 12 MB at most. What comes behind them is not recorded, and gets no
 * pattern that needs more than one connection. Of a reset behind which data came too late a frame number is kept. The hashes
 * have a key (port_pair.h), so nobody can choose addresses that collide.
 */
#ifndef RSTCAUSE_NEIGHBOURS_H
#define RSTCAUSE_NEIGHBOURS_H

#include "bursts.h"
#include "follow/port_pair.h"
#include "scans.h"
#include "situation.h"

enum { MOST_SERVICES = 8192, MOST_CLIENTS = 8192, MOST_ASKING = 2048 };

/* Resets after like silences, each at another time. */
typedef struct {
    int64_t shortest, longest; /* nanoseconds */
    int64_t last_time;         /* of a reset that counted */
    uint32_t first_frame, count;
    bool of_client; /* who sent the resets */
} idle_end;

enum { MOST_IDLE_ENDS = 4 };

typedef struct service {
    port_pair pair; /* the service's address and port stand first; first, so that it is its own key */
    rstcause_address addresses[2];

    int64_t longest_survived; /* the longest silence after which both sides spoke; 0 where none */
    uint32_t survived_frame;

    /* Of resets. */
    int64_t shortest_lost; /* the shortest silence after which nobody knew the connection; 0 where none */
    uint32_t lost_frame, lost;
    idle_end idle_ends[MOST_IDLE_ENDS];
    burst_list aborts;      /* by the service */
    burst_list rejected;    /* handshakes that it did not take */
    burst_list restarts;    /* connections that it knew no more, listeners that were closed */
    burst refused;          /* all SYNs that nobody listened to */
    bool was_asked_in_vain; /* it had no word for a client that spoke TLS or HTTP */

    /* The connections around them; known when all has been seen. */
    int64_t accepted_before, accepted_after; /* the times of the SYN/ACKs next to 'refused'; 0 where none */
    bool accepted_between;
    bool speaks_tls, speaks_http;
    bool speaks_otherwise; /* in a dialogue that nobody reset, neither */
} service;

enum { MOST_VISITS = 8 };

/* One client of a service. */
typedef struct service_client {
    port_pair pair; /* the client's address stands second, without port */
    rstcause_address addresses[2];
    burst_list aborts;           /* by the client */
    int64_t visits[MOST_VISITS]; /* times of the latest connections without data that it reset at once */
    uint32_t visit_count;
} service_client;

typedef struct neighbours neighbours;

neighbours *neighbours_new(void);
void neighbours_free(neighbours *all);

/* A connection was silent for so long before this frame, and both sides have spoken since. */
void neighbours_note_silence(neighbours *all, const connection_outline *outline, int64_t silence, uint32_t frame);

/* A reset as it is judged by now. */
void neighbours_note_reset(neighbours *all, const reset_case *one);

/* ... and once more, when all resets have been noted: a refused SYN, which tells of a restart. */
void neighbours_note_refusal(neighbours *all, const reset_case *one);

/* All has been seen: what was noted of resets is forgotten, so that it can be noted anew as they are judged in the end. */
void neighbours_forget_resets(neighbours *all);

/* ... and a connection, which may be one of those around the resets. To be called when the resets have been noted. */
void neighbours_note_connection(neighbours *all, const connection_outline *outline);

/* Does any service want to know of the connections around its resets? */
bool neighbours_want_connections(const neighbours *all);

/* Puts in what was noted around this situation. Borrowed, valid until the next note. */
void neighbours_look_around(const neighbours *all, situation *s);

/* The time between a client's connections that it only opens and resets, in nanoseconds; 0 where it comes out of step. */
int64_t neighbours_find_period(const service_client *client);

/* The idle end that a silence of this length belongs to; NULL where none. */
const idle_end *neighbours_find_idle_end(const service *of, const situation *s);

/* A connection without data that its client reset as soon as it had come about, or was about to. */
bool neighbours_is_visit(const situation *s);

#endif
