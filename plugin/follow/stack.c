/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of stacks, and how a stack is told by its SYN. See stack.h. */
#include "stack.h"

/*
 * What a reset of each stack looks like. Linux: tcp_send_active_reset(), tcp_v4_send_reset() and tcp_v6_send_reset(); the
 * lab's 1,123 answers of 6.1 to 6.18 had window 0, no option and DF without exception, and IP ID 0 but behind a device
 * that randomises it; older kernels count (observed). Windows and Darwin: observed in public captures; Windows 2000 answers
 * with DF clear. gVisor and lwIP: run in the lab.
 */
static const stack_row rows[STACKS] =
    {
        [STACK_UNKNOWN] =
            {
                .name = "unknown",
                /* Most stacks abort with ACK and answer without (RFC 9293 sections 3.10.5 and 3.10.7.4). */
                .own = {.ack = {USUAL, ACK_SET},
                        .df = {USUAL, DF_AS_BEFORE},
                        .ttl = {USUAL, TTL_OF_SOCKET},
                        .ip_id = {USUAL, IP_ID_NEXT}},
                .answer = {.ttl = {USUAL, TTL_OF_KERNEL}},
            },
        [STACK_LINUX] =
            {
                .name = "Linux",
                .own = {.ack = {FIXED, ACK_SET},
                        .window = {FIXED, WINDOW_LIVE},
                        .ip_id = {FIXED, IP_ID_NEXT},
                        .df = {FIXED, DF_AS_BEFORE},
                        .timestamps = {FIXED, TIMESTAMPS_GO_ON},
                        .ttl = {USUAL, TTL_OF_SOCKET}},
                .answer = {.ack = {FIXED, ACK_CLEAR},
                           .window = {FIXED, WINDOW_ZERO},
                           .ip_id = {USUAL, IP_ID_ZERO},
                           .df = {FIXED, DF_SET},
                           .timestamps = {FIXED, TIMESTAMPS_ABSENT},
                           .ttl = {USUAL, TTL_OF_KERNEL}},
                .gives_up_silently = true,
                .tells_own = true,
            },
        [STACK_WINDOWS] =
            {
                .name = "Windows",
                .own = {.window = {USUAL, WINDOW_ZERO},
                        .ip_id = {USUAL, IP_ID_NEXT},
                        .df = {USUAL, DF_AS_BEFORE},
                        .ttl = {USUAL, TTL_OF_SOCKET}},
                .answer = {.window = {USUAL, WINDOW_ZERO},
                           .timestamps = {USUAL, TIMESTAMPS_ABSENT},
                           .ttl = {USUAL, TTL_OF_KERNEL}},
                .answers_after_fin = true,
            },
        [STACK_DARWIN] =
            {
                .name = "Darwin",
                .own = {.df = {USUAL, DF_AS_BEFORE}, .ttl = {USUAL, TTL_OF_SOCKET}},
                .answer = {.ack = {USUAL, ACK_CLEAR},
                           .window = {USUAL, WINDOW_ZERO},
                           .timestamps = {USUAL, TIMESTAMPS_ABSENT},
                           .ttl = {USUAL, TTL_OF_KERNEL}},
            },
        [STACK_GVISOR] =
            {
                .name = "gVisor",
                .own = {.ack = {FIXED, ACK_SET},
                        .ip_id = {FIXED, IP_ID_NEXT},
                        .df = {FIXED, DF_AS_BEFORE},
                        .timestamps = {FIXED, TIMESTAMPS_GO_ON},
                        .ttl = {USUAL, TTL_OF_SOCKET}},
                .answer = {.ack = {USUAL, ACK_CLEAR},
                           .window = {FIXED, WINDOW_ZERO},
                           .df = {USUAL, DF_AS_BEFORE},
                           .ttl = {USUAL, TTL_OF_KERNEL}},
                .answers_after_fin = true,
            },
        /* One counter of IP IDs, which begins at 0 (ip4_output_if() in lwIP's ip4.c). passt, which begins with TTL 255 as well and
     * writes the same SYN/ACK, resets without ACK and with ID 0: so that cell is open. */
        [STACK_LWIP] =
            {
                .name = "lwIP",
                .own = {.ip_id = {FIXED, IP_ID_NEXT}, .ttl = {USUAL, TTL_OF_SOCKET}},
                .answer = {.ttl = {USUAL, TTL_OF_KERNEL}},
                .answers_with_ack = true,
            },
};

