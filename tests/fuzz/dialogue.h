/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the packets of some connections. Numbers are named by what they mean in the dialogue (the own next one, the
 * ACK number of the peer's latest segment but two, and how far from there), so that inputs which are changed a little are
 * dialogues still: handshakes, data, FINs, answers, timers that run out, forgeries.
 *
 * An input is a header (dialogue_header) and records of 16 bytes, one for each segment; what is left over is not used.
 * Knows formats, and nothing of how the engine judges.
 */
#ifndef DIALOGUE_H
#define DIALOGUE_H

#include "rstcause/segment.h"

/* Connections of an input. The first four and the last four are two worlds that have no address in common. */
enum { DIALOGUE_CONNECTIONS = 8, DIALOGUE_WORLD = 4, DIALOGUE_WORLDS = DIALOGUE_CONNECTIONS / DIALOGUE_WORLD };

enum { DIALOGUE_OF_CONNECTION = 3, DIALOGUE_HEADER = 1 + DIALOGUE_CONNECTIONS * DIALOGUE_OF_CONNECTION };

/* Of the header. The first byte says when the capture begins: a dialogue_beginning. */
typedef enum { BEGIN_TODAY, BEGIN_1970, BEGIN_2106, BEGIN_AT_THE_END, BEGINNINGS } dialogue_beginning;

/* Then, for each connection: its stacks (the client's in the lower four bits); the family (1 for IPv6), two bits for each
 * ISN, and three bits for the service's port; how many hops each side is away. */
typedef enum {
    AS_LINUX,
    AS_LINUX_WITHOUT_TIMESTAMPS,
    AS_WINDOWS,
    AS_DARWIN,
    AS_SCANNER, /* MSS only */
    AS_LWIP,
    AS_STACKS
} dialogue_stack;

typedef enum { ISN_ANY, ISN_BEFORE_WRAP, ISN_ZERO, ISN_HALF } dialogue_isn;

/* Of a record: the bytes that have a place of their own. */
enum {
    RECORD_WHO,          /* connection, side, interface, and how it comes (below) */
    RECORD_FLAGS,        /* TCP's */
    RECORD_NUMBERS,      /* dialogue_number of the sequence number, and of the ACK number in the upper four bits */
    RECORD_BACK,         /* which of the latest 16 segments they mean, 0 the newest; of a copy: which packet */
    RECORD_SEQUENCE,     /* two bytes, signed: added to the sequence number */
    RECORD_ACK = 6,      /* one byte, signed: added to the ACK number */
    RECORD_LENGTH,       /* two bytes: of the payload */
    RECORD_TIME = 9,     /* two bytes: since the packet before; see dialogue_pass() */
    RECORD_NETWORK = 11, /* TTL less than usual, IP ID, DF */
    RECORD_OPTIONS,      /* dialogue_options, and a number for them */
    RECORD_WORDS,        /* which payload the capture holds, 0 none */
    RECORD_WINDOW,
    RECORD_DAMAGE, /* dialogue_damage, and a number for it */
    DIALOGUE_RECORD
};

/* In the byte RECORD_WHO. */
enum { WHO_CONNECTION = 7, WHO_SIDE = 8, WHO_INTERFACE = 0x30, WHO_IS_INNER = 0x40, WHO_IS_COPY = 0x80 };

/* What a number is counted from. With NUMBER_FAR what is added counts 65,536 each. */
typedef enum {
    NUMBER_NEXT, /* of the side whose number it is: the sender's for a sequence number, the peer's for an ACK number */
    NUMBER_ISN,
    NUMBER_ANSWER,      /* sequence: the ACK number of a segment of the peer; ACK: the end of one */
    NUMBER_BEFORE_NEXT, /* as a keep-alive probe has it */
    NUMBER_REPEAT,      /* sequence: that of an own segment; ACK: that of the own latest ACK */
    NUMBER_ZERO,        /* on the wire */
    NUMBER_HALF,        /* half the sequence space from the next one, where "before" becomes "after" */
    NUMBER_OF_OTHER,    /* sequence: what the peer acknowledged; ACK: the own sequence number */
    NUMBER_FAR = 8
} dialogue_number;

/* In the byte RECORD_NETWORK. */
enum { NETWORK_TTL = 15, NETWORK_ID = 0x30, NETWORK_HAS_NO_DF = 0x40, NETWORK_IS_KERNEL = 0x80 };
typedef enum { ID_NEXT, ID_ZERO, ID_ANY, ID_JUMPS } dialogue_id;

typedef enum {
    OPTIONS_OF_STACK, /* timestamps where the stack has them; a SYN's own */
    OPTIONS_NONE,
    OPTIONS_OLD_CLOCK,
    OPTIONS_FASTCLOSE,
    OPTIONS_TCPRST,
    OPTIONS_ODD,
    OPTIONS_KINDS
} dialogue_options;

typedef enum {
    DAMAGE_NONE,
    DAMAGE_CUT,      /* the capture ends after so many bytes */
    DAMAGE_NO_TOTAL, /* the IP header says no length (TSO) */
    DAMAGE_TOTAL,    /* ... or a wrong one */
    DAMAGE_FRAGMENT,
    DAMAGE_BYTE,   /* a byte of the TCP header is another */
    DAMAGE_OFFSET, /* the data offset lies */
    DAMAGES
} dialogue_damage;

/* One packet as the capture holds it. */
typedef struct {
    uint32_t frame;
    uint8_t layer;
    uint8_t connection;
    bool is_copy;
    uint32_t capture_interface;
    int64_t time;
    size_t to_tcp, captured, reported; /* bytes; the reported ones without the IP header */
    uint8_t *bytes;                    /* owned; just as long as they are captured */
} dialogue_packet;

/* The packets of an input: dialogue_packet *, at least none. Free with g_ptr_array_unref(). */
GPtrArray *dialogue_read(const uint8_t *data, size_t size);

/* Reads a packet as the glue does; it must outlive the segment. false where the engine takes it for no segment. */
bool dialogue_segment(rstcause_segment *segment, const dialogue_packet *packet);

/* The time of the next packet, from 0 to 2^62. 'code' is a number in the lower twelve bits: microseconds times 4^n in the
 * upper four, where n is below 13; then steps back of 10 us and of 10 ms each, and jumps. */
int64_t dialogue_pass(int64_t time, uint16_t code);

#endif
