/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Breaks a text into lines that a narrow pane shows whole: one sentence a line, and a long one goes on below. */
#ifndef RSTCAUSE_LINES_H
#define RSTCAUSE_LINES_H

#include <glib.h>

/*
 * The lines of a text in UTF-8, at least one, none with more than 'width' characters (at least 20) unless a single word has.
 * 'name' stands before the text, with a colon; then every line but the first begins with four spaces. Where it is NULL, only
 * a line that goes on with a sentence does. A GPtrArray of char * that frees its strings, the caller's to free.
 */
GPtrArray *lines_break(const char *name, const char *text, unsigned width);

#endif
