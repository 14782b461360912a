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

#include <wiretap/wtap.h>

#include "farewell.h"

static dissector_handle_t observer;
static int proto_ip, proto_ipv6, proto_tcp, proto_icmp, proto_icmpv6, proto_wlan, proto_f5;
static int hf_f5_text, hf_f5_code, hf_f5_line, hf_f5_peer;

/*
 * What the capture file calls for. All is wanted until its first TCP segment; after that, what was not met in the file
 * is wanted only from the first frame on where it is met, too late for that frame itself.
 */
static struct {
    gboolean is_settled;
    gboolean tcp_in_subtrees;
    gboolean device_notes;
} needs;

static void append_field(GArray *wanted, int id)
{
    if (id > 0)
        g_array_append_val(wanted, id);
}

static void want_fields(void)
{
    GArray *wanted = g_array_new(FALSE, FALSE, sizeof(int));

    /* Where nothing is wanted there is no tree; the plugin's own protocol is in no tree yet, and costs nothing. */
    append_field(wanted, dissector_handle_get_protocol_index(observer));
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
    proto_wlan = proto_get_id_by_filter_name("wlan");
    proto_f5 = proto_get_id_by_filter_name("f5ethtrailer");
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
    needs.is_settled = FALSE;
    needs.tcp_in_subtrees = needs.device_notes = TRUE;
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

/*
 * The first TCP header from this node on, NULL where there is none; the nodes are those at the top of a tree. Moves
 * 'node' behind it, and sets 'network' where a network header is passed.
 */
static const field_info *find_next_tcp(proto_node **node, const field_info **network)
{
    while (*node != NULL) {
        const field_info *protocol = PNODE_FINFO(*node);

        *node = (*node)->next;
        if (protocol == NULL)
            continue;
        if (protocol->hfinfo->id == proto_tcp)
            return protocol;
        if (protocol->hfinfo->id == proto_ip || protocol->hfinfo->id == proto_ipv6)
            *network = protocol;
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
                                const field_info *tcp, const field_info *network, gboolean is_innermost)
{
    rstcause_segment segment = {0};
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

typedef struct {
    guint live; /* TCP headers that are no quotation: what an ICMP error quotes was sent at another time */
    gboolean is_wireless, has_device_note;
} layers_met;

static layers_met survey_layers(const packet_info *pinfo)
{
    layers_met met = {0};
    gboolean is_quotation = FALSE;

    for (wmem_list_frame_t *frame = wmem_list_head(pinfo->layers); frame != NULL; frame = wmem_list_frame_next(frame)) {
        int protocol = GPOINTER_TO_INT(wmem_list_frame_data(frame));

        if (protocol == proto_tcp)
            met.live += !is_quotation && met.live < G_MAXUINT8;
        else if (protocol == proto_icmp || protocol == proto_icmpv6)
            is_quotation = TRUE;
        else if (protocol == proto_wlan)
            met.is_wireless = TRUE;
        else if (protocol == proto_f5)
            met.has_device_note = TRUE;
    }
    return met;
}

/* Wants what the frame shows to be needed; after the first one, no longer what it does not. */
static void settle_needs(gboolean tcp_in_subtrees, gboolean device_notes)
{
    if (needs.is_settled) {
        if ((needs.tcp_in_subtrees || !tcp_in_subtrees) && (needs.device_notes || !device_notes))
            return;
        tcp_in_subtrees |= needs.tcp_in_subtrees;
        device_notes |= needs.device_notes;
    }
    needs.is_settled = TRUE;
    needs.tcp_in_subtrees = tcp_in_subtrees;
    needs.device_notes = device_notes;
    want_fields();
}

guint observe_frame(rstcause_tracker *tracker, packet_info *pinfo, proto_tree *tree)
{
    const layers_met met = survey_layers(pinfo);
    GPtrArray *all = met.live > 0 && needs.tcp_in_subtrees ? proto_get_finfo_ptr_array(tree, proto_tcp) : NULL;
    /* A header that is cut off before its ports has a layer but no node. */
    guint live = all != NULL ? MIN(met.live, all->len) : met.live;
    proto_node *node = tree->first_child;
    const field_info *network = NULL, *at_top;
    gboolean is_below_top = FALSE;
    guint with_reset = 0;

    if (live == 0)
        return 0;
    at_top = find_next_tcp(&node, &network);
    for (guint layer = 0; layer < live; layer++) {
        const field_info *tcp = all != NULL ? (const field_info *)g_ptr_array_index(all, layer) : at_top;

        if (tcp != at_top || tcp == NULL)
            is_below_top = TRUE;
        if (tcp == NULL)
            break;
        if (observe_segment(tracker, pinfo, tree, (guint8)layer, tcp, tcp == at_top ? network : NULL,
                            layer + 1 == live))
            with_reset = layer + 1;
        if (tcp == at_top)
            at_top = find_next_tcp(&node, &network);
    }
    settle_needs(is_below_top || met.is_wireless, met.has_device_note);
    return with_reset;
}
