# SPDX-License-Identifier: GPL-2.0-or-later
#
# Where the plugin and its profile are installed: sets plugin_dir and profile_dir. For root that is Wireshark's own
# folders, for anybody else the personal ones. Nothing of it is remembered from one configuration to the next, for the
# next may be another user's, or find another version of Wireshark.

set(RSTCAUSE_PERSONAL AUTO CACHE STRING "Install into the user's personal Wireshark folders: ON, OFF, or AUTO (not for root)")
set_property(CACHE RSTCAUSE_PERSONAL PROPERTY STRINGS AUTO ON OFF)
set(RSTCAUSE_PLUGIN_DIR "" CACHE STRING "Where the plugin is installed, if not in Wireshark's folder")
set(RSTCAUSE_README "${PROJECT_SOURCE_DIR}/README.md" CACHE STRING "Where the preferences page says that the README is")
set(RSTCAUSE_PROFILE_DIR "" CACHE STRING "Where the configuration profile is installed, if not in Wireshark's folder")

if(CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
    set(CMAKE_INSTALL_PREFIX "${Wireshark_INSTALL_PREFIX}" CACHE PATH "Installation prefix" FORCE)
    set(RSTCAUSE_DEFAULT_PREFIX "${Wireshark_INSTALL_PREFIX}" CACHE INTERNAL "The prefix, where none was asked for")
endif()

set(personal "${RSTCAUSE_PERSONAL}")
if(personal STREQUAL "AUTO")
    set(personal OFF)
    # A prefix that was asked for, as packagers do, is one for the whole machine.
    if(UNIX AND CMAKE_INSTALL_PREFIX STREQUAL "${RSTCAUSE_DEFAULT_PREFIX}")
        execute_process(COMMAND id -u OUTPUT_VARIABLE user_id OUTPUT_STRIP_TRAILING_WHITESPACE)
        if(NOT user_id STREQUAL "0")
            set(personal ON)
        endif()
    endif()
endif()

if(personal)
    cmake_path(GET Wireshark_PLUGIN_LIBDIR FILENAME plugin_version)
    set(config_home "$ENV{XDG_CONFIG_HOME}")
    if(config_home STREQUAL "")
        set(config_home "$ENV{HOME}/.config")
    endif()
    set(plugin_dir "$ENV{HOME}/.local/lib/wireshark/plugins/${plugin_version}/epan")
    set(profile_dir "${config_home}/wireshark/profiles")
else()
    set(plugin_dir "${Wireshark_PLUGIN_LIBDIR}/epan")
    set(profile_dir "share/wireshark/profiles")
endif()
if(RSTCAUSE_PLUGIN_DIR)
    set(plugin_dir "${RSTCAUSE_PLUGIN_DIR}")
endif()
if(RSTCAUSE_PROFILE_DIR)
    set(profile_dir "${RSTCAUSE_PROFILE_DIR}")
endif()
message(STATUS "To be installed into: ${plugin_dir}")
