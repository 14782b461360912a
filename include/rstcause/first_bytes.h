/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the first bytes of a payload say that it is: a request, a response, an alert. Small, and no text of the network in
 * it, so that it can be kept with a segment or a connection.
 */
#ifndef RSTCAUSE_FIRST_BYTES_H
#define RSTCAUSE_FIRST_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
    RSTCAUSE_BYTES_UNKNOWN,
    RSTCAUSE_HTTP_REQUEST,        /* RFC 9112 section 3 */
    RSTCAUSE_HTTP_RESPONSE,       /* RFC 9112 section 4; code: the status */
    RSTCAUSE_TLS_CLIENT_HELLO,    /* RFC 8446 section 4.1.2 */
    RSTCAUSE_TLS_RECORDS,         /* others, RFC 8446 section 5.1 */
    RSTCAUSE_TLS_ALERT,           /* RFC 8446 section 6, the last of the records; code: the description */
    RSTCAUSE_TLS_ENCRYPTED_ALERT, /* TLS 1.2 and before, RFC 5246 section 6.2.3 */
    RSTCAUSE_SMTP_REPLY,          /* RFC 5321 section 4.2, the last of the lines; code: the reply code */
    RSTCAUSE_FTP_REPLY,           /* RFC 959 section 4.2, the last of the lines; code: the reply code */
    RSTCAUSE_SSH_VERSION,         /* RFC 4253 section 4.2 */
    RSTCAUSE_SSH_DISCONNECT,      /* RFC 4253 section 11.1, before keys are in use; code: the reason */
    RSTCAUSE_LEAVE                /* a client's last word in protocols that have no answer to it */
} rstcause_bytes_kind;

typedef struct {
    uint8_t kind;  /* a rstcause_bytes_kind */
    uint8_t level; /* of a TLS alert: 1 warning, 2 fatal; 0 else */
    uint16_t code; /* see the kinds; 0 for those that have none */
    bool closes;   /* an HTTP response with "Connection: close" */
    bool
        is_foreign; /* unknown, and no text that may answer HTTP: neither markup (HTTP/0.9) nor a radio stream's status */
} rstcause_first_bytes;

/*
 * Reads the payload of one segment, of which 'captured' bytes are there. Replies of SMTP and FTP look alike: they are known
 * by the port that they come from. A message that began in another segment is not recognised.
 */
rstcause_first_bytes rstcause_first_bytes_read(const uint8_t *payload, size_t captured, uint16_t source_port);

G_END_DECLS

#endif
