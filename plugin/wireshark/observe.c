/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Observing: from Wireshark's tree to the bytes of the headers.
 *
 * A protocol's node tells where its header stands in the frame (or in what was reassembled from frames); the engine
 * reads the rest from there. The node's own length ends with the header, so it is not asked. Each wanted field costs
 * time in every frame, and before Wireshark 4.6 the nodes of protocols at the top of a tree are there without being
 * wanted. Only under the few dissectors that put what they carry into their own subtree (a Wi-Fi A-MSDU) TCP's has to
 * be.
 */
#include "observe.h"

#include <inttypes.h>
#include <string.h>

#include <wiretap/wtap.h>

#include "farewell.h"

/* The longest network header that is kept: IPv6's with one of extension, or IPv4's with all options. */
enum { MOST_NETWORK = 60, MOST_TCP = 60, TCP_HEADER = 20, TCP_DATA_OFFSET = 12, TCP_FLAGS = 13 };

/* Where a segment stands in the capture, as rstcause_segment has it. */
typedef struct {
    int64_t time;
    uint32_t frame, interface;
    uint8_t layer;
} capture_place;

/* A segment that waits until it is given to the tracker. */
typedef struct {
    capture_place place;
    uint32_t reported;      /* bytes of TCP header and payload on the wire */
    uint8_t network_length; /* bytes of network header, which TCP's follows */
    uint8_t tcp_captured;   /* bytes of TCP header */
    uint8_t headers[MOST_NETWORK + MOST_TCP];
} kept_segment;

/*
 * Between two frames Wireshark runs so much code that the plugin's code and the connections fall out of the processor's
 * caches. So of ordinary segments only the headers are kept, until there are this many or a reset is to be judged; then
 * all are read and followed, one after the other. One takes half of the time then that it takes by itself (measured
 * with the processor's clock in tshark -T fields, two dozen connections at a time; with 32 kept it was a fifth less).
 */
enum { MOST_KEPT = 512 };

static struct {
    kept_segment segments[MOST_KEPT];
    unsigned count;
} kept;

static dissector_handle_t observer;
/* A node is compared by where its registration stands: that is not loaded, as its id would be. */
static const header_field_info *info_ip, *info_ipv6, *info_tcp, *info_wlan, *info_f5;
static int proto_ip, proto_ipv6, proto_tcp, proto_icmp, proto_icmpv6, proto_wlan, proto_f5;
static int hf_f5_text, hf_f5_code, hf_f5_line, hf_f5_peer;

/*
 * What the capture file calls for. All is wanted until its first TCP segment; after that, what was not met in the file
 * is wanted only from the first frame on where it is met, too late for that frame itself.
 */
static struct {
    bool is_settled;
    bool tcp_in_subtrees;
    bool device_notes;
} needs;

static void append_field(GArray *wanted, int id)
{
    if (id > 0)
        g_array_append_val(wanted, id);
}

static void want_fields(void)
{
    GArray *wanted = g_array_new(false, false, sizeof(int));

    if (!TOP_OF_TREE_IS_COMPLETE) {
        append_field(wanted, proto_ip);
        append_field(wanted, proto_ipv6);
    }
    if (!TOP_OF_TREE_IS_COMPLETE || needs.tcp_in_subtrees)
        append_field(wanted, proto_tcp);
    if (needs.device_notes) {
        append_field(wanted, hf_f5_text);
        append_field(wanted, hf_f5_code);
        append_field(wanted, hf_f5_line);
        append_field(wanted, hf_f5_peer);
    }
    farewell_append_wanted(wanted);
    /* Where nothing is wanted there is no tree; the plugin's own protocol is in no tree yet, and costs nothing. */
    if (wanted->len == 0)
        append_field(wanted, dissector_handle_get_protocol_index(observer));
    set_postdissector_wanted_hfids(observer, wanted);
}

static const header_field_info *find_info(int id)
{
    return proto_registrar_get_nth((unsigned)id);
}

