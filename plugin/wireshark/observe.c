/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Observing: from a dissected frame to the bytes of its segments' headers.
 *
 * Wireshark builds no tree of most frames, and none is wanted here: it would cost more than all the rest. What its
 * dissectors leave behind without one are the protocols of the frame, in their order, the addresses of the innermost
 * network header, and the ports of each TCP header. The engine finds the headers in the frame's bytes that agree with
 * all of that. Nothing gives their place itself, in Wireshark 4.0 to 4.6: taps are given TCP's fields, but no IP header
 * and no options, and only while something else taps.
 */
#include "observe.h"

#include <string.h>

#include <epan/proto_data.h>
#include <wiretap/wtap.h>

#include "rstcause/headers.h"
#include "rstcause/stated.h"

/* The longest network header that is kept: IPv6's with one of extension, or IPv4's with all options. */
enum { MOST_NETWORK = 60, MOST_TCP = 60, TCP_HEADER = 20, TCP_DATA_OFFSET = 12, TCP_FLAGS = 13 };

/* More TCP headers than any tunnel has in one frame. */
enum { MOST_LAYERS = 32 };

/* Where a segment stands in the capture, as rstcause_segment has it. */
typedef struct {
    int64_t taken;
    uint32_t frame, capture_interface;
    uint8_t layer;
} capture_place;

/* A segment that waits until it is given to the tracker. */
typedef struct {
    capture_place place;
    uint32_t reported;      /* bytes of TCP header and payload on the wire */
    uint8_t network_length; /* bytes of network header, which TCP's follows */
    uint8_t tcp_captured;   /* bytes of TCP header */
    rstcause_first_bytes said;
    uint8_t headers[MOST_NETWORK + MOST_TCP];
} kept_segment;

/*
 * Between two frames Wireshark runs so much code that the plugin's code and the connections fall out of the processor's
 * caches. So of ordinary segments only the headers are kept, until there are this many or a reset is to be judged; then
 * all are read and followed, one after the other. That pays, if not much: tshark takes 0.990 of the time that it takes
 * where each segment is followed at once, a sixth of what the plugin costs (median of 15 pairs on 100,000 packets of
 * recorded traffic, -r; with -T fields it is 0.991).
 */
enum { MOST_KEPT = 512 };

static struct {
    kept_segment segments[MOST_KEPT];
    unsigned count;
} kept;

static int proto_ip, proto_ipv6, proto_tcp, proto_icmp, proto_icmpv6;
static int hf_source_port, hf_destination_port;

/* A buffer of the frame: itself, or what was decrypted, decompressed or put together from parts. */
typedef struct {
    const uint8_t *bytes;
    size_t captured, reported;
} buffer;

/* The headers of a segment in the frame. */
typedef struct {
    buffer network, tcp; /* one and the same buffer but for fragments and the like, where is_apart */
    bool is_apart;
    unsigned source; /* the place of TCP's buffer in pinfo->data_src */
    rstcause_headers at;
} found_segment;

/* Where the headers of a frame's next segment may begin: behind those of the one before. */
typedef struct {
    unsigned source;
    size_t at;
} search_start;

/* Where the first and the second segment of a frame stood last: they are looked for there first. */
static search_start usual[2];

void prepare_observing(void)
{
    proto_ip = proto_get_id_by_filter_name("ip");
    proto_ipv6 = proto_get_id_by_filter_name("ipv6");
    proto_tcp = proto_get_id_by_filter_name("tcp");
    proto_icmp = proto_get_id_by_filter_name("icmp");
    proto_icmpv6 = proto_get_id_by_filter_name("icmpv6");
    hf_source_port = proto_registrar_get_id_byname("tcp.srcport");
    hf_destination_port = proto_registrar_get_id_byname("tcp.dstport");
}

void start_observing(void)
{
    kept.count = 0;
    memset(usual, 0, sizeof usual);
}

/* Times before 1970 or after 2116 are nonsense in a damaged file; no difference or sum of two may overflow. */
int64_t read_time(const packet_info *pinfo)
{
    const int64_t most_seconds = (INT64_C(1) << 62) / 1000000000 - 1;

    if (!(pinfo->rec->presence_flags & WTAP_HAS_TS))
        return 0;
    return CLAMP((int64_t)pinfo->abs_ts.secs, 0, most_seconds) * 1000000000 + CLAMP(pinfo->abs_ts.nsecs, 0, 999999999);
}

/* Each section of a pcapng file numbers its interfaces anew. No file has 65,536 of either. */
static uint32_t read_interface(const packet_info *pinfo)
{
    const wtap_rec *record = pinfo->rec;
    uint32_t section = (record->presence_flags & WTAP_HAS_SECTION_NUMBER) != 0 ? record->section_number : 0;

    if (record->rec_type != REC_TYPE_PACKET || !(record->presence_flags & WTAP_HAS_INTERFACE_ID))
        return section << 16;
    return section << 16 | (record->rec_header.packet_header.interface_id & 0xffff);
}

