/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Observing: from Wireshark's tree to the bytes of the headers.
 *
 * A protocol's node tells where its header stands in the frame (or in what was reassembled from frames); the engine
 * reads the rest from there. The node's own length ends with the header, so it is not asked. TCP's node is the one
 * thing wanted of the tree, since each wanted field costs time in every frame; IP's node is there without being
 * wanted, as all nodes at the top of a tree are. Only under the few dissectors that put what they carry into their
 * own subtree (a Wi-Fi A-MSDU) it may be missing.
 */
#include "observe.h"

#include <wiretap/wtap.h>

#include "farewell.h"

static dissector_handle_t observer;
static int proto_ip, proto_ipv6, proto_tcp, proto_icmp, proto_icmpv6;
static int hf_f5_text, hf_f5_code, hf_f5_line, hf_f5_peer;

static void append_field(GArray *wanted, int id)
{
    if (id > 0)
        g_array_append_val(wanted, id);
}

static void want_fields(void)
{
    GArray *wanted = g_array_new(FALSE, FALSE, sizeof(int));

    append_field(wanted, proto_tcp);
    append_field(wanted, hf_f5_text);
    append_field(wanted, hf_f5_code);
    append_field(wanted, hf_f5_line);
    append_field(wanted, hf_f5_peer);
    farewell_append_wanted(wanted);
    set_postdissector_wanted_hfids(observer, wanted);
}

void prepare_observing(dissector_handle_t postdissector)
{
    observer = postdissector;
    proto_ip = proto_get_id_by_filter_name("ip");
    proto_ipv6 = proto_get_id_by_filter_name("ipv6");
    proto_tcp = proto_get_id_by_filter_name("tcp");
    proto_icmp = proto_get_id_by_filter_name("icmp");
    proto_icmpv6 = proto_get_id_by_filter_name("icmpv6");
    hf_f5_text = proto_registrar_get_id_byname("f5ethtrailer.rstcausetxt");
    hf_f5_code = proto_registrar_get_id_byname("f5ethtrailer.rstcauseval");
    hf_f5_line = proto_registrar_get_id_byname("f5ethtrailer.rstcauseline");
    hf_f5_peer = proto_registrar_get_id_byname("f5ethtrailer.rstcausepeer");
    farewell_look_up_fields();
    want_fields();
}

void start_observing(void)
{
    farewell_forget_protocols();
    want_fields();
}

/* Times before 1970 or after 2116 are nonsense in a damaged file; no difference or sum of two may overflow. */
static gint64 read_time(const packet_info *pinfo)
{
    const gint64 most_seconds = (G_GINT64_CONSTANT(1) << 62) / 1000000000 - 1;

    if (!(pinfo->rec->presence_flags & WTAP_HAS_TS))
        return 0;
    return CLAMP((gint64)pinfo->abs_ts.secs, 0, most_seconds) * 1000000000 + CLAMP(pinfo->abs_ts.nsecs, 0, 999999999);
}

static guint32 read_interface(const packet_info *pinfo)
{
    const wtap_rec *record = pinfo->rec;

    if (record->rec_type != REC_TYPE_PACKET || !(record->presence_flags & WTAP_HAS_INTERFACE_ID))
        return 0;
    return record->rec_header.packet_header.interface_id;
}

/* The bytes from the first one of a protocol's header to the end of its buffer; NULL where there are none. */
static const guint8 *find_bytes(const field_info *node, gsize *captured, gsize *reported)
{
    gint left = node->ds_tvb != NULL ? tvb_captured_length_remaining(node->ds_tvb, node->start) : 0;

    if (left <= 0)
        return NULL;
    *captured = (gsize)left;
    *reported = (gsize)tvb_reported_length_remaining(node->ds_tvb, node->start);
    return tvb_get_ptr(node->ds_tvb, node->start, left);
}

/* The last network header at the top of the tree before this TCP header, NULL where that is not at the top itself. */
static const field_info *find_network(const proto_tree *tree, const field_info *tcp)
{
    const field_info *network = NULL;

    for (proto_node *node = tree->first_child; node != NULL; node = node->next) {
        const field_info *protocol = PNODE_FINFO(node);

        if (protocol == tcp)
            return network;
        if (protocol != NULL && (protocol->hfinfo->id == proto_ip || protocol->hfinfo->id == proto_ipv6))
            network = protocol;
    }
    return NULL;
}

static void read_network(rstcause_segment *segment, const field_info *network, const field_info *tcp)
{
    /* In a reassembled datagram the two stand in different buffers, and the length in the header is a fragment's. */
    gboolean in_one_buffer = network->ds_tvb == tcp->ds_tvb && network->start < tcp->start;
    gsize to_tcp = in_one_buffer ? (gsize)(tcp->start - network->start) : 0;
    gsize captured, reported;
    const guint8 *header = find_bytes(network, &captured, &reported);

    if (header != NULL && rstcause_segment_read_network(segment, header, captured, to_tcp) && !in_one_buffer)
        segment->network_length = 0;
}

