/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How each TCP stack writes its resets: one row a stack. A new stack is a new row here and a signature in stack.c. The
 * table predicts; it knows no connection and no cause.
 */
#ifndef RSTCAUSE_STACK_H
#define RSTCAUSE_STACK_H

#include "rstcause/segment.h"

typedef enum { STACK_UNKNOWN, STACK_LINUX, STACK_WINDOWS, STACK_DARWIN, STACK_GVISOR, STACK_LWIP, STACKS } host_stack;

/* How firmly a cell is known: FIXED is measured without exception or stands in the stack's source, USUAL is observed. An
 * OPEN cell predicts nothing. */
typedef enum { OPEN, USUAL, FIXED } firmness;

typedef enum { ACK_SET, ACK_CLEAR } ack_form;
typedef enum { WINDOW_LIVE, WINDOW_ZERO, WINDOW_OTHER } window_form;
typedef enum { IP_ID_NEXT, IP_ID_ZERO } ip_id_form;
typedef enum { DF_SET, DF_AS_BEFORE } df_form;
typedef enum { TIMESTAMPS_GO_ON, TIMESTAMPS_ABSENT } timestamps_form;
typedef enum { TTL_OF_SOCKET, TTL_OF_KERNEL } ttl_form;

#define FORM_CELL(type)                                                                                                \
    struct {                                                                                                           \
        firmness firm;                                                                                                 \
        type is;                                                                                                       \
    }

/* One kind of reset. */
typedef struct {
    FORM_CELL(ack_form) ack;
    FORM_CELL(window_form) window;
    FORM_CELL(ip_id_form) ip_id;
    FORM_CELL(df_form) df;
    FORM_CELL(timestamps_form) timestamps;
    FORM_CELL(ttl_form) ttl;
} reset_form;

typedef struct {
    const char *name;
    reset_form own;         /* of the stack's own making: an abort, a timeout */
    reset_form answer;      /* to a segment that has no place */
    bool answers_after_fin; /* with ACK and its own next number, to what comes after its FIN */
    bool answers_with_ack;  /* also to what has ACK itself */
    bool gives_up_silently; /* a peer that acknowledges nothing */
    bool tells_own;         /* its own resets and its answers differ in the ACK flag without exception */
} stack_row;

/* The row of a stack. Static. */
const stack_row *stack_find(host_stack stack);

/* The stack that wrote this SYN or SYN/ACK; STACK_UNKNOWN where no signature fits. */
host_stack stack_of_syn(const rstcause_segment *segment);

#endif
