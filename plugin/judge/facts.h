/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be said of one reset before anybody judges it, and what later segments add. The facts are kept as long as
 * the tracker, so that the same table can be asked again; they hold copies, no pointer into a connection. S is the
 * endpoint whose address is on the reset, P its peer.
 */
#ifndef RSTCAUSE_FACTS_H
#define RSTCAUSE_FACTS_H

#include "follow/connection.h"
#include "rstcause/stated.h"

/* What came after the reset in the capture; frames, 0 where nothing of the kind came. */
typedef struct {
    uint32_t sender_continues;  /* S goes on as if it had sent no reset */
    uint32_t trigger_missed;    /* S goes on, long after, without what the reset answers: that never reached it */
    uint32_t lives_on;          /* S goes on, as it may after such a reset: it has the connection */
    uint32_t counted_by_sender; /* ... and its counter of IP IDs has counted the reset among its own */
    uint32_t accepted;          /* S's SYN/ACK to the SYN that this reset refused */
    uint32_t forged_sibling;    /* a reset in S's name that belongs to this one was proven forged */
    uint32_t counterpart;       /* a reset of the other direction at the same moment */
    bool counterpart_is_forged;
    uint32_t listener_sibling; /* another connection to the same port, never used, that was reset at the same moment */
    bool port_goes_on;         /* ... but the port accepted again afterwards */
    bool other_code_of_reset;  /* the host wrote another NetScaler code into another reset */
    uint8_t host_ttl;          /* the TTL of the host's other segments, where none had come before; 0 unknown */
    uint32_t absent_at_sender; /* the latest segment that S's own end of the capture holds, while it lacks this reset */
    bool is_absence_proven;    /* ... and that came later than the reset would have */
    bool is_present_at_sender; /* S's own end of the capture holds it */
} later_facts;

typedef struct {
    rstcause_segment reset;            /* options and payload are not kept */
    uint8_t side;                      /* S's side of the connection */
    connection connection;             /* as it was; what it points to but hosts is not kept */
    const endpoint *sender, *receiver; /* of 'connection' */

    /* What S states. The text is owned. */
    rstcause_stated stated;
    const char *reset_code; /* NetScaler's name of the window, NULL where it has none. Static. */

    /* Form of the reset. */
    bool has_ack;
    bool at_next;    /* its sequence number is S's own next one */
    bool below_next; /* it lies below */
    bool above_next;
    bool has_no_context; /* no segment but resets was seen of this connection */

    /* What it answers. */
    bool has_trigger;
    recent_segment trigger;        /* of P */
    bool trigger_fits_time;        /* the time since the trigger is that of an answer of S, as far as known */
    bool trigger_is_prompt;        /* ... and no busy host is needed to explain it */
    bool trigger_is_very_early;    /* in less than half of the shortest time in which S ever answered */
    bool trigger_is_out_of_window; /* all of it was old, or it lies beyond what S let in: who has the connection only
                                      acknowledges it (RFC 9293 section 3.10.7.4) */
    bool has_trigger_by_time;      /* where the numbers tell none: 'trigger_by_time' may be it by the time alone */
    recent_segment trigger_by_time;
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
    bool is_exact;            /* it is where P expects the next segment: RFC 5961 lets no other reset pass at once */
    bool receiver_took_fin;   /* P has S's FIN in when the reset reaches it, as far as the capture tells */
    bool was_reset;           /* an effective reset came before, which S or P had seen when this one was sent */
    bool crossed;             /* an effective reset came before, but on the way */
    bool was_assassinated;    /* S sent something old after both had closed, which P's TIME-WAIT acknowledged */
    bool reopens;             /* S's last word in the open connection was its SYN again */
    bool number_is_known;     /* without a trigger: P sent a segment with its number, which S seems to have taken in */
    bool look_back_is_short;  /* P sent more than is kept: the trigger may be among what is not */
    bool last_word_was_probe; /* S's latest segment was a keep-alive probe, whether it was answered or not */
    uint32_t earlier_resets;  /* in S's name in this connection */

    int64_t silence;     /* nanoseconds from the last segment of either side to the reset; 0 unknown */
    int64_t trigger_age; /* nanoseconds from trigger to reset */
    int64_t
        since_spoke; /* nanoseconds from S's last segment to the trigger, or to the reset, at least 0; -1 where it has not spoken */
    uint32_t pending;        /* bytes of S that P had not acknowledged */
    bool left_unanswered;    /* S had taken in all that the client asked for, and answered nothing since */
    bool trigger_is_goodbye; /* the trigger is a TLS alert: its sender wants nothing more */
    bool has_data_lost;
    uint32_t data_lost;
    host_stack stack; /* S's */

    /* What S's host had shown by then, over all its connections. */
    uint8_t host_ttl; /* 0 where nothing */
    bool host_ttl_varies;
    uint32_t host_ttl_seen; /* segments that showed it */
    uint32_t host_probes;   /* connections that it opened without bringing one about */

    bool ip_id_continues; /* the next one of S's counter */
    bool clock_continues; /* its timestamp is what S's clock shows by now */

    later_facts later;
} reset_facts;

/*
 * Gathers the facts of a reset. 'connection' must hold all segments before the reset, and not yet the reset itself. Takes
 * over the text of 'stated'. Clear with facts_clear().
 */
void facts_gather(reset_facts *facts, const connection *connection, uint8_t side, const rstcause_segment *reset,
                  const rstcause_stated *stated);

/* The segment that the reset answers came behind it in the capture. */
void facts_put_trigger(reset_facts *facts, const rstcause_segment *trigger);

/* Sets 'sender' and 'receiver'; to be called on a copy. */
void facts_name_ends(reset_facts *facts);

void facts_clear(reset_facts *facts);

#endif
