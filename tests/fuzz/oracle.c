/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See oracle.h. */
#include "oracle.h"

#include <string.h>

#include "contradiction.h"
#include "fuzz.h"
#include "rstcause/stated.h"
#include "rstcause/tracker.h"

/* In the order of the capture; stamps lie so far from it (libpcap stamps some 50 us late), and a card's queues put
 * so many frames between two that belong together. */
enum { MOST_OUT_OF_ORDER = 64 };
static const int64_t noise = 100000;

/* The payload that a full segment has at least; a frame of TSO holds several segments, each of which may be answered. */
enum { FULL_SEGMENT = 1200 };

/* With each reset so many of the newest are asked for again, itself among them. Words are slow. */
enum { ASKED_AGAIN = 4 };

oracle_counts oracle_counted;

typedef struct {
    const dialogue_packet *packet;
    rstcause_segment segment;
    uint64_t sent; /* payload of both sides of its connection before it */
    bool is_reset;
    bool was_certain;
    rstcause_cause certain_cause;
    /* As it was at the end. */
    rstcause_cause cause;
    uint32_t trigger; /* 0 of a copy */
    unsigned answers; /* resets that name this segment */
} seen_segment;

/* One look at a capture. */
typedef struct {
    rstcause_tracker *tracker;
    GArray *seen;   /* of seen_segment: the packets that are segments */
    GArray *resets; /* of unsigned: which of them are resets */
} look;

static seen_segment *segment_at(const look *l, unsigned at)
{
    return &g_array_index(l->seen, seen_segment, at);
}

static seen_segment *reset_at(const look *l, unsigned at)
{
    return segment_at(l, g_array_index(l->resets, unsigned, at));
}

static const rstcause_verdict *ask(const look *l, const seen_segment *reset)
{
    const rstcause_verdict *verdict = rstcause_tracker_find(l->tracker, reset->packet->frame, reset->packet->layer);
    const char *contradiction;

    fuzz_require_of(verdict != NULL, reset->packet->frame, "a reset has no verdict");
    fuzz_require_of(verdict->frame == reset->packet->frame, reset->packet->frame, "the verdict is on another frame");
    contradiction = contradiction_find(verdict);
    fuzz_require_of(contradiction == NULL, verdict->frame, contradiction);
    return verdict;
}

/* What is certain admits no other reading, so nothing that comes later may bring one. */
static void ask_again(look *l, seen_segment *reset)
{
    const rstcause_verdict *verdict = ask(l, reset);
    bool is_certain = verdict->confidence == RSTCAUSE_CERTAIN;

    fuzz_require_of(!is_certain || !reset->was_certain || reset->certain_cause == verdict->cause, verdict->frame,
                    "a certain verdict has become another certain one");
    if (is_certain) {
        reset->was_certain = true;
        reset->certain_cause = verdict->cause;
    }
}

static void ask_of_all(look *l, unsigned most)
{
    for (unsigned i = l->resets->len > most ? l->resets->len - most : 0; i < l->resets->len; i++)
        ask_again(l, reset_at(l, i));
}

/* Copies add nothing to what was sent. */
static uint64_t note_sent(uint64_t sent[DIALOGUE_CONNECTIONS], const seen_segment *one)
{
    uint64_t *of_connection = &sent[one->packet->connection];

    if (!one->is_reset && !one->packet->is_copy)
        *of_connection += one->segment.length;
    return *of_connection;
}

static bool is_in(const dialogue_packet *packet, int world)
{
    return world < 0 || packet->connection / DIALOGUE_WORLD == world;
}

/* Of one world, or of all (-1). */
static look *take_look(const GPtrArray *packets, int world, bool asks_all_along)
{
    look *made = g_new0(look, 1);
    uint64_t sent[DIALOGUE_CONNECTIONS] = {0};

    made->tracker = rstcause_tracker_new(rstcause_stated_default_magic);
    made->seen = g_array_new(false, false, sizeof(seen_segment));
    made->resets = g_array_new(false, false, sizeof(unsigned));
    for (unsigned i = 0; i < packets->len; i++) {
        seen_segment one = {.packet = g_ptr_array_index(packets, i)};
        bool is_reset;

        if (!is_in(one.packet, world) || !dialogue_segment(&one.segment, one.packet))
            continue;
        one.is_reset = (one.segment.flags & RSTCAUSE_RST) != 0;
        one.sent = note_sent(sent, &one);
        is_reset = rstcause_tracker_observe(made->tracker, &one.segment);
        fuzz_require_of(is_reset == one.is_reset, one.packet->frame,
                        "a reset is taken for none, or the other way round");
        if (one.is_reset)
            g_array_append_val(made->resets, made->seen->len);
        else
            fuzz_require_of(rstcause_tracker_find(made->tracker, one.packet->frame, one.packet->layer) == NULL,
                            one.packet->frame, "there is a verdict on what is no reset");
        g_array_append_val(made->seen, one);
        if (asks_all_along && one.is_reset)
            ask_of_all(made, ASKED_AGAIN);
    }
    rstcause_tracker_finish(made->tracker);
    if (asks_all_along)
        ask_of_all(made, UINT32_MAX);
    return made;
}

