/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tshark -z rstcause,incidents: incidents as a text, and as lines of JSON. */
#ifndef RSTCAUSE_INCIDENT_REPORT_H
#define RSTCAUSE_INCIDENT_REPORT_H

/* Once, before register_incident_table(): of two that want the same -z, Wireshark takes the first. */
void register_incident_report(void);

#endif
