/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See fuzz.h. */
#include "fuzz.h"

#include <string.h>

#include <glib.h>

#include "rstcause/first_bytes.h"
#include "stated/last_words.h"

static void check_code(const rstcause_first_bytes *said)
{
    switch (said->kind) {
    case RSTCAUSE_HTTP_RESPONSE:
        fuzz_require(said->code >= 100 && said->code <= 999, "a status of HTTP does not have three digits");
        break;
    case RSTCAUSE_TLS_ALERT:
        fuzz_require(said->code <= 255, "the description of an alert is no byte");
        fuzz_require(said->level == 1 || said->level == 2, "an alert is neither a warning nor fatal");
        break;
    case RSTCAUSE_SMTP_REPLY:
    case RSTCAUSE_FTP_REPLY:
        fuzz_require(said->code >= 1 && said->code <= 999, "the code of a reply does not have three digits");
        break;
    case RSTCAUSE_SSH_DISCONNECT:
        fuzz_require(said->code >= 1 && said->code <= 15, "SSH has no such reason");
        break;
    default:
        fuzz_require(said->code == 0, "there is a code where the kind has none");
    }
}

static void check(const rstcause_first_bytes *said)
{
    fuzz_require(said->kind <= RSTCAUSE_LEAVE, "the kind is out of its range");
    check_code(said);
    fuzz_require(said->level == 0 || said->kind == RSTCAUSE_TLS_ALERT, "there is a level without an alert");
    fuzz_require(!said->closes || said->kind == RSTCAUSE_HTTP_RESPONSE, "something else than HTTP closes");
    fuzz_require(!said->is_foreign || said->kind == RSTCAUSE_BYTES_UNKNOWN, "what is known is called foreign");
}

static void check_words(const rstcause_first_bytes *said)
{
    char *told;

    if (!last_words_are(said))
        return;
    told = last_words_tell(said);
    fuzz_require(told != NULL && *told != '\0', "last words are told without a word");
    /* Words of ours: nothing of the network's text is in them. */
    for (const char *at = told; *at != '\0'; at++)
        fuzz_require(g_ascii_isprint(*at), "last words have a character that is not ours");
    fuzz_require(strstr(told, "null") == NULL, "last words have a code without a name");
    g_free(told);
}

void fuzz_payload(const uint8_t *data, size_t size)
{
    static const uint16_t ports[] = {80, 443, 25, 587, 21, 22, 50000};
    fuzz_bytes input = {data, size};
    uint16_t port = ports[fuzz_take(&input) % G_N_ELEMENTS(ports)];
    size_t captured;
    uint8_t *payload = fuzz_take_block(&input, input.left, &captured);
    rstcause_first_bytes said = rstcause_first_bytes_read(payload, captured, port),
                         again = rstcause_first_bytes_read(payload, captured, port);

    check(&said);
    check_words(&said);
    fuzz_require(said.kind == again.kind && said.level == again.level && said.code == again.code &&
                     said.closes == again.closes && said.is_foreign == again.is_foreign,
                 "the same payload is something else the second time");
    g_free(payload);
}
