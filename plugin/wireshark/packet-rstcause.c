/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plugin as Wireshark sees it: a post-dissector with its preferences and the life of its state. What it
 * observes is in observe.c, what it shows in present.c; what it thinks is in the engine.
 */
#include "compat.h"

#include <errno.h>
#include <inttypes.h>

#include <epan/dissectors/packet-tcp.h>
#include <epan/prefs.h>
#include <epan/proto_data.h>
#include <wsutil/report_message.h>

#include "observe.h"
#include "present.h"
#include "statistics.h"
#include "tap.h"
#include "rstcause/stated.h"
#include "rstcause/tracker.h"

static int proto_rstcause;
static dissector_handle_t rstcause_handle;

static rstcause_preference_flag prefer_info_mark = true;
static const char *preferred_magic;
static uint64_t magic;
static unsigned preferred_memory = 4096; /* for connections, in MB; 0 for no bound */

/* One for the open capture file, made and freed with it. */
static rstcause_tracker *tracker;
static bool is_finished; /* ... and told that all has been seen */

/* The frame that says that connections were forgotten for want of memory; 0 where none were, as far as is known. */
static uint32_t forgetting_frame;

/* tshark -2 -R gives the number of a frame that it drops to the next one: then the number of a trigger may be another
 * frame's, and nothing leads back from it. */
static uint32_t latest_frame;
static bool numbers_come_again;

/* The number in the preference; false where that is none. */
static bool read_magic_preference(uint64_t *number)
{
    char *end = NULL;

    if (preferred_magic == NULL || !g_ascii_isdigit(*preferred_magic))
        return false;
    errno = 0;
    *number = g_ascii_strtoull(preferred_magic, &end, 0);
    return *end == '\0' && errno == 0;
}

/* After each change of a preference. What is no number is told at once, and the number from before stays. */
static void apply_preferences(void)
{
    uint64_t number;

    if (read_magic_preference(&number))
        magic = number;
    else
        report_failure("\"%s\" is no magic number of diagnostic payloads; 0x%" PRIx64 " is used.", preferred_magic,
                       magic);
}

static void start_capture_file(void)
{
    tracker = rstcause_tracker_new(magic);
    if (preferred_memory != 0)
        rstcause_tracker_bound(tracker, (uint64_t)preferred_memory << 20);
    latest_frame = forgetting_frame = 0;
    numbers_come_again = false;
    start_observing();
}

static void end_capture_file(void)
{
    rstcause_tracker_free(tracker);
    tracker = NULL;
}

/* Whoever sees a frame again has seen the file to its end, or as far as it has been captured by now. */
static void finish_first_pass(void)
{
    if (is_finished)
        return;
    is_finished = true;
    observe_kept(tracker);
    rstcause_tracker_finish(tracker);
}

/*
 * The first pass observes, and keeps with the frame how many TCP headers a later pass has to ask the tracker for.
 * Frames without a reset keep nothing, and cost a later pass nothing.
 */
static unsigned find_layers_to_present(packet_info *pinfo)
{
    unsigned layers;

    if (pinfo->fd->visited) {
        finish_first_pass();
        return GPOINTER_TO_UINT(p_get_proto_data(wmem_file_scope(), pinfo, proto_rstcause, 0));
    }
    is_finished = false;
    numbers_come_again |= pinfo->num <= latest_frame;
    latest_frame = pinfo->num;
    layers = observe_frame(tracker, pinfo);
    if (layers > 0)
        p_add_proto_data(wmem_file_scope(), pinfo, proto_rstcause, 0, GUINT_TO_POINTER(layers));
    return layers;
}

static void present_resets(unsigned layers, tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree)
{
    wmem_strbuf_t *marks = wmem_strbuf_new(pinfo->pool, "");

    observe_kept(tracker);
    for (unsigned layer = 0; layer < layers; layer++) {
        const rstcause_verdict *verdict = rstcause_tracker_find(tracker, pinfo->num, (uint8_t)layer);

        if (verdict == NULL)
            continue;
        present_verdict(verdict, tvb, pinfo, tree);
        present_mark(verdict, marks);
        tap_verdict(verdict, pinfo);
    }
    if (prefer_info_mark)
        present_marks(marks, pinfo);
}

/* Does a reset answer a segment of this frame? Known from the second pass on. */
static bool has_way_back(const packet_info *pinfo)
{
    return is_finished && !numbers_come_again && rstcause_tracker_find_reset(tracker, pinfo->num) != 0;
}

/* Said once: on the frame that is dissected when it begins. Only a later pass knows of what began with the last segments of the
 * file, which wait to be observed. */
static bool says_forgetting(const packet_info *pinfo)
{
    uint32_t forgot_in = rstcause_tracker_forgot_in(tracker);

    if (forgetting_frame == 0 && forgot_in != 0)
        forgetting_frame = pinfo->fd->visited ? forgot_in : pinfo->num;
    return forgetting_frame == pinfo->num;
}

