/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why an endpoint aborted: what the wire shows of it. Several things end in the same RST,ACK at snd.nxt, so a detail
 * is given only where a regularity supports it; the cause stands without.
 */
#include "abort_detail.h"

#include "follow/units.h"

/* Idle timeouts of servers and clients begin here or above (nginx 75 s, Apache 5 to 60 s, NetScaler 180 s); what is
 * quiet for less may be at work. */
static const int64_t idle_after = 30 * SECOND;

/*
 * close() with unread data empties the receive queue before it resets (tcp_close() in Linux's net/ipv4/tcp.c), so
 * the window in the reset is larger than in the segment before; measured on Linux 6.18.
 */
static bool has_emptied_queue(const reset_facts *f)
{
    return f->has_ack && f->sender->frames > 0 && f->reset->window > f->sender->window &&
           (f->sender->syn_frame == 0 || f->sender->last_frame != f->sender->syn_frame);
}

rstcause_detail abort_detail_find(judgement *j, const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;
    bool is_linux = f->stack == STACK_LINUX;

    if (f->stated->is_fastclose) {
        judgement_add_evidence(j, "it carries the MPTCP option MP_FASTCLOSE (RFC 8684 3.5)");
        return RSTCAUSE_FASTCLOSE;
    }
    if (f->receiver_fin_known) {
        judgement_add_evidence(j, "its peer had closed with FIN #%u, which its sender had received", p->fin_frame);
        return RSTCAUSE_AFTER_FIN;
    }
    if (f->silence >= idle_after) {
        judgement_add_evidence(j, "nothing had been sent for %.1f s (since #%u)", (double)f->silence / SECOND,
                               f->connection->last_frame);
        return RSTCAUSE_IDLE;
    }
    if (is_linux && p->bytes > 0 && has_emptied_queue(f)) {
        judgement_add_evidence(j,
                               "its window %u is larger than the %u of #%u: its sender's queue was emptied in between",
                               f->reset->window, s->window, s->last_frame);
        return RSTCAUSE_UNREAD_DATA;
    }
    if (f->pending > 0) {
        judgement_add_evidence(j, "%u bytes of its sender's own were not acknowledged yet", f->pending);
        return RSTCAUSE_PENDING_DATA;
    }
    if (is_linux && f->has_ack && f->unread == 0 && s->bytes > 0) {
        judgement_add_evidence(j, "its sender had nothing unread: close() with SO_LINGER 0 does that");
        return RSTCAUSE_LINGER;
    }
    return RSTCAUSE_NO_DETAIL;
}