void prepare_observing(dissector_handle_t postdissector)
{
    observer = postdissector;
    proto_ip = proto_get_id_by_filter_name("ip");
    proto_ipv6 = proto_get_id_by_filter_name("ipv6");
    proto_tcp = proto_get_id_by_filter_name("tcp");
    proto_icmp = proto_get_id_by_filter_name("icmp");
    proto_icmpv6 = proto_get_id_by_filter_name("icmpv6");
    proto_wlan = proto_get_id_by_filter_name("wlan");
    proto_f5 = proto_get_id_by_filter_name("f5ethtrailer");
    info_ip = find_info(proto_ip);
    info_ipv6 = find_info(proto_ipv6);
    info_tcp = find_info(proto_tcp);
    info_wlan = find_info(proto_wlan);
    info_f5 = find_info(proto_f5);
    hf_f5_text = proto_registrar_get_id_byname("f5ethtrailer.rstcausetxt");
    hf_f5_code = proto_registrar_get_id_byname("f5ethtrailer.rstcauseval");
    hf_f5_line = proto_registrar_get_id_byname("f5ethtrailer.rstcauseline");
    hf_f5_peer = proto_registrar_get_id_byname("f5ethtrailer.rstcausepeer");
    farewell_look_up_fields();
    start_observing();
}

void start_observing(void)
{
    farewell_forget_protocols();
    kept.count = 0;
    needs.is_settled = false;
    needs.tcp_in_subtrees = needs.device_notes = true;
    want_fields();
}

/* Times before 1970 or after 2116 are nonsense in a damaged file; no difference or sum of two may overflow. */
static int64_t read_time(const packet_info *pinfo)
{
    const int64_t most_seconds = (INT64_C(1) << 62) / 1000000000 - 1;

    if (!(pinfo->rec->presence_flags & WTAP_HAS_TS))
        return 0;
    return CLAMP((int64_t)pinfo->abs_ts.secs, 0, most_seconds) * 1000000000 + CLAMP(pinfo->abs_ts.nsecs, 0, 999999999);
}

static uint32_t read_interface(const packet_info *pinfo)
{
    const wtap_rec *record = pinfo->rec;

    if (record->rec_type != REC_TYPE_PACKET || !(record->presence_flags & WTAP_HAS_INTERFACE_ID))
        return 0;
    return record->rec_header.packet_header.interface_id;
}

static void read_place(capture_place *place, const packet_info *pinfo, uint8_t layer)
{
    place->time = read_time(pinfo);
    place->frame = pinfo->num;
    place->interface = read_interface(pinfo);
    place->layer = layer;
}

static void set_place(rstcause_segment *segment, const capture_place *place)
{
    segment->time = place->time;
    segment->frame = place->frame;
    segment->interface = place->interface;
    segment->layer = place->layer;
}

/* The bytes from the first one of a protocol's header to the end of its buffer; NULL where there are none. */
static const uint8_t *find_bytes(const field_info *node, size_t *captured, size_t *reported)
{
    int left = node->ds_tvb != NULL ? tvb_captured_length_remaining(node->ds_tvb, node->start) : 0;

    if (left <= 0)
        return NULL;
    *captured = (size_t)left;
    *reported = (size_t)tvb_reported_length_remaining(node->ds_tvb, node->start);
    return tvb_get_ptr(node->ds_tvb, node->start, left);
}

/* What the top of a frame's tree has been seen to hold, from its first node up to 'next'. */
typedef struct {
    const proto_node *next;
    const field_info *network; /* the last network header */
    bool is_wireless, has_device_note;
} tree_walk;

/* Goes on to behind the next TCP header; NULL where there is none. */
static const field_info *find_next_tcp(tree_walk *walk)
{
    while (walk->next != NULL) {
        const field_info *field = PNODE_FINFO(walk->next);
        const header_field_info *info = node_info(walk->next);

        walk->next = walk->next->next;
        if (info == info_tcp)
            return field;
        if (info == info_ip || info == info_ipv6)
            walk->network = field;
        else if (info == info_wlan)
            walk->is_wireless = true;
        else if (info == info_f5)
            walk->has_device_note = true;
    }
    return NULL;
}