static void read_place(capture_place *place, const packet_info *pinfo, uint8_t layer)
{
    place->taken = read_time(pinfo);
    place->frame = pinfo->num;
    place->capture_interface = read_interface(pinfo);
    place->layer = layer;
}

static void set_place(rstcause_segment *segment, const capture_place *place)
{
    segment->time = place->taken;
    segment->frame = place->frame;
    segment->capture_interface = place->capture_interface;
    segment->layer = place->layer;
}

/* The protocols of a frame, as far as they matter here. */
typedef struct {
    unsigned tcp_count;            /* TCP headers that are no quotation: what an ICMP error quotes was sent before */
    uint8_t tcp_keys[MOST_LAYERS]; /* place of each among the frame's protocols */
    uint8_t last_network;          /* that of the innermost IP header */
} frame_layers;

static void survey_layers(frame_layers *layers, const packet_info *pinfo)
{
    bool is_quotation = false;
    uint8_t key = 0;

    layers->tcp_count = layers->last_network = 0;
    for (wmem_list_frame_t *at = wmem_list_head(pinfo->layers); at != NULL && key < UINT8_MAX;
         at = wmem_list_frame_next(at)) {
        int protocol = GPOINTER_TO_INT(wmem_list_frame_data(at));

        key++;
        if (protocol == proto_tcp && !is_quotation && layers->tcp_count < MOST_LAYERS)
            layers->tcp_keys[layers->tcp_count++] = key;
        else if (protocol == proto_ip || protocol == proto_ipv6)
            layers->last_network = key;
        else if (protocol == proto_icmp || protocol == proto_icmpv6)
            is_quotation = true;
    }
}

/*
 * TCP's dissector leaves the ports under its place among the frame's protocols. Where a dissector before it showed
 * nothing in a tree, it is no longer among them, and the place is a later one. Port 0 looks as if it were not there.
 */
static void find_ports(rstcause_wanted *wanted, packet_info *pinfo, uint8_t *key)
{
    for (unsigned later = *key; later <= pinfo->curr_layer_num; later++) {
        wanted->source_port = (uint16_t)GPOINTER_TO_UINT(p_get_proto_data(pinfo->pool, pinfo, hf_source_port, later));
        wanted->destination_port =
            (uint16_t)GPOINTER_TO_UINT(p_get_proto_data(pinfo->pool, pinfo, hf_destination_port, later));
        if (wanted->source_port != 0 || wanted->destination_port != 0) {
            *key = (uint8_t)later;
            return;
        }
    }
}

/* Only the innermost network header's are known. */
static void find_addresses(rstcause_wanted *wanted, const packet_info *pinfo)
{
    const address *source = &pinfo->net_src, *destination = &pinfo->net_dst;

    if (source->type != destination->type || (source->type != AT_IPv4 && source->type != AT_IPv6))
        return;
    wanted->source = source->data;
    wanted->destination = destination->data;
    wanted->address_length = source->type == AT_IPv4 ? 4 : 16;
}

static bool get_buffer(buffer *found, const packet_info *pinfo, unsigned source)
{
    struct data_source *data = g_slist_nth_data(pinfo->data_src, source);
    tvbuff_t *tvb = data != NULL ? get_data_source_tvb(data) : NULL;

    if (tvb == NULL)
        return false;
    found->captured = tvb_captured_length(tvb);
    found->reported = tvb_reported_length(tvb);
    found->bytes = tvb_get_ptr(tvb, 0, (int)found->captured);
    return true;
}

/* Looks where the last frame's stood, then everywhere. */
static bool find_together(found_segment *found, const packet_info *pinfo, const rstcause_wanted *wanted, uint8_t layer,
                          const search_start *from)
{
    bool has_usual = layer < G_N_ELEMENTS(usual);

    if (has_usual && (usual[layer].source > from->source || usual[layer].at >= from->at) &&
        get_buffer(&found->tcp, pinfo, usual[layer].source) &&
        rstcause_headers_are_at(&found->at, found->tcp.bytes, found->tcp.captured, usual[layer].at, wanted)) {
        found->source = usual[layer].source;
        return true;
    }
    for (found->source = from->source; get_buffer(&found->tcp, pinfo, found->source); found->source++) {
        size_t start = found->source == from->source ? from->at : 0;

        if (rstcause_headers_find(&found->at, found->tcp.bytes, found->tcp.captured, start, wanted)) {
            if (has_usual)
                usual[layer] = (search_start){found->source, found->at.network};
            return true;
        }
    }
    return false;
}

