/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Observing: from Wireshark's tree to the bytes of the headers.
 *
 * The nodes of three protocols are all that is asked of the tree, since each field that a post-dissector wants
 * costs time in every frame. A protocol's node tells where its header stands in the frame (or in what was reassembled
 * from frames); the engine reads the rest from there. The node's own length ends with the header, so it is not asked.
 * The order of the frame's layers tells which network header belongs to which TCP header.
 */
#include "observe.h"

#include <wiretap/wtap.h>

static int proto_ip, proto_ipv6, proto_tcp, proto_icmp, proto_icmpv6;
static int hf_f5_reset_cause;

void want_observed_fields(dissector_handle_t postdissector)
{
    GArray *wanted = g_array_new(FALSE, FALSE, sizeof(int));

    proto_ip = proto_get_id_by_filter_name("ip");
    proto_ipv6 = proto_get_id_by_filter_name("ipv6");
    proto_tcp = proto_get_id_by_filter_name("tcp");
    proto_icmp = proto_get_id_by_filter_name("icmp");
    proto_icmpv6 = proto_get_id_by_filter_name("icmpv6");
    hf_f5_reset_cause = proto_registrar_get_id_byname("f5ethtrailer.rstcause.txt");

    g_array_append_val(wanted, proto_ip);
    g_array_append_val(wanted, proto_ipv6);
    g_array_append_val(wanted, proto_tcp);
    if (hf_f5_reset_cause > 0)
        g_array_append_val(wanted, hf_f5_reset_cause);
    set_postdissector_wanted_hfids(postdissector, wanted);
}

/* The nodes of one protocol in the order of dissection, and how many of them have been passed. */
typedef struct {
    GPtrArray *nodes;
    guint passed;
} node_sequence;

static node_sequence find_nodes(proto_tree *tree, int protocol)
{
    node_sequence sequence = {proto_get_finfo_ptr_array(tree, protocol), 0};

    return sequence;
}

/* NULL where the dissector gave up before it made its node: the header is cut. */
static field_info *take_node(node_sequence *sequence)
{
    if (sequence->nodes == NULL || sequence->passed >= sequence->nodes->len)
        return NULL;
    return (field_info *)g_ptr_array_index(sequence->nodes, sequence->passed++);
}

/* Seconds beyond what 64 bits of nanoseconds hold are nonsense in a damaged file; they must not overflow. */
static gint64 read_time(const packet_info *pinfo)
{
    const gint64 most_seconds = G_MAXINT64 / 1000000000 - 1;

    if (!(pinfo->rec->presence_flags & WTAP_HAS_TS))
        return 0;
    return CLAMP((gint64)pinfo->abs_ts.secs, -most_seconds, most_seconds) * 1000000000 + pinfo->abs_ts.nsecs;
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

static gboolean read_tcp(rstcause_segment *segment, const field_info *tcp)
{
    gsize captured, reported;
    const guint8 *header = find_bytes(tcp, &captured, &reported);

    return header != NULL && rstcause_segment_read_tcp(segment, header, captured, reported);
}

/* What an F5 BIG-IP noted in the trailer of a frame that it captured itself. */
static const char *read_device_note(proto_tree *tree)
{
    GPtrArray *notes = hf_f5_reset_cause > 0 ? proto_get_finfo_ptr_array(tree, hf_f5_reset_cause) : NULL;

    if (notes == NULL || notes->len == 0)
        return NULL;
    return fvalue_get_string(field_value((field_info *)g_ptr_array_index(notes, 0)));
}

static gboolean observe_segment(rstcause_tracker *tracker, packet_info *pinfo, proto_tree *tree, guint8 layer,
                                field_info *network, field_info *tcp)
{
    rstcause_segment segment = {0};

    segment.frame = pinfo->num;
    segment.layer = layer;
    segment.interface = read_interface(pinfo);
    segment.time = read_time(pinfo);
    if (network != NULL)
        read_network(&segment, network, tcp);
    if (!read_tcp(&segment, tcp))
        return FALSE;
    if (segment.flags & RSTCAUSE_RST)
        segment.device_note = read_device_note(tree);
    return rstcause_tracker_observe(tracker, &segment) != NULL;
}

guint observe_frame(rstcause_tracker *tracker, packet_info *pinfo, proto_tree *tree)
{
    node_sequence tcp = find_nodes(tree, proto_tcp);
    node_sequence ipv4, ipv6;
    field_info *network = NULL;
    wmem_list_frame_t *frame;
    guint layers = 0, with_reset = 0;

    if (tcp.nodes == NULL || tcp.nodes->len == 0)
        return 0;
    ipv4 = find_nodes(tree, proto_ip);
    ipv6 = find_nodes(tree, proto_ipv6);

    for (frame = wmem_list_head(pinfo->layers); frame != NULL; frame = wmem_list_frame_next(frame)) {
        int protocol = GPOINTER_TO_INT(wmem_list_frame_data(frame));

        if (protocol == proto_ip) {
            network = take_node(&ipv4);
        } else if (protocol == proto_ipv6) {
            network = take_node(&ipv6);
        } else if (protocol == proto_tcp && layers < G_MAXUINT8) {
            field_info *node = take_node(&tcp);

            if (node == NULL)
                break;
            if (observe_segment(tracker, pinfo, tree, (guint8)layers, network, node))
                with_reset = layers + 1;
            layers++;
        } else if (protocol == proto_icmp || protocol == proto_icmpv6) {
            /* What follows is quoted in an error, and was sent at another time. */
            break;
        }
    }
    return with_reset;
}
