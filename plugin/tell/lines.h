/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Breaks a text into lines that a narrow pane shows whole: one sentence a line, and a long one goes on below. */
#ifndef RSTCAUSE_LINES_H
#define RSTCAUSE_LINES_H

#include <glib.h>

/*
 * The lines of a text in UTF-8, at least one, none with more than 'width' characters unless a single word has; a line that
 * goes on with a sentence begins with four spaces. Without these all lines joined by spaces are the text. A GPtrArray of
 * char * that frees its strings, the caller's to free.
 */
GPtrArray *lines_break(const char *text, unsigned width);

#endif
