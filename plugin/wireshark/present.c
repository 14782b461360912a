/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Presenting: from a verdict to Wireshark's tree, expert information and Info column. Every item is generated: no
 * byte of the frame says any of it.
 */
#include "present.h"

#include <epan/column-utils.h>
#include <epan/expert.h>

#include "rstcause/catalogue.h"

static int proto_rstcause;

static int hf_cause;
static int hf_detail;
static int hf_severity;
static int hf_confidence;
static int hf_sender;
static int hf_trigger;
static int hf_original;
static int hf_explanation;
static int hf_evidence;
static int hf_effect;
static int hf_advice;
static int hf_reference;
static int hf_data_lost;
static int hf_failure_code;
static int hf_stated;
static int hf_alternative;

static int ett_rstcause = -1;

/*
 * Wireshark keeps an expert info's severity with its registration, and one cause may have done harm or not. So a
 * cause with two severities is registered once for each, under the same filter name.
 */
static expert_field ei_harmful[RSTCAUSE_CAUSES];
static expert_field ei_harmless[RSTCAUSE_CAUSES];

static const int wireshark_severity[RSTCAUSE_SEVERITIES] = {
    [RSTCAUSE_CHAT] = PI_CHAT,
    [RSTCAUSE_NOTE] = PI_NOTE,
    [RSTCAUSE_WARN] = PI_WARN,
    [RSTCAUSE_ERROR] = PI_ERROR,
};

static const char *const severity_name[RSTCAUSE_SEVERITIES] = {
    [RSTCAUSE_CHAT] = "chat",
    [RSTCAUSE_NOTE] = "note",
    [RSTCAUSE_WARN] = "warning",
    [RSTCAUSE_ERROR] = "error",
};

static void register_fields(void)
{
    static hf_register_info fields[] = {
        {&hf_cause, {"Cause", "rstcause", FT_STRING, BASE_NONE, NULL, 0, "Why this reset was sent", HFILL}},
        {&hf_detail, {"Detail", "rstcause.detail", FT_STRING, BASE_NONE, NULL, 0, "The finer cause", HFILL}},
        {&hf_severity,
         {"Severity", "rstcause.severity", FT_STRING, BASE_NONE, NULL, 0, "How much harm the reset did", HFILL}},
        {&hf_confidence,
         {"Confidence", "rstcause.confidence", FT_STRING, BASE_NONE, NULL, 0, "How well the capture proves it", HFILL}},
        {&hf_sender, {"Sender", "rstcause.sender", FT_STRING, BASE_NONE, NULL, 0, "Who sent the reset", HFILL}},
        {&hf_trigger,
         {"Trigger", "rstcause.trigger", FT_FRAMENUM, BASE_NONE, FRAMENUM_TYPE(FT_FRAMENUM_REQUEST), 0,
          "The segment that the reset answers", HFILL}},
        {&hf_original,
         {"Original", "rstcause.original", FT_FRAMENUM, BASE_NONE, NULL, 0,
          "The reset that ended the connection, or the packet that this one copies", HFILL}},
        {&hf_explanation,
         {"Explanation", "rstcause.explanation", FT_STRING, BASE_NONE, NULL, 0, "What happened in this connection",
          HFILL}},
        {&hf_evidence,
         {"Evidence", "rstcause.evidence", FT_STRING, BASE_NONE, NULL, 0, "A fact that the verdict rests on", HFILL}},
        {&hf_effect,
         {"Effect", "rstcause.effect", FT_STRING, BASE_NONE, NULL, 0, "What the receiver's application sees", HFILL}},
        {&hf_advice, {"Advice", "rstcause.advice", FT_STRING, BASE_NONE, NULL, 0, "What to look at next", HFILL}},
        {&hf_reference,
         {"Reference", "rstcause.reference", FT_STRING, BASE_NONE, NULL, 0, "Where it is laid down or described",
          HFILL}},
        {&hf_data_lost,
         {"Data lost", "rstcause.data_lost", FT_UINT32, BASE_DEC, NULL, 0,
          "Bytes sent by either side and not acknowledged when the reset ended the connection", HFILL}},
        {&hf_failure_code,
         {"Failure code", "rstcause.failure_code", FT_UINT32, BASE_DEC, NULL, 0,
          "The nearest value of the TCP Failure Causes registry", HFILL}},
        {&hf_stated,
         {"Stated reason", "rstcause.stated", FT_STRING, BASE_NONE, NULL, 0, "What the sender itself says", HFILL}},
    };
    static int *subtrees[] = {&ett_rstcause};

    proto_register_field_array(proto_rstcause, fields, array_length(fields));
    proto_register_subtree_array(subtrees, array_length(subtrees));
}

