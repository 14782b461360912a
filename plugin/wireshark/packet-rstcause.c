/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plugin as Wireshark sees it: a post-dissector with its preferences and the life of its state. What it
 * observes is in observe.c, what it shows in present.c; what it thinks is in the engine.
 */
#include "compat.h"

#include <errno.h>
#include <inttypes.h>

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

static rstcause_preference_flag prefer_info_suffix = true;
static const char *preferred_magic;
static uint64_t magic;

/* One for the open capture file, made and freed with it. */
static rstcause_tracker *tracker;
static bool is_finished; /* ... and told that all has been seen */

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
    layers = observe_frame(tracker, pinfo);
    if (layers > 0)
        p_add_proto_data(wmem_file_scope(), pinfo, proto_rstcause, 0, GUINT_TO_POINTER(layers));
    return layers;
}

static int dissect_rstcause(tvbuff_t *tvb, packet_info *pinfo, proto_tree *tree, void *data _U_)
{
    unsigned layers = find_layers_to_present(pinfo);

    if (layers > 0)
        observe_kept(tracker);
    for (unsigned layer = 0; layer < layers; layer++) {
        const rstcause_verdict *verdict = rstcause_tracker_find(tracker, pinfo->num, (uint8_t)layer);

        if (verdict != NULL) {
            present_verdict(verdict, tvb, pinfo, tree, prefer_info_suffix);
            tap_verdict(verdict, pinfo);
        }
    }
    return (int)tvb_captured_length(tvb);
}

static void register_preferences(void)
{
    module_t *module = prefs_register_protocol(proto_rstcause, apply_preferences);
    char *default_magic = g_strdup_printf("0x%" PRIx64, rstcause_stated_default_magic);

    magic = rstcause_stated_default_magic;
    prefs_register_bool_preference(module, "info_column", "Show the cause in the Info column",
                                   "Whether the Info column of a reset ends with its cause", &prefer_info_suffix);
    preferred_magic = default_magic;
    prefs_register_string_preference(module, "diagnostic_magic", "Magic number of diagnostic payloads",
                                     "The number that marks a reset's payload as a diagnostic payload "
                                     "(draft-ietf-tcpm-rst-diagnostic-payload), decimal or with 0x",
                                     &preferred_magic);
    /* Wireshark has replaced it by a copy of its own. */
    g_free(default_magic);
}

static void register_rstcause(void)
{
    proto_rstcause = proto_register_protocol("TCP Reset Cause", "RST cause", "rstcause_proto");
    rstcause_handle = create_dissector_handle(dissect_rstcause, proto_rstcause);
    register_verdict_tap();
    register_presentation(proto_rstcause);
    register_preferences();
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
