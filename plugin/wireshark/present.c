/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Presenting: from a verdict to Wireshark's tree, expert information and Info column. Every item is generated: no
 * byte of the frame says any of it. Names of fields are also the titles of columns made of them, so they say what they
 * belong to.
 */
#include "present.h"

#include <epan/column-utils.h>
#include <epan/expert.h>
#include <epan/unit_strings.h>

#include "rstcause/catalogue.h"
#include "rstcause/stated.h"
#include "tell/lines.h"

/* Characters that the packet details show of a line where they stand beside the packet list in a window of 1,280 pixels. */
enum { PANE_WIDTH = 70 };

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
static int hf_reset_in;
static int hf_reset_cause;
static int hf_reset_severity;
static int hf_reset_confidence;

static int ett_rstcause = -1;

/* One for each cause, named by the contract: made from the catalogue, so that a new cause is written down once. */
static expert_field expert_infos[RSTCAUSE_CAUSES];
/* Wireshark keeps pointers to these, to their names and to their summaries as long as it runs, and the severity in them.
 * The summary is also the title of their group in the dialog. */
static ei_register_info registered_infos[RSTCAUSE_CAUSES];

static expert_field forgotten_info;

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
        {&hf_cause,
         {"RST cause", "rstcause", FT_STRING, BASE_NONE, NULL, 0,
          "Why this TCP reset was sent: one name such as closed-port, abort or half-open", HFILL}},
        {&hf_detail,
         {"RST detail", "rstcause.detail", FT_STRING, BASE_NONE, NULL, 0,
          "The special case of the cause, such as unread-data of an abort; absent where the packets show none", HFILL}},
        {&hf_pattern,
         {"RST pattern", "rstcause.pattern", FT_STRING, BASE_NONE, NULL, 0,
          "The situation in which the reset was sent, such as keep-alive-race; absent where none is recognised",
          HFILL}},
        {&hf_idle,
         {"RST idle", "rstcause.idle", FT_DOUBLE, BASE_NONE | BASE_UNIT_STRING, &units_seconds, 0,
          "How long nothing had been sent in the connection before the event that led to the reset", HFILL}},
        {&hf_severity,
         {"RST severity", "rstcause.severity", FT_STRING, BASE_NONE, NULL, 0,
          "The harm that the reset did to an application: chat (none), note, warning or error", HFILL}},
        {&hf_confidence,
         {"RST confidence", "rstcause.confidence", FT_STRING, BASE_NONE, NULL, 0,
          "How well the packets prove the cause: certain, likely or possible", HFILL}},
        {&hf_sender,
         {"RST sender", "rstcause.sender", FT_STRING, BASE_NONE, NULL, 0,
          "Who made the reset: the client or the server of the connection, or a third party on the path", HFILL}},
        {&hf_trigger,
         {"RST trigger", "rstcause.trigger", FT_FRAMENUM, BASE_NONE, FRAMENUM_TYPE(FT_FRAMENUM_REQUEST), 0,
          "The packet that the reset answers; absent where it was sent unasked", HFILL}},
        {&hf_original,
         {"RST original", "rstcause.original", FT_FRAMENUM, BASE_NONE, FRAMENUM_TYPE(FT_FRAMENUM_RETRANS_PREV), 0,
          "The earlier reset that had ended the connection already, or the packet of which this one is a second "
          "capture",
          HFILL}},
        {&hf_explanation,
         {"RST explanation", "rstcause.explanation", FT_STRING, BASE_NONE, NULL, 0,
          "What happened, in sentences, with the times, sizes and packet numbers of this connection", HFILL}},
        {&hf_evidence,
         {"RST evidence", "rstcause.evidence", FT_STRING, BASE_NONE, NULL, 0,
          "A fact seen in the capture from which the cause follows; there may be several", HFILL}},
        {&hf_alternative,
         {"RST alternative", "rstcause.alternative", FT_STRING, BASE_NONE, NULL, 0,
          "Another cause that the capture does not rule out, and what speaks for and against it", HFILL}},
        {&hf_effect,
         {"RST effect", "rstcause.effect", FT_STRING, BASE_NONE, NULL, 0,
          "The error that the application at the receiving end gets, and from which system call", HFILL}},
        {&hf_advice,
         {"RST advice", "rstcause.advice", FT_STRING, BASE_NONE, NULL, 0, "What to look at or to change next", HFILL}},
        {&hf_reference,
         {"RST reference", "rstcause.reference", FT_STRING, BASE_NONE, NULL, 0,
          "The section of a standard, or another source, that describes such resets", HFILL}},
        {&hf_data_lost,
         {"RST data lost", "rstcause.data_lost", FT_UINT32, BASE_DEC | BASE_UNIT_STRING, &units_byte_bytes, 0,
          "Bytes that either end had sent and that were not acknowledged when the reset ended the connection", HFILL}},
        {&hf_failure_code,
         {"RST failure code", "rstcause.failure_code", FT_UINT32, BASE_DEC, VALS(failure_names), 0,
          "The nearest number in the registry \"TCP Failure Causes\" of draft-ietf-tcpm-rst-diagnostic-payload",
          HFILL}},
        {&hf_stated,
         {"RST stated reason", "rstcause.stated", FT_STRING, BASE_NONE, NULL, 0,
          "The reason that the maker of the reset wrote into the packet itself", HFILL}},
        {&hf_reset_in,
         {"Reset in", "rstcause.reset_in", FT_FRAMENUM, BASE_NONE, FRAMENUM_TYPE(FT_FRAMENUM_RESPONSE), 0,
          "The packet with the TCP reset that answers this packet", HFILL}},
        {&hf_reset_cause,
         {"Reset cause", "rstcause.reset_cause", FT_STRING, BASE_NONE, NULL, 0,
          "Why the TCP reset that answers this packet was sent", HFILL}},
        {&hf_reset_severity,
         {"Reset severity", "rstcause.reset_severity", FT_STRING, BASE_NONE, NULL, 0,
          "The harm that the TCP reset that answers this packet did to an application", HFILL}},
        {&hf_reset_confidence,
         {"Reset confidence", "rstcause.reset_confidence", FT_STRING, BASE_NONE, NULL, 0,
          "How well the packets prove the cause of the TCP reset that answers this packet", HFILL}},
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
    static ei_register_info forgotten[] = {
        {&forgotten_info,
         {"rstcause.forgotten", PI_UNDECODED, PI_WARN, "Connections that were idle longest are forgotten from here on",
          EXPFILL}},
    };
    expert_module_t *module = expert_register_protocol(proto_rstcause);

    for (int cause = 0; cause < RSTCAUSE_CAUSES; cause++) {
        const rstcause_catalogue_row *row = rstcause_catalogue((rstcause_cause)cause);
        char *summary = g_strdup_printf("Reset, %s: %s", row->name, row->meaning);

        registered_infos[cause] = (ei_register_info){&expert_infos[cause],
                                                     {make_expert_name((rstcause_cause)cause), PI_SEQUENCE,
                                                      wireshark_severity[row->severity], summary, EXPFILL}};
    }
    expert_register_field_array(module, registered_infos, array_length(registered_infos));
    expert_register_field_array(module, forgotten, array_length(forgotten));
}