const stack_row *stack_find(host_stack stack)
{
    return &rows[stack < STACKS ? stack : STACK_UNKNOWN];
}

/* Option kinds of a SYN, first kind in the lowest four bits, as segment.c packs them. */
#define ORDER(a, b, c, d, e, f)                                                                                        \
    ((uint32_t)(a) | (uint32_t)(b) << 4 | (uint32_t)(c) << 8 | (uint32_t)(d) << 12 | (uint32_t)(e) << 16 |             \
     (uint32_t)(f) << 20)

/*
 * The order in which a stack writes the options of its SYN is its fingerprint. Linux: tcp_options_write() in
 * net/ipv4/tcp_output.c, measured with every combination of timestamps, scaling and SACK; Windows and Darwin: the
 * signatures of p0f 3, observed in public captures. What follows (fast open, MPTCP, end) does not count.
 * 1 no-operation, 2 MSS, 3 window scale, 4 SACK permitted, 8 timestamps.
 */
static const struct {
    uint32_t order;
    uint8_t kinds;
    uint8_t lowest_ttl, highest_ttl; /* as received: where it is Windows' or Linux' is told by where the TTL began */
    host_stack stack;
} signatures[] = {
    {ORDER(2, 4, 8, 1, 3, 0), 5, 1, 255, STACK_LINUX},    {ORDER(2, 4, 8, 0, 0, 0), 3, 1, 255, STACK_LINUX},
    {ORDER(2, 1, 3, 1, 1, 8), 6, 1, 255, STACK_DARWIN},   {ORDER(2, 1, 3, 1, 1, 4), 6, 1, 255, STACK_WINDOWS},
    {ORDER(2, 1, 1, 4, 1, 3), 6, 1, 255, STACK_LINUX},    {ORDER(2, 1, 1, 8, 1, 3), 6, 1, 255, STACK_LINUX},
    {ORDER(2, 1, 3, 4, 8, 0), 5, 65, 128, STACK_WINDOWS}, {ORDER(2, 1, 1, 4, 0, 0), 4, 65, 128, STACK_WINDOWS},
    {ORDER(2, 1, 1, 4, 0, 0), 4, 1, 64, STACK_LINUX},     {ORDER(2, 1, 1, 8, 0, 0), 4, 1, 64, STACK_LINUX},
    {ORDER(2, 1, 3, 0, 0, 0), 3, 1, 64, STACK_LINUX},     {ORDER(2, 1, 3, 0, 0, 0), 3, 65, 128, STACK_WINDOWS},
    {ORDER(2, 1, 3, 0, 0, 0), 3, 129, 255, STACK_LWIP},
};

/* With all options off, Linux is told by its window of 10 segments and more, rounded down to whole ones
 * (tcp_select_initial_window() in net/ipv4/tcp_output.c; p0f 3: "mss*10", "mss*20", "mss*44"). */
static bool has_window_of_linux(const rstcause_segment *segment)
{
    const uint16_t kind_of_mss = 2, fewest_segments = 10, initial_ttl = 64;

    return segment->option_order == kind_of_mss && segment->mss > 0 && segment->window % segment->mss == 0 &&
           segment->window / segment->mss >= fewest_segments && segment->ttl <= initial_ttl;
}

static host_stack find_signature(const rstcause_segment *segment)
{
    if (has_window_of_linux(segment))
        return STACK_LINUX;
    for (size_t i = 0; i < G_N_ELEMENTS(signatures); i++) {
        uint32_t mask = ((uint32_t)1 << (4 * signatures[i].kinds)) - 1;

        if ((segment->option_order & mask) == signatures[i].order && segment->ttl >= signatures[i].lowest_ttl &&
            segment->ttl <= signatures[i].highest_ttl)
            return signatures[i].stack;
    }
    return segment->ttl > 64 && segment->ttl <= 128 ? STACK_WINDOWS : STACK_UNKNOWN;
}

/*
 * gVisor writes its SYN in Linux' order, and never sets DF nor a flow label (measured). Linux does both unless told not to,
 * and is then taken for gVisor, whose row predicts less.
 */
host_stack stack_of_syn(const rstcause_segment *segment)
{
    host_stack found = find_signature(segment);
    bool is_bare = segment->has_ip_id ? segment->has_df && !segment->dont_fragment
                                      : segment->source.length == 16 && segment->flow_label == 0;

    return found == STACK_LINUX && is_bare ? STACK_GVISOR : found;
}
