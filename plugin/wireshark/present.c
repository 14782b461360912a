/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Presenting: from a verdict to Wireshark's tree, expert information and Info column. Every item is generated: no
 * byte of the frame says any of it.
 */
#include "present.h"

#include <epan/column-utils.h>
#include <epan/expert.h>
#include <epan/unit_strings.h>

#include "rstcause/catalogue.h"
#include "rstcause/stated.h"

static int proto_rstcause;

static int hf_cause;
static int hf_detail;
static int hf_pattern;
static int hf_idle;
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

/* One for each cause, named by the contract: made from the catalogue, so that a new cause is written down once. */
static expert_field expert_infos[RSTCAUSE_CAUSES];
/* Wireshark keeps pointers to these and to their names as long as it runs, and the severity in them. */
static ei_register_info registered_infos[RSTCAUSE_CAUSES];

/* The registry's names as Wireshark wants them, up to the highest value that has one. */
static value_string failure_names[UINT8_MAX + 1];

static const int wireshark_severity[RSTCAUSE_SEVERITIES] = {
    [RSTCAUSE_CHAT] = PI_CHAT,
    [RSTCAUSE_NOTE] = PI_NOTE,
    [RSTCAUSE_WARN] = PI_WARN,
    [RSTCAUSE_ERROR] = PI_ERROR,
};

static void collect_failure_names(void)
{
    unsigned count = 0;

    for (uint32_t code = 0; code < UINT8_MAX; code++)
        if (rstcause_stated_failure_name(code) != NULL)
            failure_names[count++] = (value_string){code, rstcause_stated_failure_name(code)};
}

static void register_fields(void)
{
    static hf_register_info fields[] = {
        {&hf_cause, {"Cause", "rstcause", FT_STRING, BASE_NONE, NULL, 0, "Why this reset was sent", HFILL}},
        {&hf_detail, {"Detail", "rstcause.detail", FT_STRING, BASE_NONE, NULL, 0, "The finer cause", HFILL}},
        {&hf_pattern,
         {"Pattern", "rstcause.pattern", FT_STRING, BASE_NONE, NULL, 0, "The situation that an engineer would name",
          HFILL}},
        {&hf_idle,
         {"Idle", "rstcause.idle", FT_DOUBLE, BASE_NONE | BASE_UNIT_STRING, &units_seconds, 0,
          "How long the connection had been silent before the event that led to the reset", HFILL}},
        {&hf_severity,
         {"Severity", "rstcause.severity", FT_STRING, BASE_NONE, NULL, 0, "How much harm the reset did", HFILL}},
        {&hf_confidence,
         {"Confidence", "rstcause.confidence", FT_STRING, BASE_NONE, NULL, 0, "How well the capture proves it", HFILL}},
        {&hf_sender, {"Sender", "rstcause.sender", FT_STRING, BASE_NONE, NULL, 0, "Who sent the reset", HFILL}},
        {&hf_trigger,
         {"Trigger", "rstcause.trigger", FT_FRAMENUM, BASE_NONE, FRAMENUM_TYPE(FT_FRAMENUM_REQUEST), 0,
          "The segment that the reset answers", HFILL}},
        {&hf_original,
         {"Original", "rstcause.original", FT_FRAMENUM, BASE_NONE, FRAMENUM_TYPE(FT_FRAMENUM_RETRANS_PREV), 0,
          "The reset that ended the connection, or the packet that this one copies", HFILL}},
        {&hf_explanation,
         {"Explanation", "rstcause.explanation", FT_STRING, BASE_NONE, NULL, 0, "What happened in this connection",
          HFILL}},
        {&hf_evidence,
         {"Evidence", "rstcause.evidence", FT_STRING, BASE_NONE, NULL, 0, "A fact that the verdict rests on", HFILL}},
        {&hf_alternative,
         {"Alternative", "rstcause.alternative", FT_STRING, BASE_NONE, NULL, 0,
          "Another cause that the capture does not rule out", HFILL}},
        {&hf_effect,
         {"Effect", "rstcause.effect", FT_STRING, BASE_NONE, NULL, 0, "What the receiver's application sees", HFILL}},
        {&hf_advice, {"Advice", "rstcause.advice", FT_STRING, BASE_NONE, NULL, 0, "What to look at next", HFILL}},
        {&hf_reference,
         {"Reference", "rstcause.reference", FT_STRING, BASE_NONE, NULL, 0, "Where it is laid down or described",
          HFILL}},
        {&hf_data_lost,
         {"Data lost", "rstcause.data_lost", FT_UINT32, BASE_DEC | BASE_UNIT_STRING, &units_byte_bytes, 0,
          "Bytes sent by either side and not acknowledged when the reset ended the connection", HFILL}},
        {&hf_failure_code,
         {"Failure code", "rstcause.failure_code", FT_UINT32, BASE_DEC, VALS(failure_names), 0,
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
    expert_module_t *module = expert_register_protocol(proto_rstcause);

    for (int cause = 0; cause < RSTCAUSE_CAUSES; cause++) {
        const rstcause_catalogue_row *row = rstcause_catalogue((rstcause_cause)cause);

        registered_infos[cause] = (ei_register_info){&expert_infos[cause],
                                                     {make_expert_name((rstcause_cause)cause), PI_SEQUENCE,
                                                      wireshark_severity[row->severity], row->meaning, EXPFILL}};
    }
    expert_register_field_array(module, registered_infos, array_length(registered_infos));
}

void register_presentation(int protocol)
{
    proto_rstcause = protocol;
    collect_failure_names();
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
    add_text(tree, hf_pattern, tvb, rstcause_pattern_name(verdict->pattern));
    if (verdict->idle >= 0)
        proto_item_set_generated(proto_tree_add_double(tree, hf_idle, tvb, 0, 0, (double)verdict->idle / 1e9));
    add_text(tree, hf_severity, tvb, rstcause_severity_name(rstcause_verdict_severity(verdict)));
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
        proto_item_set_generated(proto_tree_add_uint(tree, hf_data_lost, tvb, 0, 0, verdict->data_lost));
    }
    add_number(tree, hf_failure_code, tvb, verdict->failure_code);
    add_text(tree, hf_stated, tvb, verdict->stated);
}

/*
 * Wireshark knows one severity for each expert info, and one cause may have done harm or not. So the severity is the
 * verdict's own while its item is made, unless the user has set one in the preferences.
 */
static void present_expert_info(const rstcause_verdict *verdict, packet_info *pinfo, proto_item *item)
{
    const rstcause_catalogue_row *row = rstcause_catalogue(verdict->cause);
    expert_field_info *info = &registered_infos[verdict->cause].eiinfo;
    int severity = info->severity;

    if (severity == info->orig_severity)
        info->severity = wireshark_severity[rstcause_verdict_severity(verdict)];
    expert_add_info_format(pinfo, item, &expert_infos[verdict->cause], "Reset, %s: %s", row->name, row->meaning);
    info->severity = severity;
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