static void end_look(look *ended)
{
    rstcause_tracker_free(ended->tracker);
    g_array_unref(ended->seen);
    g_array_unref(ended->resets);
    g_free(ended);
}

static bool is_of_other_side(const rstcause_segment *one, const rstcause_segment *reset)
{
    return one->source_port == reset->destination_port && one->destination_port == reset->source_port &&
           memcmp(&one->source, &reset->destination, sizeof one->source) == 0 &&
           memcmp(&one->destination, &reset->source, sizeof one->source) == 0;
}

/* A segment of the peer in that frame, NULL where there is none. */
static seen_segment *find_trigger(const look *l, uint32_t frame, const seen_segment *reset)
{
    for (unsigned i = 0; i < l->seen->len; i++) {
        seen_segment *one = segment_at(l, i);

        if (one->packet->frame == frame && !one->is_reset && is_of_other_side(&one->segment, &reset->segment))
            return one;
    }
    return NULL;
}

static void check_trigger(const look *l, const seen_segment *reset, const rstcause_verdict *verdict)
{
    const seen_segment *trigger = find_trigger(l, verdict->trigger, reset);
    int64_t later;

    fuzz_require_of(trigger != NULL, verdict->frame, "the trigger is no segment of the peer in this connection");
    later = trigger->segment.time - reset->segment.time;
    fuzz_require_of(verdict->trigger < verdict->frame ||
                        (verdict->trigger - verdict->frame <= MOST_OUT_OF_ORDER && ABS(later) <= noise),
                    verdict->frame, "the trigger comes later than the noise of the capture");
}

static void check_original(const look *l, const seen_segment *reset, const rstcause_verdict *verdict)
{
    const seen_segment *found = NULL;

    for (unsigned i = 0; i < l->resets->len && found == NULL; i++) {
        const seen_segment *one = reset_at(l, i);

        if (one->packet->frame == verdict->original && one->packet->connection == reset->packet->connection)
            found = one;
    }
    fuzz_require_of(found != NULL, verdict->frame, "the original is no reset of this connection");
    fuzz_require_of(verdict->detail != RSTCAUSE_COPY || found->cause == verdict->cause, verdict->frame,
                    "a copy has another cause than its packet");
}

/* MP_FASTCLOSE is no segment that has no place: it ends all that comes (RFC 8684 section 3.5). And where a verdict is the least
 * bad of several, the segment may have been another's: what was taken for a forger's answered nothing, until it was judged anew. */
static bool answers_once(const rstcause_verdict *verdict)
{
    return verdict->detail != RSTCAUSE_COPY && verdict->detail != RSTCAUSE_FASTCLOSE &&
           verdict->confidence != RSTCAUSE_POSSIBLE;
}

static void count_verdict(const rstcause_verdict *verdict)
{
    oracle_counted.resets++;
    oracle_counted.causes[verdict->cause]++;
    oracle_counted.certain[verdict->cause] += verdict->confidence == RSTCAUSE_CERTAIN;
    oracle_counted.details[verdict->detail]++;
    oracle_counted.patterns[verdict->pattern]++;
}

static void check_verdict(const look *l, seen_segment *reset)
{
    const rstcause_verdict *verdict = ask(l, reset);

    reset->cause = verdict->cause;
    reset->trigger = verdict->detail != RSTCAUSE_COPY ? verdict->trigger : 0;
    fuzz_require_of(!verdict->has_data_lost || verdict->data_lost <= reset->sent, verdict->frame,
                    "more data is lost than was sent");
    if (verdict->trigger != 0)
        check_trigger(l, reset, verdict);
    if (verdict->trigger != 0 && answers_once(verdict))
        find_trigger(l, verdict->trigger, reset)->answers++;
    if (verdict->original != 0)
        check_original(l, reset, verdict);
    count_verdict(verdict);
}

