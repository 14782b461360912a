/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints an input of the engine's target as packets, each reset with its verdict: for whoever makes a story of a finding. */
#include <stdio.h>

#include "dialogue.h"
#include "rstcause/stated.h"
#include "rstcause/tracker.h"

static void print_verdict(rstcause_tracker *tracker, const dialogue_packet *packet)
{
    const rstcause_verdict *v = rstcause_tracker_find(tracker, packet->frame, packet->layer);

    printf("       = %s/%s (%s, %s) trigger #%u original #%u lost %u\n         %s\n", rstcause_cause_name(v->cause),
           rstcause_detail_name(v->detail) != NULL ? rstcause_detail_name(v->detail) : "-",
           rstcause_confidence_name(v->confidence), rstcause_sender_name(v->sender), v->trigger, v->original,
           v->data_lost, v->explanation);
    for (unsigned i = 0; i < v->evidence->len; i++)
        printf("         + %s\n", (const char *)g_ptr_array_index(v->evidence, i));
    for (unsigned i = 0; i < v->alternatives->len; i++)
        printf("         - %s\n", (const char *)g_ptr_array_index(v->alternatives, i));
}

static void print_packet(const dialogue_packet *packet, const rstcause_segment *s)
{
    static const char letters[] = "FSRPAU";
    char source[RSTCAUSE_ADDRESS_TEXT], flags[sizeof letters] = "";
    unsigned count = 0;

    for (unsigned i = 0; i < sizeof letters - 1; i++)
        if ((s->flags >> i & 1) != 0)
            flags[count++] = letters[i];
    printf("#%u.%u if%u %" G_GINT64_FORMAT
           ".%06u ms %s:%u>%u %s seq %u ack %u len %u win %u ttl %u id %u df %d ts %u%s\n",
           packet->frame, packet->layer, packet->capture_interface, packet->time / 1000000,
           (unsigned)(packet->time % 1000000), rstcause_address_text(&s->source, source), s->source_port,
           s->destination_port, flags, s->sequence, s->acknowledgement, s->length, s->window, s->ttl, s->ip_id,
           s->dont_fragment, s->timestamp_value, packet->is_copy ? " (copy)" : "");
}

int main(int argc, char **argv)
{
    rstcause_tracker *tracker = rstcause_tracker_new(rstcause_stated_default_magic);
    GPtrArray *packets;
    char *data;
    size_t size;

    if (argc != 2 || !g_file_get_contents(argv[1], &data, &size, NULL)) {
        fputs("usage: show_dialogue FILE\n", stderr);
        return 2;
    }
    packets = dialogue_read((const uint8_t *)data, size);
    for (unsigned i = 0; i < packets->len; i++) {
        const dialogue_packet *packet = g_ptr_array_index(packets, i);
        rstcause_segment segment;

        if (!dialogue_segment(&segment, packet))
            continue;
        print_packet(packet, &segment);
        if (rstcause_tracker_observe(tracker, &segment))
            print_verdict(tracker, packet);
    }
    rstcause_tracker_finish(tracker);
    puts("At the end:");
    for (unsigned i = 0; i < packets->len; i++) {
        const dialogue_packet *packet = g_ptr_array_index(packets, i);

        if (rstcause_tracker_find(tracker, packet->frame, packet->layer) != NULL) {
            printf("#%u.%u\n", packet->frame, packet->layer);
            print_verdict(tracker, packet);
        }
    }
    g_ptr_array_unref(packets);
    rstcause_tracker_free(tracker);
    g_free(data);
    return 0;
}
