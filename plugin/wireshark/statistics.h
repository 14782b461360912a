/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Statistics of resets: in the menu Statistics, for tshark's -z and for sharkd. They listen to the tap "rstcause". */
#ifndef RSTCAUSE_STATISTICS_H
#define RSTCAUSE_STATISTICS_H

/* Once, at handoff: before, there is nothing to register with; after, Wireshark has made its menus. */
void register_statistics(void);

#endif