void register_presentation(int protocol)
{
    proto_rstcause = protocol;
    collect_failure_names();
    register_fields();
    register_expert_infos();
}

static void add_line(proto_tree *tree, tvbuff_t *tvb, const char *line)
{
    proto_item *item;

    proto_tree_add_subtree(tree, tvb, 0, 0, ett_rstcause, &item, line);
    proto_item_set_generated(item);
}

/*
 * The field with the whole text, shown as lines that fit: its own is the first, the others stand below it. 'name' comes
 * first where it is not NULL. Of most resets nobody looks at more than a field or two.
 */
static void add_lines(proto_tree *tree, int field, tvbuff_t *tvb, const char *name, const char *text)
{
    GPtrArray *lines;
    proto_item *item;

    if (!proto_field_is_referenced(tree, field))
        return;
    lines = lines_break(name, text, PANE_WIDTH);
    item = proto_tree_add_string_format(tree, field, tvb, 0, 0, text, "%s", (const char *)g_ptr_array_index(lines, 0));
    proto_item_set_generated(item);
    for (unsigned i = 1; i < lines->len; i++)
        add_line(tree, tvb, g_ptr_array_index(lines, i));
    g_ptr_array_free(lines, true);
}

static void add_text(proto_tree *tree, int field, tvbuff_t *tvb, const char *text)
{
    if (text != NULL)
        add_lines(tree, field, tvb, proto_registrar_get_name(field), text);
}

static void add_number(proto_tree *tree, int field, tvbuff_t *tvb, uint32_t number)
{
    if (number != 0)
        proto_item_set_generated(proto_tree_add_uint(tree, field, tvb, 0, 0, number));
}