/* The way back leads from a trigger to the first reset that names it. */
static void check_way_back(const look *l, uint32_t trigger)
{
    uint32_t first = 0;

    for (unsigned i = 0; i < l->resets->len && first == 0; i++) {
        if (reset_at(l, i)->trigger == trigger)
            first = reset_at(l, i)->packet->frame;
    }
    fuzz_require_of(rstcause_tracker_find_reset(l->tracker, trigger) == first, trigger,
                    "the way back does not lead to the first reset that answers this segment");
}

static void check_at_end(const look *l)
{
    for (unsigned i = 0; i < l->resets->len; i++)
        check_verdict(l, reset_at(l, i));
    for (unsigned i = 0; i < l->seen->len; i++) {
        const seen_segment *one = segment_at(l, i);

        /* A frame of several segments is answered as often as it has any. */
        fuzz_require_of(one->answers <= MAX(1, one->segment.length / FULL_SEGMENT), one->packet->frame,
                        "a segment is answered more than once");
        check_way_back(l, one->packet->frame);
    }
}

static void write_list(GString *line, const GPtrArray *texts)
{
    for (unsigned i = 0; i < texts->len; i++)
        g_string_append_printf(line, " | %s", (const char *)g_ptr_array_index(texts, i));
}

/* All that is said of a reset. Free with g_free(). */
static char *describe(const look *l, const seen_segment *reset)
{
    const rstcause_verdict *v = ask(l, reset);
    GString *line = g_string_new(NULL);

    g_string_printf(line,
                    "#%u: %s/%s (%s, %s) pattern %s trigger #%u original #%u idle %" G_GINT64_FORMAT
                    " lost %u effective %d: %s; %s",
                    v->frame, rstcause_cause_name(v->cause), rstcause_detail_name(v->detail),
                    rstcause_confidence_name(v->confidence), rstcause_sender_name(v->sender),
                    rstcause_pattern_name(v->pattern), v->trigger, v->original, v->idle,
                    v->has_data_lost ? v->data_lost : 0, v->effective, v->explanation, v->effect);
    write_list(line, v->evidence);
    g_string_append(line, "; not");
    write_list(line, v->alternatives);
    return g_string_free(line, false);
}

/* What one look says of a reset the other says, too. */
static void compare(const look *one, const look *other, const char *sentence)
{
    unsigned at = 0;

    for (unsigned i = 0; i < other->resets->len; i++) {
        const seen_segment *reset = reset_at(other, i);
        char *told, *told_by_one;

        while (reset_at(one, at)->packet != reset->packet)
            at++;
        told = describe(other, reset);
        told_by_one = describe(one, reset_at(one, at));
        if (strcmp(told, told_by_one) != 0)
            g_printerr("fuzz: %s\nfuzz: %s\n", told_by_one, told);
        fuzz_require(strcmp(told, told_by_one) == 0, sentence);
        g_free(told);
        g_free(told_by_one);
    }
}

/*
 * Do the connections of one world leave the others alone? Not where there are several interfaces: what all connections show
 * tells which of them are places on one path. And not where the clock goes back in a capture of seconds: what nobody can
 * answer any more is forgotten by the stamps of all segments (connections_release_resting()), of which some are wrong then.
 * Nor where it lasts for years: a connection's times are kept for no longer (packed.h), and how long it rests is not known.
 */
static bool are_worlds_apart(const GPtrArray *packets)
{
    const int64_t nothing_is_forgotten = INT64_C(3000000000), longest_kept = INT64_C(1) << 55;
    int64_t first = G_MAXINT64, last = 0;
    bool goes_back = false;

    for (unsigned i = 0; i < packets->len; i++) {
        const dialogue_packet *before = g_ptr_array_index(packets, i > 0 ? i - 1 : 0),
                              *one = g_ptr_array_index(packets, i);

        if (one->capture_interface != before->capture_interface)
            return false;
        goes_back |= one->time < before->time;
        first = MIN(first, one->time);
        last = MAX(last, one->time);
    }
    return last - first < (goes_back ? nothing_is_forgotten : longest_kept);
}

static void compare_with_worlds(const look *all, const GPtrArray *packets)
{
    for (int world = 0; world < DIALOGUE_WORLDS; world++) {
        look *alone = take_look(packets, world, false);

        if (alone->seen->len < all->seen->len)
            compare(all, alone, "among others a connection has another verdict than alone");
        end_look(alone);
    }
}

void oracle_judge(const GPtrArray *packets)
{
    look *asked = take_look(packets, -1, true), *unasked = take_look(packets, -1, false);

    check_at_end(asked);
    compare(asked, unasked, "the verdict depends on when it is asked for");
    if (are_worlds_apart(packets))
        compare_with_worlds(unasked, packets);
    end_look(asked);
    end_look(unasked);
}
