/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Works out how long a connection was idle. See situation.h. */
#include "situation.h"

#include "follow/units.h"

/* Timers end a little early (a tick of 10 ms), and the packets before were some time on their way. */
const int64_t situation_idle_from = 900 * MILLISECOND;

bool situation_is_tls_alert(const endpoint *e)
{
    /* RFC 8446 section 5.2: an alert of 2 bytes, its type, and the 16 of the tag that all ciphers in use have, as
     * application data. */
    enum { RECORD_OF_ALERT = 5 + 2 + 1 + 16 };
    bool speaks_tls = e->first_said == RSTCAUSE_TLS_CLIENT_HELLO || e->first_said == RSTCAUSE_TLS_RECORDS;

    if (e->last_data_frame == 0)
        return false;
    return e->last_said == RSTCAUSE_TLS_ALERT || e->last_said == RSTCAUSE_TLS_ENCRYPTED_ALERT ||
           (speaks_tls && e->last_said == RSTCAUSE_TLS_RECORDS && e->last_data_length == RECORD_OF_ALERT);
}

bool situation_has_refused(const endpoint *e)
{
    enum { FATAL = 2, CLOSE_NOTIFY = 0 };

    return e->last_words.kind == RSTCAUSE_TLS_ALERT && e->last_words_frame == e->last_data_frame &&
           e->last_words.level == FATAL && e->last_words.code != CLOSE_NOTIFY;
}

/*
 * Before S's FIN. Where the trigger stands before the FIN in the capture, S had not received it yet (it would have
 * acknowledged it), so that the silence for S is the one before the trigger, and the time from there to the FIN.
 */
static int64_t measure_idle_before_fin(const reset_facts *f)
{
    const endpoint *s = f->sender;

    if (f->has_trigger && f->trigger.frame < s->fin_frame)
        return f->trigger.silence > 0 ? f->trigger.silence + MAX(s->fin_time - f->trigger.time, 0) : -1;
    return s->fin_quiet;
}

/* Before the trigger; before the first of its repeats or of the probes where it was not the first. */
static int64_t measure_idle_before_trigger(const reset_facts *f)
{
    const endpoint *s = f->sender, *p = f->receiver;

    if (f->trigger.is_keepalive && p->probes > 1 && s->frames > 0)
        return MAX(p->probe_first_time - s->last_time, 0);
    if (f->trigger.is_repeat)
        return p->repeats > 0 && p->repeat_sequence == f->trigger.sequence && s->frames > 0
                   ? MAX(p->repeat_first_time - s->last_time, 0)
                   : -1;
    return f->trigger.silence;
}

static int64_t measure_idle(const judgement *j, const reset_facts *f)
{
    if (!f->connection.is_established || f->has_no_context)
        return -1;
    switch (j->cause) {
    case RSTCAUSE_DATA_AFTER_CLOSE:
        return f->sender_closed ? measure_idle_before_fin(f) : -1;
    case RSTCAUSE_HALF_OPEN:
        return f->has_trigger && j->detail != RSTCAUSE_RECONNECT ? measure_idle_before_trigger(f) : -1;
    case RSTCAUSE_ABORT:
    case RSTCAUSE_INJECTED:
        if (f->sender_closed && f->sender->fin_quiet >= 0)
            return f->sender->fin_quiet;
        return f->silence > 0 ? f->silence : -1;
    default:
        return -1;
    }
}

uint16_t situation_service_port(const situation *s)
{
    return s->sender_is_client ? s->facts->reset.destination_port : s->facts->reset.source_port;
}

situation situation_look(const reset_case *one)
{
    const reset_facts *f = &one->found->facts;
    const judgement *j = &one->found->judgement;
    uint8_t client = connection_client(&f->connection, &f->reset, f->side);
    const endpoint *ends = f->connection.ends;

    return (situation){
        .facts = f,
        .judgement = j,
        .sender_is_client = client == f->side,
        .asking = &ends[client],
        .asked = &ends[!client],
        .awaits_reply = ends[client].last_data_frame > ends[!client].last_data_frame,
        .idle = measure_idle(j, f),
    };
}
