/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Incidents as a table: Statistics, TCP Reset Incidents in Wireshark's window, nstat:rstcause,incidents in sharkd. */
#ifndef RSTCAUSE_INCIDENT_TABLE_H
#define RSTCAUSE_INCIDENT_TABLE_H

void register_incident_table(void);

#endif
