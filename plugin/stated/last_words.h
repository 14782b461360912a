/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Last words: what an application said in farewell before its side sent a reset. A TLS alert, an HTTP response that
 * refuses or announces the close, an SMTP or FTP reply that does, an SSH disconnect. Knows no connections.
 */
#ifndef RSTCAUSE_LAST_WORDS_H
#define RSTCAUSE_LAST_WORDS_H

#include "rstcause/first_bytes.h"

bool last_words_are(const rstcause_first_bytes *said);

/* In words of ours: codes and their names, nothing of the network's text. Only of last words; free with g_free(). */
char *last_words_tell(const rstcause_first_bytes *said);

#endif