static void read_network(rstcause_segment *segment, const field_info *network, const field_info *tcp)
{
    /* In a reassembled datagram the two stand in different buffers, and the length in the header is a fragment's. */
    bool in_one_buffer = network->ds_tvb == tcp->ds_tvb && network->start < tcp->start;
    size_t to_tcp = in_one_buffer ? (size_t)(tcp->start - network->start) : 0;
    size_t captured, reported;
    const uint8_t *header = find_bytes(network, &captured, &reported);

    if (header != NULL && rstcause_segment_read_network(segment, header, captured, to_tcp) && !in_one_buffer)
        segment->network_length = 0;
}

/*
 * For a TCP header without a network node: reads the network header that ends right before it, if there is one. It
 * has no options then, says that TCP follows, and its length agrees with what is there.
 */
static void read_adjacent_network(rstcause_segment *segment, const field_info *tcp, size_t reported)
{
    enum { IPV4_HEADER = 20, IPV6_HEADER = 40, NEXT_IS_TCP = 6 };
    static const int header_lengths[] = {IPV4_HEADER, IPV6_HEADER};

    for (size_t i = 0; i < G_N_ELEMENTS(header_lengths); i++) {
        const int length = header_lengths[i];
        const uint8_t *header;
        size_t tcp_length;
        bool fits;

        if (tcp->start < length)
            return;
        header = tvb_get_ptr(tcp->ds_tvb, tcp->start - length, length);
        if (length == IPV4_HEADER) {
            fits = header[0] == 0x45 && header[9] == NEXT_IS_TCP;
            tcp_length = (size_t)(header[2] << 8 | header[3]) - IPV4_HEADER;
        } else {
            fits = header[0] >> 4 == 6 && header[6] == NEXT_IS_TCP;
            tcp_length = (size_t)(header[4] << 8 | header[5]);
        }
        if (fits && tcp_length >= TCP_HEADER && tcp_length <= reported) {
            rstcause_segment_read_network(segment, header, (size_t)length, (size_t)length);
            return;
        }
    }
}

static fvalue_t *find_value(const proto_tree *tree, int id)
{
    GPtrArray *found = id > 0 ? proto_get_finfo_ptr_array(tree, id) : NULL;

    return found != NULL && found->len > 0 ? field_value((field_info *)g_ptr_array_index(found, 0)) : NULL;
}

/* What an F5 BIG-IP noted in the trailer of a frame that it captured itself, as it writes it into a payload. */
static const char *read_device_note(const packet_info *pinfo, const proto_tree *tree)
{
    fvalue_t *text = find_value(tree, hf_f5_text);
    fvalue_t *code = find_value(tree, hf_f5_code);
    fvalue_t *line = find_value(tree, hf_f5_line);
    fvalue_t *peer = find_value(tree, hf_f5_peer);

    if (text == NULL || code == NULL || line == NULL)
        return NULL;
    return wmem_strdup_printf(pinfo->pool, "[0x%" PRIx64 ":%u] %s%s", fvalue_get_uinteger64(code),
                              fvalue_get_uinteger(line),
                              peer != NULL && fvalue_get_uinteger(peer) == 1 ? "{peer} " : "", fvalue_get_string(text));
}

/* All that the frame holds of a segment; false where that is not even its flags. */
static G_GNUC_NO_INLINE bool read_segment(rstcause_segment *segment, const packet_info *pinfo, uint8_t layer,
                                          const field_info *tcp, const field_info *network)
{
    size_t captured, reported;
    const uint8_t *header = find_bytes(tcp, &captured, &reported);
    capture_place place;

    if (header == NULL)
        return false;
    read_place(&place, pinfo, layer);
    set_place(segment, &place);
    if (network != NULL)
        read_network(segment, network, tcp);
    else
        read_adjacent_network(segment, tcp, reported);
    return rstcause_segment_read_tcp(segment, header, captured, reported);
}

