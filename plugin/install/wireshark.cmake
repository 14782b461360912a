# SPDX-License-Identifier: GPL-2.0-or-later
#
# Finds Wireshark's development files, and says in words what is wrong with those that cannot be used.

set(RSTCAUSE_WIRESHARK_OLDEST 4.0)
set(RSTCAUSE_WIRESHARK_KNOWN 4.0 4.4 4.6) # tests/run captures passes there

list(JOIN RSTCAUSE_WIRESHARK_KNOWN ", " known_versions)
find_package(Wireshark CONFIG QUIET)

if(NOT Wireshark_FOUND)
    message(FATAL_ERROR
        "Wireshark's development files were not found.\n"
        "Known to work: Wireshark ${known_versions}.\n"
        "Debian and Ubuntu: apt-get install wireshark-dev libwireshark-dev\n"
        "Elsewhere: -DWireshark_DIR=FOLDER, where FOLDER has Wireshark's WiresharkConfig.cmake.")
endif()

if(Wireshark_VERSION VERSION_LESS RSTCAUSE_WIRESHARK_OLDEST)
    message(FATAL_ERROR
        "Found Wireshark ${Wireshark_VERSION} in ${Wireshark_DIR}, which is too old.\n"
        "Known to work: Wireshark ${known_versions}.\n"
        "To use another one: -DWireshark_DIR=FOLDER, where FOLDER has its WiresharkConfig.cmake.")
endif()

if(NOT Wireshark_PLUGINS_ENABLED)
    message(FATAL_ERROR
        "Found Wireshark ${Wireshark_VERSION} in ${Wireshark_DIR}, which was compiled without support for plugins.\n"
        "Known to work: Wireshark ${known_versions}, compiled with ENABLE_PLUGINS.")
endif()

message(STATUS "Wireshark ${Wireshark_VERSION}: ${Wireshark_DIR}")
if(NOT "${Wireshark_MAJOR_VERSION}.${Wireshark_MINOR_VERSION}" IN_LIST RSTCAUSE_WIRESHARK_KNOWN)
    message(WARNING
        "Found Wireshark ${Wireshark_VERSION}, on which rstcause was never tested.\n"
        "Known to work: Wireshark ${known_versions}.")
endif()