/*
 * For a TCP header without a network node: reads the network header that ends right before it, if there is one. It
 * has no options then, says that TCP follows, and its length agrees with what is there.
 */
static void read_adjacent_network(rstcause_segment *segment, const field_info *tcp, gsize reported)
{
    enum { IPV4_HEADER = 20, IPV6_HEADER = 40, TCP_HEADER = 20, NEXT_IS_TCP = 6 };
    static const gint header_lengths[] = {IPV4_HEADER, IPV6_HEADER};

    for (gsize i = 0; i < G_N_ELEMENTS(header_lengths); i++) {
        const gint length = header_lengths[i];
        const guint8 *header;
        gsize tcp_length;
        gboolean fits;

        if (tcp->start < length)
            return;
        header = tvb_get_ptr(tcp->ds_tvb, tcp->start - length, length);
        if (length == IPV4_HEADER) {
            fits = header[0] == 0x45 && header[9] == NEXT_IS_TCP;
            tcp_length = (gsize)(header[2] << 8 | header[3]) - IPV4_HEADER;
        } else {
            fits = header[0] >> 4 == 6 && header[6] == NEXT_IS_TCP;
            tcp_length = (gsize)(header[4] << 8 | header[5]);
        }
        if (fits && tcp_length >= TCP_HEADER && tcp_length <= reported) {
            rstcause_segment_read_network(segment, header, (gsize)length, (gsize)length);
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
    return wmem_strdup_printf(pinfo->pool, "[0x%" G_GINT64_MODIFIER "x:%u] %s%s", fvalue_get_uinteger64(code),
                              fvalue_get_uinteger(line),
                              peer != NULL && fvalue_get_uinteger(peer) == 1 ? "{peer} " : "", fvalue_get_string(text));
}

/* What the innermost of a frame's segments carries is what the frame's application says. */
static gboolean observe_segment(rstcause_tracker *tracker, packet_info *pinfo, proto_tree *tree, guint8 layer,
                                const field_info *tcp, gboolean is_innermost)
{
    rstcause_segment segment = {0};
    const field_info *network = find_network(tree, tcp);
    gsize captured, reported;
    const guint8 *header = find_bytes(tcp, &captured, &reported);
    gboolean wants_more = FALSE;
    const char *words;

    if (header == NULL)
        return FALSE;
    segment.frame = pinfo->num;
    segment.layer = layer;
    segment.interface = read_interface(pinfo);
    segment.time = read_time(pinfo);
    if (network != NULL)
        read_network(&segment, network, tcp);
    else
        read_adjacent_network(&segment, tcp, reported);
    if (!rstcause_segment_read_tcp(&segment, header, captured, reported))
        return FALSE;
    if (segment.flags & RSTCAUSE_RST)
        segment.device_note = read_device_note(pinfo, tree);
    if (rstcause_tracker_observe(tracker, &segment) != NULL)
        return TRUE;
    words = is_innermost && segment.length > 0 ? farewell_read(pinfo, tree, &wants_more) : NULL;
    if (wants_more)
        want_fields();
    if (words != NULL)
        rstcause_tracker_note_last_words(tracker, &segment, words);
    return FALSE;
}

/*
 * How many of the frame's TCP headers, 'at_most' of them looked for, are no quotation: what an ICMP error quotes was
 * sent at another time.
 */
static guint count_live_segments(const packet_info *pinfo, guint at_most)
{
    guint live = 0;

    for (wmem_list_frame_t *frame = wmem_list_head(pinfo->layers); frame != NULL && live < at_most;
         frame = wmem_list_frame_next(frame)) {
        int protocol = GPOINTER_TO_INT(wmem_list_frame_data(frame));

        if (protocol == proto_icmp || protocol == proto_icmpv6)
            break;
        if (protocol == proto_tcp)
            live++;
    }
    return live;
}

guint observe_frame(rstcause_tracker *tracker, packet_info *pinfo, proto_tree *tree)
{
    GPtrArray *tcp = proto_get_finfo_ptr_array(tree, proto_tcp);
    guint live, with_reset = 0;

    if (tcp == NULL || tcp->len == 0)
        return 0;
    /* A header that is cut off before its ports has a layer but no node. */
    live = count_live_segments(pinfo, MIN(tcp->len, G_MAXUINT8));
    for (guint layer = 0; layer < live; layer++) {
        const field_info *node = (const field_info *)g_ptr_array_index(tcp, layer);

        if (observe_segment(tracker, pinfo, tree, (guint8)layer, node, layer + 1 == live))
            with_reset = layer + 1;
    }
    return with_reset;
}
