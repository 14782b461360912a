# SPDX-License-Identifier: GPL-2.0-or-later
#
# Which version this source is: sets RSTCAUSE_VERSION. In git it is what "git describe" says (0.2.0-14-g1234567, and
# "-dirty" with changes that are not committed). A source without git is what version.txt says: a release, or a copy
# that a package is made of. Also sets RSTCAUSE_RELEASE, the number that it begins with. Used by the build, and by
# scripts: cmake -P version.cmake prints it.

get_filename_component(source_dir "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/version.txt" RSTCAUSE_VERSION LIMIT_COUNT 1)
string(REGEX MATCH "^[0-9.]+" RSTCAUSE_RELEASE "${RSTCAUSE_VERSION}")

# Only its own repository is asked, not one that this folder happens to lie in.
if(EXISTS "${source_dir}/.git")
    find_program(GIT_PROGRAM git)
    mark_as_advanced(GIT_PROGRAM)
    set(described)
    if(GIT_PROGRAM)
        # The installer may run as root in another user's folder: git would refuse it. And a hook of git's sets variables.
        set(git "${CMAKE_COMMAND}" -E env --unset=GIT_DIR --unset=GIT_WORK_TREE --unset=GIT_INDEX_FILE
            "${GIT_PROGRAM}" -c "safe.directory=${source_dir}" -C "${source_dir}")
        execute_process(COMMAND ${git} describe --tags --match "v[0-9]*" --dirty
                        OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
        if(NOT described)
            # Before the first tag: as if that release had been the first commit.
            execute_process(COMMAND ${git} describe --always --dirty --exclude "*"
                            OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
            execute_process(COMMAND ${git} rev-list --count HEAD
                            OUTPUT_VARIABLE count OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
            if(commit AND count)
                set(described "v${RSTCAUSE_RELEASE}-${count}-g${commit}")
            endif()
        endif()
    endif()
    if(described)
        string(REGEX REPLACE "^v" "" RSTCAUSE_VERSION "${described}")
    else()
        set(RSTCAUSE_VERSION "${RSTCAUSE_RELEASE}-unreleased")
    endif()
endif()

if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
    execute_process(COMMAND "${CMAKE_COMMAND}" -E echo "${RSTCAUSE_VERSION}")
endif()