/* The network header in one buffer, TCP's at the beginning of a later one. */
static bool find_apart(found_segment *found, const packet_info *pinfo, const rstcause_wanted *wanted)
{
    uint8_t carried;

    for (unsigned source = 0; get_buffer(&found->network, pinfo, source); source++) {
        if (!rstcause_headers_find_network(&found->at.network, &carried, found->network.bytes, found->network.captured,
                                           wanted))
            continue;
        for (found->source = source + 1; get_buffer(&found->tcp, pinfo, found->source); found->source++)
            if (rstcause_headers_find_tcp(&found->at.tcp, carried, found->tcp.bytes, found->tcp.captured, wanted))
                return true;
    }
    return false;
}

static bool find_segment(found_segment *found, const packet_info *pinfo, const rstcause_wanted *wanted, uint8_t layer,
                         const search_start *from)
{
    bool is_together = find_together(found, pinfo, wanted, layer, from);

    found->is_apart = false;
    if (is_together && !found->at.is_fragment) {
        found->network = found->tcp;
    } else {
        found_segment apart;

        /* The first fragment may come last, and hold TCP's header, too. */
        if (find_apart(&apart, pinfo, wanted)) {
            *found = apart;
            found->is_apart = true;
        } else if (is_together) {
            found->network = found->tcp;
        } else {
            return false;
        }
    }
    return true;
}

static size_t tcp_captured(const found_segment *found)
{
    return found->tcp.captured - found->at.tcp;
}

static size_t tcp_reported(const found_segment *found)
{
    return found->tcp.reported - found->at.tcp;
}

/* All that the frame holds of a segment; false where that is not even its flags. */
static bool read_segment(rstcause_segment *segment, const packet_info *pinfo, uint8_t layer, const found_segment *found)
{
    const uint8_t *network = found->network.bytes + found->at.network;
    size_t to_tcp = found->is_apart ? 0 : found->at.tcp - found->at.network;
    capture_place place;

    read_place(&place, pinfo, layer);
    set_place(segment, &place);
    rstcause_segment_read_network(segment, network, found->network.captured - found->at.network, to_tcp);
    /* The length in the header is a fragment's, or that of what is encrypted or compressed. */
    if (found->is_apart)
        segment->network_length = 0;
    return rstcause_segment_read_tcp(segment, found->tcp.bytes + found->at.tcp, tcp_captured(found),
                                     tcp_reported(found));
}

static bool read_kept(const kept_segment *from, rstcause_segment *segment)
{
    set_place(segment, &from->place);
    rstcause_segment_read_network(segment, from->headers, from->network_length, from->network_length);
    if (!rstcause_segment_read_tcp(segment, from->headers + from->network_length, from->tcp_captured, from->reported))
        return false;
    segment->said = from->said;
    return true;
}

void observe_kept(rstcause_tracker *tracker)
{
    for (unsigned i = 0; i < kept.count; i++) {
        rstcause_segment segment = {0};

        if (read_kept(&kept.segments[i], &segment))
            rstcause_tracker_observe(tracker, &segment);
    }
    kept.count = 0;
}

static rstcause_first_bytes read_first_bytes(const found_segment *found, size_t tcp_length, uint16_t source_port)
{
    size_t payload = found->at.tcp + tcp_length;
    size_t end = found->at.end != 0 ? MIN(found->at.end, found->tcp.captured) : found->tcp.captured;
    rstcause_first_bytes nothing = {0};

    return end > payload ? rstcause_first_bytes_read(found->tcp.bytes + payload, end - payload, source_port) : nothing;
}

/* Keeps the headers of an ordinary segment that has them one behind the other; false where it is none. */
static bool keep_segment(rstcause_tracker *tracker, const packet_info *pinfo, uint8_t layer, uint16_t source_port,
                         const found_segment *found)
{
    size_t network_length = found->at.tcp - found->at.network;
    const uint8_t *network = found->tcp.bytes + found->at.network, *tcp = found->tcp.bytes + found->at.tcp;
    size_t captured = MIN(tcp_captured(found), MOST_TCP);
    size_t tcp_length = (size_t)(tcp[TCP_DATA_OFFSET] >> 4) * 4;
    kept_segment *segment;

    if (found->is_apart || network_length > MOST_NETWORK || captured < TCP_HEADER || tcp_length < TCP_HEADER ||
        (tcp[TCP_FLAGS] & RSTCAUSE_RST))
        return false;
    if (kept.count == MOST_KEPT)
        observe_kept(tracker);
    segment = &kept.segments[kept.count++];
    memcpy(segment->headers, network, network_length + captured);
    read_place(&segment->place, pinfo, layer);
    segment->reported = (uint32_t)tcp_reported(found);
    segment->network_length = (uint8_t)network_length;
    segment->tcp_captured = (uint8_t)captured;
    segment->said = read_first_bytes(found, tcp_length, source_port);
    return true;
}

