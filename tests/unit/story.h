/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells a tracker short stories: one line a packet, with numbers relative to the ISN as tcpdump and Wireshark show
 * them (the SYN is 0, the first byte of data 1), and asks what it says of each reset. Packets are made as bytes,
 * with the fingerprint of a stack, and read by the engine's own reader. Must not know how the engine judges.
 */
#ifndef STORY_H
#define STORY_H

#include "rstcause/tracker.h"

typedef enum { CLIENT, SERVER } story_side;

/* Whose fingerprint: options of the SYN, timestamps, IP IDs, TTL, form of resets. SCANNER sends raw SYNs with MSS only. */
typedef enum { LINUX, LINUX_WITHOUT_TIMESTAMPS, WINDOWS, WINDOWS_XP, DARWIN, SCANNER } story_stack;

typedef struct {
    story_stack stack;
    uint8_t address[16];
    uint16_t port;
    uint32_t isn;
    uint16_t ip_id;           /* the next of its counter */
    uint16_t window;          /* of its ordinary segments */
    uint8_t ttl;              /* as the capture sees its sockets' segments */
    uint32_t shown_timestamp; /* the latest; 0 before the first */
    uint8_t kernel_ttl;       /* as the capture sees what no socket of it sends */
} story_host;

typedef struct {
    rstcause_tracker *tracker;
    story_host hosts[2];
    bool is_ipv6;
    uint32_t capture_interface;
    int64_t held; /* milliseconds from when a packet is stamped by its sender's clock to when it is captured */
    bool may_be_fragmented;    /* the next packet: IPv4 without DF */
    rstcause_first_bytes said; /* by the next packet, in place of what its payload says */
    uint32_t frame;            /* of the latest packet, 0 before the first */
    int64_t time;              /* nanoseconds */
    GPtrArray *packets;        /* of GByteArray *, for copies; the first is frame 1 */
} story;

/* A story between 10.0.0.1:40000 and 10.0.0.2:80. End it with story_end(). */
story *story_begin(story_stack client, story_stack server);
void story_end(story *told);

void story_wait(story *told, double milliseconds);

/*
 * A packet of a socket. 'flags' are letters of tcpdump's: S F R P A. Returns its frame number. Each packet comes 10
 * microseconds after the one before, or after story_wait().
 */
uint32_t story_send(story *told, story_side from, const char *flags, uint32_t sequence, uint32_t acknowledgement,
                    uint32_t length);

/* The reset with which a kernel answers a segment that no socket takes, in the stack's own form. */
uint32_t story_answer(story *told, story_side from, const char *flags, uint32_t sequence, uint32_t acknowledgement);

/* The answer where nobody listens (RFC 9293 section 3.5.2 group 1): RST,ACK with sequence number 0 on the wire. */
uint32_t story_refuse(story *told, story_side from, uint32_t acknowledgement);

/* A reset that a third party sends in the name of a host: bare of options, with a TTL and an IP ID of its own. */
uint32_t story_forge(story *told, story_side name, const char *flags, uint32_t sequence, uint32_t acknowledgement,
                     uint8_t ttl, uint16_t ip_id);

/* The same packet in the capture again, 'hops' further on. */
uint32_t story_copy(story *told, uint32_t frame, uint8_t hops);

/* Like story_send(), with TCP options besides its own and a payload of text that the capture holds; both may be NULL. */
uint32_t story_send_with(story *told, story_side from, const char *flags, uint32_t sequence, uint32_t acknowledgement,
                         const uint8_t *options, size_t options_length, const char *payload);

/* SYN, SYN/ACK, ACK, with a round trip between: as captured at the client. */
void story_open(story *told, double round_trip);

/* Like story_open(), and a request of 100 bytes and a response of 200, acknowledged. The client stands at 101, the
 * server at 201. */
void story_converse(story *told, double round_trip);

/* The next connection of this port pair: another ISN on a side. */
void story_restart(story *told, story_side side, uint32_t isn);

#define STORY_ANY "*" /* a detail that the story leaves open */

/* What is left out must be absent from the verdict; a sender or confidence left out is not checked. */
typedef struct {
    const char *cause, *detail, *confidence, *sender;
    uint32_t trigger, original;
} story_expectation;

#define story_check(told, reset, ...) story_check_at(__FILE__, __LINE__, told, reset, (story_expectation){__VA_ARGS__})
void story_check_at(const char *file, int line, const story *told, uint32_t reset, story_expectation expected);

/* The verdict as it stands now; it stays until the next question. */
const rstcause_verdict *story_verdict(const story *told, uint32_t reset);

/* true where a line of evidence, the explanation or the effect contains the text. */
bool story_says(const story *told, uint32_t reset, const char *text);

/* Does the verdict name this cause as one that the capture does not rule out? */
bool story_has_alternative(const story *told, uint32_t reset, const char *cause);

/* The tests of one program; story_run() registers and runs them. */
typedef struct {
    const char *name;
    void (*run)(void);
} story_test;

int story_run(int argc, char **argv, const char *subject, const story_test *tests, size_t count);

#define STORY_MAIN(subject, tests)                                                                                     \
    int main(int argc, char **argv)                                                                                    \
    {                                                                                                                  \
        return story_run(argc, argv, subject, tests, G_N_ELEMENTS(tests));                                             \
    }

#endif
