/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tshark -z rstcause,incidents[,FILTER] prints a ticket, -z rstcause,incidents-json[,FILTER] a line of JSON for each
 * incident: their counts add up, their times and frames are least and greatest, so that lines of several files can be
 * merged.
 */
#include "incident_report.h"

#include "compat.h"

#include <stdio.h>
#include <string.h>

#include <epan/stat_tap_ui.h>
#include <wsutil/json_dumper.h>
#include <wsutil/report_message.h>

#include "incidents/incidents.h"
#include "incidents/ticket.h"
#include "tap.h"

typedef struct {
    incidents *counted;
    bool knows_all; /* no verdict can change any more */
} report;

static void begin_report(report *begun)
{
    incidents_clear(begun->counted);
    begun->knows_all = true;
}

static void reset_report(void *data)
{
    begin_report(data);
}

static tap_packet_status count_reset(void *data, packet_info *pinfo _U_, epan_dissect_t *edt _U_, const void *tapped,
                                     tap_flags_t flags _U_)
{
    report *counting = data;
    const rstcause_tap_data *reset = tapped;

    incidents_add(counting->counted, &reset->verdict, reset->taken);
    counting->knows_all &= reset->knows_all;
    return TAP_PACKET_REDRAW;
}

static void print_ticket(void *data)
{
    const report *printed = data;
    char *text = ticket_text(printed->counted);

    fputs(text, stdout);
    if (!printed->knows_all)
        puts("\nCounted in one pass: each verdict rests on what came before. With -2 it rests on the whole file.");
    g_free(text);
}

static void put_string(json_dumper *line, const char *name, const char *value)
{
    if (value == NULL)
        return;
    json_dumper_set_member_name(line, name);
    json_dumper_value_string(line, value);
}

static void put_number(json_dumper *line, const char *name, uint32_t number)
{
    json_dumper_set_member_name(line, name);
    json_dumper_value_anyf(line, "%u", number);
}

/* Seconds, to the last digit. */
static void put_time(json_dumper *line, const char *name, int64_t nanoseconds)
{
    json_dumper_set_member_name(line, name);
    json_dumper_value_anyf(line, "%" PRId64 ".%09d", nanoseconds / 1000000000, (int)(nanoseconds % 1000000000));
}

static void put_counts(json_dumper *line, const incident_counts *counts)
{
    put_number(line, "resets", counts->resets);
    put_number(line, "did_harm", counts->harmful);
    put_number(line, "captured_twice", counts->copies);
    put_number(line, "first_frame", counts->first_frame);
    put_number(line, "last_frame", counts->last_frame);
    put_time(line, "first_time", counts->first_time);
    put_time(line, "last_time", counts->last_time);
}

static void put_clients(json_dumper *line, const incident *one)
{
    char text[RSTCAUSE_ADDRESS_TEXT];

    json_dumper_set_member_name(line, "clients");
    json_dumper_begin_array(line);
    for (unsigned i = 0; i < one->peers->len; i++)
        json_dumper_value_string(line, rstcause_address_text(&g_array_index(one->peers, rstcause_address, i), text));
    json_dumper_end_array(line);
    json_dumper_set_member_name(line, "more_clients");
    json_dumper_value_anyf(line, one->more_peers ? "true" : "false");
}

static void put_incident(json_dumper *line, const incident *one)
{
    put_string(line, "cause", rstcause_cause_name(one->cause));
    put_string(line, "pattern", rstcause_pattern_name(one->pattern));
    put_string(line, "service", one->service);
    put_string(line, "reset_by", rstcause_sender_name(one->sender));
    put_string(line, "severity", rstcause_severity_name(one->worst));
    put_counts(line, &one->counts);
    if (one->shortest_idle >= 0) {
        put_time(line, "shortest_idle", one->shortest_idle);
        put_time(line, "longest_idle", one->longest_idle);
    }
    put_clients(line, one);
    put_string(line, "explanation", one->explanation);
    put_string(line, "advice", one->advice);
}

static void print_line(const incident *one)
{
    json_dumper line = {.output_file = stdout};

    json_dumper_begin_object(&line);
    put_incident(&line, one);
    json_dumper_end_object(&line);
    json_dumper_finish(&line);
}

/* What has no incident of its own has a last line, without a cause. */
static void print_last_line(const incident_counts *beyond)
{
    json_dumper line = {.output_file = stdout};

    json_dumper_begin_object(&line);
    put_counts(&line, beyond);
    json_dumper_end_object(&line);
    json_dumper_finish(&line);
}

static void print_lines(void *data)
{
    const report *printed = data;
    const incident_counts *beyond = incidents_beyond(printed->counted);

    for (unsigned rank = 0; rank < incidents_count(printed->counted); rank++)
        print_line(incidents_at(printed->counted, rank));
    if (beyond->resets > 0)
        print_last_line(beyond);
}

static void finish_report(void *data)
{
    report *finished = data;

    incidents_free(finished->counted);
    g_free(finished);
}

static bool listen_to_resets(const char *filter, tap_draw_cb print)
{
    report *begun = g_new0(report, 1);
    GString *complaint;

    begun->counted = incidents_new();
    begin_report(begun);
    complaint = register_tap_listener(RSTCAUSE_TAP, begun, filter, TL_REQUIRES_NOTHING, reset_report, count_reset,
                                      print, finish_report);
    if (complaint == NULL)
        return true;
    finish_report(begun);
    report_failure("The incidents cannot be counted: %s", complaint->str);
    g_string_free(complaint, true);
    return false;
}

static const char *const ticket_argument = "rstcause,incidents", *const lines_argument = "rstcause,incidents-json";

/* What stands behind the name and a comma; NULL where nothing does. */
static const char *find_filter(const char *argument, const char *name)
{
    size_t length = strlen(name);

    return argument[length] == ',' ? argument + length + 1 : NULL;
}

static rstcause_stat_result listen_for_ticket(const char *argument, void *data _U_)
{
    rstcause_return_stat_result(listen_to_resets(find_filter(argument, ticket_argument), print_ticket));
}

static rstcause_stat_result listen_for_lines(const char *argument, void *data _U_)
{
    rstcause_return_stat_result(listen_to_resets(find_filter(argument, lines_argument), print_lines));
}

static void register_argument(const char *argument, stat_tap_init_cb listen_for)
{
    stat_tap_ui ui = {
        .group = REGISTER_PACKET_STAT_GROUP_UNSORTED,
        .cli_string = argument,
        .tap_init_cb = listen_for,
    };

    register_stat_tap_ui(&ui, NULL);
}

/* Wireshark's window takes -z rstcause,incidents as well, and opens the table. */
void register_incident_report(void)
{
    if (g_strcmp0(g_get_prgname(), "wireshark") == 0)
        return;
    register_argument(ticket_argument, listen_for_ticket);
    register_argument(lines_argument, listen_for_lines);
}
