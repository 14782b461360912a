/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine without Wireshark: reads a capture file (pcap) and prints the verdicts, a hundred times as fast as tshark. For
 * measurements over thousands of captures; what users get is tested through tshark.
 *
 *   replay [-2] [-e FIELD]… FILE…
 *
 * Several files are merged by time, each an interface of its own, as mergecap -I none does.
 *
 * Prints a line for each TCP segment, with the fields asked for, as tshark -T fields does. Looks for one IP header behind
 * Ethernet (VLAN tags, MPLS, PPPoE), Linux "cooked" or nothing; the innermost of GRE and VXLAN.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rstcause/stated.h"
#include "rstcause/tracker.h"

typedef struct {
    const uint8_t *bytes;
    size_t captured, reported;
} span;

static uint16_t read_16(const uint8_t *b)
{
    return (uint16_t)(b[0] << 8 | b[1]);
}

static uint32_t read_32_of(const uint8_t *b, bool is_swapped)
{
    return is_swapped ? (uint32_t)read_16(b) << 16 | read_16(b + 2)
                      : (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}

static bool skip(span *s, size_t length)
{
    if (s->captured < length)
        return false;
    s->bytes += length;
    s->captured -= length;
    s->reported -= length;
    return true;
}

static bool read_ip(span s, rstcause_segment *segment);

static bool read_ethernet_payload(span s, uint16_t type, rstcause_segment *segment)
{
    for (;;) {
        if (type == 0x0800 || type == 0x86dd)
            return read_ip(s, segment);
        if (type == 0x8100 || type == 0x88a8) {
            if (s.captured < 4)
                return false;
            type = read_16(s.bytes + 2);
            skip(&s, 4);
        } else if (type == 0x8864) {
            return skip(&s, 8) && read_ip(s, segment);
        } else if (type == 0x8847) {
            while (s.captured >= 4 && (s.bytes[2] & 1) == 0)
                skip(&s, 4);
            return skip(&s, 4) && read_ip(s, segment);
        } else {
            return false;
        }
    }
}

static bool read_frame(span s, uint32_t link, rstcause_segment *segment)
{
    if (link == 1)
        return s.captured > 14 && read_ethernet_payload((span){s.bytes + 14, s.captured - 14, s.reported - 14},
                                                        read_16(s.bytes + 12), segment);
    if (link == 113)
        return s.captured > 16 && read_ethernet_payload((span){s.bytes + 16, s.captured - 16, s.reported - 16},
                                                        read_16(s.bytes + 14), segment);
    if (link == 276)
        return s.captured > 20 &&
               read_ethernet_payload((span){s.bytes + 20, s.captured - 20, s.reported - 20}, read_16(s.bytes), segment);
    if (link == 0)
        return skip(&s, 4) && read_ip(s, segment);
    return read_ip(s, segment);
}

static bool read_ip(span s, rstcause_segment *segment)
{
    span inner = s;
    size_t header;
    uint8_t protocol;

    if (s.captured < 40)
        return false;
    if (s.bytes[0] >> 4 == 4) {
        header = (size_t)(s.bytes[0] & 15) * 4;
        protocol = s.bytes[9];
    } else {
        header = 40;
        protocol = s.bytes[6];
    }
    if (!skip(&inner, header))
        return false;
    if (protocol == 47)
        return inner.captured > 4 &&
               read_ethernet_payload((span){inner.bytes + 4, inner.captured - 4, inner.reported - 4},
                                     read_16(inner.bytes + 2), segment);
    if (protocol == 17 && inner.captured > 16 && read_16(inner.bytes + 2) == 4789)
        return skip(&inner, 16) && read_frame(inner, 1, segment);
    return protocol == 6 && rstcause_segment_read_network(segment, s.bytes, s.captured, header) &&
           rstcause_segment_read_tcp(segment, inner.bytes, inner.captured, inner.reported);
}

static void print_address(const rstcause_address *address, bool wanted)
{
    char text[INET6_ADDRSTRLEN] = "";

    if (wanted)
        inet_ntop(address->length == 4 ? AF_INET : AF_INET6, address->bytes, text, sizeof text);
    fputs(text, stdout);
}

static void print_field(const char *name, const rstcause_segment *s, const rstcause_verdict *v)
{
    if (strcmp(name, "frame.number") == 0)
        printf("%u", s->frame);
    else if (strcmp(name, "ip.src") == 0)
        print_address(&s->source, s->source.length == 4);
    else if (strcmp(name, "ip.dst") == 0)
        print_address(&s->destination, s->source.length == 4);
    else if (strcmp(name, "ipv6.src") == 0)
        print_address(&s->source, s->source.length == 16);
    else if (strcmp(name, "ipv6.dst") == 0)
        print_address(&s->destination, s->source.length == 16);
    else if (strcmp(name, "tcp.srcport") == 0)
        printf("%u", s->source_port);
    else if (strcmp(name, "tcp.dstport") == 0)
        printf("%u", s->destination_port);
    else if (strcmp(name, "tcp.seq_raw") == 0)
        printf("%u", s->sequence);
    else if (strcmp(name, "tcp.ack_raw") == 0)
        printf("%u", s->acknowledgement);
    else if (strcmp(name, "tcp.flags") == 0)
        printf("0x%04x", s->flags);
    else if (strcmp(name, "tcp.len") == 0)
        printf("%u", s->length);
    else if (strcmp(name, "frame.interface_id") == 0)
        printf("%u", s->capture_interface);
    else if (v == NULL)
        return;
    else if (strcmp(name, "rstcause") == 0)
        fputs(rstcause_cause_name(v->cause), stdout);
    else if (strcmp(name, "rstcause.detail") == 0)
        fputs(v->detail != RSTCAUSE_NO_DETAIL ? rstcause_detail_name(v->detail) : "", stdout);
    else if (strcmp(name, "rstcause.pattern") == 0)
        fputs(v->pattern != RSTCAUSE_NO_PATTERN ? rstcause_pattern_name(v->pattern) : "", stdout);
    else if (strcmp(name, "rstcause.idle") == 0 && v->idle >= 0)
        printf("%.9g", (double)v->idle / 1e9);
    else if (strcmp(name, "rstcause.advice") == 0)
        fputs(v->advice != NULL ? v->advice : "", stdout);
    else if (strcmp(name, "rstcause.confidence") == 0)
        fputs(rstcause_confidence_name(v->confidence), stdout);
    else if (strcmp(name, "rstcause.sender") == 0)
        fputs(rstcause_sender_name(v->sender), stdout);
    else if (strcmp(name, "rstcause.trigger") == 0 && v->trigger != 0)
        printf("%u", v->trigger);
    else if (strcmp(name, "rstcause.original") == 0 && v->original != 0)
        printf("%u", v->original);
    else if (strcmp(name, "rstcause.effect") == 0)
        fputs(v->effect, stdout);
    else if (strcmp(name, "rstcause.explanation") == 0)
        fputs(v->explanation, stdout);
    else if (strcmp(name, "rstcause.evidence") == 0)
        for (unsigned i = 0; i < v->evidence->len; i++)
            printf("%s%s", i ? "|" : "", (const char *)g_ptr_array_index(v->evidence, i));
    else if (strcmp(name, "rstcause.alternative") == 0)
        for (unsigned i = 0; i < v->alternatives->len; i++)
            printf("%s%s", i ? "|" : "", (const char *)g_ptr_array_index(v->alternatives, i));
}

static void print_line(rstcause_tracker *tracker, const rstcause_segment *s, char *const fields[], unsigned count)
{
    const rstcause_verdict *v =
        (s->flags & RSTCAUSE_RST) != 0 ? rstcause_tracker_find(tracker, s->frame, s->layer) : NULL;

    for (unsigned i = 0; i < count; i++) {
        if (i > 0)
            putchar('\t');
        print_field(fields[i], s, v);
    }
    putchar('\n');
}

enum { FILE_HEADER = 24, RECORD_HEADER = 16, MOST_FIELDS = 40 };

/* A capture file, read as far as the next segment. */
typedef struct {
    char *contents;
    size_t length, at;
    bool is_swapped, has_nanoseconds, has_more;
    uint32_t link, capture_interface, skipped; /* frames without a segment before the next one */
    rstcause_segment next;
} capture;

static void read_next(capture *c)
{
    c->skipped = 0;
    c->has_more = false;
    while (!c->has_more && c->at + RECORD_HEADER <= c->length) {
        const uint8_t *record = (const uint8_t *)c->contents + c->at;
        size_t captured = read_32_of(record + 8, c->is_swapped);
        int64_t fraction = read_32_of(record + 4, c->is_swapped);

        if (captured > c->length - c->at - RECORD_HEADER)
            return;
        c->next = (rstcause_segment){
            .capture_interface = c->capture_interface,
            .time =
                (int64_t)read_32_of(record, c->is_swapped) * 1000000000 + fraction * (c->has_nanoseconds ? 1 : 1000),
        };
        c->has_more = read_frame((span){record + RECORD_HEADER, captured, read_32_of(record + 12, c->is_swapped)},
                                 c->link, &c->next);
        c->skipped += !c->has_more;
        c->at += RECORD_HEADER + captured;
    }
}

static bool open_capture(capture *c, const char *path, uint32_t capture_interface)
{
    uint32_t magic;

    if (!g_file_get_contents(path, &c->contents, &c->length, NULL) || c->length < FILE_HEADER)
        return false;
    magic = read_32_of((const uint8_t *)c->contents, false);
    c->is_swapped = magic == 0xd4c3b2a1 || magic == 0x4d3cb2a1;
    magic = read_32_of((const uint8_t *)c->contents, c->is_swapped);
    c->has_nanoseconds = magic == 0xa1b23c4d;
    c->link = read_32_of((const uint8_t *)c->contents + 20, c->is_swapped) & 0xffff;
    c->capture_interface = capture_interface;
    c->at = FILE_HEADER;
    read_next(c);
    return true;
}

/* NULL where all are at their end. */
static capture *find_earliest(capture *captures, unsigned count)
{
    capture *earliest = NULL;

    for (unsigned i = 0; i < count; i++) {
        if (captures[i].has_more && (earliest == NULL || captures[i].next.time < earliest->next.time))
            earliest = &captures[i];
    }
    return earliest;
}

int main(int argc, char **argv)
{
    enum { MOST_FILES = 8 };
    char *fields[MOST_FIELDS];
    capture captures[MOST_FILES] = {0}, *from;
    unsigned count = 0, files = 0;
    bool two_passes = false, is_usable = true;
    GArray *segments = g_array_new(false, false, sizeof(rstcause_segment));
    rstcause_tracker *tracker = rstcause_tracker_new(rstcause_stated_default_magic);
    uint32_t frame = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-2") == 0)
            two_passes = true;
        else if (strcmp(argv[i], "-e") == 0 && i + 1 < argc && count < MOST_FIELDS)
            fields[count++] = argv[++i];
        else if (files < MOST_FILES && open_capture(&captures[files], argv[i], files))
            files++;
        else
            is_usable = false;
    }
    if (files == 0 || !is_usable) {
        fputs("usage: replay [-2] [-e FIELD]... FILE...\n", stderr);
        return 2;
    }
    while ((from = find_earliest(captures, files)) != NULL) {
        rstcause_segment segment = from->next;

        segment.frame = frame += from->skipped + 1;
        rstcause_tracker_observe(tracker, &segment);
        if (two_passes)
            g_array_append_val(segments, segment);
        else
            print_line(tracker, &segment, fields, count);
        read_next(from);
    }
    if (two_passes)
        rstcause_tracker_finish(tracker);
    for (unsigned i = 0; i < segments->len; i++)
        print_line(tracker, &g_array_index(segments, rstcause_segment, i), fields, count);
    g_array_unref(segments);
    rstcause_tracker_free(tracker);
    for (unsigned i = 0; i < files; i++)
        g_free(captures[i].contents);
    return 0;
}
