/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of incidents. Wireshark shows the rows as they stand when the packets are through, and gives no sign then: so
 * each reset puts in order the rows that it changes.
 */
#include "incident_table.h"

#include "compat.h"

#include <epan/stat_tap_ui.h>

#include "incidents/incidents.h"
#include "tap.h"

enum {
    COLUMN_RANK,
    COLUMN_HARMFUL,
    COLUMN_RESETS,
    COLUMN_CAUSE,
    COLUMN_PATTERN,
    COLUMN_SERVICE,
    COLUMN_SENDER,
    COLUMN_CLIENTS,
    COLUMN_FIRST,
    COLUMN_LAST,
    COLUMN_SECONDS,
    COLUMN_SHORTEST_IDLE,
    COLUMN_LONGEST_IDLE,
    COLUMN_EXPLANATION,
    COLUMN_ADVICE,
    COLUMNS
};

static stat_tap_table_item columns[COLUMNS] = {
    [COLUMN_RANK] = {TABLE_ITEM_UINT, TAP_ALIGN_RIGHT, "No.", "%u"},
    [COLUMN_HARMFUL] = {TABLE_ITEM_UINT, TAP_ALIGN_RIGHT, "Did harm", "%u"},
    [COLUMN_RESETS] = {TABLE_ITEM_UINT, TAP_ALIGN_RIGHT, "Resets", "%u"},
    [COLUMN_CAUSE] = {TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Cause", "%s"},
    [COLUMN_PATTERN] = {TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Pattern", "%s"},
    [COLUMN_SERVICE] = {TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Service", "%s"},
    [COLUMN_SENDER] = {TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "Reset by", "%s"},
    [COLUMN_CLIENTS] = {TABLE_ITEM_UINT, TAP_ALIGN_RIGHT, "Clients", "%u"},
    [COLUMN_FIRST] = {TABLE_ITEM_UINT, TAP_ALIGN_RIGHT, "First frame", "%u"},
    [COLUMN_LAST] = {TABLE_ITEM_UINT, TAP_ALIGN_RIGHT, "Last frame", "%u"},
    [COLUMN_SECONDS] = {TABLE_ITEM_FLOAT, TAP_ALIGN_RIGHT, "Seconds", "%f"},
    [COLUMN_SHORTEST_IDLE] = {TABLE_ITEM_FLOAT, TAP_ALIGN_RIGHT, "Shortest idle", "%f"},
    [COLUMN_LONGEST_IDLE] = {TABLE_ITEM_FLOAT, TAP_ALIGN_RIGHT, "Longest idle", "%f"},
    [COLUMN_EXPLANATION] = {TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "What happened first", "%s"},
    [COLUMN_ADVICE] = {TABLE_ITEM_STRING, TAP_ALIGN_LEFT, "What to do", "%s"},
};

static const char *const title = "TCP Reset Incidents";

/* Wireshark has one table for all windows that show it. Its strings are those of the incidents. */
static incidents *counted;

static void set_number(stat_tap_table_item_type *item, unsigned number)
{
    item->type = TABLE_ITEM_UINT;
    item->value.uint_value = number;
}

static void set_text(stat_tap_table_item_type *item, const char *text)
{
    if (text == NULL)
        return;
    item->type = TABLE_ITEM_STRING;
    item->value.string_value = text;
}

static void set_seconds(stat_tap_table_item_type *item, int64_t nanoseconds)
{
    item->type = TABLE_ITEM_FLOAT;
    item->value.float_value = (double)nanoseconds / 1e9;
}

static void set_counts(stat_tap_table_item_type *row, const incident_counts *counts)
{
    set_number(&row[COLUMN_HARMFUL], counts->harmful);
    set_number(&row[COLUMN_RESETS], counts->resets);
    set_number(&row[COLUMN_FIRST], counts->first_frame);
    set_number(&row[COLUMN_LAST], counts->last_frame);
    set_seconds(&row[COLUMN_SECONDS], counts->last_time - counts->first_time);
}

static void set_incident(stat_tap_table_item_type *row, const incident *one)
{
    set_text(&row[COLUMN_CAUSE], rstcause_cause_name(one->cause));
    set_text(&row[COLUMN_PATTERN], rstcause_pattern_name(one->pattern));
    set_text(&row[COLUMN_SERVICE], one->service);
    set_text(&row[COLUMN_SENDER], rstcause_sender_name(one->sender));
    set_number(&row[COLUMN_CLIENTS], one->peers->len);
    if (one->shortest_idle >= 0) {
        set_seconds(&row[COLUMN_SHORTEST_IDLE], one->shortest_idle);
        set_seconds(&row[COLUMN_LONGEST_IDLE], one->longest_idle);
    }
    set_text(&row[COLUMN_EXPLANATION], one->explanation);
    set_text(&row[COLUMN_ADVICE], one->advice);
}

/* The row of an incident; without one, of what is counted together. Cells that say nothing have no type. */
static void fill_row(stat_tap_table *table, unsigned rank, const incident *one, const incident_counts *counts)
{
    stat_tap_table_item_type row[COLUMNS] = {0};

    set_number(&row[COLUMN_RANK], rank + 1);
    set_counts(row, counts);
    if (one != NULL)
        set_incident(row, one);
    else if (counts->resets > 0)
        set_text(&row[COLUMN_CAUSE], "other");
    stat_tap_init_table_row(table, rank, COLUMNS, row);
}

static tap_packet_status count_reset(void *data, packet_info *pinfo _U_, epan_dissect_t *edt _U_, const void *tapped,
                                     tap_flags_t flags _U_)
{
    const stat_data_t *stat = data;
    stat_tap_table *table = g_array_index(stat->stat_tap_data->tables, stat_tap_table *, 0);
    const rstcause_tap_data *reset = tapped;
    incident_ranks changed = incidents_add(counted, &reset->verdict, reset->taken);

    for (unsigned rank = changed.first; rank <= changed.last; rank++) {
        const incident *one = rank < incidents_count(counted) ? incidents_at(counted, rank) : NULL;

        fill_row(table, rank, one, one != NULL ? &one->counts : incidents_beyond(counted));
    }
    return TAP_PACKET_REDRAW;
}

/* Rows stay, as another window may show them; they say that nothing was counted. */
static void reset_table(stat_tap_table *table)
{
    incident_counts nothing = {0};

    for (unsigned rank = 0; rank < table->num_elements; rank++)
        fill_row(table, rank, NULL, &nothing);
    incidents_clear(counted);
}

static void begin_table(stat_tap_table_ui *ui)
{
    if (counted == NULL)
        counted = incidents_new();
    /* The window that asks clears its own rows before it looks at them again. */
    if (ui->tables != NULL && ui->refcount <= 1)
        free_stat_tables(ui);
    if (ui->tables != NULL && ui->tables->len > 0) {
        reset_table(g_array_index(ui->tables, stat_tap_table *, 0));
    } else {
        incidents_clear(counted);
        stat_tap_add_table(ui, stat_tap_init_table(title, COLUMNS, 0, NULL));
    }
}

void register_incident_table(void)
{
    static tap_param parameters[] = {{PARAM_FILTER, "filter", "Filter", NULL, true}};
    static stat_tap_table_ui ui;

    ui.group = REGISTER_PACKET_STAT_GROUP_UNSORTED;
    ui.title = title;
    ui.tap_name = RSTCAUSE_TAP;
    ui.cli_string = "rstcause,incidents";
    ui.stat_tap_init_cb = begin_table;
    ui.packet_func = count_reset;
    ui.stat_tap_reset_table_cb = reset_table;
    ui.nfields = COLUMNS;
    ui.fields = columns;
    ui.nparams = array_length(parameters);
    ui.params = parameters;
    register_stat_tap_table_ui(&ui);
}
