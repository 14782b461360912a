/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine says of one reset. The names behind the enums are the contract with every script and display
 * filter that reads the plugin's fields: they are added to, never renamed.
 */
#ifndef RSTCAUSE_VERDICT_H
#define RSTCAUSE_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include <glib.h>

#include "segment.h"

G_BEGIN_DECLS

typedef enum {
    RSTCAUSE_CLOSED_PORT,
    RSTCAUSE_ABORT,
    RSTCAUSE_HALF_OPEN,
    RSTCAUSE_TIME_WAIT,
    RSTCAUSE_DATA_AFTER_CLOSE,
    RSTCAUSE_ALREADY_RESET,
    RSTCAUSE_HANDSHAKE_ABANDONED,
    RSTCAUSE_HANDSHAKE_REJECTED,
    RSTCAUSE_UNACCEPTABLE_ACK,
    RSTCAUSE_KEEPALIVE_TIMEOUT,
    RSTCAUSE_RETRANSMISSION_TIMEOUT,
    RSTCAUSE_FIREWALL_REJECT,
    RSTCAUSE_INJECTED,
    RSTCAUSE_UNKNOWN,
    RSTCAUSE_CAUSES
} rstcause_cause;

typedef enum {
    RSTCAUSE_NO_DETAIL,
    RSTCAUSE_PROBE,
    RSTCAUSE_UNREAD_DATA,
    RSTCAUSE_LINGER,
    RSTCAUSE_AFTER_FIN,
    RSTCAUSE_IDLE,
    RSTCAUSE_PENDING_DATA,
    RSTCAUSE_FASTCLOSE,
    RSTCAUSE_LISTENER_CLOSED,
    RSTCAUSE_DATA,
    RSTCAUSE_KEEPALIVE_PROBE,
    RSTCAUSE_IDLE_EXPIRED,
    RSTCAUSE_RECONNECT,
    RSTCAUSE_LATE_SEGMENT,
    RSTCAUSE_ASSASSINATION,
    RSTCAUSE_PORT_REUSE,
    RSTCAUSE_ANSWERED_FIN,
    RSTCAUSE_ANSWERED_ACK,
    RSTCAUSE_SYN_SCAN,
    RSTCAUSE_LATE_SYN_ACK,
    RSTCAUSE_CANCELLED,
    RSTCAUSE_FORGED_TTL,
    RSTCAUSE_FORGED_IP_ID,
    RSTCAUSE_FORGED_FORM,
    RSTCAUSE_FORGED_SEQUENCE,
    RSTCAUSE_FORGED_TIMING,
    RSTCAUSE_SENDER_CONTINUES,
    RSTCAUSE_BOTH_DIRECTIONS,
    RSTCAUSE_ABSENT_AT_SENDER,
    RSTCAUSE_IDLE_TIMEOUT,
    RSTCAUSE_NO_CONTEXT,
    RSTCAUSE_CORRUPT_FLAGS,
    RSTCAUSE_COPY,
    RSTCAUSE_DETAILS
} rstcause_detail;

/* The situation that an engineer would name, where the capture shows it. */
typedef enum {
    RSTCAUSE_NO_PATTERN,
    RSTCAUSE_KEEP_ALIVE_RACE,
    RSTCAUSE_STALE_CONNECTION,
    RSTCAUSE_IDLE_FORGOTTEN,
    RSTCAUSE_IDLE_CLOSED,
    RSTCAUSE_LATE_CLOSE_NOTIFY,
    RSTCAUSE_EARLY_REPLY,
    RSTCAUSE_CANCELLED_DOWNLOAD,
    RSTCAUSE_REQUEST_UNANSWERED,
    RSTCAUSE_REFUSED_BY_TLS,
    RSTCAUSE_WRONG_PROTOCOL,
    RSTCAUSE_HEALTH_CHECK,
    RSTCAUSE_SLOW_READER,
    RSTCAUSE_STRAY_SEGMENT,
    RSTCAUSE_BACKLOG_OVERFLOW,
    RSTCAUSE_HOST_RESTARTED,
    RSTCAUSE_MASS_ABORT,
    RSTCAUSE_PORT_SCAN,
    RSTCAUSE_PATTERNS
} rstcause_pattern;

/* How well the capture proves the verdict: certain where it admits no other reading. */
typedef enum { RSTCAUSE_POSSIBLE, RSTCAUSE_LIKELY, RSTCAUSE_CERTAIN } rstcause_confidence;

/* Who sent the reset: by who sent the SYN, from the ports only where no handshake was seen. */
typedef enum { RSTCAUSE_CLIENT, RSTCAUSE_SERVER, RSTCAUSE_THIRD_PARTY } rstcause_sender;

/* The names from the contract; never NULL, but for those of RSTCAUSE_NO_DETAIL and RSTCAUSE_NO_PATTERN. */
const char *rstcause_cause_name(rstcause_cause cause);
const char *rstcause_detail_name(rstcause_detail detail);
const char *rstcause_pattern_name(rstcause_pattern pattern);
const char *rstcause_confidence_name(rstcause_confidence confidence);
const char *rstcause_sender_name(rstcause_sender sender);

/* Owned by the tracker that gave it; all strings are UTF-8. */
typedef struct {
    uint32_t frame;   /* of the reset */
    const char *rule; /* the row of the table of causes that gave it; for tests and whoever reads along. Static. */
    rstcause_cause cause;
    rstcause_detail detail;
    rstcause_pattern pattern;
    rstcause_confidence confidence;
    rstcause_sender sender;
    uint32_t trigger;  /* frame of the segment that the reset answers, 0 where it answers none */
    uint32_t original; /* frame of the first effective reset or of the packet copied, 0 where neither */
    int64_t idle;      /* nanoseconds of silence before the event that led to the reset; negative where not known */
    bool effective;    /* the receiver could have accepted it */
    /* The two ends, as the reset names them: whoever forged it is in neither. */
    rstcause_address source, destination; /* of length 0 where it did not come in IP */
    uint16_t source_port, destination_port;
    bool is_from_service; /* the source is the service that was asked, the destination who asked */
    char *explanation;
    GPtrArray *evidence; /* of char *, at least one */
    GPtrArray
        *alternatives; /* of char *: a cause that the capture does not rule out, a colon, and why; none where certain */
    char *effect;      /* what the application of the receiver sees, and from which call */
    char *advice;      /* what to look at next, NULL where there is nothing to do */
    bool left_unanswered; /* the sender had taken a request in and answered nothing */
    bool met_goodbye;     /* it answers what its peer said in farewell only */
    bool has_data_lost;
    uint32_t data_lost;    /* bytes */
    uint32_t failure_code; /* 0 where the registry has none near */
    char *stated;          /* what the sender itself says, NULL where nothing; at most 255 bytes */
} rstcause_verdict;

G_END_DECLS

#endif
