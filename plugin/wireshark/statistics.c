/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts resets in trees: by cause, by the service that was asked, and by the host that sent them. Decides nothing, and
 * knows no packet.
 */
#include "statistics.h"

#include "incident_report.h"
#include "incident_table.h"
#include "incidents/incidents.h"
#include "tap.h"

#define MENU "TCP Resets" STATS_TREE_MENU_SEPARATOR

/* The tops of the trees. */
static const char *const top_cause = "Cause", *const top_pattern = "Pattern", *const top_severity = "Severity",
                         *const top_service = "Service", *const top_host = "Sent by";

/*
 * A scan makes a service of every port, and Wireshark walks along all children of a node to add another. So many are
 * counted by name.
 */
enum { MOST_NAMES = 1000 };

static GHashTable *names_of_trees; /* of stats_tree: the set of names that it has */

static void begin_names(stats_tree *tree)
{
    if (names_of_trees == NULL)
        names_of_trees = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_hash_table_unref);
    g_hash_table_replace(names_of_trees, tree, g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL));
}

static void end_names(stats_tree *tree)
{
    g_hash_table_remove(names_of_trees, tree);
}

/* The name, or the one under which all are counted that come after MOST_NAMES. */
static const char *bound_name(stats_tree *tree, const char *name)
{
    GHashTable *names = g_hash_table_lookup(names_of_trees, tree);

    if (g_hash_table_contains(names, name))
        return name;
    if (g_hash_table_size(names) >= MOST_NAMES)
        return "others";
    g_hash_table_add(names, g_strdup(name));
    return name;
}

static void begin_cause_tree(stats_tree *tree)
{
    stats_tree_create_node(tree, top_cause, 0, STAT_DT_INT, true);
    stats_tree_create_node(tree, top_pattern, 0, STAT_DT_INT, true);
    stats_tree_create_node(tree, top_severity, 0, STAT_DT_INT, true);
}

static tap_packet_status count_cause(stats_tree *tree, packet_info *pinfo _U_, epan_dissect_t *edt _U_,
                                     const void *tapped, tap_flags_t flags _U_)
{
    const rstcause_tap_data *reset = tapped;
    int causes = tick_stat_node(tree, top_cause, 0, true);
    int cause = tick_stat_node(tree, rstcause_cause_name(reset->verdict.cause), causes, true);
    int severities = tick_stat_node(tree, top_severity, 0, true);

    if (reset->verdict.detail != RSTCAUSE_NO_DETAIL)
        tick_stat_node(tree, rstcause_detail_name(reset->verdict.detail), cause, false);
    if (reset->verdict.pattern != RSTCAUSE_NO_PATTERN)
        tick_stat_node(tree, rstcause_pattern_name(reset->verdict.pattern), tick_stat_node(tree, top_pattern, 0, true),
                       false);
    tick_stat_node(tree, rstcause_severity_name(reset->severity), severities, false);
    return TAP_PACKET_REDRAW;
}

static void begin_service_tree(stats_tree *tree)
{
    begin_names(tree);
    stats_tree_create_node(tree, top_service, 0, STAT_DT_INT, true);
}

static tap_packet_status count_service(stats_tree *tree, packet_info *pinfo _U_, epan_dissect_t *edt _U_,
                                       const void *tapped, tap_flags_t flags _U_)
{
    const rstcause_verdict *verdict = &((const rstcause_tap_data *)tapped)->verdict;
    char *name = incident_name_service(verdict);
    int services = tick_stat_node(tree, top_service, 0, true);
    int service = tick_stat_node(tree, bound_name(tree, name), services, true);
    int sender = tick_stat_node(tree, rstcause_sender_name(verdict->sender), service, true);

    tick_stat_node(tree, rstcause_cause_name(verdict->cause), sender, false);
    g_free(name);
    return TAP_PACKET_REDRAW;
}

static void begin_host_tree(stats_tree *tree)
{
    begin_names(tree);
    stats_tree_create_node(tree, top_host, 0, STAT_DT_INT, true);
}

/* A reset that a third party forged was not sent by the host whose name is on it. */
static tap_packet_status count_host(stats_tree *tree, packet_info *pinfo _U_, epan_dissect_t *edt _U_,
                                    const void *tapped, tap_flags_t flags _U_)
{
    const rstcause_verdict *verdict = &((const rstcause_tap_data *)tapped)->verdict;
    char text[RSTCAUSE_ADDRESS_TEXT];
    char *name = g_strconcat(rstcause_address_text(&verdict->source, text),
                             verdict->sender == RSTCAUSE_THIRD_PARTY ? " (in its name)" : "", NULL);
    int hosts = tick_stat_node(tree, top_host, 0, true);
    int host = tick_stat_node(tree, bound_name(tree, name), hosts, true);

    tick_stat_node(tree, rstcause_cause_name(verdict->cause), host, false);
    g_free(name);
    return TAP_PACKET_REDRAW;
}

void register_statistics(void)
{
    stats_tree_register_plugin(RSTCAUSE_TAP, "rstcause", MENU "By cause", 0, count_cause, begin_cause_tree, NULL);
    stats_tree_register_plugin(RSTCAUSE_TAP, "rstcause_service", MENU "By service", 0, count_service,
                               begin_service_tree, end_names);
    stats_tree_register_plugin(RSTCAUSE_TAP, "rstcause_host", MENU "By host", 0, count_host, begin_host_tree,
                               end_names);
    register_incident_report();
    register_incident_table();
}
