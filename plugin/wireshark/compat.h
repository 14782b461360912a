/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between the Wireshark versions that this source is built for (4.0 to 4.6), and the headers all of
 * the glue needs. No other file asks for Wireshark's version.
 */
#ifndef RSTCAUSE_COMPAT_H
#define RSTCAUSE_COMPAT_H

#define WS_BUILD_DLL
#include <wireshark.h>
#include <epan/packet.h>
#include <epan/proto.h>

#define RSTCAUSE_WIRESHARK_SINCE(major, minor)                                                                         \
    (WIRESHARK_VERSION_MAJOR > (major) || (WIRESHARK_VERSION_MAJOR == (major) && WIRESHARK_VERSION_MINOR >= (minor)))

/* 4.4: the parts of a menu path are separated by two slashes, so that a name may hold one. */
#include <epan/stats_tree.h>
#ifndef STATS_TREE_MENU_SEPARATOR
#define STATS_TREE_MENU_SEPARATOR "/"
#endif

/* 4.6: who cannot do what -z asks for says so. */
#if RSTCAUSE_WIRESHARK_SINCE(4, 6)
typedef bool rstcause_stat_result;
#define rstcause_return_stat_result(is_done) return (is_done)
#else
typedef void rstcause_stat_result;
#define rstcause_return_stat_result(is_done) (void)(is_done)
#endif

/* 4.2: a plugin tells what kinds of plugin are in it. */
#if RSTCAUSE_WIRESHARK_SINCE(4, 2)
#include <wsutil/plugins.h>
#define RSTCAUSE_DESCRIBES_ITSELF 1
#endif

/* 4.4: who offers a filter of a conversation gets his own data back, and answers with C's bool. */
#include <epan/conversation_filter.h>
#if RSTCAUSE_WIRESHARK_SINCE(4, 4)
typedef bool rstcause_filter_validity;
#define RSTCAUSE_FILTER_ARGUMENTS packet_info *pinfo, void *data _U_
#define rstcause_register_filter(protocol, title, is_valid, build)                                                     \
    register_conversation_filter(protocol, title, is_valid, build, NULL)
#else
typedef gboolean rstcause_filter_validity;
#define RSTCAUSE_FILTER_ARGUMENTS packet_info *pinfo
#define rstcause_register_filter  register_conversation_filter
#endif

/* 4.4: preferences that are true or false are C's bool, where GLib's bool was. */
#if RSTCAUSE_WIRESHARK_SINCE(4, 4)
typedef bool rstcause_preference_flag;
#else
typedef gboolean rstcause_preference_flag;
#endif

#endif