static bool read_kept(const kept_segment *from, rstcause_segment *segment)
{
    set_place(segment, &from->place);
    rstcause_segment_read_network(segment, from->headers, from->network_length, from->network_length);
    return rstcause_segment_read_tcp(segment, from->headers + from->network_length, from->tcp_captured, from->reported);
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

/*
 * Keeps the headers of an ordinary segment that has them one behind the other. Returns how many bytes of payload it
 * has; -1 where it is no such segment, and nothing is kept.
 */
static int keep_segment(rstcause_tracker *tracker, const packet_info *pinfo, uint8_t layer, const field_info *tcp,
                        const field_info *network)
{
    int network_length = network != NULL && network->ds_tvb == tcp->ds_tvb ? tcp->start - network->start : 0;
    kept_segment *segment;
    int captured, tcp_length;

    if (network_length <= 0 || network_length > MOST_NETWORK)
        return -1;
    captured = MIN(tvb_captured_length_remaining(tcp->ds_tvb, tcp->start), MOST_TCP);
    if (captured < TCP_HEADER)
        return -1;
    if (kept.count == MOST_KEPT)
        observe_kept(tracker);
    segment = &kept.segments[kept.count];
    tvb_memcpy(tcp->ds_tvb, segment->headers, network->start, (size_t)(network_length + captured));
    tcp_length = (segment->headers[network_length + TCP_DATA_OFFSET] >> 4) * 4;
    if (tcp_length < TCP_HEADER || (segment->headers[network_length + TCP_FLAGS] & RSTCAUSE_RST))
        return -1;
    read_place(&segment->place, pinfo, layer);
    segment->reported = (uint32_t)tvb_reported_length_remaining(tcp->ds_tvb, tcp->start);
    segment->network_length = (uint8_t)network_length;
    segment->tcp_captured = (uint8_t)captured;
    kept.count++;
    return MAX((int)segment->reported - tcp_length, 0);
}

static G_GNUC_NO_INLINE void note_last_words(rstcause_tracker *tracker, const packet_info *pinfo, uint8_t layer,
                                             const field_info *tcp, const field_info *network, const char *words)
{
    rstcause_segment segment = {0};

    if (!read_segment(&segment, pinfo, layer, tcp, network))
        return;
    observe_kept(tracker);
    rstcause_tracker_note_last_words(tracker, &segment, words);
}

/* Sets how many bytes of payload the segment has; returns whether it is a reset. */
static G_GNUC_NO_INLINE bool observe_at_once(rstcause_tracker *tracker, const packet_info *pinfo,
                                             const proto_tree *tree, uint8_t layer, const field_info *tcp,
                                             const field_info *network, int *payload)
{
    rstcause_segment segment = {0};

    observe_kept(tracker);
    if (!read_segment(&segment, pinfo, layer, tcp, network))
        return false;
    *payload = (int)segment.length;
    if (segment.flags & RSTCAUSE_RST)
        segment.device_note = read_device_note(pinfo, tree);
    return rstcause_tracker_observe(tracker, &segment);
}

/* Returns whether it is a reset. */
static bool observe_segment(rstcause_tracker *tracker, packet_info *pinfo, proto_tree *tree, uint8_t layer,
                            const field_info *tcp, const field_info *network, bool is_innermost)
{
    int payload = keep_segment(tracker, pinfo, layer, tcp, network);
    bool wants_more = false;
    const char *words;

    if (payload < 0 && observe_at_once(tracker, pinfo, tree, layer, tcp, network, &payload))
        return true;
    /* What the innermost of a frame's segments carries is what the frame's application says. */
    if (!is_innermost || payload <= 0)
        return false;
    words = farewell_read(pinfo, tree, &wants_more);
    if (words != NULL)
        note_last_words(tracker, pinfo, layer, tcp, network, words);
    if (wants_more)
        want_fields();
    return false;
}

typedef struct {
    unsigned live; /* TCP headers that are no quotation: what an ICMP error quotes was sent at another time */
    bool is_wireless, has_device_note;
} layers_met;

static layers_met survey_layers(const packet_info *pinfo)
{
    layers_met met = {0};
    bool is_quotation = false;

    for (wmem_list_frame_t *frame = wmem_list_head(pinfo->layers); frame != NULL; frame = wmem_list_frame_next(frame)) {
        int protocol = GPOINTER_TO_INT(wmem_list_frame_data(frame));

        if (protocol == proto_tcp)
            met.live += !is_quotation && met.live < G_MAXUINT8;
        else if (protocol == proto_icmp || protocol == proto_icmpv6)
            is_quotation = true;
        else if (protocol == proto_wlan)
            met.is_wireless = true;
        else if (protocol == proto_f5)
            met.has_device_note = true;
    }
    return met;
}

/* Wants what the frame shows to be needed; after the first one, no longer what it does not. */
static G_GNUC_NO_INLINE void settle_needs(bool tcp_in_subtrees, bool device_notes)
{
    if (needs.is_settled) {
        tcp_in_subtrees |= needs.tcp_in_subtrees;
        device_notes |= needs.device_notes;
        if (tcp_in_subtrees == needs.tcp_in_subtrees && device_notes == needs.device_notes)
            return;
    }
    needs.is_settled = true;
    needs.tcp_in_subtrees = tcp_in_subtrees;
    needs.device_notes = device_notes;
    want_fields();
}

/* In files where TCP's node is wanted: those below the top, too. Returns what observe_frame() does. */
static G_GNUC_NO_INLINE unsigned observe_everywhere(rstcause_tracker *tracker, packet_info *pinfo, proto_tree *tree)
{
    const layers_met met = survey_layers(pinfo);
    GPtrArray *all = met.live > 0 ? proto_get_finfo_ptr_array(tree, proto_tcp) : NULL;
    /* A header that is cut off before its ports has a layer but no node. */
    unsigned live = all != NULL ? MIN(met.live, all->len) : 0;
    tree_walk walk = {.next = tree->first_child};
    const field_info *at_top = find_next_tcp(&walk);
    bool is_below_top = false;
    unsigned with_reset = 0;

    for (unsigned layer = 0; layer < live; layer++) {
        const field_info *tcp = (const field_info *)g_ptr_array_index(all, layer);

        is_below_top |= tcp != at_top;
        if (observe_segment(tracker, pinfo, tree, (uint8_t)layer, tcp, tcp == at_top ? walk.network : NULL,
                            layer + 1 == live))
            with_reset = layer + 1;
        if (tcp == at_top)
            at_top = find_next_tcp(&walk);
    }
    if (live > 0)
        settle_needs(is_below_top || met.is_wireless, met.has_device_note);
    return with_reset;
}

/* In all others. */
static unsigned observe_at_top(rstcause_tracker *tracker, packet_info *pinfo, proto_tree *tree, unsigned layers)
{
    tree_walk walk = {.next = tree->first_child};
    const field_info *tcp;
    bool is_below_top = false;
    unsigned found = 0, with_reset = 0;

    while ((tcp = find_next_tcp(&walk)) != NULL && found < layers) {
        found++;
        if (observe_segment(tracker, pinfo, tree, (uint8_t)(found - 1), tcp, walk.network, found == layers))
            with_reset = found;
    }
    if (found < layers)
        is_below_top = found < survey_layers(pinfo).live;
    if (is_below_top || walk.is_wireless || walk.has_device_note)
        settle_needs(is_below_top || walk.is_wireless, walk.has_device_note);
    return with_reset;
}

static unsigned count_layers(const packet_info *pinfo, int protocol)
{
    const int *count =
        pinfo->proto_layers != NULL ? wmem_map_lookup(pinfo->proto_layers, GINT_TO_POINTER(protocol)) : NULL;

    return count != NULL ? MIN((unsigned)*count, G_MAXUINT8) : 0;
}

unsigned observe_frame(rstcause_tracker *tracker, packet_info *pinfo, proto_tree *tree)
{
    unsigned layers = count_layers(pinfo, proto_tcp);

    if (layers == 0)
        return 0;
    return needs.tcp_in_subtrees ? observe_everywhere(tracker, pinfo, tree)
                                 : observe_at_top(tracker, pinfo, tree, layers);
}
