/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the first bytes of a payload are, and what is told of a farewell. */
#include "rstcause/first_bytes.h"

#include <string.h>

#include "stated/last_words.h"

/* Reads a buffer of just this length, so that the sanitizer sees a byte too many. */
static rstcause_first_bytes read_exactly(const void *bytes, size_t length, uint16_t port)
{
    uint8_t *copy = g_memdup2(bytes, length);
    rstcause_first_bytes found = rstcause_first_bytes_read(copy, length, port);

    g_free(copy);
    return found;
}

static void check(const char *bytes, size_t length, uint16_t port, rstcause_bytes_kind kind, const char *words)
{
    rstcause_first_bytes found = read_exactly(bytes, length, port);

    g_assert_cmpint(found.kind, ==, kind);
    g_assert_cmpint(last_words_are(&found), ==, words != NULL);
    if (words != NULL) {
        char *told = last_words_tell(&found);

        g_assert_cmpstr(told, ==, words);
        g_free(told);
    }
}

#define CHECK(bytes, port, kind, words) check(bytes, sizeof bytes - 1, port, kind, words)

static void http(void)
{
    CHECK("HTTP/1.1 503 Service Unavailable\r\nServer: x\r\nConnection: close\r\n\r\n", 80, RSTCAUSE_HTTP_RESPONSE,
          "HTTP status 503 Service Unavailable, Connection: close");
    CHECK("HTTP/1.0 200 OK\r\ncONNECTION:\t close\r\n\r\n", 8080, RSTCAUSE_HTTP_RESPONSE,
          "HTTP status 200 OK, Connection: close");
    CHECK("HTTP/1.1 200 OK\r\n\r\nConnection: close\r\n", 80, RSTCAUSE_HTTP_RESPONSE, NULL);
    CHECK("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n", 80, RSTCAUSE_HTTP_RESPONSE, NULL);
    CHECK("HTTP/1.1 200 OK\r\nConnection: clo", 80, RSTCAUSE_HTTP_RESPONSE, NULL);
    CHECK("HTTP/1.1 499", 80, RSTCAUSE_HTTP_RESPONSE, "HTTP status 499");
    CHECK("HTTP/1.1 4x4 no", 80, RSTCAUSE_BYTES_UNKNOWN, NULL);
    CHECK("HTTP/1.1 40", 80, RSTCAUSE_BYTES_UNKNOWN, NULL);
    CHECK("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 40000, RSTCAUSE_HTTP_REQUEST, NULL);
    CHECK("HEAD /", 40000, RSTCAUSE_HTTP_REQUEST, NULL);
    CHECK("GETTING", 40000, RSTCAUSE_BYTES_UNKNOWN, NULL);
    CHECK("GET http://example.com/ HTTP/1.1", 40000, RSTCAUSE_HTTP_REQUEST, NULL);
    CHECK("CONNECT example.com:443 HTTP/1.1", 40000, RSTCAUSE_HTTP_REQUEST, NULL);
    CHECK("OPTIONS rtsp://example.com/ RTSP/1.0", 40000, RSTCAUSE_BYTES_UNKNOWN, NULL);
    CHECK("GET ", 40000, RSTCAUSE_BYTES_UNKNOWN, NULL);
}

static void tell_binary_from_text(void)
{
    g_assert_true(rstcause_first_bytes_read((const uint8_t *)"d\0\0\0\n5.5.5-10", 13, 3306).is_foreign);
    g_assert_false(rstcause_first_bytes_read((const uint8_t *)"<!DOCTYPE html>", 15, 80).is_foreign);
    g_assert_false(rstcause_first_bytes_read((const uint8_t *)"\r\n", 2, 80).is_foreign);
    g_assert_false(rstcause_first_bytes_read((const uint8_t *)"\xc3\xa4h", 3, 80).is_foreign);
    g_assert_false(rstcause_first_bytes_read((const uint8_t *)"\x15\x03\x01\0\x02\x02\x28", 7, 80).is_foreign);
    g_assert_false(rstcause_first_bytes_read(NULL, 0, 80).is_foreign);
    g_assert_true(rstcause_first_bytes_read((const uint8_t *)"-ERR unknown command\r\n", 22, 80).is_foreign);
    g_assert_false(rstcause_first_bytes_read((const uint8_t *)"ERRATA of the book", 18, 80).is_foreign);
    g_assert_false(rstcause_first_bytes_read((const uint8_t *)"ICY 200 OK\r\n", 12, 80).is_foreign);
}

static void take_leave(void)
{
    CHECK("\xe0\0", 40000, RSTCAUSE_LEAVE, NULL);
    CHECK("\1\0\0\0\1", 40000, RSTCAUSE_LEAVE, NULL);
    CHECK("X\0\0\0\4", 40000, RSTCAUSE_LEAVE, NULL);
    CHECK("\x30\5\2\1\3\x42\0", 40000, RSTCAUSE_LEAVE, NULL);
    CHECK("\x30\7\2\3\1\2\3\x42\0", 40000, RSTCAUSE_LEAVE, NULL);
    CHECK("\xc0\0", 40000, RSTCAUSE_BYTES_UNKNOWN, NULL);
    CHECK("\1\0\0\0\x0e", 40000, RSTCAUSE_BYTES_UNKNOWN, NULL);
    CHECK("\x30\6\2\1\3\x42\0", 40000, RSTCAUSE_BYTES_UNKNOWN, NULL);
}

static void tls(void)
{
    CHECK("\x15\x03\x03\x00\x02\x02\x28", 443, RSTCAUSE_TLS_ALERT, "TLS alert Handshake Failure (40), level Fatal (2)");
    CHECK("\x15\x03\x01\x00\x02\x01\x00", 443, RSTCAUSE_TLS_ALERT, "TLS alert Close Notify (0), level Warning (1)");
    CHECK("\x15\x03\x01\x00\x02\x02\xfa", 443, RSTCAUSE_TLS_ALERT, "TLS alert without a name (250), level Fatal (2)");
    CHECK("\x15\x03\x01\x00\x02\x07\x00", 443, RSTCAUSE_TLS_RECORDS, NULL);
    CHECK("\x15\x03\x01\x00\x02\x02", 443, RSTCAUSE_TLS_RECORDS, NULL);
    CHECK("\x15\x03\x03\x00\x1a\x01\x02", 443, RSTCAUSE_TLS_ENCRYPTED_ALERT, "TLS alert, encrypted");
    /* Behind another record, and before one. */
    CHECK("\x17\x03\x03\x00\x01\x55\x15\x03\x03\x00\x02\x01\x5a", 443, RSTCAUSE_TLS_ALERT,
          "TLS alert User Canceled (90), level Warning (1)");
    CHECK("\x15\x03\x03\x00\x02\x01\x5a\x17\x03\x03\x00\x01\x55", 443, RSTCAUSE_TLS_RECORDS, NULL);
    CHECK("\x16\x03\x01\x00\xc8\x01\x00", 40000, RSTCAUSE_TLS_CLIENT_HELLO, NULL);
    CHECK("\x16\x03\x03\x00\xc8\x02\x00", 443, RSTCAUSE_TLS_RECORDS, NULL);
    CHECK("\x16\x02\x01\x00\xc8\x01\x00", 443, RSTCAUSE_BYTES_UNKNOWN, NULL);
    CHECK("\x15\x03\x03\x00\x00\x02\x28", 443, RSTCAUSE_BYTES_UNKNOWN, NULL);
    CHECK("\x15\x03\x03\x00", 443, RSTCAUSE_BYTES_UNKNOWN, NULL);
}

static void replies(void)
{
    CHECK("421 4.3.2 closing\r\n", 25, RSTCAUSE_SMTP_REPLY,
          "SMTP reply 421 <domain> Service not available, closing transmission channel");
    CHECK("250 ok\r\n", 587, RSTCAUSE_SMTP_REPLY, NULL);
    CHECK("250 ok\r\n221 bye\r\n", 25, RSTCAUSE_SMTP_REPLY,
          "SMTP reply 221 <domain> Service closing transmission channel");
    CHECK("530-\x1b[31mno\xff\r\n and so on\r\n530 no\r\n", 21, RSTCAUSE_FTP_REPLY, "FTP reply 530 Not logged in");
    CHECK("499", 21, RSTCAUSE_FTP_REPLY, "FTP reply 499");
    CHECK("421 closing\r\n", 8025, RSTCAUSE_BYTES_UNKNOWN, NULL);
    CHECK("42", 25, RSTCAUSE_BYTES_UNKNOWN, NULL);
}

static void ssh(void)
{
    CHECK("SSH-2.0-x\r\n", 22, RSTCAUSE_SSH_VERSION, NULL);
    CHECK("\0\0\0\x14\x04\x01\0\0\0\x0b\0\0\0\x02xx\0\0\0\0\0\0\0\0", 22, RSTCAUSE_SSH_DISCONNECT,
          "SSH disconnect, reason 11 (by application)");
    /* Lengths that do not add up, a reason that is none, and an end too soon. */
    CHECK("\0\0\0\x15\x04\x01\0\0\0\x0b\0\0\0\x02xx\0\0\0\0\0\0\0\0", 22, RSTCAUSE_BYTES_UNKNOWN, NULL);
    CHECK("\0\0\0\x14\x04\x01\0\0\0\x10\0\0\0\x02xx\0\0\0\0\0\0\0\0", 22, RSTCAUSE_BYTES_UNKNOWN, NULL);
    CHECK("\0\0\0\x14\x04\x01\0\0\0\x0b\0\0\0\x02xx\0\0\0", 22, RSTCAUSE_BYTES_UNKNOWN, NULL);
    CHECK("\0\0\0\x14\x04\x01\0\0\0\x0b\xff\xff\xff\xffxx\0\0\0\0\0\0\0\0", 22, RSTCAUSE_BYTES_UNKNOWN, NULL);
}

/* Each start of each message, and each message with a byte changed: nothing is read behind the end. */
static void mutations(void)
{
    static const char *const samples[] = {"HTTP/1.1 503 x\r\nConnection: close\r\n\r\n", "PATCH / HTTP/1.1\r\n",
                                          "421-x\r\n421 x\r\n", "SSH-2.0-x\r\n"};
    static const char binary[] = "\x17\x03\x03\x00\x02\x55\x55\x15\x03\x03\x00\x02\x01\x5a";
    static const char disconnect[] = "\0\0\0\x14\x04\x01\0\0\0\x0b\0\0\0\x02xx\0\0\0\0\0\0\0\0";

    for (size_t sample = 0; sample < G_N_ELEMENTS(samples) + 2; sample++) {
        const char *bytes = sample < G_N_ELEMENTS(samples)    ? samples[sample]
                            : sample == G_N_ELEMENTS(samples) ? binary
                                                              : disconnect;
        size_t length = sample < G_N_ELEMENTS(samples)    ? strlen(bytes)
                        : sample == G_N_ELEMENTS(samples) ? sizeof binary - 1
                                                          : sizeof disconnect - 1;

        for (size_t cut = 0; cut <= length; cut++) {
            read_exactly(bytes, cut, 25);
            for (unsigned value = 0; cut < length && value <= UINT8_MAX; value++) {
                char *changed = g_memdup2(bytes, length);
                rstcause_first_bytes found;

                changed[cut] = (char)value;
                found = read_exactly(changed, length, 25);
                if (last_words_are(&found)) {
                    char *told = last_words_tell(&found);

                    g_assert_true(g_str_is_ascii(told));
                    g_free(told);
                }
                g_free(changed);
            }
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/first-bytes/http", http);
    g_test_add_func("/first-bytes/binary", tell_binary_from_text);
    g_test_add_func("/first-bytes/leave", take_leave);
    g_test_add_func("/first-bytes/tls", tls);
    g_test_add_func("/first-bytes/replies", replies);
    g_test_add_func("/first-bytes/ssh", ssh);
    g_test_add_func("/first-bytes/mutations", mutations);
    return g_test_run();
}
