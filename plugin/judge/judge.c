/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Judges one reset, and changes its mind where later segments prove it wrong. Knows the order of the steps, no rule. */
#include "judge.h"

#include "tell/explain.h"
#include "forgery.h"
#include "rstcause/catalogue.h"
#include "rules.h"
#include "follow/units.h"

/* Connections that a closing listener resets go in one loop. */
static const int64_t listener_closes_within = 10 * MILLISECOND;

/* Packets overtake one another by less than this. */
static const int64_t reordering = 3 * MILLISECOND;

/* Every verdict is made here, with what later segments may change together with it. */
typedef struct linked_verdict {
    rstcause_verdict verdict;         /* first, so that a pointer to it points to the whole */
    struct linked_verdict *next_copy; /* of the same packet, captured again; NULL where there is no further one */
    struct linked_verdict *previous;  /* reset of this sender, after which it sent nothing but this one; or NULL */
} linked_verdict;

static linked_verdict *links_of(rstcause_verdict *verdict)
{
    return (linked_verdict *)verdict;
}

static rstcause_verdict *new_verdict(const reset_facts *f)
{
    linked_verdict *made = g_new0(linked_verdict, 1);

    made->verdict.frame = f->reset->frame;
    return &made->verdict;
}

void judgement_add_evidence(judgement *j, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_ptr_array_add(j->evidence, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

void judge_free_verdict(gpointer data)
{
    rstcause_verdict *verdict = data;

    g_ptr_array_free(verdict->evidence, true);
    g_free(verdict->explanation);
    g_free(verdict->effect);
    g_free(verdict->stated);
    g_free(verdict);
}

/* What is missing lowers the confidence and is said. */
static void weigh_vantage(judgement *j, const reset_facts *f)
{
    if (j->cause == RSTCAUSE_UNKNOWN || j->cause == RSTCAUSE_CLOSED_PORT || j->detail == RSTCAUSE_COPY)
        return;
    if (!f->handshake_seen)
        judgement_add_evidence(j, "the handshake is not in the capture");
    if (f->sender->frames == 0 && f->receiver->frames > 0 && f->connection->is_established) {
        judgement_add_evidence(j, "the capture holds nothing else from the sender of the reset");
        j->confidence = MIN(j->confidence, RSTCAUSE_LIKELY);
    } else if (f->receiver->frames == 0 && f->sender->frames > 0) {
        judgement_add_evidence(j, "the capture holds only one direction");
        j->confidence = MIN(j->confidence, RSTCAUSE_POSSIBLE);
    }
}

static void weigh_statement(judgement *j, const reset_facts *f)
{
    if (f->stated->text == NULL)
        return;
    judgement_add_evidence(j, "its sender states: %s", f->stated->text);
    if (f->stated->has_cause && f->stated->cause != j->cause)
        judgement_add_evidence(j, "what it states means %s, which the rest of the capture does not show",
                               rstcause_cause_name(f->stated->cause));
}

static void rewrite(char **text, char *written)
{
    g_free(*text);
    *text = written;
}

static void write_copy(rstcause_verdict *copy, const rstcause_verdict *verdict)
{
    copy->cause = verdict->cause;
    copy->confidence = verdict->confidence;
    copy->sender = verdict->sender;
    copy->trigger = verdict->trigger;
    copy->effective = verdict->effective;
    copy->advice = verdict->advice;
    copy->failure_code = verdict->failure_code;
    copy->has_data_lost = verdict->has_data_lost;
    copy->data_lost = verdict->data_lost;
    rewrite(&copy->explanation,
            g_strdup_printf("The same packet as #%u, captured twice. %s", verdict->frame, verdict->explanation));
    rewrite(&copy->effect, g_strdup(verdict->effect));
}

/* What is learned of a packet holds for its copies. A verdict changes a few times at most. */
static void pass_on_to_copies(rstcause_verdict *verdict)
{
    for (linked_verdict *copy = links_of(verdict)->next_copy; copy != NULL; copy = copy->next_copy)
        write_copy(&copy->verdict, verdict);
}

/* Several connections of one port that were never used, reset at one moment: their listener was closed
 * (inet_csk_listen_stop() in Linux). The first is known only when the second comes. */
static void weigh_listener(judgement *j, const reset_facts *f, const host_resets *h)
{
    rstcause_verdict *other = h != NULL ? h->unserved_abort : NULL;
    judgement revised = {.cause = RSTCAUSE_ABORT, .detail = RSTCAUSE_LISTENER_CLOSED};
    static const char reason[] =
        "another connection to port %u that its server never used was reset at the same moment, in #%u";

    if (j->cause != RSTCAUSE_ABORT || !f->sender_accepted || f->sender->bytes > 0 || f->sender_closed ||
        other == NULL || other->cause != RSTCAUSE_ABORT || h->unserved_port != f->reset->source_port ||
        time_between(f->reset->time, h->unserved_time) > listener_closes_within)
        return;
    j->detail = RSTCAUSE_LISTENER_CLOSED;
    judgement_add_evidence(j, reason, h->unserved_port, other->frame);
    if (other->detail == RSTCAUSE_LISTENER_CLOSED)
        return;
    other->detail = RSTCAUSE_LISTENER_CLOSED;
    rewrite(&other->explanation, explain_verdict(&revised, f));
    g_ptr_array_add(other->evidence, g_strdup_printf(reason, h->unserved_port, f->reset->frame));
    pass_on_to_copies(other);
}

/* A NetScaler writes its reason into the window. A lone value is chance; two different ones of one host, whose other
 * windows are no codes, are its handwriting. */
static void weigh_netscaler(judgement *j, const reset_facts *f)
{
    const char *code = rstcause_stated_netscaler(f->reset->window);
    host_resets *h;

    if (code == NULL || rstcause_stated_netscaler(f->sender->window) != NULL)
        return;
    h = host_resets_make(f->connection->pool, f->sender->host);
    if (h->reset_code != 0 && h->reset_code != f->reset->window)
        h->is_netscaler = true;
    h->reset_code = f->reset->window;
    if (h->is_netscaler)
        judgement_add_evidence(j, "its sender is a NetScaler by its reset codes, and this one (window %u) states: %s",
                               f->reset->window, code);
}

static rstcause_sender name_sender(const judgement *j, const reset_facts *f)
{
    if (j->cause == RSTCAUSE_INJECTED || j->cause == RSTCAUSE_FIREWALL_REJECT)
        return RSTCAUSE_THIRD_PARTY;
    return connection_client(f->connection, f->reset, f->side) == f->side ? RSTCAUSE_CLIENT : RSTCAUSE_SERVER;
}

static rstcause_verdict *make_copy(const judgement *j, const reset_facts *f, const GPtrArray *verdicts)
{
    rstcause_verdict *copied = g_ptr_array_index(verdicts, f->copied->reset_number);
    rstcause_verdict *verdict = new_verdict(f);

    verdict->detail = RSTCAUSE_COPY;
    verdict->original = copied->frame;
    verdict->evidence = j->evidence;
    verdict->stated = g_strdup(copied->stated);
    links_of(verdict)->next_copy = links_of(copied)->next_copy;
    links_of(copied)->next_copy = links_of(verdict);
    write_copy(verdict, copied);
    return verdict;
}

static rstcause_verdict *make_verdict(judgement *j, const reset_facts *f)
{
    const rstcause_catalogue_row *row = rstcause_catalogue(j->cause);
    rstcause_verdict *verdict = new_verdict(f);

    verdict->cause = j->cause;
    verdict->detail = j->detail;
    verdict->confidence = j->confidence;
    verdict->sender = name_sender(j, f);
    verdict->trigger = j->trigger;
    verdict->original = j->original;
    verdict->effective = f->is_effective;
    verdict->explanation = explain_verdict(j, f);
    verdict->evidence = j->evidence;
    verdict->effect = explain_effect(j, f);
    verdict->advice = row->advice;
    verdict->has_data_lost = f->has_data_lost && f->is_effective && j->cause != RSTCAUSE_ALREADY_RESET;
    verdict->data_lost = f->data_lost;
    verdict->failure_code = f->stated->failure_code != 0 ? f->stated->failure_code : row->failure_code;
    verdict->stated = g_strdup(f->stated->text);
    return verdict;
}

/* Another cause than was said first; 'why' becomes its explanation and last piece of evidence, and is taken over. */
static void revise(rstcause_verdict *verdict, rstcause_cause cause, rstcause_detail detail,
                   rstcause_confidence confidence, char *why)
{
    const rstcause_catalogue_row *row = rstcause_catalogue(cause);

    verdict->cause = cause;
    verdict->detail = detail;
    verdict->confidence = confidence;
    if (cause == RSTCAUSE_INJECTED)
        verdict->sender = RSTCAUSE_THIRD_PARTY;
    verdict->trigger = 0;
    verdict->original = 0;
    verdict->advice = row->advice;
    verdict->failure_code = row->failure_code;
    rewrite(&verdict->explanation, g_strdup(why));
    g_ptr_array_add(verdict->evidence, why);
    pass_on_to_copies(verdict);
}

/* The first of two resets that a device sent to both ends at once is known only when the second comes. Two
 * applications may abort at one moment as well, so without another sign it lowers the confidence only. */
static void weigh_counterpart(const connection *c, uint8_t side, const reset_facts *f, rstcause_verdict *verdict)
{
    rstcause_verdict *other = c->resets[!side].verdict;

    if (!f->has_counterpart || other->cause == RSTCAUSE_INJECTED)
        return;
    if (verdict->cause == RSTCAUSE_INJECTED && other->confidence != RSTCAUSE_CERTAIN && !f->sender_closed &&
        !f->receiver_closed) {
        revise(
            other, RSTCAUSE_INJECTED, RSTCAUSE_BOTH_DIRECTIONS, verdict->confidence,
            g_strdup_printf("A third party forged this reset: it reset the other direction at the same moment, in #%u.",
                            verdict->frame));
    } else if (!f->sender_closed && !f->receiver_closed) {
        verdict->confidence = MIN(verdict->confidence, RSTCAUSE_LIKELY);
        if (other->confidence == RSTCAUSE_CERTAIN) {
            other->confidence = RSTCAUSE_LIKELY;
            pass_on_to_copies(other);
        }
    }
}

/* It ends the connection before this one (figure 9), which the record keeps no longer; its sender goes on to open the
 * new one. */
static bool ends_only_the_past(rstcause_detail detail)
{
    return detail == RSTCAUSE_RECONNECT || detail == RSTCAUSE_PORT_REUSE;
}

/* It may go on after it has sent this reset: the attempt that an unacceptable ACK meets stays as it is (RFC 9293
 * section 3.5.2). */
static bool may_go_on(const rstcause_verdict *verdict)
{
    return ends_only_the_past(verdict->detail) || verdict->cause == RSTCAUSE_UNACCEPTABLE_ACK;
}

/* Does this reset end the connection, so that what comes later is "already-reset"? */
static bool ends_connection(const judgement *j, const reset_facts *f)
{
    if (f->connection->reset_frame != 0 || !f->is_effective || j->detail == RSTCAUSE_CORRUPT_FLAGS ||
        j->detail == RSTCAUSE_PROBE)
        return false;
    return !ends_only_the_past(j->detail);
}

rstcause_verdict *judge_reset(connection *c, uint8_t side, const rstcause_segment *reset, const rstcause_stated *stated,
                              const GPtrArray *verdicts)
{
    reset_facts facts;
    judgement j = {.confidence = RSTCAUSE_POSSIBLE};
    rstcause_verdict *verdict;
    latest_reset *latest = &c->resets[side];

    facts_gather(&facts, c, side, reset, stated);
    j.evidence = g_ptr_array_new_with_free_func(g_free);
    rules_judge(&j, &facts);
    if (j.detail == RSTCAUSE_COPY)
        return make_copy(&j, &facts, verdicts);

    weigh_listener(&j, &facts, host_resets_find(c->pool, c->ends[side].host));
    weigh_vantage(&j, &facts);
    weigh_statement(&j, &facts);
    weigh_netscaler(&j, &facts);
    /* What admits the reading "forged", if only weakly, is not certain. */
    if (j.cause != RSTCAUSE_INJECTED && forgery_add_evidence(&j, &facts))
        j.confidence = MIN(j.confidence, RSTCAUSE_LIKELY);
    if (c->ends[side].last_words != NULL)
        judgement_add_evidence(&j, "last words of its application in #%u: %s", c->ends[side].last_words_frame,
                               c->ends[side].last_words);
    verdict = make_verdict(&j, &facts);

    if (facts.trigger != NULL && j.trigger == facts.trigger->frame) {
        recent_mark_answered(&c->ends[!side].recent, facts.trigger);
        latest->answered_frame = facts.trigger->frame;
    }
    if (ends_connection(&j, &facts)) {
        c->reset_frame = reset->frame;
        c->reset_time = reset->time;
        c->reset_side = side;
        c->reset_verdict = verdict;
        c->reset_is_challenged = explain_is_challenged(&j, &facts);
    }
    if (latest->frame > c->ends[side].last_frame)
        links_of(verdict)->previous = links_of(latest->verdict);
    *latest = (latest_reset){
        .verdict = verdict,
        .frame = reset->frame,
        .time = reset->time,
        .sequence = reset->sequence,
        .peer_next = c->ends[!side].next,
        .ip_id = reset->ip_id,
        .id_continues = facts.ip_id_continues && facts.at_next,
        .answered_frame = latest->answered_frame,
    };
    weigh_counterpart(c, side, &facts, verdict);
    if (j.cause == RSTCAUSE_ABORT && facts.sender_accepted && c->ends[side].bytes == 0) {
        host_resets *noted = host_resets_make(c->pool, c->ends[side].host);

        noted->unserved_abort = verdict;
        noted->unserved_port = reset->source_port;
        noted->unserved_time = reset->time;
    }
    return verdict;
}

static void revise_as_continued(connection *c, uint8_t side, const rstcause_segment *segment)
{
    rstcause_verdict *verdict = c->resets[side].verdict;
    uint16_t ip_id_step = (uint16_t)(segment->ip_id - c->resets[side].ip_id);

    /* The sender's counter counted the segment: it sent it, and something damaged it on the way or in the file. */
    if (verdict->cause != RSTCAUSE_INJECTED && c->resets[side].id_continues && segment->has_ip_id && ip_id_step >= 1 &&
        ip_id_step <= 64) {
        revise(verdict, RSTCAUSE_UNKNOWN, RSTCAUSE_CORRUPT_FLAGS, RSTCAUSE_LIKELY,
               g_strdup_printf("The RST bit stands in a segment that looks damaged: its sender counted it among its "
                               "own and goes on in #%u.",
                               segment->frame));
        if (c->reset_verdict == verdict) {
            c->reset_frame = 0;
            c->reset_verdict = NULL;
        }
        return;
    }
    /* With signs of its own besides, nothing else explains it. */
    for (linked_verdict *one = links_of(verdict); one != NULL; one = one->previous) {
        bool has_signs = one->verdict.cause == RSTCAUSE_INJECTED;

        if (one->verdict.detail == RSTCAUSE_CORRUPT_FLAGS)
            break;
        revise(&one->verdict, RSTCAUSE_INJECTED, has_signs ? one->verdict.detail : RSTCAUSE_SENDER_CONTINUES,
               has_signs ? RSTCAUSE_CERTAIN : RSTCAUSE_LIKELY,
               g_strdup_printf("A third party forged this reset: the sender that it names goes on in #%u as if it had "
                               "sent none.",
                               segment->frame));
    }
}

/* Neither side took the reset for the end. */
static void live_on(connection *c)
{
    if (c->reset_frame == 0 || !c->resets[c->reset_side].sender_continued ||
        !c->resets[c->reset_side].receiver_continued)
        return;
    c->reset_frame = 0;
    c->reset_verdict = NULL;
}

void judge_later_segment(connection *c, uint8_t side, const rstcause_segment *segment)
{
    const rstcause_verdict *verdict = c->resets[side].verdict;

    if (verdict != NULL && !c->resets[side].sender_continued && !may_go_on(verdict) &&
        forgery_is_proven_by(c, side, segment)) {
        c->resets[side].sender_continued = true;
        revise_as_continued(c, side, segment);
        live_on(c);
    }
    /* The receiver goes on as well, and not with what was on its way: the forged reset did not end the connection. */
    if (c->reset_frame == 0 || c->reset_side == side)
        return;
    if (segment->sequence == c->ends[side].next &&
        segment->time - c->reset_time > MAX(reordering, 2 * c->ends[side].answer_delay))
        c->resets[!side].receiver_continued = true;
    live_on(c);
}