/* The filter name of a cause's expert info, to be freed with g_free(). */
static char *make_expert_name(rstcause_cause cause)
{
    char *name = g_strconcat("rstcause.expert.", rstcause_cause_name(cause), NULL);

    return g_strdelimit(name, "-", '_');
}

static void register_expert_infos(void)
{
    /* Wireshark keeps pointers to these and to their names as long as it runs. */
    static ei_register_info registered[2 * RSTCAUSE_CAUSES];
    expert_module_t *module = expert_register_protocol(proto_rstcause);
    int count = 0;

    for (int cause = 0; cause < RSTCAUSE_CAUSES; cause++) {
        const rstcause_catalogue_row *row = rstcause_catalogue((rstcause_cause)cause);
        char *name = make_expert_name((rstcause_cause)cause);
        const expert_field_info harmful = {name, PI_SEQUENCE, wireshark_severity[row->severity], row->meaning, EXPFILL};
        const expert_field_info harmless = {name, PI_SEQUENCE, wireshark_severity[row->harmless], row->meaning,
                                            EXPFILL};

        if (row->harmless != row->severity)
            registered[count++] = (ei_register_info){&ei_harmless[cause], harmless};
        /* Last: of two with one name, it is this one whose severity the user can set in the preferences. */
        registered[count++] = (ei_register_info){&ei_harmful[cause], harmful};
    }
    expert_register_field_array(module, registered, count);
}

void register_presentation(int protocol)
{
    proto_rstcause = protocol;
    register_fields();
    register_expert_infos();
}

static void add_text(proto_tree *tree, int field, tvbuff_t *tvb, const char *text)
{
    if (text != NULL)
        proto_item_set_generated(proto_tree_add_string(tree, field, tvb, 0, 0, text));
}

static void add_number(proto_tree *tree, int field, tvbuff_t *tvb, uint32_t number)
{
    if (number != 0)
        proto_item_set_generated(proto_tree_add_uint(tree, field, tvb, 0, 0, number));
}

static void present_fields(const rstcause_verdict *verdict, tvbuff_t *tvb, proto_tree *tree)
{
    add_text(tree, hf_cause, tvb, rstcause_cause_name(verdict->cause));
    add_text(tree, hf_detail, tvb, rstcause_detail_name(verdict->detail));
    add_text(tree, hf_severity, tvb, severity_name[rstcause_verdict_severity(verdict)]);
    add_text(tree, hf_confidence, tvb, rstcause_confidence_name(verdict->confidence));
    add_text(tree, hf_sender, tvb, rstcause_sender_name(verdict->sender));
    add_number(tree, hf_trigger, tvb, verdict->trigger);
    add_number(tree, hf_original, tvb, verdict->original);
    add_text(tree, hf_explanation, tvb, verdict->explanation);
    for (unsigned i = 0; i < verdict->evidence->len; i++)
        add_text(tree, hf_evidence, tvb, (const char *)g_ptr_array_index(verdict->evidence, i));
    for (unsigned i = 0; i < verdict->alternatives->len; i++)
        add_text(tree, hf_alternative, tvb, (const char *)g_ptr_array_index(verdict->alternatives, i));
    add_text(tree, hf_effect, tvb, verdict->effect);
    add_text(tree, hf_advice, tvb, verdict->advice);
    add_text(tree, hf_reference, tvb, rstcause_catalogue(verdict->cause)->reference);
    if (verdict->has_data_lost) {
        proto_item *item = proto_tree_add_uint(tree, hf_data_lost, tvb, 0, 0, verdict->data_lost);

        proto_item_append_text(item, " bytes");
        proto_item_set_generated(item);
    }
    add_number(tree, hf_failure_code, tvb, verdict->failure_code);
    add_text(tree, hf_stated, tvb, verdict->stated);
}

static void present_expert_info(const rstcause_verdict *verdict, packet_info *pinfo, proto_item *item)
{
    const rstcause_catalogue_row *row = rstcause_catalogue(verdict->cause);
    bool harmed = rstcause_verdict_severity(verdict) == row->severity;

    expert_add_info_format(pinfo, item, harmed ? &ei_harmful[verdict->cause] : &ei_harmless[verdict->cause],
                           "Reset, %s: %s", row->name, row->meaning);
}

void present_verdict(const rstcause_verdict *verdict, tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree,
                     bool in_info_column)
{
    const char *name = rstcause_cause_name(verdict->cause);
    proto_item *item;

    item = proto_tree_add_protocol_format(tree, proto_rstcause, tvb, 0, 0, "TCP reset cause: %s (%s)", name,
                                          rstcause_confidence_name(verdict->confidence));
    proto_item_set_generated(item);
    present_fields(verdict, tvb, proto_item_add_subtree(item, ett_rstcause));
    present_expert_info(verdict, pinfo, item);
    if (in_info_column)
        col_append_fstr(pinfo->cinfo, COL_INFO, " [RST cause: %s]", name);
}