/* What an F5 BIG-IP noted behind the packet in a frame that it captured itself; to be freed with g_free(). */
static char *read_device_note(const found_segment *found)
{
    size_t end = found->at.end;

    if (found->is_apart || end == 0 || end >= found->tcp.captured)
        return NULL;
    return rstcause_stated_read_f5_trailer(found->tcp.bytes + end, found->tcp.captured - end);
}

/* Returns whether it is a reset. */
static bool observe_at_once(rstcause_tracker *tracker, const packet_info *pinfo, uint8_t layer,
                            const found_segment *found)
{
    rstcause_segment segment = {0};
    bool is_reset;
    char *note = NULL;

    observe_kept(tracker);
    if (!read_segment(&segment, pinfo, layer, found))
        return false;
    if (segment.flags & RSTCAUSE_RST)
        segment.device_note = note = read_device_note(found);
    is_reset = rstcause_tracker_observe(tracker, &segment);
    g_free(note);
    return is_reset;
}

static unsigned count_layers(const packet_info *pinfo, int protocol)
{
    const int *count = wmem_map_lookup(pinfo->proto_layers, GINT_TO_POINTER(protocol));

    return count != NULL ? (unsigned)*count : 0;
}

/* What an ICMP error quotes stands behind a network header and ICMP's own. */
static bool may_be_quotation(const packet_info *pinfo, size_t at)
{
    const size_t shortest_ip_and_icmp = 20 + 8;

    return at >= shortest_ip_and_icmp &&
           (count_layers(pinfo, proto_icmp) != 0 || count_layers(pinfo, proto_icmpv6) != 0);
}

/*
 * An ordinary frame has one TCP header, in the usual place, and its ports are the last that a dissector set: one
 * comparison finds it, and what would take longer to look up is not looked up.
 */
static bool find_ordinary(found_segment *found, const packet_info *pinfo, rstcause_wanted *wanted)
{
    if (pinfo->ptype != PT_TCP)
        return false;
    wanted->source_port = (uint16_t)pinfo->srcport;
    wanted->destination_port = (uint16_t)pinfo->destport;
    find_addresses(wanted, pinfo);
    if (wanted->address_length == 0 || !get_buffer(&found->tcp, pinfo, usual[0].source) ||
        !rstcause_headers_are_at(&found->at, found->tcp.bytes, found->tcp.captured, usual[0].at, wanted) ||
        found->at.is_fragment || may_be_quotation(pinfo, usual[0].at))
        return false;
    found->source = usual[0].source;
    found->network = found->tcp;
    found->is_apart = false;
    return true;
}

/* Returns whether it is a reset. */
static bool observe_segment(rstcause_tracker *tracker, const packet_info *pinfo, uint8_t layer,
                            const rstcause_wanted *wanted, const found_segment *found)
{
    return !keep_segment(tracker, pinfo, layer, wanted->source_port, found) &&
           observe_at_once(tracker, pinfo, layer, found);
}

/* What observe_frame() does, for all other frames. */
static G_GNUC_NO_INLINE unsigned observe_layers(rstcause_tracker *tracker, packet_info *pinfo)
{
    frame_layers layers;
    search_start start = {0};
    unsigned with_reset = 0;
    uint8_t key = 0;

    survey_layers(&layers, pinfo);
    for (unsigned layer = 0; layer < layers.tcp_count; layer++) {
        rstcause_wanted wanted = {0};
        found_segment found;

        key = (uint8_t)MAX(layers.tcp_keys[layer], key + 1);
        find_ports(&wanted, pinfo, &key);
        if (layers.last_network < layers.tcp_keys[layer])
            find_addresses(&wanted, pinfo);
        if (!find_segment(&found, pinfo, &wanted, (uint8_t)layer, &start))
            continue;
        start = (search_start){found.source, found.at.tcp + TCP_HEADER};
        if (observe_segment(tracker, pinfo, (uint8_t)layer, &wanted, &found))
            with_reset = layer + 1;
    }
    return with_reset;
}

unsigned observe_frame(rstcause_tracker *tracker, packet_info *pinfo)
{
    unsigned count = pinfo->proto_layers != NULL ? count_layers(pinfo, proto_tcp) : 0;
    rstcause_wanted wanted = {0};
    found_segment found;

    if (count == 0)
        return 0;
    if (count == 1 && find_ordinary(&found, pinfo, &wanted))
        return observe_segment(tracker, pinfo, 0, &wanted, &found) ? 1 : 0;
    return observe_layers(tracker, pinfo);
}