static int dissect_rstcause(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data _U_)
{
    unsigned layers = find_layers_to_present(pinfo);

    if (layers > 0)
        present_resets(layers, tvb, pinfo, tree);
    if (tree != NULL && has_way_back(pinfo))
        present_way_back(rstcause_tracker_find_answer(tracker, pinfo->num), tvb, tree);
    if (says_forgetting(pinfo))
        present_forgetting(preferred_memory, tvb, pinfo, tree);
    return (int)tvb_captured_length(tvb);
}

/* Of resets and of what they answer: TCP offers the same by addresses and ports, which another connection may have, too. */
static rstcause_filter_validity has_connection(RSTCAUSE_FILTER_ARGUMENTS)
{
    return tracker != NULL && pinfo->ptype == PT_TCP &&
           (p_get_proto_data(wmem_file_scope(), pinfo, proto_rstcause, 0) != NULL || has_way_back(pinfo));
}

static char *build_connection_filter(RSTCAUSE_FILTER_ARGUMENTS)
{
    conversation_t *conversation = find_conversation_pinfo(pinfo, 0);

    return conversation != NULL
               ? g_strdup_printf("tcp.stream == %u", get_tcp_conversation_data(conversation, pinfo)->stream)
               : NULL;
}

static void register_preferences(void)
{
    module_t *module = prefs_register_protocol(proto_rstcause, apply_preferences);
    char *default_magic = g_strdup_printf("0x%" PRIx64, rstcause_stated_default_magic);

    magic = rstcause_stated_default_magic;
    prefs_register_static_text_preference(
        module, "help",
        "What each cause, field and button means (in Chinese in README.zh-CN.md beside it):", "The README of rstcause");
    prefs_register_static_text_preference(module, "readme", RSTCAUSE_README, "The README of rstcause");
    prefs_register_bool_preference(module, "info_column", "Show the cause in the Info column",
                                   "Whether the Info column of a reset begins with its cause", &prefer_info_mark);
    preferred_magic = default_magic;
    prefs_register_string_preference(module, "diagnostic_magic", "Magic number of diagnostic payloads",
                                     "The number that marks a reset's payload as a diagnostic payload "
                                     "(draft-ietf-tcpm-rst-diagnostic-payload), decimal or with 0x",
                                     &preferred_magic);
    /* Wireshark has replaced it by a copy of its own. */
    g_free(default_magic);
    prefs_register_uint_preference(module, "connection_memory", "Memory for connections (MB)",
                                   "Where connections would take more memory, those that were idle longest are "
                                   "forgotten, and an expert information item says so once; 0: no bound",
                                   10, &preferred_memory);
}

static void register_rstcause(void)
{
    proto_rstcause =
        proto_register_protocol("TCP Reset Cause (see the README of rstcause)", "RST cause", "rstcause_proto");
    rstcause_handle = create_dissector_handle(dissect_rstcause, proto_rstcause);
    register_verdict_tap();
    register_presentation(proto_rstcause);
    register_preferences();
    rstcause_register_filter("rstcause_proto", "RST cause: this connection", has_connection, build_connection_filter);
    register_init_routine(start_capture_file);
    register_cleanup_routine(end_capture_file);
    register_postdissector(rstcause_handle);
}

static void handoff_rstcause(void)
{
    prepare_observing();
    register_statistics();
}

static void register_plugin(void)
{
    static proto_plugin plugin;

    plugin.register_protoinfo = register_rstcause;
    plugin.register_handoff = handoff_rstcause;
    proto_register_plugin(&plugin);
}

#ifdef WIRESHARK_PLUGIN_REGISTER_EPAN
/* After 4.6. */
static struct ws_module rstcause_module = {
    .flags = WS_PLUGIN_DESC_DISSECTOR | WS_PLUGIN_DESC_TAP_LISTENER,
    .version = RSTCAUSE_VERSION,
    .spdx_id = WS_PLUGIN_SPDX_GPLv2,
    .home_url = "",
    .blurb = "Why each TCP reset was sent",
    .register_cb = register_plugin,
};

WIRESHARK_PLUGIN_REGISTER_EPAN(&rstcause_module, 0)
#else
WS_DLL_PUBLIC_DEF const char plugin_version[] = RSTCAUSE_VERSION;
WS_DLL_PUBLIC_DEF const int plugin_want_major = WIRESHARK_VERSION_MAJOR;
WS_DLL_PUBLIC_DEF const int plugin_want_minor = WIRESHARK_VERSION_MINOR;

WS_DLL_PUBLIC void plugin_register(void);

void plugin_register(void)
{
    register_plugin();
}

#ifdef RSTCAUSE_DESCRIBES_ITSELF
WS_DLL_PUBLIC uint32_t plugin_describe(void);

uint32_t plugin_describe(void)
{
    return WS_PLUGIN_DESC_DISSECTOR | WS_PLUGIN_DESC_TAP_LISTENER;
}
#endif
#endif
