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
    uint8_t side;
    const endpoint *sender;   /* S */
    const endpoint *receiver; /* P */
    const rstcause_stated *stated;

    /* Form of the reset. */
    bool has_ack;
    bool at_next;    /* its sequence number is S's own next one */
    bool below_next; /* it lies below */
    bool above_next;
    bool has_no_context;          /* no segment but resets was seen of this connection */
    const recent_segment *copied; /* the packet that it copies, NULL where none */

    /* What it answers. */
    const recent_segment *trigger;         /* of P, NULL where there is none that it can answer */
    bool trigger_fits_time;                /* the time since the trigger is that of an answer of S, as far as known */
    bool trigger_is_prompt;                /* ... and no busy host is needed to explain it */
    const recent_segment *trigger_by_time; /* where the numbers tell none: what it may answer by the time alone */
    bool numbers_answer; /* its numbers are those of an answer that S could not have made as its own abort */

    /* History. */
    bool handshake_seen;     /* SYN and SYN/ACK, or S's or P's part of it */
    bool sender_opened;      /* S sent the SYN */
    bool sender_accepted;    /* S sent the SYN/ACK */
    bool sender_was_heard;   /* S is not in the capture, but P acknowledges what S sent in this connection */
    bool sender_closed;      /* S's FIN was seen */
    bool receiver_closed;    /* P's FIN was seen */
    bool receiver_fin_known; /* S can have had P's FIN when it sent the reset */
    bool closed_before;      /* both FINs were acknowledged before the trigger, or the reset where there is none */
    bool is_effective;
    bool is_exact;          /* it is where P expects the next segment: RFC 5961 lets no other reset pass at once */
    bool receiver_took_fin; /* P has S's FIN in when the reset reaches it, as far as the capture tells */
    bool was_reset;         /* an effective reset came before, which S or P had seen when this one was sent */
    bool crossed;           /* an effective reset came before, but on the way */

    int64_t silence;     /* nanoseconds from the last segment of either side to the reset; 0 unknown */
    int64_t trigger_age; /* nanoseconds from trigger to reset */
    uint32_t unread;     /* bytes of P that S acknowledged or got after S's application last spoke */
    uint32_t pending;    /* bytes of S that P had not acknowledged */
    bool has_data_lost;
    uint32_t data_lost;
    host_stack stack; /* S's */

    /* Handwriting. */
    bool ttl_differs; /* from every segment of S in this connection */
    int ttl_distance;
    int64_t
        since_spoke; /* nanoseconds from S's last segment to the trigger, or to the reset; -1 where it has not spoken */
    bool ip_id_continues; /* the next one of S's counter */
    bool is_own_form;     /* it claims to be S's own doing: it has the ACK flag and answers nothing, or nothing
                                 that it could answer is there while the capture holds both directions */
    bool has_counterpart; /* P's side was reset within a millisecond too */
} reset_facts;

/* Gathers the facts. 'connection' must hold all segments before the reset, and not yet the reset itself. */
void facts_gather(reset_facts *facts, const connection *connection, uint8_t side, const rstcause_segment *reset,
                  const rstcause_stated *stated);

#endif
