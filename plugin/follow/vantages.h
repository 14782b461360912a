/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The places of a capture that was taken on several interfaces. A capture of both ends is two captures: each place has a
 * record of its own of a connection, so that copies and the delays of the other end disturb none. But where a connection
 * goes over several links of one host each interface sees a part of it only, and they share a record. What tells them
 * apart: two places on one path see the same packets. Knows no cause.
 */
#ifndef RSTCAUSE_VANTAGES_H
#define RSTCAUSE_VANTAGES_H

#include "connection.h"

/* Interfaces from the eighth on count as one place. */
enum { MOST_VANTAGES = 8 };

/* Clocks of two hosts that keep time differ by less, and no path takes as long. */
extern const int64_t vantages_clocks_apart;

typedef struct vantages vantages;

/* 'connections' is a set of connection_record by port_pair; both are borrowed. */
vantages *vantages_new(record_pool *pool, GHashTable *connections);
void vantages_free(vantages *all);

/* The place of a segment, which is the latest there: 0 for the first interface of the file, and for all of an ordinary
 * one. */
uint32_t vantages_find(vantages *all, const rstcause_segment *segment);

/* There is more than one. */
bool vantages_are_several(const vantages *all);

/* The latest segment at a place, of whatever connection. */
void vantages_find_latest(const vantages *all, uint32_t vantage, uint32_t *frame, int64_t *time);

/* A record was made for this segment: does it see a connection from another place, or a part of one? */
void vantages_relate(vantages *all, connection_record *made, uint8_t side, const rstcause_segment *segment);

/* This record is about to be forgotten. What its place sees of the connection later is incomplete, where another place
 * remembers it. */
void vantages_forget(vantages *all, const connection_record *record);

/* The record that takes in the segments of this one: itself, but for those that see a part of a connection only. */
const connection_record *vantages_holder(const vantages *all, const connection_record *record);

/* The record that is to take in this segment, of which 'record' has the port pair and the place. */
connection_record *vantages_settle(vantages *all, connection_record *record, uint8_t side,
                                   const rstcause_segment *segment);

/* The records of one connection at its places form a ring: the next in it, NULL where there is none but this one. */
connection_record *vantages_next(const vantages *all, const connection_record *record);

/* Somebody between these two places writes IP IDs anew. */
bool vantages_rewrite_ids(const vantages *all, const connection_record *one, const connection_record *other);

#endif