/* Wireshark 4.0 shows no unit of a number with a fraction. */
static void add_seconds(proto_tree *tree, int field, tvbuff_t *tvb, double seconds)
{
    proto_item_set_generated(proto_tree_add_double_format(tree, field, tvb, 0, 0, seconds, "%s: %.6g s",
                                                          proto_registrar_get_name(field), seconds));
}

static void present_fields(const rstcause_verdict *verdict, tvbuff_t *tvb, proto_tree *tree)
{
    add_lines(tree, hf_explanation, tvb, NULL, verdict->explanation);
    add_text(tree, hf_cause, tvb, rstcause_cause_name(verdict->cause));
    add_text(tree, hf_detail, tvb, rstcause_detail_name(verdict->detail));
    add_text(tree, hf_pattern, tvb, rstcause_pattern_name(verdict->pattern));
    if (verdict->idle >= 0)
        add_seconds(tree, hf_idle, tvb, (double)verdict->idle / 1e9);
    add_text(tree, hf_severity, tvb, rstcause_severity_name(rstcause_verdict_severity(verdict)));
    add_text(tree, hf_confidence, tvb, rstcause_confidence_name(verdict->confidence));
    add_text(tree, hf_sender, tvb, rstcause_sender_name(verdict->sender));
    add_number(tree, hf_trigger, tvb, verdict->trigger);
    add_number(tree, hf_original, tvb, verdict->original);
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
 * verdict's own while its item is made, unless the user has set one in the preferences. The message has it, too: the
 * profile's colouring rules look for it there, since a rule on a field of ours is an error where the plugin is missing.
 */
static void present_expert_info(const rstcause_verdict *verdict, packet_info *pinfo, proto_item *item)
{
    expert_field_info *info = &registered_infos[verdict->cause].eiinfo;
    rstcause_severity harm = rstcause_verdict_severity(verdict);
    int severity = info->severity;

    if (severity == info->orig_severity)
        info->severity = wireshark_severity[harm];
    expert_add_info_format(pinfo, item, &expert_infos[verdict->cause], "%s (%s)", info->summary,
                           rstcause_severity_name(harm));
    info->severity = severity;
}

void present_verdict(const rstcause_verdict *verdict, tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree)
{
    proto_item *item = proto_tree_add_protocol_format(tree, proto_rstcause, tvb, 0, 0, "TCP reset cause: %s (%s)",
                                                      rstcause_cause_name(verdict->cause),
                                                      rstcause_confidence_name(verdict->confidence));

    proto_item_set_generated(item);
    present_fields(verdict, tvb, proto_item_add_subtree(item, ett_rstcause));
    present_expert_info(verdict, pinfo, item);
}

void present_mark(const rstcause_verdict *verdict, wmem_strbuf_t *marks)
{
    wmem_strbuf_append_printf(marks, "[RST cause: %s] ", rstcause_cause_name(verdict->cause));
}

void present_marks(const wmem_strbuf_t *marks, packet_info *pinfo)
{
    col_prepend_fence_fstr(pinfo->cinfo, COL_INFO, "%s", wmem_strbuf_get_str(marks));
}

void present_forgetting(unsigned megabytes, tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree)
{
    proto_item *item = proto_tree_add_protocol_format(tree, proto_rstcause, tvb, 0, 0,
                                                      "TCP reset cause: connections are forgotten from here on");

    proto_item_set_generated(item);
    expert_add_info_format(
        pinfo, item, &forgotten_info,
        "The memory for connections (%u MB, a preference of RST cause) is used up: from here on those that "
        "were idle longest are forgotten. A reset in one of them is judged as if the capture had begun "
        "in its middle",
        megabytes);
}

void present_way_back(const rstcause_verdict *answer, tvbuff_t *tvb, proto_tree *tree)
{
    proto_item *item = proto_tree_add_protocol_format(tree, proto_rstcause, tvb, 0, 0,
                                                      "TCP reset cause: reset #%u answers this packet", answer->frame);
    proto_tree *subtree = proto_item_add_subtree(item, ett_rstcause);

    proto_item_set_generated(item);
    add_number(subtree, hf_reset_in, tvb, answer->frame);
    add_text(subtree, hf_reset_cause, tvb, rstcause_cause_name(answer->cause));
    add_text(subtree, hf_reset_severity, tvb, rstcause_severity_name(rstcause_verdict_severity(answer)));
    add_text(subtree, hf_reset_confidence, tvb, rstcause_confidence_name(answer->confidence));
}
