/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be said of one reset before anybody judges it: the facts that the rules weigh. S is the endpoint whose
 * address is on the reset, P its peer.
 */
#ifndef RSTCAUSE_FACTS_H
#define RSTCAUSE_FACTS_H

#include "follow/connection.h"
#include "rstcause/stated.h"

typedef struct {
    const rstcause_segment *reset;
    const connection *connection;
    guint8 side;
    const endpoint *sender;   /* S */
    const endpoint *receiver; /* P */
    const rstcause_stated *stated;

    /* Form of the reset. */
    gboolean has_ack;
    gboolean at_next;    /* its sequence number is S's own next one */
    gboolean below_next; /* it lies below */
    gboolean above_next;
    gboolean has_no_context;      /* no segment but resets was seen of this connection */
    const recent_segment *copied; /* the packet that it copies, NULL where none */

    /* What it answers. */
    recent_segment *trigger;         /* of P, NULL where there is none that it can answer */
    gboolean trigger_fits_time;      /* the time since the trigger is that of an answer of S, as far as known */
    gboolean trigger_is_prompt;      /* ... and no busy host is needed to explain it */
    recent_segment *trigger_by_time; /* where the numbers tell none: what it may answer by the time alone */
    gboolean numbers_answer; /* its numbers are those of an answer that S could not have made as its own abort */

    /* History. */
    gboolean handshake_seen;     /* SYN and SYN/ACK, or S's or P's part of it */
    gboolean sender_opened;      /* S sent the SYN */
    gboolean sender_accepted;    /* S sent the SYN/ACK */
    gboolean sender_was_heard;   /* S is not in the capture, but P acknowledges what S sent in this connection */
    gboolean sender_closed;      /* S's FIN was seen */
    gboolean receiver_closed;    /* P's FIN was seen */
    gboolean receiver_fin_known; /* S can have had P's FIN when it sent the reset */
    gboolean closed_before;      /* both FINs were acknowledged before the trigger, or the reset where there is none */
    gboolean is_effective;
    gboolean is_exact;          /* it is where P expects the next segment: RFC 5961 lets no other reset pass at once */
    gboolean receiver_took_fin; /* P has S's FIN in when the reset reaches it, as far as the capture tells */
    gboolean was_reset;         /* an effective reset came before, which S or P had seen when this one was sent */
    gboolean crossed;           /* an effective reset came before, but on the way */

    gint64 silence;     /* nanoseconds from the last segment of either side to the reset; 0 unknown */
    gint64 trigger_age; /* nanoseconds from trigger to reset */
    guint32 unread;     /* bytes of P that S acknowledged or got after S's application last spoke */
    guint32 pending;    /* bytes of S that P had not acknowledged */
    gboolean has_data_lost;
    guint32 data_lost;
    host_stack stack; /* S's */

    /* Handwriting. */
    gboolean ttl_differs; /* from every segment of S in this connection */
    gint ttl_distance;
    gint64
        since_spoke; /* nanoseconds from S's last segment to the trigger, or to the reset; -1 where it has not spoken */
    gboolean ip_id_continues; /* the next one of S's counter */
    gboolean is_own_form;     /* it claims to be S's own doing: it has the ACK flag and answers nothing, or nothing
                                 that it could answer is there while the capture holds both directions */
    gboolean has_counterpart; /* P's side was reset within a millisecond too */
} reset_facts;

/* Gathers the facts. 'connection' must hold all segments before the reset, and not yet the reset itself. */
void facts_gather(reset_facts *facts, const connection *connection, guint8 side, const rstcause_segment *reset,
                  const rstcause_stated *stated);

#endif
